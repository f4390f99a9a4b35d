"""What all parts of one running tree share."""

from __future__ import annotations

import math
from collections import deque
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import trio

from regrow._core.alerts import RestartRates
from regrow._core.events import ChildRestarting, RestartRate
from regrow._core.history import History

from .log import is_heard, log_event, log_observer_failed
from .timers import Timers
from .user import call_user
from .waits import Lives, lives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

    from regrow._core.events import Event

    from .following import Followers
    from .place import Place, SupervisorPlace
    from .stream import Reader
    from .supervisor import SupervisorLife

__all__ = ["Host"]


class Host:
    """The shared part of one tree.

    Attributes:
        timers: Its timers.
        lives: The living children of the run.
        random: Where chance comes from.
        root: The root's place.
        by_spec: The places by the identity of their specs.
        supervisors: The supervisors that live now, in the order of their starts.
        stopping: Whether the tree is stopping: nothing is restarted any more.
        cut: Whether it was killed.
        over: Whether it has ended; its places are closed then, but are still to be found.
        fatal: What no supervisor may handle, such as `KeyboardInterrupt`.
        followers: Those who follow every message, if anybody does.
        casts: How many casts were begun, also those refused; for fairness.
        clock: What `now` reads; called where every call counts.
        history: The last things that happened.
        streams: Who reads the events as they come.
        tickets: How many requests were made, to number them.
    """

    __slots__ = (
        "_began",
        "_observers",
        "_on_stop",
        "_rates",
        "_untold",
        "by_spec",
        "casts",
        "clock",
        "cut",
        "fatal",
        "followers",
        "history",
        "lives",
        "on_failure",
        "over",
        "random",
        "root",
        "stopping",
        "streams",
        "supervisors",
        "tickets",
        "timers",
    )

    def __init__(
        self,
        observers: Iterable[Callable[[Event], object]],
        random: Random,
        on_failure: Callable[[], None],
        on_stop: Callable[[], None],
        restart_rate: float,
    ) -> None:
        self._observers = [*observers]
        self._rates = None if restart_rate == math.inf else RestartRates(restart_rate)
        self._untold: deque[Event] = deque()
        self.clock: Callable[[], float] = trio.lowlevel.current_clock().current_time
        self._began = (datetime.now().astimezone(), self.clock())
        self.history: History = History()
        self.streams: list[Reader] = []
        self.random: Random = random
        self.on_failure: Callable[[], None] = on_failure
        self._on_stop = on_stop
        self.timers: Timers = Timers()
        self.lives: Lives = lives()
        self.root: SupervisorPlace | None = None
        self.by_spec: dict[int, Place] = {}
        self.supervisors: dict[int, SupervisorLife] = {}
        self.stopping: bool = False
        self.cut: bool = False
        self.over: bool = False
        self.fatal: BaseException | None = None
        self.followers: Followers | None = None
        self.casts: int = 0
        self.tickets: int = 0

    def now(self) -> float:
        """Seconds on the run's clock."""
        return self.clock()

    def wall(self, at: float) -> datetime:
        """Give the local date and time of *at*, in seconds on the run's clock.

        By one reading of both clocks, so that what happened has one time whenever it is
        asked for.
        """
        then, at_then = self._began
        try:
            return then + timedelta(seconds=at - at_then)
        except OverflowError:  # virtual time may be later than any date
            return datetime.max.replace(tzinfo=then.tzinfo)

    def emit(self, event: Event) -> None:
        """Keep *event*, write it to the log, and tell every observer of it.

        An observer that raises is logged and removed: what happens in a tree does not
        depend on who looks on. Only what stops a program stops the tree as well. What
        follows from an observer's own doing is told when all have heard of *event*: a cause
        comes before its effect for each of them.
        """
        untold = self._untold
        if not (untold or self._observers or self.streams or is_heard(event)):
            self.history.add(event)  # most are for nobody
            if self._rates is not None:
                self._alert(event)
            return
        untold.append(event)
        if len(untold) == 1:  # else this is called by an observer
            try:
                while untold:
                    self._tell_all(untold[0])
                    untold.popleft()
            finally:
                untold.clear()  # else nothing would ever be told again

    def _tell_all(self, event: Event) -> None:
        self.history.add(event)
        for stream in self.streams:
            stream.push(event)
        if is_heard(event):
            self._tell(log_event, event)
        for observer in list(self._observers):
            self._tell(observer, event)
        self._alert(event)

    def _alert(self, event: Event) -> None:
        if self._rates is not None and isinstance(event, ChildRestarting):
            rate = self._rates.record(event.path, event.at)
            if rate is not None:
                self.emit(RestartRate(event.path, event.incarnation, event.at, rate))

    def _tell(self, observer: Callable[[Event], object], event: Event) -> None:
        try:
            call_user(observer, (event,), {})
        except Exception as error:  # noqa: BLE001 - it is somebody else's, see above
            if observer in self._observers:
                self._observers.remove(observer)
            with suppress(Exception):  # a logging handler may raise too
                log_observer_failed(observer, error)
        except BaseException as error:  # noqa: ASYNC103, BLE001 - the tree raises it
            self.fail(error)

    # ----------------------------------------------------------------------- places

    def register(self, place: Place) -> None:
        """Enter *place* for the refs of its spec."""
        for spec in (place.spec, place.spec.origin):
            if spec is not None:
                self.by_spec[id(spec)] = place

    def forget(self, place: Place) -> None:
        """*place* is gone, unless it just ends with the whole tree."""
        if self.over:
            return
        for spec in (place.spec, place.spec.origin):
            if spec is not None and self.by_spec.get(id(spec)) is place:
                del self.by_spec[id(spec)]

    def find(self, path: str) -> Place | None:
        """Give the place at *path*."""
        place: Place | None = self.root
        first, *names = path.split("/")
        if place is None or place.name != first:
            return None
        for name in names:
            children: dict[str, Place] | None = getattr(place, "children", None)
            place = None if children is None else children.get(name)
            if place is None:
                return None
        return place

    # ------------------------------------------------------------------- its own end

    def fail(self, error: BaseException) -> None:
        """Stop the tree for *error*, which no supervisor may handle."""
        if self.fatal is None:
            self.fatal = error
        self.on_failure()
        self.begin_stop()

    def begin_stop(self) -> None:
        """Let the tree stop, in order; nothing is restarted from now on."""
        if self.stopping:
            return
        self.stopping = True
        self._on_stop()
        for supervisor in list(self.supervisors.values()):
            supervisor.tree_stops()

    def kill(self) -> None:
        """Cut the tree off."""
        self.begin_stop()
        self.cut = True
        root = self.root
        if root is not None and root.life is not None:
            root.life.kill()
