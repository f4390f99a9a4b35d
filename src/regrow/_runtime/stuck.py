"""Telling of a child that was cut off and is still there (D7).

A task that shields itself, or waits for a thread, cannot be killed. All that can be done is
to say so, and where it waits, until it is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from regrow._core.events import ChildStuck

if TYPE_CHECKING:
    from collections.abc import Iterator

    import trio

    from .life import Life
    from .timers import TimerEntry

__all__ = ["StuckWatch", "frames_of", "stack_of"]

FIRST_REPORT = 1.0  # seconds after it was cut off; then each time twice as many,
LAST_REPORT = 60.0  # up to this


class StuckWatch:
    """The reports of one life that was cut off just now.

    Attributes:
        reported: Whether it was told of as stuck.
    """

    __slots__ = ("_cut_at", "_life", "_timer", "reported")

    def __init__(self, life: Life) -> None:
        self._life = life
        self._cut_at = life.place.host.now()
        self._timer: TimerEntry | None = None
        self.reported: bool = False
        self._wait(FIRST_REPORT)

    def cancel(self) -> None:
        """It is gone."""
        self._life.place.host.timers.cancel(self._timer)

    def _wait(self, seconds: float) -> None:
        timers = self._life.place.host.timers
        self._timer = timers.after(seconds, lambda: self._report(seconds))

    def _report(self, waited: float) -> None:
        self.reported = True
        life = self._life
        place = life.place
        now = place.host.now()
        stack = () if life.task is None else tuple(stack_of(life.task))
        place.host.emit(
            ChildStuck(place.path, life.number, now, now - self._cut_at, stack)
        )
        self._wait(min(waited * 2, LAST_REPORT))


def stack_of(task: trio.lowlevel.Task) -> Iterator[str]:
    """Give where *task* and those below it wait, its own first, frame by frame."""
    yield from frames_of(task)
    for nursery in task.child_nurseries:
        # A set, so that only their text gives the tasks an order.
        below = [[f"{child.name}:", *stack_of(child)] for child in nursery.child_tasks]
        for lines in sorted(below):
            yield from lines


def frames_of(task: trio.lowlevel.Task) -> Iterator[str]:
    """Give where *task* alone waits, frame by frame.

    Not by `traceback`, which would look for the source of each line: that takes a hundred
    times as long, and there may be a hundred thousand tasks to look at.
    """
    for frame, line in task.iter_await_frames():
        yield f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"
