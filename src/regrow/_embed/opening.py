"""Running a tree inside somebody's trio program: `open_tree`.

It puts one task into a nursery of its own: the tree. The block is in a cancel scope that is
ours, for the case that the tree fails. What comes out is put together at the end (promise
1). It is a class because a generator, interrupted at the wrong moment by Ctrl-C, would leave
its nursery open for ever.
"""

from __future__ import annotations

import math
import random as random_module
from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn, cast

import trio
from trio.lowlevel import enable_ki_protection

from regrow._core.check import refuse
from regrow._core.specs import SupervisorSpec
from regrow._runtime.running import Running
from regrow._runtime.tree import Tree
from regrow._runtime.user import without
from regrow._runtime.watchdog import Watchdog
from regrow.errors import CallError, StartCancelledError

from .checks import check_run
from .controlled import control_server, control_socket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path
    from random import Random
    from types import TracebackType

    from regrow._core.events import Event
    from regrow._runtime.life import Life
    from regrow._runtime.specs import Dynamic, Supervisor
    from regrow.observe._socket import ControlSocket

__all__ = ["open_tree"]


class open_tree:  # noqa: N801 - used as a function, as trio.open_nursery is
    """Run a tree around a block: `async with open_tree(spec) as tree:`.

    The block begins when every child is up, and after it no task of the tree is left. What
    comes out is the block's exception, or the tree's; a group only if both failed.

    Cancelling the scope around it ends the block, then stops the tree in order, at most
    *shutdown* seconds in all, then cuts it off. When the root fails, the block is cancelled.
    A tree that ends by itself in order leaves the block running.

    Args:
        spec: What `supervisor` or `dynamic` gave.
        observers: Functions that are called with every event, in order; they must not wait.
            One that raises is logged and called no more.
        shutdown: Seconds for the whole tree to stop.
        random: Where the jitter of delays comes from; a `Random` with a seed makes it
            repeatable.
        restart_rate: Restarts of one place in a minute from which on a `RestartRate` is
            told; never unless given.
        watchdog: Seconds for which code that does not await may keep the event loop from
            going on; longer is written to the log at once, by a thread, with the place
            whose code it is and its stack. In real time. No thread unless given.
        control: Where a Unix socket is to be, through which the tree can be looked at and
            steered by its own user and root; `docs/control.md` has its protocol. It serves
            from before the first child is started until the tree has ended.

    Raises:
        SpecError: The tree is declared wrongly; nothing was started.
        ControlSocketError: When entered: there cannot be a control socket at that path;
            nothing was started.
        StartFailedError: When entered: a child did not come up; those before it were
            stopped in reverse order. Its cause is the child's own exception.
        RestartLimitExceededError: When left: the root gave up.
    """

    def __init__(
        self,
        spec: Supervisor | Dynamic,
        *,
        observers: Iterable[Callable[[Event], object]] = (),
        shutdown: float = math.inf,
        random: Random | None = None,
        restart_rate: float = math.inf,
        watchdog: float | None = None,
        control: str | Path | None = None,
    ) -> None:
        given: object = observers
        if isinstance(observers, Iterable):  # which may be read once only
            given = self._observers = tuple(observers)
        refuse(check_run(spec, given, shutdown, random, restart_rate, watchdog))
        self._spec = cast("SupervisorSpec", spec)
        self._shutdown = shutdown
        self._random = random
        self._restart_rate = restart_rate
        self._limit = watchdog
        self._watchdog: Watchdog | None = None
        self._control = control
        self._socket: ControlSocket | None = None
        self._body = trio.CancelScope()
        self._running: Running | None = None
        self._nursery: AbstractAsyncContextManager[trio.Nursery] | None = None
        self._owner: Life | None = None
        self.signals: AsyncIterator[int] | None = None
        """Where `run_tree` gets its signals from. For the runtime."""
        self.begun: Callable[[Tree], object] | None = None
        """Is called with the tree before its first child is started. For the command."""

    @enable_ki_protection
    async def __aenter__(self) -> Tree:
        if self._running is not None:
            message = "this open_tree was entered before: make a new one for each run"
            raise RuntimeError(message)
        await trio.lowlevel.checkpoint_if_cancelled()  # then nothing is started
        if self._control is not None:
            self._socket = control_socket(self._control)
        running = self._running = Running(
            self._spec,
            self._observers,
            self._shutdown,
            self._random or random_module.Random(),
            self._body,
            self.signals,
            self._restart_rate,
        )
        try:
            if self._socket is not None:
                running.beside = (control_server(self._socket, Tree(running)),)
            if self._limit is not None:
                watchdog = Watchdog(running.host, self._limit)
                watchdog.start()
                self._watchdog = watchdog
        except BaseException:  # such as that there can be no more threads
            if self._socket is not None:
                self._socket.close()
            raise
        # Strict, whatever the run wants: a group says that it came from here.
        self._nursery = trio.open_nursery(strict_exception_groups=True)
        nursery = await self._nursery.__aenter__()
        self.find_owner()
        nursery.start_soon(running.live, name=f"tree {running.root.path}")
        try:
            if self.begun is not None:
                self.begun(Tree(running))
            await running.decided.wait()
        except BaseException as interrupted:  # noqa: ASYNC103 - cancelled, or Ctrl-C
            running.begin_stop()
            late = await self._wait_for_end()  # noqa: ASYNC102 - it was told to
            error = running.error
            if isinstance(error, StartCancelledError):
                error = None  # that was us
            comes_out = _together(running, _besides(interrupted, running), error, late)
            if comes_out is None:
                raise
            _raise(comes_out)
        if not running.was_up:
            late = await self._wait_for_end()
            comes_out = _together(running, None, running.error, late)
            assert comes_out is not None  # noqa: S101 - else it would be up
            _raise(comes_out)
        self._body.__enter__()
        return Tree(running)

    @enable_ki_protection
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        running = self._running
        assert running is not None  # noqa: S101 - it was entered
        failure = exc
        try:
            if self._body.__exit__(exc_type, exc, traceback):
                failure = None  # our own cancellation: the tree has failed
        except BaseException as rest:  # noqa: ASYNC103, BLE001 - raised below
            failure = rest
        running.begin_stop()
        late = await self._wait_for_end()  # noqa: ASYNC102 - was told to
        if failure is not None and (running.error is not None or late is not None):
            failure = _besides(failure, running)
        comes_out = _together(running, failure, running.error, late)
        if comes_out is not None and comes_out is not exc:
            _raise(comes_out)

    def find_owner(self) -> None:
        """See whose child this task belongs to: its being cut off must reach the tree.

        For the runtime; again whenever the task was given to another nursery.
        """
        running = self._running
        assert running is not None  # noqa: S101 - it was entered
        if self._owner is not None:
            self._owner.unshield(self)
        self._owner = running.host.lives.owner(trio.lowlevel.current_task())
        if self._owner is not None:
            self._owner.shield(self, running.host.kill)

    async def _wait_for_end(self) -> BaseException | None:
        """Wait until the tree's task is gone; give a Ctrl-C that came meanwhile."""
        nursery = self._nursery
        assert nursery is not None  # noqa: S101 - it was opened
        try:
            await nursery.__aexit__(None, None, None)
        except BaseExceptionGroup as group:  # for the caller to raise
            only_one = len(group.exceptions) == 1
            return group.exceptions[0] if only_one else group  # noqa: ASYNC910
        finally:
            if self._owner is not None:
                self._owner.unshield(self)
            if self._watchdog is not None:
                self._watchdog.stop()
            if self._socket is not None:  # if it was never served
                self._socket.close()
        return None


def _together(
    running: Running, *failures: BaseException | None
) -> BaseException | None:
    """Give the failures of block, tree and of the waiting as what comes out: bare if one."""
    found = [failure for failure in failures if failure is not None]
    if len(found) > 1:
        message = f"the block and the tree {running.root.path!r} failed"
        return BaseExceptionGroup(message, found)
    return found[0] if found else None


def _raise(error: BaseException) -> NoReturn:
    """Raise *error* with the context that it has, not with what is being handled here."""
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context
        del error, context


def _besides(failure: BaseException, running: Running) -> BaseException | None:
    """Give what of the block's *failure* does not just follow from the tree's."""

    def follows(error: BaseException) -> bool:
        if isinstance(error, trio.Cancelled):
            return True
        return isinstance(error, CallError) and error.origin is running.host

    return without(failure, follows)
