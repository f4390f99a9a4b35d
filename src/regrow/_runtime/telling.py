"""What a supervisor tells of its decisions, before anything follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regrow._core import steps
from regrow._core.events import AutoShutdown, ChildRestarting, RestartLimitExceeded
from regrow.errors import RestartLimitExceededError

if TYPE_CHECKING:
    from .life import Life
    from .place import SupervisorPlace

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
        )
    )


def tell_ending(life: Life, step: steps.Ending) -> None:
    """Tell that a supervisor has decided to end; of the root, to the program as well."""
    place = life.place
    host = place.host
    now = host.now()
    if isinstance(step.error, RestartLimitExceededError):
        host.emit(RestartLimitExceeded(place.path, life.number, now, step.error))
    elif step.outcome is steps.Outcome.AUTO_SHUTDOWN:
        host.emit(AutoShutdown(place.path, life.number, now, step.child))
    if place.parent is None and step.error is not None:
        host.on_failure()  # the body goes first (promise 1)
