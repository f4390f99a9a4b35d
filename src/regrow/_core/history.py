"""The last things that happened in a tree, kept for whoever asks later.

An exception holds its traceback, that the frames of the actor that crashed, and those all
that it knew: a thousand of them could be the whole memory of a program. So exceptions are
kept without their tracebacks, and without what they came from; the place itself has the
latest one whole.
"""

from collections import deque
from typing import cast

from attrs import define, evolve, field

from regrow.errors import Failure, RestartLimitExceededError

from .events import (
    AnswerDiscarded,
    ChildExited,
    ChildRestarting,
    ChildStartFailed,
    Event,
    RestartLimitExceeded,
)

__all__ = ["KEPT", "History", "light"]

KEPT = 1000  # events
MOST = 100  # exceptions that one refers to, as causes and members of groups
DEEPEST = 20  # groups in groups
HEAP_TYPE = 1 << 9  # what the classes that are written in Python have in `__flags__`


def _new_events() -> deque[Event]:
    return deque(maxlen=KEPT)


@define(eq=False)
class History:
    """The last 1,000 events of a tree."""

    _events: deque[Event] = field(factory=_new_events, init=False)
    _crash: ChildExited | None = field(default=None, init=False)
    _light: BaseException | None = field(default=None, init=False)

    def add(self, event: Event) -> None:
        """Take *event* in."""
        crash, self._crash = self._crash, None
        if isinstance(event, ChildExited) and event.error is not None:
            # Its restart, if it comes, is told next, and of the same error.
            self._crash = event
            self._light = light(event.error)
            self._events.append(_lighter_end(event, self._light))
        elif isinstance(event, ChildRestarting) and event.error is not None:
            same = crash is not None and crash.error is event.error
            lighter = self._light if same else light(event.error)
            self._events.append(_lighter_restart(event, lighter))
        elif isinstance(event, RestartLimitExceeded):
            spent = cast("RestartLimitExceededError", light(event.error))
            self._events.append(evolve(event, error=spent))
        elif isinstance(event, ChildStartFailed | AnswerDiscarded):
            self._events.append(evolve(event, error=light(event.error)))
        else:
            self._events.append(event)

    def events(self) -> tuple[Event, ...]:
        """Give them, oldest first."""
        return tuple(self._events)


# `attrs.evolve` takes longer than all else that a crash costs here.


def _lighter_end(event: ChildExited, error: BaseException) -> ChildExited:
    return ChildExited(
        event.path,
        event.incarnation,
        event.at,
        event.reason,
        error,
        event.told,
        event.expected,
        event.kind,
        event.message,
    )


def _lighter_restart(
    event: ChildRestarting, error: BaseException | None
) -> ChildRestarting:
    return ChildRestarting(
        event.path,
        event.incarnation,
        event.at,
        event.attempt,
        event.delay,
        error,
        event.allowed,
    )


def light(error: BaseException) -> BaseException:
    """Give an exception that reads the same, and so its causes, but holds no frames.

    The given one is somebody else's: it is left alone, and nothing that its class defines
    is called. Of very many that hang together the first hundred are copied: of other causes
    nothing is kept, and of other members of groups their names.
    """
    holds = issubclass(type(error), BaseExceptionGroup | RestartLimitExceededError)
    if holds or error.__cause__ is not None:
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
            cause = given.__cause__
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
        members = [self._copy(member, deeper - 1) for member in group.exceptions]
        kind = type(group)
        try:
            made = BaseExceptionGroup.__new__(kind, group.message, members)
            _take_over(group, made)
        except Exception:  # noqa: BLE001 - a class of somebody's
            return BaseExceptionGroup(group.message, members)
        return made


def _alone(error: BaseException) -> BaseException:
    """Copy *error* without what it refers to; where that cannot be, give its name.

    It is made by what Python itself has for its kind, which knows what it keeps besides
    `args`, such as the file of an `OSError`.
    """
    kind = type(error)
    try:
        native = next(each for each in kind.__mro__ if not each.__flags__ & HEAP_TYPE)
        base = cast("type[BaseException]", native)
        args = base.__reduce__(error)[1]
        made = base.__new__(kind, *args)
        base.__init__(made, *args)
        _take_over(error, made)
    except Exception:  # noqa: BLE001 - a class of somebody's; its name must do
        return _name_of(error)
    return made


def _take_over(error: BaseException, made: BaseException) -> None:
    """Give *made* what was set on *error*, in `__slots__` too."""
    made.__dict__.update(error.__dict__)
    if type(error).__basicsize__ == BaseException.__basicsize__:
        return
    state: object = object.__getstate__(error)
    if isinstance(state, tuple):
        slots = cast("tuple[object, dict[str, object]]", state)[1]
        for name, value in slots.items():
            _set(made, name, value)


def _name_of(error: BaseException) -> BaseException:
    return RuntimeError(type(error).__name__)


_set = object.__setattr__  # also where the class of an exception is frozen
