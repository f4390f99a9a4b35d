"""Scenarios as values. Sections are those of README.md, which tells the format.

A player gets a `Script`, which has no trace in it: it cannot know what is wanted.
"""

from collections import Counter
from collections.abc import Callable
from typing import Literal, TypeAlias

from attrs import evolve, field, frozen

__all__ = [
    "Attempts",
    "Call",
    "CountChildren",
    "DeleteChild",
    "EndMany",
    "EndWorker",
    "Entry",
    "Json",
    "Node",
    "Path",
    "Play",
    "Played",
    "Reason",
    "Refused",
    "RestartChild",
    "Scenario",
    "Script",
    "Sleep",
    "StartChild",
    "StartInstance",
    "StartTree",
    "Step",
    "StopTree",
    "TerminateChild",
    "TerminateInstance",
    "WhichChildren",
]

Json: TypeAlias = (
    "bool | int | float | str | list[Json] | dict[str, Json] | Refused | None"
)
"""A JSON value; where a player gives one, a result in it may be a `Refused`."""
Path: TypeAlias = tuple[str, ...]
Reason = Literal["crash", "normal", "shutdown"]


# ---------------------------------------------------------------------- the tree (2, 3)


@frozen(eq=False, kw_only=True)
class Node:
    """A supervisor or worker; two nodes are the same only if they are one object."""

    id: str
    type: str
    restart: str = "permanent"
    significant: bool = False
    shutdown: int | str = "infinity"
    init: tuple[str, ...] = ()
    stubborn: bool = False
    strategy: str = ""
    intensity: int = 0
    period: int = 3600
    auto_shutdown: str = "never"
    children: tuple["Node", ...] = ()

    @property
    def template(self) -> "Node | None":
        """The one template of a `simple_one_for_one`; `None` for any other node."""
        if self.strategy == "simple_one_for_one" and len(self.children) == 1:
            return self.children[0]
        return None

    def instance(self, key: str, init: tuple[str, ...], *, stubborn: bool) -> "Node":
        """Give a node for an instance of this template."""
        return evolve(self, id=key, init=init, stubborn=stubborn)


class Attempts:
    """How often each node has been started; never set back (3)."""

    def __init__(self) -> None:
        self._made: Counter[Node] = Counter()

    def next(self, node: Node) -> int:
        """Count one more attempt and give its number."""
        self._made[node] += 1
        return self._made[node]

    def outcome(self, node: Node) -> str:
        """What the latest attempt comes to."""
        n = self._made[node]
        return node.init[n - 1] if n <= len(node.init) else "ok"


# ---------------------------------------------------------------------------- steps (4)


@frozen
class StartTree:
    """Start the top supervisor."""


@frozen
class StopTree:
    """Stop it in order."""


@frozen
class StartChild:
    """`start_child` with a node."""

    sup: Path
    node: Node


@frozen
class StartInstance:
    """`start_child` of a `simple_one_for_one` (4.1)."""

    sup: Path
    key: str
    init: tuple[str, ...]
    stubborn: bool


@frozen
class TerminateChild:
    """By id."""

    sup: Path
    id: str


@frozen
class TerminateInstance:
    """By process (4.1)."""

    sup: Path
    target: Path


@frozen
class RestartChild:
    """By id."""

    sup: Path
    id: str


@frozen
class DeleteChild:
    """By id."""

    sup: Path
    id: str


@frozen
class WhichChildren:
    """All children of *sup*."""

    sup: Path


@frozen
class CountChildren:
    """The numbers of children of *sup*."""

    sup: Path


Call: TypeAlias = (
    StartChild
    | StartInstance
    | TerminateChild
    | TerminateInstance
    | RestartChild
    | DeleteChild
    | WhichChildren
    | CountChildren
)


@frozen
class EndWorker:
    """`crash`, `exit_normal`, `exit_shutdown`; a crash may hold a restart (4.3)."""

    path: Path
    reason: Reason
    hold: Path | None = None
    calls: tuple[Call, ...] = ()


@frozen
class EndMany:
    """`exit_many` (4.2)."""

    exits: tuple[tuple[Path, Reason], ...]


@frozen
class Sleep:
    """Time passes."""

    seconds: float


Step: TypeAlias = StartTree | StopTree | EndWorker | EndMany | Sleep | Call


# ------------------------------------------------------------------------- what is seen


@frozen
class Script:
    """What a player is given."""

    tree: Node
    steps: tuple[Step, ...]


@frozen
class Refused:
    """The result of a start that regrow refused with a `SpecError` (12).

    Attributes:
        codes: Those of its findings, in their order.
    """

    codes: tuple[str, ...]


@frozen
class Entry:
    """What happened in one step (5)."""

    events: list[Json]
    result: Json
    top: str
    tree: Json


@frozen
class Played:
    """What a player saw.

    Attributes:
        entries: One for each step that it could make.
        problem: Why it could not make the next one; `None` if it made all.
    """

    entries: list[Entry]
    problem: str | None = None


Play: TypeAlias = Callable[[Script], Played]


@frozen
class Scenario:
    """One line of a file.

    Attributes:
        id: Unique name.
        family: What it is about.
        departs: The rules by which regrow differs from it on purpose (12).
        script: What is to be done.
        steps: The same as it is written.
        trace: What OTP did, an entry a step, as it is written.
    """

    id: str
    family: str
    departs: frozenset[str]
    script: Script = field(repr=False)
    steps: tuple[dict[str, Json], ...] = field(repr=False)
    trace: tuple[dict[str, Json], ...] = field(repr=False)

    @property
    def comparable(self) -> bool:
        """Whether regrow is to do what the trace says; D2 has its own rule (12)."""
        return self.departs <= {"D2"}
