"""Who waits for whom, and the calls that can therefore never be answered (D6, T24).

The edges: an actor whose own task waits for an answer, or for room, waits for that place; a
supervisor waits for the children it is starting or stopping; an open place without a life
waits for its supervisor. Every edge must go before its owner can go on, so a circle is a
deadlock, whichever of several edges it runs through. Only an actor's own task makes edges:
a background task, a service, or the body of the program leaves its place free to go on.

The edges are not stored: each place tells its own when asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from trio.lowlevel import RunVar

from regrow.errors import CallCycleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import trio

    from .life import Life

__all__ = [
    "Lives",
    "WaitTarget",
    "Waiter",
    "Waiting",
    "break_circle",
    "circle",
    "lives",
]


class WaitTarget(Protocol):
    """Something that can be waited for, and waits itself."""

    @property
    def path(self) -> str:
        """Where it is."""
        ...

    def waits_for(self) -> Sequence[WaitTarget]:
        """Give what it waits for now."""
        ...

    def pending(self) -> Waiting | None:
        """Give what its own task waits for, if that is an answer or room."""
        ...


class Waiting(Protocol):
    """An answer, or room, that is waited for."""

    @property
    def place(self) -> WaitTarget:
        """Who must give it."""
        ...

    def refuse(self, circle: Sequence[str]) -> None:
        """Fail it with `CallCycleError`."""
        ...


class Waiter(Protocol):
    """The life of an actor, as the one who waits."""

    def waits_no_more(self) -> None:
        """The answer, or room, has come."""
        ...


class Lives:
    """The living children of all trees of one run, by their tasks.

    Attributes:
        tasks: Own task of each.
        waiting: How many of them wait for an answer or for room.
    """

    __slots__ = ("tasks", "waiting")

    def __init__(self) -> None:
        self.tasks: dict[trio.lowlevel.Task, Life] = {}
        self.waiting: int = 0

    def owner(self, task: trio.lowlevel.Task | None) -> Life | None:
        """Give the child that *task* belongs to: its own, or one in a nursery below."""
        while task is not None:
            life = self.tasks.get(task)
            if life is not None:
                return life
            nursery = task.parent_nursery
            task = None if nursery is None else nursery.parent_task
        return None


# One for each trio run: a call may lead from one tree into another.
_LIVES: RunVar[Lives] = RunVar("regrow_lives")


def lives() -> Lives:
    """Give the living children of this run."""
    try:
        return _LIVES.get()
    except LookupError:
        found = Lives()
        _LIVES.set(found)
        return found


def circle(start: WaitTarget, first: WaitTarget) -> list[WaitTarget] | None:
    """Give the places from *start*, over *first*, that wait back to *start*, if they do."""
    if first is start:
        return [start]
    came: dict[int, tuple[WaitTarget, WaitTarget]] = {id(first): (first, start)}
    ahead = [first]
    while ahead:
        place = ahead.pop()
        for following in place.waits_for():
            if following is start:
                way = [place]
                while way[-1] is not first:
                    way.append(came[id(way[-1])][1])
                return [start, *reversed(way)]
            if id(following) not in came:
                came[id(following)] = (following, place)
                ahead.append(following)
    return None


def break_circle(start: WaitTarget, first: WaitTarget) -> None:
    """Fail one call in each circle that leads from *start* over *first*.

    One new edge closes several where a supervisor waits for many children at once.
    """
    while (found := circle(start, first)) is not None:
        # An actor waits in every circle: supervisors wait only for those below them.
        index, waiting = next(_calls_in(found))
        waiting.refuse([step.path for step in (*found[index:], *found[:index])])


def _calls_in(found: Sequence[WaitTarget]) -> Iterator[tuple[int, Waiting]]:
    """Give the calls in a circle, with the places of those who make them."""
    for index, place in enumerate(found):
        waiting = place.pending()
        if waiting is not None and waiting.place is found[(index + 1) % len(found)]:
            yield index, waiting


def cycle_error(
    target: WaitTarget, message: str, found: Sequence[str], *, full: bool = False
) -> CallCycleError:
    """Make the error for a call to *target*."""
    return CallCycleError(target.path, message, found, full=full)
