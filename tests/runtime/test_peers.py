"""What programs of this kind get wrong, P1 to P16: one test for each line.

P16, that a type checker knows the type of a call's answer, is in tests/typing, which is
only type-checked.
"""

from __future__ import annotations

import logging
import math
import tomllib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from regrow import (
    Actor,
    ActorCrashedError,
    ActorStoppedError,
    CallCycleError,
    ChildExited,
    ChildRestarting,
    Mailbox,
    MailboxFullError,
    RestartLimitExceededError,
    StartFailedError,
    Supervisor,
    SupervisorRef,
    Tree,
    child,
    dynamic,
    supervisor,
)
from regrow._core.specs import RestartType, Strategy

from .trees import Boom, Child, Story, Tasks, open_tree, play, virtual

ROOT = Path(__file__).parents[2]


@virtual
async def test_p1_a_call_to_one_that_crashes_or_is_gone_fails_at_once() -> None:
    x = child(Child, Story(), name="x", restart="temporary")
    async with open_tree(supervisor("root", x)) as tree:
        ref = tree[x]
        with trio.fail_after(0.001):
            with pytest.raises(ActorCrashedError) as crashed:
                await ref.call(Child.throw, Boom("why"))
            with pytest.raises(ActorStoppedError) as gone:
                await ref.call(Child.ping)
    assert (crashed.value.path, crashed.value.incarnation) == ("root/x", 1)
    assert (crashed.value.message, repr(crashed.value.__cause__)) == (
        "throw",
        "Boom('why')",
    )
    assert (gone.value.path, gone.value.message) == ("root/x", "ping")
    assert gone.value.why


@virtual
async def test_p2_a_late_reply_touches_nobody() -> None:
    story = Story()
    x = child(Child, story, name="x")
    async with open_tree(supervisor("root", x), observers=[story]) as tree:
        with trio.move_on_after(1):
            await tree[x].call(Child.sleep, 2)
        with trio.move_on_after(0.5):
            await tree[x].call(Child.sleep, 30)  # given up before it was begun
        assert await tree[x].call(Child.ping) == "pong"
        assert trio.current_time() == 2
        assert await tree[x].call(Child.sleep, 1) == "slept"
        assert tree.snapshot().find("root/x").incarnation == 1
    assert story.of(ChildRestarting) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_p3_what_ends_a_program_is_never_a_crash(error: type[BaseException]) -> None:
    story = Story()

    async def exiting() -> None:
        await trio.lowlevel.checkpoint()
        raise error

    async def cancelled() -> None:
        await trio.sleep_forever()

    async def main() -> None:
        spec = supervisor("root", child(cancelled), child(exiting))
        async with open_tree(spec, observers=[story]):
            await trio.sleep_forever()

    with pytest.raises(error):
        play(main)
    assert story.of(ChildRestarting) == []
    reasons = {event.path: event.reason.value for event in story.of(ChildExited)}
    assert reasons["root/cancelled"] == "shutdown"


@pytest.mark.parametrize("where", ["around", "block", "service", "handler", "lifespan"])
def test_p4_cancelling_any_scope_leaves_trio_consistent(where: str) -> None:
    scopes: dict[str, trio.CancelScope] = {}

    def scope(name: str) -> trio.CancelScope:
        scopes[name] = trio.CancelScope()
        return scopes[name]

    async def serving() -> None:
        with scope("service"):
            await trio.sleep_forever()

    class Scoped(Child):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            with scope("lifespan"):
                yield

        async def handle(self) -> None:
            with scope("handler"):
                await trio.sleep_forever()

    async def main() -> None:
        story = Story()
        scoped = child(Scoped, story)
        spec = supervisor("root", child(serving), scoped)
        with scope("around"):
            async with open_tree(spec, observers=[story]) as tree:
                await tree[scoped].cast(Scoped.handle)
                await trio.testing.wait_all_tasks_blocked()
                with scope("block"):
                    scopes[where].cancel()
                    with trio.move_on_after(1):
                        await tree[scoped].call(Child.ping)
        begun = story.lines.count("root/serving 1 up")
        assert begun == 1
        assert story.lines[-1] == "root 1 shutdown when told"
        await trio.lowlevel.checkpoint()  # trio would notice scopes that do not nest

    play(main)


@virtual
async def test_p5_a_failing_start_shows_its_own_exception_and_does_not_spin() -> None:
    made: list[int] = []

    class Unwilling(Actor):
        def __init__(self) -> None:
            made.append(1)
            raise Boom

    cleanup = child(CleanupRaises)
    with pytest.raises(StartFailedError) as failed:
        async with open_tree(supervisor("root", cleanup, child(Unwilling))):
            raise AssertionError
    assert isinstance(failed.value.__cause__, Boom)
    assert len(made) == 1
    made.clear()
    retried = child(Unwilling, start="retry")
    with pytest.raises(RestartLimitExceededError) as spent:
        async with open_tree(supervisor("root", retried)):
            await trio.sleep_forever()
    assert isinstance(spent.value.__cause__, Boom)
    assert len(made) == 4  # and not 1,100 in half a second


class CleanupRaises(Actor):
    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        yield
        raise LookupError("of a sibling, while it is stopped")


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@virtual
async def test_p6_one_crash_is_one_restart_in_the_window(strategy: Strategy) -> None:
    story = Story()
    children = [child(Child, story, name=f"x{number}") for number in range(10)]
    spec = supervisor("root", *children, strategy=strategy, intensity=2)
    async with open_tree(spec, observers=[story]) as tree:
        for _ in range(2):
            await tree[children[0]].cast(Child.boom)
            await tree[children[0]].call(Child.ping)
    assert [event.attempt for event in story.of(ChildRestarting)] == [1, 2]


@virtual
async def test_p7_the_limit_means_what_it_says() -> None:
    x = child(Child, Story(), name="x")
    siblings = [child(Actor, name=f"s{number}") for number in range(9)]
    defaults = supervisor("root", x, *siblings, strategy="one_for_all")
    assert (defaults.intensity, defaults.period) == (3, 5.0)

    async def crash(tree: Tree, *times: float) -> None:
        for time in times:
            await trio.sleep_until(start + time)
            await tree[x].cast(Child.boom)
            await trio.testing.wait_all_tasks_blocked()

    start = trio.current_time()
    async with open_tree(defaults) as tree:
        await crash(tree, 0, 1, 2, 5.1, 6.1, 7.1, 10.2)
    start = trio.current_time()
    with pytest.raises(RestartLimitExceededError) as spent:
        async with open_tree(defaults) as tree:
            await crash(tree, 0, 1, 2, 5)
            await trio.sleep_forever()
    assert [failure.at - start for failure in spent.value.failures] == [0, 1, 2, 5]


@virtual
async def test_p8_a_spent_limit_reaches_the_program_with_its_history() -> None:
    x = child(Child, Story(), name="x")
    inner = supervisor("inner", x, intensity=0)
    middle = supervisor("middle", inner, intensity=1)
    with pytest.raises(RestartLimitExceededError) as spent:
        async with open_tree(supervisor("root", middle, intensity=0)) as tree:
            for number in range(2):
                await tree[x].cast(Child.throw, Boom(number))
                await trio.testing.wait_all_tasks_blocked()
            await trio.sleep_forever()
    error: BaseException | None = spent.value
    history = []
    while isinstance(error, RestartLimitExceededError):
        history.append((error.path, error.child_id, len(error.failures)))
        error = error.__cause__
    assert history == [
        ("root", "middle", 1),
        ("root/middle", "inner", 2),
        ("root/middle/inner", "x", 1),
    ]
    assert str(error) == "1"
    assert spent.value.levels == ("root/middle/inner", "root/middle", "root")


@virtual
async def test_p9_a_crash_during_the_restart_of_another_is_handled_right_after() -> (
    None
):
    story = Story()
    slow = child(partial(Child, setup=1), story, name="slow")
    other = child(Child, story, name="other")
    async with open_tree(supervisor("root", slow, other), observers=[story]) as tree:
        story.forget()
        tree[slow].cast_nowait(Child.boom)
        await trio.sleep(0.5)
        tree[other].cast_nowait(Child.boom)
        await tree[other].call(Child.ping)
    seen = [line for line in story.timed if "dead" not in line and "clean" not in line]
    assert seen[:8] == [
        "1 root/slow 1 crashed: Boom",
        "1 root/slow 1 restarting",
        "1 root/slow sets up",
        "1.5 root/other 1 crashed: Boom",
        "2 root/slow 2 up",
        "2 root/other 1 restarting",
        "2 root/other sets up",
        "2 root/other 2 up",
    ]


KINDS: dict[str, Callable[[], Supervisor | None]] = {
    "one_for_one": lambda: supervisor("root"),
    "one_for_all": lambda: supervisor("root", strategy="one_for_all"),
    "rest_for_one": lambda: supervisor("root", strategy="rest_for_one"),
    "dynamic": lambda: None,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("restart", "normal", "crash"),
    [
        ("permanent", True, True),
        ("transient", False, True),
        ("temporary", False, False),
    ],
)
@virtual
async def test_p10_restart_types_hold_under_every_kind_of_supervisor(
    kind: str, restart: RestartType, normal: bool, crash: bool
) -> None:
    spec = KINDS[kind]() or dynamic("root")
    async with open_tree(spec) as tree:
        above: SupervisorRef = tree.supervisor("root")
        for message, restarts in ((Child.end, normal), (Child.boom, crash)):
            x = child(Child, Story(), name=message.__name__, restart=restart)
            ref = await above.start_child(x)
            await ref.cast(message)
            await trio.testing.wait_all_tasks_blocked()
            names = [
                each.name
                for each in await above.which_children()
                if each.status == "running"
            ]
            assert (message.__name__ in names) is restarts


@virtual
async def test_p11_the_old_is_down_in_reverse_before_the_new_begins() -> None:
    story = Story()
    group = [
        child(partial(Child, cleanup=1), story, name=f"x{number}")
        for number in range(3)
    ]
    spec = supervisor("root", *group, strategy="one_for_all")
    async with open_tree(spec, observers=[story]) as tree:
        story.forget()
        await tree[group[1]].cast(Child.boom)
        await trio.sleep(5)
        happened = [line for line in story.timed if "clean" not in line]
    assert happened == [
        "0 root/x1 1 dead letter boom: crashed the actor (Boom)",
        "1 root/x1 1 crashed: Boom",
        "1 root/x1 1 restarting",
        "2 root/x2 1 shutdown when told",
        "3 root/x0 1 shutdown when told",
        "3 root/x0 sets up",
        "3 root/x0 2 up",
        "3 root/x1 sets up",
        "3 root/x1 2 up",
        "3 root/x2 sets up",
        "3 root/x2 2 up",
    ]


@pytest.mark.parametrize("kind", ["static", "dynamic", "services", "one_for_all"])
def test_p11_stopping_so_many_children_takes_so_many_steps(kind: str) -> None:
    """In steps of the scheduler: time is measured elsewhere."""

    async def serving() -> None:
        await trio.sleep_forever()

    def steps(count: int) -> int:
        async def main() -> None:
            spec: Supervisor | None = None
            names = [f"x{number}" for number in range(count)]
            if kind == "services":
                spec = supervisor(
                    "root", *(child(serving, name=name) for name in names)
                )
            elif kind != "dynamic":
                strategy: Strategy = (
                    "one_for_all" if kind != "static" else "one_for_one"
                )
                spec = supervisor(
                    "root",
                    *(child(Child, Story(), name=name) for name in names),
                    strategy=strategy,
                )
            async with open_tree(spec or dynamic("root")) as tree:
                if spec is None:
                    for name in names:
                        added = child(Actor, name=name)
                        await tree.supervisor("root").start_child(added)
                if kind == "one_for_all":
                    await tree.ref("root/x0", Child).cast(Child.boom)
                    await tree.ref(f"root/{names[-1]}", Child).call(Child.ping)

        tasks = Tasks()
        play(main, instruments=[tasks])
        return tasks.steps

    few, many = steps(50), steps(500)
    assert many <= few * 10


@virtual
async def test_p12_a_call_to_oneself_is_refused_and_a_cast_is_not() -> None:
    got: list[str] = []

    class Selfish(Actor):
        async def call_itself(self) -> str:
            with pytest.raises(CallCycleError) as refused:
                await self.ref.call(Selfish.noted, "call")
            return str(refused.value)

        async def cast_itself(self) -> None:
            await self.ref.cast(Selfish.noted, "cast")
            self.ref.cast_nowait(Selfish.noted, "cast_nowait")

        async def fill_itself(self) -> str:
            self.ref.cast_nowait(Selfish.noted, "third")
            self.ref.cast_nowait(Selfish.noted, "fourth")
            with pytest.raises(MailboxFullError):
                self.ref.cast_nowait(Selfish.noted, "fifth")
            with pytest.raises(CallCycleError) as refused:
                await self.ref.cast(Selfish.noted, "fifth")
            return str(refused.value)

        def noted(self, what: str) -> None:
            got.append(what)

    x = child(Selfish, mailbox=Mailbox(capacity=2))
    async with open_tree(supervisor("root", x)) as tree:
        with trio.fail_after(1):
            called = await tree[x].call(Selfish.call_itself)
            await tree[x].call(Selfish.cast_itself)
            await trio.testing.wait_all_tasks_blocked()
            filled = await tree[x].call(Selfish.fill_itself)
            await trio.testing.wait_all_tasks_blocked()
    assert got == ["cast", "cast_nowait", "third", "fourth"]
    circle = (
        "'root/selfish' -> 'root/selfish'. Use cast, return a Deferred, or call from "
    )
    assert called == (
        f"'noted' to 'root/selfish' can never be answered: {circle}a background task."
    )
    assert filled == (
        "'noted' to 'root/selfish' can never be answered (the mailbox is full and it waits "
        f"for room): {circle}a background task."
    )


@virtual
async def test_p13_bounded_means_bounded_and_unbounded_unbounded() -> None:
    class Slow(Actor):
        async def wait(self) -> None:
            await trio.sleep(1)

    def slow(capacity: float) -> Supervisor:
        mailbox = Mailbox(capacity=capacity)
        return supervisor("root", child(Slow, name="x", mailbox=mailbox))

    for capacity in (1, 7):
        async with open_tree(slow(capacity)) as tree:
            ref = tree.ref("root/x", Slow)
            await ref.cast(Slow.wait)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(capacity):
                ref.cast_nowait(Slow.wait)
            with pytest.raises(MailboxFullError):
                ref.cast_nowait(Slow.wait)
            with trio.move_on_after(0.5) as scope:
                await ref.cast(Slow.wait)
            assert scope.cancelled_caught
            assert tree.snapshot().find("root/x").waiting == capacity
            tree.kill()
    async with open_tree(slow(math.inf)) as tree:
        ref = tree.ref("root/x", Slow)
        for _ in range(50_000):
            ref.cast_nowait(Slow.wait)
        assert tree.snapshot().find("root/x").waiting == 50_000
        logging.getLogger("regrow").setLevel(logging.CRITICAL)
        try:
            await tree.stop()
        finally:
            logging.getLogger("regrow").setLevel(logging.NOTSET)


@virtual
async def test_p14_nothing_dies_without_a_record(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def dying() -> None:
        raise Boom

    async def dying_in_a_task() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dying)

    spec = supervisor(
        "root",
        child(dying, name="x", restart="temporary"),
        child(dying_in_a_task, name="y", restart="temporary"),
    )
    async with open_tree(spec):
        await trio.testing.wait_all_tasks_blocked()
    records = [record for record in caplog.records if record.exc_info]
    assert sorted(record.getMessage().partition(" (")[0] for record in records) == [
        "root/x [1] crashed",
        "root/y [1] crashed",
    ]


def test_p15_installing_it_never_moves_trio() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (trio_pin,) = [each for each in project["dependencies"] if each.startswith("trio")]
    floor = trio_pin.removeprefix("trio>=")
    assert floor.replace(".", "").isdigit()  # a floor, and no ceiling
    assert [int(part) for part in trio.__version__.split(".")[:2]] >= [
        int(part) for part in floor.split(".")
    ]


def test_p15_the_first_block_of_the_readme_is_run_by_ci() -> None:
    readme = (ROOT / "README.md").read_text()
    first = readme[: readme.index("\n```")]
    marker = first.rstrip().splitlines()[-1]
    assert marker.startswith("<!-- ci: ")
    name = marker.removeprefix("<!-- ci: ").removesuffix(" -->")
    assert name in (ROOT / ".ci" / "run").read_text()


@pytest.mark.slow
def test_besides_no_restart_waits_for_a_poll() -> None:
    """10,000 restarts, each at the very time of its crash."""
    logger = logging.getLogger("regrow")
    logger.setLevel(logging.CRITICAL)
    starts: list[float] = []

    class Quick(Actor):
        def __init__(self) -> None:
            starts.append(trio.current_time())

        def boom(self) -> None:
            raise Boom

    async def main() -> None:
        x = child(Quick, name="x")
        async with open_tree(supervisor("root", x, intensity=1, period=0.5)) as tree:
            for _ in range(10_000):
                tree[x].cast_nowait(Quick.boom)
                await trio.sleep(1)

    try:
        play(main)
    finally:
        logger.setLevel(logging.NOTSET)
    assert starts == [0, *range(10_000)]


@virtual
async def test_besides_a_plain_async_function_is_a_child() -> None:
    story = Story()
    rounds: list[int] = []

    async def poll() -> None:  # instead of `while True: try: … except Exception: …`
        rounds.append(1)
        if len(rounds) < 3:
            raise Boom
        await trio.sleep_forever()

    async with open_tree(supervisor("app", child(poll)), observers=[story]):
        await trio.testing.wait_all_tasks_blocked()
    assert len(rounds) == 3
    assert "app/poll 3 up" in story.lines
