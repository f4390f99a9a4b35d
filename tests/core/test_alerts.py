"""How often places are restarted, and the history that keeps what happened."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import pytest
from attrs import define, frozen
from hypothesis import given, strategies as st

from regrow import (
    ChildExited,
    ChildRestarting,
    ChildStarted,
    ExitReason,
    Failure,
    RestartLimitExceeded,
    RestartLimitExceededError,
)
from regrow._core.alerts import MANY, RestartRates
from regrow._core.history import KEPT, History
from regrow._core.light import DEEPEST, MOST, Shed, light

if TYPE_CHECKING:
    from types import FrameType


@given(
    limit=st.integers(1, 5),
    gaps=st.lists(st.sampled_from([0.0, 5.0, 20.0, 30.0, 60.0, 61.0]), max_size=40),
)
def test_a_rate_is_told_when_the_last_minute_comes_to_the_limit(
    limit: int, gaps: list[float]
) -> None:
    rates = RestartRates(limit)
    times: list[float] = []
    now, above = 0.0, False
    for gap in gaps:
        now += gap
        before = sum(now - time <= 60 for time in times)
        times.append(now)
        above = above and before >= limit - 1
        expected = float(limit) if before + 1 >= limit and not above else None
        above = above or before + 1 >= limit
        assert rates.record("root/x", now) == expected


def test_places_are_counted_by_themselves_and_quiet_ones_forgotten() -> None:
    rates = RestartRates(2)
    assert rates.record("root/x", 0) is None
    assert rates.record("root/y", 0) is None
    assert rates.record("root/x", 1) == 2
    for number in range(3 * MANY):
        rates.record(f"root/{number}", 100.0 * number)
    assert len(rates._restarts) <= MANY


def crashed(error: BaseException, number: int = 1) -> ChildExited:
    return ChildExited(
        "root/x", number, 0.0, ExitReason.CRASHED, error, False, True, "worker"
    )


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:  # noqa: BLE001 - given as it came
        return caught


class OddError(Exception):
    def __init__(self, code: int, *, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code


class StubbornError(Exception):
    def __new__(cls, *args: object) -> StubbornError:
        if args:
            raise RuntimeError
        return super().__new__(cls)


def test_only_the_last_thousand_are_kept_in_order() -> None:
    history = History()
    told = [ChildStarted("root/x", number, 0.0, "worker") for number in range(KEPT + 5)]
    for event in told:
        history.add(event)
    assert history.events() == tuple(told[5:])


def test_exceptions_are_kept_without_their_frames_and_left_alone() -> None:
    error = raised(OddError(7, why="odd"), raised(KeyError("x")))
    history = History()
    history.add(crashed(error))
    (event,) = history.events()
    assert isinstance(event, ChildExited)
    kept = event.error
    assert isinstance(kept, OddError)
    assert (str(kept), kept.code, kept.__traceback__) == ("7: odd", 7, None)
    assert isinstance(kept.__cause__, KeyError)
    assert kept.__cause__.__traceback__ is None
    assert error.__traceback__ is not None
    assert isinstance(error.__cause__, KeyError)
    assert error.__cause__.__traceback__ is not None


def test_groups_and_the_failures_of_a_limit_hold_no_frames_either() -> None:
    inner = ValueError("bad")
    raised(inner)
    group = light(raised(ExceptionGroup("two", [ValueError("a"), inner])))
    assert isinstance(group, BaseExceptionGroup)
    assert [str(member) for member in group.exceptions] == ["a", "bad"]
    assert group.exceptions[1].__traceback__ is None
    spent = RestartLimitExceededError(
        path="root",
        child_id="x",
        intensity=0,
        period=5.0,
        failures=[Failure("root/x", 1.0, inner), Failure("root/x", 2.0, None)],
    )
    history = History()
    history.add(RestartLimitExceeded("root", 1, 2.0, spent))
    (event,) = history.events()
    assert isinstance(event, RestartLimitExceeded)
    first, second = event.error.failures
    assert first.error is not None
    assert (str(first.error), first.error.__traceback__) == ("bad", None)
    assert second.error is None
    assert spent.failures[0].error is inner
    assert str(event.error) == str(spent)


@pytest.mark.parametrize(
    "error", [StubbornError(), UnicodeDecodeError("utf-8", b"x", 0, 1, "no")]
)
def test_of_an_exception_that_cannot_be_made_its_name_is_kept(
    error: Exception,
) -> None:
    if isinstance(error, StubbornError):
        error.args = ("x",)
    kept = light(error)
    assert type(error).__name__ in (type(kept).__name__, str(kept))


@define
class SlottedError(Exception):
    amount: int

    def __str__(self) -> str:
        return f"short of {self.amount}"


@frozen
class FrozenError(Exception):
    amount: int


class ManyErrors(ExceptionGroup[Exception]):
    pass


class LiteralErrors(ExceptionGroup[Exception]):
    """One that cannot be made with a message and members alone."""

    def __new__(cls) -> LiteralErrors:
        return super().__new__(cls, "two", [ValueError("a"), KeyError("b")])

    def __setattr__(self, name: str, value: object) -> None:
        raise AssertionError


class CountedError(Exception):
    made = 0

    def __new__(cls, *args: object) -> CountedError:
        cls.made += 1
        return super().__new__(cls, *args)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(2, "No such file or directory", "bank.db"),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "no"),
        SyntaxError("bad", ("bank.py", 1, 2, "x =")),
        ImportError("no module", name="bank"),
        SlottedError(5),
        FrozenError(5),
        ManyErrors("two", [ValueError("a"), KeyError("b")]),
        SystemExit(3),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_an_exception_keeps_its_text_with_it_reads_the_same(
    error: BaseException,
) -> None:
    error.__dict__["__notes__"] = ["while paying"]
    kept = Shed(raised(error, raised(KeyError("x")))).error()
    assert kept is not error
    assert type(kept) is type(error)
    assert (str(kept), repr(kept.args)) == (str(error), repr(error.args))
    assert kept.__dict__ == error.__dict__
    assert repr(kept.__cause__) == "KeyError('x')"
    assert kept.__cause__ is not None
    assert kept.__cause__.__traceback__ is kept.__traceback__ is None


class MovedError(Exception):
    """One that lets nobody see what it has."""

    args = property()
    __dict__ = property()

    def __str__(self) -> str:
        return "moved"


class AppError(Exception):
    pass


class CodeError(AppError):
    """One that keeps what it needs for its text where only a slot is."""

    __slots__ = ("code",)

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code

    def __str__(self) -> str:
        return f"code {self.code}"


class FullError(AppError, MemoryError):
    """One of a class of Python's own that is not the first that it is derived from."""


class LostError(ValueError, OSError):
    """One of two such classes, of which the second knows what is kept."""


class HiddenError(Exception):
    """One that shows what it has only while it has all of it."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code

    def __getattribute__(self, name: str) -> object:
        if name == "__dict__":
            _ = super().__getattribute__("code")
        return super().__getattribute__(name)


class CauselessError(Exception):
    @property
    def __cause__(self) -> BaseException | None:  # type: ignore[override]
        raise AssertionError


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (KeyError("x"), "KeyError"),
        (CodeError(7), "CodeError"),
        (FullError("cache"), "FullError"),
        (LostError(2, "No such file", "bank.db"), "LostError"),
        (HiddenError(7), "RuntimeError"),
        (CauselessError("x"), "CauselessError"),
        (OddError(7, why="odd"), "OddError"),
        (SlottedError(5), "SlottedError"),
        (FileNotFoundError(2, "No such file", "bank.db"), "FileNotFoundError"),
        (StubbornError(), "StubbornError"),
        (CountedError("x"), "CountedError"),
        (MovedError(), "RuntimeError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_exception_is_made_anew_when_it_is_asked_for(
    error: Exception, name: str
) -> None:
    raised(error)
    made = CountedError.made
    shed = Shed(error)
    kept = shed.error()
    assert kept is shed.error() is not error
    assert type(kept).__name__ == name
    assert kept.__traceback__ is None
    assert CountedError.made == made
    if name != "RuntimeError":
        assert (str(kept), kept.args, vars(kept)) == (
            str(error),
            error.args,
            vars(error),
        )


class HiddenGroup(ExceptionGroup[Exception]):
    exceptions = property()
    message = property()


def test_a_group_that_hides_its_members_is_kept_with_them() -> None:
    kept = Shed(HiddenGroup("two", [ValueError("a"), KeyError("b")])).error()
    assert type(kept) is HiddenGroup
    assert str(kept) == "two (2 sub-exceptions)"


def test_what_becomes_of_an_exception_later_is_not_kept() -> None:
    error = OddError(7, why="odd")
    shed = Shed(error)
    error.code = 8
    error.args = ()
    kept = shed.error()
    assert isinstance(kept, OddError)
    assert (kept.code, kept.args) == (7, ("7: odd",))


def test_the_end_and_the_restart_of_one_crash_keep_one_exception() -> None:
    history = History()
    error = raised(KeyError("x"))
    end = crashed(error)
    restart = ChildRestarting("root/x", 1, 0.0, 1, 0.0, error, 3)
    for event in (end, restart, restart):
        history.add(event)
    kept = history.events()
    assert [type(event) for event in kept] == [
        ChildExited,
        ChildRestarting,
        ChildRestarting,
    ]
    (one,) = {id(getattr(event, "error", None)) for event in kept}
    assert one != id(error)
    assert history.events() == kept
    first, second, _ = kept
    assert isinstance(first, ChildExited)
    assert attrs.evolve(first, error=error) == end
    assert isinstance(second, ChildRestarting)
    assert attrs.evolve(second, error=error) == restart


def test_an_interrupted_look_at_the_history_leaves_it_as_it_is() -> None:
    history = History()
    history.add(crashed(KeyError("x")))
    history.add(ChildStarted("root/x", 2, 0.0, "worker"))
    lines = 0

    def trace(_frame: FrameType, event: str, _arg: object) -> Any:
        nonlocal lines
        if event == "line":
            lines += 1
            if lines == interrupted:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    for interrupted in itertools.count(1):  # noqa: B007 - read by the trace function
        lines = 0
        sys.settrace(trace)
        try:
            history.events()
        except KeyboardInterrupt:
            sys.settrace(before)
            assert len(history.events()) == 2
        else:
            break
        finally:
            sys.settrace(before)
    assert interrupted > 10


class TellingError(Exception):
    """One that leads to another event when it is looked at."""

    history: ClassVar[History]

    def __getattribute__(self, name: str) -> object:
        if name == "__dict__":
            self.history.add(ChildStarted("root/y", 1, 0.0, "worker"))
        return super().__getattribute__(name)


def test_what_happens_while_the_history_is_looked_at_is_kept() -> None:
    history = TellingError.history = History()
    history.add(crashed(TellingError()))
    history.add(ChildStarted("root/x", 2, 0.0, "worker"))
    assert len(history.events()) == 3
    assert len(history.events()) == 4


def test_nothing_that_its_class_defines_is_called_to_keep_an_exception() -> None:
    error = CountedError("x")
    made = CountedError.made
    kept = light(error)
    assert (type(kept), str(kept), CountedError.made) == (CountedError, "x", made)
    group = light(raised(LiteralErrors(), raised(KeyError("x"))))
    assert isinstance(group, LiteralErrors)
    assert (str(group), repr(group.exceptions), repr(group.__cause__)) == (
        "two (2 sub-exceptions)",
        "(ValueError('a'), KeyError('b'))",
        "KeyError('x')",
    )


def test_exceptions_that_are_causes_of_one_another_are_kept_so() -> None:
    first, second = ValueError("a"), KeyError("b")
    first.__cause__, second.__cause__ = second, first
    kept = light(first)
    assert kept.__cause__ is not None
    assert (str(kept), str(kept.__cause__)) == ("a", "'b'")
    assert kept.__cause__.__cause__ is kept
    alone = ValueError("c")
    alone.__cause__ = alone
    own = light(alone)
    assert own.__cause__ is own


def test_a_group_that_is_the_cause_of_its_own_member_is_kept_so() -> None:
    member = ValueError("a")
    group = ExceptionGroup("one", [member])
    member.__cause__ = group
    kept = light(group)
    assert isinstance(kept, ExceptionGroup)
    assert kept.exceptions[0].__cause__ is kept


def test_of_very_many_causes_the_nearest_are_kept() -> None:
    error = last = ValueError(0)
    for number in range(1, 5000):
        last.__cause__ = ValueError(number)
        last = last.__cause__
    count = 0
    kept: BaseException | None = light(error)
    while kept is not None:
        assert kept.args == (count,)
        count += 1
        kept = kept.__cause__
    assert count == MOST


def test_of_members_and_groups_in_groups_without_end_the_names_are_kept() -> None:
    members = [ValueError(number) for number in range(3 * MOST)]
    kept = light(ExceptionGroup("many", members))
    assert isinstance(kept, ExceptionGroup)
    assert len(kept.exceptions) == len(members)
    assert repr(kept.exceptions[0]) == "ValueError(0)"
    assert repr(kept.exceptions[-1]) == "RuntimeError('ValueError')"
    error: Exception = ValueError("a")
    for _ in range(5000):
        error = ExceptionGroup("twice", [error, error])
    found: BaseException = light(error)
    depth = 0
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[1]
        depth += 1
    assert (depth, repr(found)) == (DEEPEST, "RuntimeError('ExceptionGroup')")


class BareError(Exception):
    __slots__ = ("x",)


class ShadowedError(BareError):
    @property
    def x(self) -> int:
        return 1


class BareGroup(ExceptionGroup[Exception]):
    __slots__ = ("x",)


class ShadowedGroup(BareGroup):
    @property
    def x(self) -> int:
        return 1


def test_what_cannot_take_over_its_slots_is_kept_by_its_name_or_its_members() -> None:
    error = light(ShadowedError("odd"))
    assert (type(error), str(error)) == (RuntimeError, "ShadowedError")
    group = light(ShadowedGroup("two", [ValueError("a"), KeyError("b")]))
    assert isinstance(group, BaseExceptionGroup)
    assert type(group) is ExceptionGroup
    assert (group.message, [repr(each) for each in group.exceptions]) == (
        "two",
        ["ValueError('a')", "KeyError('b')"],
    )
