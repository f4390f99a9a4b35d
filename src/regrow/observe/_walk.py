"""From places to rows, in the order of the tree.

Only the rows that are wanted are made; what comes before them is passed by, as far as the
latest survey tells at once: by supervisors with all below them.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from regrow._runtime.place import Place, SupervisorPlace
from regrow._runtime.snapshot import shallow

from ._row import Row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._row import Query
    from ._survey import Survey

__all__ = ["Walk", "row_of"]


class Walk:
    """A walk in the order of the tree, past what comes before the rows."""

    def __init__(self, query: Query, survey: Survey) -> None:
        self._skip = query.offset
        self._limit = query.limit
        above = f"{query.path}/" if query.path else ""
        self._folded = frozenset(  # what is folded above hides nothing of a part
            path for path in query.folded if f"{path}/".startswith(above)
        )
        self._survey = survey
        self._hidden = survey.hidden(self._folded)
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
