"""What is a message of an actor, and how the actor takes it; looked up once for a method."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from regrow.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Handler", "resolve"]

RESERVED = frozenset({"lifespan", "stop", "send_after", "send_every"})
_ACTOR = (
    f"{__package__}.actor"  # where Actor has its own methods; it imports this module
)


class Handler:
    """How one actor class takes one message.

    Attributes:
        method: What the sender passed.
        name: The method's name.
        function: What the actor's class has under that name; `None` while the class is not
            known, and where the method turned out to be none of it.
        raises: The exceptions that it answers with.
        wrong: Why it is no message, if it turned out not to be.
    """

    frames: ClassVar[int] = 1
    """How many frames a call of `function` has before the method's own."""

    __slots__ = ("function", "method", "name", "raises", "wrong")

    def __init__(
        self,
        method: object,
        name: str,
        function: Callable[..., object] | None,
        raises: tuple[type[Exception], ...],
    ) -> None:
        self.method: object = method
        self.name: str = name
        self.function: Callable[..., object] | None = function
        self.raises: tuple[type[Exception], ...] = raises
        self.wrong: str = ""

    def renewed(self, found: Handler) -> Handler:
        """Give *found*, which was looked up anew, for a message that has this one."""
        return found


def resolve(path: str, actor_type: type | None, method: object) -> Handler:
    """Find out what message *method* is.

    Args:
        path: The place, for errors.
        actor_type: The actor's class; `None` if it is not known yet.
        method: What was passed.

    Raises:
        MessageError: It is no message of that class.
    """
    wrong = _no_message(method)
    if wrong:
        raise MessageError(path, wrong)
    name: str = getattr(method, "__name__", "")
    if actor_type is None:
        return Handler(method, name, None, ())
    name = _name_in(actor_type, name, method)
    if not name:
        text = (
            f"{getattr(method, '__qualname__', method)!r} is no method of "
            f"{actor_type.__qualname__}. Pass a method of that class or its bases."
        )
        raise MessageError(path, text)
    if name in RESERVED or name.startswith("__"):
        text = f"{name!r} is not for others to send. Pass a method of the actor's own."
        if name in RESERVED - {"lifespan"} and method.__module__ != _ACTOR:
            text = (
                f"{name!r} is a name that Actor uses itself, so that of "
                f"{actor_type.__qualname__} is no message. Give it another name."
            )
        raise MessageError(path, text)
    function = getattr(actor_type, name)
    # An override answers with what the overridden methods name, too.
    named = [
        base.__dict__[name] for base in actor_type.__mro__ if name in base.__dict__
    ]
    raises: dict[type[Exception], None] = {}
    for each in (method, function, *named):
        raises.update(dict.fromkeys(getattr(each, "__regrow_raises__", ())))
    return Handler(method, name, function, tuple(raises))


def again(handler: Handler, path: str, actor_type: type) -> Handler:
    """Look *handler* up anew, now that the class of the actor is known, or another one."""
    try:
        found = resolve(path, actor_type, handler.method)
    except MessageError as error:
        found = Handler(handler.method, handler.name, None, ())
        found.wrong = error.text
    return handler.renewed(found)


def _no_message(method: object) -> str:
    """Say why *method* can be no message of any actor; `""` if it can."""
    if isinstance(method, property):
        return (
            "a property is no message. Pass a method, as in ref.call(Account.deposit)."
        )
    if getattr(method, "__self__", None) is not None:
        return (
            "a bound method is no message. "
            "Pass the function: ref.call(Account.deposit, 20)."
        )
    if not callable(method) or not isinstance(getattr(method, "__name__", None), str):
        return (
            f"{method!r} is no message. Pass a method: ref.call(Account.deposit, 20)."
        )
    return ""


def _name_in(actor_type: type, name: str, method: object) -> str:
    """Give the name that *method* has in the class, or a base; `""` if it is not there."""
    bases = actor_type.__mro__
    if any(base.__dict__.get(name) is method for base in bases):
        return name
    # A decorator may have left it with another name.
    for base in bases:
        for known, value in base.__dict__.items():
            if value is method:
                return known
    return ""
