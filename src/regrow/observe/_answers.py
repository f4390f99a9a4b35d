"""What a control socket answers: the tree looked at, and steered, by request.

It knows no socket: `look` gives a value at once, `steer` waits until something is done.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Final, assert_never

import trio

from regrow._core.specs import SupervisorSpec
from regrow._runtime.actor import Actor
from regrow._runtime.actor_place import ActorPlace
from regrow._runtime.health import check_up
from regrow._runtime.place import Place, SupervisorPlace
from regrow._runtime.requests import SupervisorRef
from regrow._runtime.tree import running_of
from regrow.errors import (
    ActorStoppedError,
    ChildActiveError,
    NotRunningError,
    PlaceNotFoundError,
    RegrowError,
    SupervisorCallError,
    summary,
)

from ._lines import LARGEST
from ._protocol import Code, Op, Refusal, Request
from ._rows import Rows
from ._rows_json import details_json, row_json
from ._slices import in_slices
from ._walk import row_of
from ._wire import timed_json

if TYPE_CHECKING:
    from regrow._core.events import Event
    from regrow._runtime.ref import Ref
    from regrow._runtime.tree import Tree

    from ._slices import Turns

__all__ = ["LOOKS", "STEERS", "Answers", "RefusedError", "refusal"]

MOST_PLACES: Final = 1000  # in one picture
MOST_STACKS: Final = 500  # places whose stacks are given at once
MOST_LIKE: Final = 200  # names that one is compared with, which takes a while
LONGEST_LIKE: Final = 100  # characters of it

LOOKS: Final = frozenset({Op.TREE, Op.DETAILS, Op.HISTORY, Op.STACKS, Op.STATE})
"""What is answered at once."""
STEERS: Final = frozenset(
    {Op.RESTART, Op.TERMINATE, Op.START, Op.SUSPEND, Op.RESUME},
)
"""What waits for something to be done."""


class RefusedError(Exception):
    """A request is not done; the text says why."""

    def __init__(self, code: Code, text: str) -> None:
        self.code = code
        super().__init__(text)


class Answers:
    """The answers about one tree.

    Args:
        tree: The tree.
        rows: Its rows, which all its views share.

    Attributes:
        rows: As given.
    """

    def __init__(self, tree: Tree, rows: Rows) -> None:
        self._tree = tree
        self.rows: Rows = rows
        self._root = running_of(tree).root

    # ------------------------------------------------------------------- looking at it

    def look(self, request: Request) -> object:
        """Give what *request* asks to see.

        Raises:
            RefusedError: It is too large.
            RegrowError: There is no such place.
        """
        path = request.path or self._root.path
        match request.op:
            case Op.TREE:
                self._bounded(path, MOST_PLACES)
                return self._tree.snapshot(path).as_json()
            case Op.DETAILS:
                return details_json(self.rows.details(path))
            case Op.HISTORY:
                return self._history(request)
            case Op.STACKS:
                self._bounded(path, MOST_STACKS)
                return {
                    place: list(lines)
                    for place, lines in self._tree.stacks(path).items()
                }
            case Op.STATE:
                self._actor(path)
                return self._tree.state(path)
            case _:  # pragma: no cover - LOOKS has no other
                raise AssertionError(request.op)

    async def health(self, turns: Turns) -> object:
        """Judge the tree, in slices."""
        health, _ = await in_slices(check_up(self._root), turns)
        return health.as_json()

    def event(self, event: Event) -> dict[str, object]:
        """Give what is told of *event*."""
        return timed_json(event, self._root.host)

    def _history(self, request: Request) -> list[dict[str, object]]:
        events = self._tree.history
        if request.path:
            events = tuple(e for e in events if is_below(e.path, request.path))
        found: list[dict[str, object]] = []
        left = LARGEST - 1000  # bytes, but for what is around them
        for event in reversed(events[-request.limit :]):
            told = self.event(event)
            left -= len(json.dumps(told))
            if left < 0:
                break
            found.append(told)
        return found[::-1]

    def _bounded(self, path: str, most: int) -> None:
        """Refuse what is about more than *most* places, without counting all of them."""
        left = most
        ahead: list[Place] = [self._place(path)]
        while ahead and left >= len(ahead):
            place = ahead.pop()
            left -= 1
            if isinstance(place, SupervisorPlace):
                ahead.extend(islice(place.children.values(), left + 1))
        if ahead:
            text = f"{path!r} has more than {most} places. Name one further down"
            raise RefusedError(Code.TOO_LARGE, text)

    def check(self, path: str) -> None:
        """Refuse *path* if nothing stands there.

        Raises:
            RefusedError: It is so.
        """
        self._place(path)

    def _place(self, path: str) -> Place:
        place = self._root.host.find(path)
        if place is None:
            near = " or ".join(map(repr, self._near(path)))
            hint = f" (did you mean {near}?)" if near else ""
            text = (
                f"nothing stands at {path!r} in the tree {self._root.path!r}{hint}; a path "
                f"starts at the root, as in '{self._root.path}/child', and tree shows all"
            )
            raise RefusedError(Code.NOT_FOUND, text)
        return place

    def _near(self, path: str) -> list[str]:
        """Give paths like *path*, as far as to its first name that is not there."""
        names = iter(path.split("/"))
        name = next(names)
        above = ""
        there: dict[str, Place] = {self._root.name: self._root}
        while name in there:
            place = there[name]
            above = f"{place.path}/"
            there = place.children if isinstance(place, SupervisorPlace) else {}
            name = next(names)
        known = islice(there, MOST_LIKE)
        return [above + like for like in get_close_matches(name[:LONGEST_LIKE], known)]

    def _actor(self, path: str) -> Ref[Actor]:
        """Give the actor at *path*; the tree's own error would speak of Python."""
        place = self._place(path)
        if isinstance(place, ActorPlace):
            return self._tree.ref(path, Actor)
        what = "supervisor" if isinstance(place, SupervisorPlace) else "service"
        text = f"{path!r} is a {what}; only actors have a state, and can be suspended"
        raise RefusedError(Code.NOT_FOUND, text)

    # -------------------------------------------------------------------- steering it

    async def steer(self, request: Request) -> object:
        """Do what *request* asks for; give the row of a place that was started.

        Raises:
            RefusedError: The place or its supervisor does not do that.
            RegrowError: It was refused, or has failed.
        """
        path = request.path
        match request.op:
            case Op.RESTART:
                supervisor, place = self._supervised(path, "restart")
                self._comes_back(place)
                await supervisor.terminate_child(place.name)
                await supervisor.restart_child(place.name)
                return self._row(path)
            case Op.START:
                supervisor, place = self._supervised(path, "start")
                await supervisor.restart_child(place.name)
                return self._row(path)
            case Op.TERMINATE:
                supervisor, place = self._supervised(path, "terminate")
                await supervisor.terminate_child(place.name)
                return None
            case Op.SUSPEND:
                await trio.lowlevel.checkpoint()
                self._actor(path).suspend()
                return None
            case Op.RESUME:
                await trio.lowlevel.checkpoint()
                self._actor(path).resume()
                return None
            case _:  # pragma: no cover - STEERS has no other
                raise AssertionError(request.op)

    def _supervised(self, path: str, what: str) -> tuple[SupervisorRef, Place]:
        place = self._place(path)
        if place.parent is None:
            text = f"the root has no supervisor to {what} it; stop ends the tree"
            raise RefusedError(Code.REFUSED, text)
        return SupervisorRef(place.parent), place

    def _comes_back(self, place: Place) -> None:
        """Refuse to restart what its supervisor forgets when it is stopped."""
        above = place.parent
        assert above is not None  # noqa: S101 - see _supervised
        parent = above.spec
        if isinstance(parent, SupervisorSpec) and parent.forgets:
            why = f"{above.path!r} is dynamic: it forgets a child that is stopped"
        elif place.spec.restart == "temporary":
            why = "it is temporary: its supervisor forgets it when it is stopped"
        else:
            return
        text = f"{place.path!r} cannot be restarted; {why}. It was left alone"
        raise RefusedError(Code.REFUSED, text)

    def _row(self, path: str) -> object:
        place = self._root.host.find(path)
        if place is None:
            return None
        return row_json(row_of(place, path.count("/"), frozenset()))


def is_below(path: str, above: str) -> bool:
    """Whether *path* is *above*, or below it; everything is below ""."""
    return not above or path == above or path.startswith(f"{above}/")


def refusal(request: Request, error: RegrowError | RefusedError) -> Refusal:
    """Say why *request* is not done."""
    code = Code.FAILED
    match error:
        case RefusedError():
            code = error.code
        case PlaceNotFoundError():
            code = Code.NOT_FOUND
        case ChildActiveError(path=path, child_id=name, code=status):
            text = f"'{path}/{name}' is {status}; restart it, or terminate it first"
            return Refusal(request.id, Code.REFUSED, text)
        case SupervisorCallError() | NotRunningError():
            code = Code.REFUSED
        case ActorStoppedError():
            code = Code.STOPPED
        case RegrowError():
            cause = error.__cause__
            if cause is not None:
                return Refusal(request.id, code, f"{error} ({summary(cause)})")
        case _:
            assert_never(error)
    return Refusal(request.id, code, str(error))
