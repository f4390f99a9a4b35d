"""The arguments of `regrow ctl`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import Commands

__all__ = ["add"]

_PLACED = {
    "restart": "have the place's supervisor stop it and start it again",
    "terminate": "have the place's supervisor stop it and keep it down",
    "start": "have the place's supervisor start it, if it is down",
    "suspend": "let an actor begin no message until it is resumed",
    "resume": "let it begin messages again",
    "state": "show the fields of an actor",
}


def add(commands: Commands) -> None:
    """Add the command."""
    ctl = commands.add_parser(
        "ctl",
        help="look into a running tree, and steer it, through its control socket",
        description="Look into a running tree, and steer it, through the control socket "
        "that open_tree(..., control=SOCKET) or `regrow run --control SOCKET` has made.",
        epilog="Options of a command come after its name: --json prints lines of JSON, "
        "events --follow goes on; regrow ctl SOCKET COMMAND --help tells them. "
        "Exit code: 0 done, 1 refused, failed, or the tree's health is failing, "
        "2 bad usage or no program to talk to.",
    )
    ctl.add_argument("socket", metavar="SOCKET", help="the path of the control socket")
    ctl.set_defaults(start=_start, path="", follow=False)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--json", action="store_true", help="print lines of JSON, for programs"
    )
    about = ctl.add_subparsers(dest="about", required=True, metavar="COMMAND")
    tree = about.add_parser("tree", parents=[shared], help="show places")
    _add_path(tree, optional=True)
    events = about.add_parser(
        "events", parents=[shared], help="show what has happened last, oldest first"
    )
    events.add_argument(
        "--follow", action="store_true", help="go on with what happens from now on"
    )
    _add_path(events, optional=True)
    about.add_parser("health", parents=[shared], help="show whether the tree is well")
    stacks = about.add_parser(
        "stacks", parents=[shared], help="show where the tasks of places wait"
    )
    _add_path(stacks, optional=True)
    for name, what in _PLACED.items():
        _add_path(about.add_parser(name, parents=[shared], help=what), optional=False)
    about.add_parser("stop", parents=[shared], help="stop the whole tree in order")


def _add_path(parser: argparse.ArgumentParser, *, optional: bool) -> None:
    parser.add_argument(
        "path",
        nargs="?" if optional else None,
        default="",
        metavar="PATH",
        help="a place, such as shop/orders"
        + (", and what is below it (default: the whole tree)" if optional else ""),
    )


def _start(options: argparse.Namespace) -> int:
    from regrow.cli._ctl import run_ctl

    return run_ctl(
        options.socket,
        options.about,
        options.path,
        follow=options.follow,
        as_json=options.json,
    )
