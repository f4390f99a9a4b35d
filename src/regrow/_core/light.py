"""Exceptions without their tracebacks, to be kept for long.

An exception holds its traceback, that the frames of the actor that crashed, and those all
that it knew: a thousand of them could be the whole memory of a program. The given one is
somebody else's: it is left alone, and nothing that its class defines is called.
"""

import struct
from collections import deque
from collections.abc import Callable
from typing import cast

from attrs import evolve

from regrow.errors import Failure, RestartLimitExceededError, members_of

__all__ = ["Shed", "light", "message_of"]

MOST = 100  # exceptions that one refers to, as causes and members of groups
DEEPEST = 20  # groups in groups
HEAP_TYPE = 1 << 9  # what the classes that are written in Python have in `__flags__`
POINTER = struct.calcsize("P")


class Shed:
    """What is left of an exception: enough to make one that reads the same.

    Most of those that are kept are never looked at again, and to take the arguments of one
    costs a fifth of making another.
    """

    __slots__ = ("_args", "_fields", "_kind", "_made")

    def __init__(self, error: BaseException) -> None:
        self._made: BaseException | None = None
        self._kind = type(error)
        try:
            if _cause_of(error) is None and _has_args_alone(self._kind):
                self._args = _args_of(error)
                self._fields = dict(error.__dict__)
                return
        except Exception:  # noqa: BLE001, S110 - a class of somebody's
            pass
        self._made = light(error)

    def error(self) -> BaseException:
        """Give the exception, the same one each time."""
        if self._made is None:
            try:
                made = _made(self._kind, _native(self._kind), self._args)
                made.__dict__.update(self._fields)
            except Exception:  # noqa: BLE001 - a class of somebody's; its name must do
                made = RuntimeError(self._kind.__name__)
            self._made = made
        return self._made


def light(error: BaseException) -> BaseException:
    """Give an exception that reads the same, and so its causes, but holds no frames.

    Of very many that hang together the first hundred are copied: of other causes nothing is
    kept, and of other members of groups their names.
    """
    holds = issubclass(type(error), BaseExceptionGroup | RestartLimitExceededError)
    if holds or _cause_of(error) is not None:
        return _Copies().whole(error)
    return _alone(error)


class _Copies:
    """Copies of exceptions that refer to one another, in circles too."""

    def __init__(self) -> None:
        self._made: dict[int, BaseException] = {}
        self._left = MOST
        self._ahead: deque[tuple[BaseException, BaseException]] = deque()

    def whole(self, error: BaseException) -> BaseException:
        """Copy *error* with what it refers to."""
        first = self._copy(error, DEEPEST)
        while self._ahead:  # not by calling itself: there may be thousands of causes
            given, made = self._ahead.popleft()
            if isinstance(made, RestartLimitExceededError):
                self._left += len(made.failures)
                made.failures = tuple(map(self._failure, made.failures))
            cause = _cause_of(given)
            if cause is not None and (self._left > 0 or id(cause) in self._made):
                _set(made, "__cause__", self._copy(cause, DEEPEST))
        return first

    def _failure(self, failure: Failure) -> Failure:
        if failure.error is None:
            return failure
        return evolve(failure, error=self._copy(failure.error, DEEPEST))

    def _copy(self, error: BaseException, deeper: int) -> BaseException:
        """Copy *error*, for now without its cause."""
        made = self._made.get(id(error))
        if made is not None:
            return made
        if self._left <= 0 or not deeper:
            return _name_of(error)
        self._left -= 1
        if issubclass(type(error), BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", error)
            made = self._copy_group(group, deeper)
        else:
            made = _alone(error)
        self._made[id(error)] = made
        self._ahead.append((error, made))
        return made

    def _copy_group(
        self, group: BaseExceptionGroup[BaseException], deeper: int
    ) -> BaseException:
        message = message_of(group)
        members = [self._copy(member, deeper - 1) for member in members_of(group)]
        kind = type(group)
        try:
            made = BaseExceptionGroup.__new__(kind, message, members)
            _take_over(group, made)
        except Exception:  # noqa: BLE001 - a class of somebody's
            return BaseExceptionGroup(message, members)
        return made


def _alone(error: BaseException) -> BaseException:
    """Copy *error* without what it refers to; where that cannot be, give its name.

    It is made by what Python itself has for its kind, which knows what it keeps besides
    `args`, such as the file of an `OSError`.
    """
    kind = type(error)
    try:
        native = _native(kind)
        args = cast("tuple[object, ...]", native.__reduce__(error)[1])
        made = _made(kind, native, args)
        _take_over(error, made)
    except Exception:  # noqa: BLE001 - a class of somebody's; its name must do
        return _name_of(error)
    return made


def _native(kind: type[BaseException]) -> type[BaseException]:
    """Give the class of Python's own that *kind* is derived from; of several, the first."""
    native = next(each for each in kind.__mro__ if not each.__flags__ & HEAP_TYPE)
    return cast("type[BaseException]", native)


def _made(
    kind: type[BaseException], native: type[BaseException], args: tuple[object, ...]
) -> BaseException:
    # Not always *native*: in `class FullError(AppError, MemoryError)` it may make none.
    maker: type = kind
    while maker.__flags__ & HEAP_TYPE:
        maker = cast("type", maker.__base__)
    made = cast("type[BaseException]", maker).__new__(kind, *args)
    native.__init__(made, *args)
    return made


def _has_args_alone(kind: type[BaseException]) -> bool:
    """Whether its instances keep nothing but `args` and what is in their `__dict__`."""
    size = kind.__basicsize__
    if kind.__weakrefoffset__ > 0:  # below 0, from Python 3.12 on, it takes no room
        size -= POINTER
    return size == BaseException.__basicsize__


def _take_over(error: BaseException, made: BaseException) -> None:
    """Give *made* what was set on *error*, in `__slots__` too."""
    made.__dict__.update(error.__dict__)
    if _has_args_alone(type(error)):
        return
    state: object = object.__getstate__(error)
    if isinstance(state, tuple):
        slots = cast("tuple[object, dict[str, object]]", state)[1]
        for name, value in slots.items():
            _set(made, name, value)


def _name_of(error: BaseException) -> BaseException:
    return RuntimeError(type(error).__name__)


# Whatever a class has in their place.
_args_of = cast(
    "Callable[[BaseException], tuple[object, ...]]",
    BaseException.__dict__["args"].__get__,
)
_cause_of = cast(
    "Callable[[BaseException], BaseException | None]",
    BaseException.__dict__["__cause__"].__get__,
)
message_of = cast(
    "Callable[[BaseException], str]", BaseExceptionGroup.__dict__["message"].__get__
)
_set = object.__setattr__  # also where the class of an exception is frozen
