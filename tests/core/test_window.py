"""The restart window and the clock it is read on, against lists of times."""

import math
from fractions import Fraction
from itertools import pairwise
from typing import ClassVar

import pytest
from attrs import fields
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from regrow._core.intensity import RestartWindow, Verdict, WorkClock
from regrow.errors import Failure
from tests.core.broken import must_be_caught

WITHIN, EXCEEDED = Verdict.WITHIN, Verdict.EXCEEDED


def _failure(at: float) -> Failure:
    return Failure("top/a", at, None)


def _verdicts(window: RestartWindow, *times: float) -> list[Verdict]:
    return [window.record(at, _failure(at)) for at in times]


# --------------------------------------------------------------------------- the window


@pytest.mark.parametrize("intensity", [0, 1, 3, 10])
def test_so_many_restarts_are_allowed_and_not_one_more(intensity: int) -> None:
    window = RestartWindow(intensity, 5.0)

    assert _verdicts(window, *[7.0] * intensity) == [WITHIN] * intensity
    assert _verdicts(window, 7.0) == [EXCEEDED]


@pytest.mark.parametrize(
    ("second", "verdict"),
    [
        (math.nextafter(5.0, 0.0), EXCEEDED),
        (5.0, EXCEEDED),
        (math.nextafter(5.0, math.inf), WITHIN),
    ],
)
def test_an_attempt_exactly_a_period_old_still_counts(
    second: float, verdict: Verdict
) -> None:
    assert _verdicts(RestartWindow(1, 5.0), 0.0, second) == [WITHIN, verdict]


def test_evenly_spaced_restarts_live_for_ever_or_die_on_the_exact_one() -> None:
    apart = [2.5 * n for n in range(1000)]

    assert set(_verdicts(RestartWindow(3, 5.0), *apart)) == {WITHIN}
    assert _verdicts(RestartWindow(2, 5.0), *apart[:3]) == [WITHIN, WITHIN, EXCEEDED]


def test_window_tells_what_was_in_it_at_the_latest_attempt() -> None:
    window = RestartWindow(2, 5.0)
    assert (window.last, window.span, window.failures) == (-math.inf, 0.0, ())

    _verdicts(window, 1.0, 4.0, 6.5)

    assert window.last == 6.5
    assert window.span == 2.5
    assert window.failures == (_failure(4.0), _failure(6.5))


def test_window_forgets_what_is_too_old() -> None:
    window = RestartWindow(10_000, 1.0)
    _verdicts(window, *[0.01 * n for n in range(10_000)])

    assert len(window._attempts) == 101


def test_an_attempt_before_the_last_one_is_an_error_of_ours() -> None:
    window = RestartWindow(3, 5.0)
    _verdicts(window, 2.0)

    with pytest.raises(ValueError, match=r"^attempt at 1\.0 is earlier than .* 2\.0$"):
        window.record(1.0, _failure(1.0))


class WindowMachine(RuleBasedStateMachine):
    """Times in quarters of a second, so that all sums are exact."""

    window: ClassVar[type[RestartWindow]] = RestartWindow

    @initialize(intensity=st.integers(0, 4), period=st.integers(1, 12))
    def begin(self, intensity: int, period: int) -> None:
        self.intensity, self.period = intensity, period / 4
        self.tested = self.window(intensity, self.period)
        self.times: list[float] = []
        self.now = 0.0

    @rule(quarters=st.integers(0, 14))
    def time_passes(self, quarters: int) -> None:
        self.now += quarters / 4

    @rule()
    def a_restart_is_due(self) -> None:
        self.times.append(self.now)
        inside = [at for at in self.times if self.now - at <= self.period]
        wanted = WITHIN if len(inside) <= self.intensity else EXCEEDED

        assert self.tested.record(self.now, _failure(self.now)) is wanted

    @rule()
    def somebody_looks(self) -> None:
        inside = [at for at in self.times if self.now - at <= self.period]

        assert self.tested.used(self.now) == len(inside)


TestWindowAgainstAListOfTimes = WindowMachine.TestCase
TestWindowAgainstAListOfTimes.settings = settings(stateful_step_count=20)


class OffByOne(RestartWindow):
    def record(self, now: float, failure: Failure) -> Verdict:
        super().record(now, failure)
        return WITHIN if len(self.failures) < self.intensity else EXCEEDED


class OpenEdge(RestartWindow):
    def record(self, now: float, failure: Failure) -> Verdict:
        attempts = self._attempts
        attempts.append((now, failure))
        while now - attempts[0][0] >= self.period and len(attempts) > 1:
            attempts.popleft()
        return WITHIN if len(attempts) <= self.intensity else EXCEEDED


class ResetOnSuccess(RestartWindow):
    def record(self, now: float, failure: Failure) -> Verdict:
        if now > self.last:  # the last restart came to something
            self._attempts.clear()
        return super().record(now, failure)


class FloorToSeconds(RestartWindow):
    def record(self, now: float, failure: Failure) -> Verdict:
        return super().record(float(math.floor(now)), failure)


@pytest.mark.parametrize("broken", [OffByOne, OpenEdge, ResetOnSuccess, FloorToSeconds])
def test_a_broken_window_is_caught(broken: type[RestartWindow]) -> None:
    class Broken(WindowMachine):
        window = broken

    must_be_caught(Broken)


# ---------------------------------------------------------------------------- the clock


def test_clock_stands_still_while_a_restart_is_carried_out() -> None:
    clock = WorkClock()
    assert clock.read(10.0) == 10.0

    clock.stop(12.0)
    assert clock.read(15.0) == 12.0
    clock.stop(16.0)  # it stands already
    assert clock.busy(20.0) == 8.0
    clock.resume(20.0)
    clock.resume(21.0)  # it runs already

    assert clock.read(23.0) == 15.0
    assert clock.busy(23.0) == 8.0


def test_clock_can_be_looked_at_without_a_trace() -> None:
    clock = WorkClock()
    clock.set_back(4.0, now=20.0, floor=10.0)
    clock.stop(22.0)
    before = [getattr(clock, field.name) for field in fields(WorkClock)]

    assert [clock.peek(now) for now in (22.0, 30.0, 23.0)] == [18.0] * 3
    assert [getattr(clock, field.name) for field in fields(WorkClock)] == before
    clock.resume(25.0)
    assert clock.peek(30.0) == clock.read(30.0) == 23.0


def test_clock_shows_the_very_time_while_restarts_take_none() -> None:
    clock = WorkClock()
    for n in range(1000):
        at = 0.1 * n
        clock.stop(at)
        clock.resume(at)
        assert clock.read(at) == at


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, 20.0),
        (4.0, 16.0),
        (5.0, 15.0),
        (6.0, 15.0),  # never past the last attempt
        (-1.0, 20.0),
    ],
)
def test_clock_is_set_back_but_not_past_the_floor(seconds: float, shown: float) -> None:
    clock = WorkClock()

    clock.set_back(seconds, now=20.0, floor=15.0)

    assert clock.read(20.0) == shown
    assert clock.busy(20.0) == 20.0 - shown


def test_clock_without_an_attempt_is_set_back_as_far_as_told() -> None:
    clock = WorkClock()

    clock.set_back(30.0, now=20.0, floor=-math.inf)

    assert clock.read(20.0) == -10.0


_seconds = st.floats(0.0, 100.0, allow_subnormal=False)
_moves = st.tuples(st.sampled_from(["pass", "stop", "resume", "back"]), _seconds)


@given(st.lists(_moves, max_size=30))
def test_clock_agrees_with_exact_sums_and_never_goes_back(
    moves: list[tuple[str, float]],
) -> None:
    """Rounding once let it go back, and the window refused the attempt."""
    clock, window = WorkClock(), RestartWindow(1, 5.0)
    now, busy, since = 0.0, Fraction(0), None
    for move, much in moves:
        match move:
            case "pass":
                now += much
            case "stop":
                clock.stop(now)
                since = now if since is None else since
            case "resume":
                clock.resume(now)
                if since is not None:
                    busy += Fraction(now) - Fraction(since)
                since = None
            case _:
                standing = Fraction(now if since is None else since) - busy
                clock.set_back(much, now=now, floor=window.last)
                if window.last != -math.inf:
                    much = min(much, max(0.0, float(standing - Fraction(window.last))))
                busy += Fraction(much)
        shown = clock.read(now)
        standing = Fraction(now if since is None else since) - busy
        assert shown == pytest.approx(float(standing), abs=1e-9)
        window.record(shown, _failure(now))  # a ValueError if it has gone back


@given(st.lists(_seconds, min_size=2, max_size=20))
def test_window_on_a_clock_between_slow_restarts(stops: list[float]) -> None:
    clock = WorkClock()
    now, shown = 0.0, []
    for much in stops:
        now += 0.3
        shown.append(clock.read(now))
        clock.stop(now)
        now += much
        clock.resume(now)

    for first, second in pairwise(shown):
        assert second - first == pytest.approx(0.3, abs=1e-9)
