"""Measures everything: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import inspect
import sys
from pathlib import Path

from attrs import evolve
from rich.console import Console

from . import report
from .crashes import Crash, Group, Siblings
from .fairness import Flood, Storm
from .imports import Import
from .messages import Call, CallFromMany, Cast, CastFull, CastNowait
from .report import Results
from .scale import ScaleCurve
from .sight import Sight
from .starts import Memory, Snapshot, StartStop
from .watched import Watched
from .workload import Line, Scale, Workload, measure

__all__ = ["WORKLOADS", "main"]

WORKLOADS: tuple[type[Workload], ...] = (
    Call,
    CallFromMany,
    Cast,
    CastNowait,
    CastFull,
    StartStop,
    Memory,
    Crash,
    Group,
    Siblings,
    Snapshot,
    Flood,
    Storm,
    Import,
    Sight,
    Watched,
    ScaleCurve,
)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    names = [workload.name for workload in WORKLOADS]
    add(
        "--only", action="append", choices=names, metavar="NAME", help="may be repeated"
    )
    add("--without", action="append", choices=names, metavar="NAME", help="likewise")
    add("--list", action="store_true", help="say what the workloads are, and no more")
    add(
        "--quick",
        action="store_true",
        help="tiny sizes: only to see that all of it runs",
    )
    add("--repetitions", type=int, metavar="N", help="how often; the slowest take 3")
    add(
        "--wall", action="store_true", help="time that passes, also where cpu is better"
    )
    add("--check", action="store_true", help="exit with 1 if a target is missed")
    add("--json", type=Path, metavar="FILE", help="write every figure")
    add("--read", type=Path, metavar="FILE", help="measure nothing: show such a file")
    add("--markdown", type=Path, metavar="FILE", help="put the table into this page")
    return parser.parse_args()


def main() -> int:
    """Measure, show, write."""
    given = _arguments()
    if given.list:
        _list()
        return 0
    results, failed = (report.read(given.read), False) if given.read else _run(given)
    report.show(results)
    if given.markdown:
        report.between_marks(given.markdown, "figures", report.markdown(results))
    return int(failed or (given.check and bool(results.missed)))


def _run(given: argparse.Namespace) -> tuple[Results, bool]:
    """Measure what was asked for; tell as well whether something failed."""
    scale = Scale.QUICK if given.quick else Scale.FULL
    repetitions = given.repetitions or (1 if given.quick else None)
    chosen = [
        workload
        for workload in WORKLOADS
        if workload.name in (given.only or [workload.name])
        and workload.name not in (given.without or [])
    ]
    results = Results(report.machine(), scale, ())
    failed = False
    errors = Console(stderr=True)
    for kind in chosen:
        with errors.status(kind.name):
            try:
                lines = measure(
                    kind(scale),
                    repetitions=repetitions,
                    clock="wall" if given.wall else "cpu",
                )
            except Exception:  # noqa: BLE001 - shown; the others can be measured all the same
                errors.print_exception()
                note = "failed, see above"
                lines = [Line(kind.name, "", "", "", None, None, None, note=note)]
                failed = True
        results = evolve(results, lines=(*results.lines, *lines))
        if given.json:
            report.write(results, given.json)  # after each: the whole takes long
    return results, failed


def _list() -> None:
    for workload in WORKLOADS:
        print(f"{workload.name}: {inspect.getdoc(workload)}\n")


if __name__ == "__main__":
    sys.exit(main())
