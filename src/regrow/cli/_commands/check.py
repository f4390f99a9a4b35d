"""The arguments of `regrow check`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ._types import number_of_seconds

if TYPE_CHECKING:
    import argparse

    from . import Commands

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    check = commands.add_parser(
        "check",
        help="say what in a tree will not do what was meant, without running it",
        description="Say what in a tree will not do what was meant: limits that are never "
        "reached, an order that contradicts the wiring, times that add up, and so on. "
        "Nothing is started. The page docs/checks.md has every code with its reason.",
        epilog="Exit code: 0 no errors (there may be warnings and hints), 1 errors, "
        "2 bad usage.",
    )
    check.add_argument(
        "target",
        metavar="MODULE:TREE",
        help="a supervisor or dynamic spec, or a function without arguments that gives "
        "one; the current folder is searched first",
    )
    check.add_argument(
        "--grace",
        type=number_of_seconds,
        default=math.inf,
        metavar="SECONDS",
        help="what the program is given to stop before it is killed (default: no limit)",
    )
    check.add_argument(
        "--json", action="store_true", help="print it as JSON instead of lines"
    )
    check.set_defaults(start=_start)


def _start(options: argparse.Namespace) -> int:
    from regrow.cli._check import check_target

    return check_target(options.target, grace=options.grace, as_json=options.json)
