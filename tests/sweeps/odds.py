"""A second program for the sweeps: what is rarer, and what is left out of the first.

A tree inside a child, tasks in a lifespan, a group that waits together, a start that is
too slow, one that is ignored, auto-shutdown, a mailbox that is cleared, a child that is
cut off at once, and every request that a supervisor takes.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from random import Random
from typing import TypeAlias

import trio
from attrs import Factory, define

from regrow import (
    Actor,
    Backoff,
    CallError,
    Event,
    Heartbeat,
    IgnoreStart,
    Mailbox,
    Ref,
    Shutdown,
    Supervisor,
    SupervisorRef,
    child,
    grace,
    open_tree,
    supervisor,
)

Observers: TypeAlias = Iterable[Callable[[Event], object]]


@define
class Ledger(Actor):
    """Counts what it is told, slowly, and dies of every fifth."""

    entries: list[int] = Factory(list)

    async def enter(self, number: int) -> int:
        await trio.sleep(0.004)
        self.entries.append(number)
        if len(self.entries) % 5 == 0:
            raise RuntimeError("full")
        return len(self.entries)


@define
class Keeper(Actor):
    """Has a task of its own beside its messages."""

    ledger: Ref[Ledger]
    kept: int = 0

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep)
            yield
            nursery.cancel_scope.cancel()

    async def _keep(self) -> None:
        while True:
            await self.ledger.cast(Ledger.enter, 0)
            self.kept += 1
            await trio.sleep(0.01)

    def count(self) -> int:
        return self.kept


@define
class Abrupt(Actor):
    """Is cut off at once when it is stopped."""

    async def linger(self) -> None:
        try:
            await trio.sleep(1)
        finally:
            with trio.move_on_after(0.001, shield=True):
                await trio.sleep(1)


@define
class Watched(Actor):
    """Looks after itself, and hangs when it is told to."""

    async def hang(self) -> None:
        await trio.sleep_forever()

    def nod(self) -> str:
        return "well"

    async def check_health(self) -> None:
        await trio.sleep(0.001)


@define
class Absent(Actor):
    """Does not want to run."""

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        await trio.lowlevel.checkpoint()
        raise IgnoreStart
        yield


async def flaky(failures: list[str]) -> None:
    """Fail once for each item, then rest."""
    await trio.sleep(0.01)
    if failures:
        raise RuntimeError(failures.pop())
    await trio.sleep_forever()


async def gate(
    seconds: list[float],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Come up after as many seconds as stand next in the list, or at once."""
    await trio.sleep(seconds.pop() if seconds else 0)
    task_status.started()
    await trio.sleep_forever()


async def stubborn() -> None:
    """Take more time to clean up than there is."""
    try:
        await trio.sleep_forever()
    finally:
        with grace():
            await trio.sleep(90)


async def job(seconds: float) -> None:
    """Do something and be done."""
    await trio.sleep(seconds)


async def leave(seconds: float) -> None:
    """End by raising `Shutdown`."""
    await trio.sleep(seconds)
    raise Shutdown


async def host(ledger: Ref[Ledger]) -> None:
    """Have a tree of its own."""
    inside = child(Keeper, ledger)
    spec = supervisor("inside", inside, child(job, 0.02, restart="transient"))
    async with open_tree(spec) as tree:
        for _ in range(3):
            await tree[inside].call(Keeper.count)
            await trio.sleep(0.02)


async def admin(staff: SupervisorRef) -> None:
    """Ask a supervisor for everything."""
    await staff.terminate_child("absent")
    await staff.restart_child("absent")
    await staff.delete_child("absent")
    await staff.start_child(child(job, 0.03, name="extra"))
    await staff.which_children()
    await trio.sleep(0.05)
    await staff.terminate_child("extra")
    await staff.count_children()


def odds() -> Supervisor:
    """Declare it."""
    box = Mailbox(capacity=1, on_restart="clear")
    ledger = child(Ledger, mailbox=box)
    waits = Backoff(initial=0.02, jitter=0.5, reset_after=1.0)
    together = supervisor(
        "together",
        child(Keeper, ledger.ref),
        child(flaky, ["twice", "once"], backoff=waits),
        child(Abrupt, shutdown=0),
        child(stubborn, shutdown=0.005),
        strategy="one_for_all",
    )
    slow = child(gate, [0.5], start_timeout=0.05, start="retry", backoff=waits)
    behind = supervisor(
        "behind", slow, child(job, 0.05, restart="transient"), strategy="rest_for_one"
    )
    brief = supervisor(
        "brief",
        child(job, 0.06, restart="transient", significant=True),
        child(leave, 0.09, restart="temporary", significant=True),
        auto_shutdown="all_significant",
        restart="transient",
    )
    staff = supervisor("staff", child(Absent))
    watched = child(Watched, heartbeat=Heartbeat(0.011, 0.007, misses=2))
    return supervisor(
        "odds",
        *(ledger, together, behind, brief, staff, watched),
        child(host, ledger.ref, restart="transient"),
        child(admin, staff.ref, restart="transient"),
        intensity=20,
    )


async def main(observers: Observers = ()) -> list[object]:
    """Let it run for a while; give what was said."""
    said: list[object] = []
    async with open_tree(odds(), observers=observers, random=Random(1)) as tree:
        ledger = tree.ref("odds/ledger", Ledger)
        abrupt = tree.ref("odds/together/abrupt", Abrupt)
        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(_enter, ledger, number, said)
            nursery.start_soon(_linger, abrupt, said)
            nursery.start_soon(_hang, tree.ref("odds/watched", Watched), said)
            await tree.supervisor("odds/brief").wait_stopped()
        said.append(
            await tree.ref("odds/together/keeper", Keeper).call(Keeper.count) > 0
        )
    return said


async def _enter(ledger: Ref[Ledger], number: int, said: list[object]) -> None:
    for _ in range(3):
        try:
            await ledger.call(Ledger.enter, number)
        except CallError as error:
            said.append(type(error).__name__)


async def _hang(watched: Ref[Watched], said: list[object]) -> None:
    for method in (Watched.hang, Watched.nod):
        try:
            await watched.call(method)
        except CallError as error:
            said.append(type(error).__name__)


async def _linger(abrupt: Ref[Abrupt], said: list[object]) -> None:
    try:
        with trio.move_on_after(0.1):
            await abrupt.call(Abrupt.linger)
    except CallError as error:
        said.append(type(error).__name__)
