"""Refs: the typed handles that users hold.

A ref names a place, not an incarnation: it stays good across restarts. A *late* ref belongs
to a declaration; a child that gets one among its arguments is given the live one.
"""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Concatenate,
    Generic,
    Never,
    ParamSpec,
    TypeVar,
    overload,
)

import trio
from trio.lowlevel import (
    checkpoint_if_cancelled,
    current_task,
    enable_ki_protection,
    wait_task_rescheduled,
)

from regrow._core.specs import ChildSpec, Late
from regrow.errors import NotRunningError, UnboundRefError

from .actor_place import ActorPlace
from .messages import Cast, Request
from .monitor import Monitor
from .place import Place
from .waits import circle, cycle_error

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .actor import Actor
    from .messages import Deferred

__all__ = ["PlaceRef", "Ref", "ServiceRef"]

P = ParamSpec("P")
R = TypeVar("R")
A_co = TypeVar("A_co", bound="Actor", covariant=True)

CASTS = 64  # casts of a tree between full checkpoints


class PlaceRef(Late):
    """What every ref can do."""

    __slots__ = ("_place",)

    def __init__(self, place: Place | None, spec: ChildSpec | None = None) -> None:
        """For the runtime: live with a *place*, late with a *spec*."""
        super().__init__(spec)
        self._place = place

    def _bound(self) -> Place:
        place = self._place
        if place is None:
            raise self._unbound()
        return place

    def _unbound(self) -> UnboundRefError:
        return UnboundRefError("?" if self.spec is None else self.spec.name)

    @property
    def path(self) -> str:
        """The place, from the root: `bank/account`.

        Raises:
            UnboundRefError: It is a late ref.
        """
        return self._bound().path

    async def wait_stopped(self) -> None:
        """Return when the place is closed; at once if it is.

        Raises:
            UnboundRefError: It is a late ref.
        """
        await self._bound().wait_stopped()

    def monitor(self) -> Monitor:
        """Give the stream of the ends of this place's incarnations, from now on.

        Raises:
            UnboundRefError: It is a late ref.
        """
        return Monitor(self._bound())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PlaceRef):
            return NotImplemented
        return self._place is other._place and self.spec is other.spec

    def __hash__(self) -> int:
        return hash((id(self._place), id(self.spec)))

    def __repr__(self) -> str:
        kind = type(self).__name__
        if self._place is not None:
            return f"<{kind} {self._place.path!r}>"
        return f"<late {kind} of {self.spec.name!r}>" if self.spec else f"<late {kind}>"


class ServiceRef(PlaceRef):
    """A service: it takes no messages."""

    __slots__ = ()


class Ref(PlaceRef, Generic[A_co]):
    """An actor of class `A`, wherever it is in its life.

    `call`, `cast` and `cast_nowait` take a method of the actor's class and its arguments.
    What one task sends to one ref arrives in the order sent. There are no timeouts: use
    `trio.fail_after` around the call.
    """

    # No `__getattr__` that would help whoever writes `ref.deposit(20)`: with one Python looks
    # up every attribute of a ref the slow way, which costs a cast a tenth.
    __slots__ = ("_to",)

    def __init__(self, place: ActorPlace | None, spec: ChildSpec | None = None) -> None:
        """For the runtime: live with a *place*, late with a *spec*."""
        super().__init__(place, spec)
        self._to = place

    @enable_ki_protection
    def suspend(self) -> None:
        """Let the actor begin no message until `resume`.

        From the return on none is begun; the one in hand is finished, and whatever its
        background tasks do goes on. The mailbox takes messages as before, and its policy
        for a full one holds, so that senders wait; callers do too. A stop works as always.
        It is this incarnation that is suspended: its end, also that in a restart, lifts it.
        Suspended twice, it goes on at the first `resume`.

        Raises:
            NotRunningError: There is no incarnation just now.
            UnboundRefError: It is a late ref.

        Source: `sys:suspend` of Erlang/OTP.
        """
        place = self._to
        if place is None:
            raise self._unbound()
        life = place.actor_life
        if life is None:
            raise NotRunningError(place.path, place.status, "nothing to suspend")
        life.suspend()

    @enable_ki_protection
    def resume(self) -> None:
        """Let a suspended actor go on; nothing if it is not suspended.

        Raises:
            UnboundRefError: It is a late ref.
        """
        place = self._to
        if place is None:
            raise self._unbound()
        if place.actor_life is not None:
            place.actor_life.resume()

    @property
    def suspended(self) -> bool:
        """Whether the actor is suspended now.

        Raises:
            UnboundRefError: It is a late ref.
        """
        place = self._to
        if place is None:
            raise self._unbound()
        return place.actor_life is not None and place.actor_life.suspended

    @overload
    async def call(
        self,
        method: Callable[Concatenate[A_co, P], Coroutine[object, Never, Deferred[R]]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R: ...
    @overload
    async def call(
        self,
        method: Callable[Concatenate[A_co, P], Deferred[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R: ...
    @overload
    async def call(
        self,
        method: Callable[
            Concatenate[A_co, P], Coroutine[object, Never, Deferred[R] | R]
        ],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R: ...
    @overload
    async def call(
        self,
        method: Callable[Concatenate[A_co, P], Deferred[R] | R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R: ...
    @enable_ki_protection
    async def call(
        self,
        method: Callable[Concatenate[A_co, P], object],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> object:
        """Send *method* with its arguments and give its answer.

        Waits for room, if the mailbox says so, and for the answer; while the actor is being
        restarted too. A cancelled call takes its message back unless that was begun; then
        the actor finishes it and the answer is dropped.

        Raises:
            ActorCrashedError: The actor crashed on this message; the cause is the crash.
            ActorInterruptedError: The actor ended before it had answered.
            ActorStoppedError: The place is closed, or was before the message was begun.
            MailboxFullError: There is no room and the mailbox does not wait, or it dropped
                the message.
            MailboxClearedError: A restart cleared the mailbox.
            CallCycleError: The answer would have to wait for the actor that asks.
            MessageError: *method* is no message of that actor, or not with these arguments.
            UnboundRefError: It is a late ref.
            Exception: One that the method names with `@raises`, as it is.
        """
        place = self._to
        if place is None:
            raise self._unbound()
        task = current_task()
        handler = place.handlers.get(method) or place.handler(method)
        request = Request(handler, args, kwargs, place, task)
        life = place.tasks.get(task)
        if life is not None and life.makes_edges:
            found = circle(life.place, place) if place.open else None
            if found is not None:
                error = cycle_error(place, request.name, [step.path for step in found])
                error.origin = place.host
                raise error
            place.send(request, may_wait=True)
            request.waiter = life
            life.waits(request)
        elif not (place.open and place.box.offer(request)):
            place.send_past(request, may_wait=True)
        return await wait_task_rescheduled(request.abandon)

    @enable_ki_protection
    async def cast(
        self,
        method: Callable[Concatenate[A_co, P], object],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Send *method* with its arguments; nobody waits for an answer.

        Waits only for room, if the mailbox says so. To a closed place it is a dead letter,
        which is an event and no exception. A cancelled cast has not been sent.

        Raises:
            MailboxFullError: There is no room and the mailbox's policy is `raise`.
            CallCycleError: The room would have to be made by the actor that waits for it.
            MessageError: *method* is no message of that actor.
            UnboundRefError: It is a late ref.
        """
        place = self._to
        if place is None:
            raise self._unbound()
        host = place.host
        host.casts = casts = host.casts + 1
        # Before it is sent, so that one which is refused and tried anew lets others run too.
        if casts % CASTS:
            await checkpoint_if_cancelled()
        else:
            await trio.lowlevel.checkpoint()
        handler = place.handlers.get(method) or place.handler(method)
        request = Cast(handler, args, kwargs, place)
        if not (place.open and place.box.offer(request)) and place.send_past(
            request, may_wait=True
        ):
            await _wait_for_room(place, request)

    @enable_ki_protection
    def cast_nowait(
        self,
        method: Callable[Concatenate[A_co, P], object],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Send *method* with its arguments, now or not at all.

        Raises:
            MailboxFullError: There is no room and the mailbox's policy is `wait` or `raise`.
            MessageError: *method* is no message of that actor.
            UnboundRefError: It is a late ref.
        """
        place = self._to
        if place is None:
            raise self._unbound()
        handler = place.handlers.get(method) or place.handler(method)
        request = Cast(handler, args, kwargs, place)
        if not (place.open and place.box.offer(request)):
            place.send_past(request, may_wait=False)


async def _wait_for_room(place: ActorPlace, request: Request) -> None:
    task = trio.lowlevel.current_task()
    request.task = task
    life = place.host.lives.tasks.get(task)
    if life is not None and life.makes_edges:
        found = circle(life.place, place)
        if found is not None:
            path = [step.path for step in found]
            error = cycle_error(place, request.name, path, full=True)
            error.origin = place.host
            place.box.abandon(request)
            raise error
        request.waiter = life
        life.waits(request)
    await trio.lowlevel.wait_task_rescheduled(request.abandon)
