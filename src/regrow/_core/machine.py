"""One life of a supervisor as a step machine: events and the time in, steps out.

The rules of supervision live here and in the four modules below it, and nowhere else:
`work` knows how children are stopped and started in rows, one piece of work at a time
(S22), `shutdown` how a supervisor ends, `restarts` what follows from the end of a child,
`requests` what callers may ask. Each knows those before it.

What happens while there is work in hand stands in line, in the order of its arrival: ends
of children, requests, retries (S31), delays that are over. Only a stop, a drain and a
caller giving up are heard at once (D6, T25).

Children stand in start order in one dict; the ends of children cost O(1), a round costs
its range.
"""

from collections import deque
from collections.abc import Callable
from typing import assert_never

from . import steps as out
from .child import DOWN, RESTARTING, RUNNING, STOPPING
from .requests import Requests
from .specs import SupervisorSpec
from .work import Ended, Kind, Retry, Work

__all__ = ["SupervisorMachine"]


class SupervisorMachine(Requests):
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
        root: bool,
    ) -> None:
        """Prepare a life; `Begin` starts it.

        Args:
            spec: What to supervise, and how.
            path: Where it stands in the tree.
            draw: Random numbers from 0 to 1, for the jitter of delays.
            root: Whether nobody can restart it: when it ends, its places close.
        """
        super().__init__(spec, path, draw=draw, root=root)
        self._up = False

    @property
    def up(self) -> bool:
        """Whether every declared child has had its start."""
        return self._up

    @property
    def ending(self) -> bool:
        """Whether it stops its children and will finish."""
        return self._ending is not None

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
                self._on_stop(event)
            case out.Drain():
                self._on_drain()
            case out.AbandonCall():
                self._on_abandon(event.ticket)
            case out.Begin():
                work = Work(Kind.FIRST_START)
                work.starts.extend(self._children.values())
                self._begin(work)
            case _:
                assert_never(event)
        self._take_up()
        self._steps = []  # what they hold, such as an error, is not held any longer
        return steps

    def _on_started(self, event: out.Started) -> None:
        child = self._current(event.name, event.run)
        if child is None:
            return
        work = self._in_hand()
        was_cancelled = child.status is STOPPING  # but it was quicker
        if was_cancelled and work.kind is not Kind.SHUTDOWN:
            self._tell_stop(work, child)
            return
        child.status = RUNNING
        if was_cancelled:  # it is stopped when its turn comes (S40)
            work.stops = deque(self._running(self._children.values()))
        child.up_at = self._now
        self._reported()

    def _on_exited(self, event: out.Exited) -> None:
        child = self._current(event.name, event.run)
        if child is None:
            return  # T6
        child.exit = event.exit
        child.ended_at = self._now
        if child.status is STOPPING:
            self._settle(child)
            self._reported()
        elif self._ending is not None:  # whatever it was, nothing follows (S40)
            self._settle(child)
        else:
            self._line.append(Ended(child, event.run, event.exit))
            # Its turn may be long in coming: the work in hand may wait for who asks it.
            if self._draining and self._work is not None:
                self._close(child)

    def _on_start_failed(self, event: out.StartFailed) -> None:
        child = self._current(event.name, event.run)
        if child is None:
            return
        child.ended_at = child.up_at = self._now
        if child.status is STOPPING:
            self._settle(child)
            self._reported()
            return
        child.status = DOWN
        child.run = 0
        work = self._in_hand()
        work.awaited -= 1
        self._start_failed(work, child, event.error)
        self._advance()

    def _on_ignored(self, event: out.Ignored) -> None:
        child = self._current(event.name, event.run)
        if child is None:
            return
        if child.status is STOPPING:
            self._settle(child)
        else:
            child.status = DOWN
            child.run = 0
            self._drop(child)  # S9, E1
            work = self._in_hand()
            if work.subject is child:
                work.answer = out.ChildUp(child.spec.name, ignored=True)
        self._reported()

    def _on_timer(self, event: out.TimerDue) -> None:
        child = self._children.get(event.name)
        if child is not None:
            self._line.append(Retry(child, event.token))

    def _on_ask(self, event: out.Ask) -> None:
        if self._closing:
            self._reply(event.ticket, self._stopped_error())
        else:
            self._waiting.add(event.ticket)
            self._line.append(event)

    def _on_abandon(self, ticket: int) -> None:
        self._waiting.discard(ticket)
        work = self._work
        if work is not None and work.ticket == ticket:
            work.ticket = None
            if work.kind.over_with_start:
                self._cancel_starts(work)

    def _on_drain(self) -> None:
        self._draining = True
        if self._ending is not None:
            self._make_final()
        elif self._up:  # else whoever starts it cancels that
            self._start_nothing_more()

    def _start_nothing_more(self) -> None:
        work = self._work
        if work is not None:
            self._cancel_starts(work)
            if work.kind.over_with_start:
                work.answer = self._stopped_error()
        for child in self._children.values():
            if child.status in {DOWN, RESTARTING} or child.exit is not None:
                self._close(child)

    def _on_stop(self, event: out.StopRequested) -> None:
        if self._ending is None:
            ending = self._spent_before(event.before)
            if ending is None:
                ending = out.Ending(out.Outcome.STOPPED, None)
            self._shut_down(ending, final=event.final)
        elif event.final:
            self._make_final()

    # ------------------------------------------------------------- the line, and the end

    def _take_up(self) -> None:
        """Take up what stands in line, until there is work in hand or nothing left."""
        while self._work is None and self._line:
            item = self._line.popleft()
            match item:
                case Ended(child=child, run=run, exit=end):
                    if child.run == run:  # else its end was no surprise (S37)
                        self._ended(child, end)
                case Retry(child=child, token=token):
                    if child.token == token:  # S33
                        self._retry(child)
                case out.Ask(ticket=ticket):
                    if ticket in self._waiting:
                        self._waiting.remove(ticket)
                        self._answer(item)
                case _:
                    assert_never(item)

    def _done(self, work: Work) -> None:
        match work.kind:
            case Kind.FIRST_START:
                self._up = True
                self._steps.append(out.Up())
            case Kind.ROUND:
                self._clock.resume(self._now)
                self._reply(work.ticket, None)
            case Kind.START_CHILD | Kind.RESTART_CHILD | Kind.TERMINATE:
                self._reply(work.ticket, work.answer)
            case Kind.SHUTDOWN:
                self._finish(work)
            case _:
                assert_never(work.kind)
