"""Calls and casts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import trio

from . import raw
from .actors import Echo, one
from .workload import Figures, Row, Stopwatch, Workload, at_least, pick

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .workload import Side

__all__ = ["Call", "CallFromMany", "Cast", "CastFull", "CastNowait"]

BURST = 1000  # casts without waiting, before one call that lets the actor catch up


class Call(Workload):
    """Calls, one after the other.

    Question: what do a call and its answer cost while nothing else runs?
    Unit: calls per second.
    Sizes: 10,000 calls.
    Baseline: numbers sent to a task and back, over two memory channels of 1,024.
    """

    name = "call"

    def sides(self) -> Mapping[str, Side]:
        """Give both."""
        calls = self.scale.size(10_000, 50)
        return {
            "regrow": partial(trio.run, call, calls),
            "raw": partial(trio.run, raw.ping_pong, calls),
        }

    def rows(self) -> Sequence[Row]:
        """Give the rate."""
        return [
            Row(
                "one caller",
                "calls/s",
                pick("regrow", "rate"),
                pick("raw", "rate"),
                targets=(at_least(1.4),),
            )
        ]


async def call(calls: int) -> Figures:
    """Call, again and again."""
    async with one() as ref:
        with Stopwatch() as watch:
            for number in range(calls):
                assert await ref.call(Echo.echo, number) == number
    return watch.rate(calls)


class CallFromMany(Workload):
    """Calls of 100 callers to one actor.

    Question: what does a call cost where there is always another one waiting?
    Unit: calls per second, of all callers together.
    Sizes: 20,000 calls of 100 tasks.
    Baseline: the same over one memory channel of 1,024, each caller with a channel of its
    own for the answers; and, as a second row, one caller's ping-pong over two channels.
    """

    name = "call-many"

    def sides(self) -> Mapping[str, Side]:
        """Give both, and the ping-pong."""
        calls, callers = self.scale.size(20_000, 100), self.scale.size(100, 10)
        return {
            "regrow": partial(trio.run, call_many, calls, callers),
            "raw": partial(trio.run, raw.fan, calls, callers),
            "ping-pong": partial(trio.run, raw.ping_pong, calls // 2),
        }

    def rows(self) -> Sequence[Row]:
        """Give the rate against either."""
        rate = pick("regrow", "rate")
        return [
            Row(
                "100 callers",
                "calls/s",
                rate,
                pick("raw", "rate"),
                targets=(at_least(3.5),),
            ),
            Row(
                "against one caller's ping-pong",
                "calls/s",
                rate,
                pick("ping-pong", "rate"),
            ),
        ]


async def call_many(calls: int, callers: int) -> Figures:
    """Call from many tasks."""

    async def ask() -> None:
        for number in range(calls // callers):
            assert await ref.call(Echo.echo, number) == number

    async with one() as ref:
        with Stopwatch() as watch:
            async with trio.open_nursery() as asking:
                for _ in range(callers):
                    asking.start_soon(ask)
    return watch.rate(calls)


class Cast(Workload):
    """Casts.

    Question: what does a message cost that nobody waits for?
    Unit: messages per second, from the first one sent until the last one is handled.
    Sizes: 20,000 messages of one task.
    Baseline: `send` and `receive` over one memory channel of 1,024.
    """

    name = "cast"

    def sides(self) -> Mapping[str, Side]:
        """Give both."""
        messages = self.scale.size(20_000, 100)
        return {
            "regrow": partial(trio.run, cast, messages),
            "raw": partial(trio.run, raw.one_way, messages),
        }

    def rows(self) -> Sequence[Row]:
        """Give the rate."""
        return [
            Row(
                "cast",
                "messages/s",
                pick("regrow", "rate"),
                pick("raw", "rate"),
                targets=(at_least(4.5),),
            )
        ]


async def cast(messages: int) -> Figures:
    """Cast, and wait until all of them are handled."""
    async with one() as ref:
        with Stopwatch() as watch:
            for number in range(messages):
                await ref.cast(Echo.take, number)
            await ref.call(Echo.ping)
    return watch.rate(messages)


class CastNowait(Workload):
    """Casts that never wait.

    Question: what does a message cost from code that is not async?
    Unit: messages per second, from the first one sent until the last one is handled.
    Sizes: 40,000 messages of one task, which lets the actor catch up after each 1,000.
    Baseline: `send` and `receive` over one memory channel of 1,024.
    """

    name = "cast-nowait"

    def sides(self) -> Mapping[str, Side]:
        """Give both."""
        messages = self.scale.size(40_000, 2_000)
        return {
            "regrow": partial(trio.run, cast_nowait, messages),
            "raw": partial(trio.run, raw.one_way, messages // 2),
        }

    def rows(self) -> Sequence[Row]:
        """Give the rate."""
        return [
            Row(
                "cast_nowait",
                "messages/s",
                pick("regrow", "rate"),
                pick("raw", "rate"),
                targets=(at_least(6),),
            )
        ]


async def cast_nowait(messages: int) -> Figures:
    """Cast in bursts that just fit into the mailbox."""
    async with one() as ref:
        with Stopwatch() as watch:
            for _ in range(messages // BURST):
                for number in range(BURST):
                    ref.cast_nowait(Echo.take, number)
                await ref.call(Echo.ping)
    return watch.rate(messages)


class CastFull(Workload):
    """Casts into a full mailbox.

    Question: what does a message cost whose sender has to wait for room?
    Unit: messages per second, from the first one sent until the last one is handled.
    Sizes: 10,000 messages of 10 tasks into a mailbox of 16; each handler lets others run.
    Baseline: `send` over one memory channel of 16 to a task that lets others run as well.
    """

    name = "cast-full"

    def sides(self) -> Mapping[str, Side]:
        """Give both."""
        messages = self.scale.size(10_000, 200)
        return {
            "regrow": partial(trio.run, cast_full, messages),
            "raw": partial(trio.run, one_way_full, messages),
        }

    def rows(self) -> Sequence[Row]:
        """Give the rate."""
        return [
            Row(
                "cast, mailbox full",
                "messages/s",
                pick("regrow", "rate"),
                pick("raw", "rate"),
            )
        ]


SMALL = 16
SENDERS = 10


async def cast_full(messages: int) -> Figures:
    """Cast from several tasks, faster than the actor reads."""

    async def write() -> None:
        for number in range(messages // SENDERS):
            await ref.cast(Echo.take_slowly, number)

    async with one(SMALL) as ref:
        with Stopwatch() as watch:
            async with trio.open_nursery() as writing:
                for _ in range(SENDERS):
                    writing.start_soon(write)
            await ref.call(Echo.ping)
    return watch.rate(messages)


async def one_way_full(messages: int) -> Figures:
    """Send from several tasks, faster than the other reads."""
    return await raw.one_way(messages, buffer=SMALL, senders=SENDERS, pause=True)
