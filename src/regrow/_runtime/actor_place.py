"""The place of an actor: its mailbox, and what becomes of a message sent there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import outcome
import trio

from regrow._core.events import DeadLetter, MessagesDropped
from regrow.errors import MailboxClearedError, MailboxFullError

from .handlers import Handler, again, resolve
from .mailbox import Box
from .messages import BEGUN, LINE, SETTLED, Request
from .place import Place
from .waits import cycle_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from regrow._core.specs import ChildSpec, Mailbox

    from .actor_life import ActorLife
    from .host import Host
    from .life import Life
    from .place import SupervisorPlace

__all__ = ["ActorPlace"]

TELL_DROPS = 1.0  # seconds over which dropped messages are told as one event

NO_HANDLERS: dict[object, Handler] = {}  # stays empty: what idle actors share


class ActorPlace(Place):
    """The place of an actor.

    Attributes:
        box: Its mailbox.
        handlers: How it takes the messages that were sent so far.
        tasks: The living children of the run, to see who calls.
        actor_type: The class of its actor, as far as it is known before it was made.
    """

    __slots__ = ("_drops", "actor_type", "box", "handlers", "tasks")

    def __init__(
        self,
        host: Host,
        parent: SupervisorPlace | None,
        spec: ChildSpec,
        mailbox: Mailbox,
        actor_type: type | None,
    ) -> None:
        super().__init__(host, parent, spec)
        self.box: Box = Box(mailbox)
        self.tasks: dict[trio.lowlevel.Task, Life] = host.lives.tasks
        self.actor_type = actor_type
        self.handlers: dict[object, Handler] = NO_HANDLERS
        self._drops: dict[str, int] | None = None

    @property
    def actor_life(self) -> ActorLife | None:
        """The incarnation, if there is one."""
        return cast("ActorLife | None", self.life)

    def know_type(self, actor_type: type) -> None:
        """Learn the class of the actor that the factory has made."""
        self.actor_type = actor_type
        self.handlers = NO_HANDLERS
        if self.host.followers is not None:
            self.host.followers.forget(self)
        for request in self.box.waiting():
            request.handler = again(request.handler, self.path, actor_type)

    # -------------------------------------------------------------------- messages

    def handler(self, method: object) -> Handler:
        """Look up how the actor takes *method*; once for each method.

        While somebody follows the messages of the tree, once for each message.

        Raises:
            MessageError: It is no message of that actor.
        """
        followers = self.host.followers
        if followers is not None:
            return followers.handler(self, method)
        found = self.resolved(method)
        if found.function is not None:
            if self.handlers is NO_HANDLERS:
                self.handlers = {}
            self.handlers[method] = found
        return found

    def resolved(self, method: object) -> Handler:
        """Look *method* up, and keep nothing."""
        return resolve(self.path, self.actor_type, method)

    def send(self, request: Request, *, may_wait: bool) -> bool:
        """Take *request*, or put it in line, or refuse it by the mailbox's policy.

        Returns:
            Whether a sender of a cast has to wait for room.

        Raises:
            ActorStoppedError: The place is closed, and it is a call.
            MailboxFullError: There is no room, and the policy or *may_wait* says so.
        """
        if self.open and self.box.offer(request):
            return False
        return self.send_past(request, may_wait=may_wait)

    def send_past(self, request: Request, *, may_wait: bool) -> bool:
        """Send it to a closed place, or to one without room."""
        if not self.open:
            if request.is_call:
                raise self.stopped_error(request.name)
            self.dead_letter(request, self.why)
            return False
        box = self.box
        policy = box.rules.on_full
        if policy == "wait" and may_wait:
            box.queue_up(request)
            return True
        if policy in {"wait", "raise"}:
            raise self.full_error(request)
        if policy == "drop_oldest":
            if request.is_call and trio.current_effective_deadline() == -math.inf:
                box.queue_up(request)  # it is about to be abandoned: nobody goes for it
                return True
            oldest = box.take()
            assert oldest is not None  # noqa: S101 - the box is full
            box.offer(request)
            self._drop(oldest)
        else:
            self._count_drop(policy)
            if request.is_call:
                raise self.full_error(request)
        return False

    def tick(self, life: ActorLife, request: Request, missed: int) -> None:
        """Take a timer's message, or skip it where there is no room.

        Args:
            life: Whose timer it is.
            request: The message.
            missed: How many before it came too late, and are skipped.
        """
        if self.open:
            if self.box.offer(request):
                life.has_sent(request)
            else:
                missed += 1
        if missed:
            self._count_drop("tick", missed)

    def _drop(self, request: Request) -> None:
        if request.is_call:
            request.settle(outcome.Error(self.full_error(request)))
        request.state = SETTLED
        self._count_drop(self.box.rules.on_full)

    def _count_drop(self, policy: str, count: int = 1) -> None:
        if self._drops is None:
            self._drops = {}
            self.host.timers.after(TELL_DROPS, self.tell_drops)
        self._drops[policy] = self._drops.get(policy, 0) + count

    def tell_drops(self) -> None:
        """Tell of the messages dropped since the last time, one event for each policy."""
        drops, self._drops = self._drops, None
        for policy, count in (drops or {}).items():
            now = self.host.now()
            self.host.emit(
                MessagesDropped(self.path, self.incarnation, now, count, policy)
            )

    def full_error(self, request: Request) -> MailboxFullError:
        """Make the error for a message without room."""
        rules = self.box.rules
        error = MailboxFullError(self.path, request.name, rules.capacity, rules.on_full)
        error.origin = self.host
        return error

    def dead_letter(self, request: Request, reason: str) -> None:
        """Tell that nobody has handled a cast."""
        request.state = SETTLED
        now = self.host.now()
        self.host.emit(
            DeadLetter(self.path, self.incarnation, now, request.name, reason)
        )

    def close(self, why: str) -> None:
        """Refuse what waits: calls raise, casts are dead letters."""
        if not self.open:
            return
        super().close(why)
        if not self.box.holds_nothing:
            self._refuse_waiting(why, lambda request: self.stopped_error(request.name))
        if self._drops is not None:
            self.tell_drops()

    def clear(self) -> None:
        """Empty the mailbox before a new incarnation (`on_restart='clear'`)."""

        def cleared(request: Request) -> Exception:
            error = MailboxClearedError(self.path, request.name)
            error.origin = self.host
            return error

        self._refuse_waiting("was restarted, and its mailbox cleared", cleared)

    def _refuse_waiting(self, why: str, error: Callable[[Request], Exception]) -> None:
        for request in self.box.empty():
            if request.is_call:
                request.settle(outcome.Error(error(request)))
                continue
            request.admitted()  # a cast that waited for room does not raise
            if request.life:
                request.state = SETTLED
            else:
                self.dead_letter(request, why)

    def refuse_cycle(self, request: Request, found: Sequence[str]) -> None:
        """Fail a call, or a cast that waits for room, that closes a circle."""
        full = request.state is LINE
        error = cycle_error(self, request.name, found, full=full)
        error.origin = self.host
        task = request.task
        assert task is not None  # noqa: S101 - somebody waits, or it were in no circle
        self.give_up(request)
        trio.lowlevel.reschedule(task, outcome.Error(error))

    def give_up(self, request: Request) -> None:
        """Take a message back, unless it was begun; then its answer is dropped."""
        if self.box.abandon(request) is BEGUN and self.actor_life is not None:
            self.actor_life.forget(request)
