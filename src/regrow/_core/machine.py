"""One life of a supervisor as a step machine: events and the time in, steps out.

The rules of supervision live here and nowhere else. The machine does one *piece of work*
at a time (S22): a first start, a round of restarts, one request of a caller, the shutdown.
A piece of work is a row of children to stop and then a row of children to start, each
awaited before the next (S7, S28, S40). What happens meanwhile stands in line, in the order
of its arrival: ends of children, requests, retries (S31), delays that are over. Only a
stop, a drain and a caller giving up are heard at once (D6, T25).

Children stand in start order in one dict; the ends of children cost O(1), a round costs
its range.
"""

from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import assert_never

from attrs import define, field

from regrow.errors import (
    ActorInterruptedError,
    ActorStoppedError,
    ChildActiveError,
    ChildExistsError,
    ChildForgottenError,
    ChildNotFoundError,
    Failure,
    MaxChildrenError,
    RestartLimitExceededError,
    StartFailedError,
)

from . import steps as out
from .backoff import FailureRow
from .child import Child, Status, count, covered, info
from .exits import Exit
from .intensity import RestartWindow, Verdict, WorkClock
from .specs import ChildSpec, SupervisorSpec

__all__ = ["SupervisorMachine"]


class _Kind(Enum):
    """What a piece of work is for."""

    FIRST_START = auto()
    ROUND = auto()
    START_CHILD = auto()
    RESTART_CHILD = auto()
    TERMINATE = auto()
    SHUTDOWN = auto()


_WITH_START = {_Kind.START_CHILD, _Kind.RESTART_CHILD}
"""Requests that are over when the start in them is."""


@define(eq=False)
class _Work:
    """The piece of work in hand."""

    kind: _Kind
    stops: deque[Child] = field(factory=deque)
    starts: deque[Child] = field(factory=deque)
    subject: Child | None = None
    ticket: int | None = None
    answer: out.Answer = None
    final: bool = False
    """Whether what it stops is not coming back by itself."""
    awaited: int = 0
    """Children told to start or stop that have not reported yet."""
    starting: Child | None = None
    """The last child told to start."""


@define(eq=False)
class _Ended:
    child: Child
    run: int


@define(eq=False)
class _Retry:
    child: Child
    token: int


class SupervisorMachine:
    """One life of one supervisor.

    Attributes:
        spec: What it was declared with.
        path: Its place, for errors.
    """

    def __init__(
        self,
        spec: SupervisorSpec,
        path: str,
        *,
        draw: Callable[[], float],
        root: bool = False,
    ) -> None:
        """Prepare a life; `Begin` starts it.

        Args:
            spec: What to supervise, and how.
            path: Where it stands in the tree.
            draw: Random numbers from 0 to 1, for the jitter of delays.
            root: Whether nobody can restart it: when it ends, its places close.
        """
        self.spec = spec
        self.path = path
        self._draw = draw
        self._root = root
        self._children: dict[str, Child] = {
            child.name: Child(child) for child in spec.children
        }
        self._window = RestartWindow(spec.intensity, spec.period)
        self._clock = WorkClock()
        self._line: deque[_Ended | _Retry | out.Ask] = deque()
        self._given_up: set[int] = set()
        self._work: _Work | None = None
        self._counter = 0
        self._up = False
        self._draining = False
        self._ending: out.Ending | None = None
        self._closing = False
        self._finished = False
        self._now = 0.0
        self._steps: list[out.Step] = []

    # ------------------------------------------------------------------ looking at it

    @property
    def up(self) -> bool:
        """Whether every declared child has had its start."""
        return self._up

    @property
    def ending(self) -> bool:
        """Whether it stops its children and will finish."""
        return self._ending is not None

    @property
    def attempts(self) -> int:
        """Restart attempts inside the window, as of the latest one."""
        return len(self._window.failures)

    def spec_of(self, name: str) -> ChildSpec:
        """Give the spec of the child called *name*, as `StartChild` names it."""
        return self._children[name].spec

    def which_children(self) -> tuple[out.ChildInfo, ...]:
        """Give the children in start order (S19; OTP gives the reverse)."""
        return tuple(info(child) for child in self._children.values())

    def count_children(self) -> out.ChildCounts:
        """Count the children (S20); a dynamic supervisor counts them as specs (D9)."""
        return count(self._children.values())

    # ---------------------------------------------------------------------- events in

    def handle(self, event: out.Event, now: float) -> list[out.Step]:
        """Take up one event and give what is to be done, in order.

        Args:
            event: What happened.
            now: Seconds on the run's clock, never less than before.
        """
        self._now = now
        steps: list[out.Step] = []
        self._steps = steps
        if self._finished:
            if isinstance(event, out.Ask):
                self._reply(event.ticket, self._stopped_error())
            return steps
        match event:
            case out.Started():
                self._on_started(event)
            case out.Exited():
                self._on_exited(event)
            case out.Ask():
                self._on_ask(event)
            case out.StartFailed():
                self._on_start_failed(event)
            case out.Ignored():
                self._on_ignored(event)
            case out.TimerDue():
                self._on_timer(event)
            case out.StopRequested():
                self._on_stop(final=event.final)
            case out.Drain():
                self._on_drain()
            case out.AbandonCall():
                self._on_abandon(event.ticket)
            case out.Begin():
                self._begin(_Kind.FIRST_START, starts=self._children.values())
            case _:
                assert_never(event)
        self._take_up()
        return steps

    def _on_started(self, event: out.Started) -> None:
        child = self._current(event.name, event.run)
        if child is None:
            return
        if child.status is Status.STOPPING:  # its start was cancelled, but it was quicker
            work = self._work
            assert work is not None  # noqa: S101 - a piece of work cancelled it
            final = work.final or work.kind is not _Kind.SHUTDOWN
            child.open = not final
            self._steps.append(out.StopChild(event.name, event.run, final))
            return
        child.status = Status.RUNNING
        child.up_at = self._now
        self._reported()

    def _on_exited(self, event: out.Exited) -> None:
        child = self._current(event.name, event.run)
        if child is None:
            return  # T6
        child.exit = event.exit
        child.ended_at = self._now
        if child.status is Status.STOPPING:
            self._settle(child)
            self._reported()
        else:
            self._line.append(_Ended(child, event.run))

    def _on_start_failed(self, event: out.StartFailed) -> None:
        child = self._current(event.name, event.run)
        if child is None:
            return
        child.ended_at = child.up_at = self._now
        if child.status is Status.STOPPING:
            self._settle(child)
            self._reported()
            return
        work = self._work
        assert work is not None  # noqa: S101 - a child starts only in a piece of work
        work.awaited -= 1
        child.status = Status.DOWN
        child.run = 0
        retried = child.spec.start == "retry"
        match work.kind:
            case _Kind.FIRST_START if not retried:
                self._fail_start(child, event.error)
            case _Kind.RESTART_CHILD:
                self._close(child)  # S16: it stays down, and nothing is counted
                work.answer = self._start_error(child, event.error)
            case _Kind.START_CHILD if not retried:
                self._forget(child)  # S14: its spec is discarded
                work.answer = self._start_error(child, event.error)
            case _:
                self._failed_attempt(work, child, event.error)
        self._advance()

    def _on_ignored(self, event: out.Ignored) -> None:
        child = self._current(event.name, event.run)
        if child is None:
            return
        if child.status is Status.STOPPING:
            self._settle(child)
        else:
            child.status = Status.DOWN
            child.run = 0
            self._drop(child)  # S9, E1
            work = self._work
            if work is not None and work.subject is child:
                work.answer = out.ChildUp(child.spec.name, ignored=True)
        self._reported()

    def _on_timer(self, event: out.TimerDue) -> None:
        child = self._children.get(event.name)
        if child is not None and child.token == event.token:
            self._line.append(_Retry(child, event.token))

    def _on_ask(self, event: out.Ask) -> None:
        if self._ending is not None and self._closing:
            self._reply(event.ticket, self._stopped_error())
        else:
            self._line.append(event)

    def _on_abandon(self, ticket: int) -> None:
        work = self._work
        if work is not None and work.ticket == ticket:
            work.ticket = None
            if work.kind in _WITH_START:
                self._cancel_starts(work)
        elif any(isinstance(item, out.Ask) and item.ticket == ticket for item in self._line):
            self._given_up.add(ticket)

    def _on_drain(self) -> None:
        self._draining = True
        if self._ending is not None or not self._up:
            return  # it is being stopped, or its parent cancels its start
        work = self._work
        if work is not None:
            self._cancel_starts(work)
            if work.kind in _WITH_START:
                work.answer = self._stopped_error()
        for child in self._children.values():
            if child.status in {Status.DOWN, Status.RESTARTING}:
                self._close(child)

    def _on_stop(self, *, final: bool) -> None:
        if self._ending is None:
            self._shut_down(out.Ending(out.Outcome.STOPPED, None), final=final)
        elif final and not self._closing:
            work = self._work
            assert work is not None  # noqa: S101 - the shutdown is in hand
            work.final = True
            self._closing = True
            self._close_idle()
            self._refuse_line()

    # --------------------------------------------------------------- the work in hand

    def _take_up(self) -> None:
        """Take up what stands in line, until there is work in hand or nothing left."""
        while self._work is None and self._line and not self._finished:
            item = self._line.popleft()
            match item:
                case _Ended(child=child, run=run):
                    if child.run == run and child.exit is not None:
                        self._ended(child, child.exit)
                case _Retry(child=child, token=token):
                    if child.token == token:  # S33
                        self._retry(child)
                case out.Ask(ticket=ticket):
                    if ticket in self._given_up:
                        self._given_up.discard(ticket)
                    else:
                        self._answer(item)
                case _:
                    assert_never(item)

    def _begin(  # noqa: PLR0913 - the fields of a piece of work
        self,
        kind: _Kind,
        *,
        stops: Iterable[Child] = (),
        starts: Iterable[Child] = (),
        subject: Child | None = None,
        ticket: int | None = None,
        answer: out.Answer = None,
        final: bool = False,
    ) -> None:
        self._work = _Work(
            kind, deque(stops), deque(starts), subject, ticket, answer, final
        )
        if kind is _Kind.ROUND:
            self._clock.stop(self._now)  # D3
        self._advance()

    def _reported(self) -> None:
        """One child that was awaited has reported."""
        work = self._work
        assert work is not None  # noqa: S101 - only work in hand awaits children
        work.awaited -= 1
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

    def _start(self, work: _Work, child: Child) -> None:
        child.run = self._next()
        child.status = Status.STARTING
        child.open = True
        work.awaited += 1
        work.starting = child
        self._steps.append(out.StartChild(child.spec.name, child.run))

    def _stop_next(self, work: _Work) -> None:
        """Tell the next child to stop; all at once where children have no order (S41)."""
        every = len(work.stops) if self.spec.forgets else 1
        for _ in range(every):
            child = work.stops.popleft()
            if child.status is not Status.RUNNING:
                continue
            if child.exit is not None:  # found dead: neither counted nor restarted (S37)
                self._settle(child)
                continue
            final = work.final or (work.kind is not _Kind.SHUTDOWN and _left_out(child))
            child.status = Status.STOPPING
            child.open = not final
            work.awaited += 1
            self._steps.append(out.StopChild(child.spec.name, child.run, final))

    def _settle(self, child: Child) -> None:
        """Enter that a child which the work in hand has stopped is down."""
        work = self._work
        assert work is not None  # noqa: S101 - only work in hand stops children
        child.status = Status.DOWN
        child.run = 0
        child.exit = None
        match work.kind:
            case _Kind.SHUTDOWN:
                if work.final and child.open:
                    self._close(child)
            case _Kind.TERMINATE:
                self._drop(child)
            case _Kind.START_CHILD if child is work.subject:
                self._forget(child)
            case _Kind.RESTART_CHILD:
                self._close(child)
            case _:
                if child.spec.restart == "temporary":
                    self._forget(child)  # S28 (2)
                elif self._draining:
                    self._close(child)

    def _cancel_starts(self, work: _Work) -> None:
        """Start no more of it; what is being started is cancelled and awaited."""
        work.starts.clear()
        child = work.starting
        if child is not None and child.status is Status.STARTING:
            child.status = Status.STOPPING
            self._steps.append(out.CancelStart(child.spec.name, child.run))

    def _done(self, work: _Work) -> None:
        """The row is through: what follows from it."""
        match work.kind:
            case _Kind.FIRST_START:
                self._up = True
                self._steps.append(out.Up())
            case _Kind.ROUND:
                self._clock.resume(self._now)
            case _Kind.SHUTDOWN:
                self._finish(work)
                return
            case _Kind.START_CHILD | _Kind.RESTART_CHILD | _Kind.TERMINATE:
                pass
            case _:
                assert_never(work.kind)
        if work.ticket is not None:
            self._reply(work.ticket, work.answer)

    # ------------------------------------------------------------ the ends of children

    def _ended(self, child: Child, end: Exit) -> None:
        """Judge the end of a child that nobody asked for (S23)."""
        child.status = Status.DOWN
        child.exit = None
        child.run = 0
        if end.busy and not end.reason.clean:
            self._clock.set_back(end.busy, now=self._now, floor=self._window.last)
        restarts = child.spec.restart == "permanent" or (
            child.spec.restart == "transient" and not end.reason.clean
        )
        if self._draining or end.fatal:
            self._drop(child)
        elif restarts:
            self._restart(child, end.error, while_starting=False)
        else:
            self._drop(child)  # S25: and the strategy is not asked
            self._consider_auto_shutdown(child)

    def _consider_auto_shutdown(self, child: Child) -> None:
        """S46: only the own end of a significant child brings it about."""
        if not child.spec.significant or self.spec.auto_shutdown == "never":
            return
        if self.spec.auto_shutdown == "all_significant" and any(
            other.spec.significant and other.active for other in self._children.values()
        ):
            return
        ending = out.Ending(out.Outcome.AUTO_SHUTDOWN, None, child.spec.name)
        self._shut_down(ending, final=self._root)

    # ----------------------------------------------------------------------- restarts

    def _restart(
        self, child: Child, error: BaseException | None, *, while_starting: bool
    ) -> None:
        """Decide on a restart: the limit first, then the strategy (S24)."""
        failure = Failure(self._place(child), self._now, error, while_starting)
        if child.spec.backoff is not None:
            if self._delay(child, failure):
                self._keep_down(child)
            return
        verdict = self._window.record(self._clock.read(self._now), failure)
        if verdict is Verdict.EXCEEDED:
            self._give_up(
                child,
                RestartLimitExceededError(
                    path=self.path,
                    child_id=child.spec.name,
                    intensity=self.spec.intensity,
                    period=self.spec.period,
                    failures=self._window.failures,
                    span=self._window.span,
                ),
            )
            return
        self._decided(child, self.attempts, 0.0, error)
        self._round(child)

    def _round(self, child: Child) -> None:
        """Stop what runs in the range, in reverse, then start all of it (S28-S30)."""
        group = covered(self.spec.strategy, self._children.values(), child)
        for other in group:
            self._unschedule(other)  # a round overrides a sibling's wait (S33, D5)
        self._begin(
            _Kind.ROUND,
            stops=[other for other in reversed(group) if other.status is Status.RUNNING],
            starts=[other for other in group if not _left_out(other)],
        )

    def _failed_attempt(
        self, work: _Work, child: Child, error: BaseException
    ) -> None:
        """A start that will be tried again has failed (S31, D5)."""
        child.status = Status.RESTARTING
        if work.kind is not _Kind.FIRST_START or self.spec.strategy != "one_for_one":
            work.starts.clear()
        if child.spec.backoff is None:
            child.failed = error
            child.token = self._next()
            self._line.append(_Retry(child, child.token))  # behind what waits already
            return
        failure = Failure(self._place(child), self._now, error, while_starting=True)
        if self._delay(child, failure) and self.spec.strategy == "one_for_all":
            work.stops.extend(self._running())

    def _retry(self, child: Child) -> None:
        """The turn of a failed restart has come, or its delay is over."""
        child.token = 0
        child.status = Status.DOWN
        if child.delayed:
            child.delayed = False
            self._round(child)
        else:
            error, child.failed = child.failed, None
            self._restart(child, error, while_starting=True)  # S32: it counts again

    def _delay(self, child: Child, failure: Failure) -> bool:
        """Let a child with a budget of its own wait (D5); give up when that is spent."""
        backoff = child.spec.backoff
        assert backoff is not None  # noqa: S101 - asked only for such children
        if child.row is None:
            child.row = FailureRow(backoff)
        row = child.row
        if not row.record(failure, uptime=child.ended_at - child.up_at):
            self._give_up(
                child,
                RestartLimitExceededError(
                    path=self.path,
                    child_id=child.spec.name,
                    intensity=None,
                    period=backoff.reset_after,
                    failures=row.failures,
                    count=row.count,
                ),
            )
            return False
        delay = backoff.delay(row.count, self._draw)
        child.status = Status.RESTARTING
        child.delayed = True
        child.token = self._next()
        self._decided(child, row.count, delay, failure.error)
        self._steps.append(out.StartTimer(child.spec.name, child.token, delay))
        return True

    def _keep_down(self, child: Child) -> None:
        """Stop the range of a delayed round at once (D5)."""
        group = covered(self.spec.strategy, self._children.values(), child)
        running = [other for other in reversed(group) if other.status is Status.RUNNING]
        if running:
            self._begin(_Kind.ROUND, stops=running)

    def _decided(
        self, child: Child, attempt: int, delay: float, error: BaseException | None
    ) -> None:
        self._steps.append(out.RestartDecided(child.spec.name, attempt, delay, error))

    def _unschedule(self, child: Child) -> None:
        """Let *child* wait no longer for a restart of its own (S33, T8)."""
        if child.token and child.delayed:
            self._steps.append(out.CancelTimer(child.spec.name, child.token))
        child.token = 0
        child.delayed = False
        child.failed = None
        if child.status is Status.RESTARTING:
            child.status = Status.DOWN

    # ---------------------------------------------------------------------- requests

    def _answer(self, ask: out.Ask) -> None:
        """Carry out a request whose turn has come."""
        ticket = ask.ticket
        match ask.request:
            case out.StartNewChild(spec=spec):
                self._start_child(ticket, spec)
            case out.WhichChildren():
                self._reply(ticket, self.which_children())
            case out.CountChildren():
                self._reply(ticket, self.count_children())
            case (
                out.TerminateChild(name=name)
                | out.RestartChild(name=name)
                | out.DeleteChild(name=name)
                | out.GetChildSpec(name=name)
            ) as request:
                child = self._children.get(name)
                forgets = self.spec.forgets
                if forgets and isinstance(request, out.RestartChild | out.DeleteChild):
                    self._reply(ticket, ChildForgottenError(self.path, name))
                elif child is None:
                    self._reply(ticket, ChildNotFoundError(self.path, name))
                else:
                    self._answer_about(ticket, child, request)
            case _:
                assert_never(ask.request)

    def _answer_about(
        self,
        ticket: int,
        child: Child,
        request: out.TerminateChild
        | out.RestartChild
        | out.DeleteChild
        | out.GetChildSpec,
    ) -> None:
        if isinstance(request, out.GetChildSpec):
            self._reply(ticket, child.spec)
        elif isinstance(request, out.TerminateChild):
            self._terminate(ticket, child)
        elif child.status is not Status.DOWN:  # S16, S17: only from `undefined`
            restarting = child.status is Status.RESTARTING
            error = ChildActiveError(self.path, request.name, restarting=restarting)
            self._reply(ticket, error)
        elif isinstance(request, out.DeleteChild):
            self._forget(child)
            self._reply(ticket, None)
        elif self._draining:
            self._reply(ticket, self._stopped_error())
        else:
            self._begin(
                _Kind.RESTART_CHILD,
                starts=[child],
                subject=child,
                ticket=ticket,
                answer=out.ChildUp(request.name),
            )

    def _start_child(self, ticket: int, spec: ChildSpec) -> None:
        """S14, D9."""
        other = self._children.get(spec.name)
        if other is not None:
            started = other.status is Status.RUNNING or self.spec.forgets
            error = ChildExistsError(self.path, spec.name, started=started)
            self._reply(ticket, error)
        elif self._draining:
            self._reply(ticket, self._stopped_error())
        elif len(self._children) >= self.spec.max_children:
            most = self.spec.max_children
            self._reply(ticket, MaxChildrenError(self.path, spec.name, most))
        else:
            child = self._children[spec.name] = Child(spec)
            self._begin(
                _Kind.START_CHILD,
                starts=[child],
                subject=child,
                ticket=ticket,
                answer=out.ChildUp(spec.name),
            )

    def _terminate(self, ticket: int, child: Child) -> None:
        """S15; of a child that waits, it cancels the wait for good (T8)."""
        if child.status is Status.RUNNING:
            self._begin(
                _Kind.TERMINATE,
                stops=[child],
                subject=child,
                ticket=ticket,
                final=True,
            )
            return
        group = covered(self.spec.strategy, self._children.values(), child)
        waited = child.status is Status.RESTARTING
        delayed = child.delayed
        self._unschedule(child)
        self._drop(child)
        down = [c for c in group if c is not child and c.status is Status.DOWN]
        if delayed:  # D5: the rest of the range need not stay down for it
            self._begin(_Kind.ROUND, starts=down, ticket=ticket)
            return
        if waited:  # S34: the round is over, and these stay down
            for other in down:
                self._close(other)
        self._reply(ticket, None)

    # ----------------------------------------------------------------------- the end

    def _fail_start(self, child: Child, error: BaseException) -> None:
        """S10: no retry; what came before it is stopped in reverse."""
        failed = self._start_error(child, error)
        ending = out.Ending(out.Outcome.START_FAILED, failed, child.spec.name)
        self._shut_down(ending, final=self._root)

    def _give_up(self, child: Child, error: RestartLimitExceededError) -> None:
        """S38, D1: stop all others, then fail to the parent."""
        child.status = Status.DOWN
        self._clock.stop(self._now)
        ending = out.Ending(out.Outcome.GAVE_UP, error, child.spec.name)
        self._shut_down(ending, final=self._root)

    def _shut_down(self, ending: out.Ending, *, final: bool) -> None:
        """Stop all children in reverse start order, then finish (S40)."""
        self._ending = ending
        self._closing = final
        self._steps.append(ending)
        previous = self._work
        work = self._work = _Work(_Kind.SHUTDOWN, final=final)
        if previous is not None:
            self._cancel_starts(previous)
            work.awaited = previous.awaited
            if previous.kind in _WITH_START:
                if previous.ticket is not None:
                    self._reply(previous.ticket, self._interrupted_error())
            else:
                work.ticket = previous.ticket  # a terminate goes on (D6)
        for child in self._children.values():
            self._unschedule(child)
        if final:
            self._close_idle()
            self._refuse_line()
        work.stops.extend(self._running())
        self._advance()

    def _finish(self, work: _Work) -> None:
        ending = self._ending
        assert ending is not None  # noqa: S101 - the shutdown set it
        self._finished = True
        if work.ticket is not None:
            self._reply(work.ticket, None)
        waiting = tuple(
            item
            for item in self._line
            if isinstance(item, out.Ask) and item.ticket not in self._given_up
        )
        self._line.clear()
        busy = self._clock.busy(self._now)
        self._steps.append(out.Finished(ending.outcome, ending.error, busy, waiting))

    def _refuse_line(self) -> None:
        """Answer the requests in line: nobody will carry them out."""
        for item in self._line:
            if isinstance(item, out.Ask) and item.ticket not in self._given_up:
                self._reply(item.ticket, self._stopped_error())
        self._line.clear()

    def _close_idle(self) -> None:
        """Close the places of children that are down and will not be started."""
        for child in self._children.values():
            if child.status is Status.DOWN:
                self._close(child)

    # ---------------------------------------------------------------------- small parts

    def _current(self, name: str, run: int) -> Child | None:
        """The child that an event is about, unless the event is an old one (T6)."""
        child = self._children.get(name)
        return child if child is not None and child.run == run else None

    def _running(self) -> list[Child]:
        """Those that run, in reverse start order."""
        every = reversed(self._children.values())
        return [child for child in every if child.status is Status.RUNNING]

    def _drop(self, child: Child) -> None:
        """*child* is down for good: keep its spec, or forget it (S9, S15, S23)."""
        if child.spec.restart == "temporary" or self.spec.forgets:
            self._forget(child)
        else:
            self._close(child)

    def _close(self, child: Child) -> None:
        self._unschedule(child)
        if child.open:
            child.open = False
            self._steps.append(out.ClosePlace(child.spec.name))

    def _forget(self, child: Child) -> None:
        self._unschedule(child)
        child.open = False
        del self._children[child.spec.name]
        self._steps.append(out.RemovePlace(child.spec.name))

    def _next(self) -> int:
        self._counter += 1
        return self._counter

    def _reply(self, ticket: int, answer: out.Answer) -> None:
        self._steps.append(out.Reply(ticket, answer))

    def _place(self, child: Child) -> str:
        return f"{self.path}/{child.spec.name}"

    def _start_error(self, child: Child, error: BaseException) -> StartFailedError:
        return StartFailedError(self._place(child), error)

    def _stopped_error(self) -> ActorStoppedError:
        return ActorStoppedError(self.path, "", "is stopping")

    def _interrupted_error(self) -> ActorInterruptedError:
        return ActorInterruptedError(self.path, "", 0, "was stopped")


def _left_out(child: Child) -> bool:
    """Whether a round of restarts drops *child*: a temporary one that ran (S28)."""
    return child.spec.restart == "temporary" and child.status is Status.RUNNING
