"""What callers ask of a supervisor, and the ref that they ask through."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast, overload

import outcome
import trio
from attrs import evolve
from trio.lowlevel import enable_ki_protection

from regrow._core import steps
from regrow._core.check import check_added, check_depth, check_tree, refuse
from regrow._core.specs import ChildSpec, SupervisorSpec, walk
from regrow.errors import Finding, RegrowError

from .actor_place import ActorPlace
from .place import SupervisorPlace
from .ref import PlaceRef, Ref, ServiceRef
from .waits import circle, cycle_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from regrow._core.steps import ChildCounts, ChildInfo

    from .actor import Actor
    from .place import Place
    from .specs import ActorSpec, AnyRef, AnySpec, Dynamic, ServiceSpec, Supervisor
    from .waits import Waiter

__all__ = ["Asked", "SupervisorRef", "ref_to", "wait_for"]

A = TypeVar("A", bound="Actor")


class Asked:
    """One request on its way, with whoever waits for it.

    Attributes:
        ticket: Its number.
        request: What is asked.
        place: Who is asked.
    """

    __slots__ = ("_task", "_waiter", "place", "request", "ticket")

    def __init__(
        self,
        place: SupervisorPlace,
        request: steps.Request | None,
        task: trio.lowlevel.Task,
    ) -> None:
        host = place.host
        host.tickets += 1
        self.ticket: int = host.tickets
        self.place: SupervisorPlace = place
        self.request: steps.Request | None = request
        self._task: trio.lowlevel.Task | None = task
        self._waiter: Waiter | None = None

    def waited_for_by(self, waiter: Waiter) -> None:
        """It is an actor's own task that waits."""
        self._waiter = waiter

    def answer(self, answer: object) -> None:
        """Wake the caller; nothing if it was, or has given up."""
        task = self._task
        self._forget_caller()
        if task is None:
            return
        if isinstance(answer, RegrowError):
            trio.lowlevel.reschedule(task, outcome.Error(answer))
        else:
            trio.lowlevel.reschedule(task, outcome.Value(answer))

    def refuse(self, circle: Sequence[str]) -> None:
        """Fail it, as it closes a circle of calls; a terminate under way goes on."""
        error = cycle_error(self.place, "", circle)
        error.origin = self.place.host
        self._withdraw()
        self.answer(error)

    def abandon(self) -> None:
        """The caller has given up."""
        self._withdraw()
        self._forget_caller()

    def _forget_caller(self) -> None:
        self._task = None
        if self._waiter is not None:
            self._waiter.waits_no_more()
            self._waiter = None

    def _withdraw(self) -> None:
        self.place.asked.pop(self.ticket, None)
        life = self.place.supervisor_life
        if life is not None:
            life.post(steps.AbandonCall(self.ticket))


@enable_ki_protection
async def wait_for(asked: Asked) -> object:
    """Ask, and wait for the answer; a cancelled caller is skipped (D6)."""
    place = asked.place
    host = place.host
    if not place.open:
        raise place.stopped_error("")  # noqa: EM101 - not a text: no method was asked
    life = host.lives.tasks.get(trio.lowlevel.current_task())
    if life is not None and life.makes_edges:
        found = circle(life.place, place)
        if found is not None:
            error = cycle_error(place, "", [step.path for step in found])
            error.origin = host
            raise error
        asked.waited_for_by(life)
        life.waits(asked)
    place.asked[asked.ticket] = asked
    supervisor = place.supervisor_life
    # A life that has not begun yet takes up by itself what it finds waiting.
    if (
        supervisor is not None
        and supervisor.task is not None
        and asked.request is not None
    ):
        supervisor.post(steps.Ask(asked.ticket, asked.request))

    def abandon(_: object) -> trio.lowlevel.Abort:
        asked.abandon()
        return trio.lowlevel.Abort.SUCCEEDED

    return await trio.lowlevel.wait_task_rescheduled(abandon)


class SupervisorRef(PlaceRef):
    """A supervisor: its children can be looked at, added and taken away.

    Requests are carried out one at a time, in the order in which they were made, and wait
    while the supervisor starts, stops or restarts children (S22), or is restarted itself.
    A cancelled caller is skipped if its turn has not come; a start under way for it is
    cancelled and undone, a terminate goes on.

    All of them raise `ActorStoppedError` when the supervisor's place is closed,
    `CallCycleError` when the answer would have to wait for the actor that asks, and
    `UnboundRefError` on a late ref.
    """

    __slots__ = ()

    @overload
    async def start_child(self, spec: ActorSpec[A]) -> Ref[A]: ...
    @overload
    async def start_child(self, spec: ServiceSpec) -> ServiceRef: ...
    @overload
    async def start_child(self, spec: Supervisor | Dynamic) -> SupervisorRef: ...
    @overload
    async def start_child(self, spec: AnySpec) -> AnyRef: ...
    async def start_child(self, spec: AnySpec) -> AnyRef:
        """Start a child, the last in the order of starts, and give its ref (S14).

        The ref of a child that ignored its start is that of a closed place (S9). Below a
        dynamic supervisor a child without a `name` gets one with a number.

        Raises:
            SpecError: The spec is wrong, or wrong in this place; nothing was done.
            ChildExistsError: The name is taken.
            MaxChildrenError: A dynamic supervisor has as many children as it may.
            StartFailedError: The child did not come up; it is forgotten.
        """
        place = self._supervisor()
        refuse(_wrong_with(place, spec))
        named = _with_name(place, spec)
        started = await self._ask(steps.StartNewChild(named))
        return cast("AnyRef", ref_to(cast("Place", started)))

    async def terminate_child(self, name: str) -> None:
        """Stop a child and keep it down; a temporary or dynamic one is forgotten (S15).

        A child that waits to be restarted is not restarted. One that is down is left so.

        Raises:
            ChildNotFoundError: There is no such child.
        """
        await self._ask(steps.TerminateChild(name))

    async def restart_child(self, name: str) -> None:
        """Start a child that is down (S16). It is not counted, and not tried again.

        Raises:
            ChildNotFoundError: There is no such child.
            ChildActiveError: It runs, or waits to be restarted.
            StartFailedError: It did not come up, and stays down.
            ChildForgottenError: The supervisor is dynamic.
        """
        await self._ask(steps.RestartChild(name))

    async def delete_child(self, name: str) -> None:
        """Forget a child that is down (S17).

        Raises:
            ChildNotFoundError: There is no such child.
            ChildActiveError: It runs, or waits to be restarted.
            ChildForgottenError: The supervisor is dynamic.
        """
        await self._ask(steps.DeleteChild(name))

    async def which_children(self) -> tuple[ChildInfo, ...]:
        """Give the children in the order of their starts (S19)."""
        answer = await self._ask(steps.WhichChildren())
        return cast("tuple[ChildInfo, ...]", answer)

    async def count_children(self) -> ChildCounts:
        """Count the children (S20)."""
        return cast("ChildCounts", await self._ask(steps.CountChildren()))

    async def get_child_spec(self, name: str) -> AnySpec:
        """Give the spec of a child (S18).

        Raises:
            ChildNotFoundError: There is no such child.
        """
        return cast("AnySpec", await self._ask(steps.GetChildSpec(name)))

    def _supervisor(self) -> SupervisorPlace:
        return cast("SupervisorPlace", self._bound())

    async def _ask(self, request: steps.Request) -> object:
        place = self._supervisor()
        return await wait_for(Asked(place, request, trio.lowlevel.current_task()))


def ref_to(place: Place) -> PlaceRef:
    """Give the live ref of *place*."""
    if isinstance(place, ActorPlace):
        ref: Ref[Actor] = Ref(place)
        return ref
    if isinstance(place, SupervisorPlace):
        return SupervisorRef(place)
    return ServiceRef(place)


def _wrong_with(place: SupervisorPlace, spec: ChildSpec) -> Iterator[Finding]:
    """Find what is wrong with *spec* as a new child at *place*."""
    parent = cast("SupervisorSpec", place.spec)
    yield from check_added(parent, place.path, spec)
    if not isinstance(spec, ChildSpec):
        return
    above = place.path.count("/") + 1
    yield from check_depth(spec, f"{place.path}/{spec.name}", above=above)
    host = place.host
    child = place.children.get(spec.name)
    if child is None or child.spec is not spec:  # else the supervisor refuses its name
        for path, below in walk(spec, place.path):
            stands = host.by_spec.get(id(below))
            if stands is not None and _is_there(stands):
                yield Finding(
                    "same_spec_twice",
                    path,
                    f"the same spec stands at {stands.path!r}",
                    "Make a spec of its own for each place.",
                )
    yield from check_tree(spec, known=host.by_spec, above=place.path)


def _is_there(place: Place) -> bool:
    """Whether the supervisors above *place* have it; declared ones may be forgotten."""
    while (parent := place.parent) is not None:
        if parent.children.get(place.name) is not place:
            return False
        place = parent
    return True


def _with_name(place: SupervisorPlace, spec: ChildSpec) -> ChildSpec:
    """Give a child of a dynamic supervisor a name of its own, if it has none (D9)."""
    parent = cast("SupervisorSpec", place.spec)
    if spec.named or not parent.forgets:
        return spec
    name = spec.name
    while name == spec.name or name in place.children:
        place.made += 1
        name = f"{spec.name}-{place.made}"
    return evolve(spec, name=name, named=True, origin=spec)
