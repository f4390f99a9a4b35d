"""Delays and rows of failures (D5)."""

import math
from typing import ClassVar

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from regrow._core.backoff import Backoff, FailureRow
from regrow.errors import Failure
from tests.core.broken import must_be_caught


def never() -> float:
    raise AssertionError


def _failure(number: int) -> Failure:
    return Failure("top/a", float(number), None)


# --------------------------------------------------------------------------- the delays


def test_delays_grow_by_the_factor_up_to_the_maximum() -> None:
    backoff = Backoff(initial=0.5, factor=3.0, maximum=10.0, jitter=0.0)

    assert [backoff.delay(n, never) for n in range(1, 6)] == [0.5, 1.5, 4.5, 10.0, 10.0]


@pytest.mark.parametrize(("drawn", "delay"), [(0.0, 8.0), (0.5, 6.0), (0.75, 5.0)])
def test_jitter_takes_off_a_part_of_the_delay(drawn: float, delay: float) -> None:
    backoff = Backoff(initial=8.0, jitter=0.5)

    assert backoff.delay(1, lambda: drawn) == delay


@pytest.mark.parametrize(
    ("initial", "maximum", "delay"), [(0.1, 30.0, 30.0), (0.0, 30.0, 0.0)]
)
@pytest.mark.parametrize("factor", [2.0, 2, 1e300])
def test_delays_of_endless_failures_do_not_overflow(
    initial: float, maximum: float, delay: float, factor: float
) -> None:
    backoff = Backoff(initial=initial, factor=factor, maximum=maximum, jitter=0.0)

    assert backoff.delay(5000, never) == delay


_backoffs = st.builds(
    Backoff,
    initial=st.just(0.0) | st.floats(1e-6, 100.0),
    factor=st.floats(1.0, 100.0),
    maximum=st.floats(100.0, 1e6),
    jitter=st.floats(0.0, 1.0),
)


@given(_backoffs, st.integers(1, 10_000), st.floats(0.0, 1.0, exclude_max=True))
def test_a_delay_keeps_its_bounds(
    backoff: Backoff, failures: int, drawn: float
) -> None:
    draws: list[float] = []

    def draw() -> float:
        draws.append(drawn)
        return drawn

    delay = backoff.delay(failures, draw)

    whole = backoff.initial
    for _ in range(failures - 1):
        whole = min(whole * backoff.factor, backoff.maximum)
    assert delay <= backoff.maximum
    assert whole * (1 - backoff.jitter) * (1 - 1e-9) <= delay <= whole * (1 + 1e-9)
    assert len(draws) == (1 if backoff.jitter else 0)


@given(_backoffs, st.integers(1, 2000))
def test_delays_never_shrink(backoff: Backoff, failures: int) -> None:
    assert backoff.delay(failures, float) <= backoff.delay(failures + 1, float)


# ------------------------------------------------------------------ the row of failures


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_so_many_failures_in_a_row_are_the_end(attempts: int) -> None:
    row = FailureRow(Backoff(max_attempts=attempts))

    allowed = [row.record(_failure(n), uptime=1.0) for n in range(attempts)]

    assert allowed == [*[True] * (attempts - 1), False]
    assert row.count == attempts


@pytest.mark.parametrize(
    ("uptime", "count"),
    [(math.nextafter(60.0, 0.0), 2), (60.0, 1), (61.0, 1)],
)
def test_enough_uptime_begins_a_new_row(uptime: float, count: int) -> None:
    row = FailureRow(Backoff(reset_after=60.0))
    row.record(_failure(1), uptime=1e9)

    row.record(_failure(2), uptime=uptime)

    assert row.count == count
    assert row.failures == tuple(_failure(n) for n in range(3 - count, 3))


def test_a_row_is_over_for_those_who_look_once_there_was_enough_uptime() -> None:
    row = FailureRow(Backoff(reset_after=60.0))
    assert row.used(0.0) == 0
    for n in range(3):
        row.record(_failure(n), uptime=0.0)

    assert [row.used(uptime) for uptime in (0.0, 59.5, 60.0, 0.0)] == [3, 3, 0, 3]
    assert row.count == 3


def test_an_endless_row_keeps_its_last_failures() -> None:
    row = FailureRow(Backoff())

    assert all(row.record(_failure(n), uptime=0.0) for n in range(1000))

    assert row.count == 1000
    assert row.failures == tuple(_failure(n) for n in range(984, 1000))


class RowMachine(RuleBasedStateMachine):
    row: ClassVar[type[FailureRow]] = FailureRow

    @initialize(
        attempts=st.one_of(st.integers(1, 4), st.just(math.inf)),
        reset_after=st.integers(0, 3),
    )
    def begin(self, attempts: float, reset_after: int) -> None:
        self.backoff = Backoff(max_attempts=attempts, reset_after=float(reset_after))
        self.tested = self.row(self.backoff)
        self.uptimes: list[float] = []

    @rule(uptime=st.integers(0, 4))
    def it_fails(self, uptime: int) -> None:
        self.uptimes.append(float(uptime))
        in_a_row = 0
        for each in reversed(self.uptimes):
            in_a_row += 1
            if each >= self.backoff.reset_after:
                break
        allowed = in_a_row < self.backoff.max_attempts

        assert self.tested.record(_failure(1), uptime=float(uptime)) is allowed
        assert self.tested.count == in_a_row


TestRowAgainstAListOfUptimes = RowMachine.TestCase
TestRowAgainstAListOfUptimes.settings = settings(stateful_step_count=20)


class OneMore(FailureRow):
    def record(self, failure: Failure, *, uptime: float) -> bool:
        super().record(failure, uptime=uptime)
        return self.count <= self._backoff.max_attempts


class NeverReset(FailureRow):
    def record(self, failure: Failure, *, uptime: float) -> bool:
        return super().record(failure, uptime=-1.0)


class ResetByAnySuccess(FailureRow):
    def record(self, failure: Failure, *, uptime: float) -> bool:
        return super().record(failure, uptime=math.inf if uptime else 0.0)


class ResetTooLate(FailureRow):
    def record(self, failure: Failure, *, uptime: float) -> bool:
        return super().record(failure, uptime=math.nextafter(uptime, -math.inf))


@pytest.mark.parametrize(
    "broken", [OneMore, NeverReset, ResetByAnySuccess, ResetTooLate]
)
def test_a_broken_row_is_caught(broken: type[FailureRow]) -> None:
    class Broken(RowMachine):
        row = broken

    must_be_caught(Broken)
