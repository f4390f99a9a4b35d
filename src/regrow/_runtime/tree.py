"""The handle of a running tree: its refs, its picture, its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast, overload

import trio
from trio.lowlevel import enable_ki_protection

from regrow._core.options import whole
from regrow._core.specs import ChildSpec
from regrow.errors import PlaceNotFoundError

from .actor_place import ActorPlace
from .place import SupervisorPlace
from .ref import Ref, ServiceRef
from .requests import Asked, SupervisorRef, ref_to
from .snapshot import picture
from .stream import EventStream

if TYPE_CHECKING:
    from regrow._core.events import Event

    from .actor import Actor
    from .running import Running
    from .snapshot import PlaceSnapshot
    from .specs import ActorSpec, AnyRef, AnySpec, Dynamic, ServiceSpec, Supervisor

__all__ = ["Tree"]

A = TypeVar("A", bound="Actor")


class Tree:
    """A running tree, as `open_tree` gives it."""

    def __init__(self, running: Running) -> None:
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

    @property
    def history(self) -> tuple[Event, ...]:
        """The last 1,000 events, oldest first; also after the tree has ended.

        Of the exceptions in them only the latest 32 have their tracebacks.
        """
        return self._running.host.history.events()

    def events(self, capacity: int = 1000) -> EventStream:
        """Give the events from now on: `async with tree.events() as stream:`.

        Args:
            capacity: How many wait for a slow reader; then the oldest are dropped, and an
                `EventsLost` says how many.

        Raises:
            ValueError: *capacity* is no whole number of 1 or more.
        """
        if not whole(capacity, least=1):
            message = f"capacity is {capacity!r}: write a whole number of 1 or more"
            raise ValueError(message)
        return EventStream(self._running.host, capacity)

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

    @enable_ki_protection
    def kill(self) -> None:
        """Cut the tree off: every task of it is cancelled, whatever its `shutdown`."""
        self._running.host.kill()

    async def wait_stopped(self) -> None:
        """Return when no task of the tree is left; whether it failed shows elsewhere."""
        await self._running.over.wait()
