"""Noticing that code which does not await keeps the whole event loop from going on.

Only a thread can notice. It looks at the loop a few times in each `watchdog` seconds. A
loop that runs no task is left alone, so that an idle program is not woken; any other is
asked to come round (`TrioToken.run_sync_soon`), and if it has not within the limit, the
thread itself writes to the log what blocks it, since nothing in the loop could. When the
loop runs on, `LoopBlocked` is told there. It is about real time, whatever the run's clock.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from regrow._core.events import LoopBlocked
from regrow._core.roundtrip import Look, RoundTrip

from .blocker import LoopThread
from .log import log_blocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from .blocker import Blocker
    from .host import Host

__all__ = ["Watchdog"]


class Watchdog:
    """The thread that watches the loop of one tree; made in a task of that loop.

    Args:
        host: The tree.
        limit: Seconds in which the loop has to come round.
        clock: Gives seconds that do not go back; any thread may call it.
    """

    def __init__(
        self, host: Host, limit: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._host = host
        self._clock = clock
        self._loop = LoopThread.here(host)
        self._token = trio.lowlevel.current_trio_token()
        # What both threads use is guarded by the lock, which is held for a moment only.
        self._lock = threading.Lock()
        self._trip = RoundTrip(limit)
        self._told: Blocker | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, name="regrow watchdog", daemon=True
        )

    def start(self) -> None:
        """Begin to watch.

        Raises:
            RuntimeError: There can be no more threads.
        """
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait until it is gone; it never takes long."""
        self._stop.set()
        self._thread.join()

    # ----------------------------------------------------------------- in its own thread

    def _watch(self) -> None:
        pause = self._trip.pause(self._clock())
        while not self._stop.wait(pause):
            try:
                self.look()
            except trio.RunFinishedError:
                return  # the run has ended, and its tree was left behind
            with self._lock:
                pause = self._trip.pause(self._clock())

    def look(self) -> None:
        """Look at the loop once.

        Raises:
            trio.RunFinishedError: There is no loop any more.
        """
        idle = self._loop.idle()
        with self._lock:
            now = self._clock()
            asked_at = self._trip.asked_at
            seen = self._trip.look(now, idle=idle)
        if seen is Look.ASK:
            self._token.run_sync_soon(self._came_round)
        if seen is not Look.BLOCKED or asked_at is None:
            return
        found = self._loop.blocker()
        with self._lock:
            if self._trip.asked_at != asked_at:
                return  # it has come round meanwhile: what was found is something else
            self._told = found
        root = self._host.root
        tree = "" if root is None else root.path
        with suppress(Exception):  # a logging handler may raise
            log_blocked(
                found.path, found.incarnation, tree, now - asked_at, found.stack
            )

    # ----------------------------------------------------------------------- in the loop

    def _came_round(self) -> None:
        with self._lock:
            seconds = self._trip.answered(self._clock())
            told, self._told = self._told, None
        host = self._host
        if told is not None and not host.over:
            host.emit(
                LoopBlocked(
                    told.path, told.incarnation, host.now(), seconds, told.stack
                )
            )
