"""regrow itself, in the Python that runs the benchmarks."""

from __future__ import annotations

import trio

from regrow import Actor, child, open_tree, supervisor

from .timing import CALLERS, BrokenError, Figures, Times, main, rate


class Echo(Actor):
    """Answers what it is sent."""

    def echo(self, number: int) -> int:
        """Answer."""
        return number

    def take(self, _number: int) -> None:
        """Do nothing."""

    def crash(self) -> None:
        """Crash."""
        raise BrokenError


async def call(count: int) -> Figures:
    """Call one actor."""
    actor = child(Echo)
    async with open_tree(supervisor("root", actor)) as tree:
        ref = tree[actor]
        with rate(count) as figures:
            for number in range(count):
                await ref.call(Echo.echo, number)
    return figures


async def cast(count: int) -> Figures:
    """Send to one actor, until all is handled."""
    actor = child(Echo)
    async with open_tree(supervisor("root", actor)) as tree:
        ref = tree[actor]
        with rate(count) as figures:
            for number in range(count):
                await ref.cast(Echo.take, number)
            await ref.call(Echo.echo, 0)
    return figures


async def fan(count: int) -> Figures:
    """Call one actor from many tasks."""

    async def ask() -> None:
        for number in range(count // CALLERS):
            await ref.call(Echo.echo, number)

    actor = child(Echo)
    async with open_tree(supervisor("root", actor)) as tree:
        ref = tree[actor]
        with rate(count) as figures:
            async with trio.open_nursery() as nursery:
                for _ in range(CALLERS):
                    nursery.start_soon(ask)
    return figures


async def spawn(count: int) -> Figures:
    """Start supervised actors and stop them."""
    with rate(count) as figures:
        children = [child(Echo, name=str(index)) for index in range(count)]
        async with open_tree(supervisor("root", *children)):
            pass
    return figures


async def restart(count: int) -> Figures:
    """Crash an actor, until its replacement answers."""
    actor = child(Echo)
    times = Times()
    tree = supervisor("root", actor, intensity=1_000_000, period=0.1)
    async with open_tree(tree) as running:
        ref = running[actor]
        for _ in range(count):
            with times:
                await ref.cast(Echo.crash)
                await ref.call(Echo.echo, 0)
    return times.figures()


if __name__ == "__main__":
    main(
        ["trio"],
        {
            "call": call,
            "cast": cast,
            "fan": fan,
            "spawn": spawn,
            "spawn-bare": spawn,
            "restart": restart,
        },
        {},
        trio.run,
    )
