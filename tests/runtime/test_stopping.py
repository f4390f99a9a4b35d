"""Stopping: in order, within the seconds that each has, then cut off (promise 1, D8)."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing

from regrow import (
    Actor,
    ActorCrashedError,
    ActorInterruptedError,
    ActorStoppedError,
    ExitReason,
    NotInTreeError,
    child,
    dynamic,
    grace,
    supervisor,
)

from .trees import Boom, Child, Story, open_tree, service, virtual

# ------------------------------------------------------------ the scope around is cancelled


@virtual
async def test_cancelled_from_around_the_block_ends_first_and_may_still_call() -> None:
    story = Story()
    a = child(partial(Child, cleanup=1), story, name="a")
    b = child(partial(Child, cleanup=1), story, name="b")
    with trio.move_on_after(1) as scope:
        async with open_tree(supervisor("root", a, b), observers=[story]) as tree:
            story.forget()
            try:
                await trio.sleep_forever()
            finally:
                story.note("block is cancelled")
                with trio.CancelScope(shield=True):
                    assert await tree[a].call(Child.sleep, 2) == "slept"
                    assert await tree[b].call(Child.ping) == "pong"
                story.note("block ends")
    assert scope.cancelled_caught
    assert story.timed == [
        "1 block is cancelled",
        "3 block ends",
        "3 root/b cleans up",
        "4 root/b is clean",
        "4 root/b 1 shutdown when told",
        "4 root/a cleans up",
        "5 root/a is clean",
        "5 root/a 1 shutdown when told",
        "5 root 1 shutdown when told",
    ]


@virtual
async def test_the_whole_stop_is_bounded_by_its_shutdown_and_then_cut() -> None:
    story = Story()
    spec = supervisor(
        "root",
        child(partial(Child, cleanup=9), story, name="a", shutdown=100),
        supervisor(
            "sub", child(partial(Child, cleanup=9), story, name="b", shutdown=100)
        ),
        child(partial(Child, cleanup=2), story, name="c", shutdown=100),
    )
    with trio.move_on_after(1):
        async with open_tree(spec, observers=[story], shutdown=5):
            story.forget()
            await trio.sleep_forever()
    assert story.timed[:4] == [
        "1 root/c cleans up",
        "3 root/c is clean",
        "3 root/c 1 shutdown when told",
        "3 root/sub/b cleans up",
    ]
    assert sorted(story.timed[4:]) == [
        "6 root 1 killed when told, unexpected",
        "6 root/a 1 killed when told, unexpected",
        "6 root/a cleans up",
        "6 root/sub 1 killed when told, unexpected",
        "6 root/sub/b 1 killed when told, unexpected",
    ]


@virtual
async def test_a_shutdown_of_0_for_the_tree_cuts_it_at_once() -> None:
    story = Story()
    spec = supervisor("root", child(partial(Child, cleanup=9), story, name="a"))
    async with open_tree(spec, observers=[story], shutdown=0):
        story.forget()
    assert story.timed == [
        "0 root/a cleans up",
        "0 root/a 1 killed when told, unexpected",
        "0 root 1 killed when told, unexpected",
    ]


@virtual
async def test_cancelled_while_starting_it_stops_at_once() -> None:
    story = Story()

    async def slow(*, task_status: trio.TaskStatus[object]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            story.note("slow cleans up")
            with grace():
                await trio.sleep(1)

    spec = supervisor(
        "root",
        child(partial(Child, cleanup=1), story, name="a"),
        supervisor("sub", child(slow), child(Actor, name="later")),
        child(Actor, name="last"),
    )
    with trio.move_on_after(1):
        async with open_tree(spec, observers=[story]):
            raise AssertionError
    assert story.timed == [
        "0 root/a sets up",
        "0 root/a 1 up",
        "1 slow cleans up",
        "2 root/sub/slow 1 not started: StartCancelledError",
        "2 root/sub 1 not started: StartCancelledError",
        "2 root/a cleans up",
        "3 root/a is clean",
        "3 root/a 1 shutdown when told",
        "3 root 1 not started: StartCancelledError",
    ]


@virtual
async def test_cancelled_before_it_begins_nothing_is_started() -> None:
    made: list[str] = []

    class Eager(Actor):
        def __init__(self) -> None:
            made.append("eager")

    story = Story()
    with trio.CancelScope() as scope:
        scope.cancel()
        async with open_tree(supervisor("root", child(Eager)), observers=[story]):
            raise AssertionError
    assert scope.cancelled_caught
    assert made == []
    assert story.lines == []


# --------------------------------------------------------------------------- in order


@virtual
async def test_children_stop_one_after_another_each_with_its_own_seconds() -> None:
    story = Story()
    spec = supervisor(
        "root",
        child(partial(Child, cleanup=9), story, name="a", shutdown=1),
        child(partial(Child, cleanup=9), story, name="b", shutdown=2),
        child(partial(Child, cleanup=9), story, name="c", shutdown=math.inf),
        child(partial(Child, cleanup=9), story, name="d", shutdown=0),
    )
    async with open_tree(spec, observers=[story]):
        story.forget()
    assert story.timed == [
        "0 root/d cleans up",
        "0 root/d 1 killed when told",
        "0 root/c cleans up",
        "9 root/c is clean",
        "9 root/c 1 shutdown when told",
        "9 root/b cleans up",
        "11 root/b 1 killed when told, unexpected",
        "11 root/a cleans up",
        "12 root/a 1 killed when told, unexpected",
        "12 root 1 shutdown when told",
    ]


@virtual
async def test_children_of_a_dynamic_supervisor_stop_all_at_once() -> None:
    story = Story()
    async with open_tree(dynamic("root"), observers=[story]) as tree:
        pool = tree.supervisor("root")
        for seconds in (3, 1, 9):
            await pool.start_child(child(partial(Child, cleanup=seconds), story))
        story.forget()
    # The factory is a partial, the name of its class is the child's.
    assert sorted(story.timed[:3]) == [f"0 root/child-{n} cleans up" for n in (1, 2, 3)]
    assert story.timed[3:] == [
        "1 root/child-2 is clean",
        "1 root/child-2 1 shutdown when told",
        "3 root/child-1 is clean",
        "3 root/child-1 1 shutdown when told",
        "5 root/child-3 1 killed when told, unexpected",
        "5 root 1 shutdown when told",
    ]


@virtual
async def test_a_supervisor_with_seconds_of_its_own_cuts_its_children() -> None:
    story = Story()
    sub = supervisor(
        "sub",
        child(partial(Child, cleanup=2), story, name="a", shutdown=50),
        child(partial(Child, cleanup=2), story, name="b", shutdown=50),
        shutdown=3,
    )
    async with open_tree(supervisor("root", sub), observers=[story]):
        story.forget()
    assert story.timed == [
        "0 root/sub/b cleans up",
        "2 root/sub/b is clean",
        "2 root/sub/b 1 shutdown when told",
        "2 root/sub/a cleans up",
        "3 root/sub/a 1 killed when told, unexpected",
        "3 root/sub 1 killed when told, unexpected",
        "3 root 1 shutdown when told",
    ]


@virtual
async def test_a_child_that_cleans_up_may_call_those_started_before_it_alone() -> None:
    story = Story()
    a = child(Actor, name="a0")

    class Last(Actor):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            yield
            story.note(await tree.ref("root/first", Child).call(Child.ping))
            try:
                await tree.ref("root/later", Child).call(Child.ping)
            except ActorStoppedError as error:
                story.note(str(error))

    first = child(Child, Story(), name="first")
    later = child(Child, Story(), name="later")
    spec = supervisor("root", a, first, child(Last), later)
    async with open_tree(spec, observers=[story]) as tree:
        story.forget()
    assert story.lines == [
        "root/later 1 shutdown when told",
        "pong",
        (
            "'root/later' was told to stop; 'ping' was not handled. "
            "It does not come back."
        ),
        "root/last 1 shutdown when told",
        "root/first 1 shutdown when told",
        "root/a0 1 shutdown when told",
        "root 1 shutdown when told",
    ]


# ------------------------------------------------------------------- messages and D8


@virtual
async def test_no_further_message_is_begun_and_the_running_one_may_finish() -> None:
    story = Story()
    a = child(partial(Child, cleanup=1), story, name="a")

    async def call(seconds: float) -> None:
        try:
            story.note(await tree[a].call(Child.sleep, seconds))
        except ActorStoppedError as error:
            story.note(f"{error.message} is refused")

    async with open_tree(supervisor("root", a), observers=[story]) as tree:
        story.forget()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call, 3)
            await trio.testing.wait_all_tasks_blocked()
            tree[a].cast_nowait(Child.ping)
            nursery.start_soon(call, 1)
            await trio.sleep(1)
            await tree.stop()
    assert story.timed[:2] == [
        "1 root/a 1 dead letter ping: was told to stop",
        "1 sleep is refused",
    ]
    assert sorted(story.timed[2:4]) == ["3 root/a cleans up", "3 slept"]
    assert story.timed[4:] == [
        "4 root/a is clean",
        "4 root/a 1 shutdown when told",
        "4 root 1 shutdown when told",
    ]


@virtual
async def test_the_running_handler_and_the_second_half_share_the_seconds() -> None:
    story = Story()
    a = child(partial(Child, cleanup=3), story, name="a", shutdown=5)

    async def call() -> None:
        story.note(await tree[a].call(Child.sleep, 4))

    async with open_tree(supervisor("root", a), observers=[story]) as tree:
        story.forget()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await trio.sleep(1)
            await tree.stop()
    assert sorted(story.timed[:2]) == ["4 root/a cleans up", "4 slept"]
    assert story.timed[2:] == [
        "6 root/a 1 killed when told, unexpected",
        "6 root 1 shutdown when told",
    ]


@virtual
async def test_a_handler_that_overruns_is_cut_and_its_caller_hears() -> None:
    story = Story()
    a = child(partial(Child, cleanup=3), story, name="a", shutdown=5)

    async def call() -> None:
        with pytest.raises(ActorInterruptedError) as cut:
            await tree[a].call(Child.sleep, 40)
        story.note(str(cut.value))

    async with open_tree(supervisor("root", a), observers=[story]) as tree:
        story.forget()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await trio.sleep(1)
            await tree.stop()
    assert story.timed[:2] == [
        "6 root/a cleans up",
        "6 root/a 1 killed when told, unexpected",
    ]
    assert sorted(story.timed[2:]) == [
        (
            "6 'root/a' (incarnation 1) was cut off before it had answered 'sleep'. It may "
            "have been handled in part: send it anew if that is safe."
        ),
        "6 root 1 shutdown when told",
    ]


@virtual
async def test_after_a_crash_the_second_half_has_the_same_seconds() -> None:
    story = Story()
    a = child(
        partial(Child, cleanup=9), story, name="a", shutdown=5, restart="temporary"
    )
    async with open_tree(supervisor("root", a), observers=[story]) as tree:
        story.forget()
        with pytest.raises(ActorCrashedError):
            await tree[a].call(Child.boom)
        story.note("the caller knows")
        await tree[a].wait_stopped()
    assert sorted(story.timed[:2]) == ["0 root/a cleans up", "0 the caller knows"]
    assert story.timed[2:] == [
        "5 root/a 1 crashed: Boom",
        "5 root 1 shutdown when told",
    ]


@virtual
async def test_after_stop_the_second_half_has_the_same_seconds() -> None:
    story = Story()
    a = child(
        partial(Child, cleanup=4), story, name="a", shutdown=5, restart="temporary"
    )
    b = child(
        partial(Child, cleanup=6), story, name="b", shutdown=5, restart="temporary"
    )
    async with open_tree(supervisor("root", a, b), observers=[story]) as tree:
        story.forget()
        await tree[a].call(Child.end)
        await tree[a].wait_stopped()
        await tree[b].call(Child.end)
        await tree[b].wait_stopped()
    assert story.timed == [
        "0 root/a cleans up",
        "4 root/a is clean",
        "4 root/a 1 normal",
        "4 root/b cleans up",
        "9 root/b 1 killed",
        "9 root 1 shutdown when told",
    ]


@virtual
async def test_being_told_to_stop_gives_no_more_seconds_to_a_second_half() -> None:
    story = Story()
    a = child(partial(Child, cleanup=9), story, name="a", shutdown=5)
    async with open_tree(supervisor("root", a), observers=[story]) as tree:
        story.forget()
        await tree[a].cast(Child.boom)
        await trio.sleep(3)
    assert story.timed == [
        "0 root/a 1 dead letter boom: crashed the actor (Boom)",
        "0 root/a cleans up",
        "5 root/a 1 crashed when told: Boom",
        "5 root 1 shutdown when told",
    ]


@virtual
async def test_told_to_stop_while_it_stops_itself() -> None:
    story = Story()
    a = child(partial(Child, cleanup=3), story, name="a")
    async with open_tree(supervisor("root", a), observers=[story]) as tree:
        story.forget()
        await tree[a].call(Child.end)
        await trio.sleep(1)
    assert story.timed == [
        "0 root/a cleans up",
        "3 root/a is clean",
        "3 root/a 1 shutdown when told",
        "3 root 1 shutdown when told",
    ]


# -------------------------------------------------------------------------- shutdown=0


@virtual
async def test_a_shutdown_of_0_gives_no_checkpoint() -> None:
    story = Story()

    async def brutal() -> None:
        try:
            await trio.sleep_forever()
        finally:
            story.note("finally")
            await trio.lowlevel.checkpoint()
            story.note("one checkpoint")

    async def graceful() -> None:
        with grace():
            await trio.sleep_forever()

    class Brutal(Actor):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            try:
                yield
            finally:
                await brutal_cleanup()

        async def busy(self) -> None:
            await trio.sleep_forever()

    async def brutal_cleanup() -> None:
        story.note("finally")
        await trio.lowlevel.checkpoint()
        story.note("one checkpoint")

    idle, busy = (
        child(Brutal, name="idle", shutdown=0),
        child(Brutal, name="busy", shutdown=0),
    )
    spec = supervisor(
        "root", child(brutal, shutdown=0), child(graceful, shutdown=0), idle, busy
    )
    async with open_tree(spec, observers=[story]) as tree:
        await tree[busy].cast(Brutal.busy)
        await trio.sleep(1)
        story.forget()
    assert story.timed == [
        "1 finally",
        "1 root/busy 1 dead letter busy: was in hand when the actor was cut off",
        "1 root/busy 1 killed when told",
        "1 finally",
        "1 root/idle 1 killed when told",
        "1 root/graceful 1 killed when told",
        "1 finally",
        "1 root/brutal 1 killed when told",
        "1 root 1 shutdown when told",
    ]


@virtual
async def test_a_shutdown_of_0_after_a_crash_or_stop_gives_no_checkpoint_either() -> (
    None
):
    story = Story()

    class Brutal(Child):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            try:
                yield
            finally:
                story.note("finally")
                await trio.lowlevel.checkpoint()
                story.note("one checkpoint")

    class Quick(Child):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            yield
            story.note("done without waiting")

    crashing = child(Brutal, story, name="crashing", shutdown=0, restart="temporary")
    stopping = child(Brutal, story, name="stopping", shutdown=0, restart="temporary")
    quick = child(Quick, story, name="quick", shutdown=0, restart="transient")
    spec = supervisor("root", crashing, stopping, quick)
    async with open_tree(spec, observers=[story]) as tree:
        story.forget()
        for ref, message in (
            (tree[crashing], Child.boom),
            (tree[stopping], Child.end),
            (tree[quick], Child.end),
        ):
            ref.cast_nowait(message)
            await ref.wait_stopped()
    assert story.lines == [
        "root/crashing 1 dead letter boom: crashed the actor (Boom)",
        "finally",
        "root/crashing 1 crashed: Boom",
        "finally",
        "root/stopping 1 killed",
        "done without waiting",
        "root/quick 1 normal",
        "root 1 shutdown when told",
    ]


# ------------------------------------------------------------------------------ grace()


@virtual
async def test_grace_lets_a_service_finish_within_its_seconds() -> None:
    story = Story()
    quick = child(partial(service, story, "quick", cleanup=2), name="quick", shutdown=3)
    slow = child(partial(service, story, "slow", cleanup=4), name="slow", shutdown=3)
    async with open_tree(supervisor("root", quick, slow), observers=[story]):
        await trio.sleep(1)
        story.forget()
    assert story.timed == [
        "1 slow cleans up",
        "4 root/slow 1 killed when told, unexpected",
        "4 quick cleans up",
        "6 quick is clean",
        "6 root/quick 1 shutdown when told",
        "6 root 1 shutdown when told",
    ]


@virtual
async def test_grace_around_the_work_itself_keeps_the_stop_outside() -> None:
    story = Story()

    async def working() -> None:
        while True:
            with grace():
                await trio.sleep(2)
                story.note("a piece is done")
            await trio.lowlevel.checkpoint()

    async with open_tree(supervisor("root", child(working)), observers=[story]):
        story.forget()
        await trio.sleep(3)
    assert story.timed == [
        "2 a piece is done",
        "4 a piece is done",
        "4 root/working 1 shutdown when told",
        "4 root 1 shutdown when told",
    ]


@virtual
async def test_grace_in_a_handler_and_in_both_halves_of_a_lifespan() -> None:
    story = Story()

    class Graceful(Actor):
        def __init__(self, name: str) -> None:
            self.name = name

        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            with grace():
                await self.piece("first half", 2)
            try:
                yield
            finally:
                with grace():
                    await self.piece("second half", 2)

        async def piece(self, what: str, seconds: float) -> None:
            try:
                await trio.sleep(seconds)
                story.note(f"{self.name}: {what} is done")
            except trio.Cancelled:
                story.note(f"{self.name}: {what} is cut")
                raise

        async def handle(self) -> None:
            # The deadline is outside of the shield, and does not reach inside.
            with trio.move_on_after(1) as scope, grace():
                await self.piece("handler", 3)
            assert not scope.cancelled_caught

    a = child(Graceful, "a", name="a", shutdown=6)
    b = child(Graceful, "b", name="b", shutdown=2.5)
    async with open_tree(supervisor("root", a, b), observers=[story]) as tree:
        story.forget()
        await tree[a].cast(Graceful.handle)
        await tree[b].cast(Graceful.handle)
        await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked()
    assert story.timed == [
        "6.5 b: handler is cut",
        "6.5 b: second half is cut",
        "6.5 root/b 1 dead letter handle: was in hand when the actor was cut off",
        "6.5 root/b 1 killed when told, unexpected",
        "7 a: handler is done",
        "9 a: second half is done",
        "9 root/a 1 shutdown when told",
        "9 root 1 shutdown when told",
    ]


@virtual
async def test_grace_protects_a_start_that_is_given_up() -> None:
    story = Story()

    class Slow(Actor):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            with grace():
                await trio.sleep(3)
                story.note("grace ends")
            await trio.lowlevel.checkpoint()
            raise AssertionError
            yield

    with trio.move_on_after(1):
        async with open_tree(supervisor("root", child(Slow)), observers=[story]):
            raise AssertionError
    assert story.timed == [
        "3 grace ends",
        "3 root/slow 1 not started: StartCancelledError",
        "3 root 1 not started: StartCancelledError",
    ]


@virtual
async def test_grace_in_tasks_of_nurseries_below_a_child() -> None:
    story = Story()

    async def piece(name: str, seconds: float) -> None:
        try:
            with grace():
                await trio.sleep(seconds)
                story.note(f"{name} is done")
        finally:
            story.note(f"{name} ends")

    async def deep(name: str, seconds: float) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(piece, name, seconds)

    async def with_tasks() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(deep, "quick", 3)
            nursery.start_soon(deep, "slow", 30)
            nursery.start_soon(trio.sleep_forever)

    spec = supervisor("root", child(with_tasks, shutdown=5))
    async with open_tree(spec, observers=[story]):
        await trio.sleep(1)
        story.forget()
    assert story.timed == [
        "3 quick is done",
        "3 quick ends",
        "6 slow ends",
        "6 root/with_tasks 1 killed when told, unexpected",
        "6 root 1 shutdown when told",
    ]


@virtual
async def test_grace_that_begins_after_the_time_is_up_is_no_shield() -> None:
    story = Story()

    async def stubborn() -> None:
        try:
            with grace():
                await trio.sleep_forever()
        finally:
            with grace():
                story.note("again")
                await trio.lowlevel.checkpoint()
                raise AssertionError

    spec = supervisor("root", child(stubborn, shutdown=2))
    async with open_tree(spec, observers=[story]):
        await trio.sleep(1)
        story.forget()
    assert story.timed == [
        "3 again",
        "3 root/stubborn 1 killed when told, unexpected",
        "3 root 1 shutdown when told",
    ]


@virtual
async def test_grace_outside_a_tree_is_refused() -> None:
    text = (
        r"^grace\(\) is for the children of a tree: no supervisor would take the shield "
        r"away here\. Use trio\.move_on_after\(seconds, shield=True\)\.$"
    )
    with pytest.raises(NotInTreeError, match=text), grace():
        raise AssertionError
    async with open_tree(supervisor("root")):
        with pytest.raises(NotInTreeError, match=text), grace():
            raise AssertionError


@virtual
async def test_grace_gives_its_scope() -> None:
    story = Story()

    async def impatient() -> None:
        with grace() as scope:
            scope.deadline = trio.current_time() + 1
            await trio.sleep_forever()
        assert scope.cancelled_caught
        story.note("goes on")

    spec = supervisor("root", child(impatient, restart="temporary"))
    async with open_tree(spec, observers=[story]):
        await trio.sleep(2)
    assert story.timed[2:] == [
        "1 goes on",
        "1 root/impatient 1 normal",
        "2 root 1 shutdown when told",
    ]


# ------------------------------------------------------------------- what is expected


@virtual
async def test_which_ends_a_supervisor_expects_of_children_it_told_to_stop() -> None:
    """S43, for each restart type: a clean end suits all but a permanent child."""
    story = Story()

    async def returns() -> None:
        with trio.CancelScope(shield=True) as scope:
            await trio.lowlevel.checkpoint()
        del scope
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            return

    async def crashes() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Boom

    spec = supervisor(
        "root",
        child(crashes, name="crashes"),
        child(returns, name="permanent", restart="permanent"),
        child(returns, name="transient", restart="transient"),
        child(returns, name="brutal", restart="permanent", shutdown=0),
    )
    async with open_tree(spec, observers=[story]):
        await trio.sleep(1)
        story.forget()
    reasons = [event.reason for event in story.events if hasattr(event, "reason")]
    assert reasons == [
        ExitReason.KILLED,
        ExitReason.SHUTDOWN,
        ExitReason.SHUTDOWN,
        ExitReason.CRASHED,
        ExitReason.SHUTDOWN,
    ]
    assert story.lines == [
        "root/brutal 1 killed when told",
        "root/transient 1 shutdown when told",
        "root/permanent 1 shutdown when told",
        "root/crashes 1 crashed when told: Boom",
        "root 1 shutdown when told",
    ]
