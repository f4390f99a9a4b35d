"""The exceptions of regrow, each for one thing that a caller can do about it.

    RegrowError
    ├── SpecError (ValueError)             a tree is declared wrongly: mend the declaration
    ├── StartFailedError                   a child did not come up; the cause says why
    ├── StartTimeoutError                  a child was not up within its `start_timeout`
    ├── StartCancelledError                a start was given up before the child was up
    ├── RestartLimitExceededError          a supervisor gave up
    ├── HeartbeatMissedError               an actor hung and was cut off
    ├── CallError                          a message got no answer
    │   ├── ActorCrashedError              the actor crashed on it; the cause is the crash
    │   ├── ActorInterruptedError          the actor ended before it had answered
    │   ├── ActorStoppedError              the place is closed: nobody will answer
    │   ├── MailboxFullError               no room, by the mailbox's own policy
    │   ├── MailboxClearedError            it waited, and the restart cleared the mailbox
    │   └── CallCycleError                 the answer would wait for the one who asks
    ├── SupervisorCallError                a supervisor refused a request
    │   ├── ChildExistsError               the name is taken
    │   ├── ChildNotFoundError (LookupError)   no such child
    │   ├── ChildActiveError               not possible while the child runs
    │   ├── ChildForgottenError            a dynamic supervisor keeps no stopped children
    │   └── MaxChildrenError               a dynamic supervisor is full
    ├── MessageError (TypeError)           not a message of that actor, or not its arguments
    ├── NotAnActorError (TypeError)        a factory gave something else than an actor
    ├── UnboundRefError                    a late ref used outside a running tree
    ├── PlaceNotFoundError (LookupError)   no such path in the tree
    ├── NotRunningError                    no incarnation is there just now
    ├── NotInTreeError (RuntimeError)      only a child of a tree can do this
    ├── ControlSocketError (OSError)       no control socket can be had at that path
    ├── AddressError (ValueError)          cannot be listened at
    └── MissingExtraError (ImportError)    a part of regrow needs what is not installed

A message says what happened, where in the tree, and what to do. The fields it is built
from are attributes.

Nothing else of regrow is imported here. Each module of this package has one kind of them,
and knows none but `_base`.
"""

from ._base import (
    RegrowError,
    TimelineEntry,
    members_of as members_of,  # these two are for regrow itself, so not in __all__
    summary as summary,
)
from ._calls import (
    ActorCrashedError,
    ActorInterruptedError,
    ActorStoppedError,
    CallCycleError,
    CallError,
    MailboxClearedError,
    MailboxFullError,
    MessageError,
)
from ._declaring import Finding, NotAnActorError, SpecError
from ._failing import Failure, HeartbeatMissedError, RestartLimitExceededError
from ._outside import AddressError, ControlSocketError, MissingExtraError
from ._places import (
    NotInTreeError,
    NotRunningError,
    PlaceNotFoundError,
    UnboundRefError,
)
from ._requests import (
    ChildActiveError,
    ChildExistsError,
    ChildForgottenError,
    ChildNotFoundError,
    MaxChildrenError,
    SupervisorCallError,
)
from ._starting import StartCancelledError, StartFailedError, StartTimeoutError

__all__ = [
    "ActorCrashedError",
    "ActorInterruptedError",
    "ActorStoppedError",
    "AddressError",
    "CallCycleError",
    "CallError",
    "ChildActiveError",
    "ChildExistsError",
    "ChildForgottenError",
    "ChildNotFoundError",
    "ControlSocketError",
    "Failure",
    "Finding",
    "HeartbeatMissedError",
    "MailboxClearedError",
    "MailboxFullError",
    "MaxChildrenError",
    "MessageError",
    "MissingExtraError",
    "NotAnActorError",
    "NotInTreeError",
    "NotRunningError",
    "PlaceNotFoundError",
    "RegrowError",
    "RestartLimitExceededError",
    "SpecError",
    "StartCancelledError",
    "StartFailedError",
    "StartTimeoutError",
    "SupervisorCallError",
    "TimelineEntry",
    "UnboundRefError",
]

# Users import them from here, so tracebacks and pickles name this module too.
for _name in __all__:
    globals()[_name].__module__ = __name__
