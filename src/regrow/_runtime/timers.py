"""The timers of one tree: callbacks at a time of the run's clock, in a task of their own.

Callbacks must not raise and not wait. Those due at one time are called in the order in
which they were set.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TimerEntry", "Timers"]

FEW = 64  # cancelled entries that are not worth a clean-up


class TimerEntry:
    """One callback to come."""

    __slots__ = ("callback", "due", "order")

    def __init__(self, due: float, order: int, callback: Callable[[], None]) -> None:
        self.due: float = due
        self.order: int = order
        self.callback: Callable[[], None] | None = callback

    def __lt__(self, other: TimerEntry) -> bool:
        if self.due != other.due:
            return self.due < other.due
        return self.order < other.order


class Timers:
    """A heap of callbacks."""

    __slots__ = ("_cancelled", "_heap", "_order", "_scope")

    def __init__(self) -> None:
        self._heap: list[TimerEntry] = []
        self._order = 0
        self._cancelled = 0
        self._scope: trio.CancelScope | None = None

    def after(self, seconds: float, callback: Callable[[], None]) -> TimerEntry | None:
        """Call *callback* in *seconds*; `None` if that is never."""
        if seconds == math.inf:
            return None
        due = trio.current_time() + seconds
        self._order += 1
        entry = TimerEntry(due, self._order, callback)
        heapq.heappush(self._heap, entry)
        if self._scope is not None and self._heap[0] is entry:
            self._scope.deadline = due
        return entry

    def cancel(self, entry: TimerEntry | None) -> None:
        """Call it no more; nothing if it was called, or cancelled before."""
        if entry is None or entry.callback is None:
            return
        entry.callback = None
        self._cancelled += 1
        if self._cancelled > FEW and self._cancelled * 2 > len(self._heap):
            self._heap = [kept for kept in self._heap if kept.callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    @enable_ki_protection
    async def run(self) -> None:
        """Call what is due, until cancelled."""
        while True:
            self._call_due()
            with trio.CancelScope(deadline=self._next()) as self._scope:
                await trio.sleep_forever()

    def _next(self) -> float:
        heap = self._heap
        while heap and heap[0].callback is None:
            heapq.heappop(heap)
            self._cancelled -= 1
        return heap[0].due if heap else math.inf

    def _call_due(self) -> None:
        now = trio.current_time()
        last = self._order  # what is set meanwhile has to wait, also if it is due now
        while self._next() <= now and self._heap[0].order <= last:
            entry = heapq.heappop(self._heap)
            callback, entry.callback = entry.callback, None
            if callback is not None:
                callback()
