"""Delayed restarts in living trees (D5)."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Literal

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from regrow import (
    Actor,
    Backoff,
    ChildRestarting,
    RestartLimitExceededError,
    Supervisor,
    child,
    supervisor,
)

from .trees import Boom, Story, open_tree, virtual

STRATEGIES = ["one_for_one", "one_for_all", "rest_for_one"]
DELAY = 5.0


class Plan(Actor):
    """Comes up as its plan says: an exception, or seconds until it crashes by itself."""

    def __init__(self, plan: list[float | Exception]) -> None:
        self.plan = plan

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        step = self.plan.pop(0) if self.plan else 0.0
        if isinstance(step, Exception):
            raise step
        if step:
            self.send_after(step, Plan.boom)
        yield

    def boom(self) -> None:
        raise Boom("bad")

    def quit(self) -> None:
        self.stop()

    def ping(self) -> str:
        return "pong"


def planned(name: str, *plan: float | Exception, **options: Any) -> Any:
    return child(Plan, list(plan), name=name, **options)


def backoff(initial: float = DELAY, **options: Any) -> Backoff:
    return Backoff(initial, jitter=0, **options)


def times(story: Story) -> list[str]:
    """Give what happened to children, without dead letters, ends of names cut."""
    return [
        line.replace("root/", "")
        for line in story.timed
        if "dead letter" not in line and "root 1 up" not in line
    ]


def group(strategy: Any, *b: float | Exception, **options: Any) -> tuple[Any, ...]:
    """Declare a, b and c, of which b has a backoff."""
    options.setdefault("backoff", backoff())
    a, c = planned("a"), planned("c")
    waiting = planned("b", *b, **options)
    spec = supervisor("root", a, waiting, c, strategy=strategy, intensity=0)
    return a, waiting, c, spec


# ------------------------------------------------------------------- delays and budgets


@virtual
async def test_delays_grow_up_to_the_maximum_and_do_not_count_in_the_window() -> None:
    story = Story()
    a = planned(
        "a", *[1.0] * 5, 0.0, backoff=backoff(1, factor=3, maximum=10, reset_after=99)
    )
    spec = supervisor("root", a, intensity=0)
    async with open_tree(spec, observers=[story]):
        await trio.sleep(99)
    delays = [event.delay for event in story.of(ChildRestarting)]
    attempts = [event.attempt for event in story.of(ChildRestarting)]
    assert delays == [1, 3, 9, 10, 10]
    assert attempts == [1, 2, 3, 4, 5]
    ups = [line for line in story.timed if line.endswith(" up") and "root/a" in line]
    assert ups == [
        "0 root/a 1 up",
        "2 root/a 2 up",
        "6 root/a 3 up",
        "16 root/a 4 up",
        "27 root/a 5 up",
        "38 root/a 6 up",
    ]


@virtual
async def test_enough_uptime_makes_a_failure_the_first_again() -> None:
    story = Story()
    rules = backoff(1, factor=2, reset_after=10, max_attempts=3)
    a = planned("a", 1.0, 9.5, 10.0, 1.0, 10.5, 1.0, backoff=rules)
    async with open_tree(supervisor("root", a), observers=[story]):
        await trio.sleep(999)
    delays = [event.delay for event in story.of(ChildRestarting)]
    # After 1, 9.5, 10 (which is enough), 1, 10.5 (enough), and 1 second of uptime.
    assert delays == [1, 2, 1, 2, 1, 2]


@virtual
async def test_the_budget_is_spent_and_the_supervisor_gives_up() -> None:
    story = Story()
    a = planned("a", *[0.5] * 9, backoff=backoff(1, factor=1, max_attempts=3))
    b = planned("b")
    with pytest.raises(RestartLimitExceededError) as caught:
        async with open_tree(supervisor("root", b, a), observers=[story]):
            await trio.sleep(999)
    assert trio.current_time() == 3.5
    error = caught.value
    assert str(error) == (
        "supervisor 'root' gave up: 'a' failed 3 times in a row, all that its backoff "
        "allows (Boom: bad). "
        "Fix the child, or raise max_attempts or lower reset_after of its backoff."
    )
    assert (error.path, error.child_id, error.intensity) == ("root", "a", None)
    assert [failure.at for failure in error.failures] == [0.5, 2, 3.5]
    assert isinstance(error.__cause__, Boom)
    assert [line for line in times(story) if line.startswith("3.5")][:3] == [
        "3.5 a 3 crashed: Boom",
        "3.5 root 1 gives up",
        "3.5 b 1 shutdown when told",
    ]


@virtual
async def test_a_clean_end_of_a_permanent_child_waits_too() -> None:
    story = Story()
    a = planned("a", backoff=backoff())
    async with open_tree(supervisor("root", a), observers=[story]) as tree:
        story.forget()
        await tree[a].cast(Plan.quit)
        await tree[a].call(Plan.ping)
        assert times(story) == ["0 a 1 normal", "0 a 1 restarting in 5 s", "5 a 2 up"]


@virtual
async def test_failing_restarts_wait_each_time() -> None:
    story = Story()
    a = planned("a", 1.0, Boom(), Boom(), 0.0, backoff=backoff(1, factor=2))
    async with open_tree(supervisor("root", a, intensity=0), observers=[story]):
        await trio.sleep(99)
    assert times(story)[:-2] == [
        "0 a 1 up",
        "1 a 1 crashed: Boom",
        "1 a 1 restarting in 1 s",
        "2 a 2 not started: Boom",
        "2 a 2 restarting in 2 s",
        "4 a 3 not started: Boom",
        "4 a 3 restarting in 4 s",
        "8 a 4 up",
    ]


def test_the_jitter_comes_from_the_random_source_of_the_tree() -> None:
    def delays(seed: int) -> list[float]:
        story = Story()
        rules = Backoff(1, factor=1, jitter=0.5)
        a = planned("a", *[0.5] * 5, 0.0, backoff=rules)

        @virtual
        async def run() -> None:
            spec = supervisor("root", a)
            async with open_tree(spec, observers=[story], random=Random(seed)):
                await trio.sleep(99)

        run()
        return [event.delay for event in story.of(ChildRestarting)]

    first = delays(1)
    expected = Random(1)
    assert first == [1 - 0.5 * expected.random() for _ in range(5)]
    assert delays(2) != first


# -------------------------------------------------------------------------- each strategy


ONE_FOR_ONE = [
    "0 b 1 crashed: Boom",
    "0 b 1 restarting in 5 s",
    "5 b 2 up",
]
ONE_FOR_ALL = [
    "0 b 1 crashed: Boom",
    "0 b 1 restarting in 5 s",
    "0 c 1 shutdown when told",
    "0 a 1 shutdown when told",
    "5 a 2 up",
    "5 b 2 up",
    "5 c 2 up",
]
REST_FOR_ONE = [
    "0 b 1 crashed: Boom",
    "0 b 1 restarting in 5 s",
    "0 c 1 shutdown when told",
    "5 b 2 up",
    "5 c 2 up",
]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    list(zip(STRATEGIES, [ONE_FOR_ONE, ONE_FOR_ALL, REST_FOR_ONE], strict=True)),
)
@virtual
async def test_a_delayed_round_stops_its_range_at_once_and_starts_it_later(
    strategy: str, expected: list[str]
) -> None:
    story = Story()
    a, b, c, spec = group(strategy)
    async with open_tree(spec, observers=[story]) as tree:
        story.forget()
        await tree[b].cast(Plan.boom)
        await wait_all_tasks_blocked()
        status = {each.name: each.status for each in tree.snapshot().children}
        running = {each.split()[1] for each in expected if "told" in each}
        assert status == {
            name: "restarting" if name == "b" or name in running else "running"
            for name in "abc"
        }
        assert await tree[c].call(Plan.ping) == "pong"
        assert await tree[a].call(Plan.ping) == "pong"
        await trio.sleep_until(9)
        assert times(story) == expected


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("one_for_one", []),
        ("one_for_all", ["2 a 2 up", "2 c 2 up"]),
        ("rest_for_one", ["2 c 2 up"]),
    ],
)
@virtual
async def test_terminating_the_one_that_waits_starts_the_rest_of_its_range(
    strategy: str, expected: list[str]
) -> None:
    story = Story()
    _, b, _, spec = group(strategy)
    async with open_tree(spec, observers=[story]) as tree:
        await tree[b].cast(Plan.boom)
        await trio.sleep(2)
        story.forget()
        await tree.supervisor("root").terminate_child("b")
        await trio.sleep(99)
        assert times(story) == expected  # and b is not started when its delay is over
        which = await tree.supervisor("root").which_children()
        assert [each.status for each in which] == ["running", "stopped", "running"]


@pytest.mark.parametrize("strategy", STRATEGIES)
@virtual
async def test_stopping_the_tree_cancels_the_wait(strategy: Any) -> None:
    story = Story()
    _, b, _, spec = group(strategy)
    async with open_tree(spec, observers=[story]) as tree:
        await tree[b].cast(Plan.boom)
        await trio.sleep(2)
        await tree.stop()
        assert trio.current_time() == 2
        story.forget()
        await trio.sleep(99)
        assert story.lines == []


@virtual
async def test_a_siblings_round_overrides_a_wait() -> None:
    story = Story()
    a, b, c = planned("a"), planned("b", backoff=backoff()), planned("c")
    spec = supervisor("root", a, b, c, strategy="rest_for_one", intensity=1)
    async with open_tree(spec, observers=[story]) as tree:
        await tree[b].cast(Plan.boom)
        await trio.sleep(2)
        story.forget()
        await tree[a].cast(Plan.boom)
        await trio.sleep(99)
        assert times(story) == [
            "2 a 1 crashed: Boom",
            "2 a 1 restarting",
            "2 a 2 up",
            "2 b 2 up",
            "2 c 2 up",
        ]


@virtual
async def test_two_that_wait_each_wait_their_own_time() -> None:
    story = Story()
    a = planned("a", backoff=backoff(3))
    b = planned("b", backoff=backoff(5))
    async with open_tree(supervisor("root", a, b), observers=[story]) as tree:
        story.forget()
        await tree[b].cast(Plan.boom)
        await trio.sleep(1)
        await tree[a].cast(Plan.boom)
        await trio.sleep(99)
        assert times(story) == [
            "0 b 1 crashed: Boom",
            "0 b 1 restarting in 5 s",
            "1 a 1 crashed: Boom",
            "1 a 1 restarting in 3 s",
            "4 a 2 up",
            "5 b 2 up",
        ]


@virtual
async def test_a_delayed_round_of_an_earlier_child_takes_a_waiting_one_along() -> None:
    story = Story()
    a = planned("a", backoff=backoff(1))
    b = planned("b", backoff=backoff(5))
    spec = supervisor("root", a, b, strategy="rest_for_one")
    async with open_tree(spec, observers=[story]) as tree:
        story.forget()
        await tree[b].cast(Plan.boom)
        await trio.sleep(1)
        await tree[a].cast(Plan.boom)
        await trio.sleep(99)
        assert times(story) == [
            "0 b 1 crashed: Boom",
            "0 b 1 restarting in 5 s",
            "1 a 1 crashed: Boom",
            "1 a 1 restarting in 1 s",
            "2 a 2 up",
            "2 b 2 up",
        ]


@pytest.mark.parametrize("strategy", STRATEGIES)
@virtual
async def test_while_one_waits_the_supervisor_hears_everything_else(
    strategy: Any,
) -> None:
    _, b, _, spec = group(strategy)
    async with open_tree(spec) as tree:
        root = tree.supervisor("root")
        await tree[b].cast(Plan.boom)
        await trio.sleep(1)
        with trio.fail_after(1):
            added = await root.start_child(planned("added"))
            assert await added.call(Plan.ping) == "pong"
            assert (await root.count_children()).specs == 4
            await root.terminate_child("added")
            await root.delete_child("added")
            await root.terminate_child("a")
        assert trio.current_time() == 1


# ------------------------------------------------------------------------- start="retry"


FIRST: dict[str, list[str]] = {
    "one_for_one": [
        "0 a 1 up",
        "0 b 1 not started: Boom",
        "0 b 1 restarting in 5 s",
        "0 c 1 up",
        "0 body",
        "5 b 2 up",
    ],
    "rest_for_one": [
        "0 a 1 up",
        "0 b 1 not started: Boom",
        "0 b 1 restarting in 5 s",
        "0 body",
        "5 b 2 up",
        "5 c 1 up",
    ],
    "one_for_all": [
        "0 a 1 up",
        "0 b 1 not started: Boom",
        "0 b 1 restarting in 5 s",
        "0 a 1 shutdown when told",
        "0 body",
        "5 a 2 up",
        "5 b 2 up",
        "5 c 1 up",
    ],
}


@pytest.mark.parametrize("strategy", STRATEGIES)
@virtual
async def test_a_first_start_that_is_tried_again(strategy: str) -> None:
    story = Story()
    a, b, c, spec = group(strategy, Boom(), start="retry")
    async with open_tree(spec, observers=[story]) as tree:
        assert trio.current_time() == 0
        story.note("body")
        for each in (a, b, c):
            assert await tree[each].call(Plan.ping) == "pong"
        await trio.sleep_until(9)
        assert times(story) == FIRST[strategy]


@pytest.mark.parametrize("strategy", STRATEGIES)
@virtual
async def test_a_nested_supervisor_whose_child_comes_later_counts_as_started(
    strategy: Any,
) -> None:
    story = Story()
    inner = supervisor(
        "inner",
        planned("b", Boom(), start="retry", backoff=backoff()),
        planned("c"),
        strategy=strategy,
    )
    spec = supervisor("root", inner, planned("d"))
    async with open_tree(spec, observers=[story]) as tree:
        assert trio.current_time() == 0
        assert await tree.ref("root/d", Plan).call(Plan.ping) == "pong"
        assert await tree.ref("root/inner/b", Plan).call(Plan.ping) == "pong"
        assert await tree.ref("root/inner/c", Plan).call(Plan.ping) == "pong"
        assert trio.current_time() == 5


Undelayed = Literal["one_for_one", "one_for_all", "rest_for_one"]


def undelayed(strategy: Undelayed, fails: int) -> tuple[Any, Supervisor]:
    """Declare a tree whose b is tried again at once, as a failed restart would be."""
    b = planned("b", *[Boom("no") for _ in range(fails)], start="retry")
    spec = supervisor("root", planned("a"), b, planned("c"), strategy=strategy)
    return b, spec


@pytest.mark.parametrize("strategy", STRATEGIES)
@virtual
async def test_without_a_backoff_it_is_tried_again_at_once_and_counts(
    strategy: Any,
) -> None:
    story = Story()
    b, spec = undelayed(strategy, 3)
    async with open_tree(spec, observers=[story]) as tree:
        assert await tree[b].call(Plan.ping) == "pong"
        assert await tree.ref("root/c", Plan).call(Plan.ping) == "pong"
        assert trio.current_time() == 0
    starts = [line for line in story.lines if line.startswith("root/b")]
    assert starts == [
        "root/b 1 not started: Boom",
        "root/b 1 restarting",
        "root/b 2 not started: Boom",
        "root/b 2 restarting",
        "root/b 3 not started: Boom",
        "root/b 3 restarting",
        "root/b 4 up",
        "root/b 4 shutdown when told",
    ]


@pytest.mark.parametrize("strategy", STRATEGIES)
@virtual
async def test_without_a_backoff_a_first_start_that_always_fails_never_spins(
    strategy: Any,
) -> None:
    story = Story()
    _, spec = undelayed(strategy, 99)
    with pytest.raises(RestartLimitExceededError) as caught:
        async with open_tree(spec, observers=[story]):
            await trio.sleep_forever()
    assert str(caught.value) == (
        "supervisor 'root' gave up: 4 restarts in 0 s, its intensity is 3 in 5 s; the "
        "last child to fail was 'b' (Boom: no). "
        "Fix the child, give it a backoff, or raise intensity or period."
    )
    assert all(failure.while_starting for failure in caught.value.failures)
    assert sum("root/b" in line and "not started" in line for line in story.lines) == 4


@virtual
async def test_a_first_start_has_the_budget_of_its_backoff() -> None:
    rules = backoff(1, factor=1, max_attempts=3)
    b = planned("b", *[Boom("no") for _ in range(9)], start="retry", backoff=rules)
    with pytest.raises(RestartLimitExceededError) as caught:
        async with open_tree(supervisor("root", b)):
            await trio.sleep_forever()
    assert trio.current_time() == 2
    assert len(caught.value.failures) == 3


@virtual
async def test_a_call_waits_for_one_that_comes_later() -> None:
    b = planned("b", Boom(), Boom(), start="retry", backoff=backoff(2, factor=2))
    async with open_tree(supervisor("root", b)) as tree:
        with trio.move_on_after(1) as scope:
            await tree[b].call(Plan.ping)
        assert scope.cancelled_caught
        assert await tree[b].call(Plan.ping) == "pong"
        assert trio.current_time() == 6
