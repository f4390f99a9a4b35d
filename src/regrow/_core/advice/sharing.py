"""Which mutable arguments outlive an incarnation, or are in several hands.

A place hands the same objects to each of its incarnations, so what a crashed one has left
in a list is there for the next. Only Python's own containers are looked for: whether an
object of some class may be shared (a socket, a clock, a `Random`) is for its class to say.
What holds late refs is wiring, and nobody writes into that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TypeAlias, TypeGuard

from attrs import define, field

from regrow._core.check import within
from regrow._core.specs import Late

from .model import Node

__all__ = ["Shared", "shared_by"]

Mutable: TypeAlias = (
    "list[object] | dict[object, object] | set[object] | bytearray | deque[object]"
)


@define(eq=False)
class Shared:
    """The mutable arguments of a tree.

    Attributes:
        given: What each place is given, in order.
        holders: The places that are given an object, by its identity, in start order.
    """

    given: dict[Node, list[Mutable]] = field(factory=dict[Node, list["Mutable"]])
    holders: dict[int, list[Node]] = field(factory=dict[int, list[Node]])


def shared_by(nodes: Sequence[Node]) -> Shared:
    """Look through the arguments of all places."""
    shared = Shared()
    for node in nodes:
        for value in _mutable_in((*node.traits.preset, *node.traits.args)):
            shared.given.setdefault(node, []).append(value)
            shared.holders.setdefault(id(value), []).append(node)
    return shared


def _mutable_in(args: tuple[object, ...]) -> Iterator[Mutable]:
    """Give the outermost mutable containers that hold no wiring, each once."""
    ahead: list[object] = list(reversed(args))
    seen: set[int] = set()
    while ahead:
        value = ahead.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if _is_mutable(value) and not _holds_wiring(value):
            yield value
        else:
            ahead.extend(reversed(within(value)))


def _is_mutable(value: object) -> TypeGuard[Mutable]:
    return isinstance(value, list | dict | set | bytearray | deque)


def _holds_wiring(value: object) -> bool:
    ahead = [value]
    seen: set[int] = set()
    while ahead:
        here = ahead.pop()
        if isinstance(here, Late):
            return True
        if id(here) not in seen:
            seen.add(id(here))
            ahead.extend(within(here))
    return False
