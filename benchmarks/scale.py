"""One tree from a thousand to a million actors."""

from __future__ import annotations

import gc
from functools import partial
from typing import TYPE_CHECKING

import trio

from regrow import child, open_tree, supervisor

from . import raw
from .actors import NO_LIMIT, PERIOD, Echo
from .crashes import each
from .fresh import fresh, need, resident
from .workload import (
    Clock,
    Figures,
    Repetition,
    Row,
    Scale,
    Stopwatch,
    Workload,
    at_most,
    pick,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .workload import Pick, Side

__all__ = ["ScaleCurve"]

CRASHES = 100
EACH = (
    12 * 1024
)  # bytes of free memory without which a size is not tried, for each actor
GIB = 1024**3


class ScaleCurve(Workload):
    """The scale curve.

    Question: what does each of a million actors in one tree cost, against each of a few?
    Unit: microseconds and KiB for each actor, microseconds for a crash, GiB in all.
    Sizes: 1,000, 10,000, 100,000 and 1,000,000 actors below one supervisor, each size in a
    fresh process; the median of 100 crashes of one among them.
    Baseline: as many bare tasks, each waiting on a memory channel of its own of 1,024; for
    the crash `raw.restart_loop` among them.
    """

    name = "scale"
    repetitions = 3
    warms_up = False

    def _counts(self) -> list[int]:
        if self.scale is Scale.QUICK:
            return [10, 100]
        return [1_000, 10_000, 100_000, 1_000_000]

    def sides(self) -> Mapping[str, Side]:
        """Give both, at each size."""
        found: dict[str, Side] = {}
        for count in self._counts():
            found[f"regrow {count}"] = partial(_fresh, "many_actors", count)
            found[f"raw {count}"] = partial(_fresh, "many_tasks", count)
        return found

    def rows(self) -> Sequence[Row]:
        """Give four lines for each size, and how the cost grows."""
        counts = self._counts()
        rows: list[Row] = []
        for count in counts:
            sides = (f"regrow {count}", f"raw {count}")
            for label, unit, figure, clock in _FIGURES:
                value, against = (pick(side, figure) for side in sides)
                rows.append(
                    Row(f"{count:,}: {label}", unit, value, against, clock=clock)
                )
        most, some = counts[-1], counts[0] if self.scale is Scale.QUICK else counts[1]
        rows += [
            Row(
                f"{most:,}: memory in all",
                "GiB",
                pick(f"regrow {most}", "all"),
                pick(f"raw {most}", "all"),
                clock="",
                targets=(at_most(12, of_ratio=False),),
            ),
            Row(
                f"start and stop of each, {most:,} against {some:,}",
                "times",
                _growth("regrow", most, some),
                _growth("raw", most, some),
                targets=(at_most(1.3),),
            ),
        ]
        return rows


_FIGURES: tuple[tuple[str, str, str, Clock], ...] = (
    ("start", "µs/actor", "start", "cpu"),
    ("memory", "KiB/actor", "each", ""),
    ("one crash", "µs", "p50", "cpu"),
    ("stop", "µs/actor", "stop", "cpu"),
)


def _growth(side: str, most: int, some: int) -> Pick:
    def grown(repetition: Repetition, clock: Clock) -> float:
        large, small = (
            sum(repetition[f"{side} {count}"][f"{part} {clock}"] for part in _PARTS)
            for count in (most, some)
        )
        return large / small

    return grown


_PARTS = ("start", "stop")


def _fresh(function: str, count: int) -> Figures:
    need(count * EACH)
    return fresh(__name__, function, count)


def many_actors(count: int) -> Figures:
    """Measure a tree."""

    async def main() -> Figures:
        before = resident()
        actor = child(Echo, name="crashing")
        others = [child(Echo, name=f"echo-{index}") for index in range(count - 1)]
        spec = supervisor("root", *others, actor, intensity=NO_LIMIT, period=PERIOD)
        tree = open_tree(spec)
        with Stopwatch() as start:
            running = await tree.__aenter__()
        gc.collect()
        held = resident() - before
        ref = running[actor]

        async def crash() -> None:
            await ref.cast(Echo.crash)
            await ref.call(Echo.ping)

        crashes = await each(CRASHES, crash)
        with Stopwatch() as stop:
            await tree.__aexit__(None, None, None)
        return _figures(count, start, stop, held, crashes)

    return trio.run(main)


def many_tasks(count: int) -> Figures:
    """Measure bare tasks."""

    async def main() -> Figures:
        before = resident()
        kept: list[object] = []
        to_actor, inbox = trio.open_memory_channel[raw.Message](raw.BUFFER)
        reply, answers = trio.open_memory_channel[str](raw.BUFFER)

        async def crash() -> None:
            await to_actor.send(("crash", None))
            await to_actor.send(("ping", reply))
            await answers.receive()

        stop = Stopwatch()
        async with trio.open_nursery() as nursery:
            with Stopwatch() as start:
                for _ in range(count - 1):
                    send, other = trio.open_memory_channel[raw.Message](raw.BUFFER)
                    kept.append(send)
                    nursery.start_soon(raw.wait_on, other)
                nursery.start_soon(raw.restart_loop, inbox, raw.actor)
                await trio.lowlevel.checkpoint()
            gc.collect()
            held = resident() - before
            crashes = await each(CRASHES, crash)
            stop.__enter__()
            nursery.cancel_scope.cancel()
        stop.__exit__()
        return _figures(count, start, stop, held, crashes)

    return trio.run(main)


def _figures(
    count: int, start: Stopwatch, stop: Stopwatch, held: float, crashes: Figures
) -> Figures:
    return {
        **start.each(count, "start"),
        **stop.each(count, "stop"),
        **crashes,
        "each": held / count / 1024,
        "all": held / GIB,
    }
