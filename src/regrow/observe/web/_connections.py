"""Connections by hypercorn, which can be cut.

Hypercorn shields what it writes from being cancelled, so that a client which stops reading
would hold up the end of its server, and of the program, for ever. Here each connection's
writing has a scope of its own, inside that shield: cut, the client counts as gone.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, cast

import trio
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import wrap_app  # pyright: ignore[reportUnknownVariableType]  # WSGI

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import NoReturn

    from hypercorn.config import Config
    from hypercorn.typing import ASGIFramework

__all__ = ["serve_connections"]

_log = logging.getLogger("regrow.web")

MOST: Final = (
    128  # connections at once; the descriptors of the program are not for them
)


class CuttableStream:
    """What hypercorn uses of a socket's stream.

    Attributes:
        socket: The socket.
        active_at: When something was read or written last, on the run's clock.
    """

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._cut = False
        self._dropped = False
        self._writing: trio.CancelScope | None = None
        self.socket: trio.socket.SocketType = stream.socket
        self.active_at: float = trio.current_time()
        self._reading = trio.CancelScope()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of *data*.

        Raises:
            trio.BrokenResourceError: It was cut, or the client has gone.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if not self._cut:
            with trio.CancelScope() as self._writing:
                await self._stream.send_all(data)
            self._writing = None
            self.active_at = trio.current_time()
        if self._cut:
            message = "cut off"
            raise trio.BrokenResourceError(message)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Give what has come in; nothing at the end, or when it was dropped."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._dropped:
            return b""
        with trio.CancelScope() as self._reading:
            data = await self._stream.receive_some(max_bytes)
            self.active_at = trio.current_time()
            return data
        return b""

    async def send_eof(self) -> None:
        """Say that no more will be written."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()

    def cut(self) -> None:
        """Write nothing more, also where something is being written."""
        self._cut = True
        if self._writing is not None:
            self._writing.cancel()

    def drop(self) -> None:
        """Take the client for gone; what it has begun to change is still finished."""
        self.cut()
        self._dropped = True
        self._reading.cancel(reason="there are too many connections")


async def serve_connections(
    app: ASGIFramework,
    config: Config,
    listener: trio.SocketListener,
    *,
    until: Callable[[], Awaitable[None]],
) -> None:
    """Serve *app* until *until* returns; then for `config.graceful_timeout` seconds more.

    Of more than 128 connections that is dropped which was silent for longest.

    Cancelled, it cuts all connections.
    """
    wrapped = wrap_app(app, config.wsgi_max_body_size, "asgi")
    context = WorkerContext(None)
    streams: set[CuttableStream] = set()

    async def handle(stream: trio.SocketStream) -> None:  # noqa: ASYNC910 - a task
        if len(streams) >= MOST:
            silent = min(streams, key=lambda each: each.active_at)
            streams.discard(silent)
            silent.drop()
        cuttable = CuttableStream(stream)
        streams.add(cuttable)
        try:
            # It needs no more of a stream than there is.
            transport = cast("trio.SSLStream[trio.SocketStream]", cuttable)
            await TCPServer(wrapped, config, context, ConnectionState({}), transport)
        except Exception:  # noqa: BLE001 - the other connections go on, and the tree
            _log.exception("a connection has failed")
        finally:
            streams.discard(cuttable)

    async def cut_when_cancelled() -> NoReturn:
        try:
            await trio.sleep_forever()
        finally:
            for stream in list(streams):
                stream.cut()

    async with trio.open_nursery() as cutting:
        cutting.start_soon(cut_when_cancelled)
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as accepting:
                accepting.start_soon(_accept, handle, listener, connections)
                await until()
                accepting.cancel_scope.cancel()
            await context.terminated.set()  # those that wait for a request are closed
            deadline = trio.current_time() + config.graceful_timeout
            # Both: a cancelled task does not come out of a write that is not cut.
            cutting.cancel_scope.deadline = deadline
        cutting.cancel_scope.cancel()


async def _accept(
    handle: Callable[[trio.SocketStream], Awaitable[None]],
    listener: trio.SocketListener,
    connections: trio.Nursery,
) -> None:
    await trio.serve_listeners(handle, [listener], handler_nursery=connections)
