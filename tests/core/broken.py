"""Runs a state machine that must find a fault: a tester that finds none is worth nothing."""

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

__all__ = ["must_be_caught"]


def must_be_caught(machine: type[RuleBasedStateMachine], steps: int = 20) -> None:
    """Check that *machine*, which looks at something broken, fails."""
    searching = settings(
        max_examples=1000,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],  # how small the example can be made is of no interest
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine, settings=searching)
