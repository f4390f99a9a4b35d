"""A look at a large tree in slices, so that it holds nothing else up for long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, cast

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["FREELY", "Turns", "in_slices"]

SLICE: Final = 0.003  # seconds; a slice ends with the first step that ends later

T = TypeVar("T")


class Turns(Protocol):
    """Says when there may be a slice."""

    async def turn(self) -> float:
        """Wait for a turn; give when it begins, for `spent`."""
        ...

    def spent(self, begun_at: float, /) -> None:
        """The turn that began at *begun_at* is over."""
        ...


class _Freely:
    """A turn whenever the others have had theirs."""

    async def turn(self) -> float:
        await trio.lowlevel.checkpoint()
        return 0.0

    def spent(self, begun_at: float, /) -> None:
        """Nobody counts it."""


FREELY: Final[Turns] = _Freely()


async def in_slices(
    look: Generator[None, None, T],
    turns: Turns = FREELY,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[T, float]:
    """Run *look* to its end, with a turn for each slice.

    Args:
        look: What is done. Each of its steps takes far less than a slice; what it goes
            over may change in between.
        turns: When there may be a slice.
        clock: Seconds.

    Returns:
        What *look* returns, and the seconds that its slices took in all.
    """
    seconds = 0.0
    while True:
        begun_at = await turns.turn()
        slice_at = clock()
        try:
            next(look)
            while clock() - slice_at < SLICE:
                next(look)
        except StopIteration as end:
            return cast("T", end.value), seconds + clock() - slice_at
        finally:
            turns.spent(begun_at)
        seconds += clock() - slice_at
