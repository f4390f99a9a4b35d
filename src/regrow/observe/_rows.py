"""What a view shows of a tree: the rows that are to be seen, and no others.

A frame of a view has some fifty rows, a tree may have 100,000 places. In the order of the
tree the rows are found by walking past what is not shown; only how much there is to walk
past, the totals, a filter and a sort need a look at all places. That is a `Survey`: it is made
in slices, and kept until a new one costs less than a thirtieth of the program's time.
"""

from __future__ import annotations

import math
import time
from itertools import islice
from typing import TYPE_CHECKING

import trio

from regrow._runtime.place import SupervisorPlace
from regrow._runtime.snapshot import shallow
from regrow._runtime.stuck import frames_of, stack_of
from regrow._runtime.tree import running_of
from regrow.errors import PlaceNotFoundError

from ._row import Details, Page
from ._slices import FREELY, in_slices
from ._survey import survey
from ._walk import Walk, row_of
from ._wire import timed_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from regrow._runtime.place import Place
    from regrow._runtime.tree import Tree

    from ._row import Query, Row
    from ._slices import Turns
    from ._survey import Order, Survey

__all__ = ["Rows"]

REST = 30  # after a survey of t seconds there is no new one for so many times t
ORDERS = 8  # filters and sorts that are kept at once
EVENTS = 50  # of a place's history
TEXT = 10_000  # characters of a failure's text
LINES = 500  # of a stack


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
        except BaseException:  # others may wait for what was asked
            self._asked = asked | self._asked
            raise
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
                walk = Walk(query, seen)
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


def _stack(place: Place) -> Iterable[str]:
    """Give where its task waits; of a supervisor, not where those below it do."""
    task = None if place.life is None else place.life.task
    if task is None:
        return ()
    supervisor = isinstance(place, SupervisorPlace)
    return frames_of(task) if supervisor else stack_of(task)
