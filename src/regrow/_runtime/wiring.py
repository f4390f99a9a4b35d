"""The places of a declared tree, and the live refs that its children are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from regrow._core.specs import Late, SupervisorSpec
from regrow.errors import UnboundRefError

from .actor_place import ActorPlace
from .place import Place, SupervisorPlace
from .requests import ref_to
from .specs import ActorSpec

if TYPE_CHECKING:
    from regrow._core.specs import ChildSpec

    from .actor import Actor
    from .host import Host

__all__ = ["live_args", "make_place"]


def make_place(host: Host, parent: SupervisorPlace | None, spec: ChildSpec) -> Place:
    """Make the place of *spec*, with those of all children declared below it."""
    place: Place
    if isinstance(spec, ActorSpec):
        factory: object = spec.factory
        known = factory if isinstance(factory, type) else None
        own = cast("ActorSpec[Actor]", spec)
        place = ActorPlace(host, parent, own, own.mailbox, known)
    elif isinstance(spec, SupervisorSpec):
        above = SupervisorPlace(host, parent, spec)
        for child in spec.children:
            above.declared[child.name] = make_place(host, above, child)
        above.children = dict(above.declared)
        place = above
    else:
        place = Place(host, parent, spec)
    host.register(place)
    return place


def live_args(place: Place, args: tuple[object, ...]) -> tuple[object, ...]:
    """Give the arguments with live refs for late ones; looked up once for a place."""
    if place.args is None:
        place.args = cast("tuple[object, ...]", _live(args, place.host))
    return place.args


def _live(value: object, host: Host) -> object:
    """Replace late refs in *value*; whatever holds none is passed on as it is."""
    kind = type(value)
    if kind is tuple:
        items = cast("tuple[object, ...]", value)
        made = tuple(_live(item, host) for item in items)
        return value if all(a is b for a, b in zip(made, items, strict=True)) else made
    if kind is list:
        members = cast("list[object]", value)
        changed = [_live(item, host) for item in members]
        same = all(a is b for a, b in zip(changed, members, strict=True))
        return value if same else changed
    if kind is dict:
        table = cast("dict[object, object]", value)
        new = {key: _live(item, host) for key, item in table.items()}
        return value if all(new[key] is table[key] for key in table) else new
    if isinstance(value, Late) and value.spec is not None:
        place = host.by_spec.get(id(value.spec))
        if place is None:  # it has gone while the request to start this one was in line
            raise UnboundRefError(value.spec.name)
        return ref_to(place)
    return value
