"""A tree inside a child of another: stopped with it, and cut off with it (promise 1)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing

import regrow
from regrow import (
    Actor,
    ActorCrashedError,
    ActorStoppedError,
    ChildExited,
    RestartLimitExceededError,
    Supervisor,
    Tree,
    child,
    serve_tree,
    supervisor,
)

from .trees import Boom, Child, Story, open_tree, virtual


def inner(story: Story, *, cleanup: float = 0.0, setup: float = 0.0) -> Supervisor:
    x = child(
        partial(Child, cleanup=cleanup, setup=setup), story, name="x", shutdown=60
    )
    return supervisor("inner", x)


async def holding(story: Story, cleanup: float) -> None:
    """A service around a tree."""
    async with open_tree(inner(story, cleanup=cleanup), observers=[story]):
        await trio.sleep_forever()


class Holder(Actor):
    """An actor with a tree in its lifespan."""

    def __init__(self, story: Story, cleanup: float) -> None:
        self.story = story
        self.cleanup = cleanup

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        async with open_tree(
            inner(self.story, cleanup=self.cleanup), observers=[self.story]
        ) as self.tree:
            yield

    async def ask(self) -> str:
        return await self.tree.ref("inner/x", Child).call(Child.ping)

    def boom(self) -> None:
        raise Boom


class Handling(Actor):
    """An actor with a tree in a handler."""

    def __init__(self, story: Story, cleanup: float) -> None:
        self.story = story
        self.cleanup = cleanup

    async def hold(self) -> None:
        await holding(self.story, self.cleanup)

    async def hold_for(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            await self.hold()


# --------------------------------------------------------------------- stopped in time


@virtual
async def test_a_tree_in_a_service_stops_in_order_within_its_seconds() -> None:
    story = Story()
    spec = supervisor("outer", child(holding, story, 3), child(Actor, name="last"))
    async with open_tree(spec, observers=[story]):
        await trio.testing.wait_all_tasks_blocked()
        story.forget()
    assert story.timed == [
        "0 outer/last 1 shutdown when told",
        "0 inner/x cleans up",
        "3 inner/x is clean",
        "3 inner/x 1 shutdown when told",
        "3 inner 1 shutdown when told",
        "3 outer/holding 1 shutdown when told",
        "3 outer 1 shutdown when told",
    ]


@virtual
async def test_a_tree_in_a_lifespan_is_up_before_its_actor_and_down_after_it() -> None:
    story = Story()
    holder = child(Holder, story, 3)
    async with open_tree(supervisor("outer", holder), observers=[story]) as tree:
        assert await tree[holder].call(Holder.ask) == "pong"
    assert story.timed == [
        "0 inner/x sets up",
        "0 inner/x 1 up",
        "0 inner 1 up",
        "0 outer/holder 1 up",
        "0 outer 1 up",
        "0 inner/x cleans up",
        "3 inner/x is clean",
        "3 inner/x 1 shutdown when told",
        "3 inner 1 shutdown when told",
        "3 outer/holder 1 shutdown when told",
        "3 outer 1 shutdown when told",
    ]


@virtual
async def test_a_tree_in_a_handler_goes_on_until_the_handler_ends() -> None:
    story = Story()
    handling = child(Handling, story, 1)
    async with open_tree(supervisor("outer", handling), observers=[story]) as tree:
        await tree[handling].cast(Handling.hold_for, 3)
        await trio.sleep(1)
        story.forget()
    assert story.timed == [
        "3 inner/x cleans up",
        "4 inner/x is clean",
        "4 inner/x 1 shutdown when told",
        "4 inner 1 shutdown when told",
        "4 outer/handling 1 shutdown when told",
        "4 outer 1 shutdown when told",
    ]


# ------------------------------------------------------------------------------- killed


@virtual
async def test_an_outer_kill_reaches_a_tree_in_a_service() -> None:
    story = Story()
    spec = supervisor("outer", child(holding, story, 30, shutdown=2))
    async with open_tree(spec, observers=[story]):
        await trio.testing.wait_all_tasks_blocked()
        story.forget()
    assert story.timed == [
        "0 inner/x cleans up",
        "2 inner/x 1 killed when told, unexpected",
        "2 inner 1 killed when told, unexpected",
        "2 outer/holding 1 killed when told, unexpected",
        "2 outer 1 shutdown when told",
    ]


@virtual
async def test_an_outer_kill_reaches_a_tree_in_a_lifespan() -> None:
    story = Story()
    holder = child(Holder, story, 30, shutdown=2)
    async with open_tree(supervisor("outer", holder), observers=[story]):
        story.forget()
    assert story.timed == [
        "0 inner/x cleans up",
        "2 inner/x 1 killed when told, unexpected",
        "2 inner 1 killed when told, unexpected",
        "2 outer/holder 1 killed when told, unexpected",
        "2 outer 1 shutdown when told",
    ]


@virtual
async def test_an_outer_kill_reaches_a_tree_in_a_handler() -> None:
    story = Story()
    handling = child(Handling, story, 30, shutdown=2)
    async with open_tree(supervisor("outer", handling), observers=[story]) as tree:
        await tree[handling].cast(Handling.hold)
        await trio.testing.wait_all_tasks_blocked()
        story.forget()
    assert sorted(story.timed) == [
        "2 inner 1 killed when told, unexpected",
        "2 inner/x 1 killed when told, unexpected",
        "2 inner/x cleans up",
        "2 outer 1 shutdown when told",
        "2 outer/handling 1 dead letter hold: was in hand when the actor was cut off",
        "2 outer/handling 1 killed when told, unexpected",
    ]


@virtual
async def test_a_kill_of_the_outer_tree_reaches_a_tree_that_starts() -> None:
    story = Story()

    async def starting() -> None:
        async with open_tree(inner(story, setup=30), observers=[story]):
            raise AssertionError

    async with open_tree(
        supervisor("outer", child(starting)), observers=[story]
    ) as tree:
        await trio.sleep(1)
        story.forget()
        tree.kill()
        await tree.wait_stopped()
    assert story.timed == [
        "1 inner/x 1 not started: StartCancelledError",
        "1 inner 1 not started: StartCancelledError",
        "1 outer/starting 1 killed when told, unexpected",
        "1 outer 1 killed when told, unexpected",
    ]


@virtual
async def test_a_kill_reaches_through_three_trees_and_tasks_between() -> None:
    story = Story()

    async def deeper(depth: int) -> None:
        async with trio.open_nursery() as nursery:
            if depth:
                nursery.start_soon(deepest, depth)
            else:
                nursery.start_soon(holding, story, 30)

    async def deepest(depth: int) -> None:
        spec = supervisor(f"tree{depth}", child(deeper, depth - 1, shutdown=60))
        async with open_tree(spec):
            await trio.sleep_forever()

    spec = supervisor("outer", child(deeper, 2, shutdown=2))
    async with open_tree(spec, observers=[story]):
        await trio.testing.wait_all_tasks_blocked()
        story.forget()
    assert story.timed == [
        "0 inner/x cleans up",
        "2 inner/x 1 killed when told, unexpected",
        "2 inner 1 killed when told, unexpected",
        "2 outer/deeper 1 killed when told, unexpected",
        "2 outer 1 shutdown when told",
    ]


@virtual
async def test_a_tree_that_is_opened_after_the_time_is_up_is_cut_at_once() -> None:
    story = Story()

    async def stubborn() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(3)
                async with open_tree(inner(story, setup=30), observers=[story]):
                    raise AssertionError

    spec = supervisor("outer", child(stubborn, shutdown=1))
    async with open_tree(spec):
        await trio.testing.wait_all_tasks_blocked()
    assert story.timed == ["3 inner 1 not started: StartCancelledError"]


# ----------------------------------------------------------------- crashes and escalation


@virtual
async def test_a_crash_of_the_holder_stops_its_tree_in_order() -> None:
    story = Story()
    holder = child(Holder, story, 2)
    async with open_tree(supervisor("outer", holder), observers=[story]) as tree:
        story.forget()
        with pytest.raises(ActorCrashedError):
            await tree[holder].call(Holder.boom)
        assert await tree[holder].call(Holder.ask) == "pong"
    assert story.timed[:9] == [
        "0 inner/x cleans up",
        "2 inner/x is clean",
        "2 inner/x 1 shutdown when told",
        "2 inner 1 shutdown when told",
        "2 outer/holder 1 crashed: Boom",
        "2 outer/holder 1 restarting",
        "2 inner/x sets up",
        "2 inner/x 1 up",
        "2 inner 1 up",
    ]


@virtual
async def test_a_tree_that_gives_up_crashes_the_child_around_it() -> None:
    story = Story()

    class Failing(Actor):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            x = child(Child, Story(), name="x")
            spec = supervisor("inner", x, intensity=0)
            async with open_tree(spec) as self.tree:
                yield

        def poke(self) -> None:
            self.tree.ref("inner/x", Child).cast_nowait(Child.boom)

    failing = child(Failing, restart="temporary")
    async with open_tree(supervisor("outer", failing), observers=[story]) as tree:
        await tree[failing].cast(Failing.poke)
        await tree[failing].wait_stopped()
    (end,) = [event for event in story.of(ChildExited) if event.path != "outer"]
    assert isinstance(end.error, RestartLimitExceededError)
    assert end.error.path == "inner"


@virtual
async def test_a_call_error_of_the_other_tree_is_a_failure_of_its_own() -> None:
    """What the inner tree refuses is no consequence of the outer one's failure."""
    seen: list[str] = []

    async def crashing() -> None:
        await trio.sleep(1)
        raise Boom

    with pytest.raises(BaseExceptionGroup) as both:
        async with (
            open_tree(supervisor("outer", child(crashing), intensity=0)),
            open_tree(inner(Story())) as other,
        ):
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await other.stop()
                    await other.ref("inner/x", Child).call(Child.ping)
    seen.extend(type(error).__name__ for error in both.value.exceptions)
    assert seen == ["ActorStoppedError", "RestartLimitExceededError"]


@virtual
async def test_an_inner_actor_may_call_an_outer_one() -> None:
    outer_actor = child(Child, Story(), name="a")
    story = Story()

    async def between() -> None:
        async with open_tree(inner(story)) as small:

            async def ask() -> str:
                return await tree[outer_actor].call(Child.ping)

            story.note(await small.ref("inner/x", Child).call(Child.do, ask))

    spec = supervisor("outer", outer_actor, child(between, restart="temporary"))
    async with open_tree(spec) as tree:
        await tree.supervisor("outer").count_children()
        await trio.testing.wait_all_tasks_blocked()
    assert "pong" in story.lines


# --------------------------------------------------------------------------- serve_tree


@virtual
async def test_a_served_tree_belongs_to_whoever_owns_its_nursery() -> None:
    """Started by one child in the nursery of another, or of the program."""
    story = Story()
    trees: list[Tree] = []

    async def starting(nursery: trio.Nursery) -> None:
        serve = partial(serve_tree, observers=[story])
        trees.append(await nursery.start(serve, inner(story, cleanup=1)))
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        spec = supervisor("outer", child(starting, nursery, shutdown=0))
        async with regrow.open_tree(spec) as tree:  # not checked: tasks leave it
            await trio.testing.wait_all_tasks_blocked()
            story.forget()
            tree.kill()
            await tree.wait_stopped()
            await trio.sleep(1)
        assert story.lines == []  # it is not the killed child's tree
        assert await trees[0].ref("inner/x", Child).call(Child.ping) == "pong"
        nursery.cancel_scope.cancel()
    assert story.timed == [
        "1 inner/x cleans up",
        "2 inner/x is clean",
        "2 inner/x 1 shutdown when told",
        "2 inner 1 shutdown when told",
    ]


@virtual
async def test_a_served_tree_in_a_childs_nursery_is_cut_off_with_it() -> None:
    story = Story()

    async def serving() -> None:
        async with trio.open_nursery() as nursery:
            serve = partial(serve_tree, observers=[story])
            small = await nursery.start(serve, inner(story, cleanup=30))
            assert isinstance(small, Tree)
            await trio.sleep_forever()

    spec = supervisor("outer", child(serving, shutdown=2))
    async with open_tree(spec, observers=[story]):
        await trio.testing.wait_all_tasks_blocked()
        story.forget()
    assert story.timed == [
        "0 inner/x cleans up",
        "2 inner/x 1 killed when told, unexpected",
        "2 inner 1 killed when told, unexpected",
        "2 outer/serving 1 killed when told, unexpected",
        "2 outer 1 shutdown when told",
    ]


@virtual
async def test_refs_of_a_tree_that_is_gone_are_refused_in_the_outer_one() -> None:
    async with open_tree(supervisor("outer")):
        async with open_tree(inner(Story())) as small:
            ref = small.ref("inner/x", Child)
        with pytest.raises(ActorStoppedError):
            await ref.call(Child.ping)
