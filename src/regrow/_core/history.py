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

    def add(self, event: Event) -> None:
        """Take *event* in."""
        self._events.append(_without_frames(event))

    def events(self) -> tuple[Event, ...]:
        """Give them, oldest first."""
        return tuple(self._events)


def _without_frames(event: Event) -> Event:
    """Give *event*, with a light exception in the place of one.

    Each is made by its own class: `attrs.evolve` takes longer than all else that a crash
    costs here.
    """
    match event:
        case ChildExited(error=BaseException() as error):
            return ChildExited(
                event.path,
                event.incarnation,
                event.at,
                event.reason,
                light(error),
                event.told,
                event.expected,
                event.kind,
                event.message,
            )
        case ChildRestarting(error=BaseException() as error):
            return ChildRestarting(
                event.path,
                event.incarnation,
                event.at,
                event.attempt,
                event.delay,
                light(error),
                event.allowed,
            )
        case ChildStartFailed(error=error) | AnswerDiscarded(error=error):
            return evolve(event, error=light(error))
        case RestartLimitExceeded(error=error):
            return evolve(event, error=cast("RestartLimitExceededError", light(error)))
        case _:
            return event


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
