"""What failed in a running tree: what restarts were for, and what they could not mend."""

from collections.abc import Sequence

from attrs import field, frozen

from ._base import RegrowError, TimelineEntry, summary

__all__ = ["Failure", "HeartbeatMissedError", "RestartLimitExceededError"]


@frozen
class Failure:
    """One failure that asked for a restart.

    Attributes:
        path: The child that failed.
        at: When, in seconds of the run's clock.
        error: What it failed of; `None` for an end without an exception, which is a
            failure for a permanent child.
        while_starting: Whether it failed before it was up.
    """

    path: str
    at: float
    error: BaseException | None = field(repr=summary)
    while_starting: bool = False


class RestartLimitExceededError(RegrowError):
    """A supervisor gave up: one more restart would have been over its limit.

    `__cause__` is what the last child failed of.

    Attributes:
        path: The supervisor.
        child_id: The child that failed last.
        intensity: Restarts allowed in `period` seconds; `None` when it was the child's own
            backoff that ran out.
        period: Seconds.
        failures: The failures inside the window, oldest first, the last one included.
        levels: Paths of the supervisors that gave up in a row, the innermost first, this
            one last.
        limit: What it allows, and what there was, in words.
        timeline: Every failure and restart below it since the first that counted, at each
            level it passed, oldest first. Also a note of the error that comes out of
            `open_tree`.
    """

    def __init__(
        self,
        *,
        path: str,
        child_id: str,
        intensity: int | None,
        period: float,
        failures: Sequence[Failure],
        span: float = 0.0,
        count: int | None = None,
    ) -> None:
        self.path = path
        self.child_id = child_id
        self.intensity = intensity
        self.period = period
        self.failures: tuple[Failure, ...] = tuple(failures)
        cause = self.failures[-1].error
        self.__cause__: BaseException | None = cause
        below = cause.levels if isinstance(cause, RestartLimitExceededError) else ()
        self.levels: tuple[str, ...] = (*below, path)
        self.timeline: tuple[TimelineEntry, ...] = ()
        count = len(self.failures) if count is None else count
        if intensity is None:
            self.limit: str = (
                f"{child_id!r} failed {count} times in a row, all that its backoff "
                "allows"
            )
            super().__init__(
                f"supervisor {path!r} gave up: {self.limit} ({summary(cause)}). "
                "Fix the child, or raise max_attempts or lower reset_after of its backoff."
            )
        else:
            restarts = "1 restart" if count == 1 else f"{count} restarts"
            self.limit = f"{restarts} in {span:.3g} s, its intensity is {intensity} in {period:g} s"
            super().__init__(
                f"supervisor {path!r} gave up: {self.limit}; the last child to fail was "
                f"{child_id!r} ({summary(cause)}). "
                "Fix the child, give it a backoff, or raise intensity or period."
            )


class HeartbeatMissedError(RegrowError):
    """An actor did not answer its health checks: it hung, and was cut off.

    It is what the actor has crashed of, for its supervisor and for the caller of the
    message that it hung in. Its note has the stack, so that a traceback shows it.

    Attributes:
        path: The actor.
        misses: How many checks in a row it did not answer in time.
        seconds: Since when, from the first of these until it was cut off.
        stack: Where it hung before it was cut off, a text for each frame of its tasks, the
            innermost last.
        where: The innermost of its own frames that is neither trio's nor the library's.
    """

    def __init__(
        self,
        path: str,
        misses: int,
        seconds: float,
        stack: Sequence[str],
        where: str = "",
    ) -> None:
        self.path = path
        self.misses = misses
        self.seconds = seconds
        self.stack: tuple[str, ...] = tuple(stack)
        self.where: str = where or (self.stack[-1] if self.stack else "")
        times = "1 health check" if misses == 1 else f"{misses} health checks in a row"
        waiting = f", waiting in {self.where}" if self.where else ""
        super().__init__(
            f"{path!r} hung: it did not answer {times}, for {seconds:.3g} s{waiting}. "
            "Give what it waits for a deadline, move it to a background task, or raise "
            "timeout or misses of its Heartbeat."
        )
        if self.stack:
            self.add_note("\n  ".join(("It hung in", *self.stack)))
