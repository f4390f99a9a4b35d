"""Whether a living tree is well."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from regrow import (
    Backoff,
    Health,
    HealthReason,
    Mailbox,
    PlaceSnapshot,
    StartFailedError,
    Tree,
    child,
    dynamic,
    supervisor,
)
from regrow._core.health import Reasons, judge

from .trees import Child, Story, open_tree, service, virtual


def by_the_picture(tree: Tree) -> Health:
    """Judge every place, also those that `health` passes by with a glance."""
    now = trio.current_time()

    def reasons(
        place: PlaceSnapshot, *, root: bool, below_running: bool
    ) -> Iterator[HealthReason]:
        yield from judge(place, root=root, below_running=below_running, now=now)
        running = below_running and place.status == "running"
        for below in place.children:
            yield from reasons(below, root=False, below_running=running)

    found = Reasons()
    for reason in reasons(tree.snapshot(), root=True, below_running=True):
        found.add(reason)
    return found.health()


def told(tree: Tree) -> list[str]:
    """Give the health in lines, the status first."""
    health = tree.health()
    assert health == by_the_picture(tree)
    assert health.more == 0
    reasons = [
        f"{reason.status}: {reason.path} {reason.text}" for reason in health.reasons
    ]
    return [health.status, *reasons]


@virtual
async def test_a_tree_is_well_and_stays_so_when_work_is_done() -> None:
    story = Story()
    spec = supervisor(
        "app",
        child(Child, story, name="x", restart="transient"),
        child(service, story, "s", name="s"),
        supervisor("sub", child(Child, story, name="y", backoff=Backoff())),
        dynamic("pool"),
    )
    async with open_tree(spec) as tree:
        assert tree.health() == Health("ok", ())
        await tree.ref("app/x", Child).cast(Child.end)
        for path in ("app/sub/y", "app/x"):
            await tree.ref(path, Child).cast(Child.sleep, 5)
        await wait_all_tasks_blocked()
        assert tree.snapshot("app/x").status == "stopped"
        assert told(tree) == ["ok"]


@virtual
async def test_restarts_make_it_degraded_and_then_failing_until_they_are_old() -> None:
    x = child(Child, Story(), name="x")
    spec = supervisor("app", supervisor("sub", x, intensity=2, period=5))
    async with open_tree(spec) as tree:
        await tree[x].cast(Child.boom)
        await trio.sleep(1)
        assert told(tree) == [
            "degraded",
            "degraded: app/sub has used 1 of 2 restarts in 5 s",
        ]
        await tree[x].cast(Child.boom)
        await trio.sleep(1)
        assert told(tree) == [
            "failing",
            (
                "failing: app/sub has used 2 of 2 restarts in 5 s: "
                "at one more failure it gives up"
            ),
        ]
        await trio.sleep(3.5)
        assert told(tree)[0] == "degraded"
        await trio.sleep(1)
        assert told(tree) == ["ok"]


@virtual
async def test_a_delayed_restart_and_a_limit_of_its_own() -> None:
    backoff = Backoff(initial=4, factor=1, jitter=0, reset_after=10, max_attempts=3)
    x = child(Child, Story(), name="x", backoff=backoff)
    async with open_tree(supervisor("app", x)) as tree:
        await tree[x].cast(Child.boom)
        await trio.sleep(1)
        waiting = "degraded: app/x is down and will be restarted in 3 s"
        used = "degraded: app/x has used 1 of 2 failures in a row"
        assert told(tree) == ["degraded", waiting, used]
        await trio.sleep(4)
        assert told(tree) == ["degraded", used]
        await tree[x].cast(Child.boom)
        await trio.sleep(5)
        assert told(tree) == [
            "failing",
            (
                "failing: app/x has used 2 of 2 failures in a row: "
                "at one more failure its supervisor gives up"
            ),
        ]
        await trio.sleep(10)
        assert told(tree) == ["ok"]


@virtual
async def test_a_supervisor_that_has_both_a_limit_and_a_backoff_of_its_own() -> None:
    backoff = Backoff(initial=4, factor=1, jitter=0, reset_after=10, max_attempts=2)
    x = child(Child, Story(), name="x")
    sub = supervisor("sub", x, intensity=1, backoff=backoff)
    async with open_tree(supervisor("app", sub)) as tree:
        for _ in range(2):
            await tree[x].cast(Child.boom)
        await trio.sleep(1)
        failing = (
            "failing: app/sub has used 1 of 1 failures in a row: "
            "at one more failure its supervisor gives up"
        )
        waits = "degraded: app/sub is down and will be restarted in 3 s"
        assert told(tree) == ["failing", failing, waits]
        await trio.sleep(4)
        assert told(tree) == ["failing", failing]
        await tree[x].cast(Child.boom)
        await trio.sleep(1)
        limit = (
            "failing: app/sub has used 1 of 1 restarts in 5 s: "
            "at one more failure it gives up"
        )
        assert told(tree) == ["failing", limit, failing]
        await trio.sleep(8)
        assert told(tree) == ["ok"]


@virtual
async def test_below_what_is_down_nothing_is_told_but_what_is_stuck() -> None:
    x = child(Child, Story(), name="x")
    sub = supervisor(
        "sub", x, intensity=0, backoff=Backoff(initial=9, jitter=0, reset_after=5)
    )
    async with open_tree(supervisor("app", sub)) as tree:
        await tree[x].cast(Child.boom)
        await trio.sleep(1)
        assert tree.snapshot("app/sub/x").status == "restarting"
        assert told(tree) == [
            "degraded",
            "degraded: app/sub is down and will be restarted in 8 s",
            "degraded: app/sub has used 1 failure in a row",
        ]


async def shielded() -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep(10)


@virtual
async def test_what_is_stuck() -> None:
    sub = supervisor("sub", child(shielded, name="x", shutdown=1))
    async with (
        open_tree(supervisor("app", sub)) as tree,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(tree.supervisor("app").terminate_child, "sub")
        await trio.sleep(1.5)
        assert told(tree) == ["ok"]
        await trio.sleep(1)
        stuck = "was cut off and is still there: it cannot be killed"
        assert told(tree) == ["failing", f"failing: app/sub/x {stuck}"]
        await trio.sleep(8)
        assert told(tree) == [
            "failing",
            "failing: app/sub is down, and nobody starts it again unless asked to",
        ]
        await tree.supervisor("app").restart_child("sub")
        assert told(tree) == ["ok"]


@virtual
async def test_mailboxes_and_suspended_actors() -> None:
    x = child(Child, Story(), name="x", mailbox=Mailbox(5))
    y = child(Child, Story(), name="y")
    async with open_tree(supervisor("app", x, y)) as tree:
        await tree[x].cast(Child.sleep, 10)
        await wait_all_tasks_blocked()
        for _ in range(3):
            await tree[x].cast(Child.ping)
        assert told(tree) == ["ok"]
        await tree[x].cast(Child.ping)
        tree[y].suspend()
        await trio.sleep(1)
        assert told(tree) == [
            "degraded",
            "degraded: app/x has 4 of 5 messages in its mailbox",
            "degraded: app/y is suspended: it begins no message until it is resumed",
        ]
        tree[y].resume()
        await trio.sleep(10)
        assert told(tree) == ["ok"]


@virtual
async def test_a_start_that_takes_long_and_a_tree_that_ends() -> None:
    slow = child(partial(Child, setup=20), Story(), name="x", start_timeout=15)
    pool = dynamic("app")
    async with open_tree(pool) as tree:

        async def start() -> None:
            with pytest.raises(StartFailedError):
                await tree[pool].start_child(slow)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(start)
            await trio.sleep(10)
            assert told(tree) == ["ok"]
            await trio.sleep(2)
            assert told(tree) == [
                "degraded",
                "degraded: app/x has been starting for 12 s",
            ]
        assert told(tree) == ["ok"]
        late = child(partial(Child, cleanup=3), Story(), name="y")
        await tree[pool].start_child(late)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tree.stop)
            await trio.sleep(1)
            assert told(tree) == ["failing", "failing: app is stopping"]
        assert told(tree) == ["failing", "failing: app has ended"]
