"""What a supervisor has to hear, in order; its task waits for nothing else."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

from regrow._core import steps

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Inbox"]

HEARD_FIRST = (steps.StopRequested, steps.Drain)


class Inbox:
    """The events of one life of a supervisor."""

    __slots__ = ("_events", "_held", "_reader")

    def __init__(self) -> None:
        self._events: deque[steps.Event] = deque()
        self._held = False
        self._reader: trio.lowlevel.Task | None = None

    def begin(self) -> None:
        """Put the beginning in front of what came before the first step."""
        self._events.appendleft(steps.Begin())

    def put(self, event: steps.Event) -> None:
        """Put *event* in; a stop is heard before what came in front of it (T17)."""
        if isinstance(event, HEARD_FIRST):
            self._events.appendleft(event)
        else:
            self._events.append(event)
        self._wake()

    def ended(self) -> Iterable[steps.Exited]:
        """Give the ends of children in it, which a stop is heard before."""
        return [event for event in self._events if isinstance(event, steps.Exited)]

    def take(self) -> steps.Event | None:
        """Take the next event, if there is one."""
        return self._events.popleft() if self._events and not self._held else None

    async def wait(self) -> None:
        """Wait for an event."""

        def abort(_: object) -> trio.lowlevel.Abort:
            self._reader = None
            return trio.lowlevel.Abort.SUCCEEDED

        self._reader = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(abort)

    def _wake(self) -> None:
        reader = self._reader
        if reader is not None and not self._held:
            self._reader = None
            trio.lowlevel.reschedule(reader)

    def hold(self) -> None:
        """Give nothing out until `release`: for replaying what happens at one moment."""
        self._held = True

    def release(self) -> None:
        """Give out what has come meanwhile."""
        self._held = False
        if self._events:
            self._wake()
