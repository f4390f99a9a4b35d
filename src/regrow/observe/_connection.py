"""One client of a control socket: its lines, and what it is answered.

What is seen at once is answered in the order in which it was asked. What takes time is a
task: a stream of events ends with its connection, but a restart that was begun is not left
half done because somebody went away. Each is counted, and there is a most of each.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import trio
from trio.lowlevel import enable_ki_protection

from regrow.errors import RegrowError

from ._answers import LOOKS, RefusedError, is_below, refusal
from ._lines import Lines, answer, begun, ended, refused, told
from ._protocol import INTERNAL, Code, Op, Refusal, Request, parse
from ._rows_json import page_json

if TYPE_CHECKING:
    from ._control import ControlServer
    from ._followed import Followed

__all__ = ["Connection"]

MOST_REQUESTS: Final = 16  # of one connection in progress at once
MOST_WAITS: Final = 20  # for pending rows
SLOWEST: Final = 30.0  # seconds for a client to read one line
CHUNK: Final = 4096  # bytes read at once


class Connection:
    """One client.

    Args:
        stream: Its bytes.
        server: Who serves it.

    Attributes:
        active_at: When something came from it last, on the run's clock.
    """

    def __init__(self, stream: trio.abc.Stream, server: ControlServer) -> None:
        self.active_at: float = trio.current_time()
        self._stream = stream
        self._server = server
        self._scope = trio.CancelScope()
        self._closed = False
        self._sending = trio.StrictFIFOLock()
        self._lines = 0
        self._requests = 0
        self._less = trio.Event()
        self._followed: dict[str, Followed] = {}

    @property
    def busy(self) -> bool:
        """Whether it waits for something, or something for it."""
        return self._requests > 0 or self._lines > 0

    def drop(self, reason: str) -> None:
        """Have no more to do with the client; what is not sent yet is lost."""
        self._closed = True
        self._scope.cancel(reason=reason)

    async def serve(self) -> None:
        """Serve the client until it goes."""
        with self._scope:
            async with self._stream:
                await self.send(self._server.greeting)
                async with trio.open_nursery() as nursery:
                    await self._read(nursery)
                    for followed in self._followed.values():
                        followed.cancel()
                while self._requests:
                    await self._less.wait()
        self._closed = True
        await trio.lowlevel.checkpoint_if_cancelled()

    async def _read(self, nursery: trio.Nursery) -> None:  # noqa: ASYNC910 - it reads
        lines = Lines()
        chunk: bytes | bytearray = b"\n"
        failure: Exception | None = None
        while chunk and not lines.broken and failure is None:
            try:
                chunk = await self._stream.receive_some(CHUNK)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return  # noqa: ASYNC910 - it has gone, which was waited for
            self.active_at = trio.current_time()
            for line in lines.feed(bytes(chunk)):
                try:
                    await self._take(line, nursery)
                except Exception as error:  # noqa: BLE001 - raised when that is told
                    failure = error
                    break
        if failure is not None:
            await self.send(refused(Refusal(None, *INTERNAL)))
            raise failure

    async def _take(self, line: bytes, nursery: trio.Nursery) -> None:
        """Answer *line*, or begin to."""
        meter = self._server.meter
        begun_at = await meter.turn()
        try:
            found = self._answer(line, nursery)
        finally:
            meter.spent(begun_at)
        if isinstance(found, bytes):
            await self.send(found)
        elif found is not None and found.op is Op.ROWS:
            await self._page(found, nursery)
        elif found is not None and found.op is Op.HEALTH:
            health = await self._server.answers.health(meter)
            await self.send(answer(found, health))
        elif found is not None:
            await self._stop(found)

    def _answer(self, line: bytes, nursery: trio.Nursery) -> bytes | Request | None:
        """Give the answer, or what there is to wait for; nothing where a task answers."""
        if not line.strip():
            return None
        request = parse(line)
        if isinstance(request, Refusal):
            return refused(request)
        try:
            if request.op in LOOKS:
                return answer(request, self._server.answers.look(request))
            if request.op is Op.ROWS and request.path:
                self._server.answers.check(request.path)
            if request.op in {Op.ROWS, Op.HEALTH, Op.STOP}:
                return request
            if request.op is Op.CANCEL:
                self._cancel(request)
            elif self._requests >= MOST_REQUESTS:
                text = f"{MOST_REQUESTS} requests of this connection are in progress"
                return refused(Refusal(request.id, Code.BUSY, f"{text}. Wait for one"))
            elif request.op is Op.EVENTS:
                self._follow(request, nursery)
            else:
                self._server.steer(self, request)
        except (RegrowError, RefusedError) as error:
            return refused(refusal(request, error))
        return None

    async def send(self, line: bytes) -> None:  # noqa: ASYNC910 - the lock is one
        """Send *line*; a client that does not read is dropped, one that has gone as well."""
        self._lines += 1
        try:
            async with self._sending:
                if self._closed:
                    return
                with trio.move_on_after(SLOWEST) as slow:
                    await self._stream.send_all(line)
                if slow.cancelled_caught:
                    self.drop("the client does not read")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.drop("the client has gone")
        finally:
            self._lines -= 1
            self._server.less_to_do()

    # ---------------------------------------------------------------- what takes time

    def begins(self) -> None:
        """One more of its requests is in progress."""
        self._requests += 1

    def ends(self) -> None:
        """One of them is over."""
        self._requests -= 1
        self._less.set()
        self._less = trio.Event()
        self._server.less_to_do()

    async def _page(self, request: Request, nursery: trio.Nursery) -> None:
        """Send the rows asked for; while they cannot be found yet, wait."""
        meter = self._server.meter
        rows = self._server.answers.rows
        for _ in range(MOST_WAITS):
            begun_at = await meter.turn()
            try:
                page = rows.page(request.query)
                line = answer(request, page_json(page))
            finally:
                meter.spent(begun_at)
            if not page.pending:
                await self.send(line)
                if not (rows.due() or rows.looking):
                    # These did not wait for it: those that come will be by it.
                    nursery.start_soon(self._look)
                return
            await trio.sleep(rows.due())
            await rows.look(meter)
        text = "too many filters and sorts are asked for at once"
        await self.send(refused(Refusal(request.id, Code.BUSY, text)))

    @enable_ki_protection
    async def _look(self) -> None:
        """Look at all places, beside what else is answered."""
        await self._server.answers.rows.look(self._server.meter)

    async def _stop(self, request: Request) -> None:
        """Stop the tree, once that is answered."""
        try:
            await self.send(answer(request, None))
        finally:
            self._server.stop_tree()

    def _follow(self, request: Request, nursery: trio.Nursery) -> None:
        key = json.dumps(request.id)
        if key in self._followed:
            text = "there is a stream of that id already. Give this one another id"
            raise RefusedError(Code.BAD_ARGUMENT, text)
        path = request.path
        followed = self._server.following.follow(
            lambda event: is_below(event.path, path)
        )
        self._followed[key] = followed
        self.begins()
        nursery.start_soon(self._send_events, request, followed)

    def _cancel(self, request: Request) -> None:
        followed = self._followed.get(json.dumps(request.id))
        if followed is None:
            raise RefusedError(Code.NOT_FOUND, "there is no stream of that id")
        followed.cancel()

    @enable_ki_protection
    async def _send_events(self, request: Request, followed: Followed) -> None:
        """Send events until the stream is cancelled, or the tree has ended."""
        meter = self._server.meter
        try:
            await self.send(begun(request))
            while await followed.wait():
                begun_at = await meter.turn()
                line = b""
                try:
                    event = followed.next()
                    if event is not None:
                        line = told(request, self._server.answers.event(event))
                finally:
                    meter.spent(begun_at)
                if line:
                    await self.send(line)
            del self._followed[json.dumps(request.id)]
            await self.send(ended(request))
        finally:
            followed.close()
            self.ends()
