"""The events of trees as records of the logger `regrow`.

Without any configuration the standard library prints warnings and errors to stderr, so that
nothing dies without one record that has its traceback.
"""

import logging
import math

from regrow._core import events
from regrow._core.events import CRASHED_ON_IT
from regrow.errors import StartCancelledError, summary

__all__ = ["is_heard", "log_event", "log_observer_failed"]

_log = logging.getLogger("regrow")

Told = tuple[int, str, BaseException | None]

# The weight of events that come with every child of a tree, and are seldom heard: most of
# all others weigh more. Asked for first, as it costs a tenth of putting one in words.
_AT_MOST: dict[type[events.Event], int] = {
    events.ChildStarted: logging.DEBUG,
    events.PlaceClosed: logging.DEBUG,
}


def _exited(event: events.ChildExited) -> Told:
    if event.kind == "supervisor":
        return logging.DEBUG, f"ended ({event.reason.value})", None
    if event.error is not None:
        late = " while stopping" if event.told else ""
        upon = f" on {event.message!r}" if event.message else ""
        text = f"crashed{upon}{late} ({summary(event.error)})"
        return logging.ERROR, text, event.error
    if not event.expected:
        return logging.WARNING, f"ended {event.reason.value} when told to stop", None
    if not event.told and not event.reason.clean:
        return logging.WARNING, f"ended {event.reason.value}", None
    return logging.DEBUG, f"ended ({event.reason.value})", None


def _told(event: events.Event) -> Told:
    match event:
        case events.ChildExited():
            return _exited(event)
        case events.ChildStartFailed(error=StartCancelledError() as error):
            return logging.INFO, f"did not start ({summary(error)})", None
        case events.ChildStartFailed(error=error, kind=kind):
            # That of a supervisor repeats what was told of the child below it.
            cause = error if kind == "worker" else None
            return logging.ERROR, f"did not start ({summary(error)})", cause
        case events.ChildRestarting(attempt=attempt, delay=delay, allowed=allowed):
            when = f"in {delay:.3g} s" if delay else "now"
            of = "" if allowed == math.inf else f" of {allowed:g}"
            # From half of what the limit allows on, the end of more than this child is near.
            level = logging.WARNING if 1 < attempt >= allowed / 2 else logging.INFO
            return level, f"restarts {when} (attempt {attempt}{of})", None
        case events.RestartLimitExceeded(error=error):
            # The root's is the end of the program, or of this part of it.
            level = logging.ERROR if "/" in event.path else logging.CRITICAL
            return level, str(error), None
        case events.RestartRate(per_minute=rate):
            text = f"is restarted often: {rate:g} times in the last minute"
            return logging.WARNING, text, None
        case events.ChildStuck(waited=waited, stack=stack):
            where = "".join(f"\n  {line}" for line in stack)
            text = (
                f"was cut off {waited:.3g} s ago and is still there, waiting in{where}"
            )
            return logging.ERROR, text, None
        case events.DeadLetter(message=message, reason=reason):
            # The record of the crash names the message that it crashed on.
            crash = reason.startswith(CRASHED_ON_IT)
            level = logging.DEBUG if crash else logging.WARNING
            return level, f"dead letter {message!r}: it {reason}", None
        case events.AnswerDiscarded(message=message, error=error):
            text = f"answered the cast {message!r} with {summary(error)}"
            return logging.WARNING, text, None
        case events.MessagesDropped(count=count, policy=policy):
            messages = "1 message" if count == 1 else f"{count} messages"
            return logging.WARNING, f"dropped {messages} ({policy})", None
        case events.AutoShutdown(child=child):
            return logging.INFO, f"shuts down, as {child!r} has ended", None
        case events.PlaceClosed(why=why):
            return logging.DEBUG, f"closed: it {why}", None
        case events.ChildStarted():
            return logging.DEBUG, "is up", None
        case events.ChildIgnored():
            return logging.INFO, "chose not to start", None
        case _:
            return logging.DEBUG, repr(event), None


def is_heard(event: events.Event) -> bool:
    """Whether the log may take *event*; for most of those that it does not, no is known."""
    return _log.isEnabledFor(_AT_MOST.get(type(event), logging.CRITICAL))


def log_event(event: events.Event) -> None:
    """Write *event* to the log."""
    level, text, error = _told(event)
    if not _log.isEnabledFor(level):
        return
    # Not by `_log.log`, which would look for the line of code that called: one of these here.
    record = _log.makeRecord(
        _log.name,
        level,
        __file__,
        0,
        "%s [%d] %s",
        (event.path, event.incarnation, text),
        None if error is None else (type(error), error, error.__traceback__),
        extra={
            "path": event.path,
            "incarnation": event.incarnation,
            "event": type(event).__name__,
            "regrow_event": event,
        },
    )
    _log.handle(record)


def log_observer_failed(observer: object, error: Exception) -> None:
    """Write that an observer has raised and hears nothing any more."""
    _log.error("observer %r raised and was removed", observer, exc_info=error)
