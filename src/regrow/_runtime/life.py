"""One incarnation of a child: how it is started, told to stop, cut off, and how it ends.

Whatever happens to it, a life reports exactly once to its supervisor that its start has
ended (`Started`, `StartFailed`, `Ignored`), and after `Started` exactly once that it is
over, as the last thing its task does.

*Told to stop* means: begin nothing new, finish, clean up. *Cut off* means: its cancel scope
is cancelled and every shield that was made with `grace()`, or by a tree inside it, is taken
away. Between the two lie the `shutdown` seconds of its spec (D8).
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, ClassVar, Literal

import trio
from trio.lowlevel import enable_ki_protection

from regrow._core import steps
from regrow._core.events import (
    ChildExited,
    ChildIgnored,
    ChildStarted,
    ChildStartFailed,
    ChildStuck,
)
from regrow._core.exits import Exit, ExitReason
from regrow.errors import StartCancelledError, StartTimeoutError

from .signals import IgnoreStart, Shutdown
from .user import only
from .waits import break_circle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .place import Place
    from .timers import TimerEntry
    from .waits import Waiting

__all__ = ["Life"]

FIRST_STUCK_REPORT = 1.0  # seconds after it was cut off; then each time twice as many,
LAST_STUCK_REPORT = 60.0  # up to this


class Life:
    """What the lives of actors, services and supervisors have in common.

    Attributes:
        place: Where it stands.
        run: The number that the supervisor's machine knows it by.
        number: Which incarnation of the place it is.
        scope: What it is cancelled with.
        task: Its own task, once that runs.
        up: Whether it has been started.
        told: Whether it was told to stop.
        ends: Whether it is to begin nothing new, for that reason or one of its own.
        killed: Whether it was cut off.
        waiting: The answer, or room, that its own task waits for.
    """

    __slots__ = (
        "_cut_at",
        "_deadline",
        "_report",
        "_shields",
        "_slow",
        "_start_timer",
        "_stuck",
        "ends",
        "killed",
        "number",
        "over",
        "place",
        "run",
        "scope",
        "task",
        "told",
        "up",
        "waiting",
    )

    kind: ClassVar[Literal["worker", "supervisor"]] = "worker"
    makes_edges: ClassVar[bool] = False
    """Whether its own task waits for it as a whole (D6): only an actor's does."""

    def __init__(
        self, place: Place, run: int, report: Callable[[steps.Event], None]
    ) -> None:
        self.place: Place = place
        self.run: int = run
        self.scope: trio.CancelScope = trio.CancelScope()
        self.task: trio.lowlevel.Task | None = None
        self.up: bool = False
        self.over: bool = False
        self.told: bool = False
        self.ends: bool = False
        self.killed: bool = False
        self.waiting: Waiting | None = None
        self._report = report
        self._deadline: TimerEntry | None = None
        self._start_timer: TimerEntry | None = None
        self._stuck: TimerEntry | None = None
        self._slow = False
        self._cut_at = 0.0
        self._shields: dict[object, Callable[[], None]] | None = None
        place.incarnation += 1
        self.number: int = place.incarnation
        place.life = self

    # ------------------------------------------------------------------- being started

    def limit_start(self) -> None:
        """Begin to count the seconds of `start_timeout`."""
        seconds = self.place.spec.start_timeout
        self._start_timer = self.place.host.timers.after(seconds, self._start_too_slow)

    def _start_too_slow(self) -> None:
        self._slow = True
        self.cancel_start()

    def cancel_start(self) -> None:
        """Give the start up: it is cancelled, with `shutdown` seconds to clean up."""
        if self.up:
            return
        self.told = self.ends = True
        if self.place.spec.shutdown == 0:
            self.kill()
            return
        self._wind_up_start()
        self._give_seconds()

    def _wind_up_start(self) -> None:
        self.scope.cancel(reason=f"the start of {self.place.path!r} was given up")

    def is_up(self) -> None:
        """It is started: report that, unless its start was given up before."""
        if self.told or self.over:
            return
        self.up = True
        place = self.place
        host = place.host
        if self._start_timer is not None:
            host.timers.cancel(self._start_timer)
        if self.number > 1:
            place.restarts += 1
        host.emit(ChildStarted(place.path, self.number, host.now(), self.kind))
        self._report(steps.Started(place.name, self.run))

    # ------------------------------------------------------------------- being stopped

    def tell_stop(self) -> None:
        """Let it finish and clean up, within the seconds of its `shutdown`."""
        if self.told:
            return
        self.told = self.ends = True
        if self.place.spec.shutdown == 0:
            self.kill()
            return
        self._give_seconds()
        self._wind_up()

    def _wind_up(self) -> None:
        """Make it finish."""
        self.scope.cancel(reason=f"{self.place.path!r} was told to stop")

    def _give_seconds(self) -> None:
        """Cut it off when its time to stop has run out (D8); once is enough."""
        if self._deadline is None and not self.killed:
            seconds = self.place.spec.shutdown
            if seconds == 0:  # not even one checkpoint
                self.scope.cancel(reason=f"{self.place.path!r} has no time to clean up")
            self._deadline = self.place.host.timers.after(seconds, self._time_is_up)

    def kill(self) -> None:
        """Cut it off, as whoever is above it wants."""
        if not self.over:
            self.told = self.ends = True
            self._time_is_up()

    def _time_is_up(self) -> None:
        if self.killed or self.over:
            return
        self.killed = self.ends = True
        host = self.place.host
        self._cut_at = host.now()
        self._watch(FIRST_STUCK_REPORT)
        self._cut()
        if self._shields is not None:
            for take_away in list(self._shields.values()):
                take_away()

    def _cut(self) -> None:
        self.scope.cancel(reason=f"the time of {self.place.path!r} to stop has run out")

    def shield(self, key: object, take_away: Callable[[], None]) -> None:
        """Call *take_away* when it is cut off; at once if it was."""
        if self.killed:
            take_away()
            return
        if self._shields is None:
            self._shields = {}
        self._shields[key] = take_away

    def unshield(self, key: object) -> None:
        """The shield of *key* is gone."""
        if self._shields is not None:
            self._shields.pop(key, None)

    # -------------------------------------------------------------------- being stuck

    def _watch(self, seconds: float) -> None:
        timers = self.place.host.timers
        self._stuck = timers.after(seconds, lambda: self._still_there(seconds))

    def _still_there(self, seconds: float) -> None:
        """Report a life that cannot be killed, and go on reporting it (D7)."""
        host = self.place.host
        now = host.now()
        stack = tuple(self.stack())
        event = ChildStuck(self.place.path, self.number, now, now - self._cut_at, stack)
        host.emit(event)
        self._watch(min(seconds * 2, LAST_STUCK_REPORT))

    def stack(self) -> Iterator[str]:
        """Give where its tasks wait, its own first, frame by frame."""
        if self.task is not None:
            yield from _stack(self.task)

    # -------------------------------------------------------------------- its end

    def waits(self, waiting: Waiting) -> None:
        """Its own task waits for an answer, or for room, from now on."""
        self.waiting = waiting
        self.place.host.lives.waiting += 1

    def waits_no_more(self) -> None:
        """Its task waits for no answer any more."""
        if self.waiting is not None:
            self.waiting = None
            self.place.host.lives.waiting -= 1

    def _enter(self) -> None:
        """Its task has begun."""
        task = self.task = trio.lowlevel.current_task()
        self.place.host.lives.tasks[task] = self

    def _leave(self) -> None:
        """Its task has nothing more to do but to report."""
        self.over = True
        host = self.place.host
        if self.task is not None:
            host.lives.tasks.pop(self.task, None)  # a supervisor is not among them
        self.waits_no_more()
        timers = host.timers
        for entry in (self._deadline, self._start_timer, self._stuck):
            if entry is not None:
                timers.cancel(entry)
        if self.place.life is self:
            self.place.life = None

    @enable_ki_protection
    def end(self, error: BaseException | None, *, cut: bool, busy: float = 0.0) -> None:
        """It is over: *error* came out of it, or *cut* off, or it just returned."""
        self._leave()
        if self.up:
            self._end_of_life(self._judge(error, cut=cut, busy=busy))
        else:
            self._end_of_start(error, cut=cut)

    def _judge(self, error: BaseException | None, *, cut: bool, busy: float) -> Exit:
        if error is not None and not only(error, Shutdown):
            fatal = not isinstance(error, Exception)
            return Exit(ExitReason.CRASHED, error, busy, fatal=fatal)
        if self.killed or (cut and not self.told):
            return Exit(ExitReason.KILLED, busy=busy)
        if self.told or error is not None:
            return Exit(ExitReason.SHUTDOWN, busy=busy)
        return Exit(ExitReason.NORMAL, busy=busy)

    def _end_of_life(self, end: Exit) -> None:
        place = self.place
        host = place.host
        place.last = (self.number, end)
        self._settle(end)
        host.emit(
            ChildExited(
                place.path,
                self.number,
                host.now(),
                end.reason,
                end.error,
                self.told,
                not self.told or _expected(place, end),
                self.kind,
            )
        )
        for monitor in place.monitors():
            monitor.notice(self.number, end)
        if host.lives.waiting and place.open and place.parent is not None:
            break_circle(place, place.parent)
        if end.fatal and end.error is not None:
            host.fail(end.error)
        self._report(steps.Exited(place.name, self.run, end))

    def _end_of_start(self, error: BaseException | None, *, cut: bool) -> None:
        place = self.place
        host = place.host
        now = host.now()
        ignored = error is None and not cut and not self.told
        if ignored or (error is not None and only(error, IgnoreStart)):
            host.emit(ChildIgnored(place.path, self.number, now))
            self._report(steps.Ignored(place.name, self.run))
            return
        why: BaseException
        if error is not None:
            why = error
        elif self._slow:
            why = StartTimeoutError(place.path, place.spec.start_timeout)
        else:
            why = StartCancelledError(place.path)
        host.emit(ChildStartFailed(place.path, self.number, now, why, self.kind))
        if not isinstance(why, Exception):
            host.fail(why)
        self._report(steps.StartFailed(place.name, self.run, why))

    def _settle(self, end: Exit) -> None:
        """Answer whoever still waits for it."""


def _expected(place: Place, end: Exit) -> bool:
    """Whether a supervisor that told its child to stop expects this end (S43)."""
    if end.reason is ExitReason.KILLED:
        return place.spec.shutdown == 0
    if end.reason is ExitReason.SHUTDOWN:
        return place.spec.shutdown != 0
    return end.reason.clean and place.spec.restart != "permanent"


def _stack(task: trio.lowlevel.Task) -> Iterator[str]:
    summary = traceback.StackSummary.extract(task.iter_await_frames())
    for frame in summary:
        yield f"{frame.filename}:{frame.lineno} in {frame.name}"
    for nursery in task.child_nurseries:
        # A set, so that only their text gives the tasks an order.
        below = [[f"{child.name}:", *_stack(child)] for child in nursery.child_tasks]
        for lines in sorted(below):
            yield from lines
