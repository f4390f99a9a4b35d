"""What has happened in a tree, numbered, for readers who come and go.

One feed for all readers of one app: an event is made into JSON once, when the first reader
asks for it, and never where nobody does.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter, deque
from copy import copy
from itertools import islice
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import trio

from regrow._core.events import ChildStarted, ChildStartFailed, Event
from regrow._core.exits import ExitReason
from regrow._core.light import light
from regrow.observe._wire import timed_json

if TYPE_CHECKING:
    from regrow._core.exits import Exit
    from regrow._runtime.host import Host
    from regrow._runtime.place import Place

__all__ = ["Entry", "Feed"]

KEPT = 1000  # events; as many as a tree's own history
REASONS = 20  # of the restarts of one place, or of a tree, that are told apart
OTHER = "other"
BEFORE = "before"
"""The reason of restarts from before anybody counted."""


class Entry:
    """One event, and its text once somebody has read it."""

    __slots__ = ("_event", "_host", "_text", "number")

    def __init__(self, number: int, event: Event, host: Host) -> None:
        self.number: int = number
        self._event = event
        self._host = host
        self._text = ""

    @property
    def text(self) -> str:
        """The event as JSON, on one line."""
        if not self._text:
            # Dense and in ASCII: a line break in somebody's text would end the message.
            told = timed_json(self._event, self._host)
            self._text = json.dumps(told, separators=(",", ":"))
        return self._text


class Feed:
    """The last 1,000 events of a tree with numbers, and its restarts by their reasons.

    Attributes:
        run: Which feed it is: numbers of another one mean nothing here.
        last: Number of the latest event; 0 before the first.
        ended: Whether there will be no more.
        restarts: Restarts of the whole tree since the feed was made, by reason.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._news = trio.Event()
        self._failed: WeakKeyDictionary[Place, str] = WeakKeyDictionary()
        self._of_places: WeakKeyDictionary[Place, Counter[str]] = WeakKeyDictionary()
        self.run: str = secrets.token_hex(4)
        self.last: int = 0
        self.ended: bool = host.over
        self.restarts: Counter[str] = Counter()
        for event in host.history.events():
            self._number(event)
        host.streams.append(self)

    # -------------------------------------------------------------------- what comes in

    def push(self, event: Event) -> None:
        """Take *event* in."""
        self._number(event)
        if isinstance(event, ChildStarted):
            if event.incarnation > 1:
                self._count(event)
        elif isinstance(event, ChildStartFailed):
            place = self._host.find(event.path)
            if place is not None:
                self._failed[place] = type(event.error).__name__
        if not self._news.is_set():
            self._news.set()

    def end(self) -> None:
        """There will be no more."""
        self.ended = True
        self._news.set()

    def close(self) -> None:
        """Take in no more; readers end."""
        if self in self._host.streams:
            self._host.streams.remove(self)
        self.end()

    def _number(self, event: Event) -> None:
        self.last += 1
        self._entries.append(Entry(self.last, _light(event), self._host))

    def _count(self, event: Event) -> None:
        place = self._host.find(event.path)
        if place is None:  # it has ended already
            return
        reason = self._failed.pop(place, None) or _reason(place)
        of_place = self._of_places.get(place)
        if of_place is None:
            of_place = self._of_places[place] = Counter()
        for counter in (of_place, self.restarts):
            known = reason in counter or len(counter) < REASONS
            counter[reason if known else OTHER] += 1

    # -------------------------------------------------------------------- what goes out

    def reasons(self, place: Place) -> dict[str, int]:
        """Give the restarts of *place* by their reasons; their sum is all it ever had."""
        counted = self._of_places.get(place)
        found: dict[str, int] = {} if counted is None else dict(counted)
        before = place.restarts - sum(found.values())
        if before > 0:
            found[BEFORE] = before
        return found

    def after(self, number: int, limit: int) -> tuple[int, list[Entry]]:
        """Give the events after *number*, *limit* at most, and how many before are lost."""
        first = self.last - len(self._entries) + 1
        start = max(number + 1, first)
        lost = start - number - 1
        found = islice(self._entries, start - first, start - first + limit)
        return lost, list(found)

    def back(self, count: int) -> int:
        """Give the number after which the latest *count* events come."""
        return max(self.last - min(count, len(self._entries)), 0)

    async def wait(self, number: int) -> None:
        """Return when there is an event after *number*, or there will be none."""
        await trio.lowlevel.checkpoint()
        while self.last <= number and not self.ended:
            if self._news.is_set():
                self._news = trio.Event()
            await self._news.wait()


def _light(event: Event) -> Event:
    """Give *event* without the frames that its exception holds, as the history does."""
    error: object = getattr(event, "error", None)
    if not isinstance(error, BaseException):
        return event
    found = copy(event)
    # Whichever kind of event it is: all that have one call it so, and all are frozen.
    object.__setattr__(found, "error", light(error))
    return found


def _reason(place: Place) -> str:
    """Say why *place* had to be started anew."""
    if place.last is None:
        return "stopped"
    end: Exit = place.last[1]
    if end.error is not None:
        return type(end.error).__name__
    if end.reason is ExitReason.SHUTDOWN:
        return "stopped"  # along with its group, or on request
    return str(end.reason.value)
