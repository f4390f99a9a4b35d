"""Everything that happens in a tree, as typed values for its observers.

Text is made of them at the edge. An event is told when the thing happens, in causal order:
before anything that follows from it.
"""

import math
from typing import Literal

from attrs import frozen

from regrow.errors import RestartLimitExceededError

from .exits import ExitReason

__all__ = [
    "ActorResumed",
    "ActorSuspended",
    "AnswerDiscarded",
    "AutoShutdown",
    "ChildExited",
    "ChildIgnored",
    "ChildRestarting",
    "ChildStartFailed",
    "ChildStarted",
    "ChildStuck",
    "DeadLetter",
    "Event",
    "EventsLost",
    "HeartbeatMissed",
    "LoopBlocked",
    "MessagesDropped",
    "PlaceClosed",
    "RestartLimitExceeded",
    "RestartRate",
]

Kind = Literal["worker", "supervisor"]

CRASHED_ON_IT = "crashed the actor"
"""How the reason of a dead letter begins whose message has crashed the actor."""


@frozen
class Event:
    """What all events have.

    Attributes:
        path: The place it happened at; the root's path is its name.
        incarnation: Which life of that place, from 1; 0 if it never had one.
        at: Seconds on the run's clock (`trio.current_time()`).
    """

    path: str
    incarnation: int
    at: float


@frozen
class ChildStarted(Event):
    """A child, or the root, is up.

    Attributes:
        kind: Whether it is a supervisor.
    """

    kind: Kind


@frozen
class ChildStartFailed(Event):
    """A start has failed, and nothing of it is left.

    Attributes:
        error: Why.
        kind: Whether it is a supervisor.
    """

    error: BaseException
    kind: Kind


@frozen
class ChildIgnored(Event):
    """A child chose not to run (`IgnoreStart`)."""


@frozen
class ChildExited(Event):
    """A child that had been up has ended, and nothing of it is left.

    Attributes:
        reason: How it ended.
        error: What came out of it, if it crashed.
        told: Whether its supervisor had told it to stop.
        expected: Whether a supervisor that told it to stop would expect this end (S43).
        kind: Whether it is a supervisor.
        message: The message that it crashed on, such as `deposit(20)`, in at most 200
            characters and as `__redact__` lets it be shown; empty if there was none in hand.
    """

    reason: ExitReason
    error: BaseException | None
    told: bool
    expected: bool
    kind: Kind
    message: str = ""


@frozen
class ChildRestarting(Event):
    """A supervisor has decided to restart a child.

    Attributes:
        attempt: Failures counted against its limit so far, this one included.
        delay: Seconds until then.
        error: What the child failed of, if there was an exception.
        allowed: Failures that this limit allows; with one more the supervisor gives up.
    """

    attempt: int
    delay: float
    error: BaseException | None
    allowed: float = math.inf


@frozen
class RestartLimitExceeded(Event):
    """A supervisor gives up and is about to stop its children.

    Attributes:
        error: What its parent, or the program, will get.
    """

    error: RestartLimitExceededError


@frozen
class AutoShutdown(Event):
    """A supervisor shuts down because of the end of a significant child.

    Attributes:
        child: Name of that child.
    """

    child: str


@frozen
class ChildStuck(Event):
    """A child that was cut off is still there: it cannot be killed (D7).

    It is told again, after ever longer times, until the child is gone.

    Attributes:
        waited: Seconds since it was cut off.
        stack: Where its tasks wait, a text for each frame, the innermost last.
    """

    waited: float
    stack: tuple[str, ...]


@frozen
class ActorSuspended(Event):
    """An actor begins no message until it is resumed (`Ref.suspend`), or has ended."""


@frozen
class ActorResumed(Event):
    """A suspended actor goes on (`Ref.resume`)."""


@frozen
class HeartbeatMissed(Event):
    """An actor has not answered a health check in time.

    Attributes:
        misses: How many in a row.
        allowed: At how many it is hung, and cut off.
        stack: Where its tasks wait, a text for each frame, the innermost last.
    """

    misses: int
    allowed: int
    stack: tuple[str, ...]


@frozen
class LoopBlocked(Event):
    """Code that does not await has kept the whole program from going on; it is over.

    The watchdog has told of it in the log while it lasted. Where no place of the tree was
    responsible, the path is the root's and the incarnation is 0.

    Attributes:
        seconds: How long.
        stack: What blocked it, a text for each frame, the innermost last.
    """

    seconds: float
    stack: tuple[str, ...]


@frozen
class DeadLetter(Event):
    """A cast that nobody has handled, or not to the end.

    Attributes:
        message: Name of the method.
        reason: Why, in words.
    """

    message: str
    reason: str


@frozen
class AnswerDiscarded(Event):
    """A cast was answered with an exception that `@raises` names; nobody waits for it.

    Attributes:
        message: Name of the method.
        error: The answer.
    """

    message: str
    error: BaseException


@frozen
class MessagesDropped(Event):
    """A full mailbox has dropped messages, by its policy.

    Attributes:
        count: How many since the last such event of this place.
        policy: `drop_oldest`, `drop_newest`, or `tick` for timers that found no room.
    """

    count: int
    policy: str


@frozen
class RestartRate(Event):
    """A place is restarted often: an alert, told once until it is quieter again.

    Attributes:
        per_minute: Its restarts in the last minute.
    """

    per_minute: float


@frozen
class EventsLost(Event):
    """In a stream of events: its reader was too slow, and the oldest were dropped.

    Its path is the root's. Only that stream has it.

    Attributes:
        count: How many were dropped here.
    """

    count: int


@frozen
class PlaceClosed(Event):
    """A place takes no more messages, until it is restarted by request or with its group.

    Attributes:
        why: In words.
    """

    why: str
