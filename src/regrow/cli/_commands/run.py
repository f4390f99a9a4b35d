"""The arguments of `regrow run`."""

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
    run.add_argument(
        "--control",
        metavar="PATH",
        help="make a control socket there, for regrow ctl",
    )
    run.add_argument(
        "--http",
        metavar="[HOST:]PORT",
        help="serve health, metrics and a page over HTTP, on 127.0.0.1 unless HOST says "
        "more; needs regrow[web]. With a token in the environment variable "
        "REGROW_HTTP_TOKEN the tree can be changed there as well",
    )
    run.add_argument(
        "--live",
        action="store_true",
        help="show the tree while it runs; what is printed meanwhile comes afterwards",
    )
    run.add_argument(
        "--watchdog",
        type=number_of_seconds,
        metavar="SECONDS",
        help="log whose code holds the program up for longer than that",
    )
    run.add_argument(
        "--restart-rate",
        type=float,
        default=math.inf,
        metavar="N",
        help="log a warning when a place is restarted N times in a minute",
    )
    run.set_defaults(start=_start)


def _start(options: argparse.Namespace) -> int:
    from regrow.cli._run import run_target

    return run_target(
        options.target,
        control=options.control,
        http=options.http,
        live=options.live,
        watchdog=options.watchdog,
        restart_rate=options.restart_rate,
    )
