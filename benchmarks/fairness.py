"""How long something else is held up."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import trio

from . import raw
from .actors import Echo, one
from .workload import Figures, Row, Workload, at_most, pick

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .workload import Side

__all__ = ["Flood", "Storm"]

EVERY = 0.001  # seconds after which the unrelated task wants to run again
SENDERS = 10


class Flood(Workload):
    """Fairness under a flood of casts.

    Question: how long does a task of the same program wait that has nothing to do with the
    actors, and wants to run every millisecond?
    Unit: milliseconds that its longest wait was too long. By `wall`, time that the machine
    gave to others counts; by `cpu`, only what this program itself computed meanwhile.
    Sizes: 2 seconds in which 10 tasks cast to one actor without a pause.
    Baseline: the same over one memory channel of 1,024.
    """

    name = "flood"
    repetitions = 5

    def sides(self) -> Mapping[str, Side]:
        """Give both."""
        milliseconds = self.scale.size(2_000, 30)
        return {
            "regrow": partial(trio.run, flood, milliseconds),
            "raw": partial(trio.run, flood_channel, milliseconds),
        }

    def rows(self) -> Sequence[Row]:
        """Give the worst delay."""
        return _rows()


class Storm(Workload):
    """Fairness under a storm of restarts.

    Question: how long does a task of the same program wait that has nothing to do with the
    actors, and wants to run every millisecond?
    Unit: milliseconds that its longest wait was too long. By `wall`, time that the machine
    gave to others counts; by `cpu`, only what this program itself computed meanwhile.
    Sizes: 2 seconds in which an actor crashes and is restarted 1,000 times a second.
    Baseline: the same with `raw.restart_loop`.
    """

    name = "storm"
    repetitions = 5

    def sides(self) -> Mapping[str, Side]:
        """Give both."""
        milliseconds = self.scale.size(2_000, 30)
        return {
            "regrow": partial(trio.run, storm, milliseconds),
            "raw": partial(trio.run, storm_loop, milliseconds),
        }

    def rows(self) -> Sequence[Row]:
        """Give the worst delay, and whether the storm came as announced."""
        return [
            *_rows(),
            Row(
                "crashes in a second",
                "1/s",
                pick("regrow", "crashes"),
                pick("raw", "crashes"),
                clock="",
                in_ratio=False,
            ),
        ]


def _rows() -> list[Row]:
    worst = (pick("regrow", "worst"), pick("raw", "worst"))
    return [
        Row(
            "worst delay",
            "ms",
            *worst,
            clock="wall",
            targets=(at_most(5, of_ratio=False),),
            in_ratio=False,
        ),
        Row("worst delay, computed", "ms", *worst, in_ratio=False),
    ]


async def flood(milliseconds: int) -> Figures:
    """Cast without a pause."""
    async with one() as ref:

        async def write() -> None:
            while True:
                await ref.cast(Echo.take, 0)

        return await _disturbed(milliseconds, *[write] * SENDERS)


async def flood_channel(milliseconds: int) -> Figures:
    """Send without a pause."""
    send, receive = trio.open_memory_channel[int](raw.BUFFER)

    async def read() -> None:
        async for _ in receive:
            pass

    async def write() -> None:
        while True:
            await send.send(0)

    return await _disturbed(milliseconds, read, *[write] * SENDERS)


async def storm(milliseconds: int) -> Figures:
    """Crash every millisecond."""
    async with one() as ref:
        return await _stormy(milliseconds, partial(ref.cast, Echo.crash))


async def storm_loop(milliseconds: int) -> Figures:
    """Break what runs in a loop every millisecond."""
    send, inbox = trio.open_memory_channel[raw.Message](raw.BUFFER)
    crash = partial(send.send, ("crash", None))
    loop = partial(raw.restart_loop, inbox, raw.actor)
    return await _stormy(milliseconds, crash, loop)


async def _stormy(
    milliseconds: int,
    crash: Callable[[], Awaitable[None]],
    *beside: Callable[[], Awaitable[object]],
) -> Figures:
    crashes = 0

    async def crash_on_time() -> None:
        nonlocal crashes
        begin = trio.current_time()
        while True:
            crashes += 1
            await crash()
            await trio.sleep_until(begin + crashes * EVERY)

    figures = await _disturbed(milliseconds, crash_on_time, *beside)
    return {**figures, "crashes": crashes / milliseconds * 1e3}


async def _disturbed(
    milliseconds: int, *others: Callable[[], Awaitable[object]]
) -> Figures:
    """Let *others* run, and measure how late a task comes that knows none of them."""
    async with trio.open_nursery() as nursery:
        for other in others:
            nursery.start_soon(other)
        wall, cpu = await _worst_delay(milliseconds / 1e3)
        nursery.cancel_scope.cancel()
    return {"worst wall": wall * 1e3, "worst cpu": cpu * 1e3}


async def _worst_delay(seconds: float) -> tuple[float, float]:
    wall, cpu = 0.0, 0.0
    end = time.perf_counter() + seconds
    began, computed = -math.inf, 0.0
    while began < end:
        began, computed = time.perf_counter(), time.thread_time()
        await trio.sleep(EVERY)
        wall = max(wall, time.perf_counter() - began - EVERY)
        # What was computed in less than that millisecond would not have been in its way.
        cpu = max(cpu, time.thread_time() - computed - EVERY)
    return wall, cpu
