"""The control protocol: what a line asks for.

Pure: it knows no socket and no tree. A request is one line of JSON, bounded in length, in
depth and in each of its arguments; whatever comes in is a `Request` or a `Refusal`.
"""

from __future__ import annotations

import json
import math
from enum import Enum
from typing import TYPE_CHECKING, Final, NoReturn, cast, get_args

from attrs import frozen

from ._row import Query, Sort

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["INTERNAL", "LONGEST", "Code", "Op", "Refusal", "Request", "parse"]

LONGEST: Final = 64 * 1024  # bytes of a request's line
DEEPEST: Final = 8  # values inside each other
LONGEST_ID: Final = 256  # characters of an id, as JSON
LONGEST_PATH: Final = 4096  # characters
LONGEST_FILTER: Final = 256  # characters
MOST_FOLDED: Final = 1000  # paths
MOST_ROWS: Final = 1000
MOST_EVENTS: Final = 1000
FURTHEST: Final = 10**9  # rows


class Op(Enum):
    """What can be asked for."""

    TREE = "tree"
    ROWS = "rows"
    DETAILS = "details"
    EVENTS = "events"
    HISTORY = "history"
    HEALTH = "health"
    STACKS = "stacks"
    STATE = "state"
    RESTART = "restart"
    TERMINATE = "terminate"
    START = "start"
    SUSPEND = "suspend"
    RESUME = "resume"
    STOP = "stop"
    CANCEL = "cancel"


class Code(Enum):
    """Why a request was refused."""

    MALFORMED = "malformed"
    """It is not one object of JSON on a line."""
    TOO_LONG = "too_long"
    """Its line is too long; the connection is closed."""
    UNKNOWN_OP = "unknown_op"
    BAD_ARGUMENT = "bad_argument"
    BUSY = "busy"
    """Too many requests or connections are in progress."""
    FORBIDDEN = "forbidden"
    """The client runs as another user."""
    NOT_FOUND = "not_found"
    """There is no such place, or no such stream."""
    REFUSED = "refused"
    """The place or its supervisor does not do that."""
    FAILED = "failed"
    """It was tried, and failed; the text says of what."""
    STOPPED = "stopped"
    """The place is closed, or the tree has ended."""
    TOO_LARGE = "too_large"
    """The answer would be too large: ask for a part."""
    INTERNAL = "internal"
    """Answering it has failed; the program's log says how."""


_FIRST_ROWS: Final = Query()


@frozen
class Request:
    """What one line asks for.

    Attributes:
        id: What the client calls it; any JSON.
        op: What to do.
        path: The place that it is about; "" where none was named.
        query: For `rows`.
        limit: For `history`.
    """

    id: object
    op: Op
    path: str = ""
    query: Query = _FIRST_ROWS
    limit: int = MOST_EVENTS


INTERNAL: Final = (
    Code.INTERNAL,
    "answering this has failed; the program's log says how",
)


@frozen
class Refusal:
    """Why a line is not done.

    Attributes:
        id: That of the request, as far as it could be read.
        code: For programs.
        text: For people.
    """

    id: object
    code: Code
    text: str


class _WrongError(Exception):
    """An argument is not what it may be."""


def parse(line: bytes) -> Request | Refusal:
    """Give what *line* asks for, or why it cannot be done; nothing is raised."""
    if len(line) > LONGEST:
        return Refusal(None, Code.TOO_LONG, f"a line has at most {LONGEST} bytes")
    try:
        loaded = json.loads(line, parse_constant=_no_number, parse_float=_finite)
        found = cast("object", loaded)
    except (ValueError, RecursionError) as error:
        text = f"the line is not JSON: {error}"
        return Refusal(None, Code.MALFORMED, text)
    if not isinstance(found, dict):
        text = 'the line is no object. Write {"id": 1, "op": "health"}'
        return Refusal(None, Code.MALFORMED, text)
    fields = cast("dict[str, object]", found)
    id_ = fields.pop("id", None)
    if _depth(id_) > DEEPEST or len(json.dumps(id_)) > LONGEST_ID:
        text = f"the id is longer than {LONGEST_ID} characters"
        return Refusal(None, Code.BAD_ARGUMENT, text)
    name = fields.pop("op", None)
    op = _OPS.get(name) if isinstance(name, str) else None
    if op is None:
        text = f"there is no op {_short(name)}. Write one of {', '.join(_OPS)}"
        return Refusal(id_, Code.UNKNOWN_OP, text)
    try:
        return _ARGUMENTS[op](id_, op, fields)
    except _WrongError as wrong:
        return Refusal(id_, Code.BAD_ARGUMENT, f"{op.value}: {wrong}")


# ---------------------------------------------------------------------- their arguments


def _bare(id_: object, op: Op, fields: Mapping[str, object]) -> Request:
    _only(fields)
    return Request(id_, op)


def _placed(id_: object, op: Op, fields: Mapping[str, object]) -> Request:
    _only(fields, "path")
    if "path" not in fields:
        _wrong("it needs a path, such as 'shop/orders'")
    return Request(id_, op, path=_path(fields))


def _below(id_: object, op: Op, fields: Mapping[str, object]) -> Request:
    _only(fields, "path")
    return Request(id_, op, path=_path(fields))


def _past(id_: object, op: Op, fields: Mapping[str, object]) -> Request:
    _only(fields, "path", "limit")
    limit = _number(fields, "limit", 1, MOST_EVENTS, MOST_EVENTS)
    return Request(id_, op, path=_path(fields), limit=limit)


def _shown(id_: object, op: Op, fields: Mapping[str, object]) -> Request:
    _only(fields, "path", "offset", "limit", "folded", "filter", "sort")
    sort = fields.get("sort", "tree")
    if sort not in get_args(Sort):
        _wrong(f"sort is {_short(sort)}. Write one of {', '.join(get_args(Sort))}")
    query = Query(
        offset=_number(fields, "offset", 0, FURTHEST, 0),
        limit=_number(fields, "limit", 0, MOST_ROWS, 50),
        folded=_folded(fields),
        filter=_text(fields, "filter", LONGEST_FILTER),
        sort=cast("Sort", sort),
        path=_path(fields),
    )
    if query.path and (query.filter or query.sort != "tree"):
        _wrong("a path goes with neither filter nor sort, which look everywhere")
    return Request(id_, op, path=query.path, query=query)


_OPS: Final[Mapping[str, Op]] = {op.value: op for op in Op}
_ARGUMENTS: Final[
    Mapping[Op, Callable[[object, Op, Mapping[str, object]], Request]]
] = {
    Op.TREE: _below,
    Op.ROWS: _shown,
    Op.DETAILS: _placed,
    Op.EVENTS: _below,
    Op.HISTORY: _past,
    Op.HEALTH: _bare,
    Op.STACKS: _below,
    Op.STATE: _placed,
    Op.RESTART: _placed,
    Op.TERMINATE: _placed,
    Op.START: _placed,
    Op.SUSPEND: _placed,
    Op.RESUME: _placed,
    Op.STOP: _bare,
    Op.CANCEL: _bare,
}


def _only(fields: Mapping[str, object], *known: str) -> None:
    for name in fields:
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            _wrong(f"there is no argument {_short(name)}: {takes}")


def _text(fields: Mapping[str, object], name: str, longest: int) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str) or len(value) > longest:
        _wrong(
            f"{name} is {_short(value)}. Write a text of at most {longest} characters"
        )
    return value


def _path(fields: Mapping[str, object]) -> str:
    path = _text(fields, "path", LONGEST_PATH)
    if "path" in fields and not path:
        _wrong(
            "the path is empty. Write that of the root, or leave it out if it may be"
        )
    return path


def _number(
    fields: Mapping[str, object], name: str, least: int, most: int, default: int
) -> int:
    value = fields.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        _wrong(f"{name} is {_short(value)}. Write a whole number")
    if not least <= value <= most:
        _wrong(f"{name} is {_short(value)}. Write a number from {least} to {most}")
    return value


def _folded(fields: Mapping[str, object]) -> frozenset[str]:
    value = fields.get("folded", [])
    if not isinstance(value, list) or len(cast("list[object]", value)) > MOST_FOLDED:
        _wrong(f"folded is no list, or one of more than {MOST_FOLDED} paths")
    paths = cast("list[object]", value)
    for path in paths:
        if not isinstance(path, str) or len(path) > LONGEST_PATH:
            _wrong(f"folded has {_short(path)}, which is no path")
    return frozenset(cast("list[str]", paths))


def _wrong(text: str) -> NoReturn:
    raise _WrongError(text)


def _no_number(name: str) -> NoReturn:
    message = f"{name} is no number"
    raise ValueError(message)


def _finite(text: str) -> float:
    """Give the number; one that is too large to be one could not be sent back."""
    value = float(text)
    if math.isinf(value):
        message = f"{text[:20]} is too large a number"
        raise ValueError(message)
    return value


def _short(value: object) -> str:
    """Give *value* as JSON, shortened; it may be anything that was parsed."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, int) and abs(value) > FURTHEST:
        return "a large number"
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _depth(value: object) -> int:
    """Give how many values are inside each other, up to one more than may be."""
    depth = 0
    layer: list[object] = [value]
    while layer and depth <= DEEPEST:
        depth += 1
        below: list[object] = []
        for each in layer:
            if isinstance(each, list):
                below.extend(cast("list[object]", each))
            elif isinstance(each, dict):
                below.extend(cast("dict[str, object]", each).values())
        layer = below
    return depth
