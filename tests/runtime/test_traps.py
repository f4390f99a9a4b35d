"""The traps that reimplementations of supervision fall into, in living trees.

Those that the step machine alone can fall into are in tests/core.
"""

from __future__ import annotations

import gc
import logging
import math
import weakref
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Literal

import pytest
import trio
import trio.testing
from attrs import frozen

from regrow import (
    Actor,
    ActorCrashedError,
    AnySpec,
    Backoff,
    CallCycleError,
    ChildExited,
    ChildRestarting,
    ChildStarted,
    Event,
    Shutdown,
    Supervisor,
    SupervisorRef,
    Tree,
    child,
    dynamic,
    grace,
    supervisor,
)
from regrow._core.specs import RestartType, Strategy

from .trees import Boom, Child, Story, Tasks, open_tree, play, service, virtual

RESTARTS: tuple[RestartType, ...] = ("permanent", "transient", "temporary")


# -------------------------------------------------------------------------- T9, T11, T12


@pytest.mark.parametrize(
    ("restart", "significant", "expected"),
    [
        (
            "permanent",
            False,
            ["root/sub 1 restarting", "root/sub/x 2 up", "root/sub 2 up"],
        ),
        (
            "transient",
            False,
            ["root/sub 1 restarting", "root/sub/x 2 up", "root/sub 2 up"],
        ),
        ("temporary", False, []),
        (
            "transient",
            True,
            ["root/sub 1 restarting", "root/sub/x 2 up", "root/sub 2 up"],
        ),
        ("temporary", True, ["root 1 shuts down after sub"]),
    ],
)
@virtual
async def test_t9_an_escalation_is_a_crash_for_the_supervisor_above(
    restart: RestartType, significant: bool, expected: list[str]
) -> None:
    story = Story()
    x = child(Crasher, name="x")
    sub = supervisor("sub", x, intensity=0, restart=restart, significant=significant)
    spec = supervisor(
        "root", sub, auto_shutdown="any_significant" if significant else "never"
    )
    async with open_tree(spec, observers=[story]) as tree:
        story.forget()
        tree[x].cast_nowait(Crasher.boom)
        await trio.sleep(1)
        story.note("later")
    lines = story.lines[: story.lines.index("later")]
    if significant and restart == "temporary":
        expected = [*expected, "root 1 shutdown"]
    assert lines == [
        "root/sub/x 1 dead letter boom: crashed the actor (Boom)",
        "root/sub/x 1 crashed: Boom",
        "root/sub 1 gives up",
        "root/sub 1 crashed: RestartLimitExceededError",
        *expected,
    ]


class Crasher(Actor):
    def boom(self) -> None:
        raise Boom


@virtual
async def test_t11_a_crash_in_the_moment_of_being_up_is_one_of_a_running_child() -> (
    None
):
    story = Story()
    lives: list[int] = []

    async def hasty(*, task_status: trio.TaskStatus[object]) -> None:
        lives.append(1)
        task_status.started()
        if len(lives) == 1:
            raise Boom
        await trio.sleep_forever()

    spec = supervisor("root", child(hasty), child(Actor, name="b"))
    async with open_tree(spec, observers=[story]) as tree:
        await trio.testing.wait_all_tasks_blocked()
        # As an added child: its starter gets no exception either.
        lives.clear()
        ref = await tree.supervisor("root").start_child(child(hasty, name="added"))
        assert ref.path == "root/added"
        await trio.testing.wait_all_tasks_blocked()
    assert story.lines == [
        "root/hasty 1 up",
        "root/hasty 1 crashed: Boom",
        "root/b 1 up",
        "root 1 up",
        "root/hasty 1 restarting",
        "root/hasty 2 up",
        "root/added 1 up",
        "root/added 1 crashed: Boom",
        "root/added 1 restarting",
        "root/added 2 up",
        "root/added 2 shutdown when told",
        "root/b 1 shutdown when told",
        "root/hasty 2 shutdown when told",
        "root 1 shutdown when told",
    ]


@virtual
async def test_t11_a_service_without_task_status_that_raises_at_once() -> None:
    lives: list[int] = []

    async def hasty() -> None:
        lives.append(1)
        if len(lives) == 1:
            raise Boom
        await trio.sleep_forever()

    async with open_tree(supervisor("root", child(hasty), intensity=1)):
        await trio.testing.wait_all_tasks_blocked()
    assert len(lives) == 2


@pytest.mark.parametrize("restart", RESTARTS)
@virtual
async def test_t12_ignoring_a_start_or_a_restart_is_neither_crash_nor_hang(
    restart: RestartType,
) -> None:
    lives: list[int] = []

    async def second_time(*, task_status: trio.TaskStatus[object]) -> None:
        lives.append(1)
        if len(lives) % 2:
            return
        task_status.started()
        raise Boom

    static, pool = supervisor("static", intensity=9), dynamic("pool", intensity=9)
    async with open_tree(supervisor("root", static, pool)) as tree:
        for above in (static, pool):
            lives.clear()
            for _ in range(2):  # ignored at once, then up, crashed, ignored
                spec = child(second_time, restart=restart, name=f"x{len(lives)}")
                ref = await tree[above].start_child(spec)
                with trio.fail_after(1):
                    await ref.wait_stopped()
            kept = restart != "temporary" and above is static
            counts = await tree[above].count_children()
            assert (counts.specs, counts.active) == (2 * kept, 0)
            # A temporary one is not tried again after its crash.
            assert len(lives) == (2 if restart == "temporary" else 3)


# ----------------------------------------------------------------------- T14, T15, T16


@virtual
async def test_t14_each_is_dead_before_the_next_is_told_whatever_its_cleanup_does() -> (
    None
):
    story = Story()

    class Raising(Child):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            yield
            story.note("raising is told")
            await trio.sleep(1)
            raise Boom

    spec = supervisor(
        "root",
        child(partial(Child, cleanup=1), story, name="first"),
        child(
            partial(service, story, "overrunning", cleanup=9), shutdown=2, name="over"
        ),
        child(Raising, story),
        child(partial(Child, cleanup=1), story, name="last"),
    )
    async with open_tree(spec, observers=[story]):
        await trio.testing.wait_all_tasks_blocked()
        story.forget()
    assert story.timed == [
        "0 root/last cleans up",
        "1 root/last is clean",
        "1 root/last 1 shutdown when told",
        "1 raising is told",
        "2 root/raising 1 crashed when told: Boom",
        "2 overrunning cleans up",
        "4 root/over 1 killed when told, unexpected",
        "4 root/first cleans up",
        "5 root/first is clean",
        "5 root/first 1 shutdown when told",
        "5 root 1 shutdown when told",
    ]


Reason = Literal["normal", "shutdown", "crash", "group"]


class Dying(Child):
    """Ends by itself when it hears of a stop, or just before."""

    def die(self, reason: Reason) -> None:
        match reason:
            case "normal":
                self.stop()
            case "shutdown":
                raise Shutdown
            case "crash":
                raise Boom
            case "group":
                raise ExceptionGroup("", [Boom(), Shutdown()])


REASONS: tuple[Reason, ...] = ("normal", "shutdown", "crash", "group")


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@virtual
async def test_t15_deaths_of_their_own_while_the_supervisor_stops(
    strategy: Strategy,
) -> None:
    """Each restart type with each reason: all end, none is restarted, none counts."""
    story = Story()
    dying = {
        child(Dying, story, name=f"{restart}-{reason}", restart=restart): reason
        for restart in RESTARTS
        for reason in REASONS
    }
    last = child(partial(Child, cleanup=1), story, name="last")
    spec = supervisor("root", *dying, last, strategy=strategy, intensity=0)
    async with open_tree(spec, observers=[story]) as tree:
        story.forget()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tree.stop)
            await trio.sleep(0.5)
            for each, reason in dying.items():
                tree[each].cast_nowait(Dying.die, reason)
    ended = {
        "normal": "normal",
        "shutdown": "shutdown",
        "crash": "crashed: Boom",
        "group": "crashed: ExceptionGroup",
    }
    lines = [line for line in story.timed if " 1 " in line and "dead" not in line]
    assert sorted(lines[:12]) == sorted(
        f"0.5 root/{each.name} 1 {ended[reason]}" for each, reason in dying.items()
    )
    assert lines[12:] == [
        "1 root/last 1 shutdown when told",
        "1 root 1 shutdown when told",
    ]


@virtual
async def test_t15_in_a_dynamic_supervisor_all_are_told_at_once() -> None:
    story = Story()
    async with open_tree(dynamic("root", intensity=0), observers=[story]) as tree:
        for restart in RESTARTS:
            for reason in REASONS:
                spec = child(DyingAtTheEnd, story, reason, restart=restart)
                await tree.supervisor("root").start_child(spec)
        story.forget()
    reasons = [event.reason.value for event in story.of(ChildExited)]
    assert sorted(reasons) == ["crashed"] * 6 + ["shutdown"] * 7
    assert all(line.startswith("0 ") for line in story.timed)
    assert story.lines[-1] == "root 1 shutdown when told"


class DyingAtTheEnd(Dying):
    def __init__(self, story: Story, reason: Reason) -> None:
        super().__init__(story)
        self.reason = reason

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        yield
        if self.reason != "normal":
            self.die(self.reason)


@virtual
async def test_t15_no_crash_of_the_moment_of_the_stop_restarts_anything() -> None:
    for steps in range(8):
        story = Story()
        x = child(Crasher, name="x")
        sub = supervisor("sub", x, child(Actor, name="y"), strategy="one_for_all")
        async with open_tree(supervisor("root", sub), observers=[story]) as tree:
            tree[x].cast_nowait(Crasher.boom)
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            block_ends(tree, story)
        stopped_once(story)


@virtual
async def test_t16_a_cleanup_may_wait_within_its_seconds_and_not_longer() -> None:
    story = Story()

    class Waiting(Actor):
        def __init__(self, name: str) -> None:
            self.name = name

        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            try:
                yield
            finally:
                await waits(self.name)

    async def serving(name: str) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with grace():
                await waits(name)

    async def waits(name: str) -> None:
        try:
            story.note(f"{name} cleans up")
            await trio.sleep(0.1)
            story.note(f"{name} is clean")
        except trio.Cancelled:
            story.note(f"{name} is cut")
            raise

    specs: list[AnySpec] = []
    for number, shutdown in enumerate((1, 0.05, 0)):
        actor, task = f"actor {shutdown}", f"service {shutdown}"
        specs += [
            child(Waiting, actor, name=f"a{number}", shutdown=shutdown),
            child(serving, task, name=f"s{number}", shutdown=shutdown),
        ]
    spec = supervisor("root", *specs)
    async with open_tree(spec, observers=[story]):
        await trio.testing.wait_all_tasks_blocked()
        story.forget()
    assert [line for line in story.timed if "root" not in line] == [
        "0 service 0 cleans up",
        "0 service 0 is cut",
        "0 actor 0 cleans up",
        "0 actor 0 is cut",
        "0 service 0.05 cleans up",
        "0.05 service 0.05 is cut",
        "0.05 actor 0.05 cleans up",
        "0.1 actor 0.05 is cut",
        "0.1 service 1 cleans up",
        "0.2 service 1 is clean",
        "0.2 actor 1 cleans up",
        "0.3 actor 1 is clean",
    ]


# ------------------------------------------------------------------------------- T17


def troubled(story: Story) -> Supervisor:
    """A tree in which something is always being started, restarted, or waited for."""
    lives: list[int] = []

    class Late(Child):
        """Fails its second and third start."""

        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            lives.append(1)
            await trio.sleep(0.1)
            if len(lives) in {2, 3}:
                raise Boom
            yield
            await trio.sleep(0.1)

    return supervisor(
        "root",
        child(partial(Child, setup=0.1, cleanup=0.1), story, name="a"),
        supervisor(
            "group",
            child(Child, story, name="b"),
            child(Late, story),
            child(Child, story, name="c"),
            strategy="one_for_all",
            intensity=9,
        ),
        child(Child, story, name="d", backoff=Backoff(initial=1, jitter=0)),
        dynamic("pool"),
    )


async def trouble(tree: Tree, story: Story) -> None:
    tree.ref("root/group/b", Child).cast_nowait(Child.boom)
    tree.ref("root/d", Child).cast_nowait(Child.boom)
    pool = tree.supervisor("root/pool")
    slow = child(partial(Child, setup=0.1, cleanup=0.1), story, name="e")
    await pool.start_child(slow)
    await pool.terminate_child("e")
    await tree.supervisor("root/group").terminate_child("c")
    await tree.ref("root/d", Child).call(Child.ping)
    await tree.ref("root/group/b", Child).call(Child.ping)


@pytest.mark.parametrize("part", range(4))
def test_t17_cancelled_at_every_step(part: int) -> None:
    async def main(story: Story, scope: trio.CancelScope) -> None:
        with scope:
            async with open_tree(troubled(story), observers=[story]) as tree:
                try:
                    await trouble(tree, story)
                finally:
                    block_ends(tree, story)

    tasks = Tasks()
    whole = Story()
    play(partial(main, whole, trio.CancelScope()), instruments=[tasks])
    for needed in ("root/group/late 2 not started: Boom", "root/d 2 up"):
        assert needed in whole.lines
    cancelled = 0
    for step in range(1 + part, tasks.steps + 1, 4):
        story = Story()
        scope = trio.CancelScope()
        tree = Tasks("tree ")
        tree.at = {step: scope.cancel}
        play(partial(main, story, scope), instruments=[tree])
        assert tree.left() == []
        cancelled += scope.cancelled_caught
        stopped_once(story)
    assert cancelled > tasks.steps // 8


@frozen
class BlockEnds(Event):
    """Stands in the story where the stop is decided; has the latest incarnations."""

    incarnations: dict[str, int]


def block_ends(tree: Tree, story: Story) -> None:
    known = {place.path: place.incarnation for place in tree.snapshot().walk()}
    story.events.append(BlockEnds("", 0, trio.current_time(), known))


def stopped_once(story: Story) -> None:
    """Every life that was up has ended once, and none is begun after the decision."""
    begun = sorted(f"{e.path} {e.incarnation}" for e in story.of(ChildStarted))
    ended = sorted(f"{e.path} {e.incarnation}" for e in story.of(ChildExited))
    assert begun == ended
    assert len(set(ended)) == len(ended)
    for decision in story.of(BlockEnds):
        for event in story.events[story.events.index(decision) :]:
            assert not isinstance(event, ChildRestarting)
            if isinstance(event, ChildStarted):  # its start was under way
                assert event.incarnation == decision.incarnations[event.path]


# ------------------------------------------------------------------------------- T18


@virtual
async def test_t18_a_group_of_shutdown_only_is_clean_a_mixed_one_is_a_crash() -> None:
    story = Story()

    async def raising(group: BaseException) -> None:
        raise group

    clean = ExceptionGroup("", [Shutdown(), ExceptionGroup("", [Shutdown()])])
    mixed = ExceptionGroup("", [Shutdown(), Boom()])
    spec = supervisor(
        "root",
        child(raising, clean, name="clean", restart="transient"),
        child(raising, mixed, name="mixed", restart="temporary"),
    )
    async with open_tree(spec, observers=[story]):
        await trio.testing.wait_all_tasks_blocked()
    assert sorted(story.lines[:-1]) == [
        "root 1 up",
        "root/clean 1 shutdown",
        "root/clean 1 up",
        "root/mixed 1 crashed: ExceptionGroup",
        "root/mixed 1 up",
    ]


def test_t18_keyboard_interrupt_in_a_child_ends_the_program() -> None:
    async def interrupted() -> None:
        await trio.sleep(1)
        raise KeyboardInterrupt

    async def main() -> None:
        async with open_tree(supervisor("root", child(interrupted), intensity=9)):
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        play(main)


# -------------------------------------------------------------------- T20, T21, T24, T25


@virtual
async def test_t20_queued_calls_are_answered_by_the_replacement() -> None:
    x = child(Child, Story(), name="x")
    ends: list[str] = []

    async def call(number: int) -> None:
        try:
            if number:
                await tree[x].call(Child.ping)
            else:
                await tree[x].call(Child.boom)
            ends.append(f"{number} answered")
        except ActorCrashedError:
            ends.append(f"{number} crashed")

    async with open_tree(supervisor("root", x)) as tree, trio.open_nursery() as nursery:
        await tree[x].cast(Child.sleep, 1)
        for number in range(3):
            nursery.start_soon(call, number)
            await trio.testing.wait_all_tasks_blocked()
    assert sorted(ends) == ["0 crashed", "1 answered", "2 answered"]


@virtual
async def test_t21_a_late_answer_does_not_answer_the_next_call() -> None:
    x = child(Child, Story(), name="x")
    async with open_tree(supervisor("root", x)) as tree:
        with trio.move_on_after(1) as scope:
            await tree[x].call(Child.sleep, 2)
        assert scope.cancelled_caught
        assert await tree[x].call(Child.ping) == "pong"
        assert trio.current_time() == 2
        assert await tree[x].call(Child.sleep, 1) == "slept"


@pytest.mark.parametrize("half", ["first", "second"])
@virtual
async def test_t24_a_child_that_asks_its_own_supervisor_while_it_starts_or_stops(
    half: str,
) -> None:
    story = Story()

    class Asking(Actor):
        def __init__(self, above: SupervisorRef) -> None:
            self.above = above

        async def ask(self) -> None:
            try:
                await self.above.count_children()
            except CallCycleError as error:
                story.note(" -> ".join(error.circle))

        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            if half == "first":
                await self.ask()
            yield
            if half == "second":
                await self.ask()

    pool = dynamic("pool")
    with trio.fail_after(1):
        async with open_tree(supervisor("root", pool)) as tree:
            await tree[pool].start_child(child(Asking, tree[pool], name="x"))
            await tree[pool].terminate_child("x")
    assert story.lines == ["root/pool/x -> root/pool"]


@virtual
async def test_t25_a_stop_is_heard_while_a_child_starts_for_ever() -> None:
    story = Story()
    never = child(partial(Child, setup=math.inf), story, name="never")
    sub = supervisor("sub", child(Actor, name="a"))
    async with (
        open_tree(supervisor("root", sub), observers=[story]) as tree,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(ask_in_vain, tree[sub], never)
        await trio.sleep(1)
        story.forget()
        await tree.supervisor("root").terminate_child("sub")
        story.note("terminated")
    assert story.timed == [
        "1 root/sub/never 1 not started: StartCancelledError",
        "1 root/sub/a 1 shutdown when told",
        "1 root/sub 1 shutdown when told",
        "1 terminated",
        "1 root 1 shutdown when told",
    ]


async def ask_in_vain(above: SupervisorRef, spec: AnySpec) -> None:
    with pytest.raises(Exception, match="was told to stop"):
        await above.start_child(spec)


# ------------------------------------------------------------------------------- T23


@virtual
async def test_t23_churned_children_leave_nothing_behind() -> None:
    class Argument:
        pass

    class Holding(Actor):
        def __init__(self, argument: Argument) -> None:
            self.argument = argument

        def end(self) -> None:
            self.stop()

    async def churn(pool: SupervisorRef, times: int) -> list[weakref.ref[Argument]]:
        held = []
        for _ in range(times):
            argument = Argument()
            held.append(weakref.ref(argument))
            spec = child(Holding, argument, restart="temporary")
            ref = await pool.start_child(spec)
            await ref.call(Holding.end)
            await ref.wait_stopped()
        return held

    def everything(tree: Tree) -> dict[str, int]:
        host = tree._running.host
        return {
            "specs": len(host.by_spec),
            "supervisors": len(host.supervisors),
            "tasks": len(host.lives.tasks),
            "timers": len(host.timers._heap) // 200,
        }

    async with open_tree(dynamic("root")) as tree:
        pool = tree.supervisor("root")
        before = everything(tree)
        held = await churn(pool, 2000)
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        assert [ref for ref in held[:-1] if ref() is not None] == []
        assert everything(tree) == before
        assert tree.snapshot().children == ()


@virtual
async def test_t23_a_child_that_is_gone_is_not_kept_by_its_exceptions(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A crash has the frames of the actor in its traceback; nobody keeps it for long."""
    caplog.set_level(logging.CRITICAL, "regrow")  # pytest keeps what is logged

    class Heavy(Actor):
        def boom(self) -> None:
            raise Boom

    actors: list[weakref.ref[Actor]] = []

    def factory() -> Heavy:
        actor = Heavy()
        actors.append(weakref.ref(actor))
        return actor

    x = child(factory, name="x")
    async with open_tree(supervisor("root", x, intensity=50, period=1)) as tree:
        for _ in range(10):
            await trio.sleep(2)
            tree[x].cast_nowait(Heavy.boom)
        await trio.sleep(2)
        gc.collect()
        alive = [ref for ref in actors if ref() is not None]
        # The one that runs, and the last crash inside the window.
        assert len(alive) <= 2
