"""Rules about restarts: limits that are never reached, or are reached too late."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from regrow._core.backoff import Backoff
from regrow._core.heartbeat import Heartbeat

from .figures import ENDLESS, unreachable
from .model import Node, Said, amount, listed, seconds
from .survey import Survey

__all__ = [
    "attempts_never_counted",
    "hang_never_escalates",
    "limit_never_reached",
    "nothing_restarted",
    "restart_amplification",
    "restarts_spin",
    "retry_without_backoff",
    "unused_backoff",
]

MOST_CRASHES: Final = 333
"""Each crash is three events (exited, restarting, started), and a tree keeps the last 1,000.

With more crashes than that, what began it is no longer there to be read when the tree gives
up. It is five supervisors above each other with the default limit; four are not too many.
"""

_FACTORS: Final = 5
"""Levels whose part in the product is told."""


def limit_never_reached(survey: Survey, node: Node) -> Iterator[Said]:
    """A child supervisor that fails, but too slowly for the limit above it.

    There is no such rule for slow starts: the clock of the window stands still while a
    restart is carried out (D3), so that no `start_timeout` keeps it from filling.
    """
    above, pace = node.above, survey.pace[node]
    if above is None or node.spec.backoff is not None or not 0 < pace < math.inf:
        return
    if unreachable(above, pace):
        yield Said(
            f"the backoffs below it let it fail once in {seconds(pace)} at the most, so it is "
            f"restarted for ever: {_limit(node)} is never reached by it",
            _raise_period(above.intensity, pace, "max_attempts of the backoffs below"),
        )


def hang_never_escalates(survey: Survey, node: Node) -> Iterator[Said]:
    """A heartbeat that is slower than the limit that should count what it finds."""
    del survey
    above, heartbeat = node.above, node.traits.heartbeat
    if above is None or heartbeat is None or node.spec.restart == "temporary":
        return
    pace = _time_to_hang(heartbeat)
    backoff = node.spec.backoff
    if backoff is not None:
        if pace >= backoff.reset_after and 1 < backoff.max_attempts < math.inf:
            yield Said(
                f"its heartbeat finds it hanging after {seconds(pace)} at the earliest, and "
                f"after reset_after, {seconds(backoff.reset_after)}, a failure is the first "
                "again: if it hangs each time, it is restarted for ever",
                f"Write a reset_after above {pace:g}, or a faster heartbeat.",
            )
    elif unreachable(above, pace):
        yield Said(
            f"its heartbeat finds it hanging after {seconds(pace)} at the earliest: if it "
            f"hangs each time, it is restarted for ever, and {_limit(node)} is never reached",
            _raise_period(above.intensity, pace, "every or misses of the heartbeat"),
        )


def _time_to_hang(heartbeat: Heartbeat) -> float:
    """Give the seconds from being up until it is found hanging, if it hangs all the time.

    The first question comes after `every`, the next ones at that pace, but not while one
    is open, and the last has its time to be answered in.
    """
    between = max(heartbeat.every, heartbeat.timeout)
    more = min(heartbeat.misses, ENDLESS) - 1
    return heartbeat.every + more * between + heartbeat.timeout


def attempts_never_counted(survey: Survey, node: Node) -> Iterator[Said]:
    """A backoff whose row of failures is over before the next failure."""
    backoff = node.spec.backoff
    if backoff is None or node.spec.restart == "temporary":
        return
    if backoff.reset_after == 0:
        lost = _lost(backoff)
        if lost:
            yield Said(
                f"reset_after is 0, so every failure is the first in its row: {lost}",
                "Write the seconds of uptime after which it counts as healthy as "
                "reset_after.",
            )
        return
    pace = survey.pace[node]
    endless = not 1 < backoff.max_attempts < math.inf
    if not endless and backoff.reset_after <= pace < math.inf:
        yield Said(
            f"the backoffs below it keep it up for {seconds(pace)} at least, and after "
            f"reset_after, {seconds(backoff.reset_after)}, a failure is the first again: "
            f"max_attempts, {amount(backoff.max_attempts)}, is never reached",
            f"Write a reset_after above {pace:g}.",
        )


def _lost(backoff: Backoff) -> str:
    lost: list[str] = []
    if 1 < backoff.max_attempts < math.inf:
        lost.append(f"max_attempts, {amount(backoff.max_attempts)}, is never reached")
    if backoff.factor > 1 and 0 < backoff.initial < backoff.maximum:
        lost.append("the delay never grows")
    return ", and ".join(lost)


def restarts_spin(survey: Survey, node: Node) -> Iterator[Said]:
    """A backoff without a delay and without an end: a loop as fast as it can."""
    del survey
    backoff = node.spec.backoff
    if backoff is None or node.spec.restart == "temporary" or backoff.initial > 0:
        return
    if backoff.max_attempts == math.inf:
        yield Said(
            "its backoff has no delay (initial is 0, which no factor makes more) and no "
            "max_attempts: a child that cannot run is started for ever, as fast as it fails",
            "Write an initial above 0, or max_attempts.",
        )


def unused_backoff(survey: Survey, node: Node) -> Iterator[Said]:
    """A backoff that delays nothing."""
    del survey
    backoff = node.spec.backoff
    if backoff is None:
        return
    if node.spec.restart == "temporary" and node.spec.start == "fail":
        yield Said(
            "it is temporary, which is never restarted: its backoff delays nothing",
            "Leave backoff out, or write restart='transient'.",
        )
    elif backoff.max_attempts == 1:
        yield Said(
            "max_attempts is 1, and the first failure is one of them: its supervisor gives "
            "up at once, and the backoff delays nothing",
            "Write max_attempts of 2 or more.",
        )


def retry_without_backoff(survey: Survey, node: Node) -> Iterator[Said]:
    """A first start that is tried again at once, until the limit is spent."""
    above = node.above
    if above is None or node.spec.start == "fail" or node.spec.backoff is not None:
        return
    if survey.start_fails[node]:
        tries = amount(above.intensity + 1)
        yield Said(
            "start='retry' without a backoff: whatever it waits for has no time to come "
            f"up, since {tries} failing starts, each right after the one before, spend "
            f"{_limit(node)}",
            "Give it a backoff, or leave start='retry' out.",
        )


def nothing_restarted(survey: Survey, node: Node) -> Iterator[Said]:
    """A limit that allows no restart, over children that ask for one.

    It may be meant: `temporary` children would fail without anybody being told.
    """
    del survey
    own = node.supervisor
    if own is None or own.intensity > 0:
        return
    asking = [
        child.name
        for child in own.children
        if child.restart != "temporary" and child.backoff is None
    ]
    if asking:
        yield Said(
            f"intensity is 0: the first failure of {listed(asking)} ends it, and restarts "
            "nothing",
            "Write an intensity of 1 or more, if restarting can help.",
        )


def restart_amplification(survey: Survey, node: Node) -> Iterator[Said]:
    """Limits above each other: that of each is multiplied with those below it (S39).

    Said once in a tree, of the supervisor at the bottom of the worst way.
    """
    if survey.worst is not node or survey.crashes[node] <= MOST_CRASHES:
        return
    least = "at least " if survey.crashes[node] == ENDLESS else ""
    yield Said(
        f"{least}{survey.crashes[node]:,} crashes of a child of it, {_product(node)}, must come "
        f"before the tree gives up: {MOST_CRASHES} fill its history, so what began it is "
        "lost by then",
        "Lower intensity on the way from the root, take out a level, or give a child on it "
        "a backoff.",
    )


def _product(node: Node) -> str:
    factors: list[str] = []
    here: Node | None = node
    while here is not None and here.supervisor is not None:
        factors.append(amount(here.supervisor.intensity + 1))
        here = here.parent
    factors.reverse()
    if len(factors) > _FACTORS:
        factors[_FACTORS:] = [f"{len(factors) - _FACTORS} more"]
    return " * ".join(factors)


def _limit(node: Node) -> str:
    above = node.above
    assert above is not None  # noqa: S101 - only children have a limit above them
    assert node.parent is not None  # noqa: S101 - the same
    limit = f"{amount(above.intensity)} in {seconds(above.period)}"
    return f"the limit of {node.parent.path!r} ({limit})"


def _raise_period(intensity: int, pace: float, otherwise: str) -> str:
    least = min(intensity, ENDLESS) * pace
    whole = amount(math.ceil(least)) if math.isfinite(least) else seconds(least)
    return (
        f"Write a period of {whole} or more, or lower intensity, or lower {otherwise}."
    )
