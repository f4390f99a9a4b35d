"""Measures other libraries beside regrow: `python -m benchmarks.peers`."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from attrs import define, field, frozen
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks import report

from .libraries import LIBRARIES, Answer, FailedError, Library

__all__ = ["WORKLOADS", "main"]


@frozen
class Workload:
    """What all of them are asked to do.

    Attributes:
        name: For `--only` and for the programs.
        what: What is done, in which unit.
        size: How often.
        quick: How often with `--quick`.
        is_time: Whether less is better.
    """

    name: str
    what: str
    size: int
    quick: int
    is_time: bool = False


WORKLOADS = (
    Workload("call", "one caller, calls/s", 5_000, 100),
    # Enough that threads take turns at it, which they do every few milliseconds.
    Workload("cast", "messages nobody waits for, 1/s", 100_000, 100),
    Workload("fan", "100 callers, calls/s", 10_000, 200),
    Workload("spawn", "start and stop, supervised, 1/s", 300, 20),
    Workload("spawn-bare", "start and stop, not supervised, 1/s", 1_000, 20),
    Workload("restart", "crash until it answers again, µs", 500, 10, is_time=True),
)


@define
class Cell:
    """What one library gave for one workload."""

    values: list[float] = field(factory=list[float])
    reason: str = ""
    failed: bool = False

    @property
    def median(self) -> float | None:
        """The middle one; `None` if there is none."""
        return statistics.median(self.values) if self.values else None


Cells = dict[tuple[str, str], Cell]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=__doc__
    )
    add = parser.add_argument
    names = [library.name for library in LIBRARIES]
    cache = Path(tempfile.gettempdir()) / "regrow-peers"
    add(
        "--only", action="append", choices=names, metavar="NAME", help="may be repeated"
    )
    add("--venvs", type=Path, default=cache, metavar="DIR", help=f"instead of {cache}")
    add(
        "--quick",
        action="store_true",
        help="tiny sizes: only to see that all of it runs",
    )
    add("--repetitions", type=int, metavar="N", help="how often, instead of 5")
    add("--wall", action="store_true", help="time that passes, not processor time")
    add("--json", type=Path, metavar="FILE", help="write every figure")
    add("--markdown", type=Path, metavar="FILE", help="put the table into this page")
    return parser.parse_args()


def main() -> int:
    """Measure, show, write."""
    given = _arguments()
    wanted = given.only or [library.name for library in LIBRARIES]
    libraries = [each for each in LIBRARIES if each.name in wanted]
    cells: Cells = {}
    versions: dict[str, str] = {}
    missing: dict[str, str] = {}
    errors = Console(stderr=True)
    for library in libraries:
        with errors.status(f"environment of {library.name}"):
            try:
                library.prepare(given.venvs)
            except FailedError as error:
                missing[library.name] = str(error)
    there = [each for each in libraries if each.name not in missing]
    for _ in range(given.repetitions or (1 if given.quick else 5)):
        for workload in WORKLOADS:
            for library in there:  # by turns, so that all are disturbed alike
                with errors.status(f"{workload.name} {library.name}"):
                    _measure(given, workload, library, cells, versions)
    _show(given, there, cells, versions, missing)
    return int(any(cell.failed for cell in cells.values()))


def _measure(
    given: argparse.Namespace,
    workload: Workload,
    library: Library,
    cells: Cells,
    versions: dict[str, str],
) -> None:
    cell = cells.setdefault((workload.name, library.name), Cell())
    if cell.reason:
        return
    size = workload.quick if given.quick else workload.size
    try:
        answer: Answer = library.run(given.venvs, workload.name, size)
    except FailedError as error:
        cell.reason, cell.failed = f"failed: {error}", True
        return
    versions[library.name] = answer["version"]
    cell.reason = answer.get("reason", "")
    if not cell.reason:
        cell.values.append(answer["figures"]["wall" if given.wall else "cpu"])


# ---------------------------------------------------------------------------------- shown


def _text(workload: Workload, own: Cell | None, cell: Cell) -> str:
    """Write a figure, and how many times as fast as that regrow is."""
    median = cell.median
    if median is None:
        return "failed" if cell.failed else "-"
    text = report.number(median)
    if own is None or own is cell or own.median is None:
        return text
    times = median / own.median if workload.is_time else own.median / median
    return f"{text} ({times:.1f} x)" if times >= 1 else f"{text} ({times:.2f} x)"


def _rows(there: list[Library], cells: Cells) -> list[list[str]]:
    rows: list[list[str]] = []
    for workload in WORKLOADS:
        own = cells.get((workload.name, "regrow"))
        texts = [
            _text(workload, own, cells[workload.name, library.name])
            for library in there
        ]
        rows.append([workload.name, workload.what, *texts])
    return rows


def _notes(cells: Cells, missing: dict[str, str]) -> list[str]:
    """Say why there is a dash, or an error."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for (workload, library), cell in cells.items():
        if cell.reason:
            by_reason.setdefault((library, cell.reason), []).append(workload)
    notes = [
        f"{library}, {', '.join(workloads)}: {reason}"
        for (library, reason), workloads in by_reason.items()
    ]
    return [*notes, *(f"{library}: {reason}" for library, reason in missing.items())]


def _show(
    given: argparse.Namespace,
    there: list[Library],
    cells: Cells,
    versions: dict[str, str],
    missing: dict[str, str],
) -> None:
    headings = ["workload", "what", *(library.name for library in there)]
    rows = _rows(there, cells)
    notes = _notes(cells, missing)
    clock = "time that passed" if given.wall else "processor time of all threads"
    used = "; ".join(version for name, version in versions.items() if name != "regrow")
    about = (
        f"{report.described(report.machine())}. Beside regrow: {used}. By {clock}; medians; "
        "in brackets how many times as fast regrow is."
    )
    console = report.console()
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="left" if index < 2 else "right")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(about, highlight=False)
    if given.quick:
        console.print("Tiny sizes: this shows that it runs, and nothing about speed.")
    console.print(table)
    for note in notes:
        console.print(Text(note))
    if given.json:
        figures = {
            f"{workload} {library}": cell.values
            for (workload, library), cell in cells.items()
        }
        written = {"versions": versions, "figures": figures, "notes": notes}
        given.json.write_text(json.dumps(written, indent=1) + "\n", "utf-8")
    if given.markdown:
        listed = "".join(f"\n- {note}" for note in notes)
        text = f"{about}\n\n{report.grid(headings, rows)}{listed}\n"
        report.between_marks(given.markdown, "peers", text)


if __name__ == "__main__":
    sys.exit(main())
