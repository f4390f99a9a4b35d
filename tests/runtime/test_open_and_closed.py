"""Places: when messages wait and when they are refused (promise 4)."""

import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import regrow
from regrow import (
    Actor,
    ActorCrashedError,
    ActorStoppedError,
    Backoff,
    CallError,
    IgnoreStart,
    PlaceClosed,
    Ref,
    Tree,
    child,
    supervisor,
)

from .trees import Boom, Child, Story, open_tree, service, virtual


class Echo(Actor):
    """Comes up as its plan says: a number of seconds each, or an exception."""

    def __init__(self, plan: list[float | Exception] | None = None) -> None:
        self.plan = [] if plan is None else plan

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        step = self.plan.pop(0) if self.plan else 0.0
        if isinstance(step, Exception):
            raise step
        await trio.sleep(step)
        yield

    def echo(self, value: object) -> object:
        return value

    async def slow(self, seconds: float) -> str:
        await trio.sleep(seconds)
        return "slow"

    def boom(self) -> None:
        raise Boom

    def quit(self) -> None:
        self.stop()


async def asking(ref: Ref[Echo], got: list[str], value: object) -> None:
    try:
        answer = await ref.call(Echo.echo, value)
        got.append(f"{trio.current_time():g} {answer}")
    except CallError as error:
        got.append(f"{trio.current_time():g} {type(error).__name__}: {error}")


# ---------------------------------------------------------------------------- open


Opening = Callable[[Tree, Any], Awaitable[None]]


async def running(tree: Tree, echo: Any) -> None:
    pass


async def crashing(tree: Tree, echo: Any) -> None:
    await tree[echo].cast(Echo.boom)


async def terminated_and_restarted(tree: Tree, echo: Any) -> None:
    await tree.supervisor("root").terminate_child("echo")

    async def restart() -> None:
        await tree.supervisor("root").restart_child("echo")

    await restart()


@pytest.mark.parametrize(
    ("plan", "options", "doing", "at"),
    [
        pytest.param([], {}, running, 1, id="running"),
        pytest.param([0.0, 5.0], {}, crashing, 6, id="restarting, slowly"),
        pytest.param(
            [0.0, Boom(), Boom(), 2.0], {}, crashing, 3, id="failing restarts"
        ),
        pytest.param(
            [],
            {"backoff": Backoff(initial=7, jitter=0)},
            crashing,
            8,
            id="backing off",
        ),
        pytest.param(
            [0.0, Boom(), 1.0],
            {"backoff": Backoff(initial=3, factor=2, jitter=0)},
            crashing,
            11,
            id="backing off twice",
        ),
    ],
)
@virtual
async def test_messages_wait_where_the_child_will_run_again(
    plan: list[float | Exception], options: dict[str, Any], doing: Opening, at: float
) -> None:
    story = Story()
    echo: Any = child(partial(Echo, plan), name="echo", **options)
    spec = supervisor("root", echo)
    async with open_tree(spec, observers=[story]) as tree:
        await trio.sleep(1)
        await doing(tree, echo)
        await wait_all_tasks_blocked()
        got: list[str] = []
        async with trio.open_nursery() as nursery:
            for value in ("a", "b"):
                nursery.start_soon(asking, tree[echo], got, value)
                await wait_all_tasks_blocked()
        assert sorted(got) == [f"{at:g} a", f"{at:g} b"]
        assert story.closed == []


@virtual
async def test_messages_wait_while_the_tree_starts() -> None:
    got: list[str] = []

    async def asker(first: Ref[Echo], last: Ref[Echo]) -> None:
        async with trio.open_nursery() as nursery:
            for ref, value in ((last, "last"), (first, "first")):
                nursery.start_soon(asking, ref, got, value)
        await trio.sleep_forever()

    first = child(partial(Echo, [1.0]), name="first")
    last = child(partial(Echo, [2.0]), name="last")
    spec = supervisor("root", child(asker, first.ref, last.ref), first, last)
    async with open_tree(spec):
        await wait_all_tasks_blocked()
        assert got == ["1 first", "3 last"]


@virtual
async def test_messages_wait_while_the_first_start_is_tried_again() -> None:
    plan: list[float | Exception] = [Boom(), Boom(), 1.0]
    backoff = Backoff(initial=2, jitter=0)
    echo = child(partial(Echo, plan), name="echo", start="retry", backoff=backoff)
    async with open_tree(supervisor("root", echo)) as tree:
        assert trio.current_time() == 0
        got: list[str] = []
        await asking(tree[echo], got, "x")
        assert got == ["7 x"]


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
@virtual
async def test_messages_wait_while_a_siblings_failure_cycles_the_group(
    strategy: Any,
) -> None:
    story = Story()
    bomb = child(Child, story, name="bomb")
    echo = child(partial(Echo, [0.0, 2.0]), name="echo")
    slow = child(partial(Child, cleanup=3), story, name="slow")
    spec = supervisor("root", bomb, slow, echo, strategy=strategy)
    async with open_tree(spec, observers=[story]) as tree:
        await tree[bomb].cast(Child.boom)
        await trio.sleep(1)  # echo has been stopped, slow is about to be
        got: list[str] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking, tree[echo], got, "during the stop")
            await trio.sleep(3)  # echo is being started
            nursery.start_soon(asking, tree[echo], got, "during the start")
        assert sorted(got) == ["5 during the start", "5 during the stop"]
        assert story.closed == []


@virtual
async def test_messages_wait_while_an_ancestor_is_restarted() -> None:
    story = Story()
    echo = child(partial(Echo, [0.0, 2.0]), name="echo")
    bomb = child(Child, story, name="bomb")
    inner = supervisor("inner", echo, bomb, intensity=0)
    middle = supervisor("middle", inner, intensity=0)
    slow = child(partial(Child, cleanup=3), story, name="slow")
    spec = supervisor("root", middle, slow, strategy="one_for_all")
    async with open_tree(spec, observers=[story]) as tree:
        ref = tree[echo]
        await tree[bomb].cast(Child.boom)
        await wait_all_tasks_blocked()
        # inner has given up, then middle; slow is being stopped.
        assert tree.snapshot().find("root/middle").status == "restarting"
        got: list[str] = []
        await asking(ref, got, "x")
        assert got == ["5 x"]
        assert story.closed == []
        assert tree[echo] == ref
        assert tree.ref("root/middle/inner/echo", Echo) == ref


@virtual
async def test_a_supervisor_that_backs_off_leaves_the_places_below_it_open() -> None:
    story = Story()
    echo = child(Echo, name="echo")
    bomb = child(Child, story, name="bomb")
    backoff = Backoff(initial=4, jitter=0)
    inner = supervisor("inner", echo, bomb, intensity=0, backoff=backoff)
    async with open_tree(supervisor("root", inner), observers=[story]) as tree:
        await tree[bomb].cast(Child.boom)
        await wait_all_tasks_blocked()
        got: list[str] = []
        await asking(tree[echo], got, "x")
        assert got == ["4 x"]
        assert story.closed == []


# --------------------------------------------------------------------------- closed


ENDED = "is closed: its child has ended"
STOPPED = "was told to stop"
TREE = "is closed: its tree is stopping"


GROUP = "Only restart_child, or a restart of its group, brings it back."
ABOVE = "Only a restart of its supervisor brings it back."
NOTHING = "It does not come back."


def refusal(at: float, why: str, back: str = GROUP) -> str:
    return (
        f"{at:g} ActorStoppedError: 'root/echo' {why}; 'echo' was not handled. {back}"
    )


async def it_quits(tree: Tree, ref: Ref[Echo]) -> None:
    await ref.cast(Echo.quit)


async def it_crashes(tree: Tree, ref: Ref[Echo]) -> None:
    await ref.cast(Echo.boom)


async def it_is_terminated(tree: Tree, ref: Ref[Echo]) -> None:
    await ref.cast(Echo.slow, 1)
    await tree.supervisor("root").terminate_child("echo")


async def it_ignores_its_restart(tree: Tree, ref: Ref[Echo]) -> None:
    await ref.cast(Echo.boom)


async def the_tree_stops(tree: Tree, ref: Ref[Echo]) -> None:
    await ref.cast(Echo.slow, 1)
    await tree.stop()


async def the_tree_is_killed(tree: Tree, ref: Ref[Echo]) -> None:
    await ref.cast(Echo.slow, 1)
    tree.kill()


@pytest.mark.parametrize(
    ("closing", "restart", "plan", "why"),
    [
        pytest.param(it_quits, "transient", [], ENDED, id="transient, normal"),
        pytest.param(it_quits, "temporary", [], ENDED, id="temporary, normal"),
        pytest.param(it_crashes, "temporary", [], ENDED, id="temporary, crashed"),
        pytest.param(it_is_terminated, "permanent", [], STOPPED, id="terminated"),
        pytest.param(
            it_ignores_its_restart,
            "permanent",
            [0.0, IgnoreStart()],
            ENDED,
            id="ignored",
        ),
        pytest.param(the_tree_stops, "permanent", [], STOPPED, id="tree stops"),
        pytest.param(the_tree_is_killed, "permanent", [], STOPPED, id="tree killed"),
    ],
)
@virtual
async def test_a_closed_place_refuses_what_waits_and_what_comes(
    closing: Callable[[Tree, Ref[Echo]], Awaitable[None]],
    restart: Any,
    plan: list[float | Exception],
    why: str,
) -> None:
    story = Story()
    echo: Any = child(partial(Echo, plan), name="echo", restart=restart)
    async with open_tree(supervisor("root", echo), observers=[story]) as tree:
        ref: Ref[Echo] = tree[echo]
        got: list[str] = []

        async def wait_stopped() -> None:
            await ref.wait_stopped()
            got.append("wait_stopped")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_stopped)
            await wait_all_tasks_blocked()
            # The two behind it wait when it happens.
            ref.cast_nowait(Echo.slow, 1)
            nursery.start_soon(closing, tree, ref)
            await trio.sleep(0.5)
            if why == ENDED:
                nursery.start_soon(asking, ref, got, "waits")
                await wait_all_tasks_blocked()
                ref.cast_nowait(Echo.echo, "cast, waits")
        await ref.wait_stopped()
        await asking(ref, got, "comes")
        ref.cast_nowait(Echo.echo, "cast, comes")
        back = ABOVE if restart == "temporary" else GROUP
        if closing in {the_tree_stops, the_tree_is_killed}:
            back = NOTHING
        told = refusal(trio.current_time(), why, back)
        waited = [told] if why == ENDED else []
        assert sorted(got) == sorted(["wait_stopped", *waited, told])
        letters = [line for line in story.lines if "dead letter echo" in line]
        assert [line.partition(": ")[2] for line in letters] == [why] * (
            1 + len(waited)
        )
        assert story.closed[:1] == ["root/echo"]


@virtual
async def test_terminated_while_it_backs_off() -> None:
    story = Story()
    echo = child(Echo, name="echo", backoff=Backoff(initial=9))
    async with open_tree(supervisor("root", echo), observers=[story]) as tree:
        await tree[echo].cast(Echo.boom)
        await wait_all_tasks_blocked()
        got: list[str] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking, tree[echo], got, "waits")
            await trio.sleep(1)
            await tree.supervisor("root").terminate_child("echo")
        await asking(tree[echo], got, "comes")
        assert got == [refusal(1, ENDED)] * 2
        await trio.sleep(99)
        assert tree.snapshot().find("root/echo").incarnation == 1  # T8
        await tree.supervisor("root").restart_child("echo")
        assert await tree[echo].call(Echo.echo, 1) == 1


@virtual
async def test_what_is_said_of_a_place_that_closes_stays_true_when_it_comes_back() -> (
    None
):
    story = Story()
    echo = child(Echo, name="echo")
    over = child(Echo, name="over", restart="transient")
    spec = supervisor("root", echo, over)
    async with open_tree(spec, observers=[story]) as tree:
        await tree[over].cast(Echo.quit)
        await wait_all_tasks_blocked()
        await tree.supervisor("root").terminate_child("echo")
        for name in ("echo", "over"):
            await tree.supervisor("root").restart_child(name)
        closed = [(event.path, event.why) for event in story.of(PlaceClosed)]
        assert closed == [("root/over", ENDED), ("root/echo", STOPPED)]
        assert await tree[echo].call(Echo.echo, 1) == 1
        assert await tree[over].call(Echo.echo, 2) == 2


@virtual
async def test_ignored_at_the_first_start() -> None:
    got: list[str] = []

    async def asker(ref: Ref[Echo], *, task_status: trio.TaskStatus[object]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking, ref, got, "x")
            await wait_all_tasks_blocked()
            task_status.started()
        await trio.sleep_forever()

    echo = child(partial(Echo, [IgnoreStart()]), name="echo")
    async with open_tree(supervisor("root", child(asker, echo.ref), echo)) as tree:
        await wait_all_tasks_blocked()
        assert got == [refusal(0, ENDED)]
        await tree.supervisor("root").restart_child("echo")
        assert await tree[echo].call(Echo.echo, 1) == 1


@virtual
async def test_what_is_not_running_closes_as_soon_as_the_tree_stops() -> None:
    story = Story()
    slow = child(partial(Child, cleanup=5), story, name="slow")
    backoff = Backoff(initial=30)
    echo = child(Echo, name="echo", backoff=backoff)
    inner = supervisor("inner", echo)
    async with open_tree(supervisor("root", inner, slow)) as tree:
        await tree[echo].cast(Echo.boom)
        await wait_all_tasks_blocked()
        got: list[str] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking, tree[echo], got, "waits")
            await wait_all_tasks_blocked()
            nursery.start_soon(tree.stop)
        assert got == [
            refusal(0, TREE, NOTHING).replace("root/echo", "root/inner/echo")
        ]
        assert trio.current_time() == 5


@virtual
async def test_what_ends_while_the_tree_stops_closes_at_once() -> None:
    """A service that cleans up would wait for it as long as it is waited for itself."""
    story = Story()
    a = child(Child, story, name="a")

    async def flushing(a: Ref[Child]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with regrow.grace():
                with pytest.raises(ActorCrashedError):
                    await a.call(Child.boom)
                with pytest.raises(ActorStoppedError, match="its tree is stopping"):
                    await a.call(Child.ping)

    sub = supervisor("sub", a, child(flushing, a.ref, shutdown=math.inf))
    async with open_tree(supervisor("root", sub), observers=[story]):
        story.forget()
    assert story.lines == [
        "root/sub/a cleans up",
        "root/sub/a is clean",
        "root/sub/a 1 crashed: Boom",
        "root/sub/flushing 1 shutdown when told",
        "root/sub 1 shutdown when told",
        "root 1 shutdown when told",
    ]


@virtual
async def test_while_it_is_stopped_in_order_those_not_told_yet_can_be_called() -> None:
    story = Story()
    first = child(Echo, name="first")

    class Last(Actor):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            yield
            story.note(f"{await tree[first].call(Echo.echo, 'still there')}")

    last = child(Last, name="last")
    async with open_tree(supervisor("root", first, last)) as tree:
        pass
    assert story.lines == ["still there"]


# ------------------------------------------------------------------ closed, then open


@virtual
async def test_restart_child_reopens_the_place_empty() -> None:
    story = Story()
    echo = child(Echo, name="echo")
    async with open_tree(supervisor("root", echo), observers=[story]) as tree:
        ref = tree[echo]
        root = tree.supervisor("root")
        await root.terminate_child("echo")
        ref.cast_nowait(Echo.boom)
        await root.restart_child("echo")
        assert await ref.call(Echo.echo, 1) == 1
        assert tree.snapshot().find("root/echo").incarnation == 2
        assert len(story.closed) == 1

        async def stopped() -> None:
            await ref.wait_stopped()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stopped)
            await wait_all_tasks_blocked()
            assert nursery.child_tasks
            await root.terminate_child("echo")
        assert len(story.closed) == 2


@virtual
async def test_restart_child_opens_the_place_when_its_start_begins() -> None:
    echo = child(partial(Echo, [0.0, 3.0]), name="echo")
    async with open_tree(supervisor("root", echo)) as tree:
        await tree.supervisor("root").terminate_child("echo")
        got: list[str] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tree.supervisor("root").restart_child, "echo")
            await wait_all_tasks_blocked()
            await asking(tree[echo], got, "x")
        assert got == ["3 x"]


@virtual
async def test_a_restart_child_that_fails_closes_the_place_again() -> None:
    echo = child(partial(Echo, [0.0, 3.0]), name="echo", start_timeout=2)
    async with open_tree(supervisor("root", echo)) as tree:
        await tree.supervisor("root").terminate_child("echo")
        got: list[str] = []

        async def restart() -> None:
            with pytest.raises(Exception, match="was not up within"):
                await tree.supervisor("root").restart_child("echo")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(restart)
            await wait_all_tasks_blocked()
            await asking(tree[echo], got, "x")
        assert got == [refusal(2, ENDED)]


@virtual
async def test_a_group_restart_reopens_what_was_closed() -> None:
    story = Story()
    transient = child(Echo, name="transient", restart="transient")
    terminated = child(Echo, name="terminated")
    ignored = child(partial(Echo, [IgnoreStart()]), name="ignored")
    temporary = child(Echo, name="temporary", restart="temporary")
    bomb = child(Child, story, name="bomb")
    group = (transient, terminated, ignored, temporary, bomb)
    spec = supervisor("root", *group, strategy="one_for_all")
    async with open_tree(spec, observers=[story]) as tree:
        refs = [tree[each] for each in group[:4]]
        await refs[0].cast(Echo.quit)
        await refs[0].wait_stopped()
        await tree.supervisor("root").terminate_child("terminated")
        await wait_all_tasks_blocked()
        for ref in refs[:3]:
            ref.cast_nowait(Echo.boom)  # dead letters: they are not there later
        await tree[bomb].cast(Child.boom)
        await wait_all_tasks_blocked()
        for ref in refs[:3]:
            assert await ref.call(Echo.echo, 1) == 1
        # A temporary child goes with the group and does not come back (S28).
        with pytest.raises(ActorStoppedError):
            await refs[3].call(Echo.echo, 1)
        assert story.closed == [
            "root/ignored",
            "root/transient",
            "root/terminated",
            "root/temporary",
        ]


# ----------------------------------------------- places and restarts of supervisors


@virtual
async def test_declared_places_outlive_their_supervisor_and_added_ones_do_not() -> None:
    story = Story()
    declared = child(Echo, name="declared")
    temporary = child(Echo, name="temporary", restart="temporary")
    deleted = child(Echo, name="deleted")
    bomb = child(Child, story, name="bomb")
    inner = supervisor("inner", declared, temporary, deleted, bomb, intensity=0)
    async with open_tree(supervisor("root", inner), observers=[story]) as tree:
        inner_ref = tree[inner]
        added = await inner_ref.start_child(child(Echo, name="added"))
        refs = {
            "declared": tree[declared],
            "temporary": tree[temporary],
            "deleted": tree[deleted],
        }
        await refs["temporary"].cast(Echo.boom)
        await inner_ref.terminate_child("deleted")
        await inner_ref.delete_child("deleted")
        await wait_all_tasks_blocked()
        assert sorted(story.closed) == ["root/inner/deleted", "root/inner/temporary"]
        await tree[bomb].cast(Child.boom)
        await wait_all_tasks_blocked()
        # All that was declared is there again, at the places that the refs name.
        for name, ref in refs.items():
            assert await ref.call(Echo.echo, name) == name
        with pytest.raises(ActorStoppedError) as caught:
            await added.call(Echo.echo, 1)
        assert caught.value.why == STOPPED
        names = [each.name for each in await inner_ref.which_children()]
        assert names == ["declared", "temporary", "deleted", "bomb"]
        assert sorted(story.closed) == [
            "root/inner/added",
            "root/inner/deleted",
            "root/inner/temporary",
        ]


@virtual
async def test_a_call_to_an_added_child_does_not_outlive_its_supervisor() -> None:
    story = Story()
    bomb = child(Child, story, name="bomb")
    inner = supervisor("inner", bomb, intensity=0)
    async with open_tree(supervisor("root", inner)) as tree:
        added = await tree[inner].start_child(child(Echo, name="added"))
        got: list[str] = []
        async with trio.open_nursery() as nursery:
            await added.cast(Echo.slow, 2)
            await wait_all_tasks_blocked()
            nursery.start_soon(asking, added, got, "x")
            await wait_all_tasks_blocked()
            await tree[bomb].cast(Child.boom)
        assert got == [refusal(0, STOPPED).replace("root/echo", "root/inner/added")]


@virtual
async def test_the_places_below_a_supervisor_close_with_it() -> None:
    story = Story()
    echo = child(Echo, name="echo")
    spare = child(Echo, name="spare", restart="transient")
    plain = child(service, story, "plain", name="plain")
    inner = supervisor("inner", echo, spare, plain)
    outer = supervisor("outer", inner)
    async with open_tree(supervisor("root", outer), observers=[story]) as tree:
        await tree.supervisor("root").terminate_child("outer")
        for spec in (echo, spare):
            with pytest.raises(ActorStoppedError):
                await tree[spec].call(Echo.echo, 1)
        await tree[plain].wait_stopped()
        with pytest.raises(ActorStoppedError):
            await tree[inner].which_children()
        assert sorted(story.closed) == [
            "root/outer",
            "root/outer/inner",
            "root/outer/inner/echo",
            "root/outer/inner/plain",
            "root/outer/inner/spare",
        ]
        await tree.supervisor("root").restart_child("outer")
        assert await tree[echo].call(Echo.echo, 1) == 1


@virtual
async def test_a_temporary_supervisor_that_gives_up_closes_all_below_it() -> None:
    story = Story()
    echo = child(Echo, name="echo")
    bomb = child(Child, story, name="bomb")
    inner = supervisor("inner", echo, bomb, intensity=0)
    outer = supervisor("outer", inner, intensity=0, restart="temporary")
    async with open_tree(supervisor("root", outer), observers=[story]) as tree:
        got: list[str] = []
        async with trio.open_nursery() as nursery:
            await tree[echo].cast(Echo.slow, 2)
            await wait_all_tasks_blocked()
            nursery.start_soon(asking, tree[echo], got, "x")
            await wait_all_tasks_blocked()
            await tree[bomb].cast(Child.boom)
        assert got == [refusal(2, ENDED).replace("root/echo", "root/outer/inner/echo")]
        assert await tree.supervisor("root").which_children() == ()


@virtual
async def test_a_new_child_of_the_same_name_has_a_place_of_its_own() -> None:
    first = child(Echo, name="echo")
    second = child(Echo, name="echo")
    bomb = child(Child, Story(), name="bomb")
    inner = supervisor("inner", first, bomb, intensity=0)
    async with open_tree(supervisor("root", inner)) as tree:
        old = tree[first]
        await tree[inner].terminate_child("echo")
        await tree[inner].delete_child("echo")
        new = await tree[inner].start_child(second)
        assert tree.ref("root/inner/echo", Echo) == new != old
        with pytest.raises(ActorStoppedError):
            await old.call(Echo.echo, 1)
        assert await new.call(Echo.echo, 2) == 2
        await tree[bomb].cast(Child.boom)
        await wait_all_tasks_blocked()
        # The supervisor is back as it was declared.
        assert tree.ref("root/inner/echo", Echo) == old
        assert await old.call(Echo.echo, 3) == 3
        with pytest.raises(ActorStoppedError):
            await new.call(Echo.echo, 1)
