from io import StringIO

from rich.console import Console

from regrow import (
    ChildExited,
    ChildRestarting,
    ChildStarted,
    ChildStartFailed,
    ChildStuck,
    ExitReason,
    Failure,
    RestartLimitExceeded,
    RestartLimitExceededError,
)
from regrow.cli._timeline import Timeline, show_failure


def crash(at: float, path: str = "shop/back") -> ChildExited:
    return ChildExited(
        path=path,
        incarnation=1,
        at=at,
        reason=ExitReason.CRASHED,
        error=ValueError("bad\n header"),
        told=False,
        expected=False,
        kind="worker",
    )


def ended(path: str, reason: ExitReason) -> ChildExited:
    return ChildExited(
        path=path,
        incarnation=1,
        at=1.0,
        reason=reason,
        error=None,
        told=True,
        expected=True,
        kind="worker",
    )


def test_failures_are_told_in_order_from_the_first_event_on() -> None:
    timeline = Timeline()
    mixed = ExceptionGroup("", [ExceptionGroup("", [KeyError()]), OSError("no")])
    gave_up = RestartLimitExceededError(
        path="shop",
        child_id="back",
        intensity=1,
        period=5.0,
        failures=[Failure("shop/back", 3.0, ValueError("bad"))],
    )
    for event in (
        ChildStarted("shop/back", 1, 10.0, "worker"),
        crash(10.5),
        ChildRestarting("shop/back", 1, 10.5, 1, 0.25, None),
        ChildStartFailed("shop/back", 2, 10.75, mixed, "worker"),
        ChildStuck("shop/other", 1, 11.0, 1.0, ()),
        RestartLimitExceeded("shop", 1, 12.0, gave_up),
        ended("shop/other", ExitReason.KILLED),
        ended("shop/other", ExitReason.SHUTDOWN),
    ):
        timeline(event)
    assert [line.strip() for line in timeline.lines()] == [
        "+0.500 s  shop/back  crashed: ValueError: bad header",
        "+0.500 s  shop/back  restarts in 0.25 s, attempt 1",
        "+0.750 s  shop/back  did not start: KeyError, OSError: no",
        "+1.000 s  shop/other  does not end, though it was cut off",
        "+2.000 s  shop  gives up",
        "-9.000 s  shop/other  was cut off before it had stopped",
    ]


def test_only_the_last_failures_are_kept() -> None:
    timeline = Timeline()
    for number in range(203):
        timeline(crash(float(number)))
    lines = list(timeline.lines())
    assert lines[0] == "(3 earlier ones left out)"
    assert len(lines) == 201
    assert lines[-1].strip().startswith("+202.000 s")


def test_a_tree_is_cut_off_when_its_root_is_killed() -> None:
    timeline = Timeline()
    timeline(ended("shop/back", ExitReason.KILLED))
    assert not timeline.cut_off
    timeline(ended("shop", ExitReason.KILLED))
    assert timeline.cut_off


def test_long_lines_are_not_broken() -> None:
    text = StringIO()
    timeline = Timeline()
    timeline(crash(0.0, "shop/" + "x" * 200))
    show_failure(Console(file=text, width=20), timeline, "the end [of it]")
    assert text.getvalue().splitlines() == [
        "timeline of failures:",
        f"    +0.000 s  shop/{'x' * 200}  crashed: ValueError: bad header",
        "regrow: the end [of it]",
    ]
