"""The places of a declared tree, and the live refs that its children are given."""

from __future__ import annotations

from copy import copy
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from regrow._core.specs import Late, SupervisorSpec
from regrow.errors import UnboundRefError

from .actor_place import ActorPlace
from .place import Place, SupervisorPlace
from .requests import ref_to
from .specs import ActorSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from regrow._core.specs import ChildSpec

    from .actor import Actor
    from .host import Host

__all__ = ["live_call", "make_place", "place_for", "remove_child", "why_closed"]

F = TypeVar("F", bound="Callable[..., object]")
_Parts: TypeAlias = (
    "tuple[Callable[..., object], tuple[object, ...], dict[str, object]]"
)


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


def place_for(own: SupervisorPlace, spec: ChildSpec) -> Place:
    """Give the place of a child of *own* that is started, making it for a new one."""
    place = own.children.get(spec.name)
    if place is not None and place.spec is spec:
        return place
    place = own.declared.get(spec.name)
    if place is None or place.spec is not spec:
        place = make_place(own.host, own, spec)
    own.children[spec.name] = place
    return place


def remove_child(own: SupervisorPlace, name: str) -> None:
    """The child is forgotten; a declared one comes back with a new incarnation."""
    place = own.children.pop(name)
    if own.declared.get(name) is place:
        place.close(why_closed(place))
    else:
        place.remove(why_closed(place))


def why_closed(place: Place) -> str:
    """Say in words why *place* takes no more messages."""
    if place.host.stopping:
        return "is closed: its tree is stopping"
    return "is closed: its child has ended"


def live_call(
    place: Place, called: F, args: tuple[object, ...]
) -> tuple[F, tuple[object, ...]]:
    """Give what makes the child, and its arguments, with live refs for late ones.

    They are looked up once for a place: what it is given is the same for all incarnations,
    also when a place that it holds the ref of has gone.
    """
    if isinstance(called, partial):
        if place.args is None:
            every = (cast("object", called), *args)
            place.args = cast("tuple[object, ...]", _live(every, place.host))
        return cast("F", place.args[0]), place.args[1:]
    if place.args is None and args:
        place.args = cast("tuple[object, ...]", _live(args, place.host))
    return called, place.args or ()


def _live(value: object, host: Host, inside: frozenset[int] = frozenset()) -> object:
    """Replace late refs in *value*; whatever holds none is passed on as it is.

    What holds itself, as *inside* tells, is there as it was given.
    """
    if not isinstance(value, tuple | list | dict | partial):
        return _live_ref(value, host)
    if id(cast("object", value)) in inside:
        return cast("object", value)
    inside |= {id(cast("object", value))}
    if isinstance(value, tuple):
        items = cast("tuple[object, ...]", value)
        made = tuple(_live(item, host, inside) for item in items)
        if all(a is b for a, b in zip(made, items, strict=True)):
            return items
        make = getattr(type(items), "_make", type(items))  # a named tuple's own
        return cast("object", make(made))
    if isinstance(value, list):
        members = cast("list[object]", value)
        changed = [_live(item, host, inside) for item in members]
        if all(a is b for a, b in zip(changed, members, strict=True)):
            return members
        copied = copy(members)
        copied[:] = changed
        return copied
    if isinstance(value, partial):
        called = cast("partial[object]", value)
        parts = (called.func, called.args, called.keywords)
        found = _live(parts, host, inside)
        if found is parts:
            return called
        fn, given, keywords = cast("_Parts", found)
        return type(called)(fn, *given, **keywords)
    table = cast("dict[object, object]", value)
    new = {key: _live(item, host, inside) for key, item in table.items()}
    if all(new[key] is table[key] for key in table):
        return table
    renewed = copy(table)
    renewed.update(new)
    return renewed


def _live_ref(value: object, host: Host) -> object:
    """Give the live ref for a late one, and anything else as it is."""
    if isinstance(value, Late) and value.spec is not None:
        place = host.by_spec.get(id(value.spec))
        if place is None:  # it has gone while the request to start this one was in line
            raise UnboundRefError(value.spec.name)
        return ref_to(place)
    return value
