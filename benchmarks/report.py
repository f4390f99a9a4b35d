"""Shows figures: as a table on the terminal, as JSON, and in a page between two marks."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from attrs import asdict, frozen
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .workload import Line, Scale, Spread, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = [
    "Results",
    "between_marks",
    "described",
    "machine",
    "number",
    "read",
    "show",
    "table",
    "write",
]

WIDTH = 130  # columns, where the output is no terminal that has some


@frozen
class Results:
    """What was measured, and on what.

    Attributes:
        machine: Interpreter, versions, cores and load.
        scale: How large the sizes were.
        lines: The figures.
    """

    machine: dict[str, str]
    scale: Scale
    lines: tuple[Line, ...]

    @property
    def missed(self) -> list[Line]:
        """The lines that reach none of their targets."""
        return [line for line in self.lines if line.met is False]


def machine() -> dict[str, str]:
    """Say what this runs on, without naming the machine."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "trio": version("trio"),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def described(machine: dict[str, str]) -> str:
    """Put *machine* into words."""
    return (
        f"{machine['python']}, trio {machine['trio']}, {machine['cores']} cores, "
        f"{machine['system']}, load {machine['load']} when it began"
    )


# ------------------------------------------------------------------------------- figures


def number(value: float) -> str:
    """Write *value* with three digits that mean something."""
    size = abs(value)
    if size >= 999.5:
        digits = len(f"{size:.0f}") - 3
        return f"{round(value, -digits):,.0f}"
    if size >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    if len(spread.values) == 1:
        return number(spread.median)
    return f"{number(spread.median)} ±{spread.percent:.0f}%"


def _ratio(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    if len(spread.values) == 1:
        return f"{spread.median:.2f}"
    return f"{spread.median:.2f} ({spread.low:.2f} to {spread.high:.2f})"


HEADINGS = (
    "workload",
    "what",
    "unit",
    "clock",
    "regrow",
    "baseline",
    "ratio",
    "target",
)


def _cells(line: Line, *, judge: bool) -> tuple[str, ...]:
    target = " or ".join(map(str, line.targets))
    if judge and line.met is not None:
        target += " met" if line.met else " missed"
    return (
        line.workload,
        line.label,
        line.unit,
        line.clock or "-",
        line.note or _spread(line.value),
        _spread(line.against),
        _ratio(line.ratio),
        target,
    )


def table(results: Results) -> Table:
    """Make the table."""
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1), title_justify="left")
    for heading in HEADINGS:
        right = heading in {"regrow", "baseline"}
        made.add_column(heading, justify="right" if right else "left")
    last = ""
    for line in results.lines:
        cells = _cells(line, judge=results.scale is Scale.FULL)
        name = cells[0] if cells[0] != last else ""
        style = "red" if results.scale is Scale.FULL and line.met is False else ""
        made.add_row(name, *(Text(cell) for cell in cells[1:]), style=style)
        last = cells[0]
    return made


def show(results: Results) -> None:
    """Print all of it."""
    made = console()
    made.print(described(results.machine), highlight=False)
    if results.scale is Scale.QUICK:
        made.print("Tiny sizes: this shows that it runs, and nothing about speed.")
    made.print(table(results))


def console() -> Console:
    """Give a console that does not fold tables where nobody looks on."""
    return Console(width=None if sys.stdout.isatty() else WIDTH)


# -------------------------------------------------------------------------------- in files


def write(results: Results, file: Path) -> None:
    """Write JSON: every repetition of everything."""
    given = {
        "machine": results.machine,
        "scale": results.scale.value,
        "lines": [asdict(line) for line in results.lines],
    }
    file.write_text(json.dumps(given, indent=1) + "\n", "utf-8")


def read(file: Path) -> Results:
    """Read what `write` wrote."""
    given = json.loads(file.read_text("utf-8"))
    lines = tuple(_line(line) for line in given["lines"])
    return Results(given["machine"], Scale(given["scale"]), lines)


def _line(given: dict[str, Any]) -> Line:
    for name in ("value", "against", "ratio"):
        if given[name] is not None:
            given[name] = Spread(tuple(given[name]["values"]))
    given["targets"] = tuple(Target(**target) for target in given["targets"])
    return Line(**given)


def markdown(results: Results) -> str:
    """Write the table as Markdown, with what it was measured on."""
    rows = [_cells(line, judge=True) for line in results.lines]
    return f"{described(results.machine)}.\n\n{grid(HEADINGS, rows)}"


def grid(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table as Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def between_marks(page: Path, name: str, text: str) -> None:
    """Put *text* between `<!-- NAME -->` and `<!-- end of NAME -->` in *page*.

    Raises:
        ValueError: The page has no such marks.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found, rest = page.read_text("utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        message = f"{page} has no lines {begin.strip()!r} and {end!r}"
        raise ValueError(message)
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", "utf-8")
