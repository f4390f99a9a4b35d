"""Children with a backoff, and first starts that are tried again (D5)."""

from typing import Any

import pytest

from regrow._core import steps
from regrow._core.backoff import Backoff
from regrow._core.specs import ChildSpec
from regrow.errors import (
    ActorInterruptedError,
    ActorStoppedError,
    RestartLimitExceededError,
)
from tests.core.driver import Driver, spec, sup

STRATEGIES = ["one_for_one", "rest_for_one", "one_for_all"]


def slowly(name: str, seconds: float = 1.0, **options: Any) -> ChildSpec:
    """A child whose delays are *seconds*, twice that, and so on."""
    attempts = options.pop("max_attempts", 100)
    backoff = Backoff(initial=seconds, jitter=0.0, max_attempts=attempts)
    return spec(name, options.pop("restart", "permanent"), backoff=backoff, **options)


def three(strategy: str, **options: Any) -> Driver:
    """`a`, `b` and `c`, of which `b` has a backoff."""
    return Driver(sup("a", slowly("b"), "c", strategy=strategy, intensity=0), **options)


# ------------------------------------------------------------------------- a delayed round


@pytest.mark.parametrize(
    ("strategy", "at_once", "later"),
    [
        ("one_for_one", [], ["start b"]),
        ("rest_for_one", ["stop c"], ["start b", "start c"]),
        ("one_for_all", ["stop c", "stop a"], ["start a", "start b", "start c"]),
    ],
)
def test_range_stops_at_once_and_starts_after_the_delay(
    strategy: str, at_once: list[str], later: list[str]
) -> None:
    driver = three(strategy)

    assert driver.crash("b") == ["wait b 1", *at_once]
    assert driver.statuses["b"] == "restarting"
    assert driver.advance(0.99) == []
    assert driver.advance(0.01) == later
    assert driver.up == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("strategy", "failed", "at_last"),
    [
        ("one_for_one", ["start b", "wait b 2"], ["start b"]),
        ("rest_for_one", ["start b", "wait b 2"], ["start b", "start c"]),
        (
            "one_for_all",
            ["start a", "start b", "wait b 2", "stop a"],
            ["start a", "start b", "start c"],
        ),
    ],
)
def test_a_start_that_fails_in_it_waits_longer_with_the_range_down(
    strategy: str, failed: list[str], at_last: list[str]
) -> None:
    driver = three(strategy, b="ok fail")
    driver.crash("b")

    assert driver.advance(1.0) == failed
    assert driver.advance(2.0) == at_last


def test_siblings_started_before_the_one_that_fails_stay_up() -> None:
    declared = sup(slowly("a"), "b", slowly("c"), "d", strategy="rest_for_one")
    driver = Driver(declared, c="ok fail")
    driver.crash("a")

    assert driver.advance(1.0) == ["start a", "start b", "start c", "wait c 1"]
    assert driver.up == ["a", "b"]
    assert driver.advance(1.0) == ["start c", "start d"]


def test_temporary_siblings_in_the_range_are_forgotten() -> None:
    declared = sup(slowly("a"), spec("t", "temporary"), "c", strategy="one_for_all")
    driver = Driver(declared)

    assert driver.crash("a") == ["wait a 1", "stop c", "stop t for good", "remove t"]
    assert driver.advance(1.0) == ["start a", "start c"]


def test_a_range_that_stops_slowly_may_outlast_the_delay() -> None:
    driver = three("rest_for_one")
    driver.slow.add("c")

    assert driver.crash("b") == ["wait b 1", "stop c"]
    assert driver.advance(5.0) == []
    assert driver.end("c") == ["start b", "start c"]


def test_delays_grow_in_a_row_and_begin_anew_after_enough_uptime() -> None:
    driver = three("one_for_one")

    assert driver.crash("b") == ["wait b 1"]
    driver.advance(1.0)
    driver.advance(59.9)
    assert driver.crash("b") == ["wait b 2"]
    driver.advance(2.0)
    driver.advance(60.0)
    assert driver.crash("b") == ["wait b 1"]


def test_starts_that_fail_go_on_with_the_row_however_long_it_was_up_before() -> None:
    driver = three("one_for_one", b="ok fail fail")
    driver.advance(1000.0)

    assert driver.crash("b") == ["wait b 1"]
    assert driver.advance(1.0) == ["start b", "wait b 2"]
    assert driver.advance(2.0) == ["start b", "wait b 4"]


def test_jitter_is_drawn_once_a_delay() -> None:
    draws = iter([0.5, 0.25])
    backoff = Backoff(initial=8.0, factor=1.0, jitter=1.0)
    declared = sup(spec("a", backoff=backoff))
    driver = Driver(declared, draw=lambda: next(draws))

    assert driver.crash("a") == ["wait a 4"]
    driver.advance(4.0)
    assert driver.crash("a") == ["wait a 6"]


def test_its_failures_do_not_count_for_its_siblings() -> None:
    declared = sup("a", slowly("b", seconds=0.0), strategy="one_for_one", intensity=1)
    driver = Driver(declared)
    for _ in range(50):
        driver.crash("b")
        driver.advance(0.0)

    assert driver.crash("a") == ["start a"]
    assert driver.crash("b") == ["wait b 0"]
    assert driver.crash("a") == [
        "ending: gave_up",
        "wait b no more",
        "close a",
        "close b",
        "finished: gave_up",
    ]


def test_the_last_attempt_allowed_in_a_row_escalates() -> None:
    declared = sup("a", slowly("b", max_attempts=3))
    driver = Driver(declared, root=False, b="ok fail")
    driver.crash("b")
    driver.advance(1.0)
    driver.advance(2.0)

    assert driver.crash("b") == ["ending: gave_up", "stop a", "finished: gave_up"]
    assert driver.finished is not None
    error = driver.finished.error
    assert isinstance(error, RestartLimitExceededError)
    assert (error.child_id, error.intensity, error.period) == ("b", None, 60.0)
    assert [(f.path, f.at, f.while_starting) for f in error.failures] == [
        ("top/b", 0.0, False),
        ("top/b", 1.0, True),
        ("top/b", 3.0, False),
    ]
    assert str(error) == (
        "supervisor 'top' gave up: 'b' failed 3 times in a row, all that its backoff "
        "allows (Boom: b). Fix the child, or raise max_attempts or lower reset_after of "
        "its backoff."
    )


def test_decisions_tell_attempt_delay_and_error() -> None:
    driver = three("one_for_one", b="ok fail")
    driver.crash("b")
    driver.advance(1.0)

    told = [(d.name, d.attempt, d.delay, str(d.error)) for d in driver.decisions]
    assert told == [("b", 1, 1.0, "b"), ("b", 2, 2.0, "b")]


# ---------------------------------------------------------- what happens while it waits


@pytest.mark.parametrize(
    ("strategy", "freed"),
    [
        ("one_for_one", []),
        ("rest_for_one", ["start c"]),
        ("one_for_all", ["start a", "start c"]),
    ],
)
def test_terminating_the_waiting_child_starts_the_rest_of_the_range(
    strategy: str, freed: list[str]
) -> None:
    driver = three(strategy)
    driver.crash("b")

    ask = driver.asks(steps.TerminateChild("b"))
    assert driver.send(ask) == ["wait b no more", "close b", *freed, "reply 1"]
    assert driver.replies[1] is None
    assert driver.advance(100.0) == []  # T8
    assert driver.statuses == {"a": "running", "b": "stopped", "c": "running"}


def test_terminating_it_leaves_down_what_was_stopped_by_request() -> None:
    driver = three("one_for_all")
    driver.ask(steps.TerminateChild("c"))
    driver.crash("b")

    driver.ask(steps.TerminateChild("b"))

    assert driver.up == ["a"]


def test_terminating_it_leaves_down_what_another_one_waits_for() -> None:
    driver = three("rest_for_one", d="fail")
    driver.crash("b")
    driver.ask(steps.StartNewChild(slowly("d", start="retry")))
    assert driver.statuses["d"] == "restarting"

    driver.ask(steps.TerminateChild("d"))
    assert driver.up == ["a"]
    driver.ask(steps.TerminateChild("b"))
    assert driver.up == ["a", "c"]


def test_the_rest_starts_although_the_caller_gives_up() -> None:
    driver = three("one_for_all", a="ok hang")
    driver.crash("b")
    driver.send(driver.asks(steps.TerminateChild("b")))

    driver.send(steps.AbandonCall(1))

    assert driver.come_up("a") == ["start c"]
    assert driver.replies == {}


def test_requests_find_it_restarting() -> None:
    driver = three("one_for_one")
    driver.crash("b")

    assert driver.ask_code(steps.RestartChild("b")) == "restarting"
    assert driver.ask_code(steps.DeleteChild("b")) == "restarting"
    assert driver.ask_code(steps.StartNewChild(spec("b"))) == "already_present"
    counts = driver.ask(steps.CountChildren())
    assert counts == steps.ChildCounts(specs=3, active=2, supervisors=0, workers=3)


def test_a_sibling_kept_down_can_be_started_by_request() -> None:
    driver = three("rest_for_one")
    driver.crash("b")

    assert driver.ask(steps.RestartChild("c")) == steps.ChildUp("c")
    assert driver.advance(1.0) == ["stop c", "start b", "start c"]


def test_the_round_of_an_earlier_sibling_overrides_the_wait() -> None:
    declared = sup("a", slowly("b"), "c", strategy="rest_for_one")
    driver = Driver(declared)
    driver.crash("b")

    assert driver.crash("a") == ["wait b no more", "start a", "start b", "start c"]
    assert driver.advance(100.0) == []


def test_the_delayed_round_of_an_earlier_sibling_overrides_the_wait() -> None:
    """It once came back inside the range that was to be kept down."""
    declared = sup(slowly("a", 10.0), slowly("b"), "c", strategy="rest_for_one")
    driver = Driver(declared)
    driver.crash("b")

    assert driver.crash("a") == ["wait a 10", "wait b no more"]
    assert driver.statuses == {"a": "restarting", "b": "stopped", "c": "stopped"}
    assert driver.advance(10.0) == ["start a", "start b", "start c"]


def test_waits_of_one_for_one_do_not_touch_each_other() -> None:
    driver = Driver(sup(slowly("a", 10.0), slowly("b"), "c"))
    driver.send(driver.crashes("a"), driver.crashes("b"))

    assert driver.advance(1.0) == ["start b"]
    assert driver.advance(9.0) == ["start a"]


def test_a_late_timer_of_a_wait_that_is_over_is_ignored() -> None:
    driver = three("one_for_one")
    driver.crash("b")
    token, _ = driver.timers["b"]
    driver.ask(steps.TerminateChild("b"))

    assert driver.send(steps.TimerDue("b", token), steps.TimerDue("x", token)) == []
    assert driver.statuses["b"] == "stopped"


def test_a_wait_that_ends_while_the_supervisor_is_busy_stands_in_line() -> None:
    driver = three("one_for_one", d="hang")
    driver.crash("b")
    driver.send(driver.asks(steps.StartNewChild(spec("d"))))

    assert driver.advance(1.0) == []
    assert driver.come_up("d") == ["reply 1", "start b"]


def test_a_wait_that_has_ended_and_stands_in_line_can_be_cancelled() -> None:
    driver = three("one_for_one", d="hang")
    driver.crash("b")
    new, end = steps.StartNewChild(spec("d")), steps.TerminateChild("b")
    driver.send(driver.asks(new), driver.asks(end))

    driver.advance(1.0)
    assert driver.come_up("d") == ["reply 1", "wait b no more", "close b", "reply 2"]
    assert driver.statuses["b"] == "stopped"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_stopping_the_supervisor_cancels_the_wait(strategy: str) -> None:
    driver = three(strategy)
    driver.crash("b")

    lines = driver.stop()

    assert lines[:2] == ["ending: stopped", "wait b no more"]
    assert lines[-1] == "finished: stopped"
    assert not [line for line in lines if line.startswith("start")]
    assert driver.advance(100.0) == []


def test_children_kept_down_are_not_gone_for_all_significant() -> None:
    children = [
        spec("x", "transient", significant=True),
        slowly("b"),
        spec("s", "transient", significant=True),
    ]
    declared = sup(*children, strategy="rest_for_one", auto_shutdown="all_significant")
    driver = Driver(declared)
    driver.crash("b")

    assert driver.leave("x") == ["close x"]
    assert driver.advance(1.0) == ["start b", "start s"]
    assert "ending: auto_shutdown" in driver.leave("s")


# -------------------------------------------------------------- first starts tried again


@pytest.mark.parametrize(
    ("strategy", "first", "later"),
    [
        ("one_for_one", ["start a", "start b", "wait b 1", "start c"], ["start b"]),
        ("rest_for_one", ["start a", "start b", "wait b 1"], ["start b", "start c"]),
        (
            "one_for_all",
            ["start a", "start b", "wait b 1", "stop a"],
            ["start a", "start b", "start c"],
        ),
    ],
)
def test_a_first_start_is_tried_again_after_a_delay(
    strategy: str, first: list[str], later: list[str]
) -> None:
    declared = sup("a", slowly("b", start="retry"), "c", strategy=strategy)
    driver = Driver(declared, b="fail")

    assert driver.log == [*first, "up"]
    assert driver.advance(1.0) == later
    assert driver.up == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("strategy", "lines"),
    [
        ("one_for_one", ["start a", "start b", "start c", "up", "start b"]),
        ("rest_for_one", ["start a", "start b", "up", "start b", "start c"]),
        (
            "one_for_all",
            ["start a", "start b", "up", "stop a", "start a", "start b", "start c"],
        ),
    ],
)
def test_a_first_start_is_tried_again_at_once_without_a_backoff(
    strategy: str, lines: list[str]
) -> None:
    declared = sup("a", spec("b", start="retry"), "c", strategy=strategy)
    driver = Driver(declared, b="fail")

    assert driver.log == lines
    assert [d.attempt for d in driver.decisions] == [1]


def test_such_tries_count_in_the_window() -> None:
    declared = sup("a", spec("b", start="retry"), intensity=2)
    driver = Driver(declared, b="fail fail fail")

    assert driver.log == [
        *["start a", "start b", "up", "start b", "start b"],
        *["ending: gave_up", "close b", "stop a for good", "finished: gave_up"],
    ]


def test_temporary_siblings_stopped_meanwhile_are_forgotten() -> None:
    first, second = spec("t", "temporary"), slowly("b", start="retry")
    driver = Driver(sup(first, second, "c", strategy="one_for_all"), b="fail")

    gone = ["stop t for good", "remove t"]
    assert driver.log == ["start t", "start b", "wait b 1", *gone, "up"]
    assert driver.advance(1.0) == ["start b", "start c"]


def test_a_temporary_child_is_tried_again_until_it_is_up_and_never_restarted() -> None:
    declared = sup(slowly("t", restart="temporary", start="retry"))
    driver = Driver(declared, t="fail fail")
    driver.advance(1.0)
    driver.advance(2.0)
    assert driver.up == ["t"]

    assert driver.crash("t") == ["remove t"]


def test_terminating_a_temporary_child_that_waits_forgets_it() -> None:
    declared = sup(slowly("t", restart="temporary", start="retry"), "c")
    driver = Driver(declared, t="fail")

    driver.ask(steps.TerminateChild("t"))

    assert driver.log[-3:] == ["wait t no more", "remove t", "reply 1"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_first_start_that_spends_its_attempts_ends_the_supervisor(
    strategy: str,
) -> None:
    declared = sup(
        "a", slowly("b", start="retry", max_attempts=1), "c", strategy=strategy
    )
    driver = Driver(declared, b="fail")

    assert driver.log == [
        *["start a", "start b", "ending: gave_up", "close b", "close c"],
        *["stop a for good", "finished: gave_up"],
    ]
    assert not driver.machine.up


@pytest.mark.parametrize(
    ("strategy", "stopped"),
    [("one_for_one", []), ("rest_for_one", []), ("one_for_all", ["stop b", "stop a"])],
)
def test_start_child_of_such_a_child_succeeds_and_it_waits(
    strategy: str, stopped: list[str]
) -> None:
    driver = Driver(sup("a", "b", strategy=strategy), n="fail")
    driver.log.clear()

    answer = driver.ask(steps.StartNewChild(slowly("n", start="retry")))

    assert answer == steps.ChildUp("n")
    assert driver.log == ["start n", "wait n 1", *stopped, "reply 1"]
    driver.advance(1.0)
    assert driver.up == ["a", "b", "n"]


def test_start_child_of_a_child_that_may_not_fail_even_once() -> None:
    driver = Driver(sup("a"), n="fail")
    child = slowly("n", start="retry", max_attempts=1)

    answer = driver.ask(steps.StartNewChild(child))

    assert isinstance(answer, ActorInterruptedError)
    assert driver.finished is not None


def test_restart_child_of_such_a_child_fails_like_any_other() -> None:
    driver = Driver(sup(slowly("a", start="retry")), a="ok fail")
    driver.ask(steps.TerminateChild("a"))

    assert driver.ask_code(steps.RestartChild("a")) == "StartFailedError"
    assert driver.statuses == {"a": "stopped"}
    assert driver.timers == {}


def test_a_drain_ends_all_waits() -> None:
    driver = three("rest_for_one")
    driver.crash("b")

    lines = driver.send(steps.Drain())

    assert lines == ["wait b no more", "close b", "close c"]
    assert isinstance(driver.ask(steps.RestartChild("b")), ActorStoppedError)
    assert driver.advance(100.0) == []
