"""Streams of the ends of a place's incarnations."""

import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from regrow import (
    Actor,
    Backoff,
    Down,
    ExitReason,
    IgnoreStart,
    Monitor,
    child,
    dynamic,
    supervisor,
)

from .trees import Boom, Child, Story, open_tree, service, virtual


async def drain(monitor: Monitor) -> list[Down]:
    """Take what is there now."""
    found: list[Down] = []
    with trio.move_on_after(1):
        with suppress(trio.EndOfChannel):
            while True:
                found.append(await monitor.receive())
    return found


@virtual
async def test_one_notice_for_each_incarnation() -> None:
    actor = child(Child, Story(), name="a")
    async with open_tree(supervisor("root", actor)) as tree:
        ref = tree[actor]
        monitor = ref.monitor()
        error = Boom()
        await ref.cast(Child.throw, error)
        await ref.cast(Child.end)
        await ref.call(Child.ping)
        assert [await monitor.receive(), await monitor.receive()] == [
            Down("root/a", 1, ExitReason.CRASHED, error),
            Down("root/a", 2, ExitReason.NORMAL, None),
        ]
        with trio.move_on_after(1) as scope:
            await monitor.receive()
        assert scope.cancelled_caught
        await tree.supervisor("root").terminate_child("a")
        assert await monitor.receive() == Down("root/a", 3, ExitReason.SHUTDOWN, None)
        await tree.supervisor("root").restart_child("a")
        tree.kill()
        assert await monitor.receive() == Down("root/a", 4, ExitReason.KILLED, None)
        with pytest.raises(trio.EndOfChannel):
            await monitor.receive()


@virtual
async def test_a_closed_place_gives_one_notice_at_once() -> None:
    actor = child(Child, Story(), name="a", restart="transient")
    async with open_tree(supervisor("root", actor)) as tree:
        await tree[actor].cast(Child.end)
        await tree[actor].wait_stopped()
        monitor = tree[actor].monitor()
        assert await monitor.receive() == Down("root/a", 1, ExitReason.NORMAL, None)
        assert await drain(monitor) == []
        await tree.supervisor("root").restart_child("a")
        await tree[actor].cast(Child.boom)
        down = await monitor.receive()
        assert (down.incarnation, down.reason) == (2, ExitReason.CRASHED)
        await tree[actor].call(Child.ping)
    ref = tree[actor]
    assert [each.incarnation for each in await drain(ref.monitor())] == [3]
    with pytest.raises(trio.EndOfChannel):
        monitor = ref.monitor()
        await monitor.receive()
        await monitor.receive()


class Ignores(Actor):
    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        raise IgnoreStart
        yield


@virtual
async def test_a_place_that_never_had_a_life_says_so() -> None:
    ignores = child(Ignores, name="a")
    async with open_tree(supervisor("root", ignores)) as tree:
        assert await tree[ignores].monitor().receive() == Down("root/a", 1, None, None)


@virtual
async def test_supervisors_and_services_can_be_monitored_too() -> None:
    story = Story()
    plain = child(service, story, "s", name="s")
    inner = supervisor("inner", plain)
    async with open_tree(supervisor("root", inner)) as tree:
        monitors = [tree[inner].monitor(), tree[plain].monitor()]
        await tree.supervisor("root").terminate_child("inner")
        assert [await each.receive() for each in monitors] == [
            Down("root/inner", 1, ExitReason.SHUTDOWN, None),
            Down("root/inner/s", 1, ExitReason.SHUTDOWN, None),
        ]


@virtual
async def test_the_stream_ends_when_the_place_is_gone() -> None:
    pool = dynamic("pool")
    async with open_tree(supervisor("root", pool)) as tree:
        ref = await tree[pool].start_child(
            child(Child, Story(), name="a", restart="temporary")
        )
        monitor = ref.monitor()
        await ref.cast(Child.boom)
        downs = [down async for down in monitor]
        assert [(down.path, down.incarnation) for down in downs] == [("root/pool/a", 1)]
        assert [down.incarnation async for down in ref.monitor()] == [1]


@virtual
async def test_two_tasks_may_wait_at_one_monitor() -> None:
    actor = child(Child, Story(), name="a")
    async with open_tree(supervisor("root", actor)) as tree:
        monitor = tree[actor].monitor()
        got: list[int] = []

        async def wait() -> None:
            got.append((await monitor.receive()).incarnation)

        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait)
                nursery.start_soon(wait)
                await wait_all_tasks_blocked()
                await tree[actor].cast(Child.boom)
                await tree[actor].cast(Child.boom)
        assert sorted(got) == [1, 2]


@virtual
async def test_a_closed_monitor_notices_no_more() -> None:
    actor = child(Child, Story(), name="a")
    async with open_tree(supervisor("root", actor)) as tree:
        monitor = tree[actor].monitor()
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await monitor.receive()

            nursery.start_soon(wait)
            await wait_all_tasks_blocked()
            await monitor.aclose()
        await tree[actor].cast(Child.boom)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.ClosedResourceError):
            await monitor.receive()
        async with tree[actor].monitor() as other:
            await tree[actor].cast(Child.boom)
            assert (await other.receive()).incarnation == 2


@virtual
async def test_monitors_that_nobody_holds_are_forgotten() -> None:
    actor = child(Child, Story(), name="a", backoff=Backoff(initial=0, jitter=0))
    async with open_tree(supervisor("root", actor)) as tree:
        for _ in range(10_000):
            tree[actor].monitor()
        gc.collect()
        await tree[actor].cast(Child.boom)
        await trio.sleep(1)
        place = tree[actor]._to
        assert place is not None
        assert place._monitors is None


@virtual
async def test_a_slow_reader_loses_the_oldest_notices_and_sees_the_gap() -> None:
    backoff = Backoff(initial=0, jitter=0)
    actor = child(Child, Story(), name="a", backoff=backoff)
    async with open_tree(supervisor("root", actor)) as tree:
        monitor = tree[actor].monitor()
        for _ in range(1100):
            await tree[actor].cast(Child.boom)
        await tree[actor].call(Child.ping)
        numbers = [down.incarnation for down in await drain(monitor)]
        assert numbers == list(range(77, 1101))
