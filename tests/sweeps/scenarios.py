"""The programs that are swept."""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeAlias

import trio
from attrs import define, field

import regrow

from .checks import rules_of
from .harness import Scenario
from .points import EXAMPLES, load

__all__ = ["SCENARIOS"]

Observers: TypeAlias = Iterable[Callable[[regrow.Event], object]]


@define
class MemoryLedger:
    """A file that takes no thread, which virtual time would not wait for."""

    text: str = ""
    pending: str = ""

    async def write(self, text: str, /) -> object:
        await trio.lowlevel.checkpoint()
        self.pending += text
        return None

    async def flush(self) -> object:
        await trio.lowlevel.checkpoint()
        self.text, self.pending = self.text + self.pending, ""
        return None

    @asynccontextmanager
    async def open(self, path: Path) -> AsyncGenerator["MemoryLedger"]:
        await trio.lowlevel.checkpoint()
        yield self


@define
class MemoryListener(trio.abc.Listener[trio.abc.Stream]):
    """A socket that listens, without a socket."""

    _ends: tuple[
        trio.MemorySendChannel[trio.abc.Stream],
        trio.MemoryReceiveChannel[trio.abc.Stream],
    ] = field(factory=lambda: trio.open_memory_channel[trio.abc.Stream](8))

    async def accept(self) -> trio.abc.Stream:
        return await self._ends[1].receive()

    async def connect(self) -> trio.abc.Stream:
        ours, theirs = trio.testing.memory_stream_pair()
        await self._ends[0].send(theirs)
        return ours

    async def aclose(self) -> None:
        await self._ends[1].aclose()


def bank() -> Scenario:
    """Sweep the bank, with a ledger in memory."""
    module = load(EXAMPLES / "bank.py")
    module.__dict__["print"] = lambda *_: None

    async def main(observers: Observers) -> None:
        await module.main(Path("ledger"), MemoryLedger().open, observers)

    tree = module.bank(Path("ledger"))
    rules = rules_of(tree, declared=(module.Overdrawn,))
    return Scenario("bank", main, module, rules)


def kv_server() -> Scenario:
    """Sweep the key-value server, with streams in memory."""
    module = load(EXAMPLES / "kv_server.py")

    async def main(observers: Observers) -> object:
        listener = MemoryListener()
        return await module.talk(listener, listener.connect, observers)

    rules = rules_of(module.kv_server(MemoryListener()))
    broken = (trio.BrokenResourceError, trio.TooSlowError)
    return Scenario("kv_server", main, module, rules, body_errors=broken, replaces=True)


def embed() -> Scenario:
    """Sweep the program that gets workers."""
    module = load(EXAMPLES / "embed.py")

    async def main(observers: Observers) -> list[str]:
        said: list[str] = []
        await module.main(1.0, said.append, observers)
        return said

    rules = rules_of(module.workers(1.0, print))
    empty = (IndexError,)
    return Scenario("embed", main, module, rules, body_errors=empty, nursery=True)


def failing_worker() -> Scenario:
    """Sweep the failing worker, in both ways."""
    module = load(EXAMPLES / "failing_worker.py")

    async def main(observers: Observers) -> object:
        backoff = regrow.Backoff(initial=1, maximum=4, jitter=0.5, reset_after=1)
        watch = partial(module.observe, seconds=1.0, rounds=8, observers=observers)
        return [await watch(Random(1)), await watch(Random(1), backoff=backoff)]

    rules = rules_of(module.lab(Random(), 1.0))
    return Scenario("failing_worker", main, module, rules)


def late_dependency() -> Scenario:
    """Sweep the late dependency."""
    module = load(EXAMPLES / "late_dependency.py")

    async def main(observers: Observers) -> list[str]:
        said: list[str] = []
        await module.main(1.0, said.append, observers)
        return said

    rules = rules_of(module.desk(module.Exchange().connect, 1.0))
    return Scenario("late_dependency", main, module, rules, patient=True)


def everything() -> Scenario:
    """Sweep the program that was made for it."""
    module = load(Path(__file__).with_name("everything.py"))
    rules = rules_of(module.everything(), declared=(module.RefusedError,))
    return Scenario(
        "everything",
        module.main,
        module,
        rules,
        nursery=True,
        patient=True,
        unasked=frozenset({"hand_over", "tick"}),
    )


def odds() -> Scenario:
    """Sweep the other one."""
    module = load(Path(__file__).with_name("odds.py"))
    return Scenario(
        "odds",
        module.main,
        module,
        rules_of(module.odds()),
        nursery=True,
        patient=True,
        unasked=frozenset({"check_health"}),
    )


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        bank(),
        kv_server(),
        embed(),
        failing_worker(),
        late_dependency(),
        everything(),
        odds(),
    )
}
