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
from are attributes. Nothing of regrow is imported here.
"""

from collections.abc import Sequence

from attrs import field, frozen

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


class RegrowError(Exception):
    """What every exception of regrow is."""


def summary(error: BaseException | None) -> str:
    """Give one line for *error*: its type and, when there is one, its text."""
    if error is None:
        return "no exception"
    try:
        text = str(error).strip()
    except Exception:  # noqa: BLE001 - it must not hide the error that it is about
        text = "its text cannot be made"
    first = text.splitlines()[0] if text else ""
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


@frozen
class Finding:
    """One fault in a declared tree.

    Attributes:
        code: Stable short name of the kind of fault, such as `duplicate_child_name`.
        place: Path of the spec at fault, from the outermost supervisor seen.
        message: What was expected and what came.
        remedy: What to write instead.
    """

    code: str
    place: str
    message: str
    remedy: str

    def __str__(self) -> str:
        """Give the finding as one line."""
        return f"{self.place}: {self.message} [{self.code}]. {self.remedy}"


class SpecError(RegrowError, ValueError):
    """A tree is declared wrongly; nothing of it was started.

    Attributes:
        findings: Every fault found, in the order of the declaration.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(findings)
        count = len(self.findings)
        head = "1 fault" if count == 1 else f"{count} faults"
        lines = "".join(f"\n  {finding}" for finding in self.findings)
        super().__init__(f"{head} in the declared tree:{lines}")


@frozen
class TimelineEntry:
    """One of the things that led to the end of a supervisor.

    Attributes:
        at: When, in seconds of the run's clock.
        path: The place it happened at.
        incarnation: Which life of that place.
        what: In words, such as `crashed` or `restarts now (attempt 2)`.
        error: The exception, if there was one. Of failures long ago it has no traceback.
    """

    at: float
    path: str
    incarnation: int
    what: str
    error: BaseException | None = field(repr=summary)


class StartFailedError(RegrowError):
    """A child did not come up. `__cause__` is why.

    There is one of these for each level of the tree between the supervisor that was being
    started and the child that failed, so that the path and the cause can both be read.

    Attributes:
        path: The child that did not come up.
        child_id: Its name among its siblings.
        timeline: What happened before, oldest first, where it comes out of `open_tree`;
            else empty.
    """

    def __init__(self, path: str, cause: BaseException) -> None:
        self.path = path
        self.timeline: tuple[TimelineEntry, ...] = ()
        self.child_id: str = path.rpartition("/")[2]
        self.__cause__: BaseException | None = cause
        root = self.root_cause
        last = self.failed_path
        via = "" if last == path else f" because {last!r} did not"
        super().__init__(
            f"{path!r} did not start{via} ({summary(root)}). "
            "Mend the cause, or declare the child with start='retry' if it may come later."
        )

    @property
    def root_cause(self) -> BaseException:
        """The child's own exception, below every level of the tree."""
        error: BaseException = self
        while isinstance(error, StartFailedError) and error.__cause__ is not None:
            error = error.__cause__
        return error

    @property
    def failed_path(self) -> str:
        """Path of the child at the bottom whose own start failed."""
        error: StartFailedError = self
        while isinstance(error.__cause__, StartFailedError):
            error = error.__cause__
        return error.path


class StartTimeoutError(RegrowError):
    """A child was not up within its `start_timeout`; its start was cancelled."""

    def __init__(self, path: str, seconds: float) -> None:
        self.path = path
        self.seconds = seconds
        super().__init__(
            f"{path!r} was not up within its start_timeout of {seconds:g} s. "
            "Raise start_timeout, or do less before the child says it is up."
        )


class StartCancelledError(RegrowError):
    """The start was given up: its supervisor was stopped, or its caller gave up."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"the start of {path!r} was given up: its supervisor is stopping, or the caller "
            "of start_child gave up. Nothing of it is left."
        )


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


class CallError(RegrowError):
    """A message was not answered.

    Attributes:
        path: The place that the message was sent to.
        message: Name of the method, `""` for a request to a supervisor or tree.
        origin: What stands for the tree that the place is in; `None` if unknown.
    """

    def __init__(self, path: str, message: str, text: str) -> None:
        self.path = path
        self.message = message
        self.origin: object = None
        super().__init__(text)


class ActorCrashedError(CallError):
    """The actor crashed on this message; `__cause__` is the crash.

    Attributes:
        incarnation: Which life of the actor it was.
    """

    def __init__(
        self, path: str, message: str, incarnation: int, cause: BaseException
    ) -> None:
        self.incarnation = incarnation
        self.__cause__: BaseException | None = cause
        super().__init__(
            path,
            message,
            f"{path!r} (incarnation {incarnation}) crashed on {message!r} "
            f"({summary(cause)}). The message is not handled again: send it anew if that "
            "is safe, or name the exception with @raises if it is an answer.",
        )


class ActorInterruptedError(CallError):
    """The actor was cut off, or ended, before it had answered this message.

    Attributes:
        incarnation: Which life of the actor it was; 0 for a supervisor.
    """

    def __init__(self, path: str, message: str, incarnation: int, why: str) -> None:
        self.incarnation = incarnation
        who = f"{path!r} (incarnation {incarnation})" if incarnation else repr(path)
        what = repr(message) if message else "the request"
        super().__init__(
            path,
            message,
            f"{who} {why} before it had answered {what}. "
            "It may have been handled in part: send it anew if that is safe.",
        )


class ActorStoppedError(CallError):
    """The place is closed: its child has ended for good, or its tree is stopping.

    Attributes:
        why: In words.
        gone: Whether the place is gone too, so that nothing opens it again.
        forgotten: Whether its supervisor knows it no more: it was deleted, or is a
            temporary one that has ended.
    """

    def __init__(
        self,
        path: str,
        message: str,
        why: str,
        *,
        gone: bool = False,
        forgotten: bool = False,
    ) -> None:
        self.why = why
        self.gone = gone
        self.forgotten = forgotten
        what = f"; {message!r} was not handled" if message else ""
        if gone:
            back = "It does not come back."
        elif forgotten:
            back = "Only a restart of its supervisor brings it back."
        else:
            back = "Only restart_child, or a restart of its group, brings it back."
        super().__init__(path, message, f"{path!r} {why}{what}. {back}")


class MailboxFullError(CallError):
    """There was no room for this message, by the policy of the mailbox.

    Attributes:
        capacity: How many messages the mailbox holds.
        policy: What it does when full.
    """

    def __init__(self, path: str, message: str, capacity: float, policy: str) -> None:
        self.capacity = capacity
        self.policy = policy
        super().__init__(
            path,
            message,
            f"the mailbox of {path!r} is full (capacity {capacity:g}, policy {policy!r}): "
            f"{message!r} was not taken. Send less, await room with cast(), or give it a "
            "larger Mailbox.",
        )


class MailboxClearedError(CallError):
    """The message waited when the actor was restarted, and its mailbox clears then."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(
            path,
            message,
            f"{path!r} was restarted and its mailbox was cleared (on_restart='clear'): "
            f"{message!r} was not handled. Send it anew.",
        )


class CallCycleError(CallError):
    """The answer would have to wait for the one who asks.

    Attributes:
        circle: Paths in the order of waiting; the first waits for the second and so on,
            the last for the first.
    """

    def __init__(
        self, path: str, message: str, circle: Sequence[str], *, full: bool = False
    ) -> None:
        self.circle: tuple[str, ...] = tuple(circle)
        way = " -> ".join(repr(step) for step in (*self.circle, self.circle[0]))
        room = " (the mailbox is full and it waits for room)" if full else ""
        what = repr(message) if message else "the request"
        super().__init__(
            path,
            message,
            f"{what} to {path!r} can never be answered{room}: {way}. "
            "Use cast, return a Deferred, or call from a background task.",
        )


class SupervisorCallError(RegrowError):
    """A supervisor refused a request; nothing was changed.

    Attributes:
        path: The supervisor.
        child_id: The child that the request was about.
        code: OTP's word for the refusal.
    """

    def __init__(self, path: str, child_id: str, code: str, text: str) -> None:
        self.path = path
        self.child_id = child_id
        self.code = code
        super().__init__(text)


class ChildExistsError(SupervisorCallError):
    """The name is taken. `code` is `already_started` or `already_present`."""

    def __init__(self, path: str, child_id: str, *, started: bool) -> None:
        code = "already_started" if started else "already_present"
        state = (
            "runs already" if started else "is known already, though it does not run"
        )
        remedy = (
            "Use another name."
            if started
            else "Use restart_child, or delete_child before start_child."
        )
        super().__init__(
            path, child_id, code, f"{child_id!r} of {path!r} {state}. {remedy}"
        )


class ChildNotFoundError(SupervisorCallError, LookupError):
    """The supervisor has no child of that name. `code` is `not_found`."""

    def __init__(self, path: str, child_id: str) -> None:
        super().__init__(
            path,
            child_id,
            "not_found",
            f"supervisor {path!r} has no child {child_id!r}. "
            "which_children() lists those it has.",
        )


class ChildActiveError(SupervisorCallError):
    """Not possible unless the child is stopped. `code` is `running` or `restarting`."""

    def __init__(self, path: str, child_id: str, *, restarting: bool) -> None:
        code = "restarting" if restarting else "running"
        super().__init__(
            path,
            child_id,
            code,
            f"{child_id!r} of {path!r} is {code}. Use terminate_child first.",
        )


class ChildForgottenError(SupervisorCallError):
    """A dynamic supervisor keeps no stopped children to restart or delete."""

    def __init__(self, path: str, child_id: str) -> None:
        super().__init__(
            path,
            child_id,
            "simple_one_for_one",
            f"dynamic supervisor {path!r} forgets its children when they end: {child_id!r} "
            "cannot be restarted or deleted. Use start_child with a spec.",
        )


class MaxChildrenError(SupervisorCallError):
    """The dynamic supervisor has as many children as it may. `code` is `max_children`.

    Attributes:
        max_children: How many that is; restarting ones count.
    """

    def __init__(self, path: str, child_id: str, max_children: float) -> None:
        self.max_children = max_children
        super().__init__(
            path,
            child_id,
            "max_children",
            f"dynamic supervisor {path!r} has its {max_children:g} children: {child_id!r} "
            "was not started. Wait until one ends, or raise max_children.",
        )


class MessageError(RegrowError, TypeError):
    """Not a message of that actor, or not with these arguments; the actor lives on.

    Attributes:
        path: The place that it was sent to.
        text: What is wrong with it.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        super().__init__(f"message to {path!r}: {text}")


class NotAnActorError(RegrowError, TypeError):
    """A child's factory gave something that is no actor."""

    def __init__(self, path: str, got: object) -> None:
        self.path = path
        super().__init__(
            f"the factory of {path!r} gave {got!r}, which is no Actor. Let it return an "
            "instance of an Actor class, or pass an async function for a service."
        )


class UnboundRefError(RegrowError):
    """A late ref was used outside a running tree."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the ref of {name!r} belongs to a declaration, not to a running tree. "
            "Pass it to a child, which gets the live one, or use tree[spec]."
        )


class PlaceNotFoundError(RegrowError, LookupError):
    """The tree has no such place.

    Attributes:
        path: What was asked for.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        super().__init__(text)


class NotRunningError(RegrowError):
    """The place has no incarnation just now that this could be done to.

    Attributes:
        path: The place.
        status: What it does instead: `starting`, `restarting`, `stopping` or `stopped`.
        what: What was asked for.
    """

    def __init__(self, path: str, status: str, what: str) -> None:
        self.path = path
        self.status = status
        self.what = what
        remedy = (
            "Nobody will start it but by restart_child of its supervisor"
            if status == "stopped"
            else "Try again when tree.snapshot(path) says that it is running"
        )
        super().__init__(f"{path!r} is {status}, so there is {what}. {remedy}.")


class NotInTreeError(RegrowError, RuntimeError):
    """Only a child of a running tree can do this."""


class ControlSocketError(RegrowError, OSError):
    """A control socket cannot be made at a path, or nobody answers there.

    Attributes:
        path: The path.
        text: Why not, and what to do.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        super().__init__(f"control socket {path!r}: {text}.")


class AddressError(RegrowError, ValueError):
    """An address to listen at is none, or cannot be had; nothing was started.

    Attributes:
        address: What was given.
    """

    def __init__(self, address: str, why: str) -> None:
        self.address = address
        super().__init__(f"{address!r} {why}.")


class MissingExtraError(RegrowError, ImportError):
    """A part of regrow needs libraries that its own installation does not bring.

    Attributes:
        extra: What brings them.
        missing: The one that was looked for.
    """

    def __init__(self, extra: str, missing: str) -> None:
        self.extra = extra
        self.missing = missing
        super().__init__(
            f"{missing!r} is not installed, which regrow.observe.{extra} needs. "
            f"Run: pip install 'regrow[{extra}]'"
        )
