"""Nodes of scenarios as bare specs of the core, refused as regrow's own functions do."""

import math

from attrs import define, evolve, field

from regrow._core.check import check_added, check_supervisor, refuse
from regrow._core.options import check_options
from regrow._core.specs import ChildSpec, DynamicSpec, SupervisorSpec
from regrow.errors import Finding

from .model import Node

__all__ = ["Specs", "seconds"]


def seconds(shutdown: int | str) -> float:
    """Give a `shutdown` of a scenario as regrow takes it; what is wrong stays so."""
    match shutdown:
        case "infinity":
            return math.inf
        case "brutal_kill":
            return 0.0
        case int():
            return shutdown / 1000
        case _:
            return shutdown  # type: ignore[return-value]  # wrong on purpose


@define
class Specs:
    """Nodes as specs, and the way back."""

    _nodes: dict[ChildSpec, Node] = field(factory=dict)

    def node(self, spec: ChildSpec) -> Node:
        """Give the node that *spec* was made of."""
        return self._nodes[spec]

    def make(self, node: Node, *, top: bool = False) -> ChildSpec:
        """Build the spec of *node*.

        Raises:
            SpecError: Of a supervisor, as regrow's own functions raise it.
        """
        name = node.id or "top"
        spec: ChildSpec
        if node.type == "supervisor":
            supervisor = self._supervisor(name, node, top=top)
            refuse(check_supervisor(supervisor))
            if node.template is not None:
                refuse(
                    check_added(supervisor, name, self._worker("tmpl", node.template))
                )
            spec = supervisor
        else:
            spec = self._worker(name, node)
        self._nodes[spec] = node
        return spec

    def _worker(self, name: str, node: Node) -> ChildSpec:
        spec = ChildSpec(
            name=name,
            restart=node.restart,  # type: ignore[arg-type]  # may be wrong on purpose
            shutdown=seconds(node.shutdown),
            significant=node.significant,
        )
        findings = list(check_options(spec))
        if node.type != "worker":  # regrow has no option to write this into
            text = f"the type is {node.type!r}"
            findings.append(Finding("invalid_child_type", name, text, "Use a worker."))
        return evolve(spec, findings=tuple(findings))

    def _supervisor(self, name: str, node: Node, *, top: bool) -> SupervisorSpec:
        make = SupervisorSpec if node.template is None else DynamicSpec
        children = () if node.template is not None else node.children
        strategy = node.strategy if node.template is None else "one_for_one"
        return make(
            name=name,
            restart=node.restart,  # type: ignore[arg-type]  # may be wrong on purpose
            shutdown=math.inf if top else seconds(node.shutdown),
            significant=node.significant,
            strategy=strategy,  # type: ignore[arg-type]  # the same
            intensity=node.intensity,
            period=float(node.period),
            auto_shutdown=node.auto_shutdown,  # type: ignore[arg-type]  # the same
            children=tuple(self.make(child) for child in children),
        )
