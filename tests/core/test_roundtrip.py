"""When a loop is asked whether it comes round, and when it is said to be blocked."""

import pytest

from regrow._core.roundtrip import Look, RoundTrip


def test_a_loop_without_a_task_to_run_is_never_asked() -> None:
    trip = RoundTrip(1.0)
    assert {trip.look(now, idle=True) for now in range(100)} == {Look.NOTHING}
    assert trip.asked_at is None
    assert trip.pause(100) == 0.25


def test_one_that_answers_is_asked_again_at_the_next_look() -> None:
    trip = RoundTrip(1.0)
    assert trip.look(0.0, idle=False) is Look.ASK
    assert trip.look(0.5, idle=False) is Look.NOTHING
    assert trip.answered(0.75) == 0.75
    assert trip.look(1.0, idle=False) is Look.ASK
    assert trip.look(1.5, idle=True) is Look.NOTHING
    assert trip.answered(1.5) == 0.5


def test_it_is_said_at_the_limit_and_then_after_doubled_waits() -> None:
    trip = RoundTrip(1.0)
    trip.look(0.0, idle=False)
    said: list[float] = []
    now = 0.0
    while now < 40:
        now += trip.pause(now)
        if trip.look(now, idle=False) is Look.BLOCKED:
            said.append(now)
    assert said == pytest.approx([1, 2, 4, 8, 16, 32])
    assert trip.answered(41.0) == 41.0
    assert trip.asked_at is None


def test_one_that_was_asked_is_blocked_though_it_looks_idle() -> None:
    trip = RoundTrip(1.0)
    trip.look(0.0, idle=False)
    assert trip.look(1.0, idle=True) is Look.BLOCKED


def test_it_never_looks_without_a_rest() -> None:
    trip = RoundTrip(1.0)
    trip.look(0.0, idle=False)
    assert trip.pause(0.99) == 0.0625
    assert trip.pause(5.0) == 0.0625


def test_an_answer_without_a_question_is_none() -> None:
    assert RoundTrip(1.0).answered(3.0) == 0.0
