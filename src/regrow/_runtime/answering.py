"""What becomes of the messages that an actor has begun: answers, deferred ones, failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import outcome

from regrow._core.events import CRASHED_ON_IT, AnswerDiscarded
from regrow._core.exits import Exit, ExitReason
from regrow.errors import ActorCrashedError, ActorInterruptedError, MessageError

from .life import Life
from .messages import SETTLED, Deferred, Request
from .redact import shown_message
from .signals import Shutdown
from .user import call_user, never_began, only

if TYPE_CHECKING:
    from collections.abc import Callable

    from regrow._core import steps
    from regrow.errors import HeartbeatMissedError

    from .actor_place import ActorPlace

__all__ = ["AnsweringLife"]


class AnsweringLife(Life):
    """A life that answers messages; when it ends, none that it has begun stays unanswered.

    Attributes:
        actor: The object itself.
        in_hand: The message that it handles.
        handling_since: When the handler of that began to wait, if it is an async one.
        hung: What it crashes of, once it was cut off for not answering.
    """

    __slots__ = ("_deferred", "actor", "handling_since", "hung", "in_hand")

    def __init__(
        self, place: ActorPlace, run: int, report: Callable[[steps.Event], None]
    ) -> None:
        super().__init__(place, run, report)
        self.actor: object = None
        self.in_hand: Request | None = None
        self.handling_since: float | None = None
        self.hung: HeartbeatMissedError | None = None
        self._deferred: dict[Request, None] | None = None

    @property
    def actor_place(self) -> ActorPlace:
        """Its place."""
        return cast("ActorPlace", self.place)

    def defer(self, request: Request, deferred: Deferred[object]) -> None:
        """The answer comes later; nobody waits for this actor's task any more (D6)."""
        request.no_longer_awaited()
        if not deferred.bind(request, self.forget):
            return
        if request.task is None:  # a cast, or its caller has given up
            return
        if self._deferred is None:
            self._deferred = {}
        self._deferred[request] = None

    def forget(self, request: Request) -> None:
        """Its deferred answer has been given, or is no longer wanted."""
        if self._deferred is not None:
            self._deferred.pop(request, None)

    def answered_with(self, request: Request, error: Exception) -> bool:
        """Answer with *error*; tell whether the actor goes on all the same."""
        self.handling_since = None
        named = request.handler.raises
        if named and isinstance(error, named):
            self._answer_error(request, error)
            return True
        if never_began(error, request.handler.frames):
            self.refuse(request, f"{error}", error)
            return True
        if self.hung is not None:
            return False  # its message is told of that
        if not only(error, Shutdown):
            self.in_hand = None
            self._fail(request, error)
            self._breaks_on(request)
        elif not request.is_call:
            self.in_hand = None  # it has done what was asked
        return False

    def _answer_error(self, request: Request, error: Exception) -> None:
        """*error* is an answer, named by `@raises`."""
        if request.is_call:
            request.settle(outcome.Error(error))
            return
        request.state = SETTLED
        place = self.place
        now = place.host.now()
        place.host.emit(
            AnswerDiscarded(place.path, self.number, now, request.name, error)
        )

    def refuse(self, request: Request, wrong: str, error: Exception | None) -> None:
        """It cannot be handled: the sender's mistake, not the actor's."""
        if request.is_call:
            refusal = MessageError(self.place.path, wrong)
            refusal.__cause__ = error
            request.settle(outcome.Error(refusal))
        else:
            self.actor_place.dead_letter(request, f"does not fit: {wrong}")

    def _fail(self, request: Request, error: BaseException) -> None:
        """The actor has crashed on *request*: its caller hears at once (promise 3)."""
        place = self.actor_place
        if request.is_call:
            failure = ActorCrashedError(place.path, request.name, self.number, error)
            failure.origin = place.host
            request.settle(outcome.Error(failure))
        else:
            place.dead_letter(request, f"{CRASHED_ON_IT} ({type(error).__name__})")

    def _breaks_on(self, request: Request) -> None:
        """Note what it crashes on; to show that calls what users wrote."""
        try:
            self.broke_on: str = call_user(shown_message, (self.actor, request), {})
        except BaseException as error:  # noqa: ASYNC103, BLE001 - the tree raises it
            self.broke_on = f"{request.name}(…)"
            self.place.host.fail(error)

    def fail_at_once(self, error: BaseException) -> None:
        """What no supervisor may handle does not wait for the lifespan (promise 3)."""
        request, self.in_hand = self.in_hand, None
        if request is not None:
            self._fail(request, error)
            self._breaks_on(request)
        self.place.host.fail(error)

    def settle(self, end: Exit) -> None:
        """Answer the message in hand and the deferred ones: they are not handled again."""
        left = [] if self.in_hand is None else [self.in_hand]
        if left and end.reason is ExitReason.CRASHED:
            self._breaks_on(left[0])
        left += self._deferred or ()
        self.in_hand = None
        self._deferred = None
        place = self.actor_place
        for request in left:
            if request.state >= SETTLED:
                continue
            if end.reason is ExitReason.CRASHED and end.error is not None:
                self._fail(request, end.error)
                continue
            why = "was cut off" if end.reason is ExitReason.KILLED else "ended"
            if request.is_call:
                lost = ActorInterruptedError(place.path, request.name, self.number, why)
                lost.origin = place.host
                request.settle(outcome.Error(lost))
            else:
                place.dead_letter(request, f"was in hand when the actor {why}")
