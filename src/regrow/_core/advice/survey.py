"""A declared tree as the rules look at it: its places, and what was worked out of them."""

from __future__ import annotations

from attrs import frozen

from regrow._core.specs import SupervisorSpec

from .figures import (
    crash_products,
    paces,
    start_failures,
    stop_times,
    worst_product,
)
from .model import Node, nodes_of
from .sharing import Shared, shared_by
from .wires import Wires, wires_of

__all__ = ["Survey", "survey_of"]


@frozen
class Survey:
    """All that a rule may know.

    Attributes:
        nodes: The places, parents first, in start order.
        grace: Seconds that the program is given to stop.
        stop: Seconds that each place may take to stop.
        start_fails: Whether the start of each can fail.
        pace: The least seconds from its being up until it fails.
        crashes: Of the supervisors: how many crashes of a child end the tree.
        worst: Where that is most, below another supervisor.
        wires: Who holds whose ref.
        shared: The mutable arguments.
    """

    nodes: list[Node]
    grace: float
    stop: dict[Node, float]
    start_fails: dict[Node, bool]
    pace: dict[Node, float]
    crashes: dict[Node, int]
    worst: Node | None
    wires: Wires
    shared: Shared


def survey_of(tree: SupervisorSpec, grace: float) -> Survey:
    """Work out what the rules need; once for the whole tree."""
    nodes = nodes_of(tree)
    fails = start_failures(nodes)
    crashes = crash_products(nodes)
    return Survey(
        nodes=nodes,
        grace=grace,
        stop=stop_times(nodes),
        start_fails=fails,
        pace=paces(nodes, fails),
        crashes=crashes,
        worst=worst_product(crashes),
        wires=wires_of(nodes),
        shared=shared_by(nodes),
    )
