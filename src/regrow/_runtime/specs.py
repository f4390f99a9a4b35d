"""Declaring a tree: `child`, `supervisor` and `dynamic` give frozen values; nothing runs."""

from __future__ import annotations

import inspect
import math
import re
from functools import lru_cache, partial
from typing import (
    TYPE_CHECKING,
    Generic,
    Never,
    Protocol,
    TypeAlias,
    TypeVar,
    TypeVarTuple,
    Unpack,
    cast,
    overload,
)

from attrs import evolve, frozen

from regrow._core.check import (
    check_mailbox,
    check_options,
    check_supervisor,
    late_refs,
    refuse,
)
from regrow._core.specs import ChildSpec, DynamicSpec, Late, Mailbox, SupervisorSpec
from regrow.errors import Finding

from .actor import Actor
from .ref import Ref, ServiceRef
from .requests import SupervisorRef

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    import trio

    from regrow._core.backoff import Backoff
    from regrow._core.specs import AutoShutdown, RestartType, StartType, Strategy

__all__ = [
    "ActorSpec",
    "AnyRef",
    "AnySpec",
    "Dynamic",
    "ServiceSpec",
    "Supervisor",
    "child",
    "dynamic",
    "supervisor",
]

A = TypeVar("A", bound=Actor)
A_co = TypeVar("A_co", bound=Actor, covariant=True)
Ts = TypeVarTuple("Ts")

DEFAULT_MAILBOX = Mailbox()


@frozen(eq=False, kw_only=True)
class ActorSpec(ChildSpec, Generic[A_co]):
    """A declared actor, as `child` gives it.

    Attributes:
        factory: Makes the actor, for every incarnation anew.
        args: What it is called with.
        mailbox: Where its messages wait.
    """

    factory: Callable[..., A_co]
    args: tuple[object, ...] = ()
    mailbox: Mailbox = DEFAULT_MAILBOX

    @property
    def ref(self) -> Ref[A_co]:
        """The late ref of its place, to be given to other children."""
        return Ref(None, self)

    def late_refs(self) -> Iterator[Late]:
        """Give the late refs among the arguments, in order."""
        return late_refs(self.args)


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
        """Give the late refs among the arguments, in order."""
        return late_refs(self.args)


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


class _StatusService(Protocol[*Ts]):
    """An async function with a required keyword `task_status`."""

    def __call__(
        self, *args: *Ts, task_status: trio.TaskStatus[object]
    ) -> Coroutine[object, Never, object]: ...


@overload
def child(
    factory: Callable[[Unpack[Ts]], A],
    /,
    *args: *Ts,
    name: str | None = None,
    restart: RestartType = "permanent",
    shutdown: float = 5.0,
    start_timeout: float = math.inf,
    significant: bool = False,
    backoff: Backoff | None = None,
    start: StartType = "fail",
    mailbox: Mailbox = DEFAULT_MAILBOX,
) -> ActorSpec[A]: ...
@overload
def child(
    service: Callable[[Unpack[Ts]], Coroutine[object, Never, object]],
    /,
    *args: *Ts,
    name: str | None = None,
    restart: RestartType = "permanent",
    shutdown: float = 5.0,
    start_timeout: float = math.inf,
    significant: bool = False,
    backoff: Backoff | None = None,
    start: StartType = "fail",
) -> ServiceSpec: ...
@overload
def child(
    service: _StatusService[*Ts],
    /,
    *args: *Ts,
    name: str | None = None,
    restart: RestartType = "permanent",
    shutdown: float = 5.0,
    start_timeout: float = math.inf,
    significant: bool = False,
    backoff: Backoff | None = None,
    start: StartType = "fail",
) -> ServiceSpec: ...
def child(
    factory: Callable[..., object],
    /,
    *args: object,
    name: str | None = None,
    restart: RestartType = "permanent",
    shutdown: float = 5.0,
    start_timeout: float = math.inf,
    significant: bool = False,
    backoff: Backoff | None = None,
    start: StartType = "fail",
    mailbox: Mailbox = DEFAULT_MAILBOX,
) -> ActorSpec[Actor] | ServiceSpec:
    """Declare a child: an actor or a service.

    Args:
        factory: Any callable that gives an `Actor` (a class, a partial, a function), or an
            async function: a service. A service with a `task_status` parameter is up when
            it calls `task_status.started()`, any other at once.
        args: What it is called with. Late refs among them, also inside lists, tuples and
            dicts, are replaced by the live ones.
        name: Unique among its siblings, without `/`; the factory's name in snake_case
            unless given.
        restart: `permanent`: always restarted. `transient`: after a crash or a kill.
            `temporary`: never, also not along with siblings.
        shutdown: Seconds from being told to stop until it is cut off, from 0 (at once) to
            `math.inf`.
        start_timeout: Seconds from the beginning of a start until that is given up.
        significant: Whether its own end may end its supervisor (`auto_shutdown`).
        backoff: Delays its restarts, which do not count in the supervisor's limit then.
        start: `fail`: a failing first start fails the supervisor's. `retry`: it is treated
            as a failed restart.
        mailbox: Of an actor: how many messages wait, and what happens to one more.

    What is wrong is recorded, and raised as `SpecError` by the supervisor it is given to.
    """
    called = name if name is not None else _snake(factory)
    service = _is_service(factory)
    spec: ActorSpec[Actor] | ServiceSpec
    if service:
        spec = ServiceSpec(
            name=called,
            named=name is not None,
            restart=restart,
            shutdown=shutdown,
            start_timeout=start_timeout,
            significant=significant,
            backoff=backoff,
            start=start,
            service=cast("Callable[..., Coroutine[object, Never, object]]", factory),
            args=args,
            says_when_up=_says_when_up(factory),
        )
    else:
        spec = ActorSpec(
            name=called,
            named=name is not None,
            restart=restart,
            shutdown=shutdown,
            start_timeout=start_timeout,
            significant=significant,
            backoff=backoff,
            start=start,
            factory=cast("Callable[..., Actor]", factory),
            args=args,
            mailbox=mailbox,
        )
    findings = [*_check_factory(called, factory), *check_options(spec)]
    findings += _check_args(called, factory, args)
    if not service:
        findings += check_mailbox(called, mailbox)
    elif mailbox is not DEFAULT_MAILBOX:
        findings.append(
            Finding(
                "invalid_mailbox",
                called,
                "a service takes no messages",
                "Leave mailbox out, or make it an Actor.",
            )
        )
    return evolve(spec, findings=tuple(findings)) if findings else spec


def supervisor(
    name: str,
    /,
    *children: AnySpec,
    strategy: Strategy = "one_for_one",
    intensity: int = 3,
    period: float = 5.0,
    auto_shutdown: AutoShutdown = "never",
    restart: RestartType = "permanent",
    shutdown: float = math.inf,
    start_timeout: float = math.inf,
    significant: bool = False,
    backoff: Backoff | None = None,
    start: StartType = "fail",
) -> Supervisor:
    """Declare a supervisor over *children*, which are started in this order.

    Args:
        name: Unique among its siblings, without `/`.
        children: What `child`, `supervisor` and `dynamic` gave; each value once in a tree.
        strategy: Whom the failure of a child takes along: nobody, all, or those after it.
        intensity: Restarts allowed within any *period*; one more and it gives up.
        period: Seconds.
        auto_shutdown: Whether the end of any, or of the last, significant child ends it.
        restart: As for `child`, for the supervisor as a child of another.
        shutdown: As for `child`; endless unless told, since its children have limits.
        start_timeout: As for `child`.
        significant: As for `child`.
        backoff: As for `child`.
        start: As for `child`.

    Raises:
        SpecError: Something is wrong with it or with any of its children.
    """
    spec = Supervisor(
        name=name,
        children=children,
        strategy=strategy,
        intensity=intensity,
        period=period,
        auto_shutdown=auto_shutdown,
        restart=restart,
        shutdown=shutdown,
        start_timeout=start_timeout,
        significant=significant,
        backoff=backoff,
        start=start,
    )
    refuse(check_supervisor(spec))
    return spec


def dynamic(
    name: str,
    /,
    *,
    max_children: float = math.inf,
    intensity: int = 3,
    period: float = 5.0,
    restart: RestartType = "permanent",
    shutdown: float = math.inf,
    start_timeout: float = math.inf,
    significant: bool = False,
    backoff: Backoff | None = None,
    start: StartType = "fail",
) -> Dynamic:
    """Declare a supervisor whose children are all started at run time (D9).

    Its children are restarted one for one, stopped in parallel, and forgotten when they end
    for good.

    Args:
        name: Unique among its siblings, without `/`.
        max_children: How many children it may have at once; restarting ones count.
        intensity: Restarts allowed within any *period*; one more and it gives up.
        period: Seconds.
        restart: As for `child`, for the supervisor as a child of another.
        shutdown: As for `child`; endless unless told, since its children have limits.
        start_timeout: As for `child`.
        significant: As for `child`.
        backoff: As for `child`.
        start: As for `child`.

    Raises:
        SpecError: Something is wrong with it.
    """
    spec = Dynamic(
        name=name,
        max_children=max_children,
        intensity=intensity,
        period=period,
        restart=restart,
        shutdown=shutdown,
        start_timeout=start_timeout,
        significant=significant,
        backoff=backoff,
        start=start,
    )
    refuse(check_supervisor(spec))
    return spec


# ------------------------------------------------------------------- looking at factories


def _plain(factory: object) -> object:
    while isinstance(factory, partial):
        factory = factory.func
    return factory


def _snake(factory: object) -> str:
    """`HTTPServer` becomes `http_server`."""
    name = getattr(_plain(factory), "__name__", "")
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", str(name))
    return spaced.lower()


def _is_service(factory: object) -> bool:
    plain = _plain(factory)
    if isinstance(plain, type):
        return False
    call = getattr(plain, "__call__", None)  # noqa: B004 - its own code is looked at
    return inspect.iscoroutinefunction(plain) or inspect.iscoroutinefunction(call)


def _signature_of(factory: Callable[..., object]) -> inspect.Signature | None:
    """Give the signature; `None` if it cannot be read."""
    if isinstance(factory, type):
        return _signature_of_class(factory)
    return _read_signature(factory)


# Reading a signature takes a tenth of a millisecond, and many children are of one class.
# Nothing else is kept: a function or partial may hold what a child was to be given.
@lru_cache(maxsize=256)
def _signature_of_class(factory: type) -> inspect.Signature | None:
    return _read_signature(factory)


def _read_signature(factory: Callable[..., object]) -> inspect.Signature | None:
    try:
        return inspect.signature(factory)
    except (TypeError, ValueError):
        return None


def _says_when_up(factory: Callable[..., object]) -> bool:
    signature = _signature_of(factory)
    return signature is not None and "task_status" in signature.parameters


def _check_factory(place: str, factory: object) -> Iterator[Finding]:
    plain = _plain(factory)
    if isinstance(plain, type):
        good = issubclass(plain, Actor)
        what = f"{plain.__qualname__} is no Actor class"
    else:
        good = callable(plain) and not isinstance(plain, ChildSpec)
        what = f"{factory!r} cannot be called"
    if not good:
        yield Finding(
            "invalid_child_type",
            place,
            what,
            "Pass a class derived from Actor, a function that gives one, or an async "
            "function.",
        )


def _check_args(
    place: str, factory: Callable[..., object], args: tuple[object, ...]
) -> Iterator[Finding]:
    signature = _signature_of(factory)
    if signature is None:
        return  # nothing to compare with; the call itself will tell
    keywords: dict[str, object] = {}
    if _is_service(factory) and "task_status" in signature.parameters:
        keywords["task_status"] = None
    try:
        signature.bind(*args, **keywords)
    except TypeError as error:
        called = getattr(_plain(factory), "__name__", "factory")
        takes = signature.replace(return_annotation=inspect.Signature.empty)
        yield Finding(
            "invalid_arguments",
            place,
            f"its arguments do not fit: {error}",
            f"It is called as {called}{takes}.",
        )
