"""Calling what users wrote: unprotected from KeyboardInterrupt, as they expect."""

from collections.abc import Awaitable, Callable, Iterator
from types import CoroutineType
from typing import TypeVar, cast

import trio
from trio.lowlevel import disable_ki_protection

from regrow._core.light import message_of
from regrow.errors import members_of

__all__ = [
    "COROUTINE",
    "await_user",
    "call_method",
    "call_plain",
    "call_user",
    "check_lifespan",
    "never_began",
    "only",
    "uncancelled",
    "without",
]

T = TypeVar("T")

COROUTINE: "type[CoroutineType[object, object, object]]" = CoroutineType
"""What an `async def` gives when called, by a name that tells the checkers its types."""


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
def call_plain(
    method: Callable[..., object], actor: object, args: tuple[object, ...]
) -> object:
    """Call *method* of *actor* without keywords, which saves a copy of none."""
    return method(actor, *args)


@disable_ki_protection
async def await_user(awaitable: Awaitable[T]) -> T:
    """Await *awaitable*."""
    return await awaitable


def only(error: BaseException, kind: type[BaseException]) -> bool:
    """Whether *error* is of *kind*, or a group of nothing else."""
    if _is_group(error):
        return all(isinstance(leaf, kind) for leaf in _leaves(error))
    return isinstance(error, kind)


def uncancelled(error: BaseException) -> BaseException | None:
    """Give what of *error* is no cancellation."""
    return without(error, _is_cancelled)


def without(
    error: BaseException, leave_out: Callable[[BaseException], bool]
) -> BaseException | None:
    """Give what of *error* is not left out; where nothing is, *error* itself.

    Of a group that is not divided nothing is lost, as its class and what was set on it, and
    nothing that its class defines is called.
    """
    if not _is_group(error):
        return None if leave_out(error) else error
    leaves = list(_leaves(error))
    rest = [leaf for leaf in leaves if not leave_out(leaf)]
    if len(rest) == len(leaves):
        return error
    if not rest:
        return None
    group = cast("BaseExceptionGroup[BaseException]", error)
    try:
        return group.split(leave_out)[1]
    except Exception:  # noqa: BLE001 - a class of somebody's
        return BaseExceptionGroup(message_of(group), rest)


def _is_cancelled(error: BaseException) -> bool:
    return isinstance(error, trio.Cancelled)


def _is_group(error: BaseException) -> bool:
    return isinstance(error, BaseExceptionGroup)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Give the exceptions in *error*, a group, which may be nested as deeply as its tasks."""
    ahead = [error]
    while ahead:
        each = ahead.pop()
        if _is_group(each):
            ahead.extend(reversed(members_of(each)))
        else:
            yield each


def check_lifespan(actor: object, manager: object) -> None:
    """Say what is missing where the lifespan of *actor* gave no context manager.

    Raises:
        TypeError: It is none.
    """
    kind = type(manager)
    if hasattr(kind, "__aenter__"):
        return
    if isinstance(manager, COROUTINE):
        manager.close()
    message = (
        f"lifespan of {type(actor).__qualname__} gave {kind.__qualname__}, which "
        "is no async context manager. Decorate it with @asynccontextmanager, and let it "
        "yield once."
    )
    raise TypeError(message)


def never_began(error: Exception, frames: int = 1) -> bool:
    """Whether *error* came from calling a method, before any line of it ran.

    Args:
        error: What came out of `call_method`.
        frames: How many frames of ours a call has, that of `call_method` included.
    """
    if not isinstance(error, TypeError):
        return False
    called = error.__traceback__
    for _ in range(frames):
        called = None if called is None else called.tb_next
    return called is not None and called.tb_next is None
