"""A service whose dependency is down at boot and comes up later.

Shows `start="retry"`: the tree is up at once; the feed's place is there, has nobody in
it yet, and is tried again after growing pauses (`Backoff`). What is asked meanwhile
waits at the place; for how long is the caller's own business (`trio.move_on_after`).
When the dependency is there, so is the answer. Without `start="retry"` the tree would
not start.

Run it: `python examples/late_dependency.py`
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeAlias

import trio
from attrs import define, field

from regrow import (
    Actor,
    Backoff,
    ChildStarted,
    ChildStartFailed,
    Event,
    Ref,
    Supervisor,
    child,
    open_tree,
    supervisor,
)

Connect: TypeAlias = Callable[[], Awaitable[Callable[[str], float]]]
Observers: TypeAlias = Iterable[Callable[[Event], object]]


@define
class Exchange:
    """Stands for a server somewhere else."""

    up: bool = False

    async def connect(self) -> Callable[[str], float]:
        """Give a connection, if there is somebody to connect to."""
        await trio.lowlevel.checkpoint()
        if not self.up:
            raise ConnectionRefusedError("the exchange is down")
        return {"tin": 31.5, "zinc": 2.9}.__getitem__


@define
class Feed(Actor):
    """Knows the prices as long as it is connected."""

    connect: Connect
    look_up: Callable[[str], float] = field(init=False)

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Connect first."""
        self.look_up = await self.connect()
        yield

    def price(self, metal: str) -> float:
        """Give a price."""
        return self.look_up(metal)


@define
class Desk(Actor):
    """Answers customers, with or without the feed."""

    feed: Ref[Feed]
    patience: float

    async def quote(self, metal: str) -> str:
        """Give a line for the customer, after at most `patience` seconds."""
        with trio.move_on_after(self.patience):
            price = await self.feed.call(Feed.price, metal)
            return f"{metal} at {price}"
        return f"no price of {metal} yet"


def desk(connect: Connect, unit: float) -> Supervisor:
    """Declare a feed that may be late, and a desk that does not wait for it."""
    feed = child(
        Feed,
        connect,
        start="retry",
        backoff=Backoff(initial=unit, factor=2, maximum=30 * unit, jitter=0),
    )
    return supervisor("market", feed, child(Desk, feed.ref, unit / 2))


async def main(
    unit: float = 0.1,
    report: Callable[[str], None] = print,
    observers: Observers = (),
) -> None:
    """Boot without the exchange, which comes up after ten units of time."""
    exchange = Exchange()
    began = trio.current_time()

    def tell(event: Event) -> None:
        match event:
            case ChildStartFailed(path="market/feed", error=error):
                what = f"feed: {error}"
            case ChildStarted(path="market/feed"):
                what = "feed: up"
            case _:
                return
        report(f"{(event.at - began) / unit:4.1f} {what}")

    def say(what: str) -> None:
        report(f"{(trio.current_time() - began) / unit:4.1f} {what}")

    async with open_tree(
        desk(exchange.connect, unit), observers=[tell, *observers]
    ) as tree:
        clerk = tree.ref("market/desk", Desk)
        say(f"desk: {await clerk.call(Desk.quote, 'tin')}")
        await trio.sleep(10 * unit)
        exchange.up = True
        say("exchange: up")
        price = await tree.ref("market/feed", Feed).call(Feed.price, "zinc")
        say(f"zinc at {price}")
        say(f"desk: {await clerk.call(Desk.quote, 'tin')}")


if __name__ == "__main__":
    trio.run(main)
