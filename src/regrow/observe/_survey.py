"""One pass over all places of a tree: how many there are, and in what order to show them.

It keeps paths and numbers only, so that a place that goes is not held by it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeAlias, assert_never

from regrow._runtime.actor_place import ActorPlace
from regrow._runtime.place import Place, SupervisorPlace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Order", "Sort", "Survey"]

Sort: TypeAlias = Literal["tree", "restarts", "mailbox", "uptime"]
Order: TypeAlias = tuple[str, Sort]
"""A filter, and what to sort by."""


class Survey:
    """What one pass has found.

    Attributes:
        places: How many there are.
        restarts: How many restarts they had in all.
        sizes: How many places a supervisor is with all below it, by its path.
        flat: The paths of supervisors that have no supervisors below.
        orders: The paths to show, in order, for each filter and sort asked for.
    """

    def __init__(self, root: SupervisorPlace, orders: Iterable[Order]) -> None:
        self.restarts: int = 0
        self.sizes: dict[str, int] = {}
        self.flat: set[str] = set()
        self.places: int = self._measure(root)
        self.orders: dict[Order, list[str]] = {
            order: _ordered(root, *order) for order in orders
        }

    def _measure(self, place: SupervisorPlace) -> int:
        below = place.children
        size = 1 + len(below)
        restarts = place.restarts
        flat = True
        for child in below.values():
            if isinstance(child, SupervisorPlace):
                flat = False
                size += self._measure(child) - 1
            else:
                restarts += child.restarts
        self.restarts += restarts
        self.sizes[place.path] = size
        if flat:
            self.flat.add(place.path)
        return size

    def hidden(self, folded: frozenset[str]) -> dict[str, int]:
        """Give how many places are hidden below each supervisor, by its path."""
        found: dict[str, int] = {}
        for path in folded:
            size = self.sizes.get(path)
            if size is None or any(above in folded for above in _above(path)):
                continue
            for place in (path, *_above(path)):
                found[place] = found.get(place, 0) + size - 1
        return found


def _above(path: str) -> Iterator[str]:
    """Give the paths of the supervisors above *path*, the nearest first."""
    while path := path.rpartition("/")[0]:
        yield path


def _ordered(root: SupervisorPlace, text: str, sort: Sort) -> list[str]:
    """Give the paths that contain *text*, whatever its case, sorted."""
    found = _every(root)
    if text:
        wanted = text.casefold()
        found = (place for place in found if wanted in place.path.casefold())
    match sort:
        case "tree":
            pass
        case "restarts":
            found = iter(sorted(found, key=_restarts, reverse=True))
        case "mailbox":
            found = iter(sorted(found, key=_waiting, reverse=True))
        case "uptime":
            found = iter(sorted(found, key=_uptime))
        case _:
            assert_never(sort)
    return [place.path for place in found]


def _every(place: Place) -> Iterator[Place]:
    yield place
    if isinstance(place, SupervisorPlace):
        for child in place.children.values():
            if isinstance(child, SupervisorPlace):
                yield from _every(child)
            else:
                yield child


def _restarts(place: Place) -> int:
    return place.restarts


def _waiting(place: Place) -> int:
    return place.box.count if isinstance(place, ActorPlace) else 0


def _uptime(place: Place) -> float:
    """Give what sorts by uptime: what is not up comes last."""
    life = place.life
    if life is None or not life.up or life.since is None:
        return math.inf
    return -life.since
