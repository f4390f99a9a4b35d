"""A supervisor's piece of work in hand, and the line of what waits for its turn.

The machine does one *piece of work* at a time (S22): a first start, a round of restarts,
one request of a caller, the shutdown. A piece of work is a row of children to stop and
then a row of children to start, each awaited before the next (S7, S28, S40). Why it is
done is no matter here; the classes that build on this one decide it.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import TypeAlias, cast

from attrs import define, field

from . import steps as out
from .child import DOWN, RESTARTING, RUNNING, STARTING, STOPPING, Child
from .exits import Exit
from .intensity import WorkClock
from .specs import SupervisorSpec

__all__ = ["Ended", "Kind", "Line", "Retry", "Work", "Workbench", "left_out"]


class Kind(Enum):
    """What a piece of work is for."""

    FIRST_START = auto()
    ROUND = auto()
    START_CHILD = auto()
    RESTART_CHILD = auto()
    TERMINATE = auto()
    SHUTDOWN = auto()

    @property
    def over_with_start(self) -> bool:
        """Whether it is a request that comes to nothing without the start in it."""
        return self is Kind.START_CHILD or self is Kind.RESTART_CHILD


@define(eq=False)
class Work:
    """The piece of work in hand."""

    kind: Kind
    stops: deque[Child] = field(factory=cast("Callable[[], deque[Child]]", deque))
    starts: deque[Child] = field(factory=cast("Callable[[], deque[Child]]", deque))
    subject: Child | None = None
    ticket: int | None = None
    answer: out.Answer = None
    final: bool = False
    """Of the shutdown: whether the supervisor is not coming back."""
    awaited: int = 0
    """Children told to start or stop that have not reported yet."""
    starting: Child | None = None
    """The last child told to start."""


@define(eq=False)
class Ended:
    """In line: the end of a child that nobody asked for."""

    child: Child
    run: int
    exit: Exit


@define(eq=False)
class Retry:
    """In line: a restart that failed, or whose delay is over, and its turn to be made."""

    child: Child
    token: int


Line: TypeAlias = deque[Ended | Retry | out.Ask]


class Workbench(ABC):
    """What a machine knows of its children, and how it stops and starts them in rows."""

    def __init__(self, spec: SupervisorSpec, path: str) -> None:
        self.spec = spec
        self.path = path
        self._children: dict[str, Child] = {
            child.name: Child(child) for child in spec.children
        }
        self._clock = WorkClock()
        self._line: Line = deque()
        self._work: Work | None = None
        self._draining = False
        self._counter = 0
        self._now = 0.0
        self._steps: list[out.Step] = []

    @abstractmethod
    def _done(self, work: Work) -> None:
        """*work*, which is no longer in hand, is through: do what follows from it."""

    # --------------------------------------------------------------- the work in hand

    def _begin(self, work: Work) -> None:
        """Take *work* in hand."""
        self._work = work
        if work.kind is Kind.ROUND:
            self._clock.stop(self._now)  # D3
        self._advance()

    def _in_hand(self) -> Work:
        """The work that whatever is being stopped or started belongs to."""
        work = self._work
        assert work is not None  # noqa: S101 - only work in hand stops and starts children
        return work

    def _reported(self) -> None:
        """One child that was awaited has reported."""
        self._in_hand().awaited -= 1
        self._advance()

    def _advance(self) -> None:
        """Go on with the work in hand until a child is awaited or it is done."""
        work = self._work
        while work is not None and not work.awaited:
            if work.stops:
                self._stop_next(work)
            elif work.starts:
                self._start(work, work.starts.popleft())
            else:
                self._work = None
                self._done(work)
            work = self._work

    def _start(self, work: Work, child: Child) -> None:
        child.run = self._next()
        child.status = STARTING
        child.open = True
        work.awaited += 1
        work.starting = child
        self._steps.append(out.StartChild(child.spec.name, child.run))

    def _stop_next(self, work: Work) -> None:
        """Tell the next child to stop; all at once where children have no order (S41)."""
        every = len(work.stops) if self.spec.forgets else 1
        for _ in range(every):
            child = work.stops.popleft()
            if child.status is not RUNNING:  # it has ended since the shutdown began
                continue
            if (
                child.exit is not None
            ):  # found dead: neither counted nor restarted (S37)
                self._settle(child)
                continue
            child.status = STOPPING
            work.awaited += 1
            self._tell_stop(work, child)

    def _tell_stop(self, work: Work, child: Child) -> None:
        if work.kind is Kind.SHUTDOWN:
            final = work.final or child.added
        else:
            asked_for = child is work.subject
            final = asked_for or self._draining or left_out(child)
        child.open = not final
        self._steps.append(out.StopChild(child.spec.name, child.run, final))

    def _settle(self, child: Child) -> None:
        """Enter that a child which the work in hand has stopped is down."""
        work = self._in_hand()
        child.status = DOWN
        child.run = 0
        child.exit = None
        match work.kind:
            case Kind.SHUTDOWN:
                self._leave(child, final=work.final)
            case Kind.TERMINATE | Kind.RESTART_CHILD:
                self._drop(child)
            case Kind.START_CHILD if child is work.subject:
                self._forget(child)
            case _:
                if child.spec.restart == "temporary":
                    self._forget(child)  # S28 (2)
                elif self._draining:
                    self._close(child)

    def _cancel_starts(self, work: Work) -> None:
        """Start no more of it; what is being started is cancelled and awaited."""
        work.starts.clear()
        child = work.starting
        if child is not None and child.status is STARTING:
            child.status = STOPPING
            self._steps.append(out.CancelStart(child.spec.name, child.run))

    # ------------------------------------------------------------------- the children

    def _current(self, name: str, run: int) -> Child | None:
        """The child that an event is about, unless the event is an old one (T6)."""
        child = self._children.get(name)
        return child if child is not None and child.run == run else None

    def _running(self, among: Iterable[Child]) -> list[Child]:
        """Those that run, in reverse order: so they are stopped."""
        running = [child for child in among if child.status is RUNNING]
        running.reverse()
        return running

    def _unschedule(self, child: Child) -> None:
        """Let *child* wait no longer for a restart of its own (S33, T8)."""
        if child.delayed:
            self._steps.append(out.CancelTimer(child.spec.name, child.token))
        child.token = 0
        child.delayed = False
        child.failed = None
        if child.status is RESTARTING:
            child.status = DOWN

    def _drop(self, child: Child) -> None:
        """*child* is down for good: keep its spec, or forget it (S9, S15, S23)."""
        if child.spec.restart == "temporary" or self.spec.forgets:
            self._forget(child)
        else:
            self._close(child)

    def _leave(self, child: Child, *, final: bool) -> None:
        """*child* is down and this life is ending: what of it does not outlive that?"""
        if child.added:
            self._forget(child)  # S39
        elif final:
            self._close(child)

    def _close(self, child: Child) -> None:
        self._unschedule(child)
        if child.open:
            child.open = False
            self._steps.append(out.ClosePlace(child.spec.name))

    def _forget(self, child: Child) -> None:
        del self._children[child.spec.name]
        self._steps.append(out.RemovePlace(child.spec.name))

    # ------------------------------------------------------------------------- small parts

    def _next(self) -> int:
        """Give a number that this life has not given yet."""
        self._counter += 1
        return self._counter

    def _reply(self, ticket: int | None, answer: out.Answer) -> None:
        """Answer a request, unless its caller has given up."""
        if ticket is not None:
            self._steps.append(out.Reply(ticket, answer))

    def _place(self, child: Child) -> str:
        return f"{self.path}/{child.spec.name}"


def left_out(child: Child) -> bool:
    """Whether a round of restarts drops *child*: a temporary one that ran (S28)."""
    return child.spec.restart == "temporary" and child.status is not DOWN
