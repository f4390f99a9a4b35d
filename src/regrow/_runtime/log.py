"""The events of trees as records of the logger `regrow`.

Without any configuration the standard library prints warnings and errors to stderr, so that
nothing dies without one record that has its traceback.
"""

import logging
import math
from collections.abc import Sequence

from regrow._core import events
from regrow._core.events import CRASHED_ON_IT
from regrow.errors import RegrowError, StartCancelledError, summary

from .stacks import theirs, where

__all__ = ["is_heard", "log_blocked", "log_event", "log_observer_failed"]

_log = logging.getLogger("regrow")

Worded = tuple[str, BaseException | None]

_LEVELS: dict[type[events.Event], int] = {
    events.ActorResumed: logging.INFO,
    events.ActorSuspended: logging.INFO,
    events.AnswerDiscarded: logging.WARNING,
    events.AutoShutdown: logging.INFO,
    events.ChildIgnored: logging.INFO,
    events.ChildStarted: logging.DEBUG,
    events.ChildStuck: logging.ERROR,
    events.HeartbeatMissed: logging.WARNING,
    # While it lasted the watchdog has told of it as an error.
    events.LoopBlocked: logging.WARNING,
    events.MessagesDropped: logging.WARNING,
    events.PlaceClosed: logging.DEBUG,
    events.RestartRate: logging.WARNING,
}


def level_of(event: events.Event) -> int:
    """Give the weight of *event*; most are asked for that, and few put in words."""
    level = _LEVELS.get(type(event))
    if level is not None:
        return level
    match event:
        case events.ChildExited():
            return _level_of_end(event)
        case events.ChildRestarting(attempt=attempt, allowed=allowed):
            # From half of what the limit allows on, the end of more than this child is near.
            return logging.WARNING if 1 < attempt >= allowed / 2 else logging.INFO
        case events.DeadLetter(reason=reason):
            # The record of the crash names the message that it crashed on.
            crash = reason.startswith(CRASHED_ON_IT)
            return logging.DEBUG if crash else logging.WARNING
        case events.ChildStartFailed(error=StartCancelledError()):
            return logging.INFO
        case events.ChildStartFailed():
            return logging.ERROR
        case events.RestartLimitExceeded(path=path):
            # The root's is the end of the program, or of this part of it.
            return logging.ERROR if "/" in path else logging.CRITICAL
        case _:
            return logging.DEBUG


def _is_told_below(kind: str, error: BaseException | None) -> bool:
    """Whether a supervisor has failed of what was told of those below it.

    Not so if one of them has broken its nursery.
    """
    return kind == "supervisor" and isinstance(error, RegrowError | None)


def _level_of_end(event: events.ChildExited) -> int:
    if _is_told_below(event.kind, event.error):
        return logging.DEBUG
    if event.error is not None:
        return logging.ERROR
    surprise = not event.expected or (not event.told and not event.reason.clean)
    return logging.WARNING if surprise else logging.DEBUG


def _worded_end(event: events.ChildExited) -> Worded:
    if event.error is None or _is_told_below(event.kind, event.error):
        if not event.expected:
            return f"ended {event.reason.value} when told to stop", None
        return f"ended ({event.reason.value})", None
    late = " while stopping" if event.told else ""
    upon = f" on {event.message}" if event.message else ""
    return f"crashed{upon}{late} ({summary(event.error)})", event.error


def _worded(event: events.Event) -> Worded:
    match event:
        case events.ChildExited():
            return _worded_end(event)
        case events.ChildStartFailed(error=error, kind=kind):
            given_up = isinstance(error, StartCancelledError)
            again = given_up or _is_told_below(kind, error)
            return f"did not start ({summary(error)})", None if again else error
        case events.ChildRestarting(attempt=attempt, delay=delay, allowed=allowed):
            when = f"in {delay:.3g} s" if delay else "now"
            of = "" if allowed == math.inf else f" of {allowed:g}"
            return f"restarts {when} (attempt {attempt}{of})", None
        case events.RestartLimitExceeded(error=error):
            return str(error), None
        case events.RestartRate(per_minute=rate):
            return f"is restarted often: {rate:g} times in the last minute", None
        case events.ChildStuck(waited=waited, stack=stack):
            cut = f"was cut off {waited:.3g} s ago"
            return f"{cut} and is still there, waiting in{_below(stack)}", None
        case events.HeartbeatMissed(misses=misses, allowed=allowed, stack=stack):
            count = f"has not answered a health check ({misses} of {allowed})"
            return f"{count}, waiting in{_below(stack)}", None
        case events.LoopBlocked(incarnation=0, seconds=seconds):
            blocked = "the event loop had been blocked by no place of the tree"
            return f"{blocked} for {seconds:.3g} s; it runs again", None
        case events.LoopBlocked(seconds=seconds):
            return (
                f"had blocked the event loop for {seconds:.3g} s; it runs again",
                None,
            )
        case events.DeadLetter(message=message, reason=reason):
            return f"dead letter {message!r}: it {reason}", None
        case events.AnswerDiscarded(message=message, error=error):
            return f"answered the cast {message!r} with {summary(error)}", None
        case events.MessagesDropped(count=count, policy=policy):
            messages = "1 message" if count == 1 else f"{count} messages"
            return f"dropped {messages} ({policy})", None
        case events.AutoShutdown(child=child):
            return f"shuts down, as {child!r} has ended", None
        case events.PlaceClosed(why=why):
            return f"closed: it {why}", None
        case events.ChildStarted():
            return "is up", None
        case events.ActorSuspended():
            return "is suspended: it begins no message", None
        case events.ActorResumed():
            return "goes on: it was resumed", None
        case events.ChildIgnored():
            return "chose not to start", None
        case _:
            return repr(event), None


def _below(stack: Sequence[str]) -> str:
    return "".join(f"\n  {line}" for line in stack)


def is_heard(event: events.Event) -> bool:
    """Whether the log takes *event*."""
    return _log.isEnabledFor(level_of(event))


def log_event(event: events.Event) -> None:
    """Write *event* to the log."""
    text, error = _worded(event)
    # Not by `_log.log`, which would look for the line of code that called: one of these here.
    record = _log.makeRecord(
        _log.name,
        level_of(event),
        __file__,
        0,
        "%s [%d] %s",
        (event.path, event.incarnation, text),
        None if error is None else (type(error), error, theirs(error.__traceback__)),
        extra={
            "path": event.path,
            "incarnation": event.incarnation,
            "event": type(event).__name__,
            "regrow_event": event,
        },
    )
    _log.handle(record)


def log_blocked(
    path: str, incarnation: int, tree: str, seconds: float, stack: Sequence[str]
) -> None:
    """Write what blocks the event loop, while it does; in a thread.

    Args:
        path: The place whose code it is.
        incarnation: Which life of that; 0 if it is no place's.
        tree: Path of the root.
        seconds: Since when.
        stack: Of the blocking task.
    """
    if incarnation:
        whose = "blocks the event loop"
    else:
        whose = f"the event loop is blocked, by no place of the tree {tree!r},"
    _log.error(
        "%s [%d] %s for %.3g s, in %s%s",
        path,
        incarnation,
        whose,
        seconds,
        where(stack),
        _below(stack),
        extra={"path": path, "incarnation": incarnation, "event": "LoopBlocked"},
    )


def log_observer_failed(observer: object, error: Exception) -> None:
    """Write that an observer has raised and hears nothing any more."""
    _log.error("observer %r raised and was removed", observer, exc_info=error)
