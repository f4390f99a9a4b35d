"""The arguments of `regrow top`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from . import Commands

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    top = commands.add_parser(
        "top",
        help="show the tree of a running program",
        description="Show the tree of a running program, live, over its control socket. "
        "Closing the view leaves the program running.",
        epilog="Exit code: 0 closed, or the program has ended; 1 the view failed; 2 bad "
        "usage, or no program to show.",
    )
    top.add_argument(
        "socket",
        nargs="?",
        metavar="SOCKET",
        help="its control socket (default: the only one in $XDG_RUNTIME_DIR/regrow that "
        "answers, or in /tmp/regrow-UID without that variable)",
    )
    top.set_defaults(start=_start)


def _start(options: argparse.Namespace) -> int:
    from regrow.cli._top import run_top

    return run_top(options.socket)
