"""What reimplementations of OTP's supervisor get wrong, T1 to T25, as far as no loop is
needed to show it; `tests/runtime` has the others.
"""

import gc
import sys
import weakref
from typing import Any

import pytest

from regrow._core import steps
from regrow._core.backoff import Backoff
from regrow._core.exits import Exit, ExitReason
from regrow._core.specs import ChildSpec
from regrow._core.steps import ChildCounts, ChildUp
from regrow.errors import RestartLimitExceededError
from tests.core.driver import Boom, Driver, dynamic, spec, sup
from tests.core.test_slow_restarts import Chain, Level


def test_t1_a_group_restart_brings_back_whatever_was_down() -> None:
    declared = sup("a", spec("b", "transient"), "c", strategy="one_for_all")
    driver = Driver(declared)
    driver.leave("b")
    driver.ask(steps.TerminateChild("c"))
    assert driver.up == ["a"]

    driver.crash("a")

    assert driver.up == ["a", "b", "c"]


def test_t2_temporary_siblings_are_forgotten_and_take_nobody_along() -> None:
    declared = sup("a", spec("t", "temporary"), "c", strategy="one_for_all")
    driver = Driver(declared)
    assert driver.crash("t") == ["remove t"]

    driver = Driver(declared)
    driver.crash("a")

    assert driver.up == ["a", "c"]
    assert driver.ask(steps.CountChildren()) == ChildCounts(2, 2, 0, 2)


@pytest.mark.parametrize("intensity", [0, 1, 3])
def test_t3_so_many_restarts_not_so_many_crashes(intensity: int) -> None:
    driver = Driver(sup("a", intensity=intensity))
    while driver.running:
        driver.crash("a")

    assert driver.log.count("start a") == intensity + 1
    assert Chain([Level(intensity)] * 3).run(1000) == (intensity + 1) ** 3


@pytest.mark.parametrize(
    ("apart", "ends"), [(4.999, True), (5.0, True), (5.001, False)]
)
def test_t4_a_restart_exactly_a_period_ago_counts(apart: float, ends: bool) -> None:
    driver = Driver(sup("a", intensity=1, period=5.0))
    driver.crash("a")
    driver.now += apart
    driver.crash("a")

    assert (driver.finished is not None) is ends


def test_t4_a_restart_that_succeeds_resets_nothing() -> None:
    driver = Driver(sup("a", intensity=2, period=10.0))
    for _ in range(1000):
        driver.now += 5.1  # never three within ten seconds
        driver.crash("a")
    assert driver.finished is None

    driver.now += 4.95
    driver.crash("a")
    assert driver.finished is None
    driver.now += 0.05
    driver.crash("a")
    assert driver.finished is not None


@pytest.mark.parametrize(
    ("strategy", "order", "restarts"),
    [
        ("one_for_one", "abc", None),
        ("one_for_all", "abc", 1),
        ("one_for_all", "cab", 1),
        ("rest_for_one", "abc", 1),
        ("rest_for_one", "cba", None),
    ],
)
def test_t5_crashes_at_once_count_by_strategy(
    strategy: str, order: str, restarts: int | None
) -> None:
    driver = Driver(sup("a", "b", "c", strategy=strategy, intensity=1))

    driver.send(*[driver.crashes(name) for name in order])

    if restarts is None:
        assert driver.finished is not None
    else:
        assert driver.up == ["a", "b", "c"]
        assert len(driver.decisions) == restarts
        # Nothing of it is handled later, and it is one entry of the window.
        driver.now += 5.0
        driver.crash("a")
        assert driver.ending is not None
        assert isinstance(driver.ending.error, RestartLimitExceededError)
        assert len(driver.ending.error.failures) == 2


def test_t6_the_late_end_of_an_old_run_does_not_touch_the_new_one() -> None:
    driver = Driver(sup("a", intensity=1))
    old = driver.running["a"]
    driver.crash("a")

    late = steps.Exited("a", old, Exit(ExitReason.CRASHED, Boom()))

    assert driver.send(late) == []
    assert driver.up == ["a"]
    assert len(driver.decisions) == 1


@pytest.mark.parametrize(
    ("strategy", "statuses", "again"),
    [
        (
            "rest_for_one",
            {"a": "running", "b": "restarting", "c": "stopped"},
            ["start b", "start c"],
        ),
        (
            "one_for_all",
            {"a": "running", "b": "restarting", "c": "stopped"},
            ["stop a", "start a", "start b", "start c"],
        ),
        (
            "one_for_one",
            {"a": "running", "b": "restarting", "c": "running"},
            ["start b"],
        ),
    ],
)
def test_t7_between_failed_restarts_it_hears_callers(
    strategy: str, statuses: dict[str, str], again: list[str]
) -> None:
    driver = Driver(sup("a", "b", "c", strategy=strategy), b="ok hang")
    driver.crash("b")
    which = driver.asks(steps.WhichChildren())
    driver.send(which)

    lines = driver.fail("b")

    assert lines == ["reply 1", *again]
    shown = driver.replies[which.ticket]
    assert isinstance(shown, tuple)
    assert {child.name: child.status for child in shown} == statuses


def test_t7_between_failed_restarts_it_hears_a_stop() -> None:
    driver = Driver(sup("a"), a="ok hang")
    driver.crash("a")

    assert driver.stop() == [
        "ending: stopped",
        "cancel a",
        "close a",
        "finished: stopped",
    ]


@pytest.mark.parametrize("how", ["terminate", "terminate and delete", "stop"])
def test_t8_a_cancelled_retry_does_not_fire_later(how: str) -> None:
    child = spec("a", backoff=Backoff(initial=1.0, jitter=0.0))
    driver = Driver(sup(child, "b"))
    driver.crash("a")
    if how == "stop":
        driver.stop()
    else:
        driver.ask(steps.TerminateChild("a"))
    if how == "terminate and delete":
        driver.ask(steps.DeleteChild("a"))
    driver.log.clear()

    driver.advance(1000.0)

    assert driver.log == []


@pytest.mark.parametrize(
    ("restart", "lines"),
    [
        ("permanent", ["start s"]),
        ("transient", ["start s"]),  # D1: to give up is to fail
        ("temporary", ["remove s", "ending: auto_shutdown"]),
    ],
)
def test_t9_a_supervisor_that_gave_up_has_failed(
    restart: Any, lines: list[str]
) -> None:
    inner = sup("x", name="s", restart=restart, significant=restart == "temporary")
    driver = Driver(sup(inner, "b", auto_shutdown="any_significant"))

    driver.crash("s")

    assert driver.log[driver.log.index("up") + 1 :][: len(lines)] == lines


def test_t10_a_first_start_is_not_tried_again_but_a_restart_is() -> None:
    driver = Driver(sup("a", "b", intensity=3), root=False, b="fail")
    assert driver.log == [
        *["start a", "start b", "ending: start_failed", "stop a"],
        "finished: start_failed",
    ]

    # Seen from above, the same failure of a supervisor that is restarted is one more try.
    above = Driver(sup(sup("a", "b", name="s"), intensity=3), s="ok fail fail fail")
    above.crash("s")
    assert above.log.count("start s") == 4
    assert above.ending is not None


@pytest.mark.parametrize(
    ("restart", "when"),
    [
        ("permanent", "first"),
        ("transient", "first"),
        ("temporary", "first"),
        ("permanent", "added"),
        ("transient", "added"),
        ("temporary", "added"),
        ("permanent", "restarted"),
        ("transient", "restarted"),
    ],
)
def test_t12_an_ignored_start_is_neither_a_failure_nor_a_wait(
    restart: Any, when: str
) -> None:
    child = spec("i", restart)
    if when == "first":
        driver = Driver(sup("b", child, intensity=0), i="ignore")
    elif when == "added":
        driver = Driver(sup("b", intensity=0), i="ignore")
        answer = driver.ask(steps.StartNewChild(child))
        assert answer == ChildUp("i", ignored=True)
    else:
        driver = Driver(sup("b", child, intensity=1), i="ok ignore")
        driver.crash("i")

    kept = {} if restart == "temporary" else {"i": "stopped"}
    assert driver.statuses == {"b": "running", **kept}
    assert driver.finished is None


def test_t12_an_ignored_child_of_a_dynamic_supervisor_is_forgotten() -> None:
    driver = Driver(dynamic(), i="ignore", j="ok ignore")

    assert driver.ask(steps.StartNewChild(spec("i"))) == ChildUp("i", ignored=True)
    driver.ask(steps.StartNewChild(spec("j")))
    driver.crash("j")

    assert driver.statuses == {}


def test_t13_the_order_is_that_of_starts() -> None:
    driver = Driver(sup("c", spec("a", "temporary"), "b", strategy="one_for_all"))
    driver.leave("a")
    driver.ask(steps.StartNewChild(spec("a")))
    driver.ask(steps.StartNewChild(spec("0")))
    driver.log.clear()

    driver.crash("b")
    stops, starts = ["stop 0", "stop a", "stop c"], ["c", "b", "a", "0"]
    assert driver.log == [*stops, *[f"start {name}" for name in starts]]

    stopped = [line for line in driver.stop() if line.startswith("stop ")]
    assert stopped == [f"stop {name} for good" for name in reversed(starts)]


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("reason", list(ExitReason))
@pytest.mark.parametrize("told", [True, False])
def test_t15_a_death_of_its_own_during_the_shutdown_is_only_a_death(
    restart: Any, reason: ExitReason, told: bool
) -> None:
    driver = Driver(sup(spec("a", restart), "b", intensity=0), root=False)
    driver.slow |= {"a", "b"}
    driver.stop(final=False)
    if told:
        driver.end("b")
        lines = driver.end("a", reason)
    else:
        driver.leave("a", reason)
        lines = driver.end("b")

    assert lines == ["finished: stopped"]
    assert driver.decisions == []
    assert driver.log.count("start a") == 1


@pytest.mark.parametrize(
    ("what", "ends"),
    [
        ("terminate b, a leaves", True),
        ("a leaves, terminate b", False),
        ("a is restarting, b leaves", False),
        ("a ignored, b leaves", True),
    ],
)
def test_t19_who_counts_as_there_for_all_significant(what: str, ends: bool) -> None:
    a, b = (spec(name, "transient", significant=True) for name in "ab")
    declared = sup(a, b, "c", auto_shutdown="all_significant")
    driver = Driver(declared, a="ignore" if "ignored" in what else "ok fail hang")
    for part in what.split(", "):
        match part.split():
            case ["terminate", name]:
                driver.ask(steps.TerminateChild(name))
            case [name, "leaves"]:
                driver.leave(name)
            case [name, "is", "restarting"]:
                driver.crash(name)
            case _:
                pass

    assert (driver.ending is not None) is ends


@pytest.mark.parametrize("mode", ["any_significant", "all_significant"])
@pytest.mark.parametrize("strategy", ["rest_for_one", "one_for_all"])
def test_t19_the_death_of_a_sibling_ends_nothing(mode: Any, strategy: str) -> None:
    child = spec("s", "temporary", significant=True)
    driver = Driver(sup("a", child, strategy=strategy, auto_shutdown=mode))

    driver.crash("a")

    assert driver.ending is None
    assert driver.up == ["a"]


def test_t22_a_loop_slower_than_the_period_ends_all_the_same() -> None:
    """D3: with OTP's clock this would go on for ever."""
    driver = Driver(sup("a", "b", strategy="one_for_all", intensity=1, period=1.0))
    driver.slow.add("b")
    driver.crash("a")
    driver.now += 2.1
    driver.end("b")

    driver.crash("a")

    assert driver.ending is not None
    assert driver.ending.outcome is steps.Outcome.GAVE_UP


def test_t23_ten_thousand_temporary_children_leave_nothing_behind() -> None:
    driver = Driver(dynamic())

    def churn(times: int) -> "weakref.ref[ChildSpec]":
        child = spec("t", "temporary")
        for _ in range(times):
            child = spec("t", "temporary")
            driver.ask(steps.StartNewChild(child))
            driver.crash("t")
        driver.log.clear()
        driver.replies.clear()
        return weakref.ref(child)

    churn(1000)
    gc.collect()
    before = sys.getallocatedblocks()
    last = churn(10_000)
    gc.collect()
    after = sys.getallocatedblocks()

    assert driver.statuses == {}
    assert driver.machine._waiting == set()
    assert last() is None
    assert after - before < 1000  # a tenth of an object a child


def test_t23_a_large_intensity_keeps_only_what_is_in_the_window() -> None:
    driver = Driver(sup("a", intensity=1_000_000, period=1.0))
    for _ in range(2000):
        driver.now += 0.25
        driver.crash("a")
        driver.decisions.clear()

    assert len(driver.machine._window.failures) == 5


def test_t25_a_stop_is_heard_while_a_child_starts_for_ever() -> None:
    driver = Driver(sup("a", "b"), b="hang")

    assert "cancel b" in driver.stop()
    assert driver.finished is not None
