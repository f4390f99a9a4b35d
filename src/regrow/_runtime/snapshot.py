"""A frozen picture of a running tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import frozen

from regrow._core.specs import DynamicSpec

from .actor_place import ActorPlace
from .place import Place, SupervisorPlace

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PlaceSnapshot", "picture"]

PlaceStatus = Literal["starting", "running", "restarting", "stopping", "stopped"]


@frozen
class PlaceSnapshot:
    """One place and what is below it, as it was at one moment.

    Attributes:
        path: From the root.
        name: Its last part.
        kind: `actor`, `service`, `supervisor` or `dynamic`.
        status: `restarting` is every pause between two incarnations; `stopped` is closed.
        incarnation: Number of the latest one; 0 before the first.
        restarts: Incarnations that came up after the first.
        waiting: Messages in the mailbox; 0 where there is none.
        capacity: Messages that the mailbox holds; 0 where there is none.
        children: What is below it, in the order of starts.
    """

    path: str
    name: str
    kind: Literal["actor", "service", "supervisor", "dynamic"]
    status: PlaceStatus
    incarnation: int
    restarts: int
    waiting: int
    capacity: float
    children: tuple[PlaceSnapshot, ...] = ()

    def walk(self) -> Iterator[PlaceSnapshot]:
        """Give it and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def find(self, path: str) -> PlaceSnapshot:
        """Give the place at *path*.

        Raises:
            KeyError: There is no such place.
        """
        if path == self.path:
            return self
        for child in self.children:
            if f"{path}/".startswith(f"{child.path}/"):
                return child.find(path)
        raise KeyError(path)


def picture(place: Place) -> PlaceSnapshot:
    """Take the picture of *place* and all below it."""
    kind: Literal["actor", "service", "supervisor", "dynamic"] = "service"
    waiting, capacity = 0, 0.0
    children: tuple[PlaceSnapshot, ...] = ()
    if isinstance(place, ActorPlace):
        kind = "actor"
        waiting, capacity = place.box.count, place.box.rules.capacity
    elif isinstance(place, SupervisorPlace):
        kind = "dynamic" if isinstance(place.spec, DynamicSpec) else "supervisor"
        children = tuple(picture(child) for child in place.children.values())
    return PlaceSnapshot(
        place.path,
        place.name,
        kind,
        _status(place),
        place.incarnation,
        place.restarts,
        waiting,
        capacity,
        children,
    )


def _status(place: Place) -> PlaceStatus:
    life = place.life
    if life is None:
        if not place.open:
            return "stopped"
        return "restarting" if place.incarnation else "starting"
    if life.told:
        return "stopping"
    return "running" if life.up else "starting"
