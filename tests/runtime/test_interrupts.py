"""KeyboardInterrupt, SystemExit and their like; a real SIGINT; Cancelled of others."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Never

import pytest
import trio
from trio.testing import MockClock

import regrow
from regrow import (
    Actor,
    ActorCrashedError,
    ActorInterruptedError,
    ChildExited,
    ChildStarted,
    Deferred,
    Event,
    RestartLimitExceededError,
    StartFailedError,
    Supervisor,
    Tree,
    child,
    dynamic,
    supervisor,
)
from regrow._core.specs import RestartType

from .trees import Boom, Child, Story, Tasks, open_tree, play, steps_of, virtual


class Odd(BaseException):
    """No Exception, and none of Python's own."""


FATAL = [KeyboardInterrupt, SystemExit, GeneratorExit, Odd]


# --------------------------------------------------------------------- out of a child


class Fragile(Actor):
    """Raises at one moment of its first life."""

    def __init__(self, moment: str, error: type[BaseException], story: Story) -> None:
        self.moment = moment
        self.error = error
        self.story = story
        self.at("constructor")

    def at(self, moment: str) -> None:
        if moment == self.moment:
            raise self.error

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        self.at("first half")
        try:
            yield
        finally:
            await trio.sleep(1)
            self.story.note("second half")
            self.at("second half")

    def handler(self) -> None:
        self.at("handler")

    async def slow_handler(self) -> None:
        await trio.sleep(1)
        self.at("slow handler")

    def end(self) -> None:
        self.stop()


@pytest.mark.parametrize("error", FATAL)
@pytest.mark.parametrize("moment", ["handler", "slow handler", "second half"])
@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
def test_what_is_no_exception_stops_the_tree_in_order_and_comes_out(
    moment: str, error: type[BaseException], restart: RestartType
) -> None:
    story = Story()
    fragile = child(Fragile, moment, error, story, restart=restart)
    before = child(Child, story, name="before")
    spec = supervisor(
        "root", before, supervisor("sub", fragile, strategy="one_for_all", intensity=9)
    )

    async def main() -> None:
        async with open_tree(spec, observers=[story]) as tree:
            ref = tree.ref("root/sub/fragile", Fragile)
            story.forget()
            match moment:
                case "handler":
                    with pytest.raises(ActorCrashedError) as crashed:
                        await ref.call(Fragile.handler)
                    assert type(crashed.value.__cause__) is error
                case "slow handler":
                    await ref.cast(Fragile.slow_handler)
                case _:
                    await ref.cast(Fragile.end)
            await trio.sleep_forever()

    with pytest.raises(error):
        play(main)
    # The stop is decided at once, so that a second half has no more than its seconds.
    told = "" if moment == "second half" else " when told"
    lines = [line for line in story.lines if "dead letter" not in line]
    assert lines == [
        "second half",
        f"root/sub/fragile 1 crashed{told}: {error.__name__}",
        "root/sub 1 shutdown when told",
        "root/before cleans up",
        "root/before is clean",
        "root/before 1 shutdown when told",
        "root 1 shutdown when told",
    ]


@pytest.mark.parametrize("error", FATAL)
@pytest.mark.parametrize("moment", ["constructor", "first half"])
def test_out_of_a_first_start_it_is_no_failed_start(
    moment: str, error: type[BaseException]
) -> None:
    story = Story()
    fragile = child(Fragile, moment, error, story)
    spec = supervisor("root", child(Child, story, name="before"), fragile)

    async def main() -> None:
        async with open_tree(spec, observers=[story]):
            raise AssertionError

    with pytest.raises(error):
        play(main)
    assert story.lines == [
        "root/before sets up",
        "root/before 1 up",
        f"root/fragile 1 not started: {error.__name__}",
        "root/before cleans up",
        "root/before is clean",
        "root/before 1 shutdown when told",
        "root 1 not started: StartCancelledError",
    ]


@pytest.mark.parametrize("error", FATAL)
@pytest.mark.parametrize("moment", ["constructor", "first half"])
def test_out_of_a_restart_it_is_not_tried_again(
    moment: str, error: type[BaseException]
) -> None:
    story = Story()
    lives: list[str] = []

    def second_is_fatal() -> Fragile:
        lives.append("life")
        if len(lives) == 1:
            return Fragile("handler", Boom, story)
        return Fragile(moment, error, story)

    spec = supervisor("root", child(second_is_fatal, name="fragile"), intensity=9)

    async def main() -> None:
        async with open_tree(spec, observers=[story]) as tree:
            await tree.ref("root/fragile", Fragile).cast(Fragile.handler)
            await trio.sleep_forever()

    with pytest.raises(error):
        play(main)
    assert len(lives) == 2
    assert story.lines[-3:] == [
        "root/fragile 1 restarting",
        f"root/fragile 2 not started: {error.__name__}",
        "root 1 shutdown when told",
    ]


@pytest.mark.parametrize("error", FATAL)
def test_out_of_start_child(error: type[BaseException]) -> None:
    story = Story()

    async def main() -> None:
        async with open_tree(dynamic("root"), observers=[story]) as tree:
            spec = child(Fragile, "first half", error, story)
            await tree.supervisor("root").start_child(spec)

    with pytest.raises(error):
        play(main)
    assert story.lines == [
        "root 1 up",
        f"root/fragile-1 1 not started: {error.__name__}",
        "root 1 shutdown when told",
    ]


@pytest.mark.parametrize("error", FATAL)
def test_out_of_a_service(error: type[BaseException]) -> None:
    story = Story()

    async def exiting() -> None:
        await trio.sleep(1)
        raise error

    async def in_a_nursery() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(exiting)
            nursery.start_soon(trio.sleep_forever)

    async def main(service: Callable[[], Coroutine[object, Never, None]]) -> None:
        spec = supervisor("root", child(service, name="x"))
        async with open_tree(spec, observers=[story]):
            await trio.sleep_forever()

    with pytest.raises(error):
        play(partial(main, exiting))
    lines = [
        "root/x 1 up",
        "root 1 up",
        f"root/x 1 crashed: {error.__name__}",
        "root 1 shutdown when told",
    ]
    assert story.lines == lines
    story.forget()
    with pytest.raises(BaseExceptionGroup) as group:
        play(partial(main, in_a_nursery))
    assert group.group_contains(error, depth=1)
    assert story.lines == [
        *lines[:2],
        "root/x 1 crashed: BaseExceptionGroup",
        lines[3],
    ]


@pytest.mark.parametrize("error", FATAL)
def test_out_of_the_block_it_stops_the_tree_in_order(
    error: type[BaseException],
) -> None:
    story = Story()

    async def main() -> None:
        spec = supervisor("root", child(partial(Child, cleanup=2), story, name="a"))
        async with open_tree(spec, observers=[story]):
            story.forget()
            raise error

    with pytest.raises(error):
        play(main)
    assert story.timed == [
        "0 root/a cleans up",
        "2 root/a is clean",
        "2 root/a 1 shutdown when told",
        "2 root 1 shutdown when told",
    ]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_an_observer_that_exits_the_program(error: type[BaseException]) -> None:
    story = Story()

    def observer(event: Event) -> None:
        if isinstance(event, ChildExited) and event.path == "root/a":
            raise error

    async def main() -> None:
        spec = supervisor(
            "root", child(Child, story, name="a"), child(Child, story, name="b")
        )
        async with open_tree(spec, observers=[observer, story]) as tree:
            story.forget()
            await tree.ref("root/a", Child).cast(Child.end)
            await trio.sleep_forever()

    with pytest.raises(error):
        play(main)
    assert story.lines == [
        "root/a cleans up",
        "root/a is clean",
        "root/a 1 normal",
        "root/b cleans up",
        "root/b is clean",
        "root/b 1 shutdown when told",
        "root 1 shutdown when told",
    ]


# ------------------------------------------------------------------------ a real SIGINT


def sigint() -> None:
    signal.raise_signal(signal.SIGINT)


@virtual
async def test_ctrl_c_in_the_text_of_a_handler_is_that_childs_exception() -> None:
    story = Story()
    spec = supervisor("root", child(partial(Child, cleanup=1), story, name="a"))
    with pytest.raises(KeyboardInterrupt):
        async with open_tree(spec, observers=[story]) as tree:
            story.forget()
            await tree.ref("root/a", Child).cast(Child.see, sigint)
            await trio.sleep_forever()
    assert [line for line in story.lines if "dead" not in line] == [
        "root/a cleans up",
        "root/a is clean",
        "root/a 1 crashed when told: KeyboardInterrupt",
        "root 1 shutdown when told",
    ]


class Watchful(Actor):
    """Notes where a Ctrl-C would not get through to what users write."""

    def __init__(self, deaf: dict[str, bool]) -> None:
        self.deaf = deaf
        self.note("constructor")

    def note(self, where: str) -> None:
        self.deaf[where] = trio.lowlevel.currently_ki_protected()

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        self.note("first half")
        try:
            yield
        finally:
            with regrow.grace():
                self.note("second half")

    def __redact__(self, name: str, value: object) -> object:
        self.note(f"redacting {name}")
        return value

    def __repr__(self) -> str:
        self.note("repr")
        return "itself"

    async def check_health(self) -> None:
        self.note("health check")

    async def work(self) -> None:
        self.note("handler")

    def boom(self, of: object) -> None:
        raise Boom


@virtual
async def test_ctrl_c_gets_through_to_whatever_users_write() -> None:
    deaf: dict[str, bool] = {}
    heartbeat = regrow.Heartbeat(every=1, timeout=1)
    watchful = child(Watchful, deaf, heartbeat=heartbeat)

    def observe(_: Event) -> None:
        deaf["observer"] = trio.lowlevel.currently_ki_protected()

    async with open_tree(supervisor("root", watchful), observers=[observe]) as tree:
        await tree[watchful].call(Watchful.work)
        await trio.sleep(1)
        with pytest.raises(ActorCrashedError):
            await tree[watchful].call(Watchful.boom, Watchful(deaf))
    assert deaf == dict.fromkeys(
        [
            "constructor",
            "first half",
            "observer",
            "handler",
            "health check",
            "redacting of",
            "repr",
            "second half",
        ],
        False,
    )


@virtual
async def test_ctrl_c_while_the_block_waits() -> None:
    story = Story()

    async def interrupting() -> None:
        await after_one(sigint)
        await trio.sleep_forever()

    slow = child(partial(Child, cleanup=1), story, name="a")
    with pytest.raises(KeyboardInterrupt):
        async with open_tree(
            supervisor("root", slow, child(interrupting)), observers=[story]
        ):
            story.forget()
            await trio.sleep_forever()
    assert story.timed == [
        "1 root/interrupting 1 shutdown when told",
        "1 root/a cleans up",
        "2 root/a is clean",
        "2 root/a 1 shutdown when told",
        "2 root 1 shutdown when told",
    ]


async def after_one(act: Callable[[], object]) -> None:
    # Protected, so that it is the main task that is interrupted.
    await trio.sleep(1)
    trio.lowlevel.enable_ki_protection(act)()


@virtual
async def test_ctrl_c_while_starting() -> None:
    story = Story()

    async def interrupting() -> None:
        await after_one(sigint)
        await trio.sleep_forever()

    slow = child(partial(Child, setup=5), story, name="b")
    spec = supervisor("root", child(interrupting), child(Child, story, name="a"), slow)
    with pytest.raises(KeyboardInterrupt):
        async with open_tree(spec, observers=[story]):
            raise AssertionError
    assert story.timed == [
        "0 root/interrupting 1 up",
        "0 root/a sets up",
        "0 root/a 1 up",
        "0 root/b sets up",
        "1 root/b 1 not started: StartCancelledError",
        "1 root/a cleans up",
        "1 root/a is clean",
        "1 root/a 1 shutdown when told",
        "1 root/interrupting 1 shutdown when told",
        "1 root 1 not started: StartCancelledError",
    ]


@virtual
async def test_ctrl_c_and_a_failing_start_both_come_out() -> None:
    async def failing(*, task_status: trio.TaskStatus[object]) -> None:
        await trio.sleep(1)
        raise Boom

    async def interrupting() -> None:
        """Strikes while the failed start is cleaned up."""
        try:
            await trio.sleep_forever()
        finally:
            with regrow.grace():
                await after_one(sigint)
                await trio.sleep(1)

    spec = supervisor("root", child(interrupting), child(failing))
    with pytest.raises(BaseExceptionGroup) as both:
        async with open_tree(spec):
            raise AssertionError
    assert [type(error) for error in both.value.exceptions] == [
        KeyboardInterrupt,
        StartFailedError,
    ]


@virtual
async def test_ctrl_c_while_stopping() -> None:
    story = Story()

    async def interrupting() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with regrow.grace():
                await after_one(sigint)
                await trio.sleep(1)

    slow = child(partial(Child, cleanup=2), story, name="a")
    spec = supervisor("root", slow, child(interrupting))
    with pytest.raises(KeyboardInterrupt) as out:
        async with open_tree(spec, observers=[story]):
            story.forget()
    assert out.value.__context__ is None
    assert story.timed == [
        "2 root/interrupting 1 shutdown when told",
        "2 root/a cleans up",
        "4 root/a is clean",
        "4 root/a 1 shutdown when told",
        "4 root 1 shutdown when told",
    ]


def test_ctrl_c_while_stopping_a_failed_tree_without_strict_groups() -> None:
    """The same comes out however the run wants its nurseries to raise."""

    async def crashing() -> None:
        await trio.sleep(1)
        raise Boom

    async def interrupting() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with regrow.grace():
                await after_one(sigint)
                await trio.sleep(1)

    async def main() -> None:
        spec = supervisor("root", child(interrupting), child(crashing), intensity=0)
        async with open_tree(spec):
            await trio.sleep_forever()

    with (
        pytest.warns(trio.TrioDeprecationWarning),
        pytest.raises(BaseExceptionGroup) as both,
    ):
        trio.run(
            main,
            clock=MockClock(autojump_threshold=0),
            strict_exception_groups=False,
        )
    assert [type(error) for error in both.value.exceptions] == [
        RestartLimitExceededError,
        KeyboardInterrupt,
    ]


def family(story: Story) -> Supervisor:
    """A tree with something of everything."""

    async def listening(*, task_status: trio.TaskStatus[object]) -> None:
        await trio.sleep(0.1)
        task_status.started()
        with regrow.grace():
            await trio.sleep(0.1)
        await trio.sleep_forever()

    return supervisor(
        "root",
        child(partial(Child, setup=0.1, cleanup=0.1), story, name="a"),
        child(listening),
        supervisor(
            "sub",
            child(partial(Child, cleanup=0.1), story, name="b"),
            child(Actor, name="c"),
            strategy="one_for_all",
        ),
        dynamic("pool"),
    )


async def work(tree: Tree, story: Story) -> None:
    """Call, crash and start something."""
    await tree.ref("root/a", Child).call(Child.ping)
    await tree.ref("root/sub/b", Child).cast(Child.boom)
    pool = tree.supervisor("root/pool")
    await pool.start_child(child(Child, story, name="d"))
    await tree.ref("root/sub/b", Child).call(Child.sleep, 1)


@pytest.mark.parametrize("part", range(4))
def test_sigint_at_every_step_of_start_run_and_stop(part: int) -> None:
    """Each step of the scheduler, in four parts, so that they can run side by side."""
    tasks = Tasks()

    async def main(story: Story) -> None:
        async with open_tree(family(story), observers=[story]) as tree:
            await work(tree, story)

    steps = steps_of(partial(main, Story()))
    assert steps > 50
    struck = 0
    for step in range(1 + part, steps + 1, 4):
        story = Story()
        tasks = Tasks("tree ")
        tasks.at = {step: sigint}
        try:
            play(partial(main, story), instruments=[tasks])
        except KeyboardInterrupt:
            struck += 1
        else:
            # The order of steps is not quite the same each time: it may be over sooner.
            assert tasks.steps < step
        assert tasks.left() == []
        every_life_ends_once(story)
    assert struck > steps // 8


def every_life_ends_once(story: Story) -> None:
    """No life is left, none ends twice, and nothing starts after the root has ended."""
    begun = [f"{e.path} {e.incarnation}" for e in story.of(ChildStarted)]
    ended = [f"{e.path} {e.incarnation}" for e in story.of(ChildExited)]
    assert sorted(begun) == sorted(ended)
    assert len(set(ended)) == len(ended)


# ----------------------------------------------------------------- Cancelled of others


async def stolen() -> trio.Cancelled:
    """Give a `Cancelled` of a scope that has nothing to do with any child."""
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as cancelled:
            return cancelled
    raise AssertionError


@virtual
async def test_a_cancelled_of_another_scope_is_no_crash_and_does_not_get_out() -> None:
    story = Story()
    cancelled = await stolen()

    async def thief() -> None:
        await trio.sleep(1)
        raise cancelled

    spec = supervisor("root", child(thief, restart="temporary"), child(Actor, name="a"))
    async with open_tree(spec, observers=[story]):
        await trio.sleep(2)
    assert story.timed == [
        "0 root/thief 1 up",
        "0 root/a 1 up",
        "0 root 1 up",
        "1 root/thief 1 killed",
        "2 root/a 1 shutdown when told",
        "2 root 1 shutdown when told",
    ]


@virtual
async def test_a_cancelled_as_an_answer_ends_the_caller_alone() -> None:
    story = Story()
    cancelled = await stolen()

    class Passing(Actor):
        def answer(self) -> Deferred[None]:
            deferred = Deferred[None]()
            deferred.fail(cancelled)
            return deferred

    passing = child(Passing)
    asking = child(Child, story, name="asking", restart="temporary")
    async with open_tree(
        supervisor("root", passing, asking), observers=[story]
    ) as tree:
        story.forget()
        ref = tree[passing]
        with pytest.raises(ActorInterruptedError):
            await tree[asking].call(Child.do, partial(ref.call, Passing.answer))
        await tree.stop()
    assert story.lines == [
        "root/asking cleans up",
        "root/asking is clean",
        "root/asking 1 killed",
        "root/passing 1 shutdown when told",
        "root 1 shutdown when told",
    ]


@virtual
async def test_a_group_of_cancelled_and_a_crash_is_the_crash() -> None:
    story = Story()
    cancelled = await stolen()

    async def both() -> None:
        await trio.sleep(1)
        raise BaseExceptionGroup("both", [cancelled, Boom()])

    async def only() -> None:
        await trio.sleep(2)
        raise BaseExceptionGroup("only", [cancelled])

    spec = supervisor(
        "root", child(both, restart="temporary"), child(only, restart="temporary")
    )
    async with open_tree(spec, observers=[story]):
        await trio.sleep(3)
    assert story.timed[3:] == [
        "1 root/both 1 crashed: ExceptionGroup",
        "2 root/only 1 killed",
        "3 root 1 shutdown when told",
    ]
