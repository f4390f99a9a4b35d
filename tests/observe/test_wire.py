"""Events as JSON: whole, and bounded."""

import json
import math
from datetime import datetime
from random import Random

import pytest
import trio
from attrs import evolve

from regrow import ChildExited, ChildRestarting, ChildStuck, ExitReason
from regrow._runtime.host import Host
from regrow.observe._wire import LONGEST, error_json, event_json, plain, timed_json


def broken(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 - given as it came
        return caught


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def test_an_event_is_its_name_and_its_fields() -> None:
    event = ChildRestarting("root/x", 2, 1.5, 1, math.inf, None)
    assert event_json(event) == {
        "event": "ChildRestarting",
        "path": "root/x",
        "incarnation": 2,
        "at": 1.5,
        "attempt": 1,
        "delay": None,
        "error": None,
        "allowed": None,
    }


def test_an_error_has_its_type_its_text_and_its_traceback() -> None:
    event = ChildExited(
        "root/x",
        1,
        0.0,
        ExitReason.CRASHED,
        broken(ValueError("bad header")),
        told=False,
        expected=True,
        kind="worker",
    )
    found = json.loads(json.dumps(event_json(event)))
    assert found["reason"] == "crashed"
    assert found["error"]["type"] == "ValueError"
    assert found["error"]["text"] == "ValueError: bad header"
    assert found["error"]["traceback"].endswith("ValueError: bad header\n")
    assert "in broken" in found["error"]["traceback"]


@pytest.mark.parametrize(
    "error",
    [ValueError("x" * 100_000), UnspeakableError()],
    ids=["endless text", "text that cannot be made"],
)
def test_an_error_is_bounded_and_always_to_be_had(error: Exception) -> None:
    found = json.dumps(error_json(broken(error)))
    assert len(found) < 15 * LONGEST


def test_what_json_does_not_know_is_null_or_text() -> None:
    assert plain((math.nan, -math.inf, 1, True, None)) == [None, None, 1, True, None]
    assert plain({"a": 1}) == "{'a': 1}"
    assert plain(["x"] * 1000) == ["x"] * 100
    assert plain(ChildStuck("r", 1, 0.0, 1.0, ("a", "b")).stack) == ["a", "b"]


def test_the_time_of_an_event_is_told_by_the_local_clock() -> None:
    event = ChildRestarting("root/x", 2, 40.0, 1, 0.0, None)

    async def now() -> tuple[float, Host]:
        host = Host((), Random(), lambda: None, lambda: None, math.inf)
        return trio.current_time(), host

    at, host = trio.run(now)
    late = evolve(event, at=at + 90)
    told = timed_json(late, host)
    time = datetime.fromisoformat(str(told.pop("time")))
    assert time.tzinfo is not None
    assert abs((time - datetime.now().astimezone()).total_seconds() - 90) < 5
    assert told == event_json(late)
    assert timed_json(late, host)["time"] == timed_json(late, host)["time"]
