"""The arguments of `regrow demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ._types import number_from

if TYPE_CHECKING:
    import argparse

    from . import Commands

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    demo = commands.add_parser(
        "demo",
        help="index Python's standard library, come what may",
        description="Index the functions, classes and imports of all Python files in a "
        "folder with a tree of actors, which crash on files that do not parse, and "
        "whenever they are killed.",
        epilog="Exit code: 0 every file accounted for and, with --check, the same as "
        "in a plain loop; 1 not so; 2 bad usage; above 128 stopped by a signal.",
    )
    demo.add_argument(
        "folder",
        nargs="?",
        type=Path,
        metavar="FOLDER",
        help="what to index (default: the standard library of this Python)",
    )
    demo.add_argument(
        "--check",
        action="store_true",
        help="compare the index, row for row, with that of a plain loop",
    )
    demo.add_argument(
        "--kill",
        type=number_from(0),
        default=0,
        metavar="N",
        help="crash N actors drawn at random on the way, the writer included",
    )
    demo.add_argument(
        "--seed",
        type=int,
        metavar="S",
        help="draw the same kills again (default: a new seed, which is told)",
    )
    demo.add_argument(
        "--workers",
        type=number_from(1),
        default=4,
        metavar="N",
        help="how many parsers (default: 4)",
    )
    demo.add_argument(
        "--database",
        type=Path,
        metavar="FILE",
        help="keep the index in this SQLite file (default: it is thrown away)",
    )
    demo.add_argument(
        "--verbose", action="store_true", help="log every crash with its traceback"
    )
    demo.add_argument(
        "--live", action="store_true", help="show the tree while it works"
    )
    demo.set_defaults(start=_start)


def _start(options: argparse.Namespace) -> int:
    from regrow.cli.demo._command import Settings, run_demo

    return run_demo(
        Settings(
            folder=options.folder,
            workers=options.workers,
            kills=options.kill,
            seed=options.seed,
            database=options.database,
            check=options.check,
            verbose=options.verbose,
            live=options.live,
        )
    )
