"""What the checks see and say: nodes of a declared tree, and advice about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from attrs import define, field, frozen

from regrow._core.specs import ChildSpec, SupervisorSpec, Traits
from regrow.errors import Finding

__all__ = [
    "Advice",
    "Node",
    "Said",
    "Severity",
    "amount",
    "listed",
    "nodes_of",
    "printable",
    "seconds",
]

Severity = Literal["error", "warning", "hint"]


@frozen
class Said:
    """What a rule says about a node: the reason, and the remedy."""

    reason: str
    remedy: str


@frozen
class Advice:
    """What `check` has found at one place of a declared tree.

    Attributes:
        code: Stable short name of the rule, such as `ref_to_later`.
        severity: `error`: something that is declared can never happen, or a bound that
            was given does not hold. `warning`: it is valid, and seldom what was meant.
            `hint`: it may well be meant, and has a price.
        path: The place that it is about.
        reason: What was found, and what follows from it.
        remedy: What to write instead.
    """

    code: str
    severity: Severity
    path: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        """Give it as one line, without control characters."""
        return printable(
            f"{self.path}: {self.severity}: {self.reason} [{self.code}]. {self.remedy}"
        )

    @classmethod
    def of(cls, finding: Finding) -> Advice:
        """Give what a `SpecError` was raised for as advice: it is an error."""
        return cls(
            finding.code, "error", finding.place, finding.message, finding.remedy
        )


@define(eq=False)
class Node:
    """One declared place.

    Attributes:
        path: From the root.
        spec: What stands there.
        traits: What that is, besides its options.
        parent: Its supervisor.
        position: Its number among its siblings, in start order.
        depth: How many supervisors are above it.
        children: In start order.
    """

    path: str
    spec: ChildSpec
    traits: Traits
    parent: Node | None
    position: int
    depth: int
    children: list[Node] = field(factory=list["Node"], init=False)

    @property
    def supervisor(self) -> SupervisorSpec | None:
        """The spec of a supervisor, with its strategy and its limit."""
        return self.spec if isinstance(self.spec, SupervisorSpec) else None

    @property
    def above(self) -> SupervisorSpec | None:
        """The spec of its supervisor."""
        return None if self.parent is None else self.parent.supervisor


def nodes_of(root: ChildSpec) -> list[Node]:
    """Give all places of a tree, parents first, in start order.

    By a stack of its own: a tree may be deeper than Python lets functions call each other.
    """
    found: list[Node] = []
    ahead = [Node(str(root.name), root, root.traits(), None, 0, 0)]
    while ahead:
        node = ahead.pop()
        found.append(node)
        if node.parent is not None:
            node.parent.children.append(node)
        if isinstance(node.spec, SupervisorSpec):
            for position, child in reversed(list(enumerate(node.spec.children))):
                path = f"{node.path}/{child.name}"
                below = Node(
                    path, child, child.traits(), node, position, node.depth + 1
                )
                ahead.append(below)
    return found


# ------------------------------------------------------------------------------- words

_LONGEST = 10**15


def seconds(number: float) -> str:
    """`1.5 s`."""
    return f"{number:.4g} s"


def amount(number: float) -> str:
    """Give a whole number, which may be longer than anybody would read."""
    return f"{int(number)}" if number <= _LONGEST else f"more than {_LONGEST}"


def listed(names: Iterable[str], most: int = 3) -> str:
    """Give names in quotes, at most so many of them, and how many more there are."""
    every = list(names)
    shown = [repr(name) for name in every[:most]]
    left = len(every) - len(shown)
    if left:
        return f"{', '.join(shown)} and {left} more"
    *first, last = shown
    return f"{', '.join(first)} and {last}" if first else last


def printable(text: str) -> str:
    """Give *text* with whatever a terminal might act upon written as an escape."""
    if text.isprintable():
        return text
    return "".join(_escaped(text))


def _escaped(text: str) -> Iterator[str]:
    for character in text:
        if character.isprintable():
            yield character
        else:
            yield character.encode("unicode_escape").decode("ascii")
