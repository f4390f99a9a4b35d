"""A stream of the ends of a place's incarnations."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio
from attrs import frozen

from regrow._core.exits import Exit, ExitReason

if TYPE_CHECKING:
    from .place import Place

__all__ = ["Down", "Monitor"]

KEPT = 1024  # notices kept for a slow reader


@frozen
class Down:
    """One incarnation of a place has ended, or the place is closed (G16).

    Attributes:
        path: The place.
        incarnation: Which life has ended; 0 if the place was closed before it had one.
        reason: How it ended; `None` if there was no life, or none that came up.
        error: What came out of it, if it crashed.
    """

    path: str
    incarnation: int
    reason: ExitReason | None
    error: BaseException | None


class Monitor(trio.abc.ReceiveChannel[Down]):
    """The notices of one place, one for each incarnation that had been up, in order.

    It notices from the moment that it is made. A place that is closed then gives one notice
    at once. The stream ends (`trio.EndOfChannel`) when the place is gone, with its tree or
    because it was deleted. At most 1,024 notices wait; after that the oldest is dropped, and
    the gap shows in the numbers of the incarnations.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._notices: deque[Down] = deque(maxlen=KEPT)
        self._news = trio.Event()
        self._ended = place.removed
        self.closed: bool = False
        if not place.open:
            number, last = place.last or (place.incarnation, None)
            self.notice(number, last)
        if not self._ended:
            place.add_monitor(self)

    def notice(self, incarnation: int, end: Exit | None) -> None:
        """Enter the end of an incarnation. For the runtime."""
        reason, error = (None, None) if end is None else (end.reason, end.error)
        self._notices.append(Down(self._place.path, incarnation, reason, error))
        self._news.set()

    def end(self) -> None:
        """There will be no more. For the runtime."""
        self._ended = True
        self._news.set()

    async def receive(self) -> Down:
        """Give the next notice, waiting for it.

        A cancelled call takes none.

        Raises:
            trio.EndOfChannel: The place is gone, and every notice was given.
            trio.ClosedResourceError: The monitor was closed.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            if self.closed:
                raise trio.ClosedResourceError
            if self._notices:
                notice = self._notices.popleft()
                await trio.lowlevel.cancel_shielded_checkpoint()
                return notice
            if self._ended:
                raise trio.EndOfChannel
            if self._news.is_set():  # else another task waits for it already
                self._news = trio.Event()
            await self._news.wait()

    async def aclose(self) -> None:
        """Notice no more."""
        self.closed = True
        self._news.set()
        self._place.monitors()  # which forgets the closed ones
        await trio.lowlevel.checkpoint()
