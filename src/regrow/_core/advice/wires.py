"""Who holds whose ref in a declared tree, and what that means for the order of starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from attrs import define, field

from regrow._core.specs import ChildSpec, Late

from .model import Node

__all__ = ["Wires", "wires_of"]


@define(eq=False)
class Wires:
    """The wiring of a tree.

    Attributes:
        held: The places whose refs each place is given, each once, in their order.
        unknown: The specs outside the tree whose refs each place is given.
        crossing: For each supervisor, between which of its children refs lead: from
            whatever is in the one to whatever is in the other.
        circle: The siblings that hold refs of each other, over however many: for each
            of them the same list, in start order.
    """

    held: dict[Node, dict[Node, None]] = field(factory=dict[Node, dict[Node, None]])
    unknown: dict[Node, list[ChildSpec]] = field(factory=dict[Node, list[ChildSpec]])
    crossing: dict[Node, dict[Node, dict[Node, None]]] = field(
        factory=dict[Node, dict[Node, dict[Node, None]]]
    )
    circle: dict[Node, list[Node]] = field(factory=dict[Node, list[Node]])


def wires_of(nodes: Sequence[Node]) -> Wires:
    """Find out who holds whose ref."""
    wires = Wires()
    by_spec = {id(node.spec): node for node in nodes}
    for node in nodes:
        for late in _refs_in(node.traits.args):
            spec = late.spec
            target = by_spec.get(id(spec))
            if target is not None:
                wires.held.setdefault(node, {})[target] = None
            elif spec is not None:
                wires.unknown.setdefault(node, []).append(spec)
    for holder, targets in wires.held.items():
        for target in targets:
            pair = branches(holder, target)
            if pair is not None and pair[0].parent is not None:
                graph = wires.crossing.setdefault(pair[0].parent, {})
                graph.setdefault(pair[0], {})[pair[1]] = None
    for graph in wires.crossing.values():
        for circle in _circles(graph):
            wires.circle.update(dict.fromkeys(circle, circle))
    return wires


def branches(one: Node, other: Node) -> tuple[Node, Node] | None:
    """Give the siblings that two places are in; `None` if one is above the other."""
    while one.depth > other.depth and one.parent is not None:
        one = one.parent
    while other.depth > one.depth and other.parent is not None:
        other = other.parent
    if one is other:
        return None
    while one.parent is not other.parent and one.parent and other.parent:
        one, other = one.parent, other.parent
    return one, other


def _refs_in(args: tuple[object, ...]) -> Iterator[Late]:
    """Give the late refs in *args*, also inside lists, tuples and dicts; each list once."""
    ahead: list[object] = list(reversed(args))
    seen: set[int] = set()
    while ahead:
        value = ahead.pop()
        if isinstance(value, Late):
            yield value
        elif id(value) not in seen:
            seen.add(id(value))
            ahead.extend(reversed(inside(value)))


def inside(value: object) -> list[object]:
    """Give what a list, tuple or dict holds, where the tree looks for late refs."""
    if isinstance(value, dict):
        return list(cast("dict[object, object]", value).values())
    if isinstance(value, list | tuple):
        return list(cast("Iterable[object]", value))
    return []


def _circles(graph: Mapping[Node, Mapping[Node, None]]) -> Iterator[list[Node]]:
    """Give the strongly connected parts with more than one node (Kosaraju's way)."""
    back: dict[Node, dict[Node, None]] = {}
    for one, others in graph.items():
        for other in others:
            back.setdefault(other, {})[one] = None
    finished: list[Node] = []
    seen: set[Node] = set()
    for start in graph:
        finished.extend(_finish(start, graph, seen))
    taken: set[Node] = set()
    for start in reversed(finished):
        part = list(_finish(start, back, taken))
        if len(part) > 1:
            yield sorted(part, key=lambda node: node.position)


def _finish(
    start: Node, graph: Mapping[Node, Mapping[Node, None]], seen: set[Node]
) -> Iterator[Node]:
    """Give what is reached from *start* and was not seen, each after what it reaches."""
    if start in seen:
        return
    seen.add(start)
    ahead = [(start, iter(graph.get(start, ())))]
    while ahead:
        node, others = ahead[-1]
        other = next((each for each in others if each not in seen), None)
        if other is None:
            ahead.pop()
            yield node
        else:
            seen.add(other)
            ahead.append((other, iter(graph.get(other, ()))))
