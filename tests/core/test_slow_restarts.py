"""D3: restarts that take long hide no endless loop, at any depth; T22 and S39."""

import heapq
from collections.abc import Callable, Sequence
from itertools import count
from math import prod

import pytest
from attrs import define, frozen
from hypothesis import given, strategies as st

from regrow._core import steps
from regrow._core.backoff import Backoff
from regrow._core.exits import Exit, ExitReason
from regrow._core.intensity import WorkClock
from regrow._core.machine import SupervisorMachine
from regrow._core.specs import Strategy
from tests.core.driver import Boom, Driver, spec, sup


@frozen
class Level:
    """One supervisor of a chain: its child `c` is the next one, or the leaf.

    Beside it stands `s`, which takes *stops* seconds to stop and *starts* to start.
    """

    intensity: int
    period: float = 1.0
    strategy: Strategy = "one_for_all"
    stops: float = 0.0
    starts: float = 0.0


@define(eq=False)
class Life:
    depth: int
    boss: "Life | None"
    run: int
    machine: SupervisorMachine
    up: bool = False
    leaf: int = 0
    below: "Life | None" = None


class Chain:
    """A chain of machines over one leaf, whose events happen at their times."""

    def __init__(
        self,
        levels: Sequence[Level],
        *,
        uptime: Callable[[int], float] = lambda crash: 0.0,
        leaf_starts: float = 0.0,
        clock: type[WorkClock] = WorkClock,
    ) -> None:
        self.levels = levels
        self.uptime = uptime
        self.leaf_starts = leaf_starts
        self.clock = clock
        self.crash = Exit(ExitReason.CRASHED, Boom())
        self.now = 0.0
        self.crashes = 0
        self.finished: steps.Finished | None = None
        self.queue: list[tuple[float, int, Life, steps.Event]] = []
        self.order = count()
        self.begin(0, None, 1)

    def run(self, most: int) -> int:
        """Let it run until the top ends; give how often the leaf has crashed."""
        while self.queue and self.crashes < most:
            self.now, _, life, event = heapq.heappop(self.queue)
            if event == steps.Exited("c", life.leaf, self.crash):
                self.crashes += 1
                life.leaf = 0
            elif isinstance(event, steps.Exited) and event.exit is self.crash:
                continue  # it was stopped before
            for step in life.machine.handle(event, self.now):
                self.carry_out(life, step)
        return self.crashes

    def later(self, seconds: float, life: Life, event: steps.Event) -> None:
        entry = self.now + seconds, next(self.order), life, event
        heapq.heappush(self.queue, entry)

    def begin(self, depth: int, boss: Life | None, run: int) -> Life:
        level = self.levels[depth]
        declared = sup(
            *["s", "c"] if level.strategy == "one_for_all" else ["c", "s"],
            strategy=level.strategy,
            intensity=level.intensity,
            period=level.period,
        )
        path = "/".join(["top", *["c"] * depth])
        machine = SupervisorMachine(declared, path, draw=float, root=boss is None)
        machine._clock = self.clock()
        life = Life(depth, boss, run, machine)
        self.later(0.0, life, steps.Begin())
        return life

    def carry_out(self, life: Life, step: steps.Step) -> None:
        level = self.levels[life.depth]
        lowest = life.depth == len(self.levels) - 1
        match step:
            case steps.StartChild(name="s", run=run):
                self.later(level.starts, life, steps.Started("s", run))
            case steps.StopChild(name="s", run=run):
                gone = steps.Exited("s", run, Exit(ExitReason.SHUTDOWN))
                self.later(level.stops, life, gone)
            case steps.StartChild(run=run) if lowest:
                life.leaf = run
                lived = self.leaf_starts + self.uptime(self.crashes)
                self.later(self.leaf_starts, life, steps.Started("c", run))
                self.later(lived, life, steps.Exited("c", run, self.crash))
            case steps.StopChild(run=run) if lowest:
                if life.leaf == run:
                    life.leaf = 0
                    gone = steps.Exited("c", run, Exit(ExitReason.SHUTDOWN))
                    self.later(0.0, life, gone)
            case steps.StartChild(run=run):
                life.below = self.begin(life.depth + 1, life, run)
            case steps.StopChild(final=final):
                assert life.below is not None
                self.later(0.0, life.below, steps.StopRequested(final))
            case steps.Up():
                life.up = True
                if life.boss is not None:
                    self.later(0.0, life.boss, steps.Started("c", life.run))
            case steps.Finished() if life.boss is None:
                self.finished = step
                self.queue.clear()
            case steps.Finished(outcome=outcome, error=error, busy=busy):
                assert life.boss is not None
                gave_up = outcome is steps.Outcome.GAVE_UP
                reason = ExitReason.CRASHED if gave_up else ExitReason.SHUTDOWN
                end = Exit(reason, error, busy)
                self.later(0.0, life.boss, steps.Exited("c", life.run, end))
            case _:
                pass


class WorldClock(WorkClock):
    """Wrong on purpose: it runs on whatever the supervisor does."""

    def read(self, now: float) -> float:
        return now


class NotSetBack(WorkClock):
    """Wrong on purpose: what a child that gave up had to do is not taken off."""

    def set_back(self, seconds: float, *, now: float, floor: float) -> None:
        pass


LIMITS = [[0], [1], [3], [0, 0], [1, 1], [2, 3], [1, 2, 1], [2, 0, 2], [1, 1, 1, 1]]


def crashes_allowed(limits: Sequence[int]) -> int:
    """The crash that ends the top is one of them (S39)."""
    return prod(limit + 1 for limit in limits)


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("strategy", ["one_for_one", "rest_for_one", "one_for_all"])
def test_crashes_until_the_top_ends_are_the_product(
    limits: list[int], strategy: Strategy
) -> None:
    chain = Chain([Level(limit, strategy=strategy) for limit in limits])

    assert chain.run(1000) == crashes_allowed(limits)
    assert chain.finished is not None
    assert chain.finished.outcome is steps.Outcome.GAVE_UP


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize(("stops", "starts"), [(2.1, 0.0), (0.0, 2.1), (50.0, 7.0)])
def test_slow_siblings_hide_nothing(
    limits: list[int], stops: float, starts: float
) -> None:
    levels = [Level(limit, stops=stops, starts=starts) for limit in limits]

    assert Chain(levels).run(1000) == crashes_allowed(limits)


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("strategy", ["one_for_one", "rest_for_one", "one_for_all"])
def test_slow_starts_hide_nothing(limits: list[int], strategy: Strategy) -> None:
    levels = [Level(limit, strategy=strategy) for limit in limits]

    assert Chain(levels, leaf_starts=3.0).run(1000) == crashes_allowed(limits)


@pytest.mark.parametrize(
    ("broken", "limits"),
    [
        (WorldClock, [1]),
        (WorldClock, [1, 1]),
        (NotSetBack, [1, 1]),
        (NotSetBack, [1, 2, 1]),
    ],
)
def test_a_clock_that_is_wrong_is_caught(
    broken: type[WorkClock], limits: list[int]
) -> None:
    chain = Chain([Level(limit, stops=2.1) for limit in limits], clock=broken)

    assert chain.run(1000) != crashes_allowed(limits)


_levels = st.lists(
    st.builds(
        Level,
        intensity=st.integers(0, 2),
        period=st.floats(1.0, 100.0),
        strategy=st.sampled_from(["one_for_one", "rest_for_one", "one_for_all"]),
        stops=st.floats(0.0, 200.0),
        starts=st.floats(0.0, 200.0),
    ),
    min_size=1,
    max_size=3,
)


@given(_levels, st.floats(0.0, 200.0), st.floats(0.0, 0.03))
def test_whatever_takes_how_long_the_product_stands(
    levels: list[Level], leaf_starts: float, uptime: float
) -> None:
    chain = Chain(levels, leaf_starts=leaf_starts, uptime=lambda crash: uptime)

    limits = [level.intensity for level in levels]
    assert chain.run(1000) == crashes_allowed(limits)


# ------------------------------------------------------------- what is no endless loop


@pytest.mark.parametrize("limits", [[1], [1, 1], [1, 2, 1]])
def test_crashes_further_apart_than_the_period_go_on_for_ever(
    limits: list[int],
) -> None:
    levels = [Level(limit, period=1.0, stops=2.1) for limit in limits]

    assert Chain(levels, uptime=lambda crash: 1.1).run(200) == 200


def test_a_child_that_gives_up_now_and_then_does_not_end_its_parent() -> None:
    """Its own busy time is taken off, the time in which it worked is not."""
    levels = [Level(1, period=10.0), Level(1, period=1.0, stops=30.0)]
    # Two crashes at once end a life of the lower one; every such life has run for 11 s.
    chain = Chain(levels, uptime=lambda crash: 0.0 if crash % 2 else 11.0)

    assert chain.run(100) == 100


def test_a_child_that_takes_long_to_give_up_is_judged_by_its_uptime() -> None:
    levels = [Level(1, period=10.0), Level(0, stops=1000.0)]
    # Each life of the lower one runs for 11 s, and takes 1000 s to stop its sibling.
    chain = Chain(levels, uptime=lambda crash: 11.0)

    assert chain.run(50) == 50


def test_waiting_in_a_backoff_is_no_work() -> None:
    slow = spec("b", backoff=Backoff(initial=30.0, jitter=0.0))
    driver = Driver(sup("a", slow, intensity=1, period=5.0))
    driver.crash("a")
    driver.crash("b")
    driver.advance(6.0)

    assert driver.crash("a") == ["start a"]


def test_requests_are_no_restarts_and_let_the_clock_run() -> None:
    driver = Driver(sup("a", "b", intensity=1, period=5.0))
    driver.slow.add("b")
    driver.crash("a")
    driver.send(driver.asks(steps.TerminateChild("b")))
    driver.now += 6.0
    driver.end("b")

    assert driver.crash("a") == ["start a"]


def test_the_time_a_supervisor_was_busy_is_told_to_its_parent() -> None:
    declared = sup("a", "b", strategy="one_for_all", intensity=1, period=5.0)
    driver = Driver(declared, root=False)
    driver.slow.add("b")
    driver.now = 10.0
    driver.crash("a")
    driver.now += 3.0
    driver.end("b")
    driver.now += 2.0  # it works
    driver.crash("a")
    driver.now += 4.0  # it gives up, which takes its time too
    driver.end("b")

    assert driver.finished is not None
    assert driver.finished.outcome is steps.Outcome.GAVE_UP
    assert driver.finished.busy == 7.0
