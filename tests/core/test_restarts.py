"""Ends of children and what follows from them: S23-S37."""

from typing import Any

import pytest

from regrow._core import steps
from regrow._core.exits import Exit, ExitReason
from regrow.errors import RestartLimitExceededError
from tests.core.driver import Boom, Driver, dynamic, spec, sup

NORMAL, SHUTDOWN = ExitReason.NORMAL, ExitReason.SHUTDOWN
CRASHED, KILLED = ExitReason.CRASHED, ExitReason.KILLED

STRATEGIES = ["one_for_one", "rest_for_one", "one_for_all"]
REASONS = [NORMAL, SHUTDOWN, CRASHED, KILLED]

ROUNDS: dict[tuple[str, str], list[str]] = {
    ("one_for_one", "a"): ["start a"],
    ("one_for_one", "b"): ["start b"],
    ("one_for_one", "c"): ["start c"],
    ("rest_for_one", "a"): ["stop c", "stop b", "start a", "start b", "start c"],
    ("rest_for_one", "b"): ["stop c", "start b", "start c"],
    ("rest_for_one", "c"): ["start c"],
    ("one_for_all", "a"): ["stop c", "stop b", "start a", "start b", "start c"],
    ("one_for_all", "b"): ["stop c", "stop a", "start a", "start b", "start c"],
    ("one_for_all", "c"): ["stop b", "stop a", "start a", "start b", "start c"],
}


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize(("strategy", "name"), ROUNDS)
def test_every_end_in_every_place(
    strategy: str, name: str, restart: Any, reason: ExitReason
) -> None:
    children = [spec(each, restart if each == name else "permanent") for each in "abc"]
    driver = Driver(sup(*children, strategy=strategy))
    if restart == "permanent" or (restart == "transient" and not reason.clean):
        wanted = ROUNDS[strategy, name]
    elif restart == "transient":
        wanted = [f"close {name}"]
    else:
        wanted = [f"remove {name}"]

    assert driver.leave(name, reason) == wanted


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_group_brings_back_all_but_temporary_siblings(strategy: str) -> None:
    """S28 (2), S30: whatever is known is started, also what was down before."""
    t, n = spec("t", "temporary"), spec("n", "transient")
    driver = Driver(sup("a", t, n, "i", "e", strategy=strategy), i="ignore")
    driver.leave("n")
    driver.ask(steps.TerminateChild("e"))

    driver.crash("a")

    if strategy == "one_for_one":
        assert driver.up == ["a", "t"]
    else:
        assert driver.up == ["a", "e", "i", "n"]
        assert list(driver.statuses) == ["a", "n", "i", "e"]


def test_a_failed_restart_is_tried_again_from_scratch_in_one_for_all() -> None:
    """The trace of S32."""
    driver = Driver(
        sup("a", "b", "d", strategy="one_for_all", intensity=3),
        root=False,
        b="ok fail fail fail",
    )

    again = ["stop a", "start a", "start b"]
    assert driver.crash("d") == [
        *["stop b", "stop a", "start a", "start b", *again, *again],
        *["ending: gave_up", "stop a", "finished: gave_up"],
    ]


def test_a_failed_restart_is_tried_again_from_the_failed_child_in_rest_for_one() -> (
    None
):
    """The trace of S32."""
    driver = Driver(
        sup("a", "r", "s", "d", strategy="rest_for_one", intensity=3),
        root=False,
        s="ok fail fail fail",
    )

    assert driver.crash("r") == [
        *["stop d", "stop s", "start r", "start s", "start s", "start s"],
        *["ending: gave_up", "stop r", "stop a", "finished: gave_up"],
    ]
    assert [d.name for d in driver.decisions] == ["r", "s", "s"]


def test_a_retry_is_decided_for_what_its_start_failed_of() -> None:
    driver = Driver(sup("a", intensity=2), a="ok fail fail")
    driver.crash("a")

    first, second = driver.decisions
    assert (first.attempt, second.attempt) == (1, 2)
    assert isinstance(first.error, Boom)
    assert isinstance(second.error, Boom)
    assert first.error is not second.error
    assert driver.ending is not None
    error = driver.ending.error
    assert isinstance(error, RestartLimitExceededError)
    assert [failure.while_starting for failure in error.failures] == [False, True, True]
    assert [failure.error for failure in error.failures[:2]] == [
        first.error,
        second.error,
    ]
    assert driver.machine._children["a"].failed is None  # it is not held any longer


def test_a_retry_that_another_round_has_made_needless_is_dropped() -> None:
    """S33."""
    driver = Driver(
        sup("a", "b", strategy="rest_for_one", intensity=9), b="ok hang", a="ok hang"
    )
    driver.crash("b")
    driver.crash("a")  # it stands in line, before the retry of `b`

    assert driver.fail("b") == ["start a"]
    assert driver.come_up("a") == ["start b"]
    assert len(driver.decisions) == 2


@pytest.mark.parametrize("restart", ["permanent", "transient"])
def test_a_child_ignored_on_restart_stays_down(restart: str) -> None:
    driver = Driver(sup(spec("a", restart), "b", strategy="one_for_all"), a="ok ignore")

    assert driver.crash("a") == ["stop b", "start a", "close a", "start b"]
    assert driver.statuses == {"a": "stopped", "b": "running"}


def test_a_round_absorbs_the_ends_of_those_it_was_to_stop() -> None:
    """S37: and only those that are not restarted with it stand in line still."""
    driver = Driver(sup("a", "b", "c", "d", strategy="rest_for_one", intensity=1))
    driver.slow.add("d")
    assert driver.crash("b") == ["stop d"]
    driver.crash("c")

    assert driver.end("d", CRASHED) == ["start b", "start c", "start d"]
    assert len(driver.decisions) == 1


def test_a_child_that_dies_during_a_round_it_does_not_belong_to_is_heard_after() -> (
    None
):
    driver = Driver(sup("a", "b", strategy="rest_for_one"), b="ok hang")
    driver.crash("b")

    assert driver.crash("a") == []
    assert driver.come_up("b") == ["stop b", "start a", "start b"]


def test_a_child_that_dies_in_the_round_that_started_it_is_restarted_again() -> None:
    driver = Driver(sup("a", "b", strategy="one_for_all"), b="ok hang")
    driver.crash("a")
    driver.crash("a")

    assert driver.come_up("b") == ["stop b", "start a", "start b"]
    assert len(driver.decisions) == 2


def test_ends_during_the_first_start_are_heard_after_it() -> None:
    driver = Driver(sup("a", "b"), b="hang")

    assert driver.crash("a") == []
    assert driver.come_up("b") == ["up", "start a"]


def test_old_events_are_ignored() -> None:
    """T6."""
    driver = Driver(sup("a", "b"))
    old = driver.running["a"]
    driver.crash("a")
    crashed = Exit(CRASHED)

    assert driver.send(steps.Exited("a", old, crashed)) == []
    assert driver.send(steps.Exited("x", 1, crashed)) == []
    assert driver.send(steps.Started("a", old)) == []
    assert driver.send(steps.StartFailed("a", old, ValueError())) == []
    assert driver.send(steps.Ignored("a", old)) == []
    assert driver.statuses == {"a": "running", "b": "running"}


def test_a_supervisor_that_never_shuts_itself_down_does_not_look_at_significance() -> (
    None
):
    driver = Driver(sup(spec("s", "transient", significant=True)))

    assert driver.leave("s") == ["close s"]


@pytest.mark.parametrize("mode", ["any_significant", "all_significant"])
@pytest.mark.parametrize("restart", ["transient", "temporary"])
def test_the_end_of_a_child_that_is_not_significant_never_ends_it(
    mode: Any, restart: Any
) -> None:
    significant = spec("s", "transient", significant=True)
    driver = Driver(sup(spec("a", restart), significant, auto_shutdown=mode))

    driver.leave("a")

    assert driver.ending is None


def test_any_significant_ends_it_with_the_first() -> None:
    children = [spec(name, "transient", significant=True) for name in "ab"]
    driver = Driver(sup(*children, auto_shutdown="any_significant"))

    driver.crash("a")
    assert driver.ending is None
    driver.leave("a")
    assert driver.ending is not None


def test_all_significant_waits_for_the_last() -> None:
    children = [spec(name, "temporary", significant=True) for name in "abc"]
    driver = Driver(sup(*children, "d", auto_shutdown="all_significant"))

    driver.crash("a")
    driver.leave("c")
    assert driver.ending is None
    assert driver.leave("b", SHUTDOWN)[:2] == ["remove b", "ending: auto_shutdown"]


@pytest.mark.parametrize(("first", "ends"), [("terminate", True), ("leave", False)])
def test_a_terminated_significant_child_is_not_there_but_never_ends_it(
    first: str, ends: bool
) -> None:
    """The pair of S47."""
    children = [spec(name, "transient", significant=True) for name in "ab"]
    driver = Driver(sup(*children, auto_shutdown="all_significant"))

    if first == "terminate":
        driver.ask(steps.TerminateChild("b"))
        driver.leave("a")
    else:
        driver.leave("a")
        driver.ask(steps.TerminateChild("b"))

    assert (driver.ending is not None) is ends


def test_a_significant_child_that_is_restarting_is_still_there() -> None:
    children = [spec(name, "transient", significant=True) for name in "ab"]
    driver = Driver(
        sup(*children, auto_shutdown="all_significant"), a="ok hang", b="ok"
    )
    driver.crash("a")
    driver.leave("b")
    driver.fail("a")

    assert driver.ending is None
    assert driver.up == ["a"]


def test_children_of_a_dynamic_supervisor_stop_together_and_start_one_by_one() -> None:
    driver = Driver(dynamic(), a="hang", b="hang")
    one, two = steps.StartNewChild(spec("a")), steps.StartNewChild(spec("b"))

    assert driver.send(driver.asks(one), driver.asks(two)) == ["start a"]
    assert driver.come_up("a") == ["reply 1", "start b"]
