"""What a sender gets whose message was not answered, or was none."""

from collections.abc import Sequence

from ._base import RegrowError, summary

__all__ = [
    "ActorCrashedError",
    "ActorInterruptedError",
    "ActorStoppedError",
    "CallCycleError",
    "CallError",
    "MailboxClearedError",
    "MailboxFullError",
    "MessageError",
]


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
        supervisor = path.rpartition("/")[0]
        if supervisor in self.circle[2:3]:  # what is asked waits for it
            remedy = (
                f"{path!r} is down, and {supervisor!r} starts it only when others have "
                "started or stopped. In a lifespan, ask what is declared before; if a "
                "crash came in between, send it anew after the restart."
            )
        else:
            remedy = "Use cast, return a Deferred, or call from a background task."
        super().__init__(
            path,
            message,
            f"{what} to {path!r} can never be answered{room}: {way}. {remedy}",
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
