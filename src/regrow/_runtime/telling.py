"""What a supervisor tells of its decisions, before anything follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regrow._core import steps
from regrow._core.events import AutoShutdown, ChildRestarting, RestartLimitExceeded
from regrow._core.timeline import timeline_lines, timeline_of
from regrow.errors import RestartLimitExceededError, StartFailedError

if TYPE_CHECKING:
    from .life import Life
    from .place import Place, SupervisorPlace

__all__ = ["tell_ending", "tell_restart"]


def tell_restart(own: SupervisorPlace, step: steps.RestartDecided) -> None:
    """Tell that a child of *own* will be restarted."""
    place = own.children[step.name]
    host = place.host
    host.emit(
        ChildRestarting(
            place.path,
            place.incarnation,
            host.now(),
            step.attempt,
            step.delay,
            step.error,
            step.allowed,
        )
    )


def tell_ending(life: Life, step: steps.Ending) -> None:
    """Tell that a supervisor has decided to end; of the root, to the program as well."""
    place = life.place
    host = place.host
    now = host.now()
    if isinstance(step.error, RestartLimitExceededError):
        step.error.timeline = timeline_of(step.error, place.path, host.history.events())
        host.emit(RestartLimitExceeded(place.path, life.number, now, step.error))
    elif step.outcome is steps.Outcome.AUTO_SHUTDOWN:
        host.emit(AutoShutdown(place.path, life.number, now, step.child))
    if place.parent is None and step.error is not None:
        _note_timeline(place, step.error)
        host.on_failure()  # the body goes first (promise 1)


def _note_timeline(place: Place, error: BaseException) -> None:
    """Let the error that comes out of the tree tell what led to it."""
    if not isinstance(error, RestartLimitExceededError | StartFailedError):
        return
    host = place.host
    if isinstance(error, StartFailedError):
        error.timeline = timeline_of(error, place.path, host.history.events())
    today = host.wall(host.now())

    def clock(at: float) -> str:
        return f"{host.wall(at):%H:%M:%S.%f}"[:-3]

    lines = "".join(f"\n  {line}" for line in timeline_lines(error.timeline, clock))
    error.add_note(f"what led to it (local time, {today:%Y-%m-%d %Z}):{lines}")
    if isinstance(error, RestartLimitExceededError):
        error.add_note(f"levels passed: {' -> '.join(error.levels)}")
