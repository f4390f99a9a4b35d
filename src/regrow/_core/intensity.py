"""The restart window of a supervisor (S35, S36) and the clock it is read on (D3)."""

from collections import deque
from enum import Enum

from attrs import define, field

from regrow.errors import Failure

__all__ = ["RestartWindow", "Verdict", "WorkClock"]


class Verdict(Enum):
    """Whether a supervisor may make one more restart."""

    WITHIN = "within"
    EXCEEDED = "exceeded"


@define(eq=False)
class RestartWindow:
    """The restart attempts of one life of a supervisor, one list for all its children.

    Attributes:
        intensity: Restarts allowed within any closed interval of `period` seconds.
        period: Seconds, more than 0.
    """

    intensity: int
    period: float
    _attempts: deque[tuple[float, Failure]] = field(
        factory=deque[tuple[float, Failure]], init=False
    )

    @property
    def last(self) -> float:
        """Time of the latest attempt; minus infinity when there is none."""
        return self._attempts[-1][0] if self._attempts else float("-inf")

    @property
    def count(self) -> int:
        """How many attempts were inside the window at the latest one."""
        return len(self._attempts)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The failures inside the window at the latest attempt, oldest first."""
        return tuple(failure for _, failure in self._attempts)

    def used(self, now: float) -> int:
        """Count the attempts inside the window at *now*, recording none.

        Args:
            now: Seconds on the clock used for `record`.
        """
        attempts = self._attempts
        if not attempts or now - attempts[-1][0] > self.period:
            return 0
        return sum(now - at <= self.period for at, _ in attempts)

    @property
    def span(self) -> float:
        """Seconds between the oldest attempt inside the window and the latest."""
        return self._attempts[-1][0] - self._attempts[0][0] if self._attempts else 0.0

    def record(self, now: float, failure: Failure) -> Verdict:
        """Count one restart attempt and judge whether the supervisor may go on.

        Args:
            now: Seconds on the clock used for every earlier call; never less than then.
            failure: What asks for the restart.

        Returns:
            `WITHIN` while the closed interval `[now - period, now]` holds at most
            `intensity` attempts, this one included, else `EXCEEDED`.

        Raises:
            ValueError: *now* is earlier than the last recorded attempt.

        Source: OTP Design Principles, "Maximum Restart Intensity"; S35. OTP counts in
        whole seconds, which makes its window up to a second longer; here it is exact.
        """
        if now < self.last:
            msg = f"attempt at {now} is earlier than the last one at {self.last}"
            raise ValueError(msg)
        attempts = self._attempts
        attempts.append((now, failure))
        while now - attempts[0][0] > self.period:
            attempts.popleft()
        return Verdict.WITHIN if len(attempts) <= self.intensity else Verdict.EXCEEDED


@define(eq=False)
class WorkClock:
    """A supervisor's own clock: it stands still while a restart is carried out (D3).

    With it, restarts that are slow cannot hide an endless loop (T22). It shows the time of
    the world less what restarts took; where that is nothing it shows that time exactly.
    """

    _busy: float = field(default=0.0, init=False)
    _back: float = field(default=0.0, init=False)
    _since: float | None = field(default=None, init=False)
    _shown: float = field(default=float("-inf"), init=False)
    """What it showed last: rounding must not let it go back."""

    def read(self, now: float) -> float:
        """Give the time on this clock when it is *now* in the world."""
        self._shown = self.peek(now)
        return self._shown

    def peek(self, now: float) -> float:
        """Give what `read` would, without a trace: for those who only look."""
        standing = now if self._since is None else self._since
        return max(self._shown, standing - (self._busy + self._back))

    def stop(self, now: float) -> None:
        """Let the clock stand still from *now*; nothing if it does already."""
        if self._since is None:
            self._since = now

    def resume(self, now: float) -> None:
        """Let the clock run on from *now*; nothing if it runs."""
        if self._since is not None:
            self._busy += now - self._since
            self._since = None

    def set_back(self, seconds: float, *, now: float, floor: float) -> None:
        """Take off the time that restarts took inside a child that gave up.

        The clock is never set back past *floor*, the time of the last attempt: what is
        before that has been judged already.
        """
        shown = self.read(now)
        taken = max(0.0, min(seconds, shown - floor))
        self._back += taken
        self._shown = max(floor, shown - taken)

    def busy(self, now: float) -> float:
        """Seconds that restarts took in this life, here and in children that gave up."""
        running = 0.0 if self._since is None else now - self._since
        return self._busy + self._back + running
