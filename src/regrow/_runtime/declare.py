"""Declaring a tree: `child`, `supervisor` and `dynamic` give frozen values; nothing runs."""

from __future__ import annotations

import math
from typing import (
    TYPE_CHECKING,
    Never,
    Protocol,
    TypeVar,
    TypeVarTuple,
    Unpack,
    cast,
    overload,
)

from attrs import evolve

from regrow._core.check import check_supervisor, refuse
from regrow._core.options import check_heartbeat, check_mailbox, check_options
from regrow.errors import Finding

from .actor import Actor
from .factories import (
    check_args,
    check_factory,
    check_health_method,
    is_service,
    says_when_up,
    snake,
)
from .specs import DEFAULT_MAILBOX, ActorSpec, Dynamic, ServiceSpec, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    import trio

    from regrow._core.backoff import Backoff
    from regrow._core.heartbeat import Heartbeat
    from regrow._core.specs import (
        AutoShutdown,
        Mailbox,
        RestartType,
        StartType,
        Strategy,
    )

    from .specs import AnySpec

__all__ = ["child", "dynamic", "supervisor"]

A = TypeVar("A", bound=Actor)
Ts = TypeVarTuple("Ts")


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
    heartbeat: Heartbeat | None = None,
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
    heartbeat: Heartbeat | None = None,
) -> ActorSpec[Actor] | ServiceSpec:
    """Declare a child: an actor or a service.

    Args:
        factory: Any callable that gives an `Actor` (a class, a partial, a function), or an
            async function: a service. A service with a `task_status` parameter is up when
            it calls `task_status.started()`, any other at once.
        args: What it is called with. Late refs among them, and in a partial that is the
            factory, are replaced by the live ones, also inside lists, tuples, dicts and
            other partials.
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
        heartbeat: Of an actor: how often it is asked whether it is healthy, and when it
            counts as hung, so that it is cut off and restarted.

    What is wrong is recorded, and raised as `SpecError` by the supervisor it is given to.
    """
    called = name if name is not None else snake(factory)
    service = is_service(factory)
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
            says_when_up=says_when_up(factory),
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
            heartbeat=heartbeat,
        )
    findings = [*check_factory(called, factory), *check_options(spec)]
    findings += check_args(called, factory, args)
    if not service:
        if mailbox is not DEFAULT_MAILBOX:
            findings += check_mailbox(called, mailbox)
        if heartbeat is not None:
            findings += check_heartbeat(called, heartbeat)
            findings += check_health_method(called, factory)
        return evolve(spec, findings=tuple(findings)) if findings else spec
    if mailbox is not DEFAULT_MAILBOX:
        findings.append(
            Finding(
                "invalid_mailbox",
                called,
                "a service takes no messages",
                "Leave mailbox out, or make it an Actor.",
            )
        )
    if heartbeat is not None:
        findings.append(
            Finding(
                "invalid_heartbeat",
                called,
                "a service takes no messages, so it cannot be asked for its health",
                "Leave heartbeat out, or make it an Actor.",
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
