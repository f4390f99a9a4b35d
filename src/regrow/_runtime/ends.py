"""How a life, or a start, has ended: judged, told to whoever is concerned, reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regrow._core import steps
from regrow._core.events import ChildExited, ChildIgnored, ChildStartFailed
from regrow._core.exits import Exit, ExitReason
from regrow._core.snapshot import FailureSnapshot
from regrow.errors import StartCancelledError, StartTimeoutError

from .signals import IgnoreStart, Shutdown
from .user import only
from .waits import break_circle

if TYPE_CHECKING:
    from .life import Life

__all__ = ["end_of_life", "end_of_start", "judge"]

TOLD = Exit(ExitReason.SHUTDOWN)
"""How all end that were told to stop and did: one value for the many of a large tree."""


def judge(life: Life, error: BaseException | None, *, cut: bool, busy: float) -> Exit:
    """Give the end of *life* as a value: *error* came out, or *cut* off, or it returned."""
    if error is not None and not only(error, Shutdown):
        fatal = not isinstance(error, Exception)
        return Exit(ExitReason.CRASHED, error, busy, fatal=fatal)
    if life.killed or (cut and not life.told):
        return Exit(ExitReason.KILLED, busy=busy)
    if life.told or error is not None:
        return Exit(ExitReason.SHUTDOWN, busy=busy) if busy else TOLD
    return Exit(ExitReason.NORMAL, busy=busy)


def end_of_life(life: Life, end: Exit) -> None:
    """Tell of the end of a life that had been up; its supervisor hears of it last."""
    place = life.place
    host = place.host
    place.last = (life.number, end)
    now = host.now()
    if not end.reason.clean:
        place.failure = FailureSnapshot(now, life.number, end.error)
    life.settle(end)
    host.emit(
        ChildExited(
            place.path,
            life.number,
            now,
            end.reason,
            end.error,
            life.told,
            not life.told or _expected(life, end),
            life.kind,
            life.broke_on,
        )
    )
    if place.is_monitored:
        for monitor in place.monitors():
            monitor.notice(life.number, end)
    if end.fatal and end.error is not None:
        host.fail(end.error)
    life.report(steps.Exited(place.name, life.run, end))
    # Now its supervisor does not wait for it any more, but its place for the supervisor.
    if host.lives.waiting and place.open and place.parent is not None:
        break_circle(place, place.parent)


def end_of_start(life: Life, error: BaseException | None, *, cut: bool) -> None:
    """Tell of a start that has not led to a life, or was ignored."""
    place = life.place
    host = place.host
    now = host.now()
    ignored = error is None and not cut and not life.told
    if ignored or (error is not None and only(error, IgnoreStart)):
        place.ignored = True
        host.emit(ChildIgnored(place.path, life.number, now))
        life.report(steps.Ignored(place.name, life.run))
        return
    why: BaseException
    if error is not None:
        why = error
    elif life.slow:
        why = StartTimeoutError(place.path, place.spec.start_timeout)
    else:
        why = StartCancelledError(place.path)
    if not isinstance(why, StartCancelledError):  # which is no failure of its own
        place.failure = FailureSnapshot(now, life.number, why)
    host.emit(ChildStartFailed(place.path, life.number, now, why, life.kind))
    if not isinstance(why, Exception):
        host.fail(why)
    life.report(steps.StartFailed(place.name, life.run, why))


def _expected(life: Life, end: Exit) -> bool:
    """Whether a supervisor that told its child to stop expects this end (S43)."""
    spec = life.place.spec
    if end.reason is ExitReason.KILLED:
        return spec.shutdown == 0
    if end.reason is ExitReason.SHUTDOWN:
        return spec.shutdown != 0
    return end.reason.clean and spec.restart != "permanent"
