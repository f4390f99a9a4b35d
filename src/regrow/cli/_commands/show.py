"""The arguments of `regrow show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from . import Commands

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    show = commands.add_parser(
        "show",
        help="draw a tree as it is declared, without running it",
        description="Draw a tree as it is declared: what stands where, when it is "
        "restarted, the limits, and who holds whose ref. Nothing is started.",
        epilog="Exit code: 0 drawn, 2 bad usage.",
    )
    show.add_argument(
        "target",
        metavar="MODULE:TREE",
        help="a supervisor or dynamic spec, or a function without arguments that gives "
        "one; the current folder is searched first",
    )
    form = show.add_mutually_exclusive_group()
    form.add_argument(
        "--svg", type=Path, metavar="FILE", help="draw it into a file instead"
    )
    form.add_argument(
        "--json", action="store_true", help="print all of it as JSON instead"
    )
    show.add_argument(
        "--all",
        action="store_true",
        help="show every place (default: 200, and 20 children of each supervisor)",
    )
    show.set_defaults(start=_start)


def _start(options: argparse.Namespace) -> int:
    from regrow.cli._show import show_target

    return show_target(
        options.target, svg=options.svg, as_json=options.json, whole=options.all
    )
