"""One look at all places of a tree, for its metrics: totals, and the places that get lines.

A label value for each place is a time series for each place. How many get their own is
bounded: those that were restarted most, then those with the fullest mailboxes.
"""

from __future__ import annotations

from collections import Counter
from heapq import heappush, heapreplace
from typing import TYPE_CHECKING

from attrs import field, frozen

from regrow._core.options import whole
from regrow._runtime.actor_place import ActorPlace
from regrow._runtime.health import Checkup
from regrow._runtime.snapshot import shallow
from regrow._runtime.walk import runs

if TYPE_CHECKING:
    from collections.abc import Generator

    from regrow._core.health import HealthStatus
    from regrow._runtime.place import Place
    from regrow._runtime.running import Running
    from regrow._runtime.snapshot import PlaceSnapshot

__all__ = ["Measured", "Metrics", "measure"]


@frozen
class Metrics:
    """What `/metrics` tells.

    Attributes:
        places: How many places have lines of their own, at most; the totals count all.
        depth: How many levels below the root have lines of their own; `None` is all.
        latency: Whether calls are timed, from sending to the end of the handler: a
            histogram for each place. That costs something for every message of the tree,
            which nothing else here does.

    Raises:
        ValueError: A number is out of range.
    """

    places: int = field(default=1000)
    depth: int | None = field(default=None)
    latency: bool = field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not whole(self.places, least=0):
            message = f"places is {self.places!r}: write a whole number of 0 or more"
            raise ValueError(message)
        if self.depth is not None and not whole(self.depth, least=0):
            message = f"depth is {self.depth!r}: write a whole number, or None for all"
            raise ValueError(message)


@frozen
class Measured:
    """What one look has found.

    Attributes:
        places: Those that get lines of their own, by path.
        omitted: How many get none.
        statuses: How many places there are in each status.
        waiting: How many messages wait in all mailboxes.
        health: How well the tree is.
    """

    places: tuple[tuple[Place, PlaceSnapshot], ...]
    omitted: int
    statuses: dict[str, int]
    waiting: int
    health: HealthStatus


def measure(running: Running, metrics: Metrics) -> Generator[None, None, Measured]:
    """Look at every place; yields now and then, for others to run."""
    statuses: Counter[str] = Counter()
    shown: list[tuple[tuple[int, int, int], Place]] = []
    waiting = looked = 0
    checkup = Checkup()
    for run in runs(running.root):
        for place in run:
            looked += 1
            statuses[_status(place)] += 1
            messages = place.box.count if isinstance(place, ActorPlace) else 0
            waiting += messages
            # The rest of the key keeps the order of the tree, and keys unequal.
            key = (place.restarts, messages, -looked)
            if len(shown) < metrics.places:
                if _has_lines(place, metrics):
                    heappush(shown, (key, place))
            elif shown and key > shown[0][0] and _has_lines(place, metrics):
                heapreplace(shown, (key, place))
        checkup.look(run)
        yield
    found: list[tuple[Place, PlaceSnapshot]] = []
    for _, place in shown:
        found.append((place, shallow(place)))
        yield
    found.sort(key=lambda entry: entry[1].path)
    return Measured(
        places=tuple(found),
        omitted=looked - len(found),
        statuses=dict(statuses),
        waiting=waiting,
        health=checkup.health().status,
    )


def _has_lines(place: Place, metrics: Metrics) -> bool:
    return metrics.depth is None or place.path.count("/") <= metrics.depth


def _status(place: Place) -> str:
    life = place.life
    if life is not None and life.up and not life.told:
        return "running"  # as nearly all are, told without a picture of it
    return shallow(place).status
