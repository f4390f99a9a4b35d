"""What led to the end of a supervisor: its failures and those below it, in order.

The same for the machine, as values on the error, and for whoever reads the traceback at
night, as lines.
"""

import math
from collections.abc import Callable, Iterator, Sequence

from regrow.errors import (
    Failure,
    RestartLimitExceededError,
    StartFailedError,
    TimelineEntry,
    summary,
)

from . import events
from .exits import ExitReason

__all__ = ["timeline_lines", "timeline_of"]

SHOWN = 60  # lines; the latest tell most

Ending = RestartLimitExceededError | StartFailedError


def timeline_of(
    error: Ending, path: str, history: Sequence[events.Event]
) -> tuple[TimelineEntry, ...]:
    """Give what of *history* led to *error*, oldest first.

    Args:
        error: What the supervisor at *path* ends with, or its start has failed of.
        path: The supervisor; what happened elsewhere is left out.
        history: What happened in the tree, oldest first.
    """
    below = f"{path}/"
    own = [
        event for event in history if event.path == path or event.path.startswith(below)
    ]
    first = _first_failure(error)
    since = 0 if first is None else _index_of(first, own)
    entries = map(_entry, own[since:])
    return tuple(entry for entry in entries if entry is not None)


def _first_failure(error: BaseException | None) -> Failure | None:
    """Give the earliest failure that counted, at whatever level."""
    if not isinstance(error, RestartLimitExceededError):
        return None
    first = error.failures[0]
    return _first_failure(first.error) or first


def _index_of(failure: Failure, history: Sequence[events.Event]) -> int:
    """Give where *failure* was told, which was just before it was counted."""
    told = [
        (index, event.at)
        for index, event in enumerate(history)
        if event.path == failure.path
        and event.at <= failure.at
        and isinstance(event, events.ChildExited | events.ChildStartFailed)
    ]
    # Of several at one instant the first: those after it have counted as well.
    return next((index for index, at in told if at == told[-1][1]), 0)


def _entry(event: events.Event) -> TimelineEntry | None:
    """Give *event* as an entry, if it is one of those that lead to an end."""
    error: BaseException | None = None
    match event:
        case events.ChildExited(error=RestartLimitExceededError()):
            return None  # that it gave up is told already
        case events.ChildExited(reason=ExitReason.CRASHED, message=message):
            error = event.error
            what = f"crashed on {message}" if message else "crashed"
        case events.ChildExited(reason=ExitReason.KILLED, expected=False):
            what = "was cut off before it had stopped"
        case events.ChildExited(told=False, reason=reason, kind="worker"):
            what = f"ended ({reason.value})"
        case events.ChildStartFailed():
            error = event.error
            what = "did not start"
        case events.ChildRestarting(attempt=attempt, delay=delay, allowed=allowed):
            when = f"in {delay:.3g} s" if delay else "now"
            of = "" if allowed == math.inf else f" of {allowed:g}"
            what = f"restarts {when} (attempt {attempt}{of})"
        case events.ChildStuck(waited=waited):
            what = f"does not end, {waited:.3g} s after it was cut off"
        case events.RestartLimitExceeded():
            error = event.error
            what = "gives up"
        case events.AutoShutdown(child=child):
            what = f"shuts down, as {child!r} has ended"
        case _:
            return None
    return TimelineEntry(event.at, event.path, event.incarnation, what, error)


def timeline_lines(
    entries: Sequence[TimelineEntry], clock: Callable[[float], str]
) -> Iterator[str]:
    """Give *entries* as lines.

    Args:
        entries: Oldest first; of many, only the latest 60 are shown.
        clock: Says a time of the run's clock as people do.
    """
    left_out = max(0, len(entries) - SHOWN)
    if left_out:
        yield f"({left_out} earlier ones left out)"
    for entry in entries[left_out:]:
        why = "" if entry.error is None else f": {_why(entry.error)}"
        yield f"{clock(entry.at)}  {entry.path} [{entry.incarnation}] {entry.what}{why}"


def _why(error: BaseException) -> str:
    """Give *error* as one line; of our own, only what is not told by other lines."""
    if isinstance(error, StartFailedError):
        return summary(error.root_cause)
    if isinstance(error, RestartLimitExceededError):
        return error.limit
    return summary(error)
