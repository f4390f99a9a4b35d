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
        try:
            self._token = check_token(os.environ.get(TOKEN))
        except ValueError as error:
            message = f"{TOKEN}: {error}"
            raise ValueError(message) from None
        self._console = console
        self._socket = listen(Address.read(bind))

    async def __call__(self, tree: Tree) -> None:  # noqa: ASYNC910 - to serve is one
        """Serve *tree* from its start on, to the end of what there is to say of its end.

        A failing server is logged, and the tree goes on without it.
        """
        serve = partial(serve_socket, tree, self._socket, token=self._token)
        kept = trio.CancelScope(shield=True)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cut_before_the_end, tree, kept)
                with kept:
                    async with trio.open_nursery() as serving:
                        url: str = await serving.start(serve)
                        self._console.out(f"regrow run: serving {url}", highlight=False)
        except* Exception:  # noqa: BLE001 - logged; it is not the tree that failed
            _log.exception("the server has failed, and the tree goes on without it")


async def _cut_before_the_end(tree: Tree, server: trio.CancelScope) -> None:
    """Cancel *server* where this is cancelled, unless the tree has ended.

    Then the server ends by itself, within a second of it, with its streams told so.
    """
    try:
        await tree.wait_stopped()
    except trio.Cancelled:
        server.cancel()
        raise
