"""One incarnation of an actor: its messages, one at a time (promise 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import outcome
import trio
from trio.lowlevel import enable_ki_protection

from regrow._core.events import (
    CRASHED_ON_IT,
    ActorResumed,
    ActorSuspended,
    AnswerDiscarded,
)
from regrow._core.exits import Exit, ExitReason
from regrow.errors import ActorCrashedError, ActorInterruptedError, MessageError

from .heart import Heart
from .life import Life
from .messages import BEGUN, SETTLED, Deferred, Request
from .redact import shown_message
from .signals import Shutdown
from .user import (
    COROUTINE,
    await_user,
    call_method,
    call_user,
    check_lifespan,
    never_began,
    only,
    uncancelled,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from regrow._core import steps
    from regrow.errors import HeartbeatMissedError

    from .actor import Actor
    from .actor_place import ActorPlace
    from .specs import ActorSpec
    from .timers import TimerEntry

__all__ = ["ActorLife"]

STREAK = 64  # messages handled without letting others run


class ActorLife(Life):
    """One incarnation of an actor.

    Attributes:
        actor: The object itself.
        stops: Whether the actor has stopped itself.
        suspended: Whether it is to begin no message until `resume`.
        in_hand: The message that it handles.
        handling_since: When the handler of that began to wait, if it is an async one.
        heart: What asks it whether it is healthy, while it is to be asked.
        hung: What it crashes of, once it was cut off for not answering.
    """

    makes_edges = True

    __slots__ = (
        "_deferred",
        "_lifespan",
        "_resumed",
        "_scoped",
        "_timers",
        "actor",
        "handling_since",
        "heart",
        "hung",
        "in_hand",
        "stops",
        "suspended",
    )

    def __init__(
        self, place: ActorPlace, run: int, report: Callable[[steps.Event], None]
    ) -> None:
        super().__init__(place, run, report)
        self.actor: object = None
        self.stops: bool = False
        self._scoped = False  # whether its task is inside its scope
        self._lifespan: Callable[[], AbstractAsyncContextManager[object]] | None = None
        self.in_hand: Request | None = None
        self.handling_since: float | None = None
        self.suspended: bool = False
        self._resumed: trio.Event | None = None
        self.heart: Heart | None = None
        self.hung: HeartbeatMissedError | None = None
        self._deferred: dict[Request, None] | None = None
        self._timers: dict[object, TimerEntry | None] | None = None

    @property
    def actor_place(self) -> ActorPlace:
        """Its place."""
        return cast("ActorPlace", self.place)

    def adopt(
        self,
        actor: object,
        lifespan: Callable[[], AbstractAsyncContextManager[object]] | None,
    ) -> None:
        """Take the actor that was made for this life."""
        self.actor = actor
        self._lifespan = lifespan

    # -------------------------------------------------------------------- its task

    @enable_ki_protection
    async def live(self) -> None:  # noqa: ASYNC910 - a task, no one awaits it
        """Be the actor's task."""
        self._enter()
        error: BaseException | None = None
        try:
            if self._lifespan is None:
                await self._handle_messages()
            else:
                self._enter_scope()
                await self._live_span(self._lifespan)
        except BaseException as caught:  # noqa: ASYNC103, BLE001 - see Life.end
            error = caught
        try:
            if not self.over:  # else it was ended where it was told to stop
                self._come_to_an_end(error)
        finally:
            del error  # its traceback holds this frame

    def _come_to_an_end(self, error: BaseException | None) -> None:
        cut = False
        if self._scoped:
            error = self._leave_scope(error)
            cut = self.scope.cancelled_caught
        if error is not None:
            error = uncancelled(error)
            cut = cut or error is None  # by a scope that is not ours
        try:
            self.end(error, cut=cut)
        finally:
            del error

    def _enter_scope(self) -> None:
        """Enter its scope, which is left when the life ends.

        Without a lifespan only at the first message that awaits something: an actor that
        never does can be cut off between two messages alone, and that needs no scope.
        """
        self._scoped = True
        self.scope.__enter__()

    def _leave_scope(self, error: BaseException | None) -> BaseException | None:
        """Leave its scope; give what is left of *error*."""
        kind = None if error is None else type(error)
        traceback = None if error is None else error.__traceback__
        try:
            caught = self.scope.__exit__(kind, error, traceback)
        except BaseException as rest:  # noqa: ASYNC103, BLE001 - it is given
            return rest  # noqa: ASYNC104
        return None if caught else error

    async def _live_span(
        self, lifespan: Callable[[], AbstractAsyncContextManager[object]]
    ) -> None:
        """Handle messages inside the actor's own `lifespan`.

        A crash stands whatever the lifespan does with it, and if it is cut off there (D8).
        Only a cancellation may be swallowed: that of a scope which it has opened itself.
        """
        manager = call_user(lifespan, (), {})
        check_lifespan(self.actor, manager)
        await await_user(manager.__aenter__())
        self.is_up()
        try:
            await self._handle_messages()
        except BaseException as error:  # noqa: ASYNC103 - swallowed: see above
            self._give_seconds()
            crash = uncancelled(error)
            if crash is not None and not isinstance(crash, Exception):
                self._fail_at_once(crash)
            try:
                leave = manager.__aexit__(type(error), error, error.__traceback__)
                swallowed = await await_user(leave)  # noqa: ASYNC102 - has its seconds
            except BaseException as left:  # noqa: ASYNC103 - the crash stands
                if crash is None or uncancelled(left) is not None:
                    raise
                swallowed = True
            if not swallowed:
                raise
            if crash is not None:
                raise crash  # noqa: ASYNC104, B904 - the error, or the rest of it
        else:
            self._give_seconds()
            await await_user(manager.__aexit__(None, None, None))

    async def _handle_messages(self) -> None:  # noqa: ASYNC910 - see STREAK
        box = self.actor_place.box
        box.expected = False
        actor = self.actor
        result: object = None
        streak = 0
        now = self.place.host.clock
        while not self.ends or await self._goes_on():
            if streak == STREAK:
                streak = 0
                await trio.lowlevel.checkpoint()
                continue
            request = box.take()
            if request is None:
                result = None  # whatever it was: it is not held while waiting
                streak = 0
                await box.wait()
                continue
            streak += 1
            if request.life and request.life != self.number:
                continue  # a timer's message for an incarnation that is gone
            method = request.handler.function
            if method is None:
                self._refuse(request, request.handler.wrong, None)
                continue
            self.in_hand = request
            request.state = BEGUN
            try:
                result = call_method(method, actor, request.args, request.kwargs)
                if result is not None and type(result) is COROUTINE:
                    if not self._scoped:
                        self._enter_scope()
                    self.handling_since = now()
                    result = await await_user(result)
                    self.handling_since = None
            except Exception as error:
                if not self._answered_with(request, error):
                    raise
            else:
                if result is not None and isinstance(result, Deferred):
                    self._defer(request, cast("Deferred[object]", result))
                elif request.task is not None:
                    request.answer(result)
            self.in_hand = None

    # --------------------------------------------------------------------- answers

    def _defer(self, request: Request, deferred: Deferred[object]) -> None:
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

    def _answered_with(self, request: Request, error: Exception) -> bool:
        """Answer with *error*; tell whether the actor goes on all the same."""
        self.handling_since = None
        named = request.handler.raises
        if named and isinstance(error, named):
            self._answer_error(request, error)
            return True
        if never_began(error):
            self._refuse(request, f"{error}", error)
            return True
        if self.hung is not None:
            return False  # its message is told of that
        if not only(error, Shutdown):
            self.in_hand = None
            self.broke_on: str = shown_message(self.actor, request)
            self._fail(request, error)
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

    def _refuse(self, request: Request, wrong: str, error: Exception | None) -> None:
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

    def _fail_at_once(self, error: BaseException) -> None:
        """What no supervisor may handle does not wait for the lifespan (promise 3)."""
        request, self.in_hand = self.in_hand, None
        if request is not None:
            self.broke_on = shown_message(self.actor, request)
            self._fail(request, error)
        self.place.host.fail(error)

    def settle(self, end: Exit) -> None:
        """Answer the message in hand and the deferred ones: they are not handled again."""
        left = [] if self.in_hand is None else [self.in_hand]
        if left and end.reason is ExitReason.CRASHED:
            self.broke_on = shown_message(self.actor, left[0])
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

    # ------------------------------------------------------------------------- stops

    def is_up(self) -> None:
        """It will take messages as soon as its task runs on: report that it is up."""
        self.actor_place.box.expected = not self.suspended
        super().is_up()
        heartbeat = cast("ActorSpec[Actor]", self.place.spec).heartbeat
        if heartbeat is not None and self.up:
            self.heart = Heart(self, heartbeat)

    def stop_itself(self) -> None:
        """End normally after the message in hand."""
        self.stops = self.ends = True
        self._wake()

    def tell_stop(self) -> None:
        """Let it finish, within its seconds; at once where it waits for messages.

        Nothing of the user's is left to run then, so it has ended here and now, and its
        task, which has only to return, need not be waited for.
        """
        idle = self._lifespan is None and self.actor_place.box.has_reader
        if self.told or not idle or self.place.spec.shutdown == 0:
            super().tell_stop()
            return
        self.told = self.ends = True
        self.actor_place.box.wake()
        self.end(None, cut=False)

    def _give_seconds(self) -> None:
        """From here on its seconds to stop are what bounds it."""
        self._ask_no_more()
        super()._give_seconds()

    def _wind_up(self) -> None:
        self._wake()

    def _cut(self) -> None:
        self._ask_no_more()
        super()._cut()
        self._wake()

    def _wake(self) -> None:
        """Let its loop look what there is, if it waits."""
        self.actor_place.box.wake()
        if self._resumed is not None:
            self._resumed.set()

    # ---------------------------------------------------------------------- suspension

    def suspend(self) -> None:
        """Let it begin no message until `resume`; the one in hand is finished."""
        if self.suspended or self.over or self._is_ending():
            return
        self.suspended = self.ends = True
        self.actor_place.box.expected = False
        self._wake()
        place = self.place
        place.host.emit(ActorSuspended(place.path, self.number, place.host.now()))

    def resume(self) -> None:
        """Let it go on."""
        if not self.suspended:
            return
        self.suspended = False
        self._wake()
        place = self.place
        place.host.emit(ActorResumed(place.path, self.number, place.host.now()))

    def _is_ending(self) -> bool:
        """Whether it really is to begin nothing new any more."""
        return self.told or self.killed or self.stops

    async def _goes_on(self) -> bool:
        """See to what comes before the next message; tell whether there will be one.

        That is the end of a suspension, in which its health is not asked for, and then its
        own health check.
        """
        while not self._is_ending():
            if self.suspended:
                self._resumed = trio.Event()
                await self._resumed.wait()
                self._resumed = None
            elif self.heart is not None and self.heart.wanted:
                if not self._scoped:
                    self._enter_scope()
                await self.heart.check()
            else:
                self.ends: bool = False
                return True  # noqa: ASYNC910 - mostly there is nothing to wait for
        return False  # noqa: ASYNC910 - its task ends

    def _why_cut(self) -> str:
        if self.hung is not None:
            return f"{self.place.path!r} has not answered its health checks"
        return super()._why_cut()

    # ----------------------------------------------------------------- health checks

    @property
    def answers(self) -> bool:
        """Whether it can be asked for its health now, and has to answer in time."""
        return not self.suspended

    def look_up(self) -> None:
        """Let it see what comes before its next message, also where it waits for one."""
        self.ends = True
        self._wake()

    def hang(self, error: HeartbeatMissedError) -> None:
        """It does not answer: cut it off, and let its end be a crash of *error* (D7)."""
        if not self.killed and not self.over:
            self.hung = error
            self._time_is_up()

    def judge(self, error: BaseException | None, *, cut: bool, busy: float) -> Exit:
        hung = self.hung
        if hung is None or not isinstance(error, Exception | None):
            return super().judge(error, cut=cut, busy=busy)
        if error is not None:
            hung.__context__ = error  # what being cut off led to
        return Exit(ExitReason.CRASHED, hung, busy)

    def _ask_no_more(self) -> None:
        heart, self.heart = self.heart, None
        if heart is not None:
            heart.stop()

    # ------------------------------------------------------------------------ timers

    def add_timer(self, key: object, seconds: float, fire: Callable[[], None]) -> None:
        """Call *fire* in *seconds*, unless this life ends before."""
        if self.over:
            return
        if self._timers is None:
            self._timers = {}
        self._timers[key] = self.place.host.timers.after(seconds, fire)

    def drop_timer(self, key: object) -> None:
        """It has fired, or is no longer wanted."""
        if self._timers is not None:
            self.place.host.timers.cancel(self._timers.pop(key, None))

    def _leave(self) -> None:
        self._ask_no_more()
        self.actor_place.box.expected = False
        for entry in (self._timers or {}).values():
            self.place.host.timers.cancel(entry)
        self._timers = None
        super()._leave()

    @enable_ki_protection
    def end(self, error: BaseException | None, *, cut: bool, busy: float = 0.0) -> None:
        """It is over, as of every life; and the actor is let go."""
        super().end(error, cut=cut, busy=busy)
        # The actor knows its life: without this the two would wait for the garbage collector.
        self.actor = self._lifespan = None
