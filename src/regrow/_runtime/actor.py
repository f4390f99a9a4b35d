"""What users write: actor classes."""

from __future__ import annotations

import sys
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    nullcontext,
)
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self, TypeVar, cast

import trio
from trio.lowlevel import enable_ki_protection

from regrow._core.options import number
from regrow.errors import NotInTreeError

from .actor_life import ActorLife
from .messages import Cast
from .ref import Ref
from .waits import lives

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from .handlers import Handler
    from .life import Life

__all__ = ["Actor", "Timer", "grace", "has_lifespan", "raises"]

P = ParamSpec("P")
F = TypeVar("F", bound="Callable[..., object]")

_LIFE = "_regrow_life"


class Actor:
    """Base of actors: what handles one message at a time (promise 2).

    Any method of a subclass is a message, sync or async. The constructor makes a new object
    for every incarnation; what has to be awaited before the first message, and undone after
    the last, goes into `lifespan`. `ref`, `stop`, `send_after` and `send_every` can be used
    from the lifespan on.

    A subclass may have `__redact__(self, name, value)`, which gives what those who look at a
    running tree see of a field, or of an argument of a message, in place of its value.
    """

    def lifespan(self) -> AbstractAsyncContextManager[object]:
        """Give what surrounds this incarnation; override with `@asynccontextmanager`.

        The child is up when it is entered; messages are handled inside it. It is left when
        the actor is told to stop, stops itself, or crashes: then with the exception, which
        stands whatever is done with it. The second half has `shutdown` seconds.
        """
        return nullcontext()

    @property
    def ref(self) -> Ref[Self]:
        """The actor's own ref.

        Raises:
            NotInTreeError: Before the lifespan, or outside a tree.
        """
        return Ref(_life(self).actor_place)

    @enable_ki_protection
    def stop(self) -> None:
        """End normally after the message in hand.

        Raises:
            NotInTreeError: Before the lifespan, or outside a tree.
        """
        _life(self).stop_itself()

    @enable_ki_protection
    def send_after(
        self,
        seconds: float,
        method: Callable[Concatenate[Self, P], object],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Timer:
        """Send itself *method*, as a cast, in *seconds*; once.

        Where there is no room then, it is skipped, and told as dropped. It is for this
        incarnation only.

        Raises:
            NotInTreeError: Before the lifespan, or outside a tree.
            MessageError: *method* is no message of this actor.
            ValueError: *seconds* is negative or no number.
        """
        return Timer(_life(self), seconds, method, args, kwargs, every=False)

    @enable_ki_protection
    def send_every(
        self,
        seconds: float,
        method: Callable[Concatenate[Self, P], object],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Timer:
        """Send itself *method*, as a cast, every *seconds*, first in *seconds*.

        The times do not drift. One that finds no room is skipped, and told as dropped; so
        are those that passed while the program was held up. It is for this incarnation only.

        Raises:
            NotInTreeError: Before the lifespan, or outside a tree.
            MessageError: *method* is no message of this actor.
            ValueError: *seconds* is 0, negative or no number.
        """
        return Timer(_life(self), seconds, method, args, kwargs, every=True)


class Timer:
    """A message that an actor sends itself later."""

    def __init__(
        self,
        life: ActorLife,
        seconds: float,
        method: object,
        args: tuple[object, ...],
        kwargs: dict[str, object],
        *,
        every: bool,
    ) -> None:
        least = "above 0" if every else "of 0 or more"
        if not number(seconds) or seconds < 0 or (every and seconds == 0):
            message = f"seconds is {seconds!r}: write a number {least}"
            raise ValueError(message)
        self._life = life
        self._method = method
        self._handler()
        self._args = args
        self._kwargs = kwargs
        self._every = seconds if every else 0.0
        self._due = trio.current_time() + seconds
        life.add_timer(self, seconds, self._fire)

    @enable_ki_protection
    def cancel(self) -> None:
        """Send no more; nothing if it is over."""
        self._life.drop_timer(self)

    def _handler(self) -> Handler:
        """Look it up anew each time: somebody may follow the messages since."""
        place = self._life.actor_place
        return place.handlers.get(self._method) or place.handler(self._method)

    def _fire(self) -> None:
        life = self._life
        life.drop_timer(self)
        place = life.actor_place
        request = Cast(self._handler(), self._args, self._kwargs, place)
        request.life = life.number
        missed = 0
        if self._every:
            now = trio.current_time()
            # Of the smallest numbers there are, more than any number may have passed.
            missed = max(0, int(min((now - self._due) // self._every, sys.maxsize)))
            self._due += self._every * (missed + 1)
            life.add_timer(self, max(0.0, self._due - now), self._fire)
        place.tick(life, request, missed)


def _life(actor: Actor) -> ActorLife:
    life = cast("ActorLife | None", actor.__dict__.get(_LIFE))
    if life is None:
        message = (
            f"{type(actor).__qualname__} is not in a tree yet: ref, stop, send_after and "
            "send_every can be used from the lifespan on, not in the constructor."
        )
        raise NotInTreeError(message)
    return life


def attach(actor: Actor, life: ActorLife) -> None:
    """Give *actor* its life, also where its class is frozen. For the runtime."""
    object.__setattr__(actor, _LIFE, life)


def has_lifespan(actor: Actor) -> bool:
    """Whether the class of *actor* has a lifespan of its own."""
    return type(actor).lifespan is not Actor.lifespan


def raises(*exceptions: type[Exception]) -> Callable[[F], F]:
    """Name the exceptions that a method answers with: they reach the caller as they are.

    Everything else that comes out of a method crashes the actor. An override answers with
    what it names and with what the overridden method names.

    Raises:
        TypeError: Something else than an exception class is named, or nothing.
    """
    named: tuple[object, ...] = exceptions
    for exception in named:
        if not (isinstance(exception, type) and issubclass(exception, Exception)):
            message = f"@raises takes exception classes, as in @raises(KeyError): {exception!r}"
            raise TypeError(message)
    if not exceptions:
        message = "@raises names no exception: write @raises(KeyError), or leave it out"
        raise TypeError(message)

    def mark(method: F) -> F:
        method.__regrow_raises__ = exceptions  # type: ignore[attr-defined]  # ours to add
        return method

    return mark


def grace() -> Grace:
    """Shield a block from being told to stop, until the time to stop runs out.

    `with grace():` works in services, handlers and lifespans, and in the tasks of their
    nurseries. Timeouts of callers do not reach inside. When the `shutdown` seconds of the
    child are over, its supervisor takes the shield away (D8).

    Raises:
        NotInTreeError: It is entered outside a child of a tree.
    """
    return Grace()


class Grace(AbstractContextManager["trio.CancelScope"]):
    """The context manager that `grace` gives."""

    __slots__ = ("_life", "_scope")

    def __init__(self) -> None:
        self._life: Life | None = None
        self._scope = trio.CancelScope(shield=True)

    @enable_ki_protection
    def __enter__(self) -> trio.CancelScope:
        life = lives().owner(trio.lowlevel.current_task())
        if life is None:
            message = (
                "grace() is for the children of a tree: no supervisor would take the shield "
                "away here. Use trio.move_on_after(seconds, shield=True)."
            )
            raise NotInTreeError(message)
        self._life = life
        life.shield(self, self._take_away)
        return self._scope.__enter__()

    @enable_ki_protection
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if self._life is not None:
            self._life.unshield(self)
        return self._scope.__exit__(exc_type, exc, traceback)

    def _take_away(self) -> None:
        self._scope.shield = False
