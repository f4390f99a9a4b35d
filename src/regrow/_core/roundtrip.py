"""When to ask an event loop whether it comes round, and when to say that it does not.

A loop that has nothing to do is not asked, as that would wake it. One that does not answer
within a limit is blocked: that is said at the limit, at twice that, and so on with doubled
waits, until the answer comes.
"""

from enum import Enum, auto

from attrs import define, field

__all__ = ["Look", "RoundTrip"]

LOOKS = 4  # in the time of the limit: so much of it, at most, comes on top of it


class Look(Enum):
    """What a look at the loop has shown."""

    NOTHING = auto()
    """Nothing to do: it is idle, or has still time to answer."""
    ASK = auto()
    """Ask it now."""
    BLOCKED = auto()
    """It has not answered in time: say so."""


@define(eq=False)
class RoundTrip:
    """The question to a loop.

    Attributes:
        limit: Seconds in which the loop has to come round.
        asked_at: When it was asked and has not answered yet; `None` if it was not.
    """

    limit: float
    asked_at: float | None = field(default=None, init=False)
    _say_at: float = field(default=0.0, init=False)

    def look(self, now: float, *, idle: bool) -> Look:
        """Judge the loop at *now*.

        Args:
            now: Seconds on any clock that does not go back.
            idle: Whether the loop was seen to run no task.
        """
        asked_at = self.asked_at
        if asked_at is None:
            if idle:
                return Look.NOTHING
            self.asked_at = now
            self._say_at = now + self.limit
            return Look.ASK
        if now < self._say_at:
            return Look.NOTHING
        self._say_at = asked_at + 2 * (now - asked_at)
        return Look.BLOCKED

    def answered(self, now: float) -> float:
        """Take the answer; give the seconds it took."""
        asked_at, self.asked_at = self.asked_at, None
        return 0.0 if asked_at is None else now - asked_at

    def pause(self, now: float) -> float:
        """Give the seconds until the next look."""
        pause = self.limit / LOOKS
        if self.asked_at is None:
            return pause
        # Not longer than until it has to be said, and never without a rest.
        return min(pause, max(self._say_at - now, pause / LOOKS))
