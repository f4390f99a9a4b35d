"""When an actor is asked for its health, what is a miss, and when it is hung."""

import math
from typing import Any

import pytest
from hypothesis import given, strategies as st

from regrow._core.heartbeat import Heartbeat, Pulse
from regrow._core.options import check_heartbeat, check_watchdog


def told(heartbeat: object) -> list[str]:
    return [str(finding) for finding in check_heartbeat("a", heartbeat)]


BAD: list[Any] = [0, -1, math.nan, math.inf, -math.inf, "1", None, True, 10**400]
SECONDS = "a number of seconds above 0, and not math.inf,"


@pytest.mark.parametrize(
    "heartbeat",
    [None, Heartbeat(1, 1), Heartbeat(0.1, 100, 5), Heartbeat(every=3, timeout=0.5)],
)
def test_nothing_is_wrong_with(heartbeat: Heartbeat | None) -> None:
    assert told(heartbeat) == []


@pytest.mark.parametrize("value", BAD)
def test_seconds_that_are_none(value: Any) -> None:
    assert told(Heartbeat(value, 1)) == [
        (
            f"a: every of the heartbeat is {value!r} [invalid_heartbeat]. Write {SECONDS} as "
            "every."
        )
    ]
    assert told(Heartbeat(1, value)) == [
        (
            f"a: timeout of the heartbeat is {value!r} [invalid_heartbeat]. Write {SECONDS} as "
            "timeout."
        )
    ]


@pytest.mark.parametrize("value", [0, -1, 1.5, math.inf, "1", None, True])
def test_misses_that_are_none(value: Any) -> None:
    assert told(Heartbeat(1, 1, value)) == [
        (
            f"a: misses of the heartbeat is {value!r} [invalid_heartbeat]. Write a whole number "
            "from 1 as misses."
        )
    ]


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert len(told(Heartbeat(0, 0, 0))) == 3
    assert told(5) == [
        (
            "a: heartbeat is 5 [invalid_heartbeat]. Write Heartbeat(every, timeout) or None "
            "as heartbeat."
        )
    ]


@pytest.mark.parametrize("value", [None, 1, 0.05])
def test_limits_of_a_watchdog(value: float | None) -> None:
    assert list(check_watchdog("root", value)) == []


@pytest.mark.parametrize("value", [value for value in BAD if value is not None])
def test_limits_of_a_watchdog_that_are_none(value: Any) -> None:
    assert [str(finding) for finding in check_watchdog("root", value)] == [
        (
            f"root: watchdog is {value!r} [invalid_watchdog]. Write a number of seconds above 0, "
            "and not math.inf, or None as watchdog."
        )
    ]


@given(
    every=st.floats(1e-3, 1e3),
    up_at=st.floats(0, 1e6),
    later=st.floats(0, 1e4),
)
def test_the_next_time_is_the_first_multiple_after_now(
    every: float, up_at: float, later: float
) -> None:
    now = up_at + later
    following = Pulse(Heartbeat(every, 1), up_at).next_at(now)
    assert now < following <= now + every * (1 + 1e-6) + 1e-6
    count = (following - up_at) / every
    assert count == pytest.approx(round(count), abs=1e-3 * max(1, count) * 1e-3 + 1e-3)


def test_an_answer_in_time_ends_the_row_and_a_late_one_does_not() -> None:
    pulse = Pulse(Heartbeat(10, 5, misses=2), 0)
    pulse.ask(10)
    assert (pulse.due, pulse.question) == (15, 1)
    assert not pulse.missed()
    assert not pulse.answered(1)  # late
    assert pulse.misses == 1
    pulse.ask(20)
    assert not pulse.answered(1)  # to the question before
    assert pulse.answered(2)
    assert pulse.misses == 0
    assert not pulse.answered(2)  # again
    pulse.ask(30)
    assert not pulse.missed()
    pulse.ask(40)
    assert pulse.missed()
    assert (pulse.misses, pulse.since) == (2, 30)


def test_one_that_moves_is_healthy_without_an_answer() -> None:
    pulse = Pulse(Heartbeat(10, 5, misses=2), 0)
    pulse.ask(10)
    pulse.missed()
    pulse.moves()
    pulse.ask(20)
    assert not pulse.missed()
    assert pulse.since == 20


def test_lost_time_is_given_back_once_and_never_more_than_the_timeout() -> None:
    pulse = Pulse(Heartbeat(10, 5), 0)
    pulse.ask(10)
    assert pulse.more_time(15) == 0  # nothing was lost
    pulse.ask(20)
    assert pulse.more_time(27) == 2
    assert pulse.more_time(40) == 0  # once
    pulse.ask(50)
    assert pulse.more_time(1000) == 5
