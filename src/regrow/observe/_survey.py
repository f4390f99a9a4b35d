"""One pass over all places of a tree: how many there are, and in what order to show them.

What it gives has paths and numbers only, so that a place that goes is not held by it.
"""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import frozen

from regrow._runtime.actor_place import ActorPlace
from regrow._runtime.health import Checkup
from regrow._runtime.place import Place, SupervisorPlace
from regrow._runtime.walk import runs

from ._row import Sort

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from regrow._core.health import HealthStatus

__all__ = ["Order", "Survey", "survey"]

Order: TypeAlias = tuple[str, Sort]
"""A filter, and what to sort by."""

PIECE: Final = 16_384  # keys sorted in one step, which takes some 3 ms
STEP: Final = 512  # sizes added up in one step


@frozen
class Survey:
    """What one pass has found, of each place as it was when it was passed.

    Attributes:
        places: How many there are.
        restarts: How many restarts they had in all.
        health: How well the tree is.
        sizes: How many places a supervisor is with all below it, by its path.
        flat: The paths of supervisors that have no supervisors below.
        orders: The paths to show, in order, for each filter and sort asked for; none is
            there twice.
    """

    places: int
    restarts: int
    health: HealthStatus
    sizes: dict[str, int]
    flat: set[str]
    orders: dict[Order, list[str]]

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


def survey(
    root: SupervisorPlace, orders: Iterable[Order]
) -> Generator[None, None, Survey]:
    """Look at all places below *root*; yields now and then, for others to run."""
    sizes: dict[str, int] = {}
    flat: set[str] = set()
    checkup = Checkup()
    restarts = 0
    ordered = {order: _Ordered(*order) for order in orders}
    for run in runs(root):
        above = run[0].parent
        if above is not None:
            sizes[above.path] += len(run)
        last = run[-1]
        if isinstance(last, SupervisorPlace):
            sizes[last.path] = 1
            flat.add(last.path)
            if above is not None:
                flat.discard(above.path)
        for place in run:
            restarts += place.restarts
        checkup.look(run)
        for each in ordered.values():
            each.look(run)
        yield
    for count, path in enumerate(reversed(sizes)):  # from below
        above_it = path.rpartition("/")[0]
        if above_it:
            sizes[above_it] += sizes[path] - 1
        if not count % STEP:
            yield
    found: dict[Order, list[str]] = {}
    for order, each in ordered.items():
        found[order] = yield from each.paths()
    status = checkup.health().status
    return Survey(sizes[root.path], restarts, status, sizes, flat, found)


def _above(path: str) -> Iterator[str]:
    """Give the paths of the supervisors above *path*, the nearest first."""
    while path := path.rpartition("/")[0]:
        yield path


class _Ordered:
    """The paths that contain *text*, whatever its case, by *sort*."""

    def __init__(self, text: str, sort: Sort) -> None:
        self._text = text.casefold()
        self._key = _KEYS[sort]
        self._paths: list[str] = []
        self._keys: list[float] = []

    def look(self, run: list[Place]) -> None:
        text = self._text
        if text:
            run = [place for place in run if text in place.path.casefold()]
        self._paths += [place.path for place in run]
        if self._key is not None:
            self._keys += map(self._key, run)

    def paths(self) -> Generator[None, None, list[str]]:
        if self._key is None:
            return self._paths
        order = yield from _sorted(self._keys)
        return [self._paths[number] for number in order]


def _sorted(keys: list[float]) -> Generator[None, None, list[int]]:
    """Give the numbers of *keys* in the order of these, of equal ones as they are.

    In steps: pieces are sorted, then merged. `list.sort` does merge two lists in a row that
    are sorted already: a few milliseconds for the last two, where there are 100,000.
    """
    key = keys.__getitem__
    found: list[list[int]] = [[]]
    for begin in range(0, len(keys), PIECE):
        numbers = range(begin, min(begin + PIECE, len(keys)))
        found.append(sorted(numbers, key=key))
        yield
    while len(found) > 1:
        merged: list[list[int]] = []
        for index in range(0, len(found), 2):
            both = [*chain.from_iterable(found[index : index + 2])]
            both.sort(key=key)
            merged.append(both)
            yield
        found = merged
    return found[0]


def _restarts(place: Place) -> float:
    return -place.restarts


def _waiting(place: Place) -> float:
    return -place.box.count if isinstance(place, ActorPlace) else 0


def _uptime(place: Place) -> float:
    """Give what sorts by uptime: what is not up comes last."""
    life = place.life
    if life is None or not life.up or life.since is None:
        return math.inf
    return -life.since


_KEYS: Final[dict[Sort, Callable[[Place], float] | None]] = {
    "tree": None,
    "restarts": _restarts,
    "mailbox": _waiting,
    "uptime": _uptime,
}
