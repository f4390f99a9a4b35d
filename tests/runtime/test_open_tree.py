"""Entering and leaving a tree, and what its handle does meanwhile."""

import math
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import partial

import pytest
import trio
import trio.testing

from regrow import (
    Actor,
    ActorCrashedError,
    ActorInterruptedError,
    ActorStoppedError,
    CallCycleError,
    ChildExited,
    Event,
    PlaceNotFoundError,
    Ref,
    RestartLimitExceededError,
    ServiceRef,
    SpecError,
    StartTimeoutError,
    SupervisorRef,
    Tree,
    child,
    dynamic,
    supervisor,
)

from .trees import Boom, Child, Story, open_tree, service, virtual


@virtual
async def test_the_block_runs_between_the_last_start_and_the_first_stop() -> None:
    story = Story()
    spec = supervisor(
        "root",
        child(partial(Child, setup=1, cleanup=2), story, name="a"),
        supervisor("sub", child(Child, story, name="b")),
        child(Actor, name="c"),
    )
    async with open_tree(spec, observers=[story]):
        story.note("block begins")
        await trio.sleep(4)
        story.note("block ends")
    story.note("left")
    assert story.timed == [
        "0 root/a sets up",
        "1 root/a 1 up",
        "1 root/sub/b sets up",
        "1 root/sub/b 1 up",
        "1 root/sub 1 up",
        "1 root/c 1 up",
        "1 root 1 up",
        "1 block begins",
        "5 block ends",
        "5 root/c 1 shutdown when told",
        "5 root/sub/b cleans up",
        "5 root/sub/b is clean",
        "5 root/sub/b 1 shutdown when told",
        "5 root/sub 1 shutdown when told",
        "5 root/a cleans up",
        "7 root/a is clean",
        "7 root/a 1 shutdown when told",
        "7 root 1 shutdown when told",
        "7 left",
    ]
    assert story.closed == ["root/c", "root/sub", "root/sub/b", "root/a", "root"]


@virtual
async def test_a_tree_without_children() -> None:
    story = Story()
    async with open_tree(supervisor("root"), observers=[story]) as tree:
        assert tree.path == "root"
        assert repr(tree) == "<Tree 'root'>"
        assert tree.snapshot().children == ()
    assert story.lines == ["root 1 up", "root 1 shutdown when told"]


@virtual
async def test_it_cannot_be_entered_twice() -> None:
    opening = open_tree(supervisor("root"))
    again = r"^this open_tree was entered before: make a new one for each run$"
    async with opening:
        with pytest.raises(RuntimeError, match=again):
            await opening.__aenter__()
    with pytest.raises(RuntimeError, match=again):
        await opening.__aenter__()


@virtual
async def test_one_spec_makes_two_trees_at_once() -> None:
    one, two = Story(), Story()
    account = child(Child, Story(), name="account")
    spec = supervisor("root", account)
    async with (
        open_tree(spec, observers=[one]) as first,
        open_tree(spec, observers=[two]) as second,
    ):
        assert first[account] != second[account]
        with pytest.raises(ActorCrashedError):
            await first[account].call(Child.boom)
        await first[account].call(Child.ping)
        await second[account].call(Child.ping)
        assert first.snapshot().find("root/account").incarnation == 2
        assert second.snapshot().find("root/account").incarnation == 1
    assert one.lines == [
        "root/account 1 up",
        "root 1 up",
        "root/account 1 crashed: Boom",
        "root/account 1 restarting",
        "root/account 2 up",
        "root/account 2 shutdown when told",
        "root 1 shutdown when told",
    ]
    assert two.lines == [
        "root/account 1 up",
        "root 1 up",
        "root/account 1 shutdown when told",
        "root 1 shutdown when told",
    ]


@virtual
async def test_refs_are_found_by_spec_and_by_path() -> None:
    actor = child(Child, Story(), name="actor")
    serving = child(service, Story(), "s", name="serving")
    pool = dynamic("pool")
    spec = supervisor("root", actor, serving, pool)
    async with open_tree(spec) as tree:
        by_spec = tree[actor]
        assert isinstance(by_spec, Ref)
        assert by_spec == tree.ref("root/actor", Child) == tree.ref("root/actor", Actor)
        assert isinstance(tree[serving], ServiceRef)
        assert isinstance(tree[pool], SupervisorRef)
        assert tree[pool] == tree.supervisor("root/pool")
        assert tree[spec] == tree.supervisor("root")
        assert await by_spec.call(Child.ping) == "pong"


@virtual
async def test_refs_that_are_not_there() -> None:
    class Other(Actor):
        pass

    actor = child(Child, Story(), name="actor")
    serving = child(service, Story(), "s", name="serving")
    spec = supervisor("root", actor, serving)

    def missing(found: pytest.ExceptionInfo[PlaceNotFoundError]) -> str:
        return str(found.value)

    async with open_tree(spec) as tree:
        with pytest.raises(PlaceNotFoundError) as found:
            tree[child(Child, Story(), name="actor")]
        assert missing(found) == (
            "the spec 'actor' does not stand in the tree 'root'. Use the very value that "
            "the tree was declared with, or tree.ref(path, cls)."
        )
        with pytest.raises(PlaceNotFoundError) as found:
            tree.ref("actor", Child)
        assert missing(found) == (
            "nothing stands at 'actor' in the tree 'root'. A path starts at the root, as "
            "in 'root/child'; tree.snapshot() shows them all."
        )
        with pytest.raises(PlaceNotFoundError) as found:
            tree.ref("root/actor/below", Child)
        assert found.value.path == "root/actor/below"
        with pytest.raises(PlaceNotFoundError) as found:
            tree.ref("root/serving", Child)
        assert missing(found) == (
            "'root/serving' is a service, not an actor. Use tree[spec] or tree.supervisor."
        )
        with pytest.raises(PlaceNotFoundError) as found:
            tree.ref("root", Child)
        assert missing(found) == (
            "'root' is a supervisor, not an actor. Use tree[spec] or tree.supervisor."
        )
        with pytest.raises(PlaceNotFoundError) as found:
            tree.ref("root/actor", Other)
        assert missing(found) == (
            "'root/actor' is an actor of class Child, not "
            "test_refs_that_are_not_there.<locals>.Other. "
            "Ask for its own class or a base of it."
        )
        with pytest.raises(PlaceNotFoundError) as found:
            tree.supervisor("root/actor")
        assert missing(found) == (
            "'root/actor' is no supervisor. Use tree.ref(path, cls)."
        )
        with pytest.raises(PlaceNotFoundError):
            tree.supervisor("root/nobody")


def test_what_is_no_tree_is_refused_before_anything_runs() -> None:
    with pytest.raises(SpecError) as root:
        open_tree(child(Actor))  # type: ignore[arg-type]  # the mistake under test
    assert [finding.code for finding in root.value.findings] == ["invalid_root"]
    with pytest.raises(SpecError) as shutdown:
        open_tree(supervisor("root"), shutdown=-1)
    assert [finding.code for finding in shutdown.value.findings] == ["invalid_shutdown"]
    with pytest.raises(SpecError):
        open_tree(supervisor("root"), shutdown=float("nan"))


# ----------------------------------------------------------------------------- stop


@virtual
async def test_stop_returns_when_no_task_of_the_tree_is_left() -> None:
    story = Story()
    slow = child(partial(Child, cleanup=2), story, name="a")
    async with open_tree(supervisor("root", slow), observers=[story]) as tree:
        story.forget()
        await tree.stop()
        story.note("stopped")
        await tree.wait_stopped()
        await tree.stop()
        tree.kill()
        with pytest.raises(ActorStoppedError):
            await tree[slow].call(Child.ping)
        await trio.sleep(1)
        story.note("block ends")
    assert story.timed == [
        "0 root/a cleans up",
        "2 root/a is clean",
        "2 root/a 1 shutdown when told",
        "2 root 1 shutdown when told",
        "2 stopped",
        "3 block ends",
    ]


@virtual
async def test_stop_by_two_tasks_stops_once() -> None:
    story = Story()
    slow = child(partial(Child, cleanup=2), story, name="a")
    async with open_tree(supervisor("root", slow), observers=[story]) as tree:
        story.forget()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tree.stop)
            nursery.start_soon(tree.stop)
    assert story.timed == [
        "0 root/a cleans up",
        "2 root/a is clean",
        "2 root/a 1 shutdown when told",
        "2 root 1 shutdown when told",
    ]


@virtual
async def test_a_cancelled_stop_leaves_the_tree_stopping() -> None:
    story = Story()
    slow = child(partial(Child, cleanup=2), story, name="a")
    async with open_tree(supervisor("root", slow), observers=[story]) as tree:
        story.forget()
        with trio.move_on_after(1):
            await tree.stop()
        story.note("gave up")
        await tree.wait_stopped()
        story.note("over")
    assert story.timed == [
        "0 root/a cleans up",
        "1 gave up",
        "2 root/a is clean",
        "2 root/a 1 shutdown when told",
        "2 root 1 shutdown when told",
        "2 over",
    ]


@virtual
async def test_stop_is_always_a_checkpoint() -> None:
    async with open_tree(supervisor("root")) as tree:
        await tree.stop()
        with trio.CancelScope() as scope:
            scope.cancel()
            await tree.stop()
        assert scope.cancelled_caught


@virtual
async def test_stop_by_an_actor_of_the_tree_would_wait_for_itself() -> None:
    story = Story()
    actor = child(Child, story, name="a")
    async with open_tree(supervisor("root", actor), observers=[story]) as tree:

        async def stop() -> str:
            with pytest.raises(CallCycleError) as refused:
                await tree.stop()
            assert refused.value.circle == ("root/a", "root")
            return str(refused.value)

        text = await tree[actor].call(Child.do, stop)
        assert text == (
            "the request to 'root' can never be answered: 'root/a' -> 'root' -> 'root/a'. "
            "Use cast, return a Deferred, or call from a background task."
        )
        await tree.wait_stopped()
    assert story.lines == [
        "root/a sets up",
        "root/a 1 up",
        "root 1 up",
        "root/a cleans up",
        "root/a is clean",
        "root/a 1 shutdown when told",
        "root 1 shutdown when told",
    ]


@virtual
async def test_a_service_may_stop_its_own_tree() -> None:
    story = Story()
    trees: list[Tree] = []

    async def closing() -> None:
        await trio.sleep(1)
        await trees[0].stop()

    spec = supervisor("root", child(closing), child(Actor, name="last"))
    async with open_tree(spec, observers=[story]) as tree:
        trees.append(tree)
        await tree.wait_stopped()
    assert story.timed == [
        "0 root/closing 1 up",
        "0 root/last 1 up",
        "0 root 1 up",
        "1 root/last 1 shutdown when told",
        "1 root/closing 1 shutdown when told",
        "1 root 1 shutdown when told",
    ]


# ----------------------------------------------------------------------------- kill


@virtual
async def test_kill_cuts_everything_at_once() -> None:
    story = Story()
    spec = supervisor(
        "root",
        child(partial(Child, cleanup=2), story, name="a"),
        supervisor("sub", child(partial(service, cleanup=2), story, "b", name="b")),
    )
    async with open_tree(spec, observers=[story]) as tree:
        story.forget()
        tree.kill()
        await tree.wait_stopped()
        story.note("over")
        await trio.sleep(1)
    assert sorted(story.timed) == [
        "0 b cleans up",
        "0 over",
        "0 root 1 killed when told, unexpected",
        "0 root/a 1 killed when told, unexpected",
        "0 root/a cleans up",
        "0 root/sub 1 killed when told, unexpected",
        "0 root/sub/b 1 killed when told, unexpected",
    ]


@virtual
async def test_kill_during_a_stop() -> None:
    story = Story()
    slow = child(partial(Child, cleanup=9), story, name="a", shutdown=100)
    other = child(partial(Child, cleanup=9), story, name="b", shutdown=100)
    async with open_tree(supervisor("root", slow, other), observers=[story]) as tree:
        story.forget()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tree.stop)
            await trio.sleep(1)
            tree.kill()
        story.note("over")
    assert story.timed[0] == "0 root/b cleans up"
    assert sorted(story.timed[1:]) == [
        "1 over",
        "1 root 1 killed when told, unexpected",
        "1 root/a 1 killed when told, unexpected",
        "1 root/a cleans up",
        "1 root/b 1 killed when told, unexpected",
    ]


@virtual
async def test_an_observer_may_kill_the_tree() -> None:
    story = Story()
    trees: list[Tree] = []

    def impatient(event: Event) -> None:
        if trees:
            trees[0].kill()

    actor = child(Child, story, name="a")
    spec = supervisor("root", actor, child(Actor, name="b"))
    async with open_tree(spec, observers=[story, impatient]) as tree:
        trees.append(tree)
        await tree[actor].cast(Child.boom)
        await tree.wait_stopped()
    assert story.lines[:5] == [
        "root/a sets up",
        "root/a 1 up",
        "root/b 1 up",
        "root 1 up",
        "root/a 1 dead letter boom: crashed the actor (Boom)",
    ]
    assert sorted(story.lines[5:-1]) == [
        "root/a 1 crashed when told: Boom",
        "root/a cleans up",
        "root/b 1 killed when told, unexpected",
    ]
    assert story.lines[-1] == "root 1 killed when told, unexpected"


# ------------------------------------------------------------------- the end by itself


@virtual
async def test_a_tree_that_ends_by_itself_leaves_the_block_running() -> None:
    story = Story()

    async def brief() -> None:
        await trio.sleep(1)

    last = child(brief, restart="transient", significant=True)
    actor = child(Child, story, name="a")
    spec = supervisor("root", actor, last, auto_shutdown="any_significant")
    async with open_tree(spec, observers=[story]) as tree:
        await tree.wait_stopped()
        story.note("over")
        with pytest.raises(ActorStoppedError):
            await tree[actor].call(Child.ping)
        await trio.sleep(1)
        story.note("block ends")
    assert story.timed == [
        "0 root/a sets up",
        "0 root/a 1 up",
        "0 root/brief 1 up",
        "0 root 1 up",
        "1 root/brief 1 normal",
        "1 root 1 shuts down after brief",
        "1 root/a cleans up",
        "1 root/a is clean",
        "1 root/a 1 shutdown when told",
        "1 root 1 shutdown",
        "1 over",
        "2 block ends",
    ]


@virtual
async def test_wait_stopped_ends_when_the_tree_fails_as_well() -> None:
    spec = supervisor("root", child(Child, Story(), name="a"), intensity=0)
    seen: list[str] = []

    async def wait(tree: Tree) -> None:
        await tree.wait_stopped()
        seen.append("stopped")

    async with trio.open_nursery() as nursery:
        with pytest.raises(Exception, match="gave up"):
            async with open_tree(spec) as tree:
                nursery.start_soon(wait, tree)
                await tree.ref("root/a", Child).cast(Child.boom)
                await trio.sleep_forever()
    assert seen == ["stopped"]


# ------------------------------------------------------------------ limits of the root


@virtual
async def test_the_root_has_a_start_timeout() -> None:
    story = Story()
    slow = child(partial(Child, setup=5), story, name="a")
    with pytest.raises(StartTimeoutError, match=r"'root' was not up within .* of 1 s"):
        async with open_tree(
            supervisor("root", child(Actor, name="first"), slow, start_timeout=1),
            observers=[story],
        ):
            raise AssertionError
    assert story.timed == [
        "0 root/first 1 up",
        "0 root/a sets up",
        "1 root/a 1 not started: StartCancelledError",
        "1 root/first 1 shutdown when told",
        "1 root 1 not started: StartTimeoutError",
    ]


@virtual
async def test_the_root_has_a_shutdown_of_its_own() -> None:
    story = Story()
    slow = child(partial(Child, cleanup=50), story, name="a", shutdown=100)
    root = supervisor("root", slow, shutdown=3)
    async with open_tree(root, observers=[story]):
        story.forget()
    assert story.timed == [
        "0 root/a cleans up",
        "3 root/a 1 killed when told, unexpected",
        "3 root 1 killed when told, unexpected",
    ]


@virtual
async def test_boom_is_told_to_whoever_looks() -> None:
    story = Story()
    actor = child(Child, story, name="a")
    async with open_tree(supervisor("root", actor), observers=[story]) as tree:
        with pytest.raises(Exception, match="crashed on 'boom'") as crashed:
            await tree[actor].call(Child.boom)
    assert isinstance(crashed.value.__cause__, Boom)


# ------------------------------------------------------------------ what children share


WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


class Marking(Actor):
    """Changes the context where a constructor runs."""

    def __init__(self, seen: list[str]) -> None:
        seen.append(WHO.get())
        WHO.set("marked")

    def who(self) -> str:
        return WHO.get()

    def boom(self) -> None:
        raise Boom


@virtual
async def test_what_a_constructor_sets_in_its_context_is_its_own_childs_alone() -> None:
    seen: list[str] = []
    first = child(Marking, seen, name="first")
    second = child(Marking, seen, name="second")
    WHO.set("outside")
    async with open_tree(supervisor("root", first, second)) as tree:
        assert await tree[first].call(Marking.who) == "marked"
        with pytest.raises(ActorCrashedError):
            await tree[first].call(Marking.boom)
        assert await tree[first].call(Marking.who) == "marked"
    assert seen == ["outside"] * 3


@virtual
async def test_a_supervisor_whose_nursery_is_cancelled_is_killed_and_comes_back() -> (
    None
):
    """A child can reach that nursery; it should not, and must not hang the tree."""
    story = Story()

    async def meddling() -> None:
        await trio.sleep(1)
        if not story.of(ChildExited):
            nursery = trio.lowlevel.current_task().parent_nursery
            assert nursery is not None
            nursery.cancel_scope.cancel()
        await trio.sleep_forever()

    sub = supervisor("sub", child(meddling))
    async with open_tree(supervisor("root", sub), observers=[story]):
        await trio.sleep(2)
    assert story.timed == [
        "0 root/sub/meddling 1 up",
        "0 root/sub 1 up",
        "0 root 1 up",
        "1 root/sub/meddling 1 killed",
        "1 root/sub 1 killed",
        "1 root/sub 1 restarting",
        "1 root/sub/meddling 2 up",
        "1 root/sub 2 up",
        "2 root/sub/meddling 2 shutdown when told",
        "2 root/sub 2 shutdown when told",
        "2 root 1 shutdown when told",
    ]


async def leaving_a_nursery_open() -> None:
    """What trio can only answer by an error in the nursery around the task."""
    await trio.sleep(1)
    await trio.open_nursery().__aenter__()


@virtual
async def test_a_child_that_breaks_the_nursery_it_is_in_crashes_its_supervisor() -> (
    None
):
    story = Story()
    breaking = child(leaving_a_nursery_open, name="x", restart="temporary")
    sub = supervisor("sub", breaking)
    async with open_tree(supervisor("root", sub), observers=[story]) as tree:
        async with tree.supervisor("root/sub").monitor() as ends:
            end = await ends.receive()
        assert type(end.error) is RuntimeError
        assert "Nursery stack corrupted" in str(end.error)
        await trio.sleep(0.5)
    assert story.timed == [
        "0 root/sub/x 1 up",
        "0 root/sub 1 up",
        "0 root 1 up",
        "1 root/sub/x 1 crashed: RuntimeError",
        "1 root/sub 1 crashed: RuntimeError",
        "1 root/sub 1 restarting",
        "1 root/sub/x 2 up",
        "1 root/sub 2 up",
        "1.5 root/sub/x 2 shutdown when told",
        "1.5 root/sub 2 shutdown when told",
        "1.5 root 1 shutdown when told",
    ]


@virtual
async def test_what_breaks_the_nursery_of_the_root_comes_out_bare() -> None:
    story = Story()
    y = child(Child, story, name="y")
    spec = supervisor("root", child(leaving_a_nursery_open, name="x"), y)
    async with trio.open_nursery() as nursery:

        async def wait(tree: Tree) -> None:
            with pytest.raises(ActorInterruptedError):
                await tree[y].call(Child.sleep, 9)
            await tree.wait_stopped()
            with pytest.raises(ActorStoppedError, match="its tree has ended"):
                await tree[y].call(Child.ping)
            story.note("refused")

        with pytest.raises(RuntimeError, match="Nursery stack corrupted"):
            async with open_tree(spec, observers=[story]) as tree:
                nursery.start_soon(wait, tree)
                await trio.sleep_forever()
    assert story.lines[-2:] == ["root 1 crashed: RuntimeError", "refused"]


@virtual
async def test_a_limit_that_was_spent_comes_out_also_where_a_child_breaks_then() -> (
    None
):
    async def breaking() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await leaving_a_nursery_open()

    y = child(Child, Story(), name="y")
    spec = supervisor("root", child(breaking, name="x"), y, intensity=0)
    with pytest.raises(RestartLimitExceededError):
        async with open_tree(spec) as tree:
            await tree[y].cast(Child.boom)
            await trio.sleep_forever()


async def breaking_the_nursery(error: BaseException) -> None:
    """Break the nursery of its supervisor by a task in it, once told to stop or cut off."""

    async def fail() -> None:
        raise error

    try:
        await trio.sleep_forever()
    finally:
        nursery = trio.lowlevel.current_task().parent_nursery
        assert nursery is not None
        nursery.start_soon(fail)
        with trio.CancelScope(shield=True):
            await trio.sleep(1)


@virtual
async def test_children_that_were_added_close_with_a_supervisor_whose_nursery_breaks() -> (
    None
):
    story = Story()
    async with open_tree(supervisor("root", dynamic("sub")), observers=[story]) as tree:
        sub = tree.supervisor("root/sub")
        y = await sub.start_child(child(Child, story, name="y"))
        await y.call(Child.ping)
        await sub.start_child(child(leaving_a_nursery_open, name="x"))
        async with sub.monitor() as ends:
            await ends.receive()
        with pytest.raises(ActorStoppedError, match="does not come back"):
            await y.call(Child.ping)
        assert await sub.which_children() == ()
        assert story.closed == ["root/sub/y", "root/sub/x"]


@virtual
async def test_what_is_below_a_nursery_that_breaks_in_a_stop_is_closed_at_once() -> (
    None
):
    story = Story()
    y = child(Child, story, name="y")

    async def asking(ref: Ref[Child]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                with pytest.raises(ActorStoppedError, match="its tree is stopping"):
                    await ref.call(Child.ping)
                story.note("refused")

    x = child(breaking_the_nursery, Boom(), name="x", shutdown=math.inf)
    asks = child(asking, y.ref, name="asks", shutdown=math.inf)
    async with open_tree(
        supervisor("root", asks, supervisor("sub", y, x)), observers=[story]
    ):
        await trio.testing.wait_all_tasks_blocked()
        story.forget()
    assert story.timed == [
        "0 root/sub/y cleans up",
        "0 root/sub/y 1 killed",
        "1 root/sub/x 1 shutdown when told",
        "1 root/sub 1 crashed when told: Boom",
        "1 refused",
        "1 root/asks 1 shutdown when told",
        "1 root 1 shutdown when told",
    ]


@virtual
async def test_what_stops_a_program_comes_out_also_where_a_limit_was_spent() -> None:
    async def exits() -> None:
        await trio.sleep(1)
        sys.exit(3)

    async def meddling() -> None:
        nursery = trio.lowlevel.current_task().parent_nursery
        assert nursery is not None
        nursery.start_soon(exits)
        await trio.sleep_forever()

    x = child(meddling, name="x")
    y = child(Child, Story(), name="y")
    with pytest.raises(SystemExit):
        async with open_tree(supervisor("root", x, y, intensity=0)) as tree:
            await tree[y].cast(Child.boom)
            await trio.sleep_forever()


@virtual
async def test_what_breaks_a_nursery_that_is_cancelled_is_as_bare_as_any() -> None:
    async def late() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Boom

    async def meddling() -> None:
        nursery = trio.lowlevel.current_task().parent_nursery
        assert nursery is not None
        nursery.start_soon(late)
        await trio.sleep_forever()

    sub = supervisor("sub", child(meddling, name="x"))
    breaking = child(leaving_a_nursery_open, name="z", restart="temporary")
    story = Story()
    with pytest.raises(RuntimeError, match="Nursery stack corrupted"):
        async with open_tree(supervisor("root", sub, breaking), observers=[story]):
            await trio.sleep_forever()
    assert sorted(story.lines[-4:-2]) == [
        "root/sub/x 1 killed",
        "root/z 1 crashed: RuntimeError",
    ]
    assert story.lines[-2:] == [
        "root/sub 1 crashed: Boom",
        "root 1 crashed: RuntimeError",
    ]


@virtual
async def test_a_lifespan_may_be_that_of_the_base() -> None:
    class Through(Child):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            async with Actor.lifespan(self):
                yield

    actor = child(Through, Story())
    async with open_tree(supervisor("root", actor)) as tree:
        assert await tree[actor].call(Child.ping) == "pong"
