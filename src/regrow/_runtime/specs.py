"""The values that a tree is declared with, as users hold them; nothing runs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Generic, Never, TypeAlias, TypeVar, cast

from attrs import frozen

from regrow._core.check import late_refs
from regrow._core.specs import (
    ChildSpec,
    DynamicSpec,
    Late,
    Mailbox,
    SupervisorSpec,
    Traits,
)

from .actor import Actor
from .factories import given, plain_of
from .ref import Ref, ServiceRef
from .requests import SupervisorRef

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from regrow._core.heartbeat import Heartbeat

OWN_NAMES = ("ref", "stop", "send_after", "send_every")
"""What `Actor` gives every actor and no class is meant to override."""

__all__ = [
    "DEFAULT_MAILBOX",
    "ActorSpec",
    "AnyRef",
    "AnySpec",
    "Dynamic",
    "ServiceSpec",
    "Supervisor",
]

A_co = TypeVar("A_co", bound=Actor, covariant=True)

DEFAULT_MAILBOX = Mailbox()


def _late_in(called: object, args: tuple[object, ...]) -> Iterator[Late]:
    if isinstance(called, partial):
        return late_refs((cast("object", called), *args))
    return late_refs(args) if args else iter(())


@frozen(eq=False, kw_only=True)
class ActorSpec(ChildSpec, Generic[A_co]):
    """A declared actor, as `child` gives it.

    Attributes:
        factory: Makes the actor, for every incarnation anew.
        args: What it is called with.
        mailbox: Where its messages wait.
        heartbeat: How it is asked whether it is healthy, if it is.
    """

    factory: Callable[..., A_co]
    args: tuple[object, ...] = ()
    mailbox: Mailbox = DEFAULT_MAILBOX
    heartbeat: Heartbeat | None = None

    @property
    def ref(self) -> Ref[A_co]:
        """The late ref of its place, to be given to other children."""
        return Ref(None, self)

    def late_refs(self) -> Iterator[Late]:
        """Give the late refs among the arguments, a partial's first, in order."""
        return _late_in(self.factory, self.args)

    def traits(self) -> Traits:
        """Tell what it is, besides its options."""
        made = plain_of(self.factory)
        known = made if isinstance(made, type) and issubclass(made, Actor) else Actor
        return Traits(
            "actor",
            self.args,
            given(self.factory),
            self.mailbox,
            self.heartbeat,
            lifespan=known.lifespan is not Actor.lifespan,
            health=getattr(known, "check_health", None) is not None,
            hidden=tuple(
                name
                for name in OWN_NAMES
                if getattr(known, name) is not getattr(Actor, name)
            ),
        )


@frozen(eq=False, kw_only=True)
class ServiceSpec(ChildSpec):
    """A declared service, as `child` gives it.

    Attributes:
        service: The async function, called for every incarnation anew.
        args: What it is called with.
        says_when_up: Whether it has a `task_status` parameter.
    """

    service: Callable[..., Coroutine[object, Never, object]]
    args: tuple[object, ...] = ()
    says_when_up: bool = False

    @property
    def ref(self) -> ServiceRef:
        """The late ref of its place, to be given to other children."""
        return ServiceRef(None, self)

    def late_refs(self) -> Iterator[Late]:
        """Give the late refs among the arguments, a partial's first, in order."""
        return _late_in(self.service, self.args)

    def traits(self) -> Traits:
        """Tell what it is, besides its options."""
        preset = given(self.service)
        return Traits("service", self.args, preset, start_fails=self.says_when_up)


@frozen(eq=False, kw_only=True)
class Supervisor(SupervisorSpec):
    """A declared supervisor, as `supervisor` gives it."""

    @property
    def ref(self) -> SupervisorRef:
        """The late ref of its place, to be given to other children."""
        return SupervisorRef(None, self)


@frozen(eq=False, kw_only=True)
class Dynamic(DynamicSpec):
    """A declared dynamic supervisor, as `dynamic` gives it."""

    @property
    def ref(self) -> SupervisorRef:
        """The late ref of its place, to be given to other children."""
        return SupervisorRef(None, self)


AnySpec: TypeAlias = ActorSpec[Actor] | ServiceSpec | Supervisor | Dynamic
AnyRef: TypeAlias = Ref[Actor] | ServiceRef | SupervisorRef
