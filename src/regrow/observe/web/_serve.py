"""Serving the app of a tree by hypercorn."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, cast

import trio
from hypercorn.config import Config

from ._app import app
from ._bind import Address, listen
from ._connections import serve_connections

if TYPE_CHECKING:
    import socket
    from collections.abc import Collection

    from hypercorn.typing import ASGIFramework

    from regrow._runtime.tree import Tree

    from ._measure import Metrics

__all__ = ["serve", "serve_socket"]

STOP_WITHIN: Final = 0.5  # seconds for requests that are under way when it stops


async def serve(  # noqa: ASYNC128 - the one below says so
    tree: Tree,
    bind: str = "127.0.0.1:8000",
    *,
    token: str | None = None,
    hosts: Collection[str] = (),
    metrics: Metrics | None = None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app(tree)` over HTTP: `url = await nursery.start(serve, tree, "8080")`.

    Returns when the tree has ended, within a second, whatever streams are open. Cancelling
    it cuts the connections.

    Args:
        tree: A running tree.
        bind: `HOST:PORT`, `[ADDRESS]:PORT`, or `PORT` on 127.0.0.1; port 0 is any free one.
        token: As for `app`.
        hosts: As for `app`.
        metrics: As for `app`.
        task_status: Gets the URL when it is being listened at.

    Raises:
        AddressError: *bind* is no address, or cannot be listened at.
        ValueError: As from `app`.
    """
    sock = listen(Address.read(bind))
    await serve_socket(
        tree, sock, token=token, hosts=hosts, metrics=metrics, task_status=task_status
    )


async def serve_socket(  # noqa: ASYNC114 - for `serve` and the command
    tree: Tree,
    sock: socket.socket,
    *,
    token: str | None = None,
    hosts: Collection[str] = (),
    metrics: Metrics | None = None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app(tree)` at a socket that listens already; it is closed at the end."""
    async with trio.SocketListener(trio.socket.from_stdlib_socket(sock)) as listener:
        tree_app = app(tree, token=token, hosts=hosts, metrics=metrics)
        config = Config()
        config.graceful_timeout = STOP_WITHIN
        config.include_server_header = False
        config.accesslog = None
        config.errorlog = logging.getLogger("regrow.web")
        host, port = sock.getsockname()[:2]
        task_status.started(f"http://{Address(host, port)}/")
        framework = cast("ASGIFramework", tree_app)
        try:
            await serve_connections(
                framework, config, listener, until=tree.wait_stopped
            )
        finally:
            tree_app.close()
