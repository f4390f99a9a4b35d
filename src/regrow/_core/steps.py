"""What goes into a supervisor's machine and what comes out of it.

Events are reported by whoever carries out the steps. A child is named by its name and by
its *run*, a number that the machine gives each start; an event of another run is an old
one and is ignored (T6).

Nobody changes one of these values. Those that callers never get are not frozen all the same:
that would double what it takes to make one, and each start, stop and crash makes four or
five.
"""

from enum import Enum
from typing import Literal, TypeAlias

from attrs import define, frozen

from regrow.errors import RegrowError

from .exits import Exit
from .specs import ChildSpec

__all__ = [
    "AbandonCall",
    "Answer",
    "Ask",
    "Begin",
    "CancelStart",
    "CancelTimer",
    "ChildCounts",
    "ChildInfo",
    "ChildUp",
    "ClosePlace",
    "CountChildren",
    "DeleteChild",
    "Drain",
    "Ending",
    "Event",
    "Exited",
    "Finished",
    "GetChildSpec",
    "Ignored",
    "Outcome",
    "RemovePlace",
    "Reply",
    "Request",
    "RestartChild",
    "RestartDecided",
    "StartChild",
    "StartFailed",
    "StartNewChild",
    "StartTimer",
    "Started",
    "Step",
    "StopChild",
    "StopRequested",
    "TerminateChild",
    "TimerDue",
    "Up",
    "WhichChildren",
]


# ---------------------------------------------------------------- requests of callers


@define
class StartNewChild:
    """`start_child`: a child added at run time (S14)."""

    spec: ChildSpec


@define
class TerminateChild:
    """`terminate_child` (S15)."""

    name: str


@define
class RestartChild:
    """`restart_child` (S16)."""

    name: str


@define
class DeleteChild:
    """`delete_child` (S17)."""

    name: str


@define
class GetChildSpec:
    """`get_child_spec` (S18)."""

    name: str


@define
class WhichChildren:
    """`which_children` (S19)."""


@define
class CountChildren:
    """`count_children` (S20)."""


Request: TypeAlias = (
    StartNewChild
    | TerminateChild
    | RestartChild
    | DeleteChild
    | GetChildSpec
    | WhichChildren
    | CountChildren
)


@frozen
class ChildInfo:
    """One child as its supervisor sees it.

    Attributes:
        name: Unique among its siblings.
        status: `stopped` is OTP's `undefined`: known, but not running.
        kind: OTP's type of the child.
    """

    name: str
    status: Literal["running", "restarting", "stopped"]
    kind: Literal["worker", "supervisor"]


@frozen
class ChildCounts:
    """How many children a supervisor has (S20).

    Attributes:
        specs: All that it knows.
        active: Those that run.
        supervisors: Known ones that are supervisors, running or not.
        workers: Known ones that are not, running or not.
    """

    specs: int
    active: int
    supervisors: int
    workers: int


@define
class ChildUp:
    """Answer to `start_child` and `restart_child`: the child has been started.

    Attributes:
        name: The child.
        ignored: Whether its start was ignored, so that it does not run (S9).
    """

    name: str
    ignored: bool = False


Answer: TypeAlias = (
    ChildUp | ChildSpec | tuple[ChildInfo, ...] | ChildCounts | RegrowError | None
)


# ------------------------------------------------------------------------- events in


@define
class Begin:
    """Start the declared children, in order."""


@define
class Started:
    """The child is up."""

    name: str
    run: int


@define
class StartFailed:
    """The child did not come up, and nothing of it is left (S13)."""

    name: str
    run: int
    error: BaseException


@define
class Ignored:
    """The child chose not to run (S9)."""

    name: str
    run: int


@define
class Exited:
    """The child, which had been up, has ended and nothing of it is left."""

    name: str
    run: int
    exit: Exit


@define
class TimerDue:
    """The delay of a restart is over."""

    name: str
    token: int


@define
class StopRequested:
    """Stop all children and finish.

    Attributes:
        final: Whether the supervisor is not coming back, so that places close.
        before: Ends of children that came before it but will be reported after it, since a
            stop is heard at once. They restart nothing any more, but they count.
    """

    final: bool
    before: tuple[Exited, ...] = ()


@define
class Drain:
    """The whole tree is stopping: restart and start nothing more (T17).

    A supervisor that is ending already will not come back.
    """


@define
class Ask:
    """A caller's request; it waits in line (S22)."""

    ticket: int
    request: Request


@define
class AbandonCall:
    """The caller has given up: skip the request, cancel a start under way for it (D6)."""

    ticket: int


Event: TypeAlias = (
    Begin
    | Started
    | StartFailed
    | Ignored
    | Exited
    | TimerDue
    | StopRequested
    | Drain
    | Ask
    | AbandonCall
)


# ------------------------------------------------------------------------- steps out


@define
class StartChild:
    """Start it; report `Started`, `StartFailed` or `Ignored`, and `Exited` after `Started`."""

    name: str
    run: int


@define
class CancelStart:
    """Cancel the start under way; report how it ended all the same."""

    name: str
    run: int


@define
class StopChild:
    """Tell it to stop, cut it when its time is up, report `Exited`.

    Attributes:
        name: The child.
        run: Which start of it.
        final: Whether it will not come back by itself: its place closes now.
    """

    name: str
    run: int
    final: bool


@define
class ClosePlace:
    """The child stays down until somebody asks for it: its place closes."""

    name: str


@define
class RemovePlace:
    """The child is forgotten: its place closes and goes."""

    name: str


@define
class StartTimer:
    """Report `TimerDue` in *delay* seconds."""

    name: str
    token: int
    delay: float


@define
class CancelTimer:
    """The timer is no longer wanted."""

    name: str
    token: int


@define
class Reply:
    """Answer a request."""

    ticket: int
    answer: Answer


@define
class Up:
    """Every declared child has had its start: the supervisor itself is up."""


@define
class RestartDecided:
    """A child will be restarted; told before anything is done about it.

    Attributes:
        name: The child that failed.
        attempt: Failures counted against its limit so far, this one included.
        delay: Seconds until the restart.
        error: What it failed of, if there was an exception.
        allowed: Failures that its limit allows.
    """

    name: str
    attempt: int
    delay: float
    error: BaseException | None
    allowed: float


class Outcome(Enum):
    """Why a supervisor ended."""

    STOPPED = "stopped"
    AUTO_SHUTDOWN = "auto_shutdown"
    GAVE_UP = "gave_up"
    START_FAILED = "start_failed"


@define
class Ending:
    """The supervisor has decided to end; told before any child is stopped.

    Attributes:
        outcome: Why.
        error: What its parent will see, where it failed.
        child: The child whose end brought it about; `""` where there is none.
    """

    outcome: Outcome
    error: RegrowError | None
    child: str = ""


@define
class Finished:
    """No child is left.

    Attributes:
        outcome: Why it ended.
        error: What its parent will see, where it failed.
        busy: Seconds of its life that restarts took (D3).
        waiting: Requests that were not begun, in order; they wait for the next life.
    """

    outcome: Outcome
    error: RegrowError | None
    busy: float
    waiting: tuple[Ask, ...] = ()


Step: TypeAlias = (
    StartChild
    | CancelStart
    | StopChild
    | ClosePlace
    | RemovePlace
    | StartTimer
    | CancelTimer
    | Reply
    | Up
    | RestartDecided
    | Ending
    | Finished
)
