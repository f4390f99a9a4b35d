"""Every example tree, disturbed at every moment of its life."""

import pytest

from .harness import (
    CANCEL,
    CANCEL_POINT,
    CRASH,
    CRASH_AGAIN,
    EXIT,
    GROUP,
    SHUT_DOWN,
    SIGINT_POINT,
    SIGINT_STEP,
    TOO_SLOW,
    Action,
    faults,
    run_once,
    sweep,
)
from .scenarios import SCENARIOS

ACTIONS = (
    CANCEL,
    CANCEL_POINT,
    CRASH,
    CRASH_AGAIN,
    SHUT_DOWN,
    TOO_SLOW,
    GROUP,
    EXIT,
    SIGINT_STEP,
    SIGINT_POINT,
)


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_undisturbed_run_is_without_fault(name: str) -> None:
    for seed in range(20):
        out = run_once(SCENARIOS[name], seed=seed)
        assert faults(SCENARIOS[name], None, out) == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_run_is_the_same_for_the_same_seed(name: str) -> None:
    first, second = (run_once(SCENARIOS[name], seed=7) for _ in range(2))
    assert (first.steps, first.points) == (second.steps, second.points)
    assert list(map(repr, first.events)) == list(map(repr, second.events))


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
@pytest.mark.parametrize("name", SCENARIOS)
def test_no_moment_breaks_a_promise(name: str, action: Action) -> None:
    swept = sweep(SCENARIOS[name], action)
    print(swept)
    assert swept.found == []
    assert swept.tried > 0
