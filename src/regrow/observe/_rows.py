"""What a view shows of a tree: the rows that are to be seen, and no others.

A frame of a view has some fifty rows, a tree may have 100,000 places. In the order of the
tree the rows are found by walking past what is not shown; only how much there is to walk
past, the totals, a filter and a sort need a look at all places. That is a `Survey`: it is made
in slices, and kept until a new one costs less than a twentieth of the program's time.
"""

from __future__ import annotations

import math
import time
from itertools import islice
from typing import TYPE_CHECKING

import trio
from attrs import frozen

from regrow._runtime.place import Place, SupervisorPlace
from regrow._runtime.snapshot import shallow
from regrow._runtime.stuck import frames_of, stack_of
from regrow._runtime.tree import running_of
from regrow.errors import PlaceNotFoundError

from ._slices import FREELY, in_slices
from ._survey import Order, Sort, Survey, survey
from ._wire import timed_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from regrow._core.health import HealthStatus
    from regrow._core.snapshot import PlaceKind, PlaceStatus
    from regrow._runtime.tree import Tree

    from ._slices import Turns

__all__ = ["Details", "Page", "Query", "Row", "Rows"]

REST = 20  # after a survey of t seconds there is no new one for so many times t
ORDERS = 8  # filters and sorts that are kept at once
EVENTS = 50  # of a place's history
TEXT = 10_000  # characters of a failure's text
LINES = 500  # of a stack


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


class Rows:
    """The rows of one tree, for as many views as there are.

    Args:
        tree: The tree.
        clock: Seconds, for measuring what a survey costs and when there may be a next one.
            Unless given, the cost is real time, but the wait is of the run's clock: so
            whoever sleeps for it has waited for it, under a clock that jumps as well.
    """

    def __init__(self, tree: Tree, *, clock: Callable[[], float] | None = None) -> None:
        self._tree = tree
        self._root = running_of(tree).root
        self._clock: Callable[[], float] = clock or time.perf_counter
        self._now: Callable[[], float] = clock or self._root.host.now
        self._survey: Survey | None = None
        self._free_at = -math.inf
        self._looked: trio.Event | None = None
        self._asked: dict[Order, None] = {}

    def due(self) -> float:
        """Give the seconds until there may be a new look at all places."""
        if self._survey is None:
            return 0.0
        return max(0.0, self._free_at - self._now())

    @property
    def looking(self) -> bool:
        """Whether there is such a look now."""
        return self._looked is not None

    async def look(self, turns: Turns = FREELY) -> None:
        """Look at all places, also if that is not due, in slices.

        If there is such a look already, that is waited for; one that was cancelled has found
        nothing, and there is another then.

        Args:
            turns: When there may be a slice.
        """
        await trio.lowlevel.checkpoint()
        while self._looked is not None:
            before = self._survey
            await self._looked.wait()
            if self._survey is not before:
                return
        looked = self._looked = trio.Event()
        asked, self._asked = self._asked, {}
        try:
            found = survey(self._root, asked)
            self._survey, seconds = await in_slices(found, turns, self._clock)
            self._free_at = self._now() + REST * seconds
        finally:
            self._looked = None
            looked.set()

    async def latest_page(self, query: Query) -> Page:
        """Give the rows of *query*, after a new look where that is due."""
        page = self.page(query)
        if self.due():
            await trio.lowlevel.checkpoint()
            return page
        await self.look()
        return self.page(query)

    def page(self, query: Query) -> Page:
        """Give the rows of *query* by the latest look; it costs O(limit).

        Where nothing stands at the path that is asked for there are none.
        """
        in_tree_order = query.sort == "tree" and not query.filter
        order = (query.filter, query.sort)
        if not in_tree_order:
            self._asked.pop(order, None)
            self._asked[order] = None  # the last, now
            if len(self._asked) > ORDERS:
                del self._asked[next(iter(self._asked))]
        rows: list[Row] = []
        total = 0
        pending = True
        seen = self._survey
        if seen is not None and in_tree_order:
            top = self._root.host.find(query.path) if query.path else self._root
            pending = False
            if top is not None:
                walk = _Walk(query, seen)
                walk.enter(top, top.path.count("/"))
                rows, total = walk.rows, walk.total(top)
        elif seen is not None and order in seen.orders:
            paths = seen.orders[order]
            rows, total, pending = self._at(paths, query), len(paths), False
        return Page(
            rows=tuple(rows),
            total=total,
            offset=query.offset,
            at=self._root.host.now(),
            places=0 if seen is None else seen.places,
            restarts=0 if seen is None else seen.restarts,
            health="ok" if seen is None else seen.health,
            pending=pending,
        )

    def _at(self, paths: list[str], query: Query) -> list[Row]:
        found = [
            self._root.host.find(path)
            for path in paths[query.offset : query.offset + query.limit]
        ]
        return [
            row_of(place, place.path.count("/"), query.folded)
            for place in found
            if place is not None  # it has gone since
        ]

    def details(self, path: str) -> Details:
        """Give what is known of the place at *path*.

        Raises:
            PlaceNotFoundError: There is no such place.
        """
        place = self._root.host.find(path)
        if place is None:
            text = f"nothing stands at {path!r} in the tree {self._root.path!r}."
            raise PlaceNotFoundError(path, text)
        own = [event for event in self._tree.history if event.path == path]
        failure = shallow(place).last_failure
        return Details(
            row=row_of(place, path.count("/"), frozenset()),
            history=tuple(
                timed_json(event, self._root.host) for event in own[-EVENTS:]
            ),
            # What it failed of in the end is at the end.
            failure=None if failure is None else failure.traceback[-TEXT:],
            stack=tuple(islice(_stack(place), LINES)),
        )


class _Walk:
    """A walk in the order of the tree, past what comes before the rows."""

    def __init__(self, query: Query, survey: Survey) -> None:
        self._skip = query.offset
        self._limit = query.limit
        self._folded = query.folded
        self._survey = survey
        self._hidden = survey.hidden(query.folded)
        self.rows: list[Row] = []

    def total(self, place: Place) -> int:
        """Give how many rows *place* and what is below it have."""
        size = self._survey.sizes.get(place.path, 1)  # 1 also where it is no supervisor
        return size - self._hidden.get(place.path, 0)

    def enter(self, place: Place, depth: int) -> None:
        """Go over *place* and what is below it, until the rows are found."""
        if self._skip:
            self._skip -= 1
        elif len(self.rows) < self._limit:
            self.rows.append(row_of(place, depth, self._folded))
        if isinstance(place, SupervisorPlace) and place.path not in self._folded:
            for child in self._from_first(place):
                if len(self.rows) >= self._limit:
                    return
                self.enter(child, depth + 1)

    def _from_first(self, place: SupervisorPlace) -> Iterable[Place]:
        """Give the children from the one on that is to be entered."""
        children = place.children.values()
        skip = self._skip
        if not skip:
            return children
        if place.path in self._survey.flat:  # past all those at once
            self._skip = max(0, skip - len(children))
            return islice(children, skip, None)
        return self._past(children)

    def _past(self, children: Iterable[Place]) -> Iterable[Place]:
        sizes, hidden = self._survey.sizes, self._hidden
        for child in children:  # there may be tens of thousands
            size = sizes.get(child.path, 1)
            if hidden:
                size -= hidden.get(child.path, 0)
            if size <= self._skip:
                self._skip -= size
            else:
                yield child


def row_of(place: Place, depth: int, folded: frozenset[str]) -> Row:
    """Give the row of *place*."""
    seen = shallow(place)
    children = len(place.children) if isinstance(place, SupervisorPlace) else 0
    return Row(
        path=seen.path,
        name=seen.name,
        depth=depth,
        kind=seen.kind,
        status=seen.status,
        incarnation=seen.incarnation,
        restarts=seen.restarts,
        uptime=seen.uptime,
        waiting=seen.waiting,
        capacity=seen.capacity,
        handling=seen.handling,
        children=children,
        folded=children > 0 and seen.path in folded,
        suspended=seen.suspended,
    )


def _stack(place: Place) -> Iterable[str]:
    """Give where its task waits; of a supervisor, not where those below it do."""
    task = None if place.life is None else place.life.task
    if task is None:
        return ()
    supervisor = isinstance(place, SupervisorPlace)
    return frames_of(task) if supervisor else stack_of(task)
