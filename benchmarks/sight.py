"""What it costs to be looked at."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import trio

from regrow import Event, EventStream, Ref, child, open_tree, supervisor

from .actors import NO_LIMIT, PERIOD, Echo
from .crashes import each
from .workload import Figures, Row, Stopwatch, Workload, at_least, at_most, pick

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .workload import Side

__all__ = ["Sight"]


class Sight(Workload):
    """A tree that is watched.

    Question: what do an observer and a reader of the stream of events cost?
    Unit: microseconds from sending the message that breaks an actor to the answer of the
    next one; and calls per second.
    Sizes: 3,000 crashes, 10,000 calls.
    Baseline: the same tree with neither. The history is kept in both.
    """

    name = "sight"

    def sides(self) -> Mapping[str, Side]:
        """Give both, crashing and calling."""
        crashes, calls = self.scale.size(3_000, 20), self.scale.size(10_000, 50)
        return {
            f"{what} {how}": partial(trio.run, act, size, how)
            for what, act, size in (("crash", crash, crashes), ("call", call, calls))
            for how in ("alone", "observed", "read")
        }

    def rows(self) -> Sequence[Row]:
        """Give what either costs."""
        found: list[Row] = []
        for how, label in (("observed", "an observer"), ("read", "and a reader")):
            target = (at_most(1.15),) if how == "observed" else ()
            found.append(
                Row(
                    f"crash, {label}",
                    "µs",
                    pick(f"crash {how}", "p50"),
                    pick("crash alone", "p50"),
                    targets=target,
                )
            )
            found.append(
                Row(
                    f"call, {label}",
                    "calls/s",
                    pick(f"call {how}", "rate"),
                    pick("call alone", "rate"),
                    targets=(at_least(0.97),),
                )
            )
        return found


@asynccontextmanager
async def _one(how: str) -> AsyncIterator[Ref[Echo]]:
    """Run a tree with one actor, and look at it if asked."""
    actor = child(Echo)
    spec = supervisor("root", actor, intensity=NO_LIMIT, period=PERIOD)
    kept: deque[Event] = deque(maxlen=1000)
    observers = [] if how == "alone" else [kept.append]

    async def read(stream: EventStream) -> None:
        async for event in stream:
            kept.append(event)

    async with (
        trio.open_nursery() as nursery,
        open_tree(spec, observers=observers) as tree,
    ):
        if how == "read":
            nursery.start_soon(read, tree.events())
        yield tree[actor]


async def crash(crashes: int, how: str) -> Figures:
    """Crash an actor, again and again."""
    async with _one(how) as ref:

        async def once() -> None:
            await ref.cast(Echo.crash)
            await ref.call(Echo.ping)

        return await each(crashes, once)


async def call(calls: int, how: str) -> Figures:
    """Call an actor, again and again."""
    async with _one(how) as ref:
        with Stopwatch() as watch:
            for number in range(calls):
                assert await ref.call(Echo.echo, number) == number
    return watch.rate(calls)
