"""Every example tree, disturbed at every moment of its life."""

import pytest

from .actions import (
    CANCEL,
    CANCEL_POINT,
    CRASH,
    CRASH_AGAIN,
    EXIT,
    GROUP,
    KILL,
    SHUT_DOWN,
    SIGINT_POINT,
    SIGINT_STEP,
    STOP,
    TOO_SLOW,
    Action,
)
from .harness import run_once
from .judge import faults
from .scenarios import SCENARIOS
from .sweeping import sweep, sweep_pairs

EVERYWHERE = (CANCEL, CRASH, CRASH_AGAIN)
"""These are tried at every moment."""

STRIDE = 3
"""The others are tried at every third in the suite, at every one if run by hand."""

ACTIONS = (
    *EVERYWHERE,
    *(CANCEL_POINT, KILL, STOP),
    *(SHUT_DOWN, TOO_SLOW, GROUP, EXIT),
    *(SIGINT_STEP, SIGINT_POINT),
)


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_undisturbed_run_is_without_fault(name: str) -> None:
    for seed in range(10):
        out = run_once(SCENARIOS[name], seed=seed)
        assert faults(SCENARIOS[name], out) == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_run_is_the_same_for_the_same_seed(name: str) -> None:
    first, second = (run_once(SCENARIOS[name], seed=7) for _ in range(2))
    assert (first.steps, first.points) == (second.steps, second.points)
    assert list(map(repr, first.events)) == list(map(repr, second.events))


@pytest.mark.parametrize("action", ACTIONS, ids=str)
@pytest.mark.parametrize("name", SCENARIOS)
def test_no_moment_breaks_a_promise(name: str, action: Action) -> None:
    stride = 1 if action in EVERYWHERE else STRIDE
    swept = sweep(SCENARIOS[name], action, stride=stride)
    print(swept)
    assert swept.found == []
    assert swept.tried > 0


@pytest.mark.parametrize("second", [CANCEL, STOP, KILL, SIGINT_STEP], ids=str)
@pytest.mark.parametrize("first", [CRASH, CRASH_AGAIN, EXIT, CANCEL], ids=str)
@pytest.mark.parametrize("name", SCENARIOS)
def test_no_two_moments_break_a_promise(
    name: str, first: Action, second: Action
) -> None:
    swept = sweep_pairs(SCENARIOS[name], first, second, count=8)
    print(swept)
    assert swept.found == []
