"""Ends of children that a stop has overtaken restart nothing, but they count (P8)."""

from typing import Any

import pytest

from regrow import Backoff
from regrow._core import steps
from regrow._core.exits import Exit, ExitReason
from tests.core.driver import Boom, Driver, spec, sup

CRASH = Exit(ExitReason.CRASHED, Boom())


def stop_after(driver: Driver, *ended: str, end: Exit = CRASH) -> list[str]:
    """Let children end, and the stop be heard before that is reported."""
    before = [steps.Exited(name, driver.running.pop(name), end) for name in ended]
    return driver.send(steps.StopRequested(final=True, before=tuple(before)), *before)


@pytest.mark.parametrize(
    ("strategy", "ended", "outcome"),
    [
        ("one_for_one", ("a",), steps.Outcome.STOPPED),
        ("one_for_one", ("a", "b"), steps.Outcome.GAVE_UP),
        ("one_for_all", ("a", "b"), steps.Outcome.STOPPED),
        ("rest_for_one", ("a", "b"), steps.Outcome.STOPPED),
        ("rest_for_one", ("b", "a"), steps.Outcome.GAVE_UP),
    ],
)
def test_they_count_as_if_they_had_been_taken_up(
    strategy: Any, ended: tuple[str, ...], outcome: steps.Outcome
) -> None:
    driver = Driver(sup("a", "b", strategy=strategy, intensity=1))

    log = stop_after(driver, *ended)

    assert not [line for line in log if line.startswith("start")]
    assert driver.finished is not None
    assert driver.finished.outcome is outcome


def test_one_that_stands_in_line_counts_too() -> None:
    driver = Driver(sup("a", "b", "c", intensity=0))
    driver.slow.add("c")
    driver.send(driver.asks(steps.TerminateChild("c")))
    run = driver.running.pop("a")
    driver.send(steps.Exited("a", run, CRASH))

    driver.stop()
    driver.end("c")

    assert driver.finished is not None
    assert driver.finished.outcome is steps.Outcome.GAVE_UP


def test_the_budget_of_a_backoff_is_spent_as_well() -> None:
    patient = spec("a", backoff=Backoff(max_attempts=1))
    driver = Driver(sup(patient))

    stop_after(driver, "a")

    assert driver.finished is not None
    assert driver.finished.outcome is steps.Outcome.GAVE_UP


@pytest.mark.parametrize(
    ("restart", "end"),
    [
        ("temporary", CRASH),
        ("transient", Exit(ExitReason.NORMAL)),
        ("permanent", Exit(ExitReason.CRASHED, KeyboardInterrupt(), fatal=True)),
    ],
)
def test_one_that_is_not_restarted_does_not_count(restart: Any, end: Exit) -> None:
    driver = Driver(sup(spec("a", restart), intensity=0))

    stop_after(driver, "a", end=end)

    assert driver.finished is not None
    assert driver.finished.outcome is steps.Outcome.STOPPED


def test_an_old_one_does_not_count() -> None:
    driver = Driver(sup("a", intensity=0))
    old = steps.Exited("a", 77, CRASH)

    driver.send(steps.StopRequested(final=True, before=(old,)), old)

    assert driver.finished is not None
    assert driver.finished.outcome is steps.Outcome.STOPPED


def test_uptime_before_it_begins_a_new_row() -> None:
    patient = spec("a", backoff=Backoff(max_attempts=2, jitter=0.0))
    driver = Driver(sup(patient))
    driver.crash("a")
    driver.advance(1000.0)

    stop_after(driver, "a")

    assert driver.finished is not None
    assert driver.finished.outcome is steps.Outcome.STOPPED


def test_the_end_of_one_that_was_told_to_stop_does_not_count() -> None:
    driver = Driver(sup("a", "b", intensity=0))
    driver.slow.add("a")
    driver.send(driver.asks(steps.TerminateChild("a")))
    crashed = steps.Exited("a", driver.stopping.pop("a"), CRASH)

    driver.send(steps.StopRequested(final=True, before=(crashed,)), crashed)

    assert driver.finished is not None
    assert driver.finished.outcome is steps.Outcome.STOPPED


def test_one_that_a_round_has_found_dead_does_not_count() -> None:
    declared = sup("a", "b", "c", strategy="one_for_all", intensity=1)
    driver = Driver(declared, a="ok hang")
    driver.slow.add("c")
    driver.crash("a")
    driver.crash("b")
    assert driver.end("c") == ["start a"]

    driver.stop()

    assert driver.finished is not None
    assert driver.finished.outcome is steps.Outcome.STOPPED
