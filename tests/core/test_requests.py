"""What callers may ask (S14-S20, S22), also of a dynamic supervisor (D9)."""

from typing import Any

import pytest

from regrow._core import steps
from regrow._core.backoff import Backoff
from regrow._core.exits import ExitReason
from regrow._core.steps import ChildCounts, ChildInfo, ChildUp
from regrow.errors import (
    ChildForgottenError,
    MaxChildrenError,
    RegrowError,
    StartFailedError,
)
from tests.core.driver import Driver, dynamic, spec, sup


def start(name: str, restart: Any = "permanent", **options: Any) -> steps.StartNewChild:
    return steps.StartNewChild(spec(name, restart, **options))


def restarting() -> Driver:
    """`a` waits for its next restart; `b` is down, by request."""
    driver = Driver(sup(spec("a", backoff=Backoff(jitter=0.0)), "b", "c"))
    driver.ask(steps.TerminateChild("b"))
    driver.crash("a")
    return driver


# -------------------------------------------------------------------------- start_child


def test_a_new_child_is_last_in_start_order() -> None:
    driver = Driver(sup("b", "a"))
    driver.log.clear()

    assert driver.ask(start("aa")) == ChildUp("aa")

    assert driver.log == ["start aa", "reply 1"]
    assert list(driver.statuses) == ["b", "a", "aa"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a", "already_present"),
        ("b", "already_present"),
        ("c", "already_started"),
    ],
)
def test_a_name_can_be_taken_once(name: str, code: str) -> None:
    driver = restarting()

    assert driver.ask_code(start(name)) == code
    assert driver.up == ["c"]


def test_a_start_that_fails_is_not_kept_tried_again_or_counted() -> None:
    driver = Driver(sup("a", intensity=0), n="fail")

    answer = driver.ask(start("n"))

    assert isinstance(answer, StartFailedError)
    assert (answer.path, answer.child_id, str(answer.__cause__)) == ("top/n", "n", "n")
    assert driver.log[-3:] == ["start n", "remove n", "reply 1"]
    assert driver.decisions == []
    assert driver.ask(start("n")) == ChildUp("n")


@pytest.mark.parametrize(
    ("restart", "line", "kept"),
    [
        ("permanent", "close n", True),
        ("transient", "close n", True),
        ("temporary", "remove n", False),
    ],
)
def test_an_ignored_start_is_a_success_without_a_child(
    restart: str, line: str, kept: bool
) -> None:
    driver = Driver(sup(), n="ignore")

    assert driver.ask(start("n", restart)) == ChildUp("n", ignored=True)
    assert driver.log[-2:] == [line, "reply 1"]
    assert driver.statuses == ({"n": "stopped"} if kept else {})


# ----------------------------------------------------------------------- terminate_child


@pytest.mark.parametrize(
    ("restart", "lines"),
    [
        ("permanent", []),
        ("transient", []),
        ("temporary", ["remove b"]),
    ],
)
def test_terminate_keeps_the_spec_of_all_but_temporary_children(
    restart: str, lines: list[str]
) -> None:
    driver = Driver(sup("a", spec("b", restart), "c", strategy="one_for_all"))
    driver.log.clear()

    assert driver.ask(steps.TerminateChild("b")) is None
    assert driver.log == ["stop b for good", *lines, "reply 1"]


def test_terminate_is_awaited_and_nothing_else_is_done_meanwhile() -> None:
    driver = Driver(sup("a", "b", "c"))
    driver.slow.add("b")

    asked = driver.asks(steps.TerminateChild("b")), driver.asks(steps.CountChildren())
    assert driver.send(*asked) == ["stop b for good"]
    assert driver.crash("a") == []
    assert driver.end("b") == ["reply 1", "reply 2", "start a"]


def test_terminate_of_a_child_that_is_down_is_ok() -> None:
    driver = restarting()
    driver.log.clear()

    assert driver.ask(steps.TerminateChild("b")) is None
    assert driver.log == ["reply 2"]


def test_terminate_of_a_child_that_has_just_died_finds_it_dead() -> None:
    driver = Driver(sup("a", "b", "c", intensity=0))
    driver.slow.add("b")
    driver.send(driver.asks(steps.TerminateChild("b")))
    driver.send(driver.asks(steps.TerminateChild("a")))
    driver.crash("a")

    assert driver.end("b") == ["reply 1", "close a", "reply 2"]
    assert driver.finished is None  # it neither counted nor was restarted (S44)


def test_terminate_of_an_undelayed_retry_ends_the_round() -> None:
    """S34: what comes after it in the group stays down until somebody asks for it."""
    driver = Driver(sup("a", "b", "c", strategy="rest_for_one"), b="ok hang")
    driver.crash("b")
    driver.send(driver.asks(steps.TerminateChild("b")))

    assert driver.fail("b") == ["close b", "close c", "reply 1"]
    assert driver.statuses == {"a": "running", "b": "stopped", "c": "stopped"}
    assert driver.crash("a") == ["start a", "start b", "start c"]


def test_terminate_of_an_undelayed_retry_leaves_up_what_is_up() -> None:
    driver = Driver(sup("a", "b", "c", strategy="one_for_all"), b="ok hang")
    driver.crash("c")
    driver.send(driver.asks(steps.TerminateChild("b")))

    assert driver.fail("b") == ["close b", "close c", "reply 1"]
    assert driver.up == ["a"]


def test_terminate_of_an_undelayed_retry_forgets_temporary_children_not_yet_started() -> (
    None
):
    first = spec("a", start="retry")
    driver = Driver(
        sup(first, spec("t", "temporary"), strategy="rest_for_one"), a="hang"
    )
    driver.send(driver.asks(steps.TerminateChild("a")))

    assert driver.fail("a") == ["up", "close a", "remove t", "reply 1"]


# ------------------------------------------------------------ restart_child, delete_child


def test_restart_child_starts_what_is_down() -> None:
    driver = restarting()
    driver.log.clear()

    assert driver.ask(steps.RestartChild("b")) == ChildUp("b")
    assert driver.log == ["start b", "reply 2"]


@pytest.mark.parametrize("request_", [steps.RestartChild, steps.DeleteChild])
@pytest.mark.parametrize(
    ("name", "code"),
    [("a", "restarting"), ("c", "running"), ("x", "not_found")],
)
def test_restart_and_delete_are_for_children_that_are_down(
    request_: type[steps.RestartChild | steps.DeleteChild], name: str, code: str
) -> None:
    assert restarting().ask_code(request_(name)) == code


def test_restart_child_that_fails_stays_down_and_does_not_count() -> None:
    driver = Driver(sup("a", "b", intensity=0), a="ok fail fail fail ignore")
    driver.ask(steps.TerminateChild("a"))
    driver.log.clear()

    for _ in range(3):
        assert driver.ask_code(steps.RestartChild("a")) == "StartFailedError"
    assert driver.log[:3] == ["start a", "close a", "reply 2"]
    assert driver.ask(steps.RestartChild("a")) == ChildUp("a", ignored=True)
    assert driver.ask(steps.RestartChild("a")) == ChildUp("a")


def test_restart_child_of_a_temporary_child_not_yet_started_may_fail_and_forget_it() -> (
    None
):
    first = spec("a", backoff=Backoff(), start="retry")
    declared = sup(first, spec("t", "temporary"), strategy="rest_for_one")
    driver = Driver(declared, a="fail", t="fail")

    assert driver.ask_code(steps.RestartChild("t")) == "StartFailedError"
    assert driver.log[-3:] == ["start t", "remove t", "reply 1"]


def test_delete_child_forgets_it() -> None:
    driver = restarting()
    driver.log.clear()

    assert driver.ask(steps.DeleteChild("b")) is None
    assert driver.log == ["remove b", "reply 2"]
    assert driver.ask_code(steps.DeleteChild("b")) == "not_found"
    assert driver.ask(start("b")) == ChildUp("b")


# --------------------------------------------------------------------------- looking at it


def test_get_child_spec_gives_the_very_spec() -> None:
    child = spec("a")
    driver = Driver(sup(child))

    assert driver.ask(steps.GetChildSpec("a")) is child
    assert driver.machine.spec_of("a") is child
    assert driver.ask_code(steps.GetChildSpec("b")) == "not_found"


def test_which_and_count_tell_every_state() -> None:
    driver = Driver(sup(spec("a", backoff=Backoff()), "b", sup("x", name="s")))
    driver.ask(steps.TerminateChild("b"))
    driver.crash("a")

    assert driver.ask(steps.WhichChildren()) == (
        ChildInfo("a", "restarting", "worker"),
        ChildInfo("b", "stopped", "worker"),
        ChildInfo("s", "running", "supervisor"),
    )
    assert driver.ask(steps.CountChildren()) == ChildCounts(3, 1, 1, 2)


def test_a_child_whose_end_waits_to_be_heard_is_not_active() -> None:
    driver = Driver(sup("a", "b"), a="ok hang")
    driver.crash("a")
    driver.send(driver.asks(steps.CountChildren()))
    driver.crash("b")

    driver.come_up("a")

    assert driver.replies[1] == ChildCounts(2, 1, 0, 2)


def test_children_show_how_they_are_while_it_is_busy() -> None:
    driver = Driver(sup("a", "b"), a="hang")
    assert driver.statuses == {"a": "stopped", "b": "stopped"}
    driver.come_up("a")
    driver.slow.add("b")

    driver.send(driver.asks(steps.TerminateChild("b")))

    assert driver.statuses == {"a": "running", "b": "running"}


def test_requests_are_answered_in_their_order_between_failed_restarts() -> None:
    driver = Driver(sup("a", "b"), a="ok hang fail")
    driver.crash("a")
    which, end = steps.WhichChildren(), steps.TerminateChild("b")
    driver.send(driver.asks(which), driver.asks(start("a")), driver.asks(end))

    assert driver.fail("a") == [
        *["reply 1", "reply 2", "stop b for good", "reply 3", "start a", "start a"],
    ]
    assert driver.replies[1] == (
        ChildInfo("a", "restarting", "worker"),
        ChildInfo("b", "running", "worker"),
    )
    second = driver.replies[2]
    assert isinstance(second, RegrowError)
    assert str(second) == (
        "'a' of 'top' is known already, though it does not run. Use restart_child, or "
        "delete_child before start_child."
    )


# ------------------------------------------------------------------------------- dynamic


def test_children_of_a_dynamic_supervisor_are_forgotten_when_they_end() -> None:
    driver = Driver(dynamic(), d="ignore", e="ok ignore")
    for name, restart in [("a", "permanent"), ("b", "transient"), ("c", "temporary")]:
        driver.ask(start(name, restart))
    assert driver.ask(start("d")) == ChildUp("d", ignored=True)
    driver.ask(start("e"))
    driver.log.clear()

    assert driver.ask(steps.TerminateChild("a")) is None
    assert driver.leave("b", ExitReason.SHUTDOWN) == ["remove b"]
    assert driver.crash("c") == ["remove c"]
    assert driver.crash("e") == ["start e", "remove e"]  # E1
    assert driver.ask(steps.CountChildren()) == ChildCounts(0, 0, 0, 0)


def test_children_of_a_dynamic_supervisor_are_restarted_one_for_one() -> None:
    driver = Driver(dynamic(intensity=2), a="ok fail")
    driver.ask(start("a"))
    driver.ask(start("b"))

    assert driver.crash("a") == ["start a", "start a"]
    assert driver.ask(steps.CountChildren()) == ChildCounts(2, 2, 0, 2)
    assert driver.crash("b")[:2] == ["ending: gave_up", "remove b"]


def test_a_dynamic_supervisor_keeps_nothing_to_restart_or_delete() -> None:
    driver = Driver(dynamic())
    driver.ask(start("a"))

    for request in (steps.RestartChild, steps.DeleteChild):
        for name in ("a", "x"):
            answer = driver.ask(request(name))
            assert isinstance(answer, ChildForgottenError)
            assert answer.code == "simple_one_for_one"
    assert driver.ask_code(steps.TerminateChild("x")) == "not_found"
    assert driver.ask_code(steps.GetChildSpec("x")) == "not_found"
    assert driver.ask_code(start("a")) == "already_started"


def test_a_dynamic_supervisor_has_only_so_many_children() -> None:
    driver = Driver(dynamic(max_children=2))
    driver.ask(start("a"))
    driver.ask(start("b", backoff=Backoff()))
    driver.crash("b")  # one that is restarting counts (E1)

    answer = driver.ask(start("c"))
    assert isinstance(answer, MaxChildrenError)
    assert answer.max_children == 2
    for name in ("a", "b"):  # this is looked at first
        assert driver.ask_code(start(name)) == "already_started"
    driver.ask(steps.TerminateChild("b"))
    assert driver.ask(start("c")) == ChildUp("c")
