"""papyra: actors over anyio; here on trio."""

from __future__ import annotations

from typing import Any

import anyio
from papyra import Actor, ActorSystem, Strategy, SupervisionPolicy

from .timing import CALLERS, BrokenError, Figures, Times, main, rate

AGAIN = SupervisionPolicy(
    strategy=Strategy.RESTART, max_restarts=1_000_000, within_seconds=0.1
)


class Echo(Actor):
    """Answers what it is sent."""

    async def receive(self, message: Any) -> Any:
        """Answer, or crash."""
        if message == "crash":
            raise BrokenError
        return message


async def call(count: int) -> Figures:
    """Ask one actor."""
    async with ActorSystem() as system:
        ref = system.spawn(Echo)
        with rate(count) as figures:
            for number in range(count):
                await ref.ask(number)
    return figures


async def cast(count: int) -> Figures:
    """Tell one actor, until all is handled."""
    async with ActorSystem() as system:
        ref = system.spawn(Echo)
        with rate(count) as figures:
            for number in range(count):
                await ref.tell(number)
            await ref.ask(0)
    return figures


async def fan(count: int) -> Figures:
    """Ask one actor from many tasks."""

    async def ask() -> None:
        for number in range(count // CALLERS):
            await ref.ask(number)

    async with ActorSystem() as system:
        ref = system.spawn(Echo)
        with rate(count) as figures:
            async with anyio.create_task_group() as group:
                for _ in range(CALLERS):
                    group.start_soon(ask)
    return figures


async def spawn(count: int) -> Figures:
    """Start actors that would be restarted, and stop them."""
    with rate(count) as figures:
        async with ActorSystem() as system:
            for _ in range(count):
                system.spawn(Echo, policy=AGAIN)
            await anyio.lowlevel.checkpoint()
    return figures


async def restart(count: int) -> Figures:
    """Crash an actor, until its replacement answers."""
    times = Times()
    async with ActorSystem() as system:
        ref = system.spawn(Echo, policy=AGAIN)
        for _ in range(count):
            with times:
                await ref.tell("crash")
                await ref.ask(0)
    return times.figures()


def run(workload: Any, count: int) -> Any:
    """Run *workload* on trio."""
    return anyio.run(workload, count, backend="trio")


if __name__ == "__main__":
    main(
        ["papyra", "trio"],
        {
            "call": call,
            "cast": cast,
            "fan": fan,
            "spawn": spawn,
            "spawn-bare": spawn,
            "restart": restart,
        },
        {},
        run,
    )
