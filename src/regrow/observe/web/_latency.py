"""How long calls take: counted in buckets, a histogram for each place."""

from __future__ import annotations

from bisect import bisect_left
from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

import trio

if TYPE_CHECKING:
    from collections.abc import Generator

    from regrow._runtime.following import Handled
    from regrow._runtime.place import Place

__all__ = ["Latency", "Times"]

BOUNDS: Final = (
    0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0,
)  # fmt: skip


class Times:
    """The calls of one place.

    Attributes:
        total: Seconds that they took in all.
    """

    __slots__ = ("_counts", "total")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self.total: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one call."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Give how many took at most so long, as Prometheus wants it."""
        names = [*(str(bound) for bound in BOUNDS), "+Inf"]
        return list(zip(names, accumulate(self._counts), strict=True))


class Latency:
    """A follower that times every call, from being sent to the end of its handler."""

    def __init__(self) -> None:
        self._of_places: WeakKeyDictionary[Place, Times] = WeakKeyDictionary()

    def of(self, place: Place) -> Times | None:
        """Give the times of *place*; `None` if it was not called."""
        return self._of_places.get(place)

    def sent(self) -> float:
        """Note when it was sent."""
        return trio.current_time()

    @contextmanager
    def handling(self, message: Handled, note: object) -> Generator[None]:
        """Count it when it has been handled, or has crashed its actor."""
        try:
            yield
        finally:
            if message.is_call and isinstance(note, float):
                times = self._of_places.get(message.place)
                if times is None:
                    times = self._of_places[message.place] = Times()
                times.add(trio.current_time() - note)
