"""Whether a running tree is well: its places looked at, and judged by `_core.health`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regrow._core.health import NEARLY_FULL, Health, Reasons, judge

from .actor_place import ActorPlace
from .snapshot import shallow
from .supervisor import SupervisorLife
from .walk import at_a_stretch, runs

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from .place import Place, SupervisorPlace

__all__ = ["Checkup", "check_up", "health_of"]


def health_of(root: SupervisorPlace) -> Health:
    """Judge the tree below *root* at a stretch."""
    return at_a_stretch(check_up(root))


def check_up(root: SupervisorPlace) -> Generator[None, None, Health]:
    """Judge the tree below *root*; yields now and then, for others to run.

    Each place is judged as it is when its turn comes.
    """
    checkup = Checkup()
    for run in runs(root):
        checkup.look(run)
        yield
    return checkup.health()


class Checkup:
    """The places of a tree, judged one after the other."""

    def __init__(self) -> None:
        self._found = Reasons()

    def look(self, places: Iterable[Place]) -> None:
        """Judge *places*; of one that is plainly well no picture is made."""
        for place in places:
            if _plainly_well(place):
                continue
            now = place.host.now()
            for reason in judge(
                shallow(place),
                root=place.parent is None,
                below_running=_is_below_running(place),
                now=now,
            ):
                self._found.add(reason)

    def health(self) -> Health:
        """Give the health of a tree of which that is all."""
        return self._found.health()


def _plainly_well(place: Place) -> bool:
    """Whether `judge` would find nothing, as far as a glance tells."""
    life = place.life
    if life is None or life.ends or not life.up or place.spec.backoff is not None:
        return False
    if isinstance(place, ActorPlace):
        box = place.box
        return box.count < box.rules.capacity * NEARLY_FULL or not box.count
    if isinstance(life, SupervisorLife):
        return not life.machine.used(place.host.now())
    return True


def _is_below_running(place: Place) -> bool:
    """Whether every supervisor above it runs."""
    above = place.parent
    while above is not None:
        if above.status != "running":
            return False
        above = above.parent
    return True
