"""The `regrow` command. Heavy imports are inside the commands: help must be quick."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

__all__ = ["main"]

_INTERRUPTED: Final = 130  # as shells count: 128, and the number of the signal


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give its exit code.

    Raises:
        SystemExit: The arguments are bad (code 2), or help was asked for (code 0).
    """
    options = _parser().parse_args(arguments)
    try:
        return _command(options)
    except KeyboardInterrupt:
        # Nothing was running that could be stopped in order.
        return _INTERRUPTED


def _command(options: argparse.Namespace) -> int:
    if options.command == "run":
        from ._run import run_target

        return run_target(options.target)

    from .demo._command import Settings, run_demo

    return run_demo(
        Settings(
            folder=options.folder,
            workers=options.workers,
            kills=options.kill,
            seed=options.seed,
            database=options.database,
            check=options.check,
            verbose=options.verbose,
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="regrow", description="Actors and supervision trees for trio."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser(
        "run",
        help="run a tree until it ends or is told to stop",
        description="Run a tree until it ends or is told to stop. SIGINT and SIGTERM "
        "stop it in order, a second one cuts it off.",
        epilog="Exit code: 0 stopped in order, 1 failed or cut off, 2 bad usage.",
    )
    run.add_argument(
        "target",
        metavar="MODULE:TREE",
        help="a supervisor or dynamic spec, or a function without arguments that gives "
        "one; the current folder is searched first",
    )

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
        type=_number_from(0),
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
        type=_number_from(1),
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
    return parser


def _number_from(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        # Text that is no number raises ValueError, which argparse words by itself.
        value = int(text)
        if value < least:
            message = f"{value} is less than {least}"
            raise argparse.ArgumentTypeError(message)
        return value

    return number
