"""What follows from the end of a child, and from a start that failed.

First whether it is restarted (S23), then whether the limit allows it (S24, S35), then what
goes along with it (S27-S29). A child with a backoff has a limit of its own and waits (D5).
"""

from collections.abc import Callable, Iterable

from regrow.errors import Failure, RestartLimitExceededError, StartFailedError

from . import steps as out
from .backoff import Backoff, FailureRow
from .child import DOWN, RESTARTING, RUNNING, Child, covered, kept_down
from .exits import Exit
from .intensity import RestartWindow, Verdict
from .shutdown import Shutdown
from .specs import SupervisorSpec
from .work import Ended, Kind, Retry, Work, left_out

__all__ = ["Restarts"]


class Restarts(Shutdown):
    """The rules of restarts."""

    def __init__(
        self,
        spec: SupervisorSpec,
        path: str,
        *,
        draw: Callable[[], float],
        root: bool,
    ) -> None:
        super().__init__(spec, path, root=root)
        self._draw = draw
        self._window = RestartWindow(spec.intensity, spec.period)

    # ----------------------------------------------------------------- for looking at it

    def used(self, now: float) -> int:
        """Count the restarts inside the window at *now*, seconds on the run's clock."""
        return self._window.used(self._clock.peek(now))

    def used_by(self, name: str, now: float) -> int:
        """Count the failures in a row of a child with a backoff, as of *now*."""
        child = self._children.get(name)
        if child is None or child.row is None:
            return 0
        running = child.status is RUNNING and child.exit is None
        return child.row.used(now - child.up_at if running else 0.0)

    def token_of(self, name: str) -> int:
        """Give the token of the delay that a child waits for; 0 if it waits for none."""
        child = self._children.get(name)
        return child.token if child is not None and child.delayed else 0

    # ---------------------------------------------------------- what a child has come to

    def _ended(self, child: Child, end: Exit) -> None:
        """Judge the end of a child that nobody asked for (S23)."""
        child.status = DOWN
        child.exit = None
        child.run = 0
        if end.busy and not end.reason.clean:
            self._clock.set_back(end.busy, now=self._now, floor=self._window.last)
        restarts = _restarts(child, end)
        if self._draining or end.fatal:
            self._drop(child)
        elif restarts:
            self._restart(child, end.error, while_starting=False)
        else:
            self._drop(child)  # S25: and the strategy is not asked
            self._consider_auto_shutdown(child)

    def _start_failed(self, work: Work, child: Child, error: BaseException) -> None:
        """Judge a start that failed; it may be tried again."""
        retried = child.spec.start == "retry"
        match work.kind:
            case Kind.FIRST_START if not retried:
                self._fail_start(child, error)
            case Kind.RESTART_CHILD:
                self._drop(child)  # S16: it stays down, and nothing is counted
                work.answer = self._start_error(child, error)
            case Kind.START_CHILD if not retried:
                self._forget(child)  # S14: its spec is discarded
                work.answer = self._start_error(child, error)
            case _:
                self._failed_attempt(work, child, error)

    def _failed_attempt(self, work: Work, child: Child, error: BaseException) -> None:
        """A start that will be tried again has failed (S31, D5)."""
        child.status = RESTARTING
        if self.spec.strategy != "one_for_one":  # whose first start goes on (D5)
            work.starts.clear()
        if child.spec.backoff is None:
            child.failed = error
            child.token = self._next()
            self._line.append(Retry(child, child.token))  # behind what waits already
            return
        failure = Failure(self._place(child), self._now, error, while_starting=True)
        spent = self._spend(child, failure)
        if spent is not None:
            self._give_up(child, spent)
            return
        self._wait(child, child.spec.backoff, failure)
        if self.spec.strategy == "one_for_all":
            work.stops.extend(self._running(self._children.values()))

    def _retry(self, child: Child) -> None:
        """The turn of a failed restart has come, or its delay is over."""
        if child.delayed:
            child.delayed = False  # its timer has gone off
            self._round(child)
        else:
            self._restart(child, child.failed, while_starting=True)  # S32: counts again

    # ------------------------------------------------------------------ making a restart

    def _restart(
        self, child: Child, error: BaseException | None, *, while_starting: bool
    ) -> None:
        """Decide on a restart: the limit first, then the strategy (S24)."""
        failure = Failure(self._place(child), self._now, error, while_starting)
        spent = self._spend(child, failure)
        if spent is not None:
            self._give_up(child, spent)
        elif child.spec.backoff is not None:
            self._wait(child, child.spec.backoff, failure)
            self._keep_down(child)
        else:
            allowed = self.spec.intensity
            self._decided(child, self._window.count, 0.0, error, allowed)
            self._round(child)

    def _spend(
        self, child: Child, failure: Failure
    ) -> RestartLimitExceededError | None:
        """Count a failure against the limit; give the error if that is spent (S35, D5)."""
        backoff = child.spec.backoff
        if backoff is None:
            window = self._window
            now = self._clock.read(self._now)
            if window.record(now, failure) is Verdict.WITHIN:
                return None
            return RestartLimitExceededError(
                path=self.path,
                child_id=child.spec.name,
                intensity=self.spec.intensity,
                period=self.spec.period,
                failures=window.failures,
                span=window.span,
            )
        if child.row is None:
            child.row = FailureRow(backoff)
        row = child.row
        if row.record(failure, uptime=child.ended_at - child.up_at):
            return None
        return RestartLimitExceededError(
            path=self.path,
            child_id=child.spec.name,
            intensity=None,
            period=backoff.reset_after,
            failures=row.failures,
            count=row.count,
        )

    def _spent_before(self, before: Iterable[out.Exited]) -> out.Ending | None:
        """Judge the ends of children that a stop has overtaken.

        They restart nothing any more. But whether the limit is spent must not depend on
        which of two things of one moment is taken up first (P8).
        """
        ended = [
            (item.child, item.exit)
            for item in self._line
            if isinstance(item, Ended) and item.child.run == item.run
        ]
        for event in before:
            child = self._current(event.name, event.run)
            if child is not None and child.status is RUNNING:
                child.ended_at = self._now
                ended.append((child, event.exit))
        along: list[Child] = []
        for child, end in ended:
            if end.fatal or child in along or not _restarts(child, end):
                continue
            failure = Failure(self._place(child), self._now, end.error)
            spent = self._spend(child, failure)
            if spent is not None:
                return out.Ending(out.Outcome.GAVE_UP, spent, child.spec.name)
            along += covered(self.spec.strategy, self._children.values(), child)
        return None

    def _round(self, child: Child) -> None:
        """Stop what runs in the range, in reverse, then start all of it (S28-S30)."""
        group = covered(self.spec.strategy, self._children.values(), child)
        work = Work(Kind.ROUND)
        for other in group:
            self._unschedule(other)  # a round overrides a sibling's wait (S33, D5)
            if other.status is RUNNING:
                work.stops.appendleft(other)
            if not left_out(other):
                work.starts.append(other)
        self._begin(work)

    def _wait(self, child: Child, backoff: Backoff, failure: Failure) -> None:
        """Let a child with a budget of its own wait (D5)."""
        row = child.row
        assert row is not None  # noqa: S101 - the failure was counted in it
        delay = backoff.delay(row.count, self._draw)
        child.status = RESTARTING
        child.delayed = True
        child.token = self._next()
        allowed = backoff.max_attempts - 1  # at the last of them it gives up
        self._decided(child, row.count, delay, failure.error, allowed)
        self._steps.append(out.StartTimer(child.spec.name, child.token, delay))

    def _keep_down(self, child: Child) -> None:
        """Stop the range of a delayed round at once (D5)."""
        group = covered(self.spec.strategy, self._children.values(), child)
        for other in group:
            if other is not child:
                self._unschedule(other)  # it comes back with the round, not before
        work = Work(Kind.ROUND)
        work.stops.extend(self._running(group))
        self._begin(work)

    def _decided(
        self,
        child: Child,
        attempt: int,
        delay: float,
        error: BaseException | None,
        allowed: float,
    ) -> None:
        self._steps.append(
            out.RestartDecided(child.spec.name, attempt, delay, error, allowed)
        )

    # --------------------------------------------------------- what ends the supervisor

    def _consider_auto_shutdown(self, child: Child) -> None:
        """S46: only the own end of a significant child brings it about."""
        if not child.spec.significant or self.spec.auto_shutdown == "never":
            return
        if self.spec.auto_shutdown == "all_significant":
            children = self._children.values()
            kept = kept_down(self.spec.strategy, children)
            if any(
                other.spec.significant and (other.active or other in kept)
                for other in children
            ):
                return
        ending = out.Ending(out.Outcome.AUTO_SHUTDOWN, None, child.spec.name)
        self._shut_down(ending, final=self._root)

    def _give_up(self, child: Child, error: RestartLimitExceededError) -> None:
        """S38, D1: stop all others, then fail to the parent."""
        self._clock.stop(self._now)
        ending = out.Ending(out.Outcome.GAVE_UP, error, child.spec.name)
        self._shut_down(ending, final=self._root)

    def _fail_start(self, child: Child, error: BaseException) -> None:
        """S10: no retry; what came before it is stopped in reverse."""
        failed = self._start_error(child, error)
        ending = out.Ending(out.Outcome.START_FAILED, failed, child.spec.name)
        self._shut_down(ending, final=self._root)

    def _start_error(self, child: Child, error: BaseException) -> StartFailedError:
        return StartFailedError(self._place(child), error)


def _restarts(child: Child, end: Exit) -> bool:
    """Whether *child* is restarted after such an *end* (S23)."""
    kind = child.spec.restart
    return kind == "permanent" or (kind == "transient" and not end.reason.clean)
