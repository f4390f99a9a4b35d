"""Starting: when a child is up, what a start that fails, is ignored or is too slow leaves."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from regrow import (
    Actor,
    ActorStoppedError,
    AnySpec,
    Backoff,
    IgnoreStart,
    NotAnActorError,
    Shutdown,
    StartFailedError,
    StartTimeoutError,
    child,
    dynamic,
    grace,
    supervisor,
)
from regrow._core.specs import RestartType

from .trees import Boom, Child, Story, open_tree, virtual


class Slow(Actor):
    """Does not come up by itself."""

    def __init__(self, story: Story) -> None:
        self.story = story

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        try:
            await trio.sleep_forever()
            yield
        finally:
            self.story.note("first half is cut")


async def listening(*, task_status: trio.TaskStatus[str]) -> None:
    await trio.sleep(1)
    task_status.started("whatever it says")
    await trio.sleep_forever()


async def silent(story: Story, *, task_status: trio.TaskStatus[object]) -> None:
    try:
        await trio.sleep_forever()
    finally:
        story.note("silent is cut")


# ------------------------------------------------------------------------- being up


@virtual
async def test_each_child_starts_when_the_one_before_it_is_up() -> None:
    story = Story()

    async def at_once() -> None:
        story.note("at_once runs")
        await trio.sleep_forever()

    spec = supervisor(
        "root",
        child(partial(Child, setup=2), story, name="a"),
        child(listening),
        child(at_once),
        supervisor("sub", child(partial(Child, setup=1), story, name="b")),
        dynamic("pool"),
        child(Actor, name="c"),
    )
    async with open_tree(spec, observers=[story]):
        story.note("block")
    up = [
        line for line in story.timed if "shutdown" not in line and "clean" not in line
    ]
    at_once_runs = up.index(
        "3 at_once runs"
    )  # a service may run before the next is made
    assert at_once_runs > up.index("3 root/at_once 1 up")
    del up[at_once_runs]
    assert up == [
        "0 root/a sets up",
        "2 root/a 1 up",
        "3 root/listening 1 up",
        "3 root/at_once 1 up",
        "3 root/sub/b sets up",
        "4 root/sub/b 1 up",
        "4 root/sub 1 up",
        "4 root/pool 1 up",
        "4 root/c 1 up",
        "4 root 1 up",
        "4 block",
    ]


@virtual
async def test_started_twice_is_the_services_mistake() -> None:
    async def eager(*, task_status: trio.TaskStatus[object]) -> None:
        task_status.started()
        await trio.lowlevel.checkpoint()
        with pytest.raises(RuntimeError, match="called 'started' twice"):
            task_status.started()
        await trio.sleep_forever()

    story = Story()
    async with open_tree(supervisor("root", child(eager)), observers=[story]):
        await trio.testing.wait_all_tasks_blocked()
    assert story.lines == [
        "root/eager 1 up",
        "root 1 up",
        "root/eager 1 shutdown when told",
        "root 1 shutdown when told",
    ]


# ---------------------------------------------------------------------- failed starts


@virtual
async def test_what_fails_before_a_child_is_up_fails_the_start() -> None:
    def no_actor() -> Actor:
        return "a string"  # type: ignore[return-value]  # the mistake under test

    class Constructor(Actor):
        def __init__(self) -> None:
            raise Boom

    class FirstHalf(Actor):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            raise Boom
            yield

    class NoYield(Actor):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            return
            yield

    class Undecorated(Actor):
        async def lifespan(self) -> AsyncGenerator[None]:  # type: ignore[override]
            yield

    class Stopping(Actor):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            raise Shutdown
            yield

    async def service(*, task_status: trio.TaskStatus[object]) -> None:
        raise Boom

    table: list[tuple[Any, type[Exception]]] = [
        (Constructor, Boom),
        (FirstHalf, Boom),
        (NoYield, RuntimeError),
        (Undecorated, TypeError),
        (Stopping, Shutdown),
        (service, Boom),
        (no_actor, NotAnActorError),
    ]
    for factory, error in table:
        story = Story()
        failing: AnySpec = child(factory, name="x")
        spec = supervisor(
            "root", child(Actor, name="a"), failing, child(Actor, name="b")
        )
        with pytest.raises(StartFailedError) as failed:
            async with open_tree(spec, observers=[story]):
                raise AssertionError
        assert type(failed.value.__cause__) is error
        assert story.lines == [
            "root/a 1 up",
            f"root/x 1 not started: {error.__name__}",
            "root/a 1 shutdown when told",
            "root 1 not started: StartFailedError",
        ]


@virtual
async def test_the_error_for_what_is_no_actor_tells_what_came() -> None:
    def no_actor() -> Actor:
        return 5  # type: ignore[return-value]  # the mistake under test

    with pytest.raises(StartFailedError) as failed:
        async with open_tree(supervisor("root", child(no_actor))):
            raise AssertionError
    assert str(failed.value.__cause__) == (
        "the factory of 'root/no_actor' gave 5, which is no Actor. Let it return an "
        "instance of an Actor class, or pass an async function for a service."
    )


# --------------------------------------------------------------------- start_timeout


@virtual
async def test_a_start_that_takes_too_long_is_cancelled_and_fails() -> None:
    story = Story()
    slow = child(Slow, story, start_timeout=2)
    spec = supervisor("root", child(Actor, name="a"), slow)
    with pytest.raises(StartFailedError) as failed:
        async with open_tree(spec, observers=[story]):
            raise AssertionError
    cause = failed.value.__cause__
    assert isinstance(cause, StartTimeoutError)
    assert (cause.path, cause.seconds) == ("root/slow", 2)
    assert str(cause) == (
        "'root/slow' was not up within its start_timeout of 2 s. Raise start_timeout, do "
        "less before the child is up, or see that a service calls task_status.started()."
    )
    assert story.timed == [
        "0 root/a 1 up",
        "2 first half is cut",
        "2 root/slow 1 not started: StartTimeoutError",
        "2 root/a 1 shutdown when told",
        "2 root 1 not started: StartFailedError",
    ]


@virtual
async def test_services_and_supervisors_have_a_start_timeout_too() -> None:
    story = Story()
    for slow in (
        child(silent, story, start_timeout=2, name="x"),
        supervisor("x", child(Actor, name="up"), child(silent, story), start_timeout=2),
    ):
        with pytest.raises(StartFailedError) as failed:
            async with open_tree(supervisor("root", slow), observers=[story]):
                raise AssertionError
        assert isinstance(failed.value.__cause__, StartTimeoutError)
    assert story.timed == [
        "2 silent is cut",
        "2 root/x 1 not started: StartTimeoutError",
        "2 root 1 not started: StartFailedError",
        "2 root/x/up 1 up",
        "4 silent is cut",
        "4 root/x/silent 1 not started: StartCancelledError",
        "4 root/x/up 1 shutdown when told",
        "4 root/x 1 not started: StartTimeoutError",
        "4 root 1 not started: StartFailedError",
    ]


@virtual
async def test_a_child_that_is_up_in_time_is_not_timed_any_more() -> None:
    story = Story()
    spec = supervisor(
        "root",
        child(listening, start_timeout=1.5),
        child(partial(Child, setup=1), story, name="a", start_timeout=1.5),
        start_timeout=2.5,
    )
    async with open_tree(spec, observers=[story]):
        story.forget()
        await trio.sleep(10)
    assert story.timed == [
        "12 root/a cleans up",
        "12 root/a is clean",
        "12 root/a 1 shutdown when told",
        "12 root/listening 1 shutdown when told",
        "12 root 1 shutdown when told",
    ]


@virtual
async def test_a_start_that_is_given_up_has_its_seconds_to_clean_up() -> None:
    story = Story()

    async def stubborn(seconds: float, *, task_status: trio.TaskStatus[object]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with grace():
                await trio.sleep(seconds)
                story.note("is clean")

    for shutdown in (5, 1, 0):
        slow = child(stubborn, 3, name="x", start_timeout=1, shutdown=shutdown)
        with pytest.raises(StartFailedError) as failed:
            async with open_tree(supervisor("root", slow), observers=[story]):
                raise AssertionError
        assert isinstance(failed.value.__cause__, StartTimeoutError)
    assert story.timed == [
        "4 is clean",
        "4 root/x 1 not started: StartTimeoutError",
        "4 root 1 not started: StartFailedError",
        "6 root/x 1 not started: StartTimeoutError",
        "6 root 1 not started: StartFailedError",
        "7 root/x 1 not started: StartTimeoutError",
        "7 root 1 not started: StartFailedError",
    ]


@virtual
async def test_a_child_that_says_it_is_up_when_its_start_was_given_up_is_not() -> None:
    story = Story()

    async def late(*, task_status: trio.TaskStatus[object]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            task_status.started()
            story.note("said started")

    async def returning(*, task_status: trio.TaskStatus[object]) -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            story.note("returns")

    class Swallowing(Child):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                story.note("swallowed")
            yield
            story.note("second half")

    for slow in (
        child(late, name="x", start_timeout=1),
        child(returning, name="x", start_timeout=1),
        child(Swallowing, story, name="x", start_timeout=1),
    ):
        story.forget()
        with pytest.raises(StartFailedError) as failed:
            async with open_tree(supervisor("root", slow), observers=[story]):
                raise AssertionError
        assert isinstance(failed.value.__cause__, StartTimeoutError)
        said, end = story.lines[:-2], story.lines[-2:]
        assert said in (["said started"], ["returns"], ["swallowed", "second half"])
        assert end == [
            "root/x 1 not started: StartTimeoutError",
            "root 1 not started: StartFailedError",
        ]


@virtual
async def test_in_a_stop_neither() -> None:
    """What is late in a start that a stop has cancelled is a cancelled start."""
    story = Story()

    async def late(*, task_status: trio.TaskStatus[object]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            task_status.started()
            with grace():
                await trio.sleep(1)

    async def returning(*, task_status: trio.TaskStatus[object]) -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            return

    for slow in (child(late, name="x"), child(returning, name="x")):
        story.forget()
        with trio.move_on_after(1):
            async with open_tree(supervisor("root", slow), observers=[story]):
                raise AssertionError
        assert story.lines == [
            "root/x 1 not started: StartCancelledError",
            "root 1 not started: StartCancelledError",
        ]


@virtual
async def test_a_restart_that_takes_too_long_is_a_failed_attempt() -> None:
    story = Story()
    lives: list[int] = []

    class SlowAgain(Child):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            lives.append(len(lives))
            await trio.sleep(0 if len(lives) in {1, 4} else math.inf)
            yield

    x = child(SlowAgain, story, name="x", start_timeout=1)
    spec = supervisor("root", x, intensity=3, period=60)
    async with open_tree(spec, observers=[story]) as tree:
        story.forget()
        await tree[x].cast(Child.boom)
        assert await tree[x].call(Child.ping) == "pong"
    assert story.timed == [
        "0 root/x 1 dead letter boom: crashed the actor (Boom)",
        "0 root/x 1 crashed: Boom",
        "0 root/x 1 restarting",
        "1 root/x 2 not started: StartTimeoutError",
        "1 root/x 2 restarting",
        "2 root/x 3 not started: StartTimeoutError",
        "2 root/x 3 restarting",
        "2 root/x 4 up",
        "2 root/x 4 shutdown when told",
        "2 root 1 shutdown when told",
    ]


@virtual
async def test_a_start_child_whose_caller_gives_up_is_undone() -> None:
    story = Story()
    async with open_tree(dynamic("root"), observers=[story]) as tree:
        with trio.move_on_after(1):
            await tree.supervisor("root").start_child(child(Slow, story))
        await trio.sleep(1)
        assert tree.snapshot().children == ()
    assert story.timed == [
        "0 root 1 up",
        "1 first half is cut",
        "1 root/slow-1 1 not started: StartCancelledError",
        "2 root 1 shutdown when told",
    ]


# ------------------------------------------------------------------------ IgnoreStart


class Ignoring(Actor):
    def __init__(self, where: str) -> None:
        self.where = where
        if where == "constructor":
            raise IgnoreStart

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        if self.where == "lifespan":
            raise IgnoreStart
        if self.where == "group":
            raise ExceptionGroup("all", [IgnoreStart(), IgnoreStart()])
        yield

    def ignore(self) -> None:
        raise IgnoreStart


async def returning(*, task_status: trio.TaskStatus[object]) -> None:
    await trio.lowlevel.checkpoint()


async def ignoring(*, task_status: trio.TaskStatus[object]) -> None:
    raise IgnoreStart


def ignored(how: str, restart: RestartType) -> AnySpec:
    """Declare a child that does not start, in one of the ways."""
    if how == "returning":
        return child(returning, name="x", restart=restart)
    if how == "ignoring":
        return child(ignoring, name="x", restart=restart)
    return child(Ignoring, how, name="x", restart=restart)


IGNORED = ["constructor", "lifespan", "group", "returning", "ignoring"]


@pytest.mark.parametrize("how", IGNORED)
@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@virtual
async def test_a_child_that_chooses_not_to_run(how: str, restart: RestartType) -> None:
    story = Story()
    x = ignored(how, restart)
    spec = supervisor("root", child(Actor, name="a"), x, child(Actor, name="b"))
    async with open_tree(spec, observers=[story]) as tree:
        children = await tree.supervisor("root").which_children()
        kept = [] if restart == "temporary" else [("x", "stopped")]
        assert [(info.name, info.status) for info in children] == [
            ("a", "running"),
            *kept,
            ("b", "running"),
        ]
        with trio.fail_after(1):
            await tree[x].wait_stopped()
    assert story.lines == [
        "root/a 1 up",
        "root/x 1 child ignored",
        "root/b 1 up",
        "root 1 up",
        "root/b 1 shutdown when told",
        "root/a 1 shutdown when told",
        "root 1 shutdown when told",
    ]
    assert story.closed == ["root/x", "root/b", "root/a", "root"]


@pytest.mark.parametrize("how", IGNORED)
@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@virtual
async def test_start_child_of_one_that_chooses_not_to_run(
    how: str, restart: RestartType
) -> None:
    static, pool = supervisor("static"), dynamic("pool")
    async with open_tree(supervisor("root", static, pool)) as tree:
        for above, kept in ((static, restart != "temporary"), (pool, False)):
            ref = await tree[above].start_child(ignored(how, restart))
            with trio.fail_after(1):
                await ref.wait_stopped()
            counts = await tree[above].count_children()
            assert (counts.specs, counts.active) == (int(kept), 0)


@virtual
async def test_a_call_to_one_that_chose_not_to_run_is_refused() -> None:
    x = child(Ignoring, "lifespan", name="x")
    async with open_tree(supervisor("root", x)) as tree:
        with pytest.raises(ActorStoppedError):
            await tree[x].call(Ignoring.ignore)


@virtual
async def test_ignoring_a_restart_keeps_it_down() -> None:
    story = Story()
    lives: list[int] = []

    class Once(Child):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            lives.append(1)
            if len(lives) > 1:
                raise IgnoreStart
            yield

    x = child(Once, story, name="x")
    async with open_tree(supervisor("root", x), observers=[story]) as tree:
        story.forget()
        await tree[x].cast(Child.boom)
        with pytest.raises(ActorStoppedError):
            await tree[x].call(Child.ping)
        assert tree.snapshot().find("root/x").status == "stopped"
    assert story.lines == [
        "root/x 1 dead letter boom: crashed the actor (Boom)",
        "root/x 1 crashed: Boom",
        "root/x 1 restarting",
        "root/x 2 child ignored",
        "root 1 shutdown when told",
    ]


@virtual
async def test_to_ignore_the_start_when_it_is_over_is_a_crash() -> None:
    story = Story()
    x = child(Ignoring, "nowhere", name="x", restart="temporary")
    async with open_tree(supervisor("root", x), observers=[story]) as tree:
        await tree[x].cast(Ignoring.ignore)
        await tree[x].wait_stopped()
    assert "root/x 1 crashed: IgnoreStart" in story.lines


@virtual
async def test_timers_of_a_start_that_failed_die_with_it() -> None:
    lives: list[int] = []

    class Timed(Child):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            lives.append(1)
            self.send_after(1, Child.ping)
            if len(lives) > 1:
                raise Boom
            yield

    x = child(Timed, Story(), name="x", backoff=Backoff(initial=10, jitter=0))
    async with open_tree(supervisor("root", x)) as tree:
        await tree[x].cast(Child.boom)
        await trio.sleep(15)
        assert len(lives) == 2
        assert tree.snapshot().find("root/x").waiting == 0
