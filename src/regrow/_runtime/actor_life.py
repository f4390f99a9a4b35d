"""One incarnation of an actor: its messages, one at a time (promise 2)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, cast

import trio
from trio.lowlevel import enable_ki_protection

from regrow._core.events import ActorResumed, ActorSuspended
from regrow._core.exits import Exit, ExitReason

from .answering import AnsweringLife
from .heart import Heart
from .messages import BEGUN, NO_KEYWORDS, QUEUED, Deferred
from .signals import Shutdown
from .user import (
    COROUTINE,
    await_user,
    call_method,
    call_plain,
    call_user,
    check_lifespan,
    only,
    uncancelled,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from regrow._core import steps
    from regrow.errors import HeartbeatMissedError

    from .actor import Actor
    from .actor_place import ActorPlace
    from .messages import Request
    from .specs import ActorSpec
    from .timers import TimerEntry

__all__ = ["ActorLife"]

STREAK = 64  # messages handled without letting others run


class ActorLife(AnsweringLife):
    """One incarnation of an actor.

    Attributes:
        stops: Whether the actor has stopped itself.
        suspended: Whether it is to begin no message until `resume`.
        heart: What asks it whether it is healthy, while it is to be asked.
    """

    makes_edges = True

    __slots__ = (
        "_lifespan",
        "_resumed",
        "_scoped",
        "_ticks",
        "_timers",
        "heart",
        "stops",
        "suspended",
    )

    def __init__(
        self, place: ActorPlace, run: int, report: Callable[[steps.Event], None]
    ) -> None:
        super().__init__(place, run, report)
        self.stops: bool = False
        self._scoped = False  # whether its task is inside its scope
        self._lifespan: Callable[[], AbstractAsyncContextManager[object]] | None = None
        self.suspended: bool = False
        self._resumed: trio.Event | None = None
        self.heart: Heart | None = None
        self._timers: dict[object, TimerEntry | None] | None = None
        self._ticks: deque[Request] | None = None

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
            if not self.over:
                self._come_to_an_end(error)
            elif self._scoped:  # it was ended where it was told to stop
                self._leave_scope(error)  # which the nursery would know for ever
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

        A crash stands whatever the lifespan does with it, and if it is cut off there (D8):
        only another error takes its place, which `Shutdown` is not. Only a cancellation may
        be swallowed: that of a scope which it has opened itself.
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
                self.fail_at_once(crash)
            try:
                leave = manager.__aexit__(type(error), error, error.__traceback__)
                swallowed = await await_user(leave)  # noqa: ASYNC102 - has its seconds
            except BaseException as left:  # noqa: ASYNC103 - the crash stands
                rest = uncancelled(left)
                if crash is None or not (rest is None or only(rest, Shutdown)):
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
            method = request.handler.function
            if method is None:
                self.refuse(request, request.handler.wrong, None)
                continue
            self.in_hand = request
            request.state = BEGUN
            try:
                kwargs = request.kwargs
                if kwargs is NO_KEYWORDS:
                    result = call_plain(method, actor, request.args)
                else:
                    result = call_method(method, actor, request.args, kwargs)
                if result is not None and type(result) is COROUTINE:
                    if not self._scoped:
                        self._enter_scope()
                    self.handling_since = now()
                    try:
                        result = await await_user(result)
                    except BaseException:
                        # A Ctrl-C may have come before its first line.
                        cast("Coroutine[object, object, object]", result).close()
                        raise
                    self.handling_since = None
            except Exception as error:
                if not self.answered_with(request, error):
                    raise
            else:
                if result is not None and isinstance(result, Deferred):
                    self.defer(request, cast("Deferred[object]", result))
                elif request.task is not None:
                    request.answer(result)
            self.in_hand = None

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
            self.hung: HeartbeatMissedError | None = error
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

    def has_sent(self, tick: Request) -> None:
        """Keep *tick*, which waits: at the end it is found without the whole mailbox."""
        if self._ticks is None:
            self._ticks = deque()
        ticks = self._ticks
        while ticks and ticks[0].state is not QUEUED:  # they are begun in order
            ticks.popleft()
        ticks.append(tick)

    def _leave(self) -> None:
        self._ask_no_more()
        box = self.actor_place.box
        box.expected = False
        for entry in (self._timers or {}).values():
            self.place.host.timers.cancel(entry)
        self._timers = None
        for tick in self._ticks or ():  # they are for this life only
            if tick.state is QUEUED:
                box.abandon(tick)
        self._ticks = None
        super()._leave()

    @enable_ki_protection
    def end(self, error: BaseException | None, *, cut: bool, busy: float = 0.0) -> None:
        """It is over, as of every life; and the actor is let go."""
        super().end(error, cut=cut, busy=busy)
        # The actor knows its life: without this the two would wait for the garbage collector.
        self.actor: object = None
        self._lifespan = None
