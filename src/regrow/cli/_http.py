"""`--http`: the tree of a command over HTTP."""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import Final

import trio
from rich.console import Console

from regrow import Tree
from regrow.observe.web._bind import Address, listen
from regrow.observe.web._guard import check_token
from regrow.observe.web._serve import serve_socket

__all__ = ["Http"]

TOKEN: Final = "REGROW_HTTP_TOKEN"  # noqa: S105 - the name of the variable, not a token

_log = logging.getLogger("regrow.web")


class Http:
    """Serves a tree; the address is taken at once, before the tree is started.

    Args:
        bind: `PORT`, `HOST:PORT` or `[ADDRESS]:PORT`.
        console: Where the URL is told.

    Raises:
        AddressError: *bind* is no address, or cannot be listened at.
        ValueError: The token in the environment is too short to be one.
    """

    def __init__(self, bind: str, console: Console) -> None:
        self._token = check_token(os.environ.get(TOKEN))
        self._console = console
        self._socket = listen(Address.read(bind))

    async def __call__(self, tree: Tree) -> None:  # noqa: ASYNC910 - to serve is one
        """Serve *tree* until it has ended.

        A failing server is logged, and the tree goes on without it.
        """
        serve = partial(serve_socket, tree, self._socket, token=self._token)
        try:
            async with trio.open_nursery() as nursery:
                url: str = await nursery.start(serve)
                self._console.out(f"regrow run: serving {url}", highlight=False)
        except* Exception:  # noqa: BLE001 - logged; it is not the tree that failed
            _log.exception("the server has failed, and the tree goes on without it")
