"""Calls that can never be answered fail at once, and no other calls do (D6, T24)."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import Any, TypeAlias

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from regrow import (
    Actor,
    ActorCrashedError,
    ActorInterruptedError,
    ActorStoppedError,
    Backoff,
    CallCycleError,
    Deferred,
    Mailbox,
    Ref,
    child,
    dynamic,
    raises,
    supervisor,
)

from .trees import Boom, Story, open_tree, play, service, virtual

Action: TypeAlias = Callable[[], Awaitable[object]]


class Node(Actor):
    """Does what a test wants, and answers a refused call instead of crashing."""

    def __init__(self, plan: list[float | Action] | None = None) -> None:
        self.plan = [] if plan is None else plan
        self.kept: list[Deferred[object]] = []

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        async with trio.open_nursery() as self.nursery:
            step = self.plan.pop(0) if self.plan else 0.0
            if isinstance(step, float):
                await trio.sleep(step)
            else:
                await step()
            yield
            self.nursery.cancel_scope.cancel()

    @raises(CallCycleError, ActorStoppedError, ActorCrashedError)
    async def do(self, action: Action) -> object:
        return await action()

    def in_background(self, action: Action) -> Deferred[object]:
        deferred = Deferred[object]()

        async def act() -> None:
            deferred.reply(await action())

        self.nursery.start_soon(act)
        return deferred

    def later(self) -> Deferred[object]:
        self.kept.append(Deferred())
        return self.kept[-1]

    def answer(self, value: object) -> None:
        self.kept.pop().reply(value)

    def ping(self) -> str:
        return "pong"

    async def sleep(self, seconds: float) -> str:
        await trio.sleep(seconds)
        return "slept"

    def boom(self) -> None:
        raise Boom

    def quit(self) -> None:
        self.stop()


def node(name: str, *plan: float | Action, **options: Any) -> Any:
    return child(Node, list(plan), name=name, **options)


def through(*refs: Ref[Node]) -> Action:
    """Let each actor but the last call the next, which is only pinged."""
    ref, *rest = refs
    if not rest:
        return partial(ref.call, Node.ping)
    return partial(ref.call, Node.do, through(*rest))


# ----------------------------------------------------------------------- actors alone


@virtual
async def test_calling_oneself() -> None:
    a = node("a")
    async with open_tree(supervisor("root", a)) as tree:
        with trio.fail_after(1), pytest.raises(CallCycleError) as caught:
            await through(tree[a], tree[a])()
        assert str(caught.value) == (
            "'ping' to 'root/a' can never be answered: 'root/a' -> 'root/a'. "
            "Use cast, return a Deferred, or call from a background task."
        )
        assert caught.value.circle == ("root/a",)
        assert (caught.value.path, caught.value.message) == ("root/a", "ping")
        assert await tree[a].call(Node.ping) == "pong"


@pytest.mark.parametrize("count", [2, 3, 10])
@virtual
async def test_a_circle_of_calls(count: int) -> None:
    nodes = [node(f"n{number}") for number in range(count)]
    async with open_tree(supervisor("root", *nodes)) as tree:
        refs = [tree[each] for each in nodes]
        with trio.fail_after(1), pytest.raises(CallCycleError) as caught:
            await through(*refs, refs[0])()
        last = f"root/n{count - 1}"
        circle = (last, *(f"root/n{number}" for number in range(count - 1)))
        assert caught.value.circle == circle
        for ref in refs:
            assert await ref.call(Node.ping) == "pong"


@virtual
async def test_a_circle_across_two_trees() -> None:
    a, b = node("a"), node("b")
    async with (
        open_tree(supervisor("one", a)) as one,
        open_tree(supervisor("two", b)) as two,
    ):
        with trio.fail_after(1), pytest.raises(CallCycleError) as caught:
            await through(one[a], two[b], one[a])()
        assert caught.value.circle == ("two/b", "one/a")


@virtual
async def test_a_call_into_a_circle_that_others_make_waits_for_its_end() -> None:
    a, b, c = node("a"), node("b"), node("c")
    async with open_tree(supervisor("root", a, b, c)) as tree:
        refs = [tree[each] for each in (c, a, b, a)]
        with trio.fail_after(1), pytest.raises(CallCycleError) as caught:
            await through(*refs)()
        assert caught.value.circle == ("root/b", "root/a")


# ----------------------------------------------------------------------- room


@virtual
async def test_a_cast_to_oneself_that_waits_for_room() -> None:
    a = node("a", mailbox=Mailbox(1))
    async with open_tree(supervisor("root", a)) as tree:
        ref = tree[a]

        async def twice() -> None:
            await ref.cast(Node.ping)
            await ref.cast(Node.ping)

        with trio.fail_after(1), pytest.raises(CallCycleError) as caught:
            await ref.call(Node.do, twice)
        assert str(caught.value) == (
            "'ping' to 'root/a' can never be answered (the mailbox is full and it waits "
            "for room): 'root/a' -> 'root/a'. "
            "Use cast, return a Deferred, or call from a background task."
        )
        assert await ref.call(Node.ping) == "pong"
        assert tree.snapshot().find("root/a").waiting == 0


@virtual
async def test_two_that_wait_for_room_at_each_other() -> None:
    a, b = node("a", mailbox=Mailbox(1)), node("b", mailbox=Mailbox(1))
    async with open_tree(supervisor("root", a, b)) as tree:
        got: list[str] = []

        async def flood(name: str, to: Ref[Node]) -> None:
            try:
                for _ in range(5):
                    await trio.sleep(1)
                    await to.cast(Node.ping)
                got.append(f"{name} done")
            except CallCycleError as error:
                got.append(f"{name}: {' '.join(error.circle)}")

        with trio.fail_after(99):
            async with trio.open_nursery() as nursery:
                for spec, other in ((a, b), (b, a)):
                    action = partial(flood, spec.name, tree[other])
                    nursery.start_soon(tree[spec].call, Node.do, action)
        # One gives way, and the other gets its room.
        assert len(got) == 2
        assert min(got) in {"a done", "a: root/a root/b"}
        assert max(got) in {"b done", "b: root/b root/a"}
        assert sum("done" in each for each in got) == 1


@virtual
async def test_a_call_that_waits_for_room_closes_a_circle_too() -> None:
    a, b = node("a"), node("b", mailbox=Mailbox(0))
    async with open_tree(supervisor("root", a, b)) as tree:
        await wait_all_tasks_blocked()
        with trio.fail_after(1), pytest.raises(CallCycleError):
            await through(tree[a], tree[b], tree[a])()
        await wait_all_tasks_blocked()
        assert await tree[b].call(Node.ping) == "pong"


@virtual
async def test_room_that_comes_takes_the_edge_away() -> None:
    a, b = node("a"), node("b", mailbox=Mailbox(1))
    async with open_tree(supervisor("root", a, b)) as tree:
        await tree[b].cast(Node.sleep, 5)
        await wait_all_tasks_blocked()
        await tree[b].cast(Node.do, through(tree[a]))  # b will call a

        async def cast() -> str:
            await tree[b].cast(Node.ping)
            return f"{trio.current_time():g}"

        assert await tree[a].call(Node.do, cast) == "5"
        assert await tree[b].call(Node.ping) == "pong"
        assert tree.snapshot().find("root/b").incarnation == 1


# ------------------------------------------------------------ supervisors in the circle


@virtual
async def test_terminating_or_stopping_oneself() -> None:
    a = node("a")
    async with open_tree(supervisor("root", a)) as tree:
        root = tree.supervisor("root")
        with trio.fail_after(1), pytest.raises(CallCycleError) as caught:
            await tree[a].call(Node.do, partial(root.terminate_child, "a"))
        assert str(caught.value) == (
            "the request to 'root' can never be answered: 'root/a' -> 'root' -> 'root/a'. "
            "Use cast, return a Deferred, or call from a background task."
        )
        await tree[a].wait_stopped()  # what was asked is done all the same
        await root.restart_child("a")
        with trio.fail_after(1), pytest.raises(CallCycleError):
            await tree[a].call(Node.do, tree.stop)
        await tree.wait_stopped()


@virtual
async def test_what_an_actor_may_ask_of_its_own_supervisor() -> None:
    a = node("a")
    async with open_tree(supervisor("root", a, node("b"))) as tree:
        root = tree.supervisor("root")
        ask = partial(tree[a].call, Node.do)
        with trio.fail_after(1):
            assert [each.name for each in await ask(root.which_children)] == ["a", "b"]
            await ask(root.count_children)
            await ask(partial(root.get_child_spec, "a"))
            await ask(partial(root.terminate_child, "b"))
            await ask(partial(root.restart_child, "b"))
            await ask(partial(root.start_child, node("c")))
            await ask(partial(root.terminate_child, "b"))
            await ask(partial(root.delete_child, "b"))
        names = [each.name for each in await root.which_children()]
        assert names == ["a", "c"]


@virtual
async def test_terminating_an_ancestor_of_oneself() -> None:
    a = node("a")
    inner = supervisor("inner", a)
    async with open_tree(supervisor("root", supervisor("middle", inner))) as tree:
        terminate = partial(tree.supervisor("root").terminate_child, "middle")
        with trio.fail_after(1), pytest.raises(CallCycleError) as caught:
            await tree[a].call(Node.do, terminate)
        assert caught.value.circle == (
            "root/middle/inner/a",
            "root",
            "root/middle",
            "root/middle/inner",
        )
        await tree.supervisor("root/middle").wait_stopped()


@virtual
async def test_a_start_that_asks_its_own_supervisor() -> None:
    async with open_tree(supervisor("root")) as tree:
        root = tree.supervisor("root")
        got: list[tuple[str, ...]] = []

        async def ask() -> None:
            with pytest.raises(CallCycleError) as caught:
                await root.count_children()
            got.append(caught.value.circle)

        with trio.fail_after(1):
            await root.start_child(node("a", ask))
        assert got == [("root/a", "root")]


@virtual
async def test_a_start_that_calls_one_that_is_started_after_it() -> None:
    got: list[tuple[str, ...]] = []
    later = node("later")
    hold: list[Ref[Node]] = []

    async def ask() -> None:
        with pytest.raises(CallCycleError) as caught:
            await hold[0].call(Node.ping)
        got.append(caught.value.circle)

    class First(Node):
        def __init__(self, other: Ref[Node]) -> None:
            super().__init__([ask])
            hold.append(other)

    inner = supervisor("inner", later)
    spec = supervisor("root", child(First, later.ref, name="first"), inner)
    with trio.fail_after(1):
        async with open_tree(spec) as tree:
            assert got == [("root/first", "root/inner/later", "root/inner", "root")]
            assert await tree[later].call(Node.ping) == "pong"


@virtual
async def test_a_start_that_calls_one_started_before_it_is_answered() -> None:
    first = node("first")
    pings: list[object] = []

    class Second(Actor):
        def __init__(self, other: Ref[Node]) -> None:
            self.other = other

        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            pings.append(await self.other.call(Node.ping))
            yield
            pings.append(await self.other.call(Node.ping))

    spec = supervisor("root", first, child(Second, first.ref))
    async with open_tree(spec):
        pass
    assert pings == ["pong", "pong"]


@virtual
async def test_a_cleanup_that_calls_a_sibling_that_is_down_already() -> None:
    """In a group restart: the sibling is open, and waits for the one that cleans up."""
    got: list[tuple[str, ...]] = []

    class First(Actor):
        def __init__(self, other: Ref[Node]) -> None:
            self.other = other

        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            yield
            try:
                await self.other.call(Node.ping)
            except CallCycleError as error:
                got.append(error.circle)
            except ActorStoppedError:
                got.append(("stopped",))

    last, bomb = node("last"), node("bomb")
    first = child(First, last.ref, name="first")
    spec = supervisor("root", first, last, bomb, strategy="one_for_all")
    with trio.fail_after(1):
        async with open_tree(spec) as tree:
            await tree[bomb].cast(Node.boom)
            await wait_all_tasks_blocked()
            assert await tree[last].call(Node.ping) == "pong"
    assert got == [("root/first", "root/last", "root"), ("stopped",)]


@virtual
async def test_the_circle_is_closed_by_the_supervisors_part_of_it() -> None:
    """a waits for b; then the restart of b cannot begin before a has been stopped."""
    a, b, bomb = node("a"), node("b"), node("bomb")
    spec = supervisor("root", a, b, bomb, strategy="one_for_all")
    async with open_tree(spec) as tree:
        got: list[str] = []

        async def ask() -> None:
            try:
                await tree[a].call(Node.do, partial(tree[b].call, Node.ping))
            except CallCycleError as error:
                got.append(f"{trio.current_time():g} {' '.join(error.circle)}")

        async with trio.open_nursery() as nursery:
            await tree[b].cast(Node.sleep, 2)
            await wait_all_tasks_blocked()
            nursery.start_soon(ask)
            await trio.sleep(1)
            await tree[bomb].cast(Node.boom)
        # At 2 b is down; it is a's turn to be stopped, and a waits for b.
        assert got == ["2 root/a root/b root"]
        assert await tree[b].call(Node.ping) == "pong"


@virtual
async def test_the_crash_of_the_one_waited_for_may_close_the_circle() -> None:
    """The supervisor waits for a's start, and a for one that has just crashed."""
    b = node("b")
    async with open_tree(supervisor("root", b)) as tree:
        got: list[str] = []

        async def ask() -> None:
            try:
                await tree[b].call(Node.ping)
            except CallCycleError as error:
                got.append(f"{trio.current_time():g} {' '.join(error.circle)}")

        await tree[b].cast(Node.sleep, 2)
        await tree[b].cast(Node.boom)
        with trio.fail_after(3):
            await tree.supervisor("root").start_child(node("a", ask))
        assert got == ["2 root/a root/b root"]
        assert await tree[b].call(Node.ping) == "pong"


@virtual
async def test_a_restart_of_the_one_that_is_waited_for_is_no_circle() -> None:
    a, b = node("a"), node("b", 0.0, 3.0)
    async with open_tree(supervisor("root", a, b)) as tree:
        await tree[b].cast(Node.boom)
        await wait_all_tasks_blocked()
        with trio.fail_after(9):
            assert await through(tree[a], tree[b])() == "pong"
        assert trio.current_time() == 3


@virtual
async def test_one_that_backs_off_is_waited_for() -> None:
    a, b = node("a"), node("b", backoff=Backoff(7, jitter=0))
    async with open_tree(supervisor("root", a, b)) as tree:
        await tree[b].cast(Node.boom)
        await wait_all_tasks_blocked()
        assert await through(tree[a], tree[b])() == "pong"
        assert trio.current_time() == 7


@virtual
async def test_dynamic_children_that_are_stopped_in_parallel_may_call_each_other() -> (
    None
):
    pool = dynamic("pool")
    got: list[str] = []

    class Cleaner(Actor):
        def __init__(self, name: str, other: str) -> None:
            self.name = name
            self.other = other

        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            yield
            await trio.sleep(1)
            try:
                await refs[self.other].call(Cleaner.ping)
            except (CallCycleError, ActorStoppedError) as error:
                got.append(
                    f"{trio.current_time():g} {self.name} {type(error).__name__}"
                )

        def ping(self) -> None: ...

    refs: dict[str, Ref[Cleaner]] = {}
    async with open_tree(supervisor("root", pool)) as tree:
        for name, other in (("a", "b"), ("b", "c"), ("c", "a")):
            spec = child(Cleaner, name, other, name=name)
            refs[name] = await tree[pool].start_child(spec)
    # All were told at once, so all are closed when they ask.
    assert sorted(got) == [f"1 {name} ActorStoppedError" for name in "abc"]


@virtual
async def test_a_dynamic_child_that_waits_for_one_which_is_stopped_with_it() -> None:
    """a's handler waits for b; both are told to stop at once, and b is closed."""
    pool = dynamic("pool")
    async with open_tree(supervisor("root", pool)) as tree:
        a, b = [await tree[pool].start_child(node(name)) for name in "ab"]
        got: list[str] = []

        async def ask() -> None:
            try:
                await through(a, b)()
            except ActorStoppedError as error:
                got.append(f"{trio.current_time():g} {error.path}")

        async with trio.open_nursery() as nursery:
            await b.cast(Node.sleep, 3)
            await wait_all_tasks_blocked()
            nursery.start_soon(ask)
            await trio.sleep(1)
            await tree.supervisor("root").terminate_child("pool")
        assert got == ["1 root/pool/b"]
        assert trio.current_time() == 3


@virtual
async def test_a_request_to_a_supervisor_that_is_busy_with_the_one_who_asks() -> None:
    """It is stopping a, whose handler asks it for something."""
    a = node("a")
    async with open_tree(supervisor("root", a)) as tree:
        root = tree.supervisor("root")
        got: list[str] = []

        async def ask() -> None:
            await trio.sleep(2)
            try:
                await root.count_children()
            except CallCycleError as error:
                got.append(f"{trio.current_time():g} {' '.join(error.circle)}")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(tree[a].call, Node.do, ask)
            await trio.sleep(1)
            nursery.start_soon(root.terminate_child, "a")
        assert got == ["2 root/a root"]


@virtual
async def test_an_outer_tree_waits_for_nothing_in_a_tree_inside_a_child() -> None:
    """A tree inside a child has its own places; the child's task makes the edge."""
    a = node("a")
    got: list[object] = []

    async def embeds(other: Ref[Node], *, task_status: trio.TaskStatus[object]) -> None:
        b = node("b")
        async with open_tree(supervisor("below", b)) as tree:
            got.append(await tree[b].call(Node.do, partial(other.call, Node.ping)))
            task_status.started()
            await trio.sleep_forever()

    async with open_tree(supervisor("root", a, child(embeds, a.ref))):
        assert got == ["pong"]


# ------------------------------------------------------------------------ no false alarm


@virtual
async def test_a_background_task_makes_no_edge() -> None:
    a, b = node("a"), node("b")
    async with open_tree(supervisor("root", a, b)) as tree:
        with trio.fail_after(1):
            action = partial(tree[a].call, Node.in_background, through(tree[a]))
            assert await action() == "pong"
            action = partial(
                tree[a].call, Node.in_background, through(tree[b], tree[a])
            )
            assert await action() == "pong"


@virtual
async def test_a_service_makes_no_edge() -> None:
    a = node("a")
    got: list[object] = []

    async def plain(ref: Ref[Node], *, task_status: trio.TaskStatus[object]) -> None:
        task_status.started()
        got.append(await ref.call(Node.do, ask_service))
        await trio.sleep_forever()

    async def ask_service() -> object:
        # The service waits for a, and a for the supervisor, which has the service.
        return (await tree.supervisor("root").count_children()).specs

    async with open_tree(supervisor("root", a, child(plain, a.ref))) as tree:
        await wait_all_tasks_blocked()
    assert got == [2]


@virtual
async def test_the_body_makes_no_edge() -> None:
    a = node("a")
    async with open_tree(supervisor("root", a)) as tree:
        assert await through(tree[a])() == "pong"
        assert await tree[a].call(Node.do, tree.supervisor("root").count_children)


@virtual
async def test_a_deferred_answer_makes_no_edge_but_the_one_who_waits_for_it_does() -> (
    None
):
    a, b = node("a"), node("b")
    async with open_tree(supervisor("root", a, b)) as tree:
        ra, rb = tree[a], tree[b]
        got: list[object] = []

        async def ask() -> None:
            got.append(await ra.call(Node.do, partial(rb.call, Node.later)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            # a waits for an answer that b has put off: b may call a's neighbours, and a
            # itself is busy, but not for ever.
            nursery.start_soon(rb.call, Node.do, partial(ra.call, Node.ping))
            await wait_all_tasks_blocked()
            nursery.start_soon(rb.cast, Node.answer, "from b")
            with trio.move_on_after(5) as scope:
                await trio.sleep_forever()
            assert scope.cancelled_caught
            assert got == []
            # b waits for a with its own task; its answer must come from elsewhere.
            life: Any = rb._to.actor_life if rb._to else None
            life.actor.kept[0].reply("from the body")
        assert got == ["from the body"]


@virtual
async def test_an_answer_that_is_given_but_not_yet_received_makes_no_edge() -> None:
    """b answers a and calls it in the same turn: a has not resumed, but will."""
    a, b = node("a"), node("b")
    async with open_tree(supervisor("root", a, b)) as tree:
        ra, rb = tree[a], tree[b]
        got: list[object] = []

        async def call_back() -> object:
            got.append(await ra.call(Node.ping))
            return None

        async with trio.open_nursery() as nursery:
            await rb.cast(Node.sleep, 1)
            nursery.start_soon(ra.call, Node.do, partial(rb.call, Node.ping))
            await wait_all_tasks_blocked()
            # The next message of b's is begun in the same turn as the answer to a.
            await rb.cast(Node.do, call_back)
        await wait_all_tasks_blocked()
        assert got == ["pong"]


@virtual
async def test_a_call_given_up_makes_no_edge() -> None:
    a, b = node("a"), node("b")
    async with open_tree(supervisor("root", a, b)) as tree:

        async def impatient() -> str:
            with trio.move_on_after(1):
                await tree[b].call(Node.sleep, 5)
            return "gave up"

        assert await tree[a].call(Node.do, impatient) == "gave up"
        with trio.fail_after(9):
            assert await through(tree[b], tree[a])() == "pong"


@virtual
async def test_many_callers_of_one_actor_are_no_circle() -> None:
    hub = node("hub")
    spokes = [node(f"s{number}") for number in range(20)]
    async with open_tree(supervisor("root", hub, *spokes)) as tree:
        async with trio.open_nursery() as nursery:
            for spoke in spokes:
                nursery.start_soon(through(tree[spoke], tree[hub]))
        assert tree.snapshot().find("root/hub").incarnation == 1


# ------------------------------------------------------------------- breaking the circle


@virtual
async def test_a_refused_call_is_not_handled_later() -> None:
    a, b, bomb = node("a"), node("b"), node("bomb")
    spec = supervisor("root", a, b, bomb, strategy="one_for_all")
    async with open_tree(spec) as tree:
        seen: list[str] = []

        async def note() -> None:
            seen.append("handled")

        async def ask() -> None:
            with pytest.raises(CallCycleError):
                await tree[a].call(Node.do, partial(tree[b].call, Node.do, note))

        async with trio.open_nursery() as nursery:
            await tree[b].cast(Node.sleep, 2)
            await wait_all_tasks_blocked()
            nursery.start_soon(ask)
            await trio.sleep(1)
            await tree[bomb].cast(Node.boom)
        assert trio.current_time() == 2
        assert await tree[b].call(Node.ping) == "pong"
        assert seen == []
        assert tree.snapshot().find("root/b").incarnation == 2


@virtual
async def test_every_circle_that_one_edge_closes_is_broken() -> None:
    """x and y wait for z; z crashes, and their supervisor waits until both are stopped."""
    z, pool = node("z"), dynamic("pool")
    bomb = node("bomb")
    spec = supervisor("root", z, pool, bomb, strategy="one_for_all")
    async with open_tree(spec) as tree:
        refs = [
            await tree[pool].start_child(node(name, shutdown=1e6)) for name in "wxy"
        ]
        got: list[str] = []

        async def ask(ref: Ref[Node]) -> None:
            try:
                await ref.call(Node.do, partial(tree[z].call, Node.sleep, 9))
            except CallCycleError as error:
                got.append(f"{trio.current_time():g} {' '.join(error.circle)}")

        await tree[z].cast(Node.sleep, 2)
        await tree[z].cast(Node.boom)
        async with trio.open_nursery() as nursery:
            for ref in refs:
                nursery.start_soon(ask, ref)
            await trio.sleep(1)
            await tree[bomb].cast(Node.boom)
        # At 1 the pool is told to stop with all its children, at 2 z crashes.
        assert sorted(got) == [
            f"2 root/pool/{name} root/z root root/pool" for name in "wxy"
        ]
        assert await tree[z].call(Node.ping) == "pong"


@virtual
async def test_a_circle_is_found_though_a_service_waits_too() -> None:
    story = Story()
    a, b = node("a"), node("b")
    plain = child(service, story, "plain")
    async with open_tree(supervisor("root", plain, a, b)) as tree:
        with pytest.raises(CallCycleError):
            await through(tree[a], tree[b], tree[a])()


@virtual
async def test_an_unexpected_cycle_error_crashes_the_one_who_asked() -> None:
    class Naive(Actor):
        async def ask_myself(self) -> object:
            return await self.ref.call(Naive.ask_myself)

    naive = child(Naive)
    async with open_tree(supervisor("root", naive)) as tree:
        with trio.fail_after(1), pytest.raises(ActorCrashedError) as caught:
            await tree[naive].call(Naive.ask_myself)
        assert isinstance(caught.value.__cause__, CallCycleError)


@virtual
async def test_interrupted_actors_leave_no_edges_behind() -> None:
    a, b = node("a", shutdown=0), node("b")
    async with open_tree(supervisor("root", a, b)) as tree:
        root = tree.supervisor("root")

        async def ask() -> None:
            with pytest.raises(ActorInterruptedError):
                await tree[a].call(Node.do, partial(tree[b].call, Node.sleep, 5))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            await root.terminate_child("a")
            await root.restart_child("a")
        # b had been waited for by a's first life only.
        with trio.fail_after(9):
            assert await through(tree[b], tree[a])() == "pong"
        place = tree[a]._to
        assert place is not None
        assert place.host.lives.waiting == 0


# ------------------------------------------------------------------------------ at random


class Caller(Actor):
    """Calls others as its random source says, and keeps a list of who waits for whom."""

    def __init__(
        self, random: Random, waiting: dict[str, str], seen: list[str]
    ) -> None:
        self.random = random
        self.waiting = waiting
        self.seen = seen
        self.others: list[Ref[Caller]] = []

    def know(self, others: list[Ref[Caller]]) -> None:
        self.others = others

    async def work(self, depth: int) -> str:
        me = self.ref.path
        for _ in range(self.random.randrange(3)):
            await trio.sleep(self.random.choice([0, 0, 1]))
            whom = self.random.choice(self.others)
            if depth == 0:
                continue
            self.waiting[me] = whom.path
            try:
                await whom.call(Caller.work, depth - 1)
                self.seen.append("answer")
            except CallCycleError as error:
                # Each waits for the next, and the last for this one.
                circle = list(error.circle)
                assert circle[0] == me
                pairs = itertools.pairwise([*circle, me])
                assert all(self.waiting.get(one) == other for one, other in pairs)
                self.seen.append(f"circle of {len(circle)}")
            finally:
                del self.waiting[me]
        return me


def random_calls(seed: int) -> list[str]:
    """Let five actors call each other; give what became of the calls."""
    random, seen = Random(seed), list[str]()
    waiting: dict[str, str] = {}
    callers = [child(Caller, random, waiting, seen, name=name) for name in "abcde"]

    async def main() -> None:
        async with open_tree(supervisor("root", *callers, intensity=0)) as tree:
            refs = [tree[each] for each in callers]
            for ref in refs:
                await ref.call(Caller.know, refs)
            async with trio.open_nursery() as nursery:
                for ref in refs * 4:
                    nursery.start_soon(ref.call, Caller.work, 5)

    play(main)
    assert waiting == {}
    return seen


def test_random_calls_all_end_and_each_circle_is_one() -> None:
    seen = [what for seed in range(100) for what in random_calls(seed)]
    counts = Counter(seen)
    assert counts["answer"] > 100
    assert all(counts[f"circle of {size}"] for size in (1, 2, 3)), counts
