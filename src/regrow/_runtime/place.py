"""A place in a running tree: what a ref names, and what outlives restarts.

A place is *open* while its child runs or will run again without being asked for; messages
wait then. It is *closed* once that is over; they are refused then (promise 4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from weakref import ref as weak

import trio

from regrow._core.events import PlaceClosed
from regrow.errors import ActorStoppedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regrow._core.exits import Exit
    from regrow._core.snapshot import FailureSnapshot, PlaceStatus
    from regrow._core.specs import ChildSpec

    from .host import Host
    from .life import Life
    from .monitor import Monitor
    from .requests import Asked
    from .supervisor import SupervisorLife
    from .waits import Waiting, WaitTarget

__all__ = ["TOLD_TO_STOP", "Place", "SupervisorPlace"]

TOLD_TO_STOP = "was told to stop"
"""Why a place is closed that was not to end by itself. Whether it comes back is not known
then: a restart by request begins as a termination does. `ActorStoppedError` says what can."""


class Place:
    """What all places have; a service's place has no more.

    Attributes:
        name: Unique among its siblings.
        path: Names from the root, joined by `/`.
        parent: The supervisor's place; `None` for the root.
        host: The tree.
        spec: What stands here.
        life: The incarnation that is being started, runs or is being stopped, if any.
        incarnation: Number of the latest one; 0 before the first.
        restarts: How many incarnations there were after the first.
        open: Whether it takes messages.
        removed: Whether it is gone from the tree.
        why: Why it is closed, in words.
        args: What its factory is called with, once that is known; a factory that is a
            partial comes before it.
        last: How the latest incarnation that was up has ended.
        failure: How it failed the last time, if it ever did.
        ignored: Whether the latest incarnation chose not to run.
    """

    __slots__ = (
        "__weakref__",
        "_monitors",
        "_stopped",
        "args",
        "failure",
        "host",
        "ignored",
        "incarnation",
        "last",
        "life",
        "name",
        "open",
        "parent",
        "path",
        "removed",
        "restarts",
        "spec",
        "why",
    )

    def __init__(
        self, host: Host, parent: SupervisorPlace | None, spec: ChildSpec
    ) -> None:
        self.host: Host = host
        self.parent: SupervisorPlace | None = parent
        self.spec: ChildSpec = spec
        self.name: str = spec.name
        self.path: str = spec.name if parent is None else f"{parent.path}/{spec.name}"
        self.life: Life | None = None
        self.incarnation: int = 0
        self.restarts: int = 0
        self.open: bool = True
        self.removed: bool = False
        self.why: str = ""
        self.args: tuple[object, ...] | None = None
        self.last: tuple[int, Exit] | None = None
        self.failure: FailureSnapshot | None = None
        self.ignored: bool = False
        self._monitors: list[weak[Monitor]] | None = None
        self._stopped: trio.Event | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path!r}>"

    @property
    def status(self) -> PlaceStatus:
        """What it does, in one word."""
        life = self.life
        if life is None:
            if not self.open:
                return "stopped"
            return "restarting" if self.incarnation else "starting"
        if life.stuck:
            return "stuck"
        if life.told:
            return "stopping"
        return "running" if life.up else "starting"

    # ------------------------------------------------------------- open and closed

    def reopen(self) -> None:
        """Take messages (again), beginning with none."""
        if not self.open:
            self.open = True
            self.ignored = False
            self.why = ""
            self._stopped = None

    def close(self, why: str) -> None:
        """Take no more messages, and refuse those that wait."""
        if not self.open:
            return
        self.open = False
        self.why = why
        if self._stopped is not None:
            self._stopped.set()
        self.host.emit(PlaceClosed(self.path, self.incarnation, self.host.now(), why))

    def remove(self, why: str) -> None:
        """The place goes: it is closed, and nobody will open it again."""
        self.removed = True
        self.close(why)
        for monitor in self.monitors():
            monitor.end()
        self._monitors = None
        self.host.forget(self)

    async def wait_stopped(self) -> None:
        """Wait until the place is closed."""
        if self._stopped is None:
            self._stopped = trio.Event()
            if not self.open:
                self._stopped.set()
        await self._stopped.wait()

    def stopped_error(self, message: str) -> ActorStoppedError:
        """Make the error for a message that comes too late."""
        gone = self.removed or self.host.stopping
        above = self.parent
        forgotten = above is not None and above.children.get(self.name) is not self
        error = ActorStoppedError(
            self.path, message, self.why, gone=gone, forgotten=forgotten
        )
        error.origin = self.host
        return error

    # -------------------------------------------------------------------- monitors

    def add_monitor(self, monitor: Monitor) -> None:
        """Tell *monitor* of every end of an incarnation from now on."""
        if self._monitors is None:
            self._monitors = []
        self._monitors.append(weak(monitor))

    @property
    def is_monitored(self) -> bool:
        """Whether anybody may be told; most places have nobody."""
        return self._monitors is not None

    def monitors(self) -> list[Monitor]:
        """Give those still there, in order, and forget the others."""
        if self._monitors is None:
            return []
        found = [
            monitor for entry in self._monitors if (monitor := entry()) is not None
        ]
        alive = [monitor for monitor in found if not monitor.closed]
        self._monitors = [weak(monitor) for monitor in alive] or None
        return alive

    # --------------------------------------------------------------------- waiting

    def waits_for(self) -> Sequence[WaitTarget]:
        """Give what it waits for: see `waits`."""
        if self.life is None:
            return (self.parent,) if self.open and self.parent is not None else ()
        waiting = self.life.waiting
        return () if waiting is None else (waiting.place,)

    def pending(self) -> Waiting | None:
        """Give what its own task waits for."""
        return None if self.life is None else self.life.waiting


class SupervisorPlace(Place):
    """The place of a supervisor, and those below it.

    Attributes:
        children: The places of the children that it has, by name, in start order.
        declared: The places of its declared children, which outlive its restarts.
        asked: Requests that wait for its next incarnation, in order.
        made: How many names were generated for children of a dynamic supervisor.
    """

    __slots__ = ("asked", "children", "declared", "made")

    def __init__(
        self, host: Host, parent: SupervisorPlace | None, spec: ChildSpec
    ) -> None:
        super().__init__(host, parent, spec)
        self.children: dict[str, Place] = {}
        self.declared: dict[str, Place] = {}
        self.asked: dict[int, Asked] = {}
        self.made: int = 0

    @property
    def supervisor_life(self) -> SupervisorLife | None:
        """The incarnation, if there is one."""
        return cast("SupervisorLife | None", self.life)

    def close(self, why: str) -> None:
        """Refuse what waits, here and, where nothing runs any more, below."""
        was_open = self.open
        super().close(why)
        if was_open:
            for asked in list(self.asked.values()):
                asked.answer(self.stopped_error(""))
            self.asked.clear()
        if self.life is None:
            for child in self.children.values():
                child.close(why)

    def begin_life(self) -> None:
        """Have the declared children again, and no others."""
        self.children = dict(self.declared)

    def remove(self, why: str) -> None:
        """Remove it with all below it."""
        super().remove(why)
        for child in (*self.children.values(), *self.declared.values()):
            if not child.removed:
                child.remove(why)

    def waits_for(self) -> Sequence[WaitTarget]:
        """Give the children that it is starting or stopping."""
        life = self.supervisor_life
        if life is None:
            return super().waits_for()
        return tuple(life.busy_with.values())
