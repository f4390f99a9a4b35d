"""What `check` says of a tree comes true when it runs, and its remedies help."""

import math

import pytest
import trio

from regrow import (
    Actor,
    ActorCrashedError,
    Backoff,
    Heartbeat,
    RestartLimitExceededError,
    Supervisor,
    Tree,
    UnboundRefError,
    check,
    child,
    open_tree,
    supervisor,
)
from tests.runtime.trees import virtual


async def fail() -> None:
    await trio.lowlevel.checkpoint()
    raise OSError("gone")


SLOW = Backoff(initial=1, factor=2, jitter=0, max_attempts=4)  # 7 seconds


def street(period: float) -> Supervisor:
    return supervisor(
        "shop", supervisor("street", child(fail, backoff=SLOW)), period=period
    )


@virtual
async def test_a_limit_that_is_never_reached() -> None:
    [advice] = check(street(20.9))
    assert advice.remedy.startswith("Write a period of 21 or more")
    with trio.move_on_after(1000) as scope:
        async with open_tree(street(20.9)) as tree:
            await tree.wait_stopped()
    assert scope.cancelled_caught


@virtual
async def test_its_remedy() -> None:
    assert check(street(21)) == ()
    began = trio.current_time()
    with pytest.raises(RestartLimitExceededError) as caught:
        async with open_tree(street(21)) as tree:
            await tree.wait_stopped()
    assert caught.value.path == "shop"
    assert trio.current_time() - began == 28


def back(backoff: Backoff) -> Supervisor:
    return supervisor("shop", child(fail, backoff=backoff))


@virtual
async def test_attempts_that_are_never_counted() -> None:
    never = Backoff(1, jitter=0, factor=1, reset_after=0, max_attempts=3)
    [advice] = check(back(never))
    assert advice.code == "attempts_never_counted"
    with trio.move_on_after(300) as scope:
        async with open_tree(back(never)) as tree:
            await tree.wait_stopped()
    assert scope.cancelled_caught
    healthy = Backoff(1, jitter=0, factor=1, reset_after=1, max_attempts=3)
    assert check(back(healthy)) == ()
    with pytest.raises(RestartLimitExceededError):
        async with open_tree(back(healthy)) as tree:
            await tree.wait_stopped()


class Sleeper(Actor):
    async def sleep(self) -> None:
        await trio.sleep_forever()


def sleepy(period: float) -> Supervisor:
    heartbeat = Heartbeat(every=3, timeout=1, misses=2)
    return supervisor("shop", child(Sleeper, heartbeat=heartbeat), period=period)


async def hang(tree: Tree) -> None:
    """Put it to sleep as soon as it is up, again and again."""
    sleeper = tree.ref("shop/sleeper", Sleeper)
    while True:
        try:
            await sleeper.call(Sleeper.sleep)
        except ActorCrashedError:
            continue


@virtual
async def test_hangs_that_are_never_judged() -> None:
    [advice] = check(sleepy(20.9))
    assert advice.remedy.startswith("Write a period of 21 or more")
    with trio.move_on_after(1000) as scope:
        async with open_tree(sleepy(20.9)) as tree:
            await hang(tree)
    assert scope.cancelled_caught


@virtual
async def test_hangs_that_come_often_enough() -> None:
    assert check(sleepy(21)) == ()
    began = trio.current_time()
    with pytest.raises(RestartLimitExceededError):
        async with open_tree(sleepy(21)) as tree:
            await hang(tree)
    assert trio.current_time() - began == 28


class Store(Actor):
    def get(self) -> int:
        return 1


class Clerk(Actor):
    def __init__(self, *stores: object) -> None:
        self.stores = stores

    async def ask(self) -> int:
        [store] = self.stores
        if isinstance(store, frozenset):
            [store] = store
        return await store.call(Store.get)  # type: ignore[attr-defined, no-any-return]


@virtual
async def test_a_ref_that_is_not_bound() -> None:
    store = child(Store)
    blind = child(Clerk, frozenset([store.ref]), name="blind")
    seeing = child(Clerk, store.ref, name="seeing")
    tree = supervisor("shop", store, blind, seeing)
    [advice] = check(tree)
    assert (advice.code, advice.path) == ("ref_not_bound", "shop/blind")
    async with open_tree(tree) as running:
        assert await running[seeing].call(Clerk.ask) == 1
        with pytest.raises(ActorCrashedError) as caught:
            await running[blind].call(Clerk.ask)
    assert isinstance(caught.value.__cause__, UnboundRefError)


async def linger(seconds: float, *, task_status: trio.TaskStatus[None]) -> None:
    task_status.started()
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)


@virtual
async def test_the_time_that_a_tree_may_take_to_stop() -> None:
    tree = supervisor(
        "shop",
        *[child(linger, n, name=f"l{n}", shutdown=n) for n in (1, 2)],
        supervisor("back", child(linger, 4, shutdown=4)),
    )
    assert [each.code for each in check(tree, grace=6.9)] == ["shutdown_over_grace"]
    assert check(tree, grace=7) == ()
    async with open_tree(tree):
        began = trio.current_time()
    assert trio.current_time() - began == 7


def test_endless_is_more_than_any_grace() -> None:
    tree = supervisor("shop", child(linger, 1, shutdown=math.inf))
    codes = [each.code for each in check(tree, grace=10**9)]
    assert codes == ["shutdown_over_grace", "endless_shutdown"]
