"""The checks find what is wrong with a list of events, and nothing where nothing is."""

from collections.abc import Callable

import pytest

from regrow import ChildExited, ChildStarted, Event, ExitReason, PlaceClosed

from .checks import Rules, check_events
from .harness import Outcome, run_once
from .judge import faults
from .points import Work
from .scenarios import SCENARIOS

RULES = Rules({"top/a": 0, "top/b": 1, "top/pool": 2}, frozenset({"top/pool"}))


def up(path: str, incarnation: int = 1, at: float = 0.0) -> Event:
    return ChildStarted(path, incarnation, at, "worker")


def down(
    path: str, incarnation: int = 1, at: float = 0.0, *, told: bool = True
) -> Event:
    reason = ExitReason.SHUTDOWN if told else ExitReason.NORMAL
    return ChildExited(path, incarnation, at, reason, None, told, True, "worker")


GOOD = [up("top/a"), up("top/b"), up("top"), down("top/b"), down("top/a"), down("top")]


@pytest.mark.parametrize(
    ("events", "found"),
    [
        (GOOD, []),
        ([*GOOD, *GOOD], []),
        (
            [
                *(up("top/a"), up("top"), down("top/a", told=False)),
                *(up("top/a", 2), down("top/a", 2), down("top")),
            ],
            [],
        ),
        (
            [
                up("top/pool/x"),
                up("top/pool/y"),
                down("top/pool/x"),
                down("top/pool/y"),
            ],
            [],
        ),
        (
            GOOD[:3],
            ["top/a #1 never ended", "top/b #1 never ended", "top #1 never ended"],
        ),
        (
            [*GOOD[:4], *GOOD[3:]],
            ["top/b #1 ended, but what ran is None"],
        ),
        (
            [up("top/pool/x"), up("top/pool/x", 2), down("top/pool/x", 2)],
            ["top/pool/x #2 started while #1 runs"],
        ),
        (
            [up("top/pool/x"), down("top/pool/x")] * 2,
            ["top/pool/x #1 started after #1 had ended"],
        ),
        (
            [
                *(up("top/pool/x"), down("top/pool/x")),
                PlaceClosed("top/pool/x", 1, 0.0, ""),
                *(up("top/pool/x"), down("top/pool/x")),
            ],
            [],
        ),
        (
            [
                up("top/b"),
                up("top/a"),
                up("top"),
                down("top/b"),
                down("top/a"),
                down("top"),
            ],
            ["top/a #1 started after a later sibling"],
        ),
        (
            [*GOOD[:3], down("top/a"), down("top/b"), down("top")],
            ["top/a #1 was stopped before top/b"],
        ),
        (
            [*GOOD[:3], down("top/b"), down("top"), down("top/a")],
            ["top #1 ended before top/a below it"],
        ),
        (
            [up("top/a", at=1.0), down("top/a", at=0.5)],
            [f"{down('top/a', at=0.5)!r} is told after something that came later"],
        ),
    ],
)
def test_events_are_judged(events: list[Event], found: list[str]) -> None:
    assert check_events(events, RULES) == found


@pytest.mark.parametrize(
    "tamper",
    [
        lambda out: out.events.remove(exits(out)[0]),
        lambda out: out.events.append(exits(out)[0]),
        lambda out: out.left.append("a task"),
        lambda out: out.events.reverse(),
        lambda out: setattr(out.sent[0], "end", None),
        lambda out: setattr(out.probe.works[-1], "ended", None),
        lambda out: setattr(out, "late", True),
        lambda out: setattr(out, "error", ValueError()),
        lambda out: [out.probe.works.remove(w) for w in works(out)],
    ],
)
def test_a_run_that_was_tampered_with_is_found_out(
    tamper: Callable[[Outcome], object],
) -> None:
    scenario = SCENARIOS["bank"]
    out = run_once(scenario, seed=3)
    assert faults(scenario, out) == []
    tamper(out)
    assert faults(scenario, out) != []


def exits(out: Outcome) -> list[Event]:
    return [event for event in out.events if isinstance(event, ChildExited)]


def works(out: Outcome) -> list[Work]:
    return [work for work in out.probe.works if work.kind == "handler"]
