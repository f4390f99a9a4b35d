"""Crashes actors while they work: which, how often and when is drawn from a seed.

A strike is no message, for a message would be handled between two others and could
never interrupt one. It cancels a scope around the victim's whole life, so it lands at
whatever checkpoint the victim comes to next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Final

import trio
from attrs import Factory, define, field, frozen

from ._progress import Progress

# How far a strike may wander from a moment at which some file is settled, in checkpoints.
# A file takes about seven from there to being settled itself, so that any of them may be
# where the victim is struck: over a quarter of the strikes interrupt a message.
_WANDER: Final = 8


class KilledError(Exception):
    """The killer struck."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} was killed by the demo")
        self.path = path


@frozen
class Strike:
    """One kill: of whom, after which share of the files, and a little later."""

    victim: str
    share: float
    wander: int


def plan_strikes(victims: Sequence[str], kills: int, random: Random) -> list[Strike]:
    """Draw *kills* strikes, in the order in which they are to happen.

    Victims are dealt like cards, so that each is struck about equally often, and with
    as many kills as victims there is none that is spared.
    """
    dealt: list[str] = []
    while len(dealt) < kills:
        dealt += random.sample(victims, len(victims))
    shares = sorted(random.random() for _ in range(kills))
    return [
        Strike(victim, share, random.randrange(_WANDER))
        for victim, share in zip(dealt, shares, strict=False)
    ]


@define
class _Life:
    """One incarnation of a victim."""

    scope: trio.CancelScope = Factory(trio.CancelScope)
    over: trio.Event = Factory(trio.Event)


@define
class Killer:
    """Carries out a plan.

    Args:
        plan: The strikes, in order.
    """

    plan: Sequence[Strike] = ()
    landed: Counter[str] = field(factory=Counter[str], init=False)
    """How often each victim was killed so far."""
    _lives: dict[str, _Life] = field(factory=dict[str, _Life], init=False)
    _birth: trio.Event = field(factory=trio.Event, init=False)

    @contextmanager
    def exposes(self, path: str) -> Generator[None]:
        """Let strikes land on the victim *path* inside of this block.

        Raises:
            KilledError: One did.
        """
        life = self._lives[path] = _Life()
        self._birth.set()
        self._birth = trio.Event()
        try:
            with life.scope:
                yield
        finally:
            del self._lives[path]
            life.over.set()
        if life.scope.cancelled_caught:
            self.landed[path] += 1
            raise KilledError(path)

    async def run(self, progress: Progress) -> None:
        """Strike as planned; return when all strikes have landed."""
        for strike in self.plan:
            await progress.wait_settled(strike.share)
            await progress.wait_report()
            for _ in range(strike.wander):
                await trio.lowlevel.checkpoint()
            await self._kill(strike.victim)
        await trio.lowlevel.checkpoint()

    async def _kill(self, path: str) -> None:
        # A victim may end by itself before the checkpoint at which the strike would
        # land, as a parser does over a bad file. Then its next life is struck.
        while True:
            life = await self._wait_living(path)
            life.scope.cancel(reason=f"{path} is killed by the demo")
            await life.over.wait()
            if life.scope.cancelled_caught:
                return

    async def _wait_living(self, path: str) -> _Life:
        await trio.lowlevel.checkpoint()
        while path not in self._lives:
            await self._birth.wait()
        return self._lives[path]
