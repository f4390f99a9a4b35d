"""How much of a program's time those may take who look into it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Meter"]

BESIDE = 0.0002  # seconds that go with a turn: reading, writing, switching tasks
NOTHING = 1e-6  # seconds: as few as a clock may not even show


class Meter:
    """A share of the time, given in turns: a debt of seconds that goes with time.

    Args:
        share: What part of the time may be spent in the long run.
        burst: Seconds that may be spent at once.
        clock: Seconds, of the processor's clock rather than of the run's: what a tree is
            kept from is real time.
    """

    def __init__(
        self,
        share: float = 0.2,
        burst: float = 0.1,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._share = share
        self._burst = burst
        self._clock = clock
        self._debt = 0.0
        self._at = clock()
        self._turns = trio.StrictFIFOLock()

    def _settle(self) -> None:
        now = self._clock()
        self._debt = max(0.0, self._debt - (now - self._at) * self._share)
        self._at = now

    def wait(self) -> float:
        """Give the seconds until something may be done again; 0 if now."""
        self._settle()
        seconds = (self._debt - self._burst) / self._share
        return seconds if seconds > NOTHING else 0.0

    async def turn(self) -> float:
        """Wait for a turn; others have theirs in the order in which they came.

        Returns:
            When it begins, for `spent`; nothing may be awaited until then.
        """
        async with self._turns:
            while seconds := self.wait():  # noqa: ASYNC110 - nobody can tell: it is time
                await trio.sleep(seconds)
        return self._clock()

    def spent(self, begun_at: float) -> None:
        """The turn that began at *begun_at* is over."""
        self._settle()
        self._debt += self._at - begun_at + BESIDE
