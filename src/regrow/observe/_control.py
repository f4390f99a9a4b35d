"""The control socket of a tree: who is let in, how many, and how much they may take.

The server is a task beside the tree's root. It serves while children start, and until the
tree has stopped; whatever a client does ends at its own connection.
"""

from __future__ import annotations

import errno
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

import trio
from trio.lowlevel import enable_ki_protection

from regrow._runtime.tree import running_of
from regrow._runtime.user import uncancelled
from regrow.errors import RegrowError

from ._answers import Answers, RefusedError, refusal
from ._connection import Connection
from ._followed import Following
from ._lines import answer, greeting, refused
from ._meter import Meter
from ._protocol import INTERNAL, Code, Refusal
from ._rows import Rows
from ._socket import peer_uid

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from regrow._runtime.tree import Tree

    from ._protocol import Request
    from ._socket import ControlSocket

__all__ = ["ControlServer"]

MOST_CONNECTIONS: Final = 64
MOST_STEERING: Final = 64  # requests of all connections that wait for the tree
EVENTS: Final = 1000  # that wait for a slow reader
FAREWELL: Final = 1.0  # seconds to send what is left when the tree has ended
REST: Final = 0.1  # seconds before the next try, where no connection can be had
_EXHAUSTED: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

_log = logging.getLogger("regrow")


class ControlServer:
    """Serves the clients of one tree's control socket.

    Args:
        socket: Where it listens; it is closed, and its file removed, at the end.
        tree: The tree.
        meter: How much time clients may take.

    Attributes:
        answers: What it answers.
        meter: As given.
        following: The events that clients follow.
        greeting: The first line of every connection.
    """

    def __init__(
        self, socket: ControlSocket, tree: Tree, meter: Meter | None = None
    ) -> None:
        self.answers: Answers = Answers(tree, Rows(tree))
        self.meter: Meter = Meter() if meter is None else meter
        self.greeting: bytes = greeting(tree.path, os.getpid())
        self._socket = socket
        self._running = running_of(tree)
        self.following: Following = Following(self._running.host, EVENTS)
        self._nursery: trio.Nursery | None = None
        self._accepting = trio.CancelScope()
        self._connections: dict[Connection, None] = {}
        self._steering: dict[trio.CancelScope, None] = {}
        self._over = False
        self._less = trio.Event()

    # --------------------------------------------------------------------- its tasks

    @enable_ki_protection
    async def run(self) -> None:
        """Serve until cancelled; nothing but that comes out."""
        try:
            await self._guarded(self._run)
        finally:
            self._socket.close()

    async def _run(self) -> None:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            with self._accepting:
                await self._accept(nursery)
            await trio.sleep_forever()

    @enable_ki_protection
    async def finish(self) -> None:
        """Give clients what is left for them; the tree has ended.

        It takes no longer than a second, also where they do not read.
        """
        self._over = True
        self._accepting.cancel(reason="the tree is over")
        for scope in self._steering:
            scope.cancel(reason="the tree is over")
        self.following.end()
        with trio.move_on_after(FAREWELL):
            while any(connection.busy for connection in self._connections):
                await self._less.wait()
        await trio.lowlevel.checkpoint()

    def less_to_do(self) -> None:
        """Something that was in progress is over."""
        if self._over:
            self._less.set()
            self._less = trio.Event()

    async def _guarded(  # noqa: ASYNC910 - whatever serves is one
        self, serve: Callable[[], Awaitable[None]]
    ) -> None:
        """Serve, and let nothing out that would reach the tree.

        What is no `Exception` stops a program, wherever it comes from: the tree raises it.
        """
        try:
            await serve()
        except BaseException as error:  # noqa: ASYNC103 - see above
            rest = uncancelled(error)
            if rest is None:
                raise
            rest = _bare(rest)
            if isinstance(rest, Exception):
                _log.error("control: a connection has failed", exc_info=rest)
            else:
                self._running.host.fail(rest)

    # --------------------------------------------------------------------- connections

    async def _accept(self, nursery: trio.Nursery) -> None:
        made = self._socket.socket
        assert made is not None  # noqa: S101 - it is closed at the end
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(made))
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    _log.warning("control: a connection cannot be had: %s", error)
                await trio.sleep(REST)
                continue
            begun_at = await self.meter.turn()
            self._let_in(stream, nursery)
            self.meter.spent(begun_at)

    def _let_in(self, stream: trio.SocketStream, nursery: trio.Nursery) -> None:
        uid = peer_uid(stream.socket)
        if uid not in {None, 0, os.geteuid()}:
            text = (
                f"this tree takes requests of the user {os.geteuid()} and of root only"
            )
            self._turn_away(stream, Refusal(None, Code.FORBIDDEN, text))
            return
        if len(self._connections) >= MOST_CONNECTIONS and not self._make_room():
            text = f"{MOST_CONNECTIONS} connections are busy. Try again later"
            self._turn_away(stream, Refusal(None, Code.BUSY, text))
            return
        self.serve_soon(stream, nursery)

    def serve_soon(self, stream: trio.abc.Stream, nursery: trio.Nursery) -> None:
        """Serve a client in a task of its own."""
        connection = Connection(stream, self)
        self._connections[connection] = None
        nursery.start_soon(self._serve, connection, name="a control connection")

    @enable_ki_protection
    async def _serve(self, connection: Connection) -> None:
        try:
            await self._guarded(connection.serve)
        finally:
            self._connections.pop(connection, None)
            self.less_to_do()

    def _make_room(self) -> bool:
        """Drop the connection that was idle for longest, if any is."""
        idle = [connection for connection in self._connections if not connection.busy]
        if not idle:
            return False
        oldest = min(idle, key=lambda connection: connection.active_at)
        del self._connections[oldest]
        oldest.drop("there are too many connections, and this one was idle for longest")
        return True

    def _turn_away(self, stream: trio.SocketStream, refusal: Refusal) -> None:
        """Say why not, if it can be said at once, and hang up."""
        with suppress(OSError):  # it may have gone
            os.write(stream.socket.fileno(), refused(refusal))
        stream.socket.close()

    # ------------------------------------------------------------------ for connections

    def stop_tree(self) -> None:
        """Stop the tree in order."""
        self._running.begin_stop()

    def steer(self, connection: Connection, request: Request) -> None:
        """Do what *request* asks for in a task that does not end with *connection*.

        Raises:
            RefusedError: Too much is in progress, or the tree has ended.
        """
        nursery = self._nursery
        if self._over or nursery is None:
            raise RefusedError(Code.STOPPED, "the tree has ended")
        if len(self._steering) >= MOST_STEERING:
            text = f"{MOST_STEERING} requests wait for the tree. Try again later"
            raise RefusedError(Code.BUSY, text)
        scope = trio.CancelScope()
        self._steering[scope] = None
        connection.begins()
        nursery.start_soon(self._steer, connection, request, scope)

    @enable_ki_protection
    async def _steer(
        self, connection: Connection, request: Request, scope: trio.CancelScope
    ) -> None:
        async def serve() -> None:
            failure: Exception | None = None
            line = refused(Refusal(request.id, Code.STOPPED, "the tree has ended"))
            try:
                with scope:
                    line = answer(request, await self.answers.steer(request))
            except (RegrowError, RefusedError) as error:
                line = refused(refusal(request, error))
            except Exception as error:  # noqa: BLE001 - raised when that is told
                failure = error
                line = refused(Refusal(request.id, *INTERNAL))
            finally:
                del self._steering[scope]
            await connection.send(line)
            if failure is not None:
                raise failure

        try:
            await self._guarded(serve)
        finally:
            connection.ends()


def _bare(error: BaseException) -> BaseException:
    """Give what *error* is when the groups that our own nurseries made are taken off."""
    while isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        if len(group.exceptions) != 1:
            return group
        error = group.exceptions[0]
    return error
