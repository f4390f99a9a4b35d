"""What a view asks for, and what it is given: values that know no tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from regrow._core.health import HealthStatus
    from regrow._core.snapshot import PlaceKind, PlaceStatus

__all__ = ["Details", "Page", "Query", "Row", "Sort"]

Sort: TypeAlias = Literal["tree", "restarts", "mailbox", "uptime"]


@frozen
class Query:
    """Which rows are wanted.

    Attributes:
        offset: How many rows come before them.
        limit: How many, at most.
        folded: Paths of supervisors below which nothing is shown, in the order of the tree
            and without a filter; a filter and a sort look everywhere.
        filter: What the path must contain, whatever its case.
        sort: `tree` is the order of starts; else most `restarts` first, most waiting
            messages (`mailbox`) first, or shortest `uptime` first.
        path: The place that is wanted with all below it, in the order of the tree; the
            root if empty.
    """

    offset: int = 0
    limit: int = 50
    folded: frozenset[str] = frozenset()
    filter: str = ""
    sort: Sort = "tree"
    path: str = ""


@frozen
class Row:
    """One place, as a view shows it.

    Attributes:
        path: From the root.
        name: Its last part.
        depth: How many supervisors are above it.
        kind: `actor`, `service`, `supervisor` or `dynamic`.
        status: As in a snapshot.
        incarnation: Number of the latest one.
        restarts: Incarnations that came up after the first.
        uptime: Seconds since the latest one was up; `None` if it is not.
        waiting: Messages in the mailbox.
        capacity: Messages that it holds; 0 where there is none, `math.inf` without a bound.
        handling: The message in hand, if there is one.
        children: How many children it has.
        folded: Whether those are hidden.
        suspended: Whether it is an actor that begins no message until it is resumed.
    """

    path: str
    name: str
    depth: int
    kind: PlaceKind
    status: PlaceStatus
    incarnation: int
    restarts: int
    uptime: float | None
    waiting: int
    capacity: float
    handling: str | None
    children: int
    folded: bool
    suspended: bool = False

    @property
    def state(self) -> str:
        """Its status in a word for people: an actor that runs may be suspended."""
        paused = self.suspended and self.status == "running"
        return "suspended" if paused else self.status


@frozen
class Page:
    """The rows that were asked for, as they are now, and what there is in all.

    What is not a row may be older: it comes from the latest look at all places. A look
    takes a while, in which the tree goes on, so it has seen each place at another moment.
    Where that makes a difference a row may be left out, and be there the next time; no
    row is there twice.

    Attributes:
        rows: The rows.
        total: How many there are without offset and limit.
        offset: How many come before the first.
        at: Seconds on the run's clock.
        places: How many places the tree has.
        restarts: How many restarts they had in all.
        health: `ok`, `degraded` or `failing`.
        pending: Whether a filter or a sort is so new that its rows are still to be found,
            or nothing was looked at before: there are none yet, until after a `Rows.look`.
    """

    rows: tuple[Row, ...]
    total: int
    offset: int
    at: float
    places: int
    restarts: int
    health: HealthStatus
    pending: bool = False


@frozen
class Details:
    """One place, looked at closely.

    Attributes:
        row: Its row.
        history: What has happened there, as JSON; the newest last, 50 at most.
        failure: The text and the traceback of its last failure, if it had one.
        stack: Where its task waits, as lines `file:line in name`.
    """

    row: Row
    history: tuple[dict[str, object], ...]
    failure: str | None
    stack: tuple[str, ...]
