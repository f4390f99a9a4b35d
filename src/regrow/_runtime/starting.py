"""Starting the workers of a supervisor: what the user's factory gives becomes a life."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from regrow.errors import NotAnActorError, UnboundRefError

from .actor import Actor, attach, has_lifespan
from .actor_life import ActorLife
from .context import enter_place
from .service_life import ServiceLife
from .user import call_user
from .wiring import live_call

if TYPE_CHECKING:
    from collections.abc import Callable

    import trio

    from regrow._core import steps

    from .actor_place import ActorPlace
    from .place import Place
    from .specs import ActorSpec, ServiceSpec

__all__ = ["start_actor", "start_service"]


def start_actor(
    place: ActorPlace,
    run: int,
    report: Callable[[steps.Event], None],
    nursery: trio.Nursery,
) -> None:
    """Make the actor; without a lifespan of its own it is up with that."""
    enter_place(place.path)
    spec = cast("ActorSpec[Actor]", place.spec)
    life = ActorLife(place, run, report)
    try:
        factory, args = live_call(place, spec.factory, spec.args)
        actor: object = call_user(factory, args, {})
        if not isinstance(actor, Actor):
            raise NotAnActorError(place.path, actor)  # noqa: TRY301 - as theirs
    except BaseException as error:  # noqa: ASYNC103, BLE001 - see Life.end
        life.end(error, cut=False)
        return  # noqa: ASYNC104
    if type(actor) is not place.actor_type:
        place.know_type(type(actor))
    attach(actor, life)
    own = has_lifespan(actor)
    life.adopt(actor, actor.lifespan if own else None)
    nursery.start_soon(life.live, name=place.path)
    if own:
        life.limit_start()
    else:
        life.is_up()


def start_service(
    place: Place,
    run: int,
    report: Callable[[steps.Event], None],
    nursery: trio.Nursery,
) -> None:
    """Start the service; without a `task_status` parameter it is up with that."""
    enter_place(place.path)
    spec = cast("ServiceSpec", place.spec)
    life = ServiceLife(place, run, report)
    try:
        service, args = live_call(place, spec.service, spec.args)
    except UnboundRefError as error:
        life.end(error, cut=False)
        return
    if spec.says_when_up:
        life.limit_start()
    else:
        life.is_up()
    nursery.start_soon(life.live, service, args, name=place.path)
