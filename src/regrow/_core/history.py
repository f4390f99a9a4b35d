"""The last things that happened in a tree, kept for whoever asks later.

Exceptions are kept without their tracebacks, and without what they came from; the place
itself has the latest one whole.
"""

from collections import deque
from collections.abc import Callable
from operator import attrgetter
from typing import TypeAlias, cast

from attrs import define, evolve, field, fields

from regrow.errors import RestartLimitExceededError

from .events import (
    AnswerDiscarded,
    ChildExited,
    ChildRestarting,
    ChildStartFailed,
    Event,
    RestartLimitExceeded,
)
from .light import Shed, light

__all__ = ["KEPT", "History"]

KEPT = 1000  # events

_Failed: TypeAlias = ChildExited | ChildRestarting


def _kept_fields(kind: type[_Failed]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind) if each.name != "error")


_NAMES = {kind: _kept_fields(kind) for kind in (ChildExited, ChildRestarting)}
_TAKE = {kind: attrgetter(*names) for kind, names in _NAMES.items()}


class _Kept:
    """An event of a failure without its exception, to be made anew when somebody asks.

    To take its fields takes a third of the time of making another event.
    """

    __slots__ = ("_event", "_kind", "_shed", "_values")

    def __init__(self, event: _Failed, shed: Shed) -> None:
        self._event: Event | None = None
        self._kind: type[_Failed] = type(event)
        self._values: tuple[object, ...] = _TAKE[self._kind](event)
        self._shed = shed

    def event(self) -> Event:
        """Give it, the same one each time."""
        if self._event is None:
            values = dict(zip(_NAMES[self._kind], self._values, strict=True))
            make = cast("Callable[..., Event]", self._kind)
            self._event = make(**values, error=self._shed.error())
        return self._event


def _new_events() -> deque[Event | _Kept]:
    return deque(maxlen=KEPT)


@define(eq=False)
class History:
    """The last 1,000 events of a tree."""

    _events: deque[Event | _Kept] = field(factory=_new_events, init=False)
    _error: BaseException | None = field(default=None, init=False)
    _shed: Shed | None = field(default=None, init=False)

    def add(self, event: Event) -> None:
        """Take *event* in."""
        last, self._error = self._error, None
        if type(event) not in _FAILURES:
            self._events.append(event)
        elif isinstance(event, ChildExited | ChildRestarting):
            error = event.error
            if error is None:
                self._events.append(event)
                return
            shed = self._shed
            if shed is None or error is not last:
                shed = self._shed = Shed(error)
            # The restart of a child is told next after its end, and of the same error.
            self._error = error
            self._events.append(_Kept(event, shed))
        elif isinstance(event, RestartLimitExceeded):
            spent = cast("RestartLimitExceededError", light(event.error))
            self._events.append(evolve(event, error=spent))
        else:
            other = cast("ChildStartFailed | AnswerDiscarded", event)
            self._events.append(evolve(other, error=light(other.error)))

    def events(self) -> tuple[Event, ...]:
        """Give them, oldest first.

        Nothing is changed: whoever asks may be interrupted, and others may be told of
        something meanwhile.
        """
        return tuple(
            each.event() if isinstance(each, _Kept) else each
            for each in tuple(self._events)
        )


_FAILURES = frozenset(
    {
        AnswerDiscarded,
        ChildExited,
        ChildRestarting,
        ChildStartFailed,
        RestartLimitExceeded,
    }
)
"""The events that have an exception."""
