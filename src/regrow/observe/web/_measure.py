"""One look at all places of a tree, for its metrics: totals, and the places that get lines.

A label value for each place is a time series for each place. How many get their own is
bounded: those that were restarted most, then those with the fullest mailboxes.
"""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from regrow._core.options import whole
from regrow._runtime.actor_place import ActorPlace
from regrow._runtime.place import SupervisorPlace
from regrow._runtime.snapshot import shallow

if TYPE_CHECKING:
    from collections.abc import Generator

    from regrow._runtime.place import Place
    from regrow._runtime.running import Running
    from regrow._runtime.snapshot import PlaceSnapshot

__all__ = ["Measured", "Metrics", "measure"]

TURN: Final = 200  # places looked at before others run


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
    """

    places: tuple[tuple[Place, PlaceSnapshot], ...]
    omitted: int
    statuses: dict[str, int]
    waiting: int


def measure(running: Running, metrics: Metrics) -> Generator[None, None, Measured]:
    """Look at every place; yields now and then, for others to run."""
    statuses: Counter[str] = Counter()
    shown: list[tuple[tuple[int, int, int], Place]] = []
    waiting = looked = 0
    ahead: list[Place] = [running.root]
    while ahead:
        place = ahead.pop()
        looked += 1
        if not looked % TURN:
            yield
        statuses[_status(place)] += 1
        messages = place.box.count if isinstance(place, ActorPlace) else 0
        waiting += messages
        if isinstance(place, SupervisorPlace):
            ahead.extend(reversed(place.children.values()))
        if metrics.depth is None or place.path.count("/") <= metrics.depth:
            # The rest of the key keeps the order of the tree, and keys unequal.
            shown.append(((place.restarts, messages, -looked), place))
    chosen = shown
    if len(shown) > metrics.places:
        chosen = heapq.nlargest(metrics.places, shown, key=lambda entry: entry[0])
    found = [(place, shallow(place)) for _, place in chosen]
    found.sort(key=lambda entry: entry[1].path)
    return Measured(
        places=tuple(found),
        omitted=looked - len(found),
        statuses=dict(statuses),
        waiting=waiting,
    )


def _status(place: Place) -> str:
    life = place.life
    if life is not None and life.up and not life.told:
        return "running"  # as nearly all are, told without a picture of it
    return shallow(place).status
