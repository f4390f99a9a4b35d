"""The task that a tree lives in, and what becomes of it.

It is shielded, so that a cancellation from outside ends the block first and then stops the
tree in order. It never raises: what the tree failed of is kept for whoever opened it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

import trio
from trio.lowlevel import enable_ki_protection

from regrow._core import steps

from .host import Host
from .requests import wait_for
from .supervisor import SupervisorLife
from .wiring import make_place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from random import Random

    from regrow._core.events import Event
    from regrow._core.specs import SupervisorSpec

    from .place import SupervisorPlace
    from .requests import Asked

__all__ = ["Beside", "Running"]


class Beside(Protocol):
    """What runs beside a tree, from before its start until after its end."""

    async def run(self) -> None:
        """Be a task that is cancelled at the end; nothing else may come out of it."""
        ...

    async def finish(self) -> None:
        """Come to an end, soon: the tree's root has ended."""
        ...


class Running:
    """One run of a tree.

    Attributes:
        host: What its parts share.
        root: The place of its root.
        decided: Whether its start has ended, in whatever way.
        was_up: Whether every child was up.
        beside: What runs beside it.
        over: Whether no task of it is left.
    """

    def __init__(
        self,
        spec: SupervisorSpec,
        observers: Iterable[Callable[[Event], object]],
        shutdown: float,
        random: Random,
        body: trio.CancelScope,
        signals: AsyncIterator[int] | None,
        restart_rate: float,
    ) -> None:
        self.host: Host = Host(
            observers, random, self._fail, self._limit_stop, restart_rate
        )
        self.root: SupervisorPlace = cast(
            "SupervisorPlace", make_place(self.host, None, spec)
        )
        self.host.root = self.root
        self.decided: trio.Event = trio.Event()
        self.over: trio.Event = trio.Event()
        self._error: BaseException | None = None
        self.body = body
        self.was_up: bool = False
        self.beside: tuple[Beside, ...] = ()
        self._shutdown = shutdown
        self._signals = signals
        self._waiting: list[Asked] = []

    @enable_ki_protection
    async def live(self) -> None:
        """Be the tree's task."""
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(
                    self.host.timers.run, name=f"timers of {self.root.path}"
                )
                if self._signals is not None:
                    nursery.start_soon(self._watch, self._signals)
                for other in self.beside:
                    nursery.start_soon(
                        other.run, name=f"{type(other).__name__} of {self.root.path}"
                    )
                life = SupervisorLife(self.root, 1, self._report)
                life.final = True
                life.limit_start()
                if self.host.stopping:
                    life.tell_stop()
                if self.host.cut:
                    life.kill()
                await life.live()
                for other in self.beside:
                    await other.finish()
                nursery.cancel_scope.cancel(reason="the tree is over")
        self.over.set()
        for asked in self._waiting:
            asked.answer(None)
        self.host.over = True
        self.root.remove("is closed: its tree has ended")
        for stream in self.host.streams:
            stream.end()

    def _report(self, event: steps.Event) -> None:
        match event:
            case steps.Started():
                self.was_up = True
                self.decided.set()
            case steps.StartFailed(error=error):
                self._failed(error)
            case steps.Exited(exit=end):
                self._failed(end.error)
            case _:
                pass

    def _failed(self, error: BaseException | None) -> None:
        self._error = error
        self.decided.set()

    @property
    def error(self) -> BaseException | None:
        """What it failed of; what no supervisor may handle comes first."""
        fatal = self.host.fatal
        return self._error if fatal is None else fatal

    def _fail(self) -> None:
        """The root has decided to fail: the body ends first."""
        self.body.cancel(reason=f"the tree {self.root.path!r} has failed")

    def begin_stop(self) -> None:
        """Stop the tree in order, bounded by the time it has in all."""
        self.host.begin_stop()

    async def _watch(self, signals: AsyncIterator[int]) -> None:
        """The first signal stops the tree in order, the next one cuts it off."""
        act = self.host.begin_stop
        async for _ in signals:
            act()
            act = self.host.kill

    def _limit_stop(self) -> None:
        self.host.timers.after(self._shutdown, self.host.kill)

    async def wait_over(self, asked: Asked) -> None:
        """Wait for the end of the tree as an actor's own task may do."""
        self._waiting.append(asked)
        try:
            await wait_for(asked)
        finally:
            self._waiting.remove(asked)
