"""A child as its supervisor's machine knows it."""

from collections.abc import Collection
from enum import Enum, auto
from typing import Literal, assert_never

from attrs import define

from .backoff import FailureRow
from .exits import Exit
from .specs import ChildSpec, Strategy
from .steps import ChildCounts, ChildInfo

__all__ = [
    "DOWN",
    "RESTARTING",
    "RUNNING",
    "STARTING",
    "STOPPING",
    "Child",
    "Status",
    "count",
    "covered",
    "info",
    "kept_down",
]


class Status(Enum):
    """What a child is doing, as far as its supervisor knows."""

    DOWN = auto()
    STARTING = auto()
    RUNNING = auto()
    STOPPING = auto()
    RESTARTING = auto()


# A global name is found ten times as fast as a member of an enum.
DOWN = Status.DOWN
STARTING = Status.STARTING
RUNNING = Status.RUNNING
STOPPING = Status.STOPPING
RESTARTING = Status.RESTARTING


@define(eq=False)
class Child:
    """A child and what is known of it."""

    spec: ChildSpec
    status: Status = DOWN
    run: int = 0
    """The start that events must name; 0 while there is none."""
    open: bool = True
    """Whether its place takes messages: it runs, or will without being asked for."""
    added: bool = False
    """Whether it was started by a caller: then it does not outlive this life (S39)."""
    exit: Exit | None = None
    """How it ended, while that stands in line and it still counts as running (S44)."""
    token: int = 0
    """The retry or delay that it waits for; 0 for none (S33)."""
    delayed: bool = False
    """Whether it waits for a delay (D5), not for its turn in the line (S31)."""
    row: FailureRow | None = None
    """Its failures in a row, where it has a backoff."""
    failed: BaseException | None = None
    """What its last start failed of, until that is tried again."""
    up_at: float = 0.0
    ended_at: float = 0.0

    @property
    def active(self) -> bool:
        """Whether it counts as a significant child that is still there (S46)."""
        return self.status in {RUNNING, RESTARTING, STARTING}


def covered(
    strategy: Strategy, children: Collection[Child], child: Child
) -> list[Child]:
    """Give the children that a restart of *child* takes along, in start order.

    Only it (S27), all (S28), or it and those started after it (S29).
    """
    match strategy:
        case "one_for_one":
            return [child]
        case "one_for_all":
            return list(children)
        case "rest_for_one":
            every = list(children)
            return every[every.index(child) :]
        case _:
            assert_never(strategy)


def kept_down(strategy: Strategy, children: Collection[Child]) -> set[Child]:
    """Give the children that are down for a round of restarts that is delayed (D5).

    They will be started with it, or when the child that it waits for is terminated.
    """
    kept: set[Child] = set()
    for waiting in [child for child in children if child.delayed]:
        kept.update(covered(strategy, children, waiting))
    return {child for child in kept if child.status is DOWN and child.open}


def _shown(child: Child) -> Literal["running", "restarting", "stopped"]:
    match child.status:
        case Status.RUNNING | Status.STOPPING:
            return "running"
        case Status.RESTARTING:
            return "restarting"
        case Status.DOWN | Status.STARTING:
            return "stopped"
        case _:
            assert_never(child.status)


def info(child: Child) -> ChildInfo:
    """Show *child* to a caller."""
    return ChildInfo(child.spec.name, _shown(child), child.spec.kind)


def count(children: Collection[Child]) -> ChildCounts:
    """Count *children* (S20); those of a dynamic supervisor count as specs (D9).

    One that is known to have ended is not active, though its end still stands in line.
    """
    supervisors = sum(child.spec.kind == "supervisor" for child in children)
    return ChildCounts(
        specs=len(children),
        active=sum(
            _shown(child) == "running" and child.exit is None for child in children
        ),
        supervisors=supervisors,
        workers=len(children) - supervisors,
    )
