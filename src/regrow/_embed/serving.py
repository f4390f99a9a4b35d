"""A tree as a task of a program, and as the whole program: `serve_tree`, `run_tree`."""

from __future__ import annotations

import math
import signal
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from regrow.errors import StartCancelledError

from .opening import open_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from random import Random

    from regrow._core.events import Event
    from regrow._runtime.specs import Dynamic, Supervisor
    from regrow._runtime.tree import Tree

__all__ = ["run_tree", "serve_tree"]


@enable_ki_protection  # a signal between two lines would leave the tree behind
async def serve_tree(
    spec: Supervisor | Dynamic,
    *,
    observers: Iterable[Callable[[Event], object]] = (),
    shutdown: float = math.inf,
    random: Random | None = None,
    restart_rate: float = math.inf,
    watchdog: float | None = None,
    control: str | Path | None = None,
    task_status: trio.TaskStatus[Tree] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a tree as a task: `tree: Tree = await nursery.start(serve_tree, spec)`.

    Returns when the tree has ended in order; cancelling it stops the tree in order.
    Options go in by a `functools.partial`, since `start` passes no keywords on.

    Args:
        spec: As for `open_tree`.
        observers: As for `open_tree`.
        shutdown: As for `open_tree`.
        random: As for `open_tree`.
        restart_rate: As for `open_tree`.
        watchdog: As for `open_tree`.
        control: As for `open_tree`.
        task_status: Gets the `Tree` when every child is up.

    Raises:
        SpecError: As for `open_tree`.
        ControlSocketError: As for `open_tree`.
        StartFailedError: A child did not come up.
        RestartLimitExceededError: The root gave up.
    """
    opening = open_tree(
        spec,
        observers=observers,
        shutdown=shutdown,
        random=random,
        restart_rate=restart_rate,
        watchdog=watchdog,
        control=control,
    )
    async with opening as tree:
        task_status.started(tree)
        opening.find_owner()  # it may be somebody else's child now
        await tree.wait_stopped()


async def run_tree(  # noqa: ASYNC910 - to wait for the tree is one
    spec: Supervisor | Dynamic,
    *,
    observers: Iterable[Callable[[Event], object]] = (),
    shutdown: float = math.inf,
    random: Random | None = None,
    restart_rate: float = math.inf,
    watchdog: float | None = None,
    control: str | Path | None = None,
) -> None:
    """Run a tree that is the whole program: `trio.run(run_tree, spec)`.

    Returns when the tree has ended in order, by itself or because of a signal: SIGINT or
    SIGTERM stops it in order, also while it is starting, and a second one cuts it off.
    Only in the main thread.

    Args:
        spec: As for `open_tree`.
        observers: As for `open_tree`.
        shutdown: As for `open_tree`.
        random: As for `open_tree`.
        restart_rate: As for `open_tree`.
        watchdog: As for `open_tree`.
        control: As for `open_tree`.

    Raises:
        SpecError: As for `open_tree`.
        ControlSocketError: As for `open_tree`.
        StartFailedError: A child did not come up.
        RestartLimitExceededError: The root gave up.
    """
    opening = open_tree(
        spec,
        observers=observers,
        shutdown=shutdown,
        random=random,
        restart_rate=restart_rate,
        watchdog=watchdog,
        control=control,
    )
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        opening.signals = signals
        try:
            async with opening as tree:
                await tree.wait_stopped()
        except StartCancelledError:
            pass  # a signal came while it was starting
