"""Events as short lines, for whole lists of them in a test."""

from collections.abc import Iterable

from regrow import (
    ChildExited,
    ChildRestarting,
    ChildStarted,
    ChildStartFailed,
    DeadLetter,
    Event,
    PlaceClosed,
    RestartLimitExceeded,
)

__all__ = ["brief", "timed"]


def brief(events: Iterable[Event]) -> list[str]:
    """Give a line for each event but the closing of places."""
    return [_line(event) for event in events if not isinstance(event, PlaceClosed)]


def timed(events: Iterable[Event]) -> list[str]:
    """Give a line for each event but the closing of places, with its time."""
    return [
        f"{event.at:g} {_line(event)}"
        for event in events
        if not isinstance(event, PlaceClosed)
    ]


def _line(event: Event) -> str:
    match event:
        case ChildStarted():
            what = "up"
        case ChildStartFailed(error=error):
            what = f"failed to start: {error}"
        case ChildExited(reason=reason):
            what = reason.value
        case ChildRestarting(delay=0):
            what = "restarting"
        case ChildRestarting(delay=delay):
            what = f"restarting in {delay:g} s"
        case DeadLetter(message=message):
            what = f"dead letter {message}"
        case RestartLimitExceeded():
            what = "gives up"
        case _:
            what = type(event).__name__
    return f"{event.path} {event.incarnation} {what}"
