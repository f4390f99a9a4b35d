"""`/events`: what happens in the tree, as Server-Sent Events.

A stream never holds the tree up. It has a cursor into the feed and no queue of its own: a
reader that is slower than the tree finds the oldest events gone, and is told how many. It
watches for the end by itself, since a server waits for the streams that are open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from ._json import Json
from ._streamed import Streamed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from ._feed import Entry, Feed
    from ._streamed import Write

__all__ = ["Streams"]

MOST: Final = 64  # streams at once
BATCH: Final = 100  # events in one write
STILL_HERE: Final = 15.0  # seconds of silence; a dead connection shows at a write only


class Streams:
    """The streams of one app.

    Args:
        feed: What they read.

    Attributes:
        count: How many are open.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.count: int = 0

    async def open(self, request: Request) -> Response:
        """Answer with the events from now on, or from where the client has been."""
        await trio.lowlevel.checkpoint()
        try:
            cursor = self._begin(request)
        except ValueError as error:
            return Json({"error": str(error)}, 400)

        async def produce(write: Write) -> None:
            await self._stream(cursor, write)

        return _Counted(self, produce)

    def _begin(self, request: Request) -> int:
        """Give the number of the last event that the client does not want any more.

        Raises:
            ValueError: The query is wrong.
        """
        seen = request.headers.get("last-event-id", "")
        if seen:
            run, _, number = seen.rpartition("-")
            # One of another run, or nonsense: all that there is, rather than nothing.
            same = run == self._feed.run and number.isascii() and number.isdigit()
            return min(int(number), self._feed.last) if same else 0
        wanted = request.query_params.get("last", "0")
        if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 10):
            message = f"last={wanted!r}: write how many earlier events to begin with"
            raise ValueError(message)
        return self._feed.back(int(wanted))

    async def _stream(self, cursor: int, write: Write) -> None:
        feed = self._feed
        # At once, so that the client knows that it is connected.
        await write(
            f"retry: 1000\nid: {feed.run}-{cursor}\nevent: open\ndata: {{}}\n\n"
        )
        while True:
            lost, entries = feed.after(cursor, BATCH)
            if lost:
                cursor += lost
                await write(self._lost(cursor, lost))
            if entries:
                cursor = entries[-1].number
                await write("".join(self._message(entry) for entry in entries))
            elif feed.ended:
                await write(f"id: {feed.run}-{cursor}\nevent: end\ndata: {{}}\n\n")
                return
            else:
                with trio.move_on_after(STILL_HERE) as silence:
                    await feed.wait(cursor)
                if silence.cancelled_caught:
                    await write(": still here\n\n")

    def _lost(self, cursor: int, count: int) -> str:
        head = f"id: {self._feed.run}-{cursor}\nevent: lost\n"
        return f'{head}data: {{"count":{count}}}\n\n'

    def _message(self, entry: Entry) -> str:
        return f"id: {self._feed.run}-{entry.number}\ndata: {entry.text}\n\n"


class _Counted(Streamed):
    """A stream that counts from before its first byte until it is over, however it ends.

    Not from where it is asked for: whether an answer that was given is ever begun is for
    others to say.
    """

    def __init__(
        self, streams: Streams, produce: Callable[[Write], Awaitable[None]]
    ) -> None:
        headers = {"X-Accel-Buffering": "no"}  # a proxy is to pass on what there is
        super().__init__(produce, "text/event-stream", headers)
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._streams.count >= MOST:
            text = f"{MOST} streams are open: close one, or poll /tree.json"
            refusal = Json({"error": text}, 503, {"Retry-After": "5"})
            await refusal(scope, receive, send)
            return
        self._streams.count += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.count -= 1
