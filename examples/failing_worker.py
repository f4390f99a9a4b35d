"""A worker that fails six times out of ten, and is brought back every time.

Shows a plain async function as a child (it has no loop of retries, no `except`), the
two ways to restart it, at once and with growing pauses, and a clean end: the worker is
told to stop, the tally, which had a life of its own all along, is asked for the counts.

Restarts at once count against the supervisor's limit, which here has room for the worst
that this worker can do. With a `Backoff` the worker has a budget of its own.

Run it: `python examples/failing_worker.py`
"""

from collections.abc import Callable, Iterable
from random import Random
from typing import TypeAlias

import trio
from attrs import define, frozen

from regrow import (
    Actor,
    Backoff,
    Event,
    Ref,
    Supervisor,
    child,
    open_tree,
    supervisor,
)

Observers: TypeAlias = Iterable[Callable[[Event], object]]


class WorkFailedError(Exception):
    """It did not work."""


@frozen
class Counts:
    """How often it worked, and how often it did not."""

    done: int
    failed: int


@define
class Tally(Actor):
    """Counts; it does not die with the worker."""

    done: int = 0
    failed: int = 0

    def success(self) -> None:
        """Count a piece of work."""
        self.done += 1

    def failure(self) -> None:
        """Count a failure."""
        self.failed += 1

    def counts(self) -> Counts:
        """Give the counts."""
        return Counts(self.done, self.failed)


async def worker(random: Random, tally: Ref[Tally], seconds: float) -> None:
    """Do one piece of work after another, *seconds* for each, until one fails."""
    while True:
        await trio.sleep(seconds)
        if random.random() < 0.6:
            await tally.cast(Tally.failure)
            raise WorkFailedError
        await tally.cast(Tally.success)


def lab(random: Random, seconds: float, backoff: Backoff | None = None) -> Supervisor:
    """Declare the tally and the worker."""
    tally = child(Tally)
    return supervisor(
        "lab",
        tally,
        child(worker, random, tally.ref, seconds, backoff=backoff),
        intensity=20,
        period=20 * seconds,
    )


async def observe(
    random: Random,
    *,
    seconds: float,
    rounds: int,
    backoff: Backoff | None = None,
    observers: Observers = (),
) -> tuple[Counts, int]:
    """Let it work for *rounds* times *seconds*; give the counts and the restarts."""
    spec = lab(random, seconds, backoff)
    async with open_tree(spec, observers=observers, random=random) as tree:
        await trio.sleep(seconds * (rounds + 0.5))
        await tree.supervisor("lab").terminate_child("worker")
        counts = await tree.ref("lab/tally", Tally).call(Tally.counts)
        return counts, tree.snapshot().find("lab/worker").restarts


async def main(
    seed: int = 1,
    *,
    seconds: float = 0.05,
    rounds: int = 40,
    observers: Observers = (),
) -> None:
    """Print what came of it, both ways."""
    backoff = Backoff(
        initial=seconds, maximum=8 * seconds, jitter=0, reset_after=1.5 * seconds
    )
    for name, delays in (("at once", None), ("with backoff", backoff)):
        counts, restarts = await observe(
            Random(seed),
            seconds=seconds,
            rounds=rounds,
            backoff=delays,
            observers=observers,
        )
        print(f"{name}: {counts}, {restarts} restarts")


if __name__ == "__main__":
    trio.run(main)
