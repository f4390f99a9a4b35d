"""Health checks as values: when an actor is asked, what is a miss, and when it is hung."""

import math

from attrs import define, field, frozen

__all__ = ["Heartbeat", "Pulse"]


@frozen
class Heartbeat:
    """Ask an actor whether it is healthy, and replace it when it does not answer.

    An actor class with `async def check_health(self)` is asked by running that between two
    messages; any other is healthy while it waits for messages or goes on to the next one.

    Attributes:
        every: Seconds from one question to the next, counted from when the child is up. A
            question that is still open then is not asked anew before the time after.
        timeout: Seconds in which an answer has to come; later is a miss. It is also the
            time that a message may take when a question comes while it is in hand.
        misses: The actor is hung at this many misses in a row: it is cut off and has
            crashed with `HeartbeatMissedError`.
    """

    every: float
    timeout: float
    misses: int = 1


@define(eq=False)
class Pulse:
    """The questions to one incarnation, and how many in a row were not answered.

    Attributes:
        question: Number of the last question; 0 before the first.
        waits: Whether that is still to be answered, and not late.
        misses: How many were not answered in time, in a row.
        since: When the first of these was asked.
        due: When the open question is late.
    """

    _rules: Heartbeat
    _up_at: float
    question: int = field(default=0, init=False)
    waits: bool = field(default=False, init=False)
    misses: int = field(default=0, init=False)
    since: float = field(default=0.0, init=False)
    due: float = field(default=0.0, init=False)
    _extended: bool = field(default=False, init=False)

    def next_at(self, now: float) -> float:
        """Give the next time to ask, after *now*; the times do not drift."""
        every = self._rules.every
        passed = math.floor((now - self._up_at) / every)
        following = self._up_at + (passed + 1) * every
        return following if following > now else self._up_at + (passed + 2) * every

    def ask(self, now: float) -> None:
        """Put a question at *now*."""
        self.question += 1
        self.waits = True
        self._extended = False
        self.due = now + self._rules.timeout
        if not self.misses:
            self.since = now

    def answered(self, question: int) -> bool:
        """Take the answer to *question*; tell whether it is the one waited for."""
        if not self.waits or question != self.question:
            return False  # it came late: its miss was counted, and stands
        self.waits = False
        self.misses = 0
        return True

    def moves(self) -> None:
        """It is healthy without having been asked."""
        self.waits = False
        self.misses = 0

    def more_time(self, now: float) -> float:
        """Give the seconds that the open question is to wait on at *now*, 0 for none.

        Whoever looks at the clock late was held up, and so was the actor, by what blocks
        everything: a question gets the seconds lost back, once, and at most its own time.
        """
        if self._extended:
            return 0.0
        self._extended = True
        return min(max(0.0, now - self.due), self._rules.timeout)

    def missed(self) -> bool:
        """Count the open question as a miss; tell whether the actor is hung."""
        self.waits = False
        self.misses += 1
        return self.misses >= self._rules.misses
