"""Crashes, and how soon something answers again."""

from __future__ import annotations

import logging
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import trio
import trio.testing

from regrow import Actor, ActorCrashedError, child, open_tree, supervisor

from . import raw
from .actors import NO_LIMIT, PERIOD, Echo, one
from .fresh import fresh
from .workload import Figures, Row, Scale, Workload, at_most, pick

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .workload import Side

__all__ = ["Crash", "Group", "Siblings", "each"]

RestartLoop: TypeAlias = Callable[
    [raw.Inbox, Callable[[raw.Inbox], Awaitable[None]]], Awaitable[None]
]


class Crash(Workload):
    """A crash, until the replacement answers.

    Question: how long is an actor away that has crashed?
    Unit: microseconds from sending the message that breaks it to the answer of the next one.
    By `wall`, time that the machine gave to others counts; by `cpu` it does not.
    Sizes: 10,000 crashes, one after the other; those in the log go to a null handler.
    Baseline: `raw.restart_loop`, a loop with `except Exception` around a function that reads
    a memory channel. Its docstring says what it does not do. `written` is with a log that
    formats its tracebacks, as that of a service does. In the row `nursery` the loop is
    `raw.nursery_loop`, in which each life has a task and a nursery of its own, as it has in
    regrow. The row `trio alone` is `task_after_task`: what no supervisor on trio can go
    below, against the same loop. In the last row the message that breaks it is a call, whose
    sender is told; the loop is around a function that tells.
    """

    name = "crash"
    repetitions = 5

    def sides(self) -> Mapping[str, Side]:
        """Give both."""
        crashes = self.scale.size(10_000, 20)
        return {
            "regrow": partial(trio.run, crash_among, 0, crashes),
            "raw": partial(trio.run, restart_loop_among, 0, crashes),
            "regrow, written": partial(written, crash_among, 0, crashes),
            "raw, written": partial(written, restart_loop_among, 0, crashes),
            "nursery": partial(trio.run, nursery_loop, crashes),
            "trio": partial(trio.run, task_after_task, crashes),
            "regrow, told": partial(trio.run, crash_told, crashes),
            "raw, told": partial(trio.run, restart_loop_told, crashes),
        }

    def rows(self) -> Sequence[Row]:
        """Give the median, the slow ones, the slowest, and where the sender is told."""
        return [
            Row(
                "p50",
                "µs",
                pick("regrow", "p50"),
                pick("raw", "p50"),
                targets=(at_most(0.6),),
            ),
            Row("p99", "µs", pick("regrow", "p99"), pick("raw", "p99")),
            Row(
                "max",
                "µs",
                pick("regrow", "max"),
                pick("raw", "max"),
                clock="wall",
                targets=(at_most(50_000, of_ratio=False),),
            ),
            Row("max, computed", "µs", pick("regrow", "max"), pick("raw", "max")),
            Row(
                "p50, log written",
                "µs",
                pick("regrow, written", "p50"),
                pick("raw, written", "p50"),
            ),
            Row(
                "p50, against a nursery for each life",
                "µs",
                pick("regrow", "p50"),
                pick("nursery", "p50"),
            ),
            Row(
                "p50, trio alone",
                "µs",
                pick("trio", "p50"),
                pick("raw", "p50"),
            ),
            Row(
                "p50, sender told",
                "µs",
                pick("regrow, told", "p50"),
                pick("raw, told", "p50"),
            ),
        ]


class Siblings(Workload):
    """One crash among many children.

    Question: does a crash cost more where there are more siblings?
    Unit: microseconds from sending the message that breaks it to the answer of the next one.
    Sizes: 10, 1,000 and 100,000 idle siblings, each in a fresh process; the median of 1,000
    crashes.
    Baseline: `raw.restart_loop` among as many bare tasks; and 10 siblings.
    """

    name = "crash-among"
    repetitions = 3
    warms_up = False

    def _counts(self) -> list[int]:
        return [10, 1_000, 100_000] if self.scale is Scale.FULL else [5, 10]

    def sides(self) -> Mapping[str, Side]:
        """Give both, at each size."""
        crashes = self.scale.size(1_000, 5)
        found: dict[str, Side] = {}
        for count in self._counts():
            for name, run in (("regrow", among_siblings), ("raw", among_tasks)):
                apart = partial(fresh, __name__, run.__name__, count, crashes)
                here = partial(run, count, crashes)  # where nothing is to be learned
                found[f"{name} {count}"] = apart if self.scale is Scale.FULL else here
        return found

    def rows(self) -> Sequence[Row]:
        """Give the median at each size, and the largest against the smallest."""
        counts = self._counts()
        least, most = counts[0], counts[-1]
        rows = [
            Row(
                f"among {count:,}",
                "µs",
                pick(f"regrow {count}", "p50"),
                pick(f"raw {count}", "p50"),
            )
            for count in counts
        ]
        rows.append(
            Row(
                f"among {most:,}, against {least}",
                "µs",
                pick(f"regrow {most}", "p50"),
                pick(f"regrow {least}", "p50"),
                targets=(at_most(1.5),),
            )
        )
        return rows


def among_siblings(count: int, crashes: int) -> Figures:
    """Measure it in this process."""
    return trio.run(crash_among, count, crashes)


def among_tasks(count: int, crashes: int) -> Figures:
    """Measure it in this process."""
    return trio.run(restart_loop_among, count, crashes)


async def crash_among(count: int, crashes: int) -> Figures:
    """Crash an actor that has so many siblings, again and again."""
    actor = child(Echo)
    others = [child(Echo, name=f"echo-{index}") for index in range(count)]
    spec = supervisor("root", actor, *others, intensity=NO_LIMIT, period=PERIOD)
    async with open_tree(spec) as tree:
        ref = tree[actor]

        async def crash() -> None:
            await ref.cast(Echo.crash)
            await ref.call(Echo.ping)

        return await each(crashes, crash)


def written(
    run: Callable[[int, int], Coroutine[object, object, Figures]],
    count: int,
    crashes: int,
) -> Figures:
    """Measure *run* while the log is formatted, and thrown away."""
    root = logging.getLogger()
    handlers = root.handlers
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        root.handlers = [logging.StreamHandler(nowhere)]
        try:
            return trio.run(run, count, crashes)
        finally:
            root.handlers = handlers


async def nursery_loop(crashes: int) -> Figures:
    """Crash what runs in a nursery of its own."""
    return await restart_loop_among(0, crashes, raw.nursery_loop)


async def task_after_task(crashes: int) -> Figures:
    """End a task, which wakes another, which starts the next, which wakes the sender.

    With nothing else: no message, no log, no decision.
    """
    starter: trio.lowlevel.Task | None = None
    ender: trio.lowlevel.Task | None = None
    sender: trio.lowlevel.Task | None = None

    def give_up(_: object) -> trio.lowlevel.Abort:
        return trio.lowlevel.Abort.SUCCEEDED

    def wake(task: trio.lowlevel.Task | None) -> None:
        assert task is not None
        trio.lowlevel.reschedule(task)

    async def live() -> None:
        nonlocal ender
        if sender is not None:
            wake(sender)
        ender = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(give_up)
        wake(starter)

    async def start(nursery: trio.Nursery) -> None:
        nonlocal starter
        starter = trio.lowlevel.current_task()
        while True:
            nursery.start_soon(live)
            await trio.lowlevel.wait_task_rescheduled(give_up)

    async def crash() -> None:
        nonlocal sender
        sender = trio.lowlevel.current_task()
        wake(ender)
        await trio.lowlevel.wait_task_rescheduled(give_up)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(start, nursery)
        await trio.testing.wait_all_tasks_blocked()
        figures = await each(crashes, crash)
        nursery.cancel_scope.cancel()
    return figures


async def restart_loop_among(
    count: int, crashes: int, loop: RestartLoop = raw.restart_loop
) -> Figures:
    """Crash what runs in a loop, among so many tasks."""
    kept: list[object] = []
    to_actor, inbox = trio.open_memory_channel[raw.Message](raw.BUFFER)
    reply, answers = trio.open_memory_channel[str](raw.BUFFER)

    async def crash() -> None:
        await to_actor.send(("crash", None))
        await to_actor.send(("ping", reply))
        await answers.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(loop, inbox, raw.actor)
        for _ in range(count):
            send, other = trio.open_memory_channel[raw.Message](raw.BUFFER)
            kept.append(send)
            nursery.start_soon(raw.wait_on, other)
        await trio.lowlevel.checkpoint()
        figures = await each(crashes, crash)
        nursery.cancel_scope.cancel()
    return figures


async def crash_told(crashes: int) -> Figures:
    """Crash an actor by calls."""
    async with one() as ref:

        async def crash() -> None:
            try:
                await ref.call(Echo.crash)
            except ActorCrashedError:
                await ref.call(Echo.ping)

        return await each(crashes, crash)


async def restart_loop_told(crashes: int) -> Figures:
    """Crash what runs in a loop and tells whoever asked."""
    to_actor, inbox = trio.open_memory_channel[raw.Question](raw.BUFFER)

    async def crash() -> None:
        try:
            await raw.ask(to_actor, "crash")
        except raw.BrokenError:
            await raw.ask(to_actor, "ping")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(raw.restart_loop, inbox, raw.answering_actor)
        figures = await each(crashes, crash)
        nursery.cancel_scope.cancel()
    return figures


async def each(count: int, act: Callable[[], Awaitable[None]]) -> Figures:
    """Do something so often, and give how long it took each time, in microseconds."""
    cpu: list[float] = []
    wall: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        computed = time.thread_time()
        await act()
        cpu.append((time.thread_time() - computed) * 1e6)
        wall.append((time.perf_counter() - began) * 1e6)
    figures: dict[str, float] = {}
    for clock, times in (("cpu", cpu), ("wall", wall)):
        times.sort()
        figures[f"p50 {clock}"] = statistics.median(times)
        figures[f"p99 {clock}"] = times[int(len(times) * 0.99)]
        figures[f"max {clock}"] = times[-1]
    return figures


# --------------------------------------------------------------------------------- groups


class Group(Workload):
    """A group of 1,000 that is restarted whole.

    Question: how long until all siblings run again, where one takes the others along?
    Unit: milliseconds from sending the message that breaks the first to the answer of the
    last one of its replacements.
    Sizes: 1,000 actors, `one_for_all`, stopped and started in order.
    Baseline: a loop around a nursery with as many tasks, each reading a memory channel; the
    nursery cancels all of them at once.
    """

    name = "group"
    repetitions = 5

    def sides(self) -> Mapping[str, Side]:
        """Give both."""
        count, rounds = self.scale.size(1_000, 10), self.scale.size(5, 2)
        return {
            "regrow": partial(trio.run, group, count, rounds),
            "raw": partial(trio.run, group_loop, count, rounds),
        }

    def rows(self) -> Sequence[Row]:
        """Give the time of a round."""
        return [
            Row("all 1,000 back", "ms", pick("regrow", "round"), pick("raw", "round"))
        ]


class Born:
    """Tells when the last one of a group was made."""

    def __init__(self) -> None:
        self.event = trio.Event()

    def tell(self) -> None:
        """It was made."""
        self.event.set()

    async def wait_next(self) -> None:
        """Wait for the next time."""
        await self.event.wait()
        self.event = trio.Event()


class Last(Actor):
    """The last of the group."""

    def __init__(self, born: Born) -> None:
        born.tell()

    def ping(self) -> str:
        """Answer."""
        return "ping"


async def group(count: int, rounds: int) -> Figures:
    """Restart a group, again and again."""
    born = Born()
    first = child(Echo, name="first")
    others = [child(Echo, name=f"echo-{index}") for index in range(count - 2)]
    last = child(Last, born)
    spec = supervisor(
        "root",
        first,
        *others,
        last,
        strategy="one_for_all",
        intensity=NO_LIMIT,
        period=PERIOD,
    )
    async with open_tree(spec) as tree:
        await born.wait_next()

        async def crash() -> None:
            await tree[first].cast(Echo.crash)
            await born.wait_next()
            await tree[last].call(Last.ping)

        return _rounds(await each(rounds, crash))


async def group_loop(count: int, rounds: int) -> Figures:
    """Restart a nursery, again and again."""
    born = Born()
    channels = [trio.open_memory_channel[raw.Message](raw.BUFFER) for _ in range(count)]
    reply, answers = trio.open_memory_channel[str](raw.BUFFER)

    async def last(inbox: raw.Inbox) -> None:
        born.tell()
        await raw.actor(inbox)

    async def loop() -> None:
        while True:
            try:
                async with trio.open_nursery() as nursery:
                    for _, inbox in channels[:-1]:
                        nursery.start_soon(raw.actor, inbox)
                    nursery.start_soon(last, channels[-1][1])
            except* raw.BrokenError:
                raw.log.exception("the group crashed, and runs again")

    async def crash() -> None:
        await channels[0][0].send(("crash", None))
        await born.wait_next()
        await channels[-1][0].send(("ping", reply))
        await answers.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(loop)
        await born.wait_next()
        figures = _rounds(await each(rounds, crash))
        nursery.cancel_scope.cancel()
    return figures


def _rounds(figures: Figures) -> Figures:
    return {
        f"round {clock}": figures[f"p50 {clock}"] / 1e3 for clock in ("cpu", "wall")
    }
