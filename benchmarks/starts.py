"""Starting and stopping many children, what they hold, and looking at them."""

from __future__ import annotations

import gc
from functools import partial
from typing import TYPE_CHECKING

import trio
import trio.testing

from regrow import child, open_tree, supervisor

from . import raw
from .actors import Echo
from .fresh import fresh, resident
from .workload import (
    Figures,
    Row,
    Stopwatch,
    Workload,
    at_least,
    at_most,
    per_second,
    pick,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from regrow import Supervisor

    from .workload import Side

__all__ = ["Memory", "Snapshot", "StartStop", "bare_tasks", "siblings"]


def siblings(count: int) -> Supervisor:
    """Declare a flat tree."""
    children = [child(Echo, name=f"echo-{index}") for index in range(count)]
    return supervisor("root", *children)


class StartStop(Workload):
    """Starting and stopping 10,000 children.

    Question: what does an actor cost that lives for a moment?
    Unit: actors per second, started and stopped, or the microseconds for each.
    Sizes: 10,000 actors below one supervisor, started and stopped in order.
    Baseline: as many bare tasks in one nursery, each waiting on a memory channel of its own
    of 1,024, all cancelled at once. The declaration has none.
    """

    name = "start-stop"

    def sides(self) -> Mapping[str, Side]:
        """Give both."""
        count = self.scale.size(10_000, 50)
        return {
            "regrow": partial(trio.run, start_stop, count),
            "raw": partial(trio.run, bare_tasks, count),
        }

    def rows(self) -> Sequence[Row]:
        """Give the rate, and its parts."""
        return [
            Row(
                "start and stop",
                "actors/s",
                pick("regrow", "both"),
                pick("raw", "both"),
                targets=(at_least(0.8),),
            ),
            Row(
                "start alone", "µs/actor", pick("regrow", "start"), pick("raw", "start")
            ),
            Row("stop alone", "µs/actor", pick("regrow", "stop"), pick("raw", "stop")),
            Row("declaration", "µs/actor", pick("regrow", "declare"), None),
        ]


async def start_stop(count: int) -> Figures:
    """Start and stop a tree."""
    with Stopwatch() as declare:
        spec = siblings(count)
    with Stopwatch() as both:
        with Stopwatch() as start:
            tree = open_tree(spec)
            await tree.__aenter__()
        with Stopwatch() as stop:
            await tree.__aexit__(None, None, None)
    return {
        **both.rate(count, "both"),
        **start.each(count, "start"),
        **stop.each(count, "stop"),
        **declare.each(count, "declare"),
    }


async def bare_tasks(count: int) -> Figures:
    """Start and cancel bare tasks."""
    kept: list[object] = []
    start, stop = Stopwatch(), Stopwatch()
    with Stopwatch() as both:
        async with trio.open_nursery() as nursery:
            with start:
                for _ in range(count):
                    send, inbox = trio.open_memory_channel[raw.Message](raw.BUFFER)
                    kept.append(send)
                    nursery.start_soon(raw.wait_on, inbox)
                await trio.lowlevel.checkpoint()
            stop.__enter__()
            nursery.cancel_scope.cancel()
        stop.__exit__()
    return {
        **both.rate(count, "both"),
        **start.each(count, "start"),
        **stop.each(count, "stop"),
    }


class Memory(Workload):
    """Memory of actors that wait.

    Question: how much does an actor hold that has nothing to do?
    Unit: KiB of resident memory for each.
    Sizes: 20,000 actors below one supervisor, in a fresh process; their declarations count.
    Baseline: as many bare tasks, each waiting on a memory channel of its own of 1,024.
    """

    name = "memory"
    repetitions = 3
    warms_up = False

    def sides(self) -> Mapping[str, Side]:
        """Give both."""
        count = self.scale.size(20_000, 100)
        return {
            "regrow": partial(fresh, __name__, "actors_memory", count),
            "raw": partial(fresh, __name__, "tasks_memory", count),
        }

    def rows(self) -> Sequence[Row]:
        """Give what one takes."""
        return [
            Row(
                "idle actor",
                "KiB",
                pick("regrow", "each"),
                pick("raw", "each"),
                clock="",
                targets=(at_most(7.5, of_ratio=False), at_most(1.25)),
            ),
            Row(
                "its declaration, in that",
                "KiB",
                pick("regrow", "declared"),
                None,
                clock="",
            ),
        ]


def actors_memory(count: int) -> Figures:
    """Measure what waiting actors take."""

    async def main() -> Figures:
        before = _settled()
        spec = siblings(count)
        declared = _settled()
        async with open_tree(spec):
            await trio.testing.wait_all_tasks_blocked()
            after = _settled()
        return {
            "each": (after - before) / count / 1024,
            "declared": (declared - before) / count / 1024,
        }

    return trio.run(main)


def tasks_memory(count: int) -> Figures:
    """Measure what waiting tasks take."""

    async def main() -> Figures:
        before = _settled()
        kept: list[object] = []
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                send, inbox = trio.open_memory_channel[raw.Message](raw.BUFFER)
                kept.append(send)
                nursery.start_soon(raw.wait_on, inbox)
            await trio.testing.wait_all_tasks_blocked()
            after = _settled()
            nursery.cancel_scope.cancel()
        return {"each": (after - before) / count / 1024}

    return trio.run(main)


def _settled() -> float:
    gc.collect()
    return resident()


class Snapshot(Workload):
    """A picture of 100,000 children.

    Question: how long does `tree.snapshot()` hold everything up?
    Unit: milliseconds for one, and pictures of places per second.
    Sizes: 100,000 actors below one supervisor.
    Baseline: `statistics()` of as many memory channels, in a list.
    """

    name = "snapshot"
    repetitions = 3

    def sides(self) -> Mapping[str, Side]:
        """Give both."""
        count = self.scale.size(100_000, 100)
        return {
            "regrow": partial(trio.run, snapshot, count),
            "raw": partial(trio.run, statistics_of_channels, count),
        }

    def rows(self) -> Sequence[Row]:
        """Give both."""
        return [
            Row("100,000 actors", "ms", pick("regrow", "held"), pick("raw", "held")),
            Row(
                "100,000 actors",
                "places/s",
                pick("regrow", "rate"),
                pick("raw", "rate"),
            ),
        ]


def _held(watch: Stopwatch, count: int) -> Figures:
    return {
        "held cpu": watch.cpu * 1e3,
        "held wall": watch.wall * 1e3,
        "rate cpu": per_second(count, watch.cpu),
        "rate wall": per_second(count, watch.wall),
    }


async def snapshot(count: int) -> Figures:
    """Take a picture."""
    async with open_tree(siblings(count)) as tree:
        gc.collect()
        with Stopwatch() as watch:
            picture = tree.snapshot()
        assert len(picture.children) == count
    return _held(watch, count)


async def statistics_of_channels(count: int) -> Figures:
    """Look at as many channels."""
    channels = [
        trio.open_memory_channel[raw.Message](raw.BUFFER)[1] for _ in range(count)
    ]
    gc.collect()
    with Stopwatch() as watch:
        picture = [channel.statistics() for channel in channels]
    assert len(picture) == count
    return _held(watch, count)
