"""The events of a tree for the clients of its control socket: one list, many readers.

However many streams are open, an event costs the tree one entry. What a stream costs
beyond that is paid for by its reader, in turns: looking past what it has not asked for, too.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

import trio

from regrow._core.events import Event, EventsLost

if TYPE_CHECKING:
    from collections.abc import Callable

    from regrow._runtime.host import Host

__all__ = ["Followed", "Following"]


class Following:
    """The events that some stream has still to look at; a reader of the tree's events.

    Args:
        host: Of the tree.
        most: How many are kept for the slowest stream.
    """

    def __init__(self, host: Host, most: int) -> None:
        self._host = host
        self._events: deque[Event] = deque(maxlen=most)
        self._streams: dict[Followed, None] = {}
        self._news = trio.Event()
        self.last: int = 0
        """The number of the latest event."""
        self.ended: bool = host.over
        """Whether there will be no more."""

    def push(self, event: Event) -> None:
        """Take *event* in."""
        self.last += 1
        self._events.append(event)
        self._news.set()

    def end(self) -> None:
        """There will be no more."""
        self.ended = True
        self._news.set()

    def follow(self, wanted: Callable[[Event], bool]) -> Followed:
        """Give a stream of the events from now on that are *wanted*."""
        if not self._streams:
            self._host.streams.append(self)
        followed = Followed(self, self.last, wanted)
        self._streams[followed] = None
        return followed

    def leave(self, followed: Followed) -> None:
        """The stream is over."""
        del self._streams[followed]
        if not self._streams:
            self._host.streams.remove(self)
        self._drop()

    def after(self, number: int) -> tuple[int, islice[Event]]:
        """Give how many events after *number* are lost, and those that are not."""
        first = self.last - len(self._events) + 1
        start = max(number + 1, first)
        return start - number - 1, islice(self._events, start - first, None)

    def seen(self) -> None:
        """Some stream has got further."""
        self._drop()

    async def wait(self, number: int) -> None:
        """Return when there is an event after *number*, or there will be none."""
        await trio.lowlevel.checkpoint()
        while self.last <= number and not self.ended:
            if self._news.is_set():  # else another stream waits for it already
                self._news = trio.Event()
            await self._news.wait()

    def lost(self, count: int) -> EventsLost:
        """Give what stands in the place of *count* events."""
        root = self._host.root
        assert root is not None  # noqa: S101 - events have happened
        return EventsLost(root.path, root.incarnation, self._host.now(), count)

    def _drop(self) -> None:
        """Hold no event, and what its exception holds, that nobody has to look at."""
        slowest = min((each.number for each in self._streams), default=self.last)
        for _ in range(len(self._events) - (self.last - slowest)):
            self._events.popleft()


class Followed:
    """A stream of events that a client reads.

    Attributes:
        number: Of the event that it has looked at last.
    """

    def __init__(
        self, following: Following, number: int, wanted: Callable[[Event], bool]
    ) -> None:
        self.number: int = number
        self._following = following
        self._wanted = wanted
        self._waiting = trio.CancelScope()
        self._cancelled = False

    def cancel(self) -> None:
        """The client wants no more; a line that is being sent is sent to its end."""
        self._cancelled = True
        self._waiting.cancel(reason="the client has cancelled the stream")

    async def wait(self) -> bool:
        """Wait for an event to look at; false after the last one."""
        if not self._cancelled:
            self._waiting = trio.CancelScope()
            with self._waiting:
                await self._following.wait(self.number)
        else:
            await trio.lowlevel.checkpoint()
        return not self._cancelled and self.number < self._following.last

    def next(self) -> Event | None:
        """Give the next event that is wanted; `None` if there is none yet.

        It is for the time of one turn: at most as many events are looked at as are kept.
        """
        lost, events = self._following.after(self.number)
        found: Event | None = None
        if lost:
            self.number += lost
            found = self._following.lost(lost)
        else:
            for event in events:
                self.number += 1
                if self._wanted(event):
                    found = event
                    break
        self._following.seen()
        return found

    def close(self) -> None:
        """It is over."""
        self._following.leave(self)
