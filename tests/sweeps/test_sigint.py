"""A real SIGINT: at lines of the library itself, while it stops, and under `run_tree`."""

import signal
from collections.abc import Callable, Iterable
from functools import cache
from random import Random

import pytest
import trio
from attrs import evolve
from trio.testing import MockClock

import regrow
from regrow import Actor, Event, child, grace, open_tree, run_tree, supervisor

from .actions import Action, Moment
from .harness import run_once
from .judge import faults
from .lines import survey, sweep_lines
from .scenarios import SCENARIOS


@cache
def chosen_lines() -> dict[str, list[int]]:
    """Choose some lines of each scenario, more where it is the first to come that way."""
    random = Random(1)
    seen: set[str] = set()
    chosen: dict[str, list[int]] = {}
    for name, scenario in SCENARIOS.items():
        chosen[name] = []
        for entry, found in survey(scenario).items():
            count = min(len(found), 1 if entry in seen else 8)
            chosen[name] += random.sample(found, count)
            seen.add(entry)
    return chosen


# Between the making of a coroutine and its first step there is no way to protect it.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("name", SCENARIOS)
def test_no_line_of_the_library_is_a_bad_moment_for_ctrl_c(name: str) -> None:
    swept = sweep_lines(SCENARIOS[name], chosen_lines()[name])
    print(swept)
    assert swept.found == []


def test_ctrl_c_while_a_failed_block_is_left_comes_out_bare() -> None:
    class Bad(Actor):
        def fail(self) -> None:
            raise ValueError

    async def raise_it() -> None:
        # A system task is protected, so it is the main task that gets it.
        signal.raise_signal(signal.SIGINT)
        await trio.lowlevel.checkpoint()

    async def slow() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with grace():
                trio.lowlevel.spawn_system_task(raise_it)
                await trio.sleep(1)

    async def main() -> None:
        bad = child(Bad)
        async with open_tree(supervisor("root", bad, child(slow))) as tree:
            await trio.lowlevel.checkpoint()
            await tree[bad].call(Bad.fail)

    with pytest.raises(KeyboardInterrupt):
        trio.run(main, clock=MockClock(autojump_threshold=0))


def _sigint(moment: Moment) -> None:
    signal.raise_signal(signal.SIGINT)


FIRST = Action("a signal", "step", _sigint)
SECOND = Action("a second signal", "step", _sigint, orderly=False)


def run_as_program(second_after: int | None, *, stride: int) -> list[str]:
    """Send a signal to `run_tree` in the first half second; give what was wrong."""
    example = SCENARIOS["everything"]
    assert example.module is not None
    declare: Callable[[], regrow.Supervisor] = example.module.everything

    async def main(observers: Iterable[Callable[[Event], object]]) -> None:
        await run_tree(declare(), observers=observers)

    async def main_for_a_while(observers: Iterable[Callable[[Event], object]]) -> None:
        with trio.move_on_after(0.5):
            await main(observers)

    scenario = evolve(example, name="run_tree", main=main, nursery=False)
    quiet = run_once(evolve(scenario, main=main_for_a_while))
    assert faults(scenario, quiet) == []
    found: list[str] = []
    # The first step is that which makes it listen.
    moments = range(2, quiet.steps, stride)
    for at in moments:
        doings = [(FIRST, at)]
        if second_after is not None:
            doings.append((SECOND, at + second_after))
        out = run_once(scenario, *doings)
        assert out.acted
        if len(out.acted) == 2 and isinstance(out.error, KeyboardInterrupt):
            out.error = None  # too late for `run_tree`, which hands it on
        found.extend(f"a signal at step {at}: {why}" for why in faults(scenario, out))
    print(f"run_tree, a signal: {len(moments)} points, {len(found)} violations")
    return found


def test_a_signal_stops_a_whole_program_in_order() -> None:
    assert run_as_program(None, stride=3) == []


@pytest.mark.parametrize("after", [1, 4, 16])
def test_a_second_signal_cuts_a_whole_program_off(after: int) -> None:
    assert run_as_program(after, stride=5) == []
