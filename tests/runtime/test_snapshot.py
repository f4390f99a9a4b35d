"""A frozen picture of a tree: what stands where, and what it does just then."""

from __future__ import annotations

import inspect
import json
import math
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Literal

import pytest
import trio
import trio.testing
from attrs import evolve
from attrs.exceptions import FrozenInstanceError

from regrow import (
    Actor,
    Backoff,
    FailureSnapshot,
    IgnoreStart,
    Mailbox,
    PlaceNotFoundError,
    PlaceSnapshot,
    Shutdown,
    StartTimeoutError,
    Tree,
    child,
    dynamic,
    supervisor,
)
from regrow._runtime.snapshot import shallow

from .trees import Boom, Child, Story, open_tree, service, virtual


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
        await trio.sleep(2)
        up: Literal["running"] = "running"
        s = PlaceSnapshot("root/sub/s", "s", "service", up, 1, 0, 0, 0, uptime=2)
        added = PlaceSnapshot(
            "root/pool/child-1", "child-1", "actor", up, 1, 0, 0, 1024, uptime=2
        )
        limits: Any = {
            "strategy": "one_for_one",
            "intensity": 3,
            "period": 5.0,
            "used": 0,
        }
        assert tree.snapshot().used == 1
        failure = tree.snapshot("root/a").last_failure
        assert failure is not None
        assert isinstance(failure.cause, Boom)
        a_now = PlaceSnapshot(
            "root/a",
            "a",
            "actor",
            up,
            2,
            1,
            1,
            2,
            uptime=2,
            peak=1,
            handling="sleep(9)",
            handling_since=0,
            last_failure=FailureSnapshot(0, 1, failure.cause),
        )
        assert tree.snapshot().children == (
            a_now,
            PlaceSnapshot(
                "root/sub",
                "sub",
                "supervisor",
                up,
                1,
                0,
                0,
                0,
                (s,),
                uptime=2,
                **limits,
            ),
            PlaceSnapshot(
                "root/pool",
                "pool",
                "dynamic",
                up,
                1,
                0,
                0,
                0,
                (added,),
                uptime=2,
                **limits,
            ),
            PlaceSnapshot("root/u", "u", "actor", up, 1, 0, 0, math.inf, uptime=2),
        )
        assert [tree.snapshot(place.path) for place in tree.snapshot().children] == [
            *tree.snapshot().children
        ]
        with pytest.raises(PlaceNotFoundError, match="nothing stands at 'root/nobody'"):
            tree.snapshot("root/nobody")
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


def seen(tree: Tree, *names: str) -> tuple[object, ...]:
    place = tree.snapshot("root/x")
    return tuple(getattr(place, name) for name in names)


@virtual
async def test_how_long_it_has_been_up_and_when_it_is_due() -> None:
    backoff = Backoff(initial=3, jitter=0, reset_after=10, max_attempts=4)
    x = child(partial(Child, setup=1), Story(), name="x", backoff=backoff)
    long = child(Child, Story(), name="long", backoff=Backoff(initial=30, jitter=0.5))
    async with open_tree(supervisor("root", x, long)) as tree:

        def now() -> tuple[object, ...]:
            return seen(tree, "uptime", "due", "starting_since", "used")

        await trio.sleep(1)
        assert now() == (1, None, None, 0)
        assert seen(tree, "intensity", "period", "strategy") == (3, 10, None)
        await tree[x].cast(Child.boom)
        await tree[long].cast(Child.boom)
        await trio.sleep(1)  # it waits from 2 to 5
        assert now() == (None, 5, None, 1)
        due = tree.snapshot("root/long").due
        assert due is not None
        assert 17 < due <= 32
        await trio.sleep(2.5)
        assert now() == (None, None, 5, 1)
        await trio.sleep(10)  # it came up at 6
        assert now() == (9.5, None, None, 1)
        await trio.sleep(0.5)
        assert now() == (10, None, None, 0)
        assert tree.snapshot("root/long").used == 1
        assert tree.snapshot("root/long").intensity is None
    assert now() == (None, None, None, None)


@virtual
async def test_how_much_of_its_limit_a_supervisor_has_used() -> None:
    x = child(Child, Story(), name="x")
    spec = supervisor("root", x, intensity=2, period=5)
    async with open_tree(spec) as tree:
        used = []
        await tree[x].cast(Child.boom)
        for seconds in (0, 1, 4, 1):
            await trio.sleep(seconds)
            await trio.testing.wait_all_tasks_blocked()
            used.append((trio.current_time(), tree.snapshot().used))
            if seconds == 1 and trio.current_time() == 1:
                await tree[x].cast(Child.boom)
        assert used == [(0, 1), (1, 1), (5, 2), (6, 1)]
        await trio.sleep(0.5)
        assert tree.snapshot().used == 0


@virtual
async def test_a_supervisor_with_a_backoff_is_counted_in_two_ways() -> None:
    """What it restarts counts in its limit, how often it fails counts in its backoff."""
    backoff = Backoff(initial=3, jitter=0, reset_after=10, max_attempts=4)
    y = child(Child, Story(), name="y")
    x = supervisor("x", y, intensity=1, backoff=backoff)
    endless = supervisor("endless", intensity=1, backoff=Backoff())
    async with open_tree(supervisor("root", x, endless)) as tree:
        names = ("used", "intensity", "period", "failures", "failures_allowed")
        assert seen(tree, *names) == (0, 1, 5, 0, 3)
        for _ in range(2):
            await tree[y].cast(Child.boom)
        await trio.sleep(1)  # it waits from 0 to 3
        assert seen(tree, "due", *names) == (3, None, 1, 5, 1, 3)
        await trio.sleep(3)
        await tree[y].cast(Child.boom)
        await trio.sleep(1)
        assert seen(tree, *names) == (1, 1, 5, 1, 3)
        await trio.sleep(8)  # it came up at 3
        assert seen(tree, *names) == (0, 1, 5, 0, 3)
        others = [tree.snapshot("root/endless"), tree.snapshot("root/x/y")]
        assert [place.failures for place in others] == [0, None]
        assert [place.failures_allowed for place in others] == [None, None]


@virtual
async def test_looking_changes_nothing() -> None:
    x = child(Child, Story(), name="x")
    async with open_tree(supervisor("root", x, intensity=1, period=5)) as tree:
        for _ in range(4):
            await tree[x].cast(Child.boom)
            for _ in range(3):
                await trio.sleep(2)
                tree.snapshot()
                tree.health()
        assert tree.snapshot("root/x").restarts == 4


@virtual
async def test_the_most_messages_that_have_waited() -> None:
    x = child(Child, Story(), name="x", mailbox=Mailbox(3))
    async with open_tree(supervisor("root", x)) as tree:
        ref = tree[x]
        assert seen(tree, "peak", "waiting") == (0, 0)
        await ref.call(Child.ping)
        assert seen(tree, "peak") == (0,)  # it was waited for: nothing has waited
        await ref.cast(Child.sleep, 1)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(2):
            await ref.cast(Child.ping)
        assert seen(tree, "peak", "waiting") == (2, 2)
        await trio.sleep(2)
        assert seen(tree, "peak", "waiting") == (2, 0)
        await ref.cast(Child.sleep, 1)
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ref.call, Child.ping)
        assert seen(tree, "peak", "waiting") == (3, 0)
        ref.cast_nowait(Child.boom)
        await trio.sleep(1)
        assert seen(tree, "peak", "incarnation") == (
            3,
            2,
        )  # the place's, as its mailbox


@virtual
async def test_what_it_handles() -> None:
    x = child(Child, Story(), name="x")
    async with open_tree(supervisor("root", x)) as tree:
        ref = tree[x]

        def look() -> tuple[str | None, float | None]:
            place = tree.snapshot("root/x")
            return place.handling, place.handling_since

        assert look() == (None, None)
        text, since = await ref.call(Child.see, look)
        assert text is not None
        assert text.startswith("see(<function test_what_it_handles.<locals>.look at 0x")
        assert since is None  # it does not wait
        await trio.sleep(2)
        await ref.cast(Child.sleep, seconds=3)
        await trio.sleep(1)
        assert look() == ("sleep(seconds=3)", 2)
        await trio.sleep(3)
        assert look() == (None, None)


class Secretive(Actor):
    async def take(self, hidden: str, *more: str, key: str = "") -> None:
        await trio.sleep(1)

    async def take_one(self, hidden: str) -> None:
        await trio.sleep(1)

    async def take_any(self, hidden: str) -> None:
        await trio.sleep(1)

    take_any.__signature__ = "none"  # type: ignore[attr-defined]

    def __redact__(self, name: str, value: object) -> object:
        if name in {"hidden", "more"}:
            return ...
        return value


@virtual
async def test_arguments_are_shown_as_the_actor_wants() -> None:
    x = child(Secretive, name="x")
    async with open_tree(supervisor("root", x)) as tree:
        await tree[x].cast(Secretive.take, "a", "b", "c", key="d")
        await tree[x].cast(Secretive.take_one, hidden="a")
        await tree[x].cast(Secretive.take_any, "its name cannot be known")
        await tree[x].cast(Secretive.take, "a" * 1000, *["b"] * 1000)
        told: list[object] = []
        for seconds in (0.5, 1, 1, 1):
            await trio.sleep(seconds)
            told += seen(tree, "handling")
        *short, long = told
        assert short == [
            "take(Ellipsis, Ellipsis, Ellipsis, key='d')",
            "take_one(hidden=Ellipsis)",
            "take_any(…)",
        ]
        assert long == f"take({'Ellipsis, ' * 20}"[:199] + "…"


class Fragile(Actor):
    """Fails in any way that one can."""

    def __init__(self, ways: list[str]) -> None:
        self.way = ways.pop(0) if ways else ""
        if self.way == "new":
            raise ValueError("no\nway")

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        if self.way == "slow":
            await trio.sleep(10)
        if self.way == "ignored":
            raise IgnoreStart
        yield

    def fail(self) -> None:
        raise KeyError("gone")

    def end(self) -> None:
        raise Shutdown

    async def wait(self) -> None:
        await trio.sleep(100)


@virtual
async def test_how_it_failed_the_last_time() -> None:
    ways = ["", "new", "slow"]
    x = child(
        Fragile,
        ways,
        name="x",
        backoff=Backoff(1, factor=1),
        start_timeout=2,
        shutdown=1,
    )
    async with open_tree(supervisor("root", x)) as tree:

        def last() -> tuple[float, int, str]:
            failure = tree.snapshot("root/x").last_failure
            assert failure is not None
            return round(failure.at, 0), failure.incarnation, failure.error

        assert seen(tree, "last_failure") == (None,)
        await tree[x].cast(Fragile.fail)
        await trio.testing.wait_all_tasks_blocked()
        assert last() == (0, 1, "KeyError: 'gone'")
        failure = tree.snapshot("root/x").last_failure
        assert failure is not None
        assert failure.traceback.startswith("Traceback (most recent call last):\n")
        assert failure.traceback.endswith("KeyError: 'gone'\n")
        assert " in fail\n" in failure.traceback
        await trio.sleep(1)
        assert last() == (1, 2, "ValueError: no")
        await trio.sleep(3)
        number, text = last()[1:]
        assert (number, text.partition(":")[0]) == (3, StartTimeoutError.__name__)
        await trio.sleep(2)
        await tree[x].cast(Fragile.end)
        await trio.sleep(2)
        assert seen(tree, "incarnation", "status") == (5, "running")
        assert last()[1] == 3  # that was no failure
        await tree[x].cast(Fragile.wait)
        await trio.testing.wait_all_tasks_blocked()
        await tree.supervisor("root").terminate_child("x")
        assert last()[1:] == (5, "was cut off: its time to stop had run out")
        failure = tree.snapshot("root/x").last_failure
        assert failure is not None
        assert (failure.cause, failure.traceback) == (None, failure.error)


@virtual
async def test_a_start_that_was_given_up_is_no_failure_of_its_own() -> None:
    pool = dynamic("root")
    async with open_tree(pool) as tree:
        with trio.move_on_after(1):
            await tree[pool].start_child(child(Fragile, ["slow"], name="x"))
        start = child(Fragile, ["", "slow"], name="x", backoff=Backoff(0, jitter=0))
        ref = await tree[pool].start_child(start)
        await ref.cast(Fragile.end)
        await trio.sleep(1)
        assert seen(tree, "status", "starting_since") == ("starting", 1)
        await tree.stop()
    assert tree.snapshot().children == ()


def test_an_exception_without_a_text_is_told_of_all_the_same() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise ValueError

        @property
        def __notes__(self) -> list[str]:  # type: ignore[override]
            raise ValueError

    failure = FailureSnapshot(1.5, 2, Broken())
    assert failure.error == "Broken: its text cannot be made"
    if sys.version_info < (3, 13):
        assert failure.traceback == failure.error
    else:  # there it passes over notes that cannot be had
        assert "Broken: <exception str() failed>\n" in failure.traceback
    assert failure.as_json() == {
        "at": 1.5,
        "incarnation": 2,
        "error": "Broken: its text cannot be made",
    }


async def shielded(seconds: float) -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep(seconds)


@virtual
async def test_what_is_still_there_after_it_was_cut_off_is_stuck() -> None:
    x = child(shielded, 10, name="x", shutdown=2)
    told = []
    async with (
        open_tree(supervisor("root", x)) as tree,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(tree.supervisor("root").terminate_child, "x")
        for seconds in (1, 1.5, 1, 7):
            await trio.sleep(seconds)
            told.append((trio.current_time(), *seen(tree, "status")))
    assert told == [
        (1, "stopping"),
        (2.5, "stopping"),  # cut off, but that is not told yet
        (3.5, "stuck"),
        (10.5, "stopped"),
    ]


@virtual
async def test_what_is_down_for_good_though_it_should_be_there() -> None:
    significant: Any = {"restart": "transient", "significant": True}
    spec = supervisor(
        "root",
        child(Child, Story(), name="terminated"),
        child(Child, Story(), name="transient", restart="transient"),
        child(Child, Story(), name="done", **significant),
        child(Child, Story(), name="told", **significant),
        child(Fragile, ["", "new"], name="failed", **significant),
        child(Fragile, ["ignored"], name="ignored"),
        supervisor("sub", child(Child, Story(), name="below")),
        child(Child, Story(), name="up", **significant),
        auto_shutdown="all_significant",
    )
    async with open_tree(spec) as tree:

        def missing() -> list[str]:
            return [place.name for place in tree.snapshot().walk() if place.missing]

        assert missing() == []
        root = tree.supervisor("root")
        for name in ("terminated", "told", "sub"):
            await root.terminate_child(name)
        await tree.ref("root/failed", Fragile).cast(Fragile.end)
        for name in ("transient", "done"):
            await tree.ref(f"root/{name}", Child).cast(Child.end)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(Exception, match="no"):
            await root.restart_child("failed")
        down = [
            place.name for place in tree.snapshot().walk() if place.status != "running"
        ]
        assert len(down) == 8
        assert missing() == ["terminated", "told", "failed", "sub"]
        await root.restart_child("terminated")
        await root.restart_child("ignored")
        assert missing() == ["told", "failed", "sub"]
        await root.terminate_child("ignored")
        assert missing() == ["told", "failed", "ignored", "sub"]
        await tree.stop()
        assert missing() == []


@virtual
async def test_a_picture_as_json() -> None:
    x = child(Child, Story(), name="x", mailbox=Mailbox(math.inf))
    async with open_tree(supervisor("root", x, shutdown=1)) as tree:
        await tree[x].cast(Child.boom)
        await tree[x].cast(Child.sleep, 100)
        await trio.sleep(1)
        text = json.dumps(tree.snapshot().as_json(), allow_nan=False)
        assert json.loads(text) == {
            "path": "root",
            "name": "root",
            "kind": "supervisor",
            "status": "running",
            "incarnation": 1,
            "restarts": 0,
            "waiting": 0,
            "capacity": 0,
            "due": None,
            "uptime": 1,
            "peak": 0,
            "handling": None,
            "handling_since": None,
            "suspended": False,
            "strategy": "one_for_one",
            "intensity": 3,
            "period": 5,
            "used": 1,
            "failures": None,
            "failures_allowed": None,
            "missing": False,
            "starting_since": None,
            "last_failure": None,
            "children": [
                {
                    "path": "root/x",
                    "name": "x",
                    "kind": "actor",
                    "status": "running",
                    "incarnation": 2,
                    "restarts": 1,
                    "waiting": 0,
                    "capacity": None,
                    "due": None,
                    "uptime": 1,
                    "peak": 2,
                    "handling": "sleep(100)",
                    "handling_since": 0,
                    "suspended": False,
                    "strategy": None,
                    "intensity": None,
                    "period": None,
                    "used": None,
                    "failures": None,
                    "failures_allowed": None,
                    "missing": False,
                    "starting_since": None,
                    "last_failure": {"at": 0, "incarnation": 1, "error": "Boom"},
                    "children": [],
                }
            ],
        }


@virtual
async def test_a_picture_is_frozen() -> None:
    async with open_tree(supervisor("root", child(Child, Story(), name="x"))) as tree:
        place = tree.snapshot("root/x")
    assert type(place) is PlaceSnapshot
    with pytest.raises(FrozenInstanceError):
        place.status = "stopped"  # type: ignore[misc]
    assert evolve(place, status="stopped") != place
    assert hash(evolve(place)) == hash(place)
    assert repr(place).startswith("PlaceSnapshot(path='root/x', name='x', kind='actor'")


@virtual
async def test_the_picture_of_one_place_alone() -> None:
    pool = dynamic("root")
    async with open_tree(pool) as tree:
        await tree[pool].start_child(child(Child, Story(), name="x"))
        place = tree._running.root
        assert shallow(place) == evolve(tree.snapshot(), children=())
        assert shallow(place.children["x"]) == tree.snapshot("root/x")


def line_of(function: object, text: str) -> str:
    """Give file and line of the one line of *function* that has *text*."""
    lines, first = inspect.getsourcelines(function)  # type: ignore[arg-type]
    (found,) = [number for number, line in enumerate(lines) if text in line]
    return f"{__file__}:{first + found}"


async def nested(label: str) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever, name=f"second of {label}")
        await trio.sleep_forever()  # first


@virtual
async def test_where_each_task_waits() -> None:
    x = child(Child, Story(), name="x")
    s = child(nested, "s", name="s")
    down = child(Child, Story(), name="down", restart="transient")
    async with open_tree(supervisor("root", x, supervisor("sub", s), down)) as tree:
        await tree[down].cast(Child.end)
        await tree[x].cast(Child.do, partial(nested, "x"))
        await trio.testing.wait_all_tasks_blocked()
        stacks = tree.stacks()
        assert list(stacks) == ["root", "root/x", "root/sub", "root/sub/s"]
        for path in ("root/x", "root/sub/s"):
            lines = stacks[path]
            (at,) = [n for n, line in enumerate(lines) if line.endswith(" in nested")]
            assert lines[at] == f"{line_of(nested, '# first')} in nested"
            name = f"second of {path[-1]}:"
            assert name in lines[at:]
            assert lines[-1].endswith(
                " in _real_async_yield"
            )  # trio's own, of the second
        # Not the tasks of its children, which are told of below their own paths.
        assert not any(line.endswith(" in nested") for line in stacks["root/sub"])
        assert tree.stacks("root/sub") == {
            path: stacks[path] for path in ("root/sub", "root/sub/s")
        }
        assert tree.stacks("root/down") == {}
        with pytest.raises(PlaceNotFoundError):
            tree.stacks("root/nobody")
