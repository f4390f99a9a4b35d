"""What is told of places as JSON: the whole tree, the rows of the page, one in detail."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import trio
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from regrow._runtime.place import SupervisorPlace
from regrow._runtime.snapshot import shallow
from regrow.observe._protocol import LONGEST, Op, Refusal, parse
from regrow.observe._row import Query
from regrow.observe._rows import Rows
from regrow.observe._rows_json import page_json, row_json
from regrow.observe._wire import plain

from ._json import Json
from ._query import argument
from ._streamed import Streamed

if TYPE_CHECKING:
    from starlette.requests import Request

    from regrow._runtime.place import Place
    from regrow._runtime.running import Running
    from regrow._runtime.snapshot import PlaceSnapshot
    from regrow._runtime.tree import Tree

    from ._streamed import Write

__all__ = ["Places"]

LONGEST_TRACE: Final = 20_000  # characters of a traceback
TURN: Final = 200  # places made into text at a stretch


class BadQuestionError(Exception):
    """What was asked for is no such question; the text says why."""


class Places:
    """The answers about the places of one tree.

    Args:
        tree: The tree.
        running: Its run.
        rows: Its rows.
        steers: Whether the page can offer to change it.
    """

    def __init__(
        self, tree: Tree, running: Running, rows: Rows, *, steers: bool
    ) -> None:
        self._tree = tree
        self._running = running
        self._rows = rows
        self._steers = steers

    async def tree(self, request: Request) -> Response:
        """The places, each with its children, from `?path=` on if that is given.

        It is made while it is sent, so that a large tree holds nothing up; what changes
        meanwhile may or may not be in it.
        """
        await trio.lowlevel.checkpoint()
        path = argument(request, "path") or self._tree.path
        place = self._running.host.find(path)
        if place is None:
            return self._nothing_at(path)

        async def produce(write: Write) -> None:
            await _write_tree(place, write)

        return Streamed(produce, "application/json")

    async def details(self, request: Request) -> Response:
        """One place: its row, its history, its last failure, where it waits."""
        await trio.lowlevel.checkpoint()
        path = request.path_params.get("path") or argument(request, "path")
        place = self._running.host.find(path)
        if place is None:
            return self._nothing_at(path)
        found = self._rows.details(path)
        seen = shallow(place)
        failure = seen.last_failure
        return Json(
            {
                "place": _alone(seen),
                "row": row_json(found.row),
                "history": found.history,
                # The innermost frames are at the end.
                "failure": failure and failure.traceback[-LONGEST_TRACE:],
                "stack": found.stack,
            }
        )

    def _nothing_at(self, path: str) -> Json:
        text = f"nothing stands at {path!r} in the tree {self._tree.path!r}"
        return Json({"error": text}, 404)

    async def rows(self, request: Request) -> Response:
        """The rows that the page shows, and what there is in all.

        A new filter or sort is waited for once; where more were asked for than are looked
        for at once it is still `pending`, and there are no rows yet.
        """
        await trio.lowlevel.checkpoint()
        try:
            query = await _question(request)
        except BadQuestionError as error:
            return Json({"error": str(error)}, 400)
        page = await self._rows.latest_page(query)
        if page.pending:
            await trio.sleep(self._rows.due())
            page = await self._rows.latest_page(query)
        answer = page_json(page)
        answer |= {"pending": page.pending, "steers": self._steers}
        return Json(answer)


async def _write_tree(root: Place, write: Write) -> None:
    """Write the JSON of *root* and what is below it, some places at a time."""
    parts = [_opening(root)]
    ahead = [iter(_below(root))]  # no recursion: a tree may be deep
    first = True
    while ahead:
        place = next(ahead[-1], None)
        if place is None:
            ahead.pop()
            parts.append("]}")
            first = False
            continue
        parts.append(_opening(place) if first else f",{_opening(place)}")
        ahead.append(iter(_below(place)))
        first = True
        if len(parts) >= TURN:
            await write("".join(parts))
            parts.clear()
            await trio.lowlevel.checkpoint()
    await write("".join(parts))


def _opening(place: Place) -> str:
    text = json.dumps(_alone(shallow(place)), separators=(",", ":"))
    return text[:-1] + ',"children":['


def _alone(seen: PlaceSnapshot) -> dict[str, object]:
    """Give a place as JSON knows it, without those below it."""
    found = seen.as_json()
    del found["children"]
    failure = seen.last_failure
    if failure is not None:
        found["last_failure"] = {**failure.as_json(), "error": plain(failure.error)}
    return found


def _below(place: Place) -> list[Place]:
    return [*place.children.values()] if isinstance(place, SupervisorPlace) else []


async def _question(request: Request) -> Query:
    """Read which rows are wanted, as a control socket is asked for them.

    Raises:
        BadQuestionError: The body is too long, or no such question.
    """
    body = b""
    try:
        async with aclosing(request.stream()) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > LONGEST:
                    break
    except ClientDisconnect as error:  # nobody is left to be answered
        message = "the question ends in its middle"
        raise BadQuestionError(message) from error
    asked = parse(body)
    if isinstance(asked, Refusal):
        raise BadQuestionError(asked.text)
    if asked.op is not Op.ROWS:
        message = f"only rows can be asked for here, not {asked.op.value}"
        raise BadQuestionError(message)
    return asked.query
