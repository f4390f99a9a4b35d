"""`regrow check`: what a tree has in it that will not do what was meant."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Final, get_args

from attrs import asdict
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from regrow import Advice, SpecError, check
from regrow._core.advice.model import Severity, nodes_of, printable

from ._loading import BAD_USAGE, load_for

__all__ = ["check_target"]

NO_ERRORS: Final = 0
ERRORS: Final = 1

_STYLES: Final[dict[Severity, str]] = {
    "error": "bold red",
    "warning": "yellow",
    "hint": "cyan",
}
_WIDTH: Final = 100
"""Longer lines of prose are hard to read, however wide the terminal is."""


def check_target(target: str, *, grace: float, as_json: bool) -> int:
    """Check the tree that *target* names and print what was found; give the exit code."""
    name: str | None = None
    places = 0
    try:
        tree = load_for("check", target)
        if tree is None:
            return BAD_USAGE
        name, places = tree.name, len(nodes_of(tree))
        found = check(tree, grace=grace)
    except SpecError as error:
        found = tuple(Advice.of(finding) for finding in error.findings)
    counts: Counter[Severity] = Counter(advice.severity for advice in found)
    if as_json:
        _print_json(name, places, grace, found, counts)
    else:
        _print(found, _summary(places, counts))
    return ERRORS if counts["error"] else NO_ERRORS


def _print(found: Sequence[Advice], summary: str) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        for advice in found:
            console.out(str(advice), highlight=False)
        console.out(summary, highlight=False)
        return
    width = min(console.width, _WIDTH)
    for advice in found:
        head = Text.assemble(
            (printable(advice.path), "bold"),
            (f"  {advice.severity}", _STYLES[advice.severity]),
            (f"  {advice.code}", "dim"),
        )
        console.print(head, soft_wrap=True)
        for text, style in ((advice.reason, ""), (advice.remedy, "green")):
            body = Text(printable(text), style=style)
            console.print(Padding(body, (0, 0, 0, 4)), width=width)
    console.print(Text(summary, style="bold"))


def _summary(places: int, counts: Counter[Severity]) -> str:
    """`1 error, 2 warnings in 12 places`; the places are not known of a refused tree."""
    severities: tuple[Severity, ...] = get_args(Severity)
    parts = [
        f"{counts[severity]} {severity}{'' if counts[severity] == 1 else 's'}"
        for severity in severities
        if counts[severity]
    ]
    told = ", ".join(parts) or "nothing found"
    where = f" in {places} place{'' if places == 1 else 's'}" if places else ""
    return told + where


def _print_json(
    name: str | None,
    places: int,
    grace: float,
    found: Sequence[Advice],
    counts: Counter[Severity],
) -> None:
    told = {
        "tree": name,
        "places": places,
        "grace": None if math.isinf(grace) else grace,
        "errors": counts["error"],
        "warnings": counts["warning"],
        "hints": counts["hint"],
        "findings": [asdict(advice) for advice in found],
    }
    Console().out(json.dumps(told, indent=2), highlight=False)
