"""The delay before a restart, and how often it may be tried (D5)."""

import math
from collections import deque
from collections.abc import Callable

from attrs import define, field, frozen

from regrow.errors import Failure

__all__ = ["Backoff", "FailureRow"]

KEPT = 16  # failures of a row kept for the error; the row itself may be endless


@frozen
class Backoff:
    """Delay the restarts of a child, with a budget of its own.

    Such restarts do not count in the supervisor's window.

    Attributes:
        initial: Seconds before the first restart.
        factor: What the delay is multiplied with after each further failure in a row.
        maximum: Seconds that no delay exceeds.
        jitter: Part of each delay, from 0 to 1, that is drawn at random: a delay `d`
            becomes a number between `d * (1 - jitter)` and `d`. 1 is full jitter.
        reset_after: Seconds of uptime after which a failure counts as the first again.
        max_attempts: The supervisor gives up at this many failures in a row; the first
            failure is one of them. `math.inf` for never.
    """

    initial: float = 0.1
    factor: float = 2.0
    maximum: float = 30.0
    jitter: float = 0.1
    reset_after: float = 60.0
    max_attempts: float = math.inf

    def delay(self, failures: int, draw: Callable[[], float]) -> float:
        """Give the seconds to wait after the *failures*-th failure in a row.

        Args:
            failures: From 1.
            draw: Gives a random number from 0 (included) to 1 (not included); called
                once, and only where there is jitter.
        """
        try:
            whole = min(self.initial * self.factor ** (failures - 1), self.maximum)
        except OverflowError:
            whole = self.maximum if self.initial else 0.0
        return whole * (1.0 - self.jitter * draw()) if self.jitter else whole


@define(eq=False)
class FailureRow:
    """The failures of one child with too little uptime between them."""

    _backoff: Backoff
    count: int = field(default=0, init=False)
    _recent: deque[Failure] = field(factory=lambda: deque(maxlen=KEPT), init=False)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The last failures of the row, oldest first, at most 16."""
        return tuple(self._recent)

    def used(self, uptime: float) -> int:
        """Give how many failures a next one would be added to, after *uptime* seconds."""
        return 0 if uptime >= self._backoff.reset_after else self.count

    def record(self, failure: Failure, *, uptime: float) -> bool:
        """Count a failure after *uptime* seconds; tell whether it may be tried again."""
        if uptime >= self._backoff.reset_after:
            self.count = 0
            self._recent.clear()
        self.count += 1
        self._recent.append(failure)
        return self.count < self._backoff.max_attempts
