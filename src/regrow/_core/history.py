"""The last things that happened in a tree, kept for whoever asks later.

An exception holds its traceback, that the frames of the actor that crashed, and those all
that it knew: a thousand of them could be the whole memory of a program. So exceptions are
kept without their tracebacks, and without what they came from; the place itself has the
latest one whole.
"""

from collections import deque
from typing import cast

from attrs import define, evolve, field

from regrow.errors import RestartLimitExceededError

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

    The given one is somebody else's, so it is left alone. The new one is made without its
    own `__init__`, which may want anything.
    """
    kind = type(error)
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        made: BaseException = BaseExceptionGroup(
            group.message, [light(member) for member in group.exceptions]
        )
    else:
        try:
            made = kind.__new__(kind, *error.args)
            made.args = error.args
            made.__dict__.update(error.__dict__)
        except Exception:  # noqa: BLE001 - a class of somebody's; its name must do
            made = RuntimeError(kind.__name__)
    if isinstance(made, RestartLimitExceededError):
        made.failures = tuple(
            failure
            if failure.error is None
            else evolve(failure, error=light(failure.error))
            for failure in made.failures
        )
    if error.__cause__ is not None and error.__cause__ is not error:
        made.__cause__ = light(error.__cause__)
    return made
