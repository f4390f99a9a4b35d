"""What led to an end, as values and as lines."""

from __future__ import annotations

import pytest

from regrow import (
    AutoShutdown,
    ChildExited,
    ChildIgnored,
    ChildRestarting,
    ChildStarted,
    ChildStartFailed,
    ChildStuck,
    Event,
    ExitReason,
    Failure,
    RestartLimitExceeded,
    RestartLimitExceededError,
    StartFailedError,
    TimelineEntry,
)
from regrow._core.timeline import SHOWN, timeline_lines, timeline_of

BAD = ValueError("bad header")


def spent(*failures: Failure) -> RestartLimitExceededError:
    return RestartLimitExceededError(
        path="app",
        child_id="x",
        intensity=1,
        period=5.0,
        failures=failures,
        span=2.0,
    )


def ended(
    reason: ExitReason,
    error: BaseException | None = None,
    *,
    told: bool = False,
    expected: bool = True,
    at: float = 1.0,
    message: str = "",
) -> ChildExited:
    return ChildExited("app/x", 2, at, reason, error, told, expected, "worker", message)


@pytest.mark.parametrize(
    ("event", "what"),
    [
        (ended(ExitReason.CRASHED, BAD), "crashed: ValueError: bad header"),
        (
            ended(ExitReason.CRASHED, BAD, message="read('a')"),
            "crashed on read('a'): ValueError: bad header",
        ),
        (
            ended(ExitReason.KILLED, told=True, expected=False),
            "was cut off before it had stopped",
        ),
        (ended(ExitReason.NORMAL), "ended (normal)"),
        (ended(ExitReason.SHUTDOWN, told=True), None),
        (
            ChildStartFailed("app/x", 2, 1.0, BAD, "worker"),
            "did not start: ValueError: bad header",
        ),
        (
            ChildStartFailed(
                "app/x", 2, 1.0, StartFailedError("app/x/y", BAD), "supervisor"
            ),
            "did not start: ValueError: bad header",
        ),
        (
            ChildRestarting("app/x", 2, 1.0, 1, 0.0, BAD, 3),
            "restarts now (attempt 1 of 3)",
        ),
        (
            ChildRestarting("app/x", 2, 1.0, 4, 0.25, BAD),
            "restarts in 0.25 s (attempt 4)",
        ),
        (
            ChildStuck("app/x", 2, 1.0, 2.5, ()),
            "does not end, 2.5 s after it was cut off",
        ),
        (
            RestartLimitExceeded("app/x", 2, 1.0, spent(Failure("app/x/y", 1.0, BAD))),
            "gives up: 1 restart in 2 s, its intensity is 1 in 5 s",
        ),
        (AutoShutdown("app/x", 2, 1.0, "y"), "shuts down, as 'y' has ended"),
        (ChildStarted("app/x", 2, 1.0, "worker"), None),
        (ChildIgnored("app/x", 2, 1.0), None),
    ],
)
def test_each_kind_of_event_as_a_line(event: Event, what: str | None) -> None:
    error = StartFailedError("app/x", BAD)
    entries = timeline_of(error, "app", [event])
    lines = [*timeline_lines(entries, lambda at: f"{at:g} s")]
    assert lines == ([] if what is None else [f"1 s  app/x [2] {what}"])


def test_it_begins_with_the_first_failure_that_counted_at_any_level() -> None:
    lower = RestartLimitExceededError(
        path="app/sub",
        child_id="y",
        intensity=0,
        period=5.0,
        failures=[Failure("app/sub/y", 3.0, BAD)],
    )
    history = [
        ended(ExitReason.CRASHED, BAD, at=0.5),  # before the window
        ChildExited("other/y", 1, 2.5, ExitReason.CRASHED, BAD, False, True, "worker"),
        ChildExited(
            "app/sub/y", 1, 2.9, ExitReason.CRASHED, BAD, False, True, "worker"
        ),
        RestartLimitExceeded("app/sub", 1, 3.0, lower),
        ChildExited(
            "app/sub", 1, 3.0, ExitReason.CRASHED, lower, False, True, "supervisor"
        ),
    ]
    entries = timeline_of(spent(Failure("app/sub", 3.0, lower)), "app", history)
    assert [(entry.at, entry.path, entry.what) for entry in entries] == [
        (2.9, "app/sub/y", "crashed"),
        (3.0, "app/sub", "gives up"),
    ]


def test_of_failures_at_the_same_instant_all_are_told() -> None:
    # As under a clock that stands still between them, or one that is coarse.
    history: list[Event] = []
    for life in (1, 2):
        crash = ChildExited(
            "app/x", life, 1.0, ExitReason.CRASHED, BAD, False, True, "worker"
        )
        history += [
            ChildStarted("app/x", life, 1.0, "worker"),
            crash,
            ChildRestarting("app/x", life, 1.0, life, 0.0, BAD, 1),
        ]
    error = spent(Failure("app/x", 1.0, BAD), Failure("app/x", 1.0, BAD))
    entries = timeline_of(error, "app", history[:-1])
    assert [(entry.incarnation, entry.what) for entry in entries] == [
        (1, "crashed"),
        (1, "restarts now (attempt 1 of 1)"),
        (2, "crashed"),
    ]


def test_where_the_first_failure_is_not_known_any_more_all_that_is_known_is_told() -> (
    None
):
    history = [ended(ExitReason.CRASHED, BAD, at=7.0)]
    entries = timeline_of(spent(Failure("app/gone", 1.0, BAD)), "app", history)
    assert [entry.at for entry in entries] == [7.0]


def test_of_many_lines_the_latest_are_shown() -> None:
    entries = [TimelineEntry(float(n), "app/x", n, "crashed", None) for n in range(70)]
    lines = [*timeline_lines(entries, str)]
    assert lines[0] == f"({70 - SHOWN} earlier ones left out)"
    assert lines[1:] == [f"{float(n)}  app/x [{n}] crashed" for n in range(10, 70)]
