"""Whether a tree is well: each rule of it, by values."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

import pytest
from attrs import evolve

from regrow import Health, HealthReason, PlaceSnapshot
from regrow._core.health import Reasons, judge
from regrow._core.snapshot import PlaceStatus

WORKER = PlaceSnapshot("app/x", "x", "actor", "running", 1, 0, 0, 10, uptime=3.0)
SUPERVISOR = PlaceSnapshot(
    "app/s",
    "s",
    "supervisor",
    "running",
    1,
    0,
    0,
    0,
    strategy="one_for_one",
    intensity=3,
    period=5.0,
    used=0,
)


def found(
    place: PlaceSnapshot, *, root: bool = False, below_running: bool = True
) -> list[tuple[str, str]]:
    reasons = judge(place, root=root, below_running=below_running, now=100.0)
    told = [*reasons]
    assert {reason.path for reason in told} <= {place.path}
    return [(reason.status, reason.text) for reason in told]


@pytest.mark.parametrize(
    "place",
    [
        WORKER,
        SUPERVISOR,
        evolve(WORKER, waiting=7),
        evolve(WORKER, waiting=1000, capacity=math.inf),
        evolve(WORKER, capacity=0),
        evolve(WORKER, status="stopped"),  # and not missing: its work is done
        evolve(WORKER, status="stopping"),
        evolve(WORKER, status="starting", starting_since=90.0),
        evolve(WORKER, status="starting"),  # its turn has not come
        evolve(SUPERVISOR, intensity=0),  # so strict from the outset
        evolve(WORKER, used=0, period=60.0),
    ],
)
def test_a_place_that_is_well(place: PlaceSnapshot) -> None:
    assert found(place) == []


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (
            evolve(WORKER, status="stuck"),
            ("failing", "was cut off and is still there: it cannot be killed"),
        ),
        (
            evolve(WORKER, status="stopped", missing=True),
            ("failing", "is down, and nobody starts it again unless asked to"),
        ),
        (
            evolve(SUPERVISOR, used=3),
            (
                "failing",
                "has used 3 of 3 restarts in 5 s: at one more failure it gives up",
            ),
        ),
        (
            evolve(WORKER, used=4, intensity=4, period=60.0),
            (
                "failing",
                (
                    "has used 4 of 4 failures in a row: at one more failure its "
                    "supervisor gives up"
                ),
            ),
        ),
        (evolve(SUPERVISOR, used=2), ("degraded", "has used 2 of 3 restarts in 5 s")),
        (
            evolve(WORKER, used=2, period=60.0),
            ("degraded", "has used 2 failures in a row"),
        ),
        (
            evolve(WORKER, used=1, period=60.0),
            ("degraded", "has used 1 failure in a row"),
        ),
        (
            evolve(WORKER, status="restarting"),
            ("degraded", "is down and is being restarted"),
        ),
        (
            evolve(WORKER, status="restarting", due=102.5),
            ("degraded", "is down and will be restarted in 2.5 s"),
        ),
        (
            evolve(WORKER, status="restarting", due=99.0),
            ("degraded", "is down and will be restarted in 0 s"),
        ),
        (
            evolve(WORKER, waiting=8),
            ("degraded", "has 8 of 10 messages in its mailbox"),
        ),
        (
            evolve(WORKER, waiting=900, capacity=1024),
            ("degraded", "has 900 of 1,024 messages in its mailbox"),
        ),
        (
            evolve(WORKER, suspended=True),
            ("degraded", "is suspended: it begins no message until it is resumed"),
        ),
        (
            evolve(WORKER, status="starting", starting_since=89.5),
            ("degraded", "has been starting for 10.5 s"),
        ),
    ],
)
def test_a_place_that_is_not_well(
    place: PlaceSnapshot, reason: tuple[str, str]
) -> None:
    assert found(place) == [reason]
    below_what_is_down = found(place, below_running=False)
    assert below_what_is_down == ([reason] if place.status == "stuck" else [])


@pytest.mark.parametrize(
    ("status", "text"), [("stopping", "is stopping"), ("stopped", "has ended")]
)
def test_a_root_that_ends(status: PlaceStatus, text: str) -> None:
    place = evolve(SUPERVISOR, status=status)
    assert found(place, root=True) == [("failing", text)]
    assert found(place) == []


def together(reasons: Iterable[HealthReason]) -> Health:
    found = Reasons()
    for reason in reasons:
        found.add(reason)
    return found.health()


def test_a_tree_is_as_well_as_its_worst_place() -> None:
    assert together([]) == Health("ok", ())
    bad = HealthReason("app/b", "degraded", "b")
    worst = HealthReason("app/w", "failing", "w")
    assert together([bad]) == Health("degraded", (bad,))
    assert together([bad, worst, bad]) == Health("failing", (worst, bad, bad))


def test_no_more_than_a_hundred_reasons_and_the_worst_among_them() -> None:
    degraded = [HealthReason(f"app/{n}", "degraded", "d") for n in range(150)]
    worst = HealthReason("app/w", "failing", "w")
    health = together([*degraded, worst])
    assert health == Health("failing", (worst, *degraded[:99]), 51)
    assert json.loads(json.dumps(health.as_json())) == {
        "status": "failing",
        "reasons": [
            {"path": reason.path, "status": reason.status, "text": reason.text}
            for reason in health.reasons
        ],
        "more": 51,
    }
