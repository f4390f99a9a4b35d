"""What may be shown of an actor: its fields, and the message in its hand.

A class may have a method `__redact__(self, name, value)`, which is asked for every field
and for every argument of a message, by the name of the field or of the parameter; what it
returns is shown in place of the value. If it raises, nothing of the value is shown.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, cast

import attrs

from .brief import brief, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .messages import Request

__all__ = ["shown", "shown_message", "state_of"]

MOST = 20  # arguments of a message; more would not fit
HIDDEN = "…"  # an argument whose name is not known, so that nobody can be asked
REDACT = "__redact__"
OURS = frozenset({"_regrow_life", "__dict__", "__weakref__"})


def shown(actor: object, name: str, value: object) -> str:
    """Give *value* as it may be shown, in at most 200 characters; it never raises.

    Args:
        actor: Whose field or argument it is; its class may have `__redact__`.
        name: Of the field, or of the method's parameter.
        value: What to show.
    """
    redact = _redact_of(actor)
    if redact is not None:
        try:
            value = redact(actor, name, value)
        except Exception as error:  # noqa: BLE001 - nothing is shown then, see above
            return cut(f"<not shown: {REDACT} raised {type(error).__name__}>")
    return brief(value)


def shown_message(actor: object, request: Request) -> str:
    """Give the message in hand as a call, such as `deposit(20)`, in 200 characters."""
    if not request.args and not request.kwargs:
        return cut(f"{request.name}()")
    args = request.args[:MOST]
    if _redact_of(actor) is None:
        texts = [brief(value) for value in args]
    else:
        names = _names(request.handler.function, len(args))
        texts = [
            shown(actor, name, value) if name else HIDDEN
            for name, value in zip(names, args, strict=True)
        ]
    texts += [
        f"{name}={shown(actor, name, value)}"
        for name, value in [*request.kwargs.items()][:MOST]
    ]
    return cut(f"{request.name}({', '.join(texts)})")


def state_of(actor: object) -> dict[str, str]:
    """Give the fields of *actor* as they may be shown, in the order of declaration.

    First those of an attrs class, then those of `__slots__`, bases first, then what was set
    besides. A field that has no value is left out.
    """
    return {name: shown(actor, name, value) for name, value in _fields(actor)}


def _redact_of(actor: object) -> Callable[[object, str, object], object] | None:
    found: object = getattr(type(actor), REDACT, None)
    if not callable(found):
        return None
    return cast("Callable[[object, str, object], object]", found)


def _names(function: object, count: int) -> Sequence[str]:
    """Give the names of the parameters of *count* positional arguments; `""` if unknown."""
    try:
        signature = inspect.signature(cast("Callable[..., object]", function))
    except (TypeError, ValueError):
        return [""] * count
    names: list[str] = []
    rest = ""
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            rest = parameter.name
        elif parameter.kind in {
            parameter.POSITIONAL_ONLY,
            parameter.POSITIONAL_OR_KEYWORD,
        }:
            names.append(parameter.name)
    names = names[1:]  # the actor itself
    return (names + [rest] * count)[:count]


def _fields(actor: object) -> Iterator[tuple[str, object]]:
    kind = type(actor)
    given = cast("Mapping[str, object]", getattr(actor, "__dict__", {}))
    names: dict[str, None] = {}
    if attrs.has(kind):
        names.update((field.name, None) for field in attrs.fields(kind))
    for base in reversed(kind.__mro__):
        names.update((name, None) for name in _slots(base))
    names.update((name, None) for name in given)
    for name in names:
        if name in OURS:
            continue
        if name in given:
            yield name, given[name]
            continue
        try:
            # Past whatever `__getattr__` the class has: only what is there is asked for.
            value = cast("object", object.__getattribute__(actor, name))
        except Exception:  # noqa: BLE001, S112 - an empty slot, or a descriptor's own fault
            continue
        yield name, value


def _slots(base: type) -> Iterator[str]:
    slots = cast("str | Sequence[str]", base.__dict__.get("__slots__", ()))
    for name in (slots,) if isinstance(slots, str) else slots:
        private = name.startswith("__") and not name.endswith("__")
        yield f"_{base.__name__.lstrip('_')}{name}" if private else name
