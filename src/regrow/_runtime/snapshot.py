"""Pictures of a running tree: its places, and where its tasks wait."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import trio

from regrow._core.snapshot import (
    FailureSnapshot,
    PlaceKind,
    PlaceSnapshot,
    PlaceStatus,
    sketch,
)
from regrow._core.specs import DynamicSpec, SupervisorSpec

from .actor_place import ActorPlace
from .place import TOLD_TO_STOP, Place, SupervisorPlace
from .redact import shown_message
from .stuck import frames_of, stack_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "FailureSnapshot",
    "PlaceSnapshot",
    "picture",
    "shallow",
    "stacks_of",
]


def picture(place: Place) -> PlaceSnapshot:
    """Take the picture of *place* and all below it."""
    return _picture(place, trio.current_time(), deep=True)


def shallow(place: Place) -> PlaceSnapshot:
    """Take the picture of *place* alone, without children, however many there are."""
    return _picture(place, trio.current_time(), deep=False)


def _picture(place: Place, now: float, *, deep: bool) -> PlaceSnapshot:
    """Take a picture; short for what most places are, an actor that waits."""
    life = place.life
    status: PlaceStatus = "running"
    uptime = due = starting_since = None
    missing = False
    if life is not None:
        since = life.since
        if life.up and since is not None:
            uptime = now - since
        else:
            starting_since = since
        if life.told or life.killed or not life.up:
            status = place.status
    else:
        status = place.status
        due = _due(place)
        missing = _missing(place)

    kind: PlaceKind = "service"
    waiting = peak = 0
    capacity = 0.0
    handling = handling_since = strategy = intensity = period = used = None
    failures = allowed = None
    suspended = False
    children: tuple[PlaceSnapshot, ...] = ()
    spec = place.spec
    if isinstance(place, ActorPlace):
        kind = "actor"
        box = place.box
        waiting, peak, capacity = box.count, box.peak, box.rules.capacity
        actor_life = place.actor_life
        if actor_life is not None:
            suspended = actor_life.suspended
            request = actor_life.in_hand
            if request is not None:
                handling = shown_message(actor_life.actor, request)
                handling_since = actor_life.handling_since
    elif isinstance(spec, SupervisorSpec):
        kind = "dynamic" if isinstance(spec, DynamicSpec) else "supervisor"
        strategy, intensity, period = spec.strategy, spec.intensity, spec.period
        above = cast("SupervisorPlace", place)
        if above.supervisor_life is not None:
            used = above.supervisor_life.machine.used(now)
        if deep:
            below = above.children.values()
            children = tuple([_picture(child, now, deep=True) for child in below])
    backoff = spec.backoff
    if backoff is not None:
        if backoff.max_attempts != math.inf:
            allowed = int(backoff.max_attempts) - 1  # at the last of them it gives up
        parent = None if place.parent is None else place.parent.supervisor_life
        if parent is not None:
            failures = parent.machine.used_by(place.name, now)
        if strategy is None:
            intensity, period, used = allowed, backoff.reset_after, failures
            failures = allowed = None

    found = sketch(
        place.path,
        place.name,
        kind,
        status,
        place.incarnation,
        place.restarts,
        waiting,
        capacity,
        children,
        due,
        uptime,
        peak,
        handling,
        handling_since,
        suspended,
        place.failure,
        strategy,
        intensity,
        period,
        used,
        failures,
        allowed,
        missing,
        starting_since,
    )
    found.__class__ = PlaceSnapshot
    return found


def _due(place: Place) -> float | None:
    """Give when the delayed restart of *place* comes, if it waits for one."""
    above = None if place.parent is None else place.parent.supervisor_life
    return None if above is None else above.due(place.name)


def _missing(place: Place) -> bool:
    """Whether *place* is down for good though it should be there."""
    above = place.parent
    if place.open or place.ignored or above is None or place.host.stopping:
        return False
    if above.life is None or above.life.told:
        return False
    if place.spec.restart == "permanent":
        return True
    if not place.spec.significant:
        return False
    if place.last is None or place.why == TOLD_TO_STOP:
        return True
    number, end = place.last
    return number != place.incarnation or not end.reason.clean


# ------------------------------------------------------------------------------- stacks


def stacks_of(place: Place) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give *place* and all below it with where their tasks wait, parents first.

    The tasks of a supervisor's children are those of their own places.
    """
    supervisor = isinstance(place, SupervisorPlace)
    if place.life is not None and place.life.task is not None:
        frames = frames_of if supervisor else stack_of
        yield place.path, tuple(frames(place.life.task))
    if isinstance(place, SupervisorPlace):
        for child in place.children.values():
            yield from stacks_of(child)
