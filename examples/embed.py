"""Background workers for a trio program that is there already.

The program is a nursery and a loop that takes orders. It gets a mailer, which takes its
time and dies of a bad address, and a counter that reports every second, without a
change to its own shape: either the nursery starts the tree (`serve_tree`) or the loop
runs inside it (`open_tree`). When the block is left, no worker is.

Run it: `python examples/embed.py`
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeAlias

import trio
from attrs import Factory, define

from regrow import (
    Actor,
    Event,
    Ref,
    Supervisor,
    Tree,
    child,
    open_tree,
    serve_tree,
    supervisor,
)

Report: TypeAlias = Callable[[str], None]
Observers: TypeAlias = Iterable[Callable[[Event], object]]


@define
class Mailer(Actor):
    """Confirms orders, slowly."""

    seconds: float
    sent: list[str] = Factory(list)

    async def confirm(self, address: str) -> None:
        """Send a letter; an address without an @ is a crash."""
        await trio.sleep(self.seconds)
        if "@" not in address:
            raise ValueError(f"no address: {address}")
        self.sent.append(address)

    def letters(self) -> list[str]:
        """Give what this incarnation has sent."""
        return self.sent


async def counter(mailer: Ref[Mailer], pace: float, report: Report) -> None:
    """Report how many letters went out, at every *pace* seconds."""
    while True:
        await trio.sleep(pace)
        letters = await mailer.call(Mailer.letters)
        report(f"{len(letters)} sent")


def workers(pace: float, report: Report) -> Supervisor:
    """Declare what runs in the background."""
    mailer = child(Mailer, pace / 10)
    return supervisor("workers", mailer, child(counter, mailer.ref, pace, report))


async def take_orders(tree: Tree, pace: float, report: Report) -> None:
    """Take four orders and wait until all are confirmed."""
    mailer = tree.ref("workers/mailer", Mailer)
    for address in ("ann@here.example", "bob", "cyd@here.example", "dan@here.example"):
        await trio.sleep(pace * 0.7)
        report(f"order of {address}")
        await mailer.cast(Mailer.confirm, address)  # waits for room only
    report(f"last sent to: {(await mailer.call(Mailer.letters))[-1]}")


async def with_serve_tree(pace: float, report: Report, observers: Observers) -> None:
    """Let the nursery start the tree, like any other task that says when it is up."""
    async with trio.open_nursery() as nursery:
        tree: Tree = await nursery.start(
            partial(serve_tree, workers(pace, report), observers=observers)
        )
        await take_orders(tree, pace, report)
        await tree.stop()


async def with_open_tree(pace: float, report: Report, observers: Observers) -> None:
    """Run what was there inside the tree's block."""
    async with open_tree(workers(pace, report), observers=observers) as tree:
        await take_orders(tree, pace, report)


async def main(
    pace: float = 1.0, report: Report = print, observers: Observers = ()
) -> None:
    """Take the same orders both ways."""
    report("-- serve_tree")
    await with_serve_tree(pace, report, observers)
    report("-- open_tree")
    await with_open_tree(pace, report, observers)


if __name__ == "__main__":
    trio.run(main)
