"""`regrow run`: a tree as a program of its own."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import trio
from rich.console import Console

from regrow import (
    AddressError,
    ControlSocketError,
    MissingExtraError,
    RegrowError,
    SpecError,
)
from regrow.observe._terminal import NoTerminalError, Terminal

from ._beside import Beside, run_beside
from ._live import LiveView
from ._loading import BAD_USAGE, load_for
from ._target import Tree
from ._timeline import Timeline, show_failure

IN_ORDER: Final = 0
FAILED: Final = 1


def run_target(
    target: str,
    *,
    control: str | None = None,
    http: str | None = None,
    live: bool = False,
    watchdog: float | None = None,
    restart_rate: float = math.inf,
) -> int:
    """Run the tree that *target* names; give the exit code.

    Args:
        target: `MODULE:TREE`.
        control: Where a control socket is to be, if there is to be one.
        http: Where to serve it over HTTP meanwhile, if that is wanted.
        live: Whether to show it meanwhile.
        watchdog: As for `run_tree`.
        restart_rate: As for `run_tree`.
    """
    console = Console(stderr=True)
    beside: list[Beside] = []
    try:
        if live:
            beside.append(LiveView(Terminal(), console))
    except NoTerminalError as error:
        return _refuse(console, str(error))
    try:
        tree = load_for("run", target)
    except SpecError as error:
        return _refuse(console, str(error))
    if tree is None:
        return BAD_USAGE
    if http is not None:
        try:
            from ._http import Http

            beside.append(Http(http, console))
        except (AddressError, MissingExtraError, ValueError) as error:
            return _refuse(console, str(error))
    # Does nothing if the module has set up logging by itself while it was imported.
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    timeline = Timeline()
    run = partial(
        run_beside,
        tree,
        beside,
        observers=[timeline],
        control=control,
        watchdog=watchdog,
        restart_rate=restart_rate,
    )
    return _run(console, tree, timeline, run)


def _run(
    console: Console,
    tree: Tree,
    timeline: Timeline,
    run: Callable[[], Awaitable[None]],
) -> int:
    try:
        trio.run(run)
    except (ControlSocketError, SpecError) as error:
        return _refuse(console, str(error))
    except RegrowError as error:
        show_failure(console, timeline, str(error))
        return FAILED
    if timeline.cut_off:
        show_failure(console, timeline, f"{tree.name!r} was cut off")
        return FAILED
    return IN_ORDER


def _refuse(console: Console, message: str) -> int:
    console.out(f"regrow run: {message}", highlight=False)
    return BAD_USAGE
