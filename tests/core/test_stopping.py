"""A supervisor's end, in whatever it is doing: D6, S10, S38, S40, S41, and draining."""

import pytest

from regrow._core import steps
from regrow._core.backoff import Backoff
from regrow._core.exits import Exit, ExitReason
from regrow.errors import (
    ActorInterruptedError,
    ActorStoppedError,
    RestartLimitExceededError,
    StartFailedError,
)
from tests.core.driver import Driver, dynamic, spec, sup

ENDED = "finished: stopped"


def waiting(driver: Driver) -> list[int]:
    """The tickets that wait for the next life."""
    assert driver.finished is not None
    return [ask.ticket for ask in driver.finished.waiting]


# ------------------------------------------------------------------------- the plain end


@pytest.mark.parametrize("strategy", ["one_for_one", "rest_for_one", "one_for_all"])
def test_children_stop_in_reverse_one_after_another(strategy: str) -> None:
    driver = Driver(sup("a", "b", "c", strategy=strategy))
    driver.slow |= {"a", "b", "c"}

    assert driver.stop() == ["ending: stopped", "stop c for good"]
    assert driver.end("c") == ["stop b for good"]
    assert driver.end("b") == ["stop a for good"]
    assert driver.end("a") == [ENDED]


def test_children_of_a_dynamic_supervisor_stop_all_at_once() -> None:
    driver = Driver(dynamic())
    for name in "abc":
        driver.ask(steps.StartNewChild(spec(name)))
    driver.slow |= {"a", "b", "c"}
    stops = [f"stop {name} for good" for name in "cba"]

    assert driver.stop() == ["ending: stopped", *stops]
    assert driver.end("b") == ["remove b"]
    assert driver.end("a") == ["remove a"]
    assert driver.end("c") == ["remove c", ENDED]


def test_an_empty_supervisor_ends_at_once() -> None:
    driver = Driver(sup())

    assert driver.log == ["up"]
    assert driver.stop() == ["ending: stopped", ENDED]


def test_a_stop_before_it_began_is_heard_too() -> None:
    driver = Driver(sup("a"), begin=False)

    assert driver.stop() == ["ending: stopped", "close a", ENDED]
    assert driver.send(steps.Begin()) == []


def test_children_that_crash_meanwhile_are_not_restarted() -> None:
    driver = Driver(sup("a", "b"))
    driver.slow.add("b")
    driver.stop(final=False)

    assert driver.crash("a") == []
    assert driver.end("b", ExitReason.CRASHED) == [ENDED]


def test_the_place_of_one_that_ends_meanwhile_closes_at_once() -> None:
    driver = Driver(sup("a", spec("b", "transient"), "c"))
    driver.ask(steps.StartNewChild(spec("n")))
    driver.slow.add("n")
    driver.stop()

    assert driver.crash("a") == ["close a"]
    assert driver.leave("b") == ["close b"]
    assert driver.end("n") == ["remove n", "stop c for good", ENDED]


def test_one_that_ends_meanwhile_may_come_back_with_the_next_life() -> None:
    driver = Driver(sup("a", "b", "c"), root=False)
    driver.slow.add("c")
    driver.stop(final=False)

    assert driver.crash("b") == []
    assert driver.stop() == ["close b"]
    assert driver.end("c") == ["close c", "stop a for good", ENDED]


def test_children_found_dead_need_no_stop() -> None:
    driver = Driver(sup("a", "b", "c"))
    driver.slow.add("c")
    driver.send(driver.asks(steps.TerminateChild("c")))
    driver.crash("b")  # it stands in line

    assert driver.stop() == ["ending: stopped", "close b"]
    assert driver.end("c") == ["stop a for good", "reply 1", ENDED]


def test_places_of_declared_children_outlive_a_restart_and_those_of_others_do_not() -> (
    None
):
    driver = Driver(sup("a", spec("t", "temporary")), root=False, m="ignore")
    driver.ask(steps.StartNewChild(spec("n")))
    driver.ask(steps.StartNewChild(spec("m")))
    driver.log.clear()

    driver.stop(final=False)

    assert driver.log == [
        *["ending: stopped", "remove m"],
        *["stop n for good", "remove n", "stop t", "stop a", ENDED],
    ]


def test_all_places_close_when_it_does_not_come_back() -> None:
    driver = Driver(sup("a", spec("b", "transient"), "c"), root=False)
    driver.ask(steps.TerminateChild("c"))
    driver.log.clear()

    driver.stop()

    assert driver.log == [
        "ending: stopped",
        "stop b for good",
        "stop a for good",
        ENDED,
    ]


def test_a_stop_may_turn_out_to_be_final_while_it_goes_on() -> None:
    driver = Driver(sup("a", "b", "c", "d"), root=False)
    driver.slow |= {"b", "c"}
    driver.send(driver.asks(steps.TerminateChild("c")))
    ask = driver.asks(steps.CountChildren())
    driver.send(ask)
    driver.stop(final=False)
    driver.end("c")
    assert driver.log[-2:] == ["stop d", "stop b"]

    assert driver.stop() == ["close d", "reply 2"]
    assert isinstance(driver.replies[2], ActorStoppedError)
    assert driver.stop() == []
    assert driver.end("b") == ["close b", "stop a for good", "reply 1", ENDED]


def test_after_its_end_it_does_nothing_but_refuse() -> None:
    driver = Driver(sup("a"), root=False)
    driver.stop(final=False)
    ask = driver.asks(steps.StartNewChild(spec("b")))

    assert driver.send(steps.Exited("a", 1, Exit(ExitReason.CRASHED))) == []
    assert driver.send(steps.TimerDue("a", 1), steps.Drain(), steps.Begin()) == []
    assert driver.send(steps.StopRequested(final=True)) == []
    assert driver.send(ask) == ["reply 1"]
    assert str(driver.replies[1]) == (
        "'top' is stopping. Only restart_child, or a restart of its group, brings it back."
    )


# --------------------------------------------------------- a stop in the middle of things


def test_stop_during_the_first_start_cancels_it() -> None:
    driver = Driver(sup("a", "b", "c"), b="hang")

    assert driver.stop() == [
        *["ending: stopped", "cancel b", "close c"],
        *["close b", "stop a for good", ENDED],
    ]
    assert not driver.machine.up


def test_a_start_that_takes_long_to_be_cancelled_is_awaited() -> None:
    driver = Driver(sup("a", "b"), b="hang")
    driver.slow.add("b")

    assert driver.stop() == ["ending: stopped", "cancel b"]
    assert driver.fail("b") == ["close b", "stop a for good", ENDED]


@pytest.mark.parametrize("final", [True, False])
def test_a_start_that_is_quicker_than_its_cancelling_is_stopped(final: bool) -> None:
    driver = Driver(sup("a", "b"), root=False, b="hang")
    driver.slow.add("b")
    good = " for good" if final else ""

    driver.stop(final=final)

    assert driver.come_up("b") == [f"stop b{good}"]
    assert driver.end("b") == [f"stop a{good}", ENDED]


def test_a_restart_that_is_quicker_than_its_cancelling_is_stopped_in_its_turn() -> None:
    driver = Driver(sup("a", "b"), a="ok hang")
    driver.crash("a")
    driver.slow.add("a")
    driver.stop()

    assert driver.come_up("a") == ["stop b for good", "stop a for good"]
    assert driver.end("a") == [ENDED]


def test_a_start_that_is_ignored_before_its_cancelling_is_over() -> None:
    driver = Driver(sup("a", "b"), b="hang")
    driver.slow.add("b")
    driver.stop()

    assert driver.ignore("b") == ["close b", "stop a for good", ENDED]


def test_stop_during_the_stops_of_a_round() -> None:
    driver = Driver(sup("a", "b", "c", strategy="one_for_all"))
    driver.slow.add("c")
    assert driver.crash("a") == ["stop c"]

    assert driver.stop() == ["ending: stopped", "close a"]
    assert driver.end("c") == ["close c", "stop b for good", ENDED]


def test_stop_during_the_starts_of_a_round() -> None:
    driver = Driver(sup("a", "b", "c", strategy="one_for_all"), b="ok hang")
    driver.crash("c")

    lines = driver.stop()

    assert lines[:2] == ["ending: stopped", "cancel b"]
    assert lines[-2:] == ["stop a for good", ENDED]


def test_stop_before_a_failed_restart_is_tried_again() -> None:
    driver = Driver(sup("a", "b"), a="ok hang")
    driver.slow.add("b")
    driver.crash("a")
    driver.send(driver.asks(steps.TerminateChild("b")))
    assert driver.fail("a") == ["stop b for good"]
    assert driver.statuses["a"] == "restarting"

    assert driver.stop() == ["ending: stopped", "close a"]
    assert driver.end("b") == ["reply 1", ENDED]


def test_stop_during_start_child_interrupts_the_caller() -> None:
    driver = Driver(sup("a"), root=False, n="hang")
    driver.send(driver.asks(steps.StartNewChild(spec("n"))))

    lines = driver.stop(final=False)

    assert lines == [
        *["ending: stopped", "cancel n", "reply 1", "remove n", "stop a", ENDED],
    ]
    assert isinstance(driver.replies[1], ActorInterruptedError)
    assert str(driver.replies[1]) == (
        "'top' was stopped before it had answered the request. It may have been handled "
        "in part: send it anew if that is safe."
    )


def test_stop_during_restart_child_interrupts_the_caller() -> None:
    driver = Driver(sup("a", "b"), root=False, a="ok hang")
    driver.ask(steps.TerminateChild("a"))
    driver.send(driver.asks(steps.RestartChild("a")))

    lines = driver.stop(final=False)

    assert lines == ["ending: stopped", "cancel a", "reply 2", "stop b", ENDED]


def test_stop_during_terminate_child_goes_on_with_that() -> None:
    driver = Driver(sup("a", "b"))
    driver.slow.add("a")
    driver.send(driver.asks(steps.TerminateChild("a")))

    assert driver.stop() == ["ending: stopped"]
    assert driver.end("a") == ["stop b for good", "reply 1", ENDED]
    assert driver.replies[1] is None


def test_requests_in_line_wait_for_the_next_life() -> None:
    driver = Driver(sup("a", "b"), root=False, b="hang")
    driver.send(*(driver.asks(steps.CountChildren()) for _ in range(3)))
    driver.send(steps.AbandonCall(2))

    driver.stop(final=False)

    assert waiting(driver) == [1, 3]
    assert driver.replies == {}


def test_requests_while_it_stops_wait_for_the_next_life_too() -> None:
    driver = Driver(sup("a"), root=False)
    driver.slow.add("a")
    driver.stop(final=False)
    driver.send(driver.asks(steps.CountChildren()))

    driver.end("a")

    assert waiting(driver) == [1]


def test_requests_are_refused_when_it_does_not_come_back() -> None:
    driver = Driver(sup("a", "b"), b="hang")
    driver.send(*(driver.asks(steps.CountChildren()) for _ in range(3)))
    driver.send(steps.AbandonCall(2))
    driver.slow.add("b")

    assert driver.stop() == ["ending: stopped", "cancel b", "reply 1", "reply 3"]
    driver.send(driver.asks(steps.CountChildren()))

    assert all(isinstance(e, ActorStoppedError) for e in driver.replies.values())
    assert sorted(driver.replies) == [1, 3, 4]


# ------------------------------------------------------------------------ other reasons


@pytest.mark.parametrize(
    ("root", "lines"),
    [
        (
            False,
            ["start a", "start b", "ending: start_failed", "stop a"],
        ),
        (
            True,
            [
                *["start a", "start b", "ending: start_failed"],
                *["close b", "close c", "stop a for good"],
            ],
        ),
    ],
)
def test_a_failed_first_start_stops_what_came_before_it(
    root: bool, lines: list[str]
) -> None:
    driver = Driver(sup("a", "b", "c"), root=root, b="fail")

    assert driver.log == [*lines, "finished: start_failed"]
    assert driver.ending is not None
    error = driver.ending.error
    assert isinstance(error, StartFailedError)
    assert (error.path, error.child_id, str(error.__cause__)) == ("top/b", "b", "b")
    assert driver.finished is not None
    assert driver.finished.error is error


@pytest.mark.parametrize("root", [True, False])
def test_giving_up_stops_the_others_and_tells_why(root: bool) -> None:
    driver = Driver(sup("a", "b", "c", intensity=1), root=root)
    driver.now = 2.0
    driver.crash("a")
    driver.now = 3.5
    good = " for good" if root else ""

    lines = driver.crash("b")

    assert lines == [
        "ending: gave_up",
        *(["close b"] if root else []),
        *[f"stop c{good}", f"stop a{good}", "finished: gave_up"],
    ]
    assert driver.ending is not None
    assert driver.ending.child == "b"
    error = driver.ending.error
    assert isinstance(error, RestartLimitExceededError)
    assert str(error) == (
        "supervisor 'top' gave up: 2 restarts in 1.5 s, its intensity is 1 in 5 s; the "
        "last child to fail was 'b' (Boom: b). Fix the child, give it a backoff, or raise "
        "intensity or period."
    )
    assert [(f.path, f.at, f.while_starting) for f in error.failures] == [
        ("top/a", 2.0, False),
        ("top/b", 3.5, False),
    ]
    assert error.__cause__ is error.failures[-1].error


def test_giving_up_leaves_requests_to_the_next_life() -> None:
    driver = Driver(sup("a", "b", intensity=0), root=False, n="hang")
    driver.send(driver.asks(steps.StartNewChild(spec("n"))))
    driver.crash("a")
    driver.send(driver.asks(steps.CountChildren()))

    driver.come_up("n")

    assert driver.log[-1] == "finished: gave_up"
    assert waiting(driver) == [2]


@pytest.mark.parametrize("root", [True, False])
def test_auto_shutdown_ends_in_order_without_an_error(root: bool) -> None:
    child = spec("b", "transient", significant=True)
    declared = sup("a", child, "c", auto_shutdown="any_significant")
    driver = Driver(declared, root=root)
    good = " for good" if root else ""

    assert driver.leave("b") == [
        *["close b", "ending: auto_shutdown", f"stop c{good}", f"stop a{good}"],
        "finished: auto_shutdown",
    ]
    assert driver.ending == steps.Ending(steps.Outcome.AUTO_SHUTDOWN, None, "b")


def test_a_stop_while_it_ends_for_another_reason_changes_nothing() -> None:
    driver = Driver(sup("a", "b", intensity=0), root=False)
    driver.slow.add("b")
    driver.crash("a")

    assert driver.stop(final=False) == []
    assert driver.machine.ending
    assert driver.end("b") == ["finished: gave_up"]


# ----------------------------------------------------------------- callers that give up


def test_an_abandoned_request_is_skipped() -> None:
    driver = Driver(sup("a"), n="hang")
    driver.send(driver.asks(steps.StartNewChild(spec("n"))))
    driver.send(driver.asks(steps.TerminateChild("a")))

    driver.send(steps.AbandonCall(2))

    assert driver.come_up("n") == ["reply 1"]
    assert driver.up == ["a", "n"]


def test_an_abandoned_start_child_is_cancelled_and_forgotten() -> None:
    driver = Driver(sup("a"), n="hang")
    driver.send(driver.asks(steps.StartNewChild(spec("n"))))

    assert driver.send(steps.AbandonCall(1)) == ["cancel n", "remove n"]
    assert driver.statuses == {"a": "running"}
    assert driver.ask(steps.CountChildren()) == steps.ChildCounts(1, 1, 0, 1)


def test_an_abandoned_restart_child_is_cancelled_and_stays_down() -> None:
    driver = Driver(sup("a", "b"), a="ok hang")
    driver.ask(steps.TerminateChild("a"))
    driver.send(driver.asks(steps.RestartChild("a")))

    assert driver.send(steps.AbandonCall(2)) == ["cancel a", "close a"]
    assert driver.statuses == {"a": "stopped", "b": "running"}


@pytest.mark.parametrize(
    ("name", "request_", "lines"),
    [
        ("n", steps.StartNewChild(spec("n")), ["remove n"]),
        ("a", steps.RestartChild("a"), []),
    ],
)
def test_an_abandoned_start_that_was_quicker_is_stopped_for_good(
    name: str, request_: steps.Request, lines: list[str]
) -> None:
    driver = Driver(sup("a"), a="ok hang", n="hang")
    driver.ask(steps.TerminateChild("a"))
    driver.slow.add(name)
    driver.send(driver.asks(request_))
    driver.send(steps.AbandonCall(2))

    assert driver.come_up(name) == [f"stop {name} for good"]
    assert driver.end(name) == lines
    assert driver.replies == {1: None}
    assert name not in driver.up


def test_an_abandoned_start_that_was_ignored_first_is_down() -> None:
    driver = Driver(sup("a"), n="hang")
    driver.slow.add("n")
    driver.send(driver.asks(steps.StartNewChild(spec("n"))))
    driver.send(steps.AbandonCall(1))

    assert driver.ignore("n") == ["remove n"]


def test_an_abandoned_terminate_goes_on() -> None:
    driver = Driver(sup("a", "b"))
    driver.slow.add("a")
    driver.send(driver.asks(steps.TerminateChild("a")))

    assert driver.send(steps.AbandonCall(1)) == []
    assert driver.end("a") == []
    assert driver.statuses == {"a": "stopped", "b": "running"}
    assert driver.replies == {}


def test_giving_up_too_late_or_twice_does_nothing() -> None:
    driver = Driver(sup("a"), n="hang")
    driver.ask(steps.CountChildren())
    driver.send(driver.asks(steps.StartNewChild(spec("n"))))
    driver.send(driver.asks(steps.CountChildren()))

    assert driver.send(steps.AbandonCall(1), steps.AbandonCall(9)) == []
    assert driver.send(steps.AbandonCall(3), steps.AbandonCall(3)) == []
    assert driver.come_up("n") == ["reply 2"]
    assert driver.send(steps.AbandonCall(2)) == []


# ----------------------------------------------------------------------------- draining


def test_a_draining_supervisor_restarts_nothing() -> None:
    driver = Driver(sup("a", spec("t", "temporary"), strategy="one_for_all"))
    driver.send(steps.Drain())

    assert driver.crash("a") == ["close a"]
    assert driver.crash("t") == ["remove t"]
    assert driver.machine.up


def test_a_draining_supervisor_does_not_shut_itself_down() -> None:
    child = spec("a", "transient", significant=True)
    driver = Driver(sup(child, "b", auto_shutdown="any_significant"))
    driver.send(steps.Drain())

    assert driver.leave("a") == ["close a"]


def test_a_draining_supervisor_starts_nothing_for_callers() -> None:
    driver = Driver(sup("a", "b"))
    driver.ask(steps.TerminateChild("a"))
    driver.send(steps.Drain())

    assert isinstance(driver.ask(steps.RestartChild("a")), ActorStoppedError)
    assert isinstance(driver.ask(steps.StartNewChild(spec("n"))), ActorStoppedError)
    assert driver.ask(steps.TerminateChild("b")) is None
    assert driver.statuses == {"a": "stopped", "b": "stopped"}


def test_draining_cancels_what_is_started_for_a_caller() -> None:
    driver = Driver(sup("a"), n="hang")
    driver.send(driver.asks(steps.StartNewChild(spec("n"))))

    assert driver.send(steps.Drain()) == ["cancel n", "remove n", "reply 1"]
    assert isinstance(driver.replies[1], ActorStoppedError)


def test_draining_in_the_stops_of_a_round_lets_them_end() -> None:
    declared = sup("a", "b", spec("t", "temporary"), "d", strategy="one_for_all")
    driver = Driver(declared)
    driver.slow |= {"t", "d"}
    driver.crash("a")

    assert driver.send(steps.Drain()) == ["close a"]
    assert driver.end("d") == ["close d", "stop t for good"]
    assert driver.end("t") == ["remove t", "stop b for good"]
    assert driver.statuses == {"a": "stopped", "b": "stopped", "d": "stopped"}


def test_draining_in_the_starts_of_a_round_cancels_them() -> None:
    driver = Driver(sup("a", "b", "c", strategy="one_for_all"), b="ok hang")
    driver.crash("a")

    assert driver.send(steps.Drain()) == ["cancel b", "close c", "close b"]
    assert driver.up == ["a"]


def test_draining_stops_a_start_of_a_round_that_was_quicker() -> None:
    driver = Driver(sup("a", "b", strategy="one_for_all"), b="ok hang")
    driver.crash("a")
    driver.slow.add("b")
    driver.send(steps.Drain())

    assert driver.come_up("b") == ["stop b for good"]
    assert driver.end("b") == []
    assert driver.statuses == {"a": "running", "b": "stopped"}


def test_draining_during_a_terminate_lets_it_end() -> None:
    driver = Driver(sup("a", "b"))
    driver.slow.add("a")
    driver.send(driver.asks(steps.TerminateChild("a")))

    assert driver.send(steps.Drain()) == []
    assert driver.end("a") == ["reply 1"]


def test_draining_closes_at_once_what_has_ended_while_there_is_work_in_hand() -> None:
    driver = Driver(sup("a", "b", "c"))
    driver.slow.add("c")
    driver.send(driver.asks(steps.TerminateChild("c")))
    driver.crash("a")  # it stands in line

    assert driver.send(steps.Drain()) == ["close a"]
    assert driver.crash("b") == ["close b"]
    assert driver.end("c") == ["reply 1"]


def test_draining_drops_a_restart_that_is_to_be_tried_again() -> None:
    driver = Driver(sup("a", "b"), a="ok hang")
    driver.slow.add("b")
    driver.crash("a")
    driver.send(driver.asks(steps.TerminateChild("b")))
    driver.fail("a")

    assert driver.send(steps.Drain()) == ["close a"]
    assert driver.end("b") == ["reply 1"]
    assert driver.statuses == {"a": "stopped", "b": "stopped"}


def test_draining_during_its_first_start_is_left_to_whoever_starts_it() -> None:
    driver = Driver(sup("a", "b"), a="hang")

    assert driver.send(steps.Drain()) == []
    assert driver.stop()[:2] == ["ending: stopped", "cancel a"]


def test_draining_makes_a_stop_final_that_goes_on() -> None:
    """Nobody comes back: what waits is refused at once, not when all have stopped."""
    driver = Driver(sup("a", "b", "c"), root=False)
    driver.slow.add("b")
    driver.stop(final=False)
    driver.send(driver.asks(steps.CountChildren()))

    assert driver.send(steps.Drain()) == ["close c", "reply 1"]
    assert driver.send(steps.Drain()) == []
    assert driver.end("b") == ["close b", "stop a for good", ENDED]


@pytest.mark.parametrize("draining", [False, True])
def test_a_fatal_end_restarts_nothing(draining: bool) -> None:
    declared = sup("a", "b", strategy="one_for_all", intensity=0)
    driver = Driver(declared)
    if draining:
        driver.send(steps.Drain())
    end = Exit(ExitReason.CRASHED, KeyboardInterrupt(), fatal=True)

    assert driver.send(driver.exits("a", end)) == ["close a"]
    assert driver.up == ["b"]


def test_a_backoff_does_not_matter_for_what_ends_in_order() -> None:
    driver = Driver(sup(spec("a", "transient", backoff=Backoff())))

    assert driver.leave("a") == ["close a"]
