"""fauxtp: a GenServer of Erlang's kind, over anyio; here on trio."""

from __future__ import annotations

from typing import Any

import anyio
from fauxtp import PID, ChildSpec, GenServer, Supervisor, call as ask, cast as tell

from .timing import CALLERS, BrokenError, Figures, Times, main, rate


class Born:
    """Tells when so many actors have come up, and where the last one is."""

    def __init__(self, count: int = 1) -> None:
        self.left = count
        self.pid: PID | None = None
        self.event = anyio.Event()

    def tell(self, pid: PID) -> None:
        """One more."""
        self.pid = pid
        self.left -= 1
        if self.left <= 0:
            self.event.set()


class Echo(GenServer):
    """Answers what it is sent."""

    def __init__(self, born: Born | None = None) -> None:
        super().__init__()
        self.born = born

    async def init(self) -> Any:
        """Come up."""
        if self.born is not None:
            self.born.tell(self.pid)
        return {}

    async def handle_call(self, request: Any, _from: Any, state: Any) -> Any:
        """Answer."""
        return request, state

    async def handle_cast(self, request: Any, state: Any) -> Any:
        """Take it, or crash."""
        if request == "crash":
            raise BrokenError
        return state


async def call(count: int) -> Figures:
    """Call one actor."""
    async with anyio.create_task_group() as group:
        pid = await Echo.start(task_group=group)
        with rate(count) as figures:
            for number in range(count):
                await ask(pid, number)
        group.cancel_scope.cancel()
    return figures


async def cast(count: int) -> Figures:
    """Send to one actor, until all is handled."""
    async with anyio.create_task_group() as group:
        pid = await Echo.start(task_group=group)
        with rate(count) as figures:
            for number in range(count):
                await tell(pid, number)
            await ask(pid, 0, timeout=600)
        group.cancel_scope.cancel()
    return figures


async def fan(count: int) -> Figures:
    """Call one actor from many tasks."""

    async def one() -> None:
        for number in range(count // CALLERS):
            await ask(pid, number, timeout=600)

    async with anyio.create_task_group() as group:
        pid = await Echo.start(task_group=group)
        with rate(count) as figures:
            async with anyio.create_task_group() as asking:
                for _ in range(CALLERS):
                    asking.start_soon(one)
        group.cancel_scope.cancel()
    return figures


async def spawn(count: int) -> Figures:
    """Start supervised actors, until the last has come up, and stop them.

    Its supervisor enters each in a registry, which copies all that it holds every time. How
    much of that is done when the last one is up differs from run to run, and so do the
    figures. To wait until it is found by its name may take for ever.
    """
    born = Born(count)
    with rate(count) as figures:
        async with anyio.create_task_group() as group:
            specs = [ChildSpec(Echo, str(index), (born,)) for index in range(count)]
            await Supervisor.start(children=specs, task_group=group)
            await born.event.wait()
            group.cancel_scope.cancel()
    return figures


async def spawn_bare(count: int) -> Figures:
    """Start actors that nobody supervises and stop them."""
    born = Born(count)
    with rate(count) as figures:
        async with anyio.create_task_group() as group:
            for _ in range(count):
                await Echo.start(born, task_group=group)
            await born.event.wait()
            group.cancel_scope.cancel()
    return figures


async def restart(count: int) -> Figures:
    """Crash an actor, until its replacement answers; what waits for it is lost."""
    born, times = Born(), Times()
    async with anyio.create_task_group() as group:
        spec = ChildSpec(Echo, "echo", (born,))
        await Supervisor.start(children=[spec], task_group=group)
        await born.event.wait()
        for _ in range(count):
            pid, born.event = born.pid, anyio.Event()
            with times:
                await tell(pid, "crash")
                await born.event.wait()
                await ask(born.pid, 0)
        group.cancel_scope.cancel()
    return times.figures()


def run(workload: Any, count: int) -> Any:
    """Run *workload* on trio."""
    return anyio.run(workload, count, backend="trio")


if __name__ == "__main__":
    main(
        ["fauxtp", "trio"],
        {
            "call": call,
            "cast": cast,
            "fan": fan,
            "spawn": spawn,
            "spawn-bare": spawn_bare,
            "restart": restart,
        },
        {},
        run,
    )
