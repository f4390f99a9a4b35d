"""A tree as the whole program, and what looks at it meanwhile."""

from __future__ import annotations

import math
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

import outcome
import trio

from regrow import (
    Dynamic,
    Event,
    StartCancelledError,
    Supervisor,
    Tree,
    open_tree,
)

__all__ = ["Beside", "open_beside", "run_beside"]

T = TypeVar("T")

Beside = Callable[[Tree], Awaitable[None]]
"""What runs beside a tree from the begin of its start; it is cancelled when the tree has
ended."""


async def open_beside(
    opening: open_tree, beside: Sequence[Beside], block: Callable[[Tree], Awaitable[T]]
) -> T:
    """Run a tree around *block*, and *beside* around both; give what the block gives.

    Args:
        opening: The tree, not entered yet.
        beside: Tasks that get the tree when its start begins. They see it start, also where
            that fails, and stop.
        block: Is called with the tree once every child is up.

    Raises:
        BaseException: As from the tree with that block, once nothing is left beside it.
    """

    async def run() -> T:
        async with opening as tree:
            return await block(tree)

    async with trio.open_nursery() as nursery:

        def begin(tree: Tree) -> None:
            for each in beside:
                nursery.start_soon(each, tree)

        opening.begun = begin
        # Not to be put into a group by this nursery, which is ours alone.
        result = await outcome.acapture(run)
        # Nor to be lost for a cancellation that comes while they end.
        nursery.cancel_scope.shield = True
        nursery.cancel_scope.cancel(reason="the tree has ended")
    return result.unwrap()


async def run_beside(  # noqa: ASYNC910 - to wait for the tree is one
    spec: Supervisor | Dynamic,
    beside: Sequence[Beside],
    *,
    observers: Iterable[Callable[[Event], object]] = (),
    control: str | None = None,
    watchdog: float | None = None,
    restart_rate: float = math.inf,
) -> None:
    """Run a tree as `run_tree` does, and *beside* along with it.

    Args:
        spec: As for `run_tree`.
        beside: As for `open_beside`.
        observers: As for `run_tree`.
        control: As for `run_tree`.
        watchdog: As for `run_tree`.
        restart_rate: As for `run_tree`.

    Raises:
        ControlSocketError, SpecError, StartFailedError, RestartLimitExceededError: As from
            `run_tree`.
    """
    opening = open_tree(
        spec,
        observers=observers,
        control=control,
        watchdog=watchdog,
        restart_rate=restart_rate,
    )
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        opening.signals = signals
        with suppress(StartCancelledError):  # a signal came while it was starting
            await open_beside(opening, beside, Tree.wait_stopped)
