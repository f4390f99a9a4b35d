"""All places of a tree, for whoever looks at them in slices while the tree goes on.

A look at 100,000 places at a stretch would hold the event loop up for a tenth of a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar, cast

from .place import Place, SupervisorPlace

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["at_a_stretch", "runs"]

T = TypeVar("T")

LONGEST: Final = 64  # places of one run: with 10 µs for each, less than 1 ms


def runs(root: SupervisorPlace) -> Iterator[list[Place]]:
    """Give *root* and every place below it, parents first, in runs.

    A run is some siblings in a row, of which only the last may be a supervisor. Between
    two runs the tree may change: each place is in the tree when its run is given, and no
    path is given twice; what has come since the walk passed its supervisor is left out.
    """
    yield [root]
    ahead: list[tuple[SupervisorPlace, Iterator[Place]]] = [_below(root)]
    while ahead:
        above, siblings = ahead[-1]
        run: list[Place] = []
        now_there = above.children.get
        if root.removed or not above.removed:  # all are, once the tree has ended
            for place in siblings:
                if now_there(place.name) is place:
                    run.append(place)
                    if isinstance(place, SupervisorPlace) or len(run) == LONGEST:
                        break
        if not run:
            ahead.pop()
            continue
        yield run
        last = run[-1]
        if isinstance(last, SupervisorPlace):
            ahead.append(_below(last))


def _below(place: SupervisorPlace) -> tuple[SupervisorPlace, Iterator[Place]]:
    return place, iter([*place.children.values()])


def at_a_stretch(look: Generator[None, None, T]) -> T:
    """Run *look* to its end, while nothing else runs; give what it returns."""
    while True:
        try:
            next(look)
        except StopIteration as end:
            return cast("T", end.value)
