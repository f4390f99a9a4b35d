"""One incarnation of a child: how it is started, told to stop, cut off, and how it ends.

Whatever happens to it, a life reports exactly once to its supervisor that its start has
ended (`Started`, `StartFailed`, `Ignored`), and after `Started` exactly once that it is
over, as the last thing its task does.

*Told to stop* means: begin nothing new, finish, clean up. *Cut off* means: its cancel scope
is cancelled and every shield that was made with `grace()`, or by a tree inside it, is taken
away. Between the two lie the `shutdown` seconds of its spec (D8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import trio
from trio.lowlevel import enable_ki_protection

from regrow._core import steps
from regrow._core.events import ChildStarted

from .ends import end_of_life, end_of_start, judge
from .stuck import StuckWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from regrow._core.exits import Exit

    from .place import Place
    from .timers import TimerEntry
    from .waits import Waiting

__all__ = ["Life"]


class Life:
    """What the lives of actors, services and supervisors have in common.

    Attributes:
        place: Where it stands.
        run: The number that the supervisor's machine knows it by.
        number: Which incarnation of the place it is.
        task: Its own task, once that runs.
        up: Whether it has been started.
        told: Whether it was told to stop.
        ends: Whether it is to begin nothing new before it has looked why: for that reason,
            for one of its own, or because something else comes first.
        killed: Whether it was cut off.
        waiting: The answer, or room, that its own task waits for.
        since: When it came up, on the run's clock; before, when its start began where that
            has to be waited for, else `None`.
        slow: Whether its start was given up for its `start_timeout`.
        report: Tells its supervisor of it.
        broke_on: The message that it crashed on, if it did on one, such as `deposit(20)`.
    """

    __slots__ = (
        "_deadline",
        "_scope",
        "_shields",
        "_start_timer",
        "_stuck",
        "broke_on",
        "ends",
        "killed",
        "number",
        "over",
        "place",
        "report",
        "run",
        "since",
        "slow",
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
        self._scope: trio.CancelScope | None = None
        self.task: trio.lowlevel.Task | None = None
        self.up: bool = False
        self.over: bool = False
        self.told: bool = False
        self.ends: bool = False
        self.killed: bool = False
        self.waiting: Waiting | None = None
        self.since: float | None = None
        self.report: Callable[[steps.Event], None] = report
        self._deadline: TimerEntry | None = None
        self._start_timer: TimerEntry | None = None
        self._stuck: StuckWatch | None = None
        self.slow: bool = False
        self.broke_on: str = ""
        self._shields: dict[object, Callable[[], None]] | None = None
        place.incarnation += 1
        self.number: int = place.incarnation
        place.life = self

    @property
    def scope(self) -> trio.CancelScope:
        """What it is cancelled with; made when it is needed."""
        scope = self._scope
        if scope is None:
            scope = self._scope = trio.CancelScope()
        return scope

    # ------------------------------------------------------------------- being started

    def limit_start(self) -> None:
        """Begin to count the seconds of `start_timeout`."""
        self.since = self.place.host.now()
        seconds = self.place.spec.start_timeout
        self._start_timer = self.place.host.timers.after(seconds, self._start_too_slow)

    def _start_too_slow(self) -> None:
        self.slow = True
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
        self.since = now = host.now()
        host.emit(ChildStarted(place.path, self.number, now, self.kind))
        self.report(steps.Started(place.name, self.run))

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
        self._watch()
        self._cut()
        if self._shields is not None:
            for take_away in list(self._shields.values()):
                take_away()

    def _watch(self) -> None:
        self._stuck = StuckWatch(self)

    @property
    def stuck(self) -> bool:
        """Whether it was cut off, and is still there after it was told of."""
        return self._stuck is not None and self._stuck.reported

    def _cut(self) -> None:
        self.scope.cancel(reason=self._why_cut())

    def _why_cut(self) -> str:
        return f"the time of {self.place.path!r} to stop has run out"

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
        for entry in (self._deadline, self._start_timer):
            if entry is not None:
                timers.cancel(entry)
        if self._stuck is not None:
            self._stuck.cancel()
        if self.place.life is self:
            self.place.life = None

    @enable_ki_protection
    def end(self, error: BaseException | None, *, cut: bool, busy: float = 0.0) -> None:
        """It is over: *error* came out of it, or *cut* off, or it just returned."""
        self._leave()
        if self.up:
            end_of_life(self, self.judge(error, cut=cut, busy=busy))
        else:
            end_of_start(self, error, cut=cut)

    def judge(self, error: BaseException | None, *, cut: bool, busy: float) -> Exit:
        """Give its end as a value."""
        return judge(self, error, cut=cut, busy=busy)

    def settle(self, end: Exit) -> None:
        """Answer whoever still waits for it."""
