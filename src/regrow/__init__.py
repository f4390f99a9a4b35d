"""Actors and supervision trees for trio, right by Erlang/OTP's own rules."""

from regrow._core.advice.model import Advice as Advice
from regrow._core.advice.rules import check as check
from regrow._core.backoff import Backoff as Backoff
from regrow._core.events import (
    ActorResumed as ActorResumed,
    ActorSuspended as ActorSuspended,
    AnswerDiscarded as AnswerDiscarded,
    AutoShutdown as AutoShutdown,
    ChildExited as ChildExited,
    ChildIgnored as ChildIgnored,
    ChildRestarting as ChildRestarting,
    ChildStarted as ChildStarted,
    ChildStartFailed as ChildStartFailed,
    ChildStuck as ChildStuck,
    DeadLetter as DeadLetter,
    Event as Event,
    EventsLost as EventsLost,
    HeartbeatMissed as HeartbeatMissed,
    LoopBlocked as LoopBlocked,
    MessagesDropped as MessagesDropped,
    PlaceClosed as PlaceClosed,
    RestartLimitExceeded as RestartLimitExceeded,
    RestartRate as RestartRate,
)
from regrow._core.exits import ExitReason as ExitReason
from regrow._core.health import (
    Health as Health,
    HealthReason as HealthReason,
)
from regrow._core.heartbeat import Heartbeat as Heartbeat
from regrow._core.snapshot import (
    FailureSnapshot as FailureSnapshot,
    PlaceSnapshot as PlaceSnapshot,
)
from regrow._core.specs import Mailbox as Mailbox
from regrow._core.steps import (
    ChildCounts as ChildCounts,
    ChildInfo as ChildInfo,
)
from regrow._embed.opening import open_tree as open_tree
from regrow._embed.serving import (
    run_tree as run_tree,
    serve_tree as serve_tree,
)
from regrow._runtime.actor import (
    Actor as Actor,
    Timer as Timer,
    grace as grace,
    raises as raises,
)
from regrow._runtime.context import (
    PathFilter as PathFilter,
    current_path as current_path,
)
from regrow._runtime.declare import (
    child as child,
    dynamic as dynamic,
    supervisor as supervisor,
)
from regrow._runtime.messages import Deferred as Deferred
from regrow._runtime.monitor import (
    Down as Down,
    Monitor as Monitor,
)
from regrow._runtime.ref import (
    Ref as Ref,
    ServiceRef as ServiceRef,
)
from regrow._runtime.requests import SupervisorRef as SupervisorRef
from regrow._runtime.signals import (
    IgnoreStart as IgnoreStart,
    Shutdown as Shutdown,
)
from regrow._runtime.specs import (
    ActorSpec as ActorSpec,
    AnyRef as AnyRef,
    AnySpec as AnySpec,
    Dynamic as Dynamic,
    ServiceSpec as ServiceSpec,
    Supervisor as Supervisor,
)
from regrow._runtime.stream import EventStream as EventStream
from regrow._runtime.tree import Tree as Tree
from regrow.errors import (
    ActorCrashedError as ActorCrashedError,
    ActorInterruptedError as ActorInterruptedError,
    ActorStoppedError as ActorStoppedError,
    AddressError as AddressError,
    CallCycleError as CallCycleError,
    CallError as CallError,
    ChildActiveError as ChildActiveError,
    ChildExistsError as ChildExistsError,
    ChildForgottenError as ChildForgottenError,
    ChildNotFoundError as ChildNotFoundError,
    ControlSocketError as ControlSocketError,
    Failure as Failure,
    Finding as Finding,
    HeartbeatMissedError as HeartbeatMissedError,
    MailboxClearedError as MailboxClearedError,
    MailboxFullError as MailboxFullError,
    MaxChildrenError as MaxChildrenError,
    MessageError as MessageError,
    MissingExtraError as MissingExtraError,
    NotAnActorError as NotAnActorError,
    NotInTreeError as NotInTreeError,
    NotRunningError as NotRunningError,
    PlaceNotFoundError as PlaceNotFoundError,
    RegrowError as RegrowError,
    RestartLimitExceededError as RestartLimitExceededError,
    SpecError as SpecError,
    StartCancelledError as StartCancelledError,
    StartFailedError as StartFailedError,
    StartTimeoutError as StartTimeoutError,
    SupervisorCallError as SupervisorCallError,
    TimelineEntry as TimelineEntry,
    UnboundRefError as UnboundRefError,
)

__all__ = [
    "Actor",
    "ActorCrashedError",
    "ActorInterruptedError",
    "ActorResumed",
    "ActorSpec",
    "ActorStoppedError",
    "ActorSuspended",
    "AddressError",
    "Advice",
    "AnswerDiscarded",
    "AnyRef",
    "AnySpec",
    "AutoShutdown",
    "Backoff",
    "CallCycleError",
    "CallError",
    "ChildActiveError",
    "ChildCounts",
    "ChildExistsError",
    "ChildExited",
    "ChildForgottenError",
    "ChildIgnored",
    "ChildInfo",
    "ChildNotFoundError",
    "ChildRestarting",
    "ChildStartFailed",
    "ChildStarted",
    "ChildStuck",
    "ControlSocketError",
    "DeadLetter",
    "Deferred",
    "Down",
    "Dynamic",
    "Event",
    "EventStream",
    "EventsLost",
    "ExitReason",
    "Failure",
    "FailureSnapshot",
    "Finding",
    "Health",
    "HealthReason",
    "Heartbeat",
    "HeartbeatMissed",
    "HeartbeatMissedError",
    "IgnoreStart",
    "LoopBlocked",
    "Mailbox",
    "MailboxClearedError",
    "MailboxFullError",
    "MaxChildrenError",
    "MessageError",
    "MessagesDropped",
    "MissingExtraError",
    "Monitor",
    "NotAnActorError",
    "NotInTreeError",
    "NotRunningError",
    "PathFilter",
    "PlaceClosed",
    "PlaceNotFoundError",
    "PlaceSnapshot",
    "Ref",
    "RegrowError",
    "RestartLimitExceeded",
    "RestartLimitExceededError",
    "RestartRate",
    "ServiceRef",
    "ServiceSpec",
    "Shutdown",
    "SpecError",
    "StartCancelledError",
    "StartFailedError",
    "StartTimeoutError",
    "Supervisor",
    "SupervisorCallError",
    "SupervisorRef",
    "TimelineEntry",
    "Timer",
    "Tree",
    "UnboundRefError",
    "check",
    "child",
    "current_path",
    "dynamic",
    "grace",
    "open_tree",
    "raises",
    "run_tree",
    "serve_tree",
    "supervisor",
]
