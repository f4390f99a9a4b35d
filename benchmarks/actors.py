"""The actors that are measured."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from regrow import Actor, Mailbox, Ref, child, open_tree, supervisor

from .raw import BrokenError

__all__ = ["NO_LIMIT", "PERIOD", "Echo", "one"]

NO_LIMIT = 1_000_000
"""An intensity that no workload reaches within `PERIOD`, so that none gives up."""

PERIOD = 0.01


class Echo(Actor):
    """Does as little as an actor can."""

    def echo(self, number: int) -> int:
        """Answer with what was sent."""
        return number

    def take(self, _number: int) -> None:
        """Do nothing."""

    async def take_slowly(self, _number: int) -> None:
        """Let others run, as a handler that does anything would."""
        await trio.lowlevel.checkpoint()

    def ping(self) -> str:
        """Answer."""
        return "ping"

    def crash(self) -> None:
        """Crash."""
        raise BrokenError("crash")  # noqa: EM101 - as short as the loop's


@asynccontextmanager
async def one(capacity: float = 1024) -> AsyncIterator[Ref[Echo]]:
    """Run a tree with one actor."""
    actor = child(Echo, mailbox=Mailbox(capacity))
    tree = supervisor("root", actor, intensity=NO_LIMIT, period=PERIOD)
    async with open_tree(tree) as running:
        yield running[actor]
