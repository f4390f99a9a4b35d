"""A place in a running tree: what a ref names, and what outlives restarts.

A place is *open* while its child runs or will run again without being asked for; messages
wait then. It is *closed* once that is over; they are refused then (promise 4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from weakref import ref as weak

import outcome
import trio

from regrow._core.events import DeadLetter, MessagesDropped, PlaceClosed
from regrow.errors import (
    ActorStoppedError,
    MailboxClearedError,
    MailboxFullError,
    MessageError,
)

from .mailbox import Box
from .messages import Handler, Request, State
from .waits import cycle_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from regrow._core.exits import Exit
    from regrow._core.specs import ChildSpec, Mailbox

    from .actor_life import ActorLife
    from .host import Host
    from .life import Life
    from .monitor import Monitor
    from .requests import Asked
    from .supervisor import SupervisorLife
    from .waits import Waiting, WaitTarget

__all__ = ["ActorPlace", "Place", "SupervisorPlace"]

TELL_DROPS = 1.0  # seconds over which dropped messages are told as one event


class Place:
    """What all places have; a service's place has no more.

    Attributes:
        name: Unique among its siblings.
        path: Names from the root, joined by `/`.
        parent: The supervisor's place; `None` for the root.
        host: The tree.
        spec: What stands here.
        life: The incarnation that is being started, runs or is being stopped, if any.
        incarnation: Number of the latest one; 0 before the first.
        restarts: How many incarnations there were after the first.
        open: Whether it takes messages.
        removed: Whether it is gone from the tree.
        why: Why it is closed, in words.
        args: What its factory is called with, once that is known.
        last: How the latest incarnation that was up has ended.
    """

    __slots__ = (
        "__weakref__",
        "_monitors",
        "_stopped",
        "args",
        "host",
        "incarnation",
        "last",
        "life",
        "name",
        "open",
        "parent",
        "path",
        "removed",
        "restarts",
        "spec",
        "why",
    )

    def __init__(
        self, host: Host, parent: SupervisorPlace | None, spec: ChildSpec
    ) -> None:
        self.host: Host = host
        self.parent: SupervisorPlace | None = parent
        self.spec: ChildSpec = spec
        self.name: str = spec.name
        self.path: str = spec.name if parent is None else f"{parent.path}/{spec.name}"
        self.life: Life | None = None
        self.incarnation: int = 0
        self.restarts: int = 0
        self.open: bool = True
        self.removed: bool = False
        self.why: str = ""
        self.args: tuple[object, ...] | None = None
        self.last: tuple[int, Exit] | None = None
        self._monitors: list[weak[Monitor]] | None = None
        self._stopped: trio.Event | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path!r}>"

    # ------------------------------------------------------------- open and closed

    def reopen(self) -> None:
        """Take messages (again), beginning with none."""
        if not self.open:
            self.open = True
            self.why = ""
            self._stopped = None

    def close(self, why: str) -> None:
        """Take no more messages, and refuse those that wait."""
        if not self.open:
            return
        self.open = False
        self.why = why
        if self._stopped is not None:
            self._stopped.set()
        self.host.emit(PlaceClosed(self.path, self.incarnation, self.host.now(), why))

    def remove(self, why: str) -> None:
        """The place goes: it is closed, and nobody will open it again."""
        self.close(why)
        self.removed = True
        for monitor in self.monitors():
            monitor.end()
        self._monitors = None
        self.host.forget(self)

    async def wait_stopped(self) -> None:
        """Wait until the place is closed."""
        if self._stopped is None:
            self._stopped = trio.Event()
            if not self.open:
                self._stopped.set()
        await self._stopped.wait()

    def stopped_error(self, message: str) -> ActorStoppedError:
        """Make the error for a message that comes too late."""
        error = ActorStoppedError(self.path, message, self.why)
        error.origin = self.host
        return error

    # -------------------------------------------------------------------- monitors

    def add_monitor(self, monitor: Monitor) -> None:
        """Tell *monitor* of every end of an incarnation from now on."""
        if self._monitors is None:
            self._monitors = []
        self._monitors.append(weak(monitor))

    def monitors(self) -> list[Monitor]:
        """Give those still there, in order, and forget the others."""
        if self._monitors is None:
            return []
        found = [
            monitor for entry in self._monitors if (monitor := entry()) is not None
        ]
        alive = [monitor for monitor in found if not monitor.closed]
        self._monitors = [weak(monitor) for monitor in alive] or None
        return alive

    # --------------------------------------------------------------------- waiting

    def waits_for(self) -> Sequence[WaitTarget]:
        """Give what it waits for: see `waits`."""
        if self.life is None:
            return (self.parent,) if self.open and self.parent is not None else ()
        waiting = self.life.waiting
        return () if waiting is None else (waiting.place,)

    def pending(self) -> Waiting | None:
        """Give what its own task waits for."""
        return None if self.life is None else self.life.waiting


class ActorPlace(Place):
    """The place of an actor.

    Attributes:
        box: Its mailbox.
        tasks: The living children of the run, to see who calls.
        actor_type: The class of its actor, as far as it is known before it was made.
    """

    __slots__ = ("_tell_drops", "actor_type", "box", "handlers", "tasks")

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
        self._tell_drops = False

    @property
    def actor_life(self) -> ActorLife | None:
        """The incarnation, if there is one."""
        return cast("ActorLife | None", self.life)

    def know_type(self, actor_type: type) -> None:
        """Learn the class of the actor that the factory has made."""
        self.actor_type = actor_type
        self.handlers = NO_HANDLERS

    # -------------------------------------------------------------------- messages

    def handler(self, method: object) -> Handler:
        """Look up how the actor takes *method*; once for each method.

        Raises:
            MessageError: It is no method of that actor.
        """
        if self.handlers is NO_HANDLERS:
            self.handlers = {}
        if len(self.handlers) >= MANY_HANDLERS:  # only ever-new functions make so many
            self.handlers.clear()
        found = resolve(self.path, self.actor_type, method)
        self.handlers[method] = found
        return found

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
        return self._send_past(request, may_wait=may_wait)

    def _send_past(self, request: Request, *, may_wait: bool) -> bool:
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
            oldest = box.drop_oldest()
            box.offer(request)
            if oldest is not None:
                self._drop(oldest)
        elif request.is_call:
            self._count_drop(policy)
            raise self.full_error(request)
        else:
            self._drop(request)
        return False

    def tick(self, request: Request) -> None:
        """Take a timer's message, or skip it where there is no room."""
        if self.open and not self.box.offer(request):
            self._count_drop("tick")

    def _drop(self, request: Request) -> None:
        self._count_drop(self.box.rules.on_full)
        if request.is_call:
            request.settle(outcome.Error(self.full_error(request)))
        else:
            request.state = State.SETTLED

    def _count_drop(self, policy: str) -> None:
        self.box.dropped += 1
        if not self._tell_drops:
            self._tell_drops = True
            self.host.timers.after(TELL_DROPS, lambda: self.tell_drops(policy))

    def tell_drops(self, policy: str) -> None:
        """Tell of the messages dropped since the last time, as one event."""
        self._tell_drops = False
        count, self.box.dropped = self.box.dropped, 0
        if count:
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
        request.state = State.SETTLED
        now = self.host.now()
        self.host.emit(
            DeadLetter(self.path, self.incarnation, now, request.name, reason)
        )

    def close(self, why: str) -> None:
        """Refuse what waits: calls raise, casts are dead letters."""
        if not self.open:
            return
        super().close(why)
        self._refuse_waiting(why, lambda request: self.stopped_error(request.name))
        self.tell_drops(self.box.rules.on_full)

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
            if not request.life:
                self.dead_letter(request, why)

    def refuse_cycle(self, request: Request, found: Sequence[str]) -> None:
        """Fail a call, or a cast that waits for room, that closes a circle."""
        full = request.state is State.LINE
        error = cycle_error(self, request.name, found, full=full)
        error.origin = self.host
        task = request.task
        self.box.abandon(request)
        if task is not None:
            request.task = task
            request.state = State.LINE
            request.settle(outcome.Error(error))


class SupervisorPlace(Place):
    """The place of a supervisor, and those below it.

    Attributes:
        children: The places of the children that it has, by name, in start order.
        declared: The places of its declared children, which outlive its restarts.
        asked: Requests that wait for its next incarnation, in order.
        made: How many names were generated for children of a dynamic supervisor.
    """

    __slots__ = ("asked", "children", "declared", "made")

    def __init__(
        self, host: Host, parent: SupervisorPlace | None, spec: ChildSpec
    ) -> None:
        super().__init__(host, parent, spec)
        self.children: dict[str, Place] = {}
        self.declared: dict[str, Place] = {}
        self.asked: dict[int, Asked] = {}
        self.made: int = 0

    @property
    def supervisor_life(self) -> SupervisorLife | None:
        """The incarnation, if there is one."""
        return cast("SupervisorLife | None", self.life)

    def close(self, why: str) -> None:
        """Refuse what waits, here and, where nothing runs any more, below."""
        was_open = self.open
        super().close(why)
        if was_open:
            for asked in list(self.asked.values()):
                asked.answer(self.stopped_error(""))
            self.asked.clear()
        if self.life is None:
            for child in self.children.values():
                child.close(why)

    def begin_life(self) -> None:
        """Have the declared children again, and no others."""
        self.children = dict(self.declared)

    def end_life(self, why: str) -> None:
        """Those added at run time go with their supervisor (promise 4)."""
        for name, child in list(self.children.items()):
            if self.declared.get(name) is not child:
                child.remove(why)
                del self.children[name]

    def remove(self, why: str) -> None:
        """Remove it with all below it."""
        super().remove(why)
        for child in (*self.children.values(), *self.declared.values()):
            if not child.removed:
                child.remove(why)

    def waits_for(self) -> Sequence[WaitTarget]:
        """Give the children that it is starting or stopping."""
        life = self.supervisor_life
        if life is None:
            return super().waits_for()
        return tuple(life.busy_with.values())


MANY_HANDLERS = 1000
NO_HANDLERS: dict[object, Handler] = {}  # stays empty: what idle actors share
RESERVED = frozenset({"lifespan", "stop", "send_after", "send_every"})


def resolve(path: str, actor_type: type | None, method: object) -> Handler:
    """Find out what message *method* is.

    Args:
        path: The place, for errors.
        actor_type: The actor's class; `None` if it is not known yet.
        method: What was passed.

    Raises:
        MessageError: It is no method of that class.
    """
    name = getattr(method, "__name__", None)
    if isinstance(method, property):
        text = (
            "a property is no message. Pass a method, as in ref.call(Account.deposit)."
        )
        raise MessageError(path, text)
    bound = getattr(method, "__self__", None)
    if bound is not None or not callable(method) or not isinstance(name, str):
        what = "a bound method" if bound is not None else repr(method)
        text = (
            f"{what} is no message. Pass the function: ref.call(Account.deposit, 20)."
        )
        raise MessageError(path, text)
    raises: tuple[type[Exception], ...] = getattr(method, "__regrow_raises__", ())
    if actor_type is not None:
        owners = [
            base for base in actor_type.__mro__ if base.__dict__.get(name) is method
        ]
        if not owners:
            text = (
                f"{getattr(method, '__qualname__', name)!r} is no method of "
                f"{actor_type.__qualname__}. Pass a method of that class or its bases."
            )
            raise MessageError(path, text)
        if name in RESERVED or name.startswith("__"):
            text = (
                f"{name!r} is not for others to send. Pass a method of the actor's own."
            )
            raise MessageError(path, text)
        found = getattr(actor_type, name)
        raises = (*raises, *getattr(found, "__regrow_raises__", ()))
    return Handler(name, tuple(dict.fromkeys(raises)))
