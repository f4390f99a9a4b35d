"""A program that uses as much of regrow as fits into a second, for the sweeps.

Each strategy, nesting, a dynamic supervisor, every restart type, timers, a deferred
answer, a rendezvous, a late start, monitors, cleanup under `grace` and requests to
supervisors; nothing of it is there to be useful.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeAlias

import trio
from attrs import Factory, define

from regrow import (
    Actor,
    Backoff,
    Deferred,
    Down,
    Event,
    Mailbox,
    Ref,
    Supervisor,
    SupervisorRef,
    child,
    dynamic,
    grace,
    open_tree,
    raises,
    supervisor,
)

Observers: TypeAlias = Iterable[Callable[[Event], object]]


class RefusedError(Exception):
    """An answer."""


@define
class Journal(Actor):
    """Takes lines and never answers."""

    lines: list[str] = Factory(list)

    def add(self, line: str) -> None:
        self.lines.append(line)


@define
class Vault(Actor):
    """Needs something before, undoes it after, and takes its time for both."""

    journal: Ref[Journal]
    open: bool = False

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        await trio.sleep(0.01)
        await self.journal.cast(Journal.add, "vault opens")
        try:
            yield
        finally:
            with grace():
                await trio.sleep(0.01)
            self.journal.cast_nowait(Journal.add, "vault closes")

    @raises(RefusedError)
    async def take(self, amount: int) -> int:
        await trio.sleep(0.01)
        if amount > 2:
            raise RefusedError
        return amount


@define
class Porter(Actor):
    """Answers later, out of a timer."""

    vault: Ref[Vault]
    waiting: list[Deferred[int]] = Factory(list)

    async def fetch(self, amount: int) -> Deferred[int]:
        got = await self.vault.call(Vault.take, amount)
        answer = Deferred[int]()
        self.waiting.append(answer)
        self.send_after(0.02, Porter.hand_over, got)
        return answer

    def hand_over(self, got: int) -> None:
        if self.waiting:
            self.waiting.pop(0).reply(got)


@define
class Clock(Actor):
    """Ticks by itself and ends itself; nobody brings it back."""

    ticks: int = 0

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        self.send_every(0.03, Clock.tick)
        await trio.lowlevel.checkpoint()
        yield

    def tick(self) -> None:
        self.ticks += 1
        if self.ticks == 4:
            self.stop()


@define
class Sink(Actor):
    """Takes one thing at a time, from hand to hand."""

    async def put(self, thing: int) -> None:
        await trio.sleep(0.005 * thing)


@define
class Late(Actor):
    """Comes up at the third try."""

    tries: list[int]

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        await trio.lowlevel.checkpoint()
        self.tries.append(1)
        if len(self.tries) < 3:
            raise ConnectionRefusedError
        yield

    def ask(self) -> str:
        return "here"


async def source(
    sink: Ref[Sink], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Come up when it says so, feed the sink, clean up under grace."""
    await trio.sleep(0.01)
    task_status.started()
    try:
        thing = 0
        while True:
            thing += 1
            await sink.cast(Sink.put, thing % 3)
            await trio.sleep(0.01)
    finally:
        with grace():
            await trio.sleep(0.01)


async def errand(seconds: float) -> None:
    """Take some time, in two tasks."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, seconds / 2)
        await trio.sleep(seconds)


async def dispatcher(pool: SupervisorRef) -> None:
    """Start children from within the tree."""
    for number in range(3):
        spec = child(errand, 0.05, name=f"extra{number}", restart="temporary")
        await pool.start_child(spec)
        await trio.sleep(0.02)


def everything() -> Supervisor:
    """Declare it."""
    journal = child(Journal)
    vault = child(Vault, journal.ref)
    porter = child(Porter, vault.ref, shutdown=1.0)
    group = supervisor(
        "group",
        vault,
        porter,
        child(Clock, restart="transient"),
        strategy="one_for_all",
    )
    sink = child(Sink, mailbox=Mailbox(capacity=0))
    feeder = child(source, sink.ref, shutdown=0.5)
    helper = child(errand, 0.1, name="helper", restart="temporary")
    chain = supervisor("chain", sink, feeder, helper, strategy="rest_for_one")
    pool = dynamic("pool", max_children=8)
    late = child(Late, [], start="retry", backoff=Backoff(initial=0.05, jitter=0))
    front = child(dispatcher, pool.ref, restart="transient")
    inner = supervisor("inner", group, chain)
    return supervisor("all", journal, inner, pool, late, front, intensity=5)


async def main(observers: Observers = ()) -> list[object]:
    """Use it for a while; give what it said."""
    said: list[object] = []
    async with open_tree(everything(), observers=observers) as tree:
        porter = tree.ref("all/inner/group/porter", Porter)
        pool = tree.supervisor("all/pool")
        async with trio.open_nursery() as nursery:
            for amount in (1, 2):
                nursery.start_soon(_fetch, porter, amount, said)
            nursery.start_soon(_watch, tree.ref("all/inner/group/clock", Clock), said)
        vault = tree.ref("all/inner/group/vault", Vault)
        with trio.move_on_after(0.005):
            await vault.call(Vault.take, 1)
        try:
            await vault.call(Vault.take, 3)
        except RefusedError as refusal:
            said.append(type(refusal).__name__)
        job = await pool.start_child(child(errand, 0.2, restart="temporary"))
        await pool.start_child(child(errand, 9.0, name="long"))
        said.append(await tree.ref("all/late", Late).call(Late.ask))
        await pool.terminate_child("long")
        said.append((await pool.count_children()).specs)
        await job.wait_stopped()
    return said


async def _fetch(porter: Ref[Porter], amount: int, said: list[object]) -> None:
    said.append(await porter.call(Porter.fetch, amount))


async def _watch(clock: Ref[Clock], said: list[object]) -> None:
    async with clock.monitor() as monitor:
        down: Down = await monitor.receive()
        said.append(down.reason)
