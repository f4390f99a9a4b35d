"""What does not grow: with the number of actors, and with what waits for one."""

from __future__ import annotations

import gc
import logging
import math
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest
import trio

from regrow import Actor, Mailbox, Supervisor, child, dynamic, open_tree, supervisor

FEW, MANY = 1_000, 10_000
ROUNDS = 3
MOST = 1.5


class Idle(Actor):
    pass


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Without what pytest keeps of the log, and without the collector of cycles.

    That looks at the whole heap now and then, whoever has filled it.
    """
    logger = logging.getLogger("regrow")
    logger.setLevel(logging.CRITICAL)
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    logger.setLevel(logging.NOTSET)


def declared(count: int) -> Supervisor:
    return supervisor("root", *(child(Idle, name=f"x{n}") for n in range(count)))


async def static(count: int) -> None:
    async with open_tree(declared(count)):
        pass


async def added(count: int) -> None:
    async with open_tree(dynamic("root")) as tree:
        pool = tree.supervisor("root")
        for _ in range(count):
            await pool.start_child(child(Idle))


async def cycled(count: int) -> None:
    """All of them are restarted twice, as a group."""

    class Crashing(Actor):
        def boom(self) -> None:
            raise LookupError

        def ping(self) -> None:
            pass

    first = child(Crashing, name="first")
    others = (child(Idle, name=f"x{n}") for n in range(count - 1))
    spec = supervisor("root", first, *others, strategy="one_for_all")
    async with open_tree(spec) as tree:
        for _ in range(2):
            tree[first].cast_nowait(Crashing.boom)
            await tree[first].call(Crashing.ping)
            await tree.supervisor("root").count_children()  # answered after the round
        last = tree.snapshot().children[-1]
        assert last.incarnation == 3


def cost(program: Callable[[int], Awaitable[None]], count: int) -> float:
    """Give the seconds of processor time for each actor."""
    gc.collect()
    begin = time.process_time()
    trio.run(program, count)
    return (time.process_time() - begin) / count


@pytest.mark.slow
@pytest.mark.parametrize("program", [static, added, cycled])
def test_the_cost_of_an_actor_does_not_grow_with_their_number(
    program: Callable[[int], Awaitable[None]],
) -> None:
    few, many = [], []
    cost(program, FEW)  # the first run is not measured
    for _ in range(ROUNDS):  # side by side, so that a busy machine meets both
        few += [cost(program, FEW) for _ in range(3)]
        many.append(cost(program, MANY))
    ratio = statistics.median(many) / statistics.median(few)
    print(f"{ratio:.2f}: {statistics.median(many) * 1e6:.0f} us an actor")
    assert ratio <= MOST


class Ticking(Actor):
    def boom_with_a_timer(self) -> None:
        self.send_every(1000, Ticking.ping)
        raise LookupError

    def ping(self) -> None:
        pass

    def tell(self, over: trio.Event) -> None:
        over.set()


async def crash_of_ticking(restarts: int, waiting: int) -> float:
    """Give the seconds of processor time for each restart while so much waits."""
    over = trio.Event()
    actor = child(Ticking, mailbox=Mailbox(math.inf))
    async with open_tree(supervisor("root", actor, intensity=restarts)) as tree:
        ref = tree[actor]
        for _ in range(restarts):
            ref.cast_nowait(Ticking.boom_with_a_timer)
        ref.cast_nowait(Ticking.tell, over)
        for _ in range(waiting):
            ref.cast_nowait(Ticking.ping)
        begin = time.process_time()
        await over.wait()
        seconds = time.process_time() - begin
        tree.kill()
    return seconds / restarts


@pytest.mark.slow
def test_the_end_of_an_actor_with_timers_does_not_go_over_what_waits() -> None:
    few, many = [], []
    trio.run(crash_of_ticking, 100, 100)  # the first run is not measured
    for _ in range(ROUNDS):
        few.append(trio.run(crash_of_ticking, 100, 100))
        many.append(trio.run(crash_of_ticking, 100, MANY))
    ratio = statistics.median(many) / statistics.median(few)
    print(f"{ratio:.2f}: {statistics.median(many) * 1e6:.0f} us a restart")
    assert ratio <= 3  # it was 80
