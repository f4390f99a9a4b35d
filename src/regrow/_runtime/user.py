"""Calling what users wrote: unprotected from KeyboardInterrupt, as they expect."""

from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import trio
from trio.lowlevel import disable_ki_protection

__all__ = ["await_user", "call_method", "call_user", "only", "uncancelled"]

T = TypeVar("T")


@disable_ki_protection
def call_user(
    fn: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object]
) -> T:
    """Call *fn*."""
    return fn(*args, **kwargs)


@disable_ki_protection
def call_method(
    method: Callable[..., object],
    actor: object,
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> object:
    """Call *method* of *actor*."""
    return method(actor, *args, **kwargs)


@disable_ki_protection
async def await_user(awaitable: Awaitable[T]) -> T:
    """Await *awaitable*."""
    return await awaitable


def only(error: BaseException, kind: type[BaseException]) -> bool:
    """Whether *error* is of *kind*, or a group of nothing else."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(only(inner, kind) for inner in group.exceptions)
    return isinstance(error, kind)


def uncancelled(error: BaseException) -> BaseException | None:
    """Give what of *error* is no cancellation."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return group.split(trio.Cancelled)[1]
    return None if isinstance(error, trio.Cancelled) else error
