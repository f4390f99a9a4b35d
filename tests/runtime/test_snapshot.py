"""A frozen picture of a tree: what stands where, and what it does just then."""

from __future__ import annotations

import math
from functools import partial
from typing import Literal

import pytest
import trio
import trio.testing

from regrow import (
    Backoff,
    Mailbox,
    PlaceSnapshot,
    Tree,
    child,
    dynamic,
    supervisor,
)

from .trees import Child, Story, open_tree, service, virtual


def statuses(tree: Tree) -> dict[str, str]:
    return {place.path: place.status for place in tree.snapshot().walk()}


@virtual
async def test_a_picture_of_a_whole_tree() -> None:
    story = Story()
    a = child(Child, story, name="a", mailbox=Mailbox(capacity=2))
    unbounded = child(Child, story, name="u", mailbox=Mailbox(capacity=math.inf))
    serving = child(service, story, "s", name="s")
    pool = dynamic("pool")
    spec = supervisor("root", a, supervisor("sub", serving), pool, unbounded)
    async with open_tree(spec) as tree:
        await tree[pool].start_child(child(Child, story))
        await tree[a].cast(Child.boom)
        await trio.testing.wait_all_tasks_blocked()
        await tree[a].cast(Child.sleep, 9)
        await trio.testing.wait_all_tasks_blocked()
        tree[a].cast_nowait(Child.ping)
        up: Literal["running"] = "running"
        s = PlaceSnapshot("root/sub/s", "s", "service", up, 1, 0, 0, 0)
        added = PlaceSnapshot(
            "root/pool/child-1", "child-1", "actor", up, 1, 0, 0, 1024
        )
        assert tree.snapshot().children == (
            PlaceSnapshot("root/a", "a", "actor", up, 2, 1, 1, 2),
            PlaceSnapshot("root/sub", "sub", "supervisor", up, 1, 0, 0, 0, (s,)),
            PlaceSnapshot("root/pool", "pool", "dynamic", up, 1, 0, 0, 0, (added,)),
            PlaceSnapshot("root/u", "u", "actor", up, 1, 0, 0, math.inf),
        )
        assert [place.path for place in tree.snapshot().walk()] == [
            "root",
            "root/a",
            "root/sub",
            "root/sub/s",
            "root/pool",
            "root/pool/child-1",
            "root/u",
        ]
        assert tree.snapshot().find("root/sub/s").kind == "service"
        with pytest.raises(KeyError, match="root/nobody"):
            tree.snapshot().find("root/nobody")


@virtual
async def test_what_a_place_does_from_its_start_to_its_end() -> None:
    story = Story()
    x = child(
        partial(Child, setup=1, cleanup=1),
        story,
        name="x",
        backoff=Backoff(initial=3, jitter=0),
    )
    y = child(Child, story, name="y")
    async with open_tree(supervisor("root", x, y)) as tree:

        def status() -> str:
            return tree.snapshot().find("root/x").status

        told = []
        tree[x].cast_nowait(Child.boom)
        for seconds in (0.5, 1, 3, 1):
            await trio.sleep(seconds)
            told.append((trio.current_time(), status()))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tree.supervisor("root").terminate_child, "x")
            await trio.sleep(0.5)
            told.append((trio.current_time(), status()))
        told.append((trio.current_time(), status()))
        assert told == [
            (1.5, "running"),  # cleaning up after its crash
            (2.5, "restarting"),
            (5.5, "starting"),
            (6.5, "running"),
            (7.0, "stopping"),
            (7.5, "stopped"),
        ]
        await tree.stop()
        assert set(statuses(tree).values()) == {"stopped"}


@virtual
async def test_places_that_have_not_been_started_yet_are_starting() -> None:
    story = Story()
    seen: list[dict[str, str]] = []
    pool = dynamic("pool")
    slow = child(partial(Child, setup=1), story, name="slow")
    sub = supervisor("sub", slow, child(Child, story, name="later"))
    async with (
        open_tree(supervisor("root", pool)) as tree,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(tree[pool].start_child, sub)
        await trio.sleep(0.5)
        seen.append(statuses(tree))
        await trio.sleep(1)
    assert seen == [
        {
            "root": "running",
            "root/pool": "running",
            "root/pool/sub": "starting",
            "root/pool/sub/slow": "starting",
            "root/pool/sub/later": "starting",
        }
    ]
