"""Rules about the time that a tree takes to stop."""

from __future__ import annotations

import math
from collections.abc import Iterator

from .model import Node, Said, seconds
from .survey import Survey

__all__ = [
    "endless_shutdown",
    "lifespan_cut",
    "shutdown_cut_short",
    "shutdown_over_grace",
]

NAMED = 3
"""Children named that take longest."""


def shutdown_over_grace(survey: Survey, node: Node) -> Iterator[Said]:
    """A tree that may take longer to stop than whoever runs the program waits for it."""
    if node.parent is not None or survey.stop[node] <= survey.grace:
        return
    slowest = _slowest(survey, [each for each in survey.nodes if not each.children])
    yield Said(
        f"it may take {_time(survey.stop[node])} to stop, since children stop one after the "
        f"other, and has {seconds(survey.grace)}: what has not stopped by then is killed "
        f"with the program. The longest are {slowest}",
        "Lower shutdown of those, put what may stop side by side under a dynamic(), or "
        "give the program more time.",
    )


def shutdown_cut_short(survey: Survey, node: Node) -> Iterator[Said]:
    """A supervisor that cuts its children off before their own time is over (S45)."""
    own = node.supervisor
    if own is None or own.forgets:
        return
    needed = sum(survey.stop[child] for child in node.children)
    if own.shutdown < needed:
        yield Said(
            f"its shutdown is {seconds(own.shutdown)}, and its children may take "
            f"{_time(needed)}, one after the other: the first ones are cut off before their "
            f"own time is over. The longest are {_slowest(survey, node.children)}",
            "Leave shutdown of the supervisor out, or lower that of its children.",
        )


def endless_shutdown(survey: Survey, node: Node) -> Iterator[Said]:
    """A worker that may take for ever to stop, and nothing above it ends that."""
    del survey
    if node.supervisor is not None or not math.isinf(node.spec.shutdown):
        return
    above = node.parent
    while above is not None:
        if not math.isinf(above.spec.shutdown):
            return
        above = above.parent
    yield Said(
        "its shutdown is endless, and so is that of all supervisors above it: if it hangs "
        "while it stops, nothing cuts it off, and neither a restart of its group nor the "
        "program comes to an end",
        "Write the seconds that it needs as shutdown.",
    )


def lifespan_cut(survey: Survey, node: Node) -> Iterator[Said]:
    """A lifespan whose second half has no time at all (S42, D8)."""
    del survey
    if node.traits.lifespan and node.spec.shutdown == 0:
        yield Said(
            "its shutdown is 0: the second half of its lifespan is cancelled at its first "
            "await, and so is the handler that runs",
            "Write the seconds that cleaning up needs as shutdown.",
        )


def _time(number: float) -> str:
    return "for ever" if math.isinf(number) else f"{seconds(number)}"


def _slowest(survey: Survey, among: list[Node]) -> str:
    nodes = sorted(among, key=lambda each: -survey.stop[each])
    shown = [f"{each.path!r} ({_time(survey.stop[each])})" for each in nodes[:NAMED]]
    return ", ".join(shown)
