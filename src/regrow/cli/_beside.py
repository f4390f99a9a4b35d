"""A tree as the whole program, and what looks at it meanwhile."""

from __future__ import annotations

import math
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence

import trio

from regrow import (
    Dynamic,
    Event,
    StartCancelledError,
    Supervisor,
    Tree,
    open_tree,
)

__all__ = ["Beside", "run_beside"]

Beside = Callable[[Tree], Awaitable[None]]
"""What runs beside a tree once it is up; it is cancelled when the tree has ended."""


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
        beside: Tasks that get the tree. They see it stop, too.
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
        try:
            async with opening as tree, trio.open_nursery() as nursery:
                for each in beside:
                    nursery.start_soon(each, tree)
                await tree.wait_stopped()
                nursery.cancel_scope.cancel()
        except StartCancelledError:
            pass  # a signal came while it was starting
