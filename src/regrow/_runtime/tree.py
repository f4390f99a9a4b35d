"""Running a tree inside somebody's trio program.

`open_tree` puts one task into a nursery of its own: the tree. That task is shielded, so a
cancellation from outside ends the body first, and then the tree is stopped in order. The
body is in a cancel scope that is ours, for the case that the tree fails. The tree's task
never raises: what the tree failed of is kept, and what comes out is put together at the end
(promise 1). It is a class because a generator, interrupted at the wrong moment by Ctrl-C,
would leave its nursery open for ever.
"""

from __future__ import annotations

import math
import random as random_module
import signal
from typing import TYPE_CHECKING, NoReturn, TypeVar, cast, overload

import trio
from trio.lowlevel import enable_ki_protection

from regrow._core import steps
from regrow._core.check import check_supervisor, check_tree, refuse
from regrow._core.specs import ChildSpec, SupervisorSpec
from regrow.errors import (
    CallError,
    Finding,
    PlaceNotFoundError,
    StartCancelledError,
)

from .host import Host
from .place import ActorPlace, SupervisorPlace
from .ref import Ref, ServiceRef
from .requests import Asked, SupervisorRef, ref_to, wait_for
from .snapshot import picture
from .supervisor import SupervisorLife, make_place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from contextlib import AbstractAsyncContextManager
    from random import Random
    from types import TracebackType

    from regrow._core.events import Event

    from .actor import Actor
    from .life import Life
    from .snapshot import PlaceSnapshot
    from .specs import ActorSpec, AnyRef, AnySpec, Dynamic, ServiceSpec, Supervisor

__all__ = ["Tree", "open_tree", "run_tree", "serve_tree"]

A = TypeVar("A", bound="Actor")


class Tree:
    """A running tree, as `open_tree` gives it."""

    def __init__(self, running: _Running) -> None:
        """For the runtime."""
        self._running = running

    def __repr__(self) -> str:
        return f"<Tree {self.path!r}>"

    @property
    def path(self) -> str:
        """The root's path: its name."""
        return self._running.root.path

    @overload
    def __getitem__(self, spec: ActorSpec[A]) -> Ref[A]: ...
    @overload
    def __getitem__(self, spec: ServiceSpec) -> ServiceRef: ...
    @overload
    def __getitem__(self, spec: Supervisor | Dynamic) -> SupervisorRef: ...
    @overload
    def __getitem__(self, spec: AnySpec) -> AnyRef: ...
    def __getitem__(self, spec: AnySpec) -> AnyRef:
        """Give the live ref of *spec*, which is looked up by identity.

        Raises:
            PlaceNotFoundError: This very value does not stand in the tree.
        """
        place = self._running.host.by_spec.get(id(spec))
        if place is None:
            given: object = spec
            name = given.name if isinstance(given, ChildSpec) else repr(given)
            text = (
                f"the spec {name!r} does not stand in the tree {self.path!r}. Use the very "
                "value that the tree was declared with, or tree.ref(path, cls)."
            )
            raise PlaceNotFoundError(str(name), text)
        return cast("AnyRef", ref_to(place))

    def ref(self, path: str, actor: type[A], /) -> Ref[A]:
        """Give the ref of the actor of class *actor* at *path*, such as `bank/account`.

        Raises:
            PlaceNotFoundError: There is no such place, or something else stands there.
        """
        place = self._running.host.find(path)
        if place is None:
            raise PlaceNotFoundError(path, self._nothing_at(path))
        if not isinstance(place, ActorPlace):
            what = "a supervisor" if isinstance(place, SupervisorPlace) else "a service"
            text = (
                f"{path!r} is {what}, not an actor. Use tree[spec] or tree.supervisor."
            )
            raise PlaceNotFoundError(path, text)
        known = place.actor_type
        if known is not None and not issubclass(known, actor):
            text = (
                f"{path!r} is an actor of class {known.__qualname__}, not "
                f"{actor.__qualname__}. Ask for its own class or a base of it."
            )
            raise PlaceNotFoundError(path, text)
        return cast("Ref[A]", Ref(place))

    def supervisor(self, path: str) -> SupervisorRef:
        """Give the ref of the supervisor at *path*.

        Raises:
            PlaceNotFoundError: There is no such place, or no supervisor stands there.
        """
        place = self._running.host.find(path)
        if place is None:
            raise PlaceNotFoundError(path, self._nothing_at(path))
        if not isinstance(place, SupervisorPlace):
            text = f"{path!r} is no supervisor. Use tree.ref(path, cls)."
            raise PlaceNotFoundError(path, text)
        return SupervisorRef(place)

    def _nothing_at(self, path: str) -> str:
        return (
            f"nothing stands at {path!r} in the tree {self.path!r}. A path starts at the "
            f"root, as in '{self.path}/child'; tree.snapshot() shows them all."
        )

    def snapshot(self) -> PlaceSnapshot:
        """Give a frozen picture of the tree as it is now; it costs O(places)."""
        return picture(self._running.root)

    @enable_ki_protection
    async def stop(self) -> None:
        """Stop the tree in order, and return when no task of it is left.

        Children stop in reverse start order, each within its own `shutdown`. A cancelled
        call leaves the tree stopping.

        Raises:
            CallCycleError: An actor of the tree calls it, whose end it would wait for.
        """
        running = self._running
        running.begin_stop()
        if running.over.is_set():
            await trio.lowlevel.checkpoint()
            return
        asked = Asked(running.root, None, trio.lowlevel.current_task())
        await running.wait_over(asked)

    def kill(self) -> None:
        """Cut the tree off: every task of it is cancelled, whatever its `shutdown`."""
        self._running.host.kill()

    async def wait_stopped(self) -> None:
        """Return when no task of the tree is left; whether it failed shows elsewhere."""
        await self._running.over.wait()


class _Running:
    """The tree's task and what becomes of it."""

    def __init__(
        self,
        spec: SupervisorSpec,
        observers: Iterable[Callable[[Event], object]],
        shutdown: float,
        random: Random,
        body: trio.CancelScope,
        signals: AsyncIterator[int] | None,
    ) -> None:
        self.host: Host = Host(observers, random, self._fail, self._limit_stop)
        self.root: SupervisorPlace = cast(
            "SupervisorPlace", make_place(self.host, None, spec)
        )
        self.host.root = self.root
        self.decided: trio.Event = trio.Event()
        self.over: trio.Event = trio.Event()
        self.error: BaseException | None = None
        self.body = body
        self.was_up: bool = False
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
                life = SupervisorLife(self.root, 1, self._report)
                if self.host.stopping:
                    life.final = True
                    life.tell_stop()
                if self.host.cut:
                    life.kill()
                await life.live()
                nursery.cancel_scope.cancel(reason="the tree is over")
        why = "is closed: its tree has ended"
        self.over.set()
        for asked in self._waiting:
            asked.answer(None)
        self.root.remove(why)

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
        self.error = error
        if self.host.fatal is not None:
            self.error = self.host.fatal
        self.decided.set()

    def _fail(self) -> None:
        """The root has decided to fail: the body ends first."""
        self.body.cancel(reason=f"the tree {self.root.path!r} has failed")

    def begin_stop(self) -> None:
        """Stop the tree in order, bounded by the time it has in all."""
        self.host.begin_stop()

    async def _watch(self, signals: AsyncIterator[int]) -> None:
        """The first signal stops the tree in order, the next one cuts it off."""
        async for _ in signals:
            if self.host.stopping:
                self.host.kill()
            else:
                self.host.begin_stop()

    def _limit_stop(self) -> None:
        self.host.timers.after(self._shutdown, self.host.kill)

    async def wait_over(self, asked: Asked) -> None:
        """Wait for the end of the tree as an actor's own task may do."""
        self._waiting.append(asked)
        try:
            await wait_for(asked)
        finally:
            self._waiting.remove(asked)


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

    Raises:
        SpecError: The tree is declared wrongly; nothing was started.
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
    ) -> None:
        refuse(_check_root(spec, shutdown))
        self._spec = cast("SupervisorSpec", spec)
        self._observers = tuple(observers)
        self._shutdown = shutdown
        self._random = random
        self._body = trio.CancelScope()
        self._running: _Running | None = None
        self._nursery: AbstractAsyncContextManager[trio.Nursery] | None = None
        self._owner: Life | None = None
        self.signals: AsyncIterator[int] | None = None

    @enable_ki_protection
    async def __aenter__(self) -> Tree:
        if self._running is not None:
            message = "this open_tree was entered before: make a new one for each run"
            raise RuntimeError(message)
        running = self._running = _Running(
            self._spec,
            self._observers,
            self._shutdown,
            self._random or random_module.Random(),
            self._body,
            self.signals,
        )
        self._nursery = trio.open_nursery()
        nursery = await self._nursery.__aenter__()
        owner = running.host.lives.owner(trio.lowlevel.current_task())
        if owner is not None:  # a tree inside a child: an outer kill must reach it
            owner.shield(self, running.host.kill)
        nursery.start_soon(running.live, name=f"tree {running.root.path}")
        try:
            await running.decided.wait()
        except BaseException:  # cancelled, or Ctrl-C, while starting
            running.begin_stop()
            late = await self._wait_for_end(owner)  # noqa: ASYNC102 - it was told to
            error = running.error
            if error is not None and not isinstance(error, StartCancelledError):
                _raise(error)
            if late is not None:
                _raise(late)
            raise
        self._owner = owner
        if not running.was_up:
            late = await self._wait_for_end(owner)
            assert running.error is not None  # noqa: S101 - else it would be up
            _raise(running.error if late is None else late)
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
        late = await self._wait_for_end(self._owner)  # noqa: ASYNC102 - was told to
        if running.error is not None and failure is not None:
            failure = _besides(failure, running.host)
        failures = [each for each in (failure, running.error, late) if each is not None]
        if not failures or failures == [exc]:
            return
        if len(failures) > 1:
            message = f"the block and the tree {running.root.path!r} failed"
            _raise(BaseExceptionGroup(message, failures))
        _raise(failures[0])

    async def _wait_for_end(self, owner: Life | None) -> BaseException | None:
        """Wait until the tree's task is gone; give a Ctrl-C that came meanwhile."""
        nursery = self._nursery
        assert nursery is not None  # noqa: S101 - it was opened
        try:
            await nursery.__aexit__(None, None, None)
        except BaseExceptionGroup as group:  # for the caller to raise
            only_one = len(group.exceptions) == 1
            return group.exceptions[0] if only_one else group  # noqa: ASYNC910
        finally:
            if owner is not None:
                owner.unshield(self)
        return None


def _raise(error: BaseException) -> NoReturn:
    """Raise *error* with the context that it has, not with what is being handled here."""
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context
        del error, context


def _besides(failure: BaseException, host: Host) -> BaseException | None:
    """Give what of the block's *failure* does not just follow from the tree's."""

    def follows(error: BaseException) -> bool:
        if isinstance(error, trio.Cancelled):
            return True
        return isinstance(error, CallError) and error.origin is host

    if isinstance(failure, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", failure).split(follows)[1]
    return None if follows(failure) else failure


def _check_root(spec: object, shutdown: float) -> Iterator[Finding]:
    if not isinstance(spec, SupervisorSpec):
        yield Finding(
            "invalid_root",
            "root",
            f"the root is {spec!r}",
            "Pass what supervisor(...) or dynamic(...) gave.",
        )
        return
    yield from check_supervisor(spec)
    yield from check_tree(spec)
    if not shutdown >= 0:
        yield Finding(
            "invalid_shutdown",
            spec.name,
            f"shutdown is {shutdown!r}",
            "Write a number of seconds of 0 or more, or math.inf, as shutdown.",
        )


async def serve_tree(
    spec: Supervisor | Dynamic,
    *,
    observers: Iterable[Callable[[Event], object]] = (),
    shutdown: float = math.inf,
    random: Random | None = None,
    task_status: trio.TaskStatus[Tree] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a tree as a task: `tree = await nursery.start(serve_tree, spec)`.

    Returns when the tree has ended in order; cancelling it stops the tree in order.

    Args:
        spec: As for `open_tree`.
        observers: As for `open_tree`.
        shutdown: As for `open_tree`.
        random: As for `open_tree`.
        task_status: Gets the `Tree` when every child is up.

    Raises:
        SpecError: As for `open_tree`.
        StartFailedError: A child did not come up.
        RestartLimitExceededError: The root gave up.
    """
    opening = open_tree(spec, observers=observers, shutdown=shutdown, random=random)
    async with opening as tree:
        task_status.started(tree)
        await tree.wait_stopped()


async def run_tree(  # noqa: ASYNC910 - to wait for the tree is one
    spec: Supervisor | Dynamic,
    *,
    observers: Iterable[Callable[[Event], object]] = (),
    shutdown: float = math.inf,
    random: Random | None = None,
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

    Raises:
        SpecError: As for `open_tree`.
        StartFailedError: A child did not come up.
        RestartLimitExceededError: The root gave up.
    """
    opening = open_tree(spec, observers=observers, shutdown=shutdown, random=random)
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        opening.signals = signals
        try:
            async with opening as tree:
                await tree.wait_stopped()
        except StartCancelledError:
            pass  # a signal came while it was starting
