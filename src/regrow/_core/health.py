"""Whether a tree is well, by rules over pictures of its places.

*Failing* is what wants somebody: a place that is missing or cannot be got rid of, a limit
that is used up, a tree that ends. *Degraded* is what the tree deals with by itself. Below a
supervisor that is not running nothing is judged but what is stuck: that it is down tells it
all.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .snapshot import PlaceSnapshot

__all__ = ["LATE", "NEARLY_FULL", "Health", "HealthReason", "Reasons", "judge"]

HealthStatus = Literal["ok", "degraded", "failing"]

NEARLY_FULL = 0.8  # of a mailbox
LATE = 10.0  # seconds of a start
MOST = 100  # reasons given; a place in a large tree falls seldom alone


@frozen
class HealthReason:
    """Why a tree is not well.

    Attributes:
        path: The place.
        status: How bad it is: `degraded` or `failing`.
        text: What is the matter, in words that follow the path.
    """

    path: str
    status: Literal["degraded", "failing"]
    text: str


@frozen
class Health:
    """Whether a tree is well.

    Attributes:
        status: `ok`, `degraded` (restarts within the window, delayed restarts, mailboxes
            nearly full, suspended actors, starts that take long: it deals with them) or
            `failing` (what is stuck, missing or one failure from giving up; a tree that
            ends).
        reasons: At most 100, the failing ones first, each kind in the order of the tree.
        more: How many others there were.
    """

    status: HealthStatus
    reasons: tuple[HealthReason, ...]
    more: int = 0

    def as_json(self) -> dict[str, object]:
        """Give it as JSON knows it."""
        reasons = [
            {"path": reason.path, "status": reason.status, "text": reason.text}
            for reason in self.reasons
        ]
        return {"status": self.status, "reasons": reasons, "more": self.more}


class Reasons:
    """What is found wrong in a tree, put together place by place."""

    def __init__(self) -> None:
        self._failing: list[HealthReason] = []
        self._degraded: list[HealthReason] = []
        self._count = 0

    def add(self, reason: HealthReason) -> None:
        """Count *reason*; it comes in the order of the tree."""
        self._count += 1
        found = self._failing if reason.status == "failing" else self._degraded
        if len(found) < MOST:
            found.append(reason)

    def health(self) -> Health:
        """Give the health of a tree of which that is all."""
        status: HealthStatus = "ok"
        if self._count:
            status = "failing" if self._failing else "degraded"
        shown = (*self._failing, *self._degraded)[:MOST]
        return Health(status, shown, self._count - len(shown))


def judge(
    place: PlaceSnapshot, *, root: bool, below_running: bool, now: float
) -> Iterator[HealthReason]:
    """Give what is wrong with *place* alone, whatever is below it.

    Args:
        place: Its picture.
        root: Whether it is the root of the tree.
        below_running: Whether its supervisor runs; true for the root.
        now: Seconds on the run's clock, when the picture was taken.
    """
    if place.status == "stuck":
        text = "was cut off and is still there: it cannot be killed"
        yield HealthReason(place.path, "failing", text)
    if not below_running:
        return
    for text in _failing(place, root=root):
        yield HealthReason(place.path, "failing", text)
    for text in _degraded(place, now):
        yield HealthReason(place.path, "degraded", text)


def _failing(place: PlaceSnapshot, *, root: bool) -> Iterator[str]:
    if place.missing:
        yield "is down, and nobody starts it again unless asked to"
    if root and place.status in {"stopping", "stopped"}:
        yield "is stopping" if place.status == "stopping" else "has ended"
    for spent, text, who in _uses(place):
        if spent:
            yield f"has used {text}: at one more failure {who} gives up"


def _degraded(place: PlaceSnapshot, now: float) -> Iterator[str]:
    if place.status == "restarting":
        yield f"is down and {_when(place.due, now)}"
    for spent, text, _ in _uses(place):
        if not spent:
            yield f"has used {text}"
    if 0 < place.capacity < math.inf and place.waiting >= place.capacity * NEARLY_FULL:
        full = f"{place.waiting:,} of {place.capacity:,.0f} messages"
        yield f"has {full} in its mailbox"
    if place.suspended:
        yield "is suspended: it begins no message until it is resumed"
    since = place.starting_since
    if since is not None and now - since > LATE:
        yield f"has been starting for {now - since:.3g} s"


def _uses(place: PlaceSnapshot) -> Iterator[tuple[bool, str, str]]:
    """Give of what is used whether one more is the end, what it is, and who gives up then.

    Nothing where the limit is that from the outset.
    """
    in_a_row, most = place.used, place.intensity
    if place.strategy is not None:
        if place.used:
            text = f"{_of(place.used, most)} restarts in {place.period:.3g} s"
            yield _spent(place.used, most), text, "it"
        in_a_row, most = place.failures, place.failures_allowed
    if in_a_row:
        one = "failure" if in_a_row == 1 and most is None else "failures"
        text = f"{_of(in_a_row, most)} {one} in a row"
        yield _spent(in_a_row, most), text, "its supervisor"


def _spent(used: int, allowed: int | None) -> bool:
    return allowed is not None and used >= allowed


def _of(used: int, allowed: int | None) -> str:
    return f"{used:,}" if allowed is None else f"{used:,} of {allowed:,}"


def _when(due: float | None, now: float) -> str:
    if due is None:
        return "is being restarted"
    return f"will be restarted in {max(0.0, due - now):.3g} s"
