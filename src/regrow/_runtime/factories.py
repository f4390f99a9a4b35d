"""Looking at the factory of a child: what it is, its name, and whether its arguments fit."""

from __future__ import annotations

import inspect
import re
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from regrow._core.specs import ChildSpec
from regrow.errors import Finding

from .actor import Actor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "check_args",
    "check_factory",
    "check_health_method",
    "given",
    "is_service",
    "plain_of",
    "says_when_up",
    "snake",
]


def plain_of(factory: object) -> object:
    """Give what is called in the end, without the partials around it."""
    while isinstance(factory, partial):
        factory = factory.func
    return factory


def given(factory: object) -> tuple[object, ...]:
    """Give the arguments, keywords too, that the partials around it add."""
    found: tuple[object, ...] = ()
    while isinstance(factory, partial):
        found = (*factory.args, *factory.keywords.values(), *found)
        factory = factory.func
    return found


def snake(factory: object) -> str:
    """`HTTPServer` becomes `http_server`."""
    plain = plain_of(factory)
    name = getattr(plain, "__name__", "")
    if isinstance(plain, Actor):  # refused, under the name that the class would have
        name = type(plain).__name__
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", str(name))
    return spaced.lower()


def is_service(factory: object) -> bool:
    """Whether it is an async function, or an object that is called as one."""
    plain = plain_of(factory)
    if isinstance(plain, type):
        return False
    call = getattr(plain, "__call__", None)  # noqa: B004 - its own code is looked at
    return inspect.iscoroutinefunction(plain) or inspect.iscoroutinefunction(call)


def _signature_of(factory: Callable[..., object]) -> inspect.Signature | None:
    """Give the signature; `None` if it cannot be read."""
    if isinstance(factory, type):
        return _signature_of_class(factory)
    return _read_signature(factory)


# Reading a signature takes a tenth of a millisecond, and many children are of one class.
# Nothing else is kept: a function or partial may hold what a child was to be given.
@lru_cache(maxsize=256)
def _signature_of_class(factory: type) -> inspect.Signature | None:
    return _read_signature(factory)


def _read_signature(factory: Callable[..., object]) -> inspect.Signature | None:
    try:
        return inspect.signature(factory)
    except (TypeError, ValueError):
        return None


def says_when_up(factory: Callable[..., object]) -> bool:
    """Whether it has a parameter `task_status`."""
    signature = _signature_of(factory)
    return signature is not None and "task_status" in signature.parameters


def check_factory(place: str, factory: object) -> Iterator[Finding]:
    """Find out whether it can make a child at all."""
    plain = plain_of(factory)
    if isinstance(plain, type):
        good = issubclass(plain, Actor)
        what = f"{plain.__qualname__} is no Actor class"
    else:
        good = callable(plain) and not isinstance(plain, ChildSpec)
        what = f"{factory!r} cannot be called"
    if not good:
        yield Finding("invalid_child_type", place, what, _instead(plain))


def _instead(wrong: object) -> str:
    """Say what to pass instead of *wrong*."""
    if isinstance(wrong, Actor):
        return f"Pass the class and its arguments: child({type(wrong).__name__}, ...)."
    if inspect.iscoroutine(wrong):
        name = wrong.__name__
        return (
            f"Pass the function and its arguments: child({name}, ...), not {name}(...)."
        )
    return "Pass a class derived from Actor, a function that gives one, or an async function."


def check_health_method(place: str, factory: object) -> Iterator[Finding]:
    """Find out whether `check_health` can be asked, where the class is known and has it."""
    plain = plain_of(factory)
    method: object = getattr(plain, "check_health", None)
    if not isinstance(plain, type) or method is None:
        return
    if not inspect.iscoroutinefunction(method) or not _takes_nothing(method):
        yield Finding(
            "invalid_heartbeat",
            place,
            f"check_health of {plain.__qualname__} is no async method without arguments",
            "Write async def check_health(self) -> None, or leave heartbeat out.",
        )


def _takes_nothing(method: Callable[..., object]) -> bool:
    """Whether *method* can be called with its `self` alone."""
    try:
        inspect.signature(method).bind(None)
    except TypeError:
        return False
    return True


def check_args(
    place: str, factory: Callable[..., object], args: tuple[object, ...]
) -> Iterator[Finding]:
    """Find out whether it can be called with *args*."""
    if isinstance(factory, type):
        wrong = _misfit_of_class(factory, len(args))
    else:
        wrong = _misfit(factory, len(args))
    if wrong:
        signature = _signature_of(factory)
        assert signature is not None  # noqa: S101 - something did not fit it
        called = getattr(plain_of(factory), "__name__", "factory")
        takes = signature.replace(return_annotation=inspect.Signature.empty)
        yield Finding(
            "invalid_arguments",
            place,
            f"its arguments do not fit: {wrong}",
            f"It is called as {called}{takes}.",
        )


@lru_cache(maxsize=256)  # as of signatures
def _misfit_of_class(factory: type, count: int) -> str:
    return _misfit(factory, count)


def _misfit(factory: Callable[..., object], count: int) -> str:
    """Say why *count* positional arguments do not fit; `""` if they do, or who knows."""
    signature = _signature_of(factory)
    if signature is None:
        return ""  # nothing to compare with; the call itself will tell
    keywords: dict[str, object] = {}
    if is_service(factory) and "task_status" in signature.parameters:
        keywords["task_status"] = None
    try:
        signature.bind(*[None] * count, **keywords)
    except TypeError as error:
        return str(error)
    return ""
