"""Numbers of a declared tree: how long it takes to stop, how fast it can fail."""

from __future__ import annotations

import math
from collections.abc import Sequence

from regrow._core.backoff import Backoff
from regrow._core.specs import ChildSpec, SupervisorSpec

from .model import Node

__all__ = [
    "ENDLESS",
    "crash_products",
    "least_delays",
    "paces",
    "start_failures",
    "stop_times",
    "unreachable",
    "worst_product",
]

UNKNOWN_CHILD = 5.0
"""Seconds to stop of a dynamic supervisor's children: what `child` gives them (D4)."""

ENDLESS = 10**9
"""Nothing is counted any further: a whole number may be more than a float can hold."""


def stop_times(nodes: Sequence[Node]) -> dict[Node, float]:
    """Give the seconds that each place may take to stop, at the worst.

    Children of a supervisor stop one after the other (S40), those of a dynamic one all at
    once (S41). A supervisor takes no longer than its own `shutdown`: then all below it is
    cut off at once.
    """
    found: dict[Node, float] = {}
    for node in reversed(nodes):
        own = float(node.spec.shutdown)
        if node.supervisor is None:
            found[node] = own
        elif node.supervisor.forgets:
            found[node] = min(own, UNKNOWN_CHILD)
        else:
            found[node] = min(own, sum(found[child] for child in node.children))
    return found


def start_failures(nodes: Sequence[Node]) -> dict[Node, bool]:
    """Tell of each place whether its start can fail."""
    found: dict[Node, bool] = {}
    for node in reversed(nodes):
        if node.supervisor is None:
            found[node] = node.traits.start_fails
        else:
            found[node] = node.spec.start_timeout < math.inf or any(
                found[child] and child.spec.start == "fail" for child in node.children
            )
    return found


def least_delays(backoff: Backoff) -> float:
    """Give the least sum of the delays before a backoff is spent; infinite if never.

    Later delays are as long as `maximum` and need not be computed one by one.
    """
    if backoff.max_attempts == math.inf:
        return math.inf
    if backoff.initial == 0:
        return 0.0
    keep = 1.0 - backoff.jitter
    total = 0.0
    left = int(min(backoff.max_attempts, ENDLESS)) - 1
    # A sum of fewer delays is less, so it is still no claim too much.
    for failures in range(1, min(left, _MOST_DELAYS) + 1):
        delay = backoff.delay(failures, lambda: 0.0)
        if delay >= backoff.maximum or backoff.factor == 1:
            return total + keep * delay * (left - failures + 1)
        total += keep * delay
    return total


_MOST_DELAYS = 10_000


def paces(nodes: Sequence[Node], fails: dict[Node, bool]) -> dict[Node, float]:
    """Give the least seconds from when each place is up until it fails of itself.

    A failure is what its supervisor restarts it for. For a worker that is 0, since it may
    crash at once, and infinite for one that is never restarted. A supervisor fails when its
    own limit, or a backoff below it, is spent. Where siblings could shorten each other's
    waits, the least that is certain is given.
    """
    found: dict[Node, float] = {}
    for node in reversed(nodes):
        own = node.supervisor
        if node.spec.restart == "temporary":
            found[node] = math.inf
        elif own is None or own.forgets or fails[node] or _ends_early(own):
            found[node] = 0.0
        else:
            found[node] = _pace_of(own, [(c.spec, found[c]) for c in node.children])
    return found


def _ends_early(spec: SupervisorSpec) -> bool:
    """Whether the end of a child may end it, in order, which may be a failure too."""
    return spec.auto_shutdown != "never" and any(c.significant for c in spec.children)


def _pace_of(
    spec: SupervisorSpec, children: Sequence[tuple[ChildSpec, float]]
) -> float:
    failing = [(child, pace) for child, pace in children if pace < math.inf]
    if not failing:
        return math.inf
    if len(failing) > 1:
        alone = spec.strategy == "one_for_one" and all(c.backoff for c, _ in failing)
        if not alone:
            # Several in one window: while one is restarted the clock stands still (D3) and
            # the others come nearer to their next failure. And in a group the round of
            # one ends the delay of another. One failure there must be, at least.
            return min(pace for _, pace in failing)
    return min(_time_to_spend(spec, child, pace) for child, pace in failing)


def _time_to_spend(spec: SupervisorSpec, child: ChildSpec, pace: float) -> float:
    """Give the least seconds in which *child* alone makes its supervisor give up."""
    backoff = child.backoff
    if backoff is None:
        if unreachable(spec, pace):
            return math.inf
        return (min(spec.intensity, ENDLESS) + 1) * pace
    if pace >= backoff.reset_after and backoff.max_attempts > 1:
        return math.inf
    return least_delays(backoff) + (
        min(backoff.max_attempts, ENDLESS) * pace if pace else 0.0
    )


def unreachable(spec: SupervisorSpec, pace: float) -> bool:
    """Whether failures that are at least *pace* seconds apart never fill the window.

    The first and the last of `intensity + 1` failures are `intensity * pace` apart, and
    that must be more than the period (S36). Near the edge rounding would decide.
    """
    width = min(spec.intensity, ENDLESS) * pace
    return width > spec.period and not math.isclose(width, spec.period, rel_tol=1e-6)


def crash_products(nodes: Sequence[Node]) -> dict[Node, int]:
    """Give the crashes of a child of each supervisor after which the tree gives up (S39).

    Those of one that is temporary, or has a backoff, end nothing above it, or take their
    time: neither it nor what is below it is there.
    """
    found: dict[Node, int] = {}
    for node in nodes:
        own, parent = node.supervisor, node.parent
        if own is None:
            continue
        if parent is None:
            found[node] = min(own.intensity + 1, ENDLESS)
        elif parent in found and _counts(node):
            found[node] = min(found[parent] * (own.intensity + 1), ENDLESS)
    return found


def worst_product(products: dict[Node, int]) -> Node | None:
    """Give the supervisor below another whose children must crash most often.

    One with workers that count in its window; the children of a dynamic one are not known.
    """
    below = [
        node
        for node in products
        if node.depth
        and (
            node.traits.kind == "dynamic"
            or any(
                child.supervisor is None and _counts(child) for child in node.children
            )
        )
    ]
    return max(below, key=lambda node: products[node], default=None)


def _counts(node: Node) -> bool:
    return node.spec.restart != "temporary" and node.spec.backoff is None
