"""What a tree is declared with: frozen values that know nothing of how they run."""

import math
from collections.abc import Iterator
from typing import Literal

from attrs import field, frozen

from regrow.errors import Finding

from .backoff import Backoff
from .heartbeat import Heartbeat

__all__ = [
    "AutoShutdown",
    "ChildSpec",
    "DynamicSpec",
    "Late",
    "Mailbox",
    "OnFull",
    "OnRestart",
    "RestartType",
    "StartType",
    "Strategy",
    "SupervisorSpec",
    "Traits",
    "walk",
]

RestartType = Literal["permanent", "transient", "temporary"]
StartType = Literal["fail", "retry"]
Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown = Literal["never", "any_significant", "all_significant"]
OnFull = Literal["wait", "raise", "drop_oldest", "drop_newest"]
OnRestart = Literal["keep", "clear"]


@frozen
class Mailbox:
    """How many messages wait at a place, and what happens to one more.

    Attributes:
        capacity: Messages that wait; 0 is a rendezvous, `math.inf` has no bound.
        on_full: `wait`: the sender waits for room. `raise`: it gets `MailboxFullError`.
            `drop_oldest` makes room by dropping the message that waited longest,
            `drop_newest` drops the one that was sent; a dropped call gets
            `MailboxFullError`, a dropped cast is counted and told as an event.
        on_restart: `keep`: what waits is there for the next incarnation. `clear`: it gets
            `MailboxClearedError`, or is a dead letter if it was a cast.
    """

    capacity: float = 1024
    on_full: OnFull = "wait"
    on_restart: OnRestart = "keep"


@frozen
class Traits:
    """What a declared child is, besides its options: for checks and pictures.

    Attributes:
        kind: What stands there.
        args: What its factory is called with; late refs in it are replaced.
        preset: What the partials around the factory add; there too.
        mailbox: Of an actor.
        heartbeat: Of an actor, if it has one.
        lifespan: Whether it is known to have a lifespan of its own.
        health: Whether it is known to have a `check_health`.
        hidden: Names of `Actor` itself that its class is known to use for something else.
        start_fails: Whether its own start can fail. A service that is up as soon as it is
            called cannot; for a supervisor it depends on its children.
    """

    kind: Literal["actor", "service", "supervisor", "dynamic"]
    args: tuple[object, ...] = ()
    preset: tuple[object, ...] = ()
    mailbox: Mailbox | None = None
    heartbeat: Heartbeat | None = None
    lifespan: bool = False
    health: bool = False
    hidden: tuple[str, ...] = ()
    start_fails: bool = True


@frozen(eq=False, kw_only=True)
class ChildSpec:
    """What every declared child has; two specs are the same only if they are one object."""

    name: str
    restart: RestartType = "permanent"
    shutdown: float = 5.0
    start_timeout: float = math.inf
    significant: bool = False
    backoff: Backoff | None = None
    start: StartType = "fail"
    named: bool = field(default=True, repr=False)
    """Whether the name was given; else it was made of the factory's."""
    origin: "ChildSpec | None" = field(default=None, repr=False)
    """The spec it was made of, to get a generated name (D9)."""
    findings: tuple[Finding, ...] = field(default=(), repr=False)
    """Faults seen when it was declared; the supervisor it is given to raises them."""

    @property
    def kind(self) -> Literal["worker", "supervisor"]:
        """What OTP calls the type of the child."""
        return "worker"

    def late_refs(self) -> Iterator["Late"]:
        """Give the late refs among the arguments, in order."""
        return iter(())

    def traits(self) -> Traits:
        """Tell what it is, besides its options."""
        return Traits("service")


@frozen(eq=False, kw_only=True)
class SupervisorSpec(ChildSpec):
    """A supervisor and its declared children, in start order."""

    children: tuple[ChildSpec, ...] = ()
    strategy: Strategy = "one_for_one"
    intensity: int = 3
    period: float = 5.0
    auto_shutdown: AutoShutdown = "never"
    max_children: float = math.inf
    """Only a dynamic supervisor has a limit."""

    def traits(self) -> Traits:
        """Tell what it is, besides its options."""
        return Traits("supervisor", start_fails=False)

    @property
    def kind(self) -> Literal["worker", "supervisor"]:
        """What OTP calls the type of the child."""
        return "supervisor"

    @property
    def forgets(self) -> bool:
        """Whether children are forgotten when they end for good, and stop in parallel (D9)."""
        return False


@frozen(eq=False, kw_only=True)
class DynamicSpec(SupervisorSpec):
    """A supervisor whose children are all started at run time (D9)."""

    def traits(self) -> Traits:
        """Tell what it is, besides its options."""
        return Traits("dynamic", start_fails=False)

    @property
    def forgets(self) -> bool:
        """Whether children are forgotten when they end for good, and stop in parallel (D9)."""
        return True


class Late:
    """Base of the late refs: stands for the place of `spec` in whatever tree is started."""

    __slots__ = ("_spec",)

    def __init__(self, spec: ChildSpec | None) -> None:
        self._spec = spec

    @property
    def spec(self) -> ChildSpec | None:
        """The spec it belongs to; `None` for the live ref of a running tree."""
        return self._spec


def walk(spec: ChildSpec, path: str = "") -> Iterator[tuple[str, ChildSpec]]:
    """Give *spec* and all below it with their paths, parents first, in start order.

    By a stack of its own: what is looked at may be too deep to be started.
    """
    ahead = [(path, spec)]
    while ahead:
        above, found = ahead.pop()
        here = f"{above}/{found.name}" if above else found.name
        yield here, found
        if isinstance(found, SupervisorSpec):
            ahead.extend([(here, child) for child in reversed(found.children)])
