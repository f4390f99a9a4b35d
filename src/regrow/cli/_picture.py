"""A declared tree as a drawing, and as data."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Final

from attrs import asdict, frozen
from rich.text import Text
from rich.tree import Tree as Drawing

from regrow._core.advice.model import (
    Node,
    amount,
    listed,
    nodes_of,
    printable,
    seconds,
)
from regrow._core.advice.wires import Wires, wires_of
from regrow._core.backoff import Backoff
from regrow._core.specs import Mailbox, SupervisorSpec

__all__ = ["MOST_PLACES", "Picture", "as_data"]

MOST_PLACES: Final = 200
MOST_CHILDREN: Final = 20


@frozen
class Picture:
    """A drawing, and a line that says how much of the tree is in it."""

    drawn: Drawing
    summary: str

    @classmethod
    def of(cls, tree: SupervisorSpec, *, most: int | None) -> Picture:
        """Draw *tree*.

        Args:
            tree: What to draw.
            most: Places that are shown, the upper levels first, and at most 20 children
                of each supervisor; all if `None`.
        """
        nodes = nodes_of(tree)
        wires = wires_of(nodes)
        shown = nodes if most is None else _first(nodes[0], most)
        kept = set(shown)
        total = _sizes(nodes)
        drawings: dict[Node, Drawing] = {}
        for node in nodes:
            if node not in kept:
                continue
            label = _label(node, wires, whole=most is None)
            above = None if node.parent is None else drawings[node.parent]
            drawings[node] = Drawing(label) if above is None else above.add(label)
        for node, drawing in drawings.items():
            left = sum(total[child] for child in node.children if child not in kept)
            if left:
                drawing.add(Text(f"{left:,} more, which --all shows", style="italic"))
        count = f"{len(nodes):,} place{'' if len(nodes) == 1 else 's'}"
        if len(kept) < len(nodes):
            count = f"{len(kept):,} of {count}; --all shows the others"
        return cls(drawings[nodes[0]], count)


def _first(root: Node, most: int) -> list[Node]:
    """Give at most so many places, level by level."""
    found: list[Node] = []
    ahead = deque([root])
    while ahead and len(found) < most:
        node = ahead.popleft()
        found.append(node)
        ahead.extend(node.children[:MOST_CHILDREN])
    return found


def _sizes(nodes: list[Node]) -> dict[Node, int]:
    """Give how many places each is, with all below it."""
    found: dict[Node, int] = {}
    for node in reversed(nodes):
        found[node] = 1 + sum(found[child] for child in node.children)
    return found


# ------------------------------------------------------------------------------- words


def _label(node: Node, wires: Wires, *, whole: bool) -> Text:
    """Give a name with what is declared of it; as text, so that no name is markup."""
    return Text.assemble(
        (printable(str(node.spec.name)), "bold"),
        f"  {', '.join(_options(node))}",
        *(
            (f"\n  {printable(line)}", "dim")
            for line in _more(node, wires, whole=whole)
        ),
    )


def _options(node: Node) -> Iterator[str]:
    spec, own = node.spec, node.supervisor
    yield node.traits.kind
    if own is not None:
        if own.forgets:
            most = own.max_children
            yield (
                "any number of children"
                if most == math.inf
                else f"{amount(most)} children"
            )
        else:
            yield own.strategy
        restarts = (
            "1 restart" if own.intensity == 1 else f"{amount(own.intensity)} restarts"
        )
        yield f"{restarts} in {seconds(own.period)}"
        if own.auto_shutdown != "never":
            yield f"auto_shutdown {own.auto_shutdown}"
    if node.parent is not None:
        yield spec.restart
    if spec.significant:
        yield "significant"
    if spec.start == "retry":
        yield "start retry"
    if math.isfinite(spec.start_timeout):
        yield f"{seconds(spec.start_timeout)} to start"
    if math.isfinite(spec.shutdown):
        yield f"{seconds(spec.shutdown)} to stop"
    elif own is None:
        yield "no limit to stop"
    mailbox = node.traits.mailbox
    if mailbox is not None:
        room = "no bound" if mailbox.capacity == math.inf else amount(mailbox.capacity)
        clear = ", cleared by a restart" if mailbox.on_restart == "clear" else ""
        yield f"mailbox {room} ({mailbox.on_full}{clear})"


def _more(node: Node, wires: Wires, *, whole: bool) -> Iterator[str]:
    backoff, heartbeat = node.spec.backoff, node.traits.heartbeat
    if backoff is not None:
        yield _backoff(backoff)
    if heartbeat is not None:
        misses = "miss" if heartbeat.misses == 1 else "misses"
        yield (
            f"heartbeat every {seconds(heartbeat.every)}, {seconds(heartbeat.timeout)} to "
            f"answer, {amount(heartbeat.misses)} {misses}"
        )
    held = [target.path for target in wires.held.get(node, ())]
    if held:
        yield f"holds the ref of {listed(held, len(held) if whole else 5)}"
    unknown = [spec.name for spec in wires.unknown.get(node, ())]
    if unknown:
        names = listed(unknown, len(unknown) if whole else 5)
        yield f"holds the ref of {names}, not in this tree"


def _backoff(backoff: Backoff) -> str:
    grows = f", times {backoff.factor:g} up to {seconds(backoff.maximum)}"
    parts = f"backoff {seconds(backoff.initial)}{grows if backoff.factor > 1 else ''}"
    if backoff.jitter:
        parts += f", less up to {backoff.jitter:.0%}"
    if backoff.max_attempts != math.inf:
        attempts = "attempt" if backoff.max_attempts == 1 else "attempts"
        parts += f", {amount(backoff.max_attempts)} {attempts}"
    return f"{parts}, healthy after {seconds(backoff.reset_after)}"


# -------------------------------------------------------------------------------- data


def as_data(tree: SupervisorSpec) -> dict[str, object]:
    """Give the whole tree as values for JSON: a list of places, parents first.

    A list, since a tree may be deeper than readers of JSON let values be. What is endless
    or has no bound is `None`.
    """
    nodes = nodes_of(tree)
    wires = wires_of(nodes)
    held_by: dict[Node, list[str]] = {}
    for holder, targets in wires.held.items():
        for target in targets:
            held_by.setdefault(target, []).append(holder.path)
    return {
        "tree": tree.name,
        "places": [_place(node, wires, held_by.get(node, [])) for node in nodes],
    }


def _place(node: Node, wires: Wires, held_by: list[str]) -> dict[str, object]:
    spec, own = node.spec, node.supervisor
    heartbeat = node.traits.heartbeat
    place: dict[str, object] = {
        "path": node.path,
        "parent": None if node.parent is None else node.parent.path,
        "name": spec.name,
        "kind": node.traits.kind,
        "restart": spec.restart,
        "shutdown": _finite(spec.shutdown),
        "start": spec.start,
        "start_timeout": _finite(spec.start_timeout),
        "significant": spec.significant,
        "backoff": None if spec.backoff is None else _finite_fields(spec.backoff),
        "heartbeat": None
        if heartbeat is None
        else {
            "every": heartbeat.every,
            "timeout": heartbeat.timeout,
            "misses": heartbeat.misses,
        },
        "mailbox": None
        if node.traits.mailbox is None
        else _finite_fields(node.traits.mailbox),
        "holds": [target.path for target in wires.held.get(node, ())],
        "held_by": held_by,
    }
    if own is not None:
        place |= {
            "strategy": own.strategy,
            "intensity": own.intensity,
            "period": own.period,
            "auto_shutdown": own.auto_shutdown,
            "max_children": _finite(own.max_children),
        }
    return place


def _finite_fields(value: Backoff | Mailbox) -> dict[str, object]:
    return {name: _finite(each) for name, each in asdict(value).items()}


def _finite(value: object) -> object:
    return None if value == math.inf else value
