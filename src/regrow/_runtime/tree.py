"""The handle of a running tree: its refs, its picture, its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast, overload

import trio
from trio.lowlevel import enable_ki_protection

from regrow._core.options import whole, worded
from regrow._core.specs import ChildSpec
from regrow.errors import NotRunningError, PlaceNotFoundError

from .actor_place import ActorPlace
from .health import health_of
from .place import SupervisorPlace
from .redact import state_of
from .ref import Ref, ServiceRef
from .requests import Asked, SupervisorRef, ref_to
from .snapshot import picture, stacks_of
from .stream import EventStream

if TYPE_CHECKING:
    from regrow._core.events import Event
    from regrow._core.health import Health

    from .actor import Actor
    from .place import Place
    from .running import Running
    from .snapshot import PlaceSnapshot
    from .specs import ActorSpec, AnyRef, AnySpec, Dynamic, ServiceSpec, Supervisor

__all__ = ["Tree", "running_of"]

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
            if isinstance(given, ChildSpec):
                name: object = given.name
                what = f"the spec {name!r} does not stand in"
            else:
                name = given
                what = f"{worded(given)} is no spec of"
            text = (
                f"{what} the tree {self.path!r}. Use the very value that the tree was "
                "declared with, or tree.ref(path, cls)."
            )
            raise PlaceNotFoundError(str(name), text)
        return cast("AnyRef", ref_to(place))

    def ref(self, path: str, actor: type[A], /) -> Ref[A]:
        """Give the ref of the actor of class *actor* at *path*, such as `bank/account`.

        Raises:
            PlaceNotFoundError: There is no such place, or something else stands there.
        """
        place = self._actor_at(path)
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
        place = self._at(path)
        if not isinstance(place, SupervisorPlace):
            text = f"{path!r} is no supervisor. Use tree.ref(path, cls)."
            raise PlaceNotFoundError(path, text)
        return SupervisorRef(place)

    def _at(self, path: str | None) -> Place:
        if path is None:
            return self._running.root
        given: object = path
        if not isinstance(given, str):
            text = (
                f"{worded(given)} is no path. Write one from the root, as in "
                f"'{self.path}/child'; tree[spec] gives the ref of a spec."
            )
            raise PlaceNotFoundError(str(given), text)
        place = self._running.host.find(path)
        if place is not None:
            return place
        text = (
            f"nothing stands at {path!r} in the tree {self.path!r}. A path starts at the "
            f"root, as in '{self.path}/child'; tree.snapshot() shows them all."
        )
        raise PlaceNotFoundError(path, text)

    def _actor_at(self, path: str) -> ActorPlace:
        place = self._at(path)
        if isinstance(place, ActorPlace):
            return place
        what = "a supervisor" if isinstance(place, SupervisorPlace) else "a service"
        text = f"{path!r} is {what}, not an actor. Use tree[spec] or tree.supervisor."
        raise PlaceNotFoundError(path, text)

    def snapshot(self, path: str | None = None) -> PlaceSnapshot:
        """Give a frozen picture of the tree as it is now; it costs O(places).

        It is of one moment, so nothing else runs while it is taken: about 0.1 s for
        100,000 places.

        Args:
            path: Of the place that is pictured, with all below it; the root unless given.

        Raises:
            PlaceNotFoundError: There is no such place.
        """
        return picture(self._at(path))

    def health(self) -> Health:
        """Judge whether the tree is well now, with reasons; it costs O(places).

        See `Health` for what is `ok`, `degraded` and `failing`. It is of one moment, so
        nothing else runs meanwhile: about 30 ms for 100,000 places. The control socket and
        `regrow.observe.web` look at a large tree bit by bit.
        """
        return health_of(self._running.root)

    def stacks(self, path: str | None = None) -> dict[str, tuple[str, ...]]:
        """Give where the tasks of each living place wait now, by paths, parents first.

        Each line is `file:line in function`, the innermost of a task last; below them come
        the tasks of nurseries inside it, each after its name and a colon. It costs
        O(tasks). What runs in threads is shown as the call that waits for it.

        Args:
            path: Of the place to look at, with all below it; the root unless given.

        Raises:
            PlaceNotFoundError: There is no such place.
        """
        return dict(stacks_of(self._at(path)))

    def state(self, path: str) -> dict[str, str]:
        """Give the fields of the actor at *path* as they are now, in words, by names.

        Each is its `repr` in one line of at most 200 characters; one that raises is told as
        such. The class of the actor may hide what is nobody's business by a method
        `__redact__(self, name, value)`, whose answer is shown in place of the value; it is
        asked for the arguments of messages too. Fields come in the order of declaration:
        those of an attrs class, of `__slots__`, then whatever was set. A handler may be at
        work on them.

        Raises:
            PlaceNotFoundError: There is no such place, or no actor stands there.
            NotRunningError: There is no incarnation just now.
        """
        place = self._actor_at(path)
        life = place.actor_life
        if life is None or life.actor is None:
            raise NotRunningError(path, place.status, "no state to see")
        return state_of(life.actor)

    @property
    def history(self) -> tuple[Event, ...]:
        """The last 1,000 events, oldest first; also after the tree has ended.

        The exceptions in them have no tracebacks: `snapshot` gives the latest of each place
        whole.
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


def running_of(tree: Tree) -> Running:
    """Give the run that *tree* is the handle of, to what looks into trees."""
    # It stands here because it has no public name.
    given: object = tree
    if not isinstance(given, Tree):
        message = f"{given!r} is no running tree: pass what open_tree gave"
        raise TypeError(message)
    return tree._running  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
