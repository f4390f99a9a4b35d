"""docs/checks.md has every rule, with what it says and how bad that is."""

import re
from typing import Any

import pytest

from examples import faulty_tree
from regrow import Actor, Advice, check, child, supervisor
from regrow._core.advice.rules import RULES
from regrow.cli._picture import as_data

from .pages import ROOT, fold, rows, section

PAGE = ROOT / "docs" / "checks.md"
HEADINGS = re.findall(r"^(##+) (.+)$", PAGE.read_text("utf-8"), re.MULTILINE)
SEVERITIES = {"Errors": "error", "Warnings": "warning", "Hints": "hint"}


class Holder(Actor):
    """Holds a ref."""

    def __init__(self, ref: object) -> None:
        self.held = ref


def test_every_rule_stands_under_its_severity_in_the_order_of_the_table() -> None:
    severity = ""
    told: list[tuple[str, str]] = []
    for level, title in HEADINGS:
        if level == "##":
            severity = SEVERITIES.get(title, "")
        else:
            told.append((severity, title))
    assert told == [(rule.severity, rule.code) for rule in RULES]


def found() -> dict[str, Advice]:
    """Give one finding of each rule."""
    stranger = child(Holder, None, name="stranger")
    holder = child(Holder, stranger.ref)
    every = [
        *check(faulty_tree.shop(), grace=faulty_tree.GRACE),
        *check(supervisor("app", holder)),
    ]
    return {each.code: each for each in reversed(every)}


@pytest.mark.parametrize("code", [rule.code for rule in RULES])
def test_each_is_shown_with_its_text_and_has_a_reason(code: str) -> None:
    text = section(PAGE, code)
    shown = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    assert shown is not None
    assert fold(shown[1]) == str(found()[code])
    assert "*Why:* " in text


def test_the_severities_are_those_there_are() -> None:
    named = [row[0] for row in rows(section(PAGE, "What a rule may say"))]
    assert named == list(dict.fromkeys(rule.severity for rule in RULES))


def test_the_keys_of_json_are_those_there_are() -> None:
    _, shown = re.split(r"^`regrow show", section(PAGE, "As JSON"), flags=re.MULTILINE)
    data: Any = as_data(faulty_tree.shop())
    every = dict.fromkeys(key for place in data["places"] for key in place)
    assert [row[0].strip("`") for row in rows(shown)] == list(every)
