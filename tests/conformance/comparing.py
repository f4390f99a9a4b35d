"""What OTP did against what was seen (sections 7 and 12 of README.md)."""

import json
from collections.abc import Sequence
from typing import TypeAlias

from attrs import frozen

from .model import Entry, Json, Played, Refused, Scenario

__all__ = ["Difference", "first_difference", "same"]

FLAG_CODES = {
    "invalid_strategy",
    "invalid_intensity",
    "invalid_period",
    "invalid_auto_shutdown",
}
"""Faults of a supervisor's own flags; all others are those of a child spec (6)."""

REFUSALS = {"start_error", "invalid_spec", "invalid_flags"}

NOT_MADE: Json = {"event": "start_failed", "path": [], "n": 1}
"""What OTP's top supervisor tells when it is refused; regrow never made one."""

_Field: TypeAlias = tuple[str, object, object]


@frozen
class Difference:
    """The first step of a scenario that was not as in the trace.

    Attributes:
        step: Its number, from 0.
        fields: Name, expected and got, of each field that differs.
        problem: Why the step could not be made at all.
    """

    step: int
    fields: tuple[_Field, ...] = ()
    problem: str | None = None

    def describe(self, scenario: Scenario) -> str:
        """Tell it in lines."""
        lines = [f"{scenario.id}: step {self.step} {_text(scenario.steps[self.step])}"]
        if self.problem is not None:
            expected = _text(scenario.trace[self.step])
            lines += [f"  expected {expected}", f"  got      {self.problem}"]
        for name, wanted, got in self.fields:
            lines += [
                f"  {name}",
                f"    expected {_text(wanted)}",
                f"    got      {_text(got)}",
            ]
        return "\n".join(lines)


def _text(value: object) -> str:
    return json.dumps(value, default=lambda refused: f"refused: {refused.codes}")


def same(expected: object, got: object) -> bool:
    """Whether two JSON values are equal; unlike in Python, `true` is not 1.

    A `Refused` is equal to the result that tells one of its findings.
    """
    if isinstance(expected, dict) and isinstance(got, dict):
        return expected.keys() == got.keys() and all(
            same(value, got[name]) for name, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(got, list):
        return len(expected) == len(got) and all(map(same, expected, got))
    if isinstance(got, Refused):
        return any(same(expected, _refusal(code)) for code in got.codes)
    return type(expected) is type(got) and bool(expected == got)


def _refusal(code: str) -> Json:
    error = "invalid_flags" if code in FLAG_CODES else "invalid_spec"
    return {"ok": False, "error": error, "detail": code}


def _block(element: Json) -> list[Json] | None:
    """Give the events of an `unordered` block (5.1)."""
    if isinstance(element, dict) and element.keys() == {"unordered"}:
        block = element["unordered"]
        return block if isinstance(block, list) else None
    return None


def _same_events(expected: Sequence[Json], got: Sequence[Json]) -> bool:
    """Compare lists of events; a block of *expected* takes as many, in any order."""
    left = list(got)
    for element in expected:
        block = _block(element)
        wanted = [element] if block is None else list(block)
        taken, left = left[: len(wanted)], left[len(wanted) :]
        for event in taken:
            places = (i for i, candidate in enumerate(wanted) if same(candidate, event))
            place = next(places, None)
            if place is None:
                return False
            del wanted[place]
        if wanted:
            return False
    return not left


def _refused_below(expected: Json, refused: Refused) -> bool:
    """Whether OTP refused in mid-start what regrow refused when it was built (D2)."""
    return (
        isinstance(expected, dict)
        and expected.get("ok") is False
        and expected.get("error") in REFUSALS
        and expected.get("detail") in refused.codes
    )


def _differing(scenario: Scenario, step: int, got: Entry) -> list[_Field]:
    expected = scenario.trace[step]
    events, result = expected["events"], expected["result"]
    told = got.events
    right = same(result, got.result)
    if isinstance(got.result, Refused):
        if "D2" in scenario.departs and _refused_below(result, got.result):
            events, right = [], True
        elif step == 0:
            told = [NOT_MADE, *told]
    differing: list[_Field] = []
    if not isinstance(events, list) or not _same_events(events, told):
        differing.append(("events", events, told))
    if not right:
        differing.append(("result", result, got.result))
    if not same(expected["top"], got.top):
        differing.append(("top", expected["top"], got.top))
    if not same(expected["tree"], got.tree):
        differing.append(("tree", expected["tree"], got.tree))
    return differing


def first_difference(scenario: Scenario, played: Played) -> Difference | None:
    """Find the first step that is not as in the trace; `None` if all are."""
    for step, got in enumerate(played.entries):
        differing = _differing(scenario, step, got)
        if differing:
            return Difference(step, tuple(differing))
    if played.problem is not None or len(played.entries) != len(scenario.trace):
        return Difference(
            len(played.entries), problem=played.problem or "nothing: it was not played"
        )
    return None
