"""Who holds whose ref in a declared tree, and what that means for the order of starts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from attrs import define, field

from regrow._core.check import within
from regrow._core.specs import ChildSpec, Late

from .model import Node

__all__ = ["Wires", "wires_of"]


@define(eq=False)
class Wires:
    """The wiring of a tree.

    Attributes:
        held: The places whose refs each place is given, each once, in their order.
        unknown: The specs outside the tree whose refs each place is given.
        unbound: The specs whose late refs each place is given where nobody looks for them,
            so that no live ones take their place.
        unread: The places whose declarations each place is given, instead of their refs.
        crossing: For each supervisor, between which of its children refs lead: from
            whatever is in the one to whatever is in the other.
        circle: The siblings that hold refs of each other, over however many: for each
            of them the same list, in start order.
    """

    held: dict[Node, dict[Node, None]] = field(factory=dict[Node, dict[Node, None]])
    unknown: dict[Node, list[ChildSpec]] = field(factory=dict[Node, list[ChildSpec]])
    unbound: dict[Node, dict[ChildSpec, None]] = field(
        factory=dict[Node, dict[ChildSpec, None]]
    )
    unread: dict[Node, dict[Node, None]] = field(factory=dict[Node, dict[Node, None]])
    crossing: dict[Node, dict[Node, dict[Node, None]]] = field(
        factory=dict[Node, dict[Node, dict[Node, None]]]
    )
    circle: dict[Node, list[Node]] = field(factory=dict[Node, list[Node]])


def wires_of(nodes: Sequence[Node]) -> Wires:
    """Find out who holds whose ref."""
    wires = Wires()
    by_spec = {id(node.spec): node for node in nodes}
    for node in nodes:
        for given, bound in _given_to(node):
            spec = given.spec if isinstance(given, Late) else given
            target = by_spec.get(id(spec))
            if spec is None:
                continue  # a live one, of a tree that runs
            if not isinstance(given, Late):
                if target is not None:  # else it is one to be started later
                    wires.unread.setdefault(node, {})[target] = None
            elif not bound:
                wires.unbound.setdefault(node, {})[spec] = None
            elif target is None:
                wires.unknown.setdefault(node, []).append(spec)
            else:
                wires.held.setdefault(node, {})[target] = None
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


def _given_to(node: Node) -> Iterator[tuple[Late | ChildSpec, bool]]:
    """Give the refs and specs that a place is given, and whether live ones take their place.

    They do for late refs in its arguments and in what a partial adds to them, also inside
    lists, tuples, dicts and other partials; each list once.
    """
    given = (*node.traits.preset, *node.traits.args)
    ahead = [(value, True) for value in reversed(given)]
    seen: set[tuple[int, bool]] = set()
    while ahead:
        value, bound = ahead.pop()
        if isinstance(value, Late | ChildSpec):
            yield value, bound
        elif (id(value), bound) not in seen:
            seen.add((id(value), bound))
            ahead.extend((each, False) for each in reversed(_hidden(value)))
            ahead.extend((each, bound) for each in reversed(within(value)))


def _hidden(value: object) -> list[object]:
    """Give what *value* holds where the tree does not look for late refs."""
    if isinstance(value, dict):
        return list(cast("dict[object, object]", value))
    if isinstance(value, set | frozenset | deque):
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
