"""Rows, pages and details as JSON, and back: what a server sends, and a client reads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar, cast

from attrs import asdict, fields_dict

from ._row import Details, Page, Row

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "details_from_json",
    "details_json",
    "page_from_json",
    "page_json",
    "row_json",
]

T = TypeVar("T")


def row_json(row: Row) -> dict[str, object]:
    """Give the fields of *row*; a capacity without a bound is null."""
    found = asdict(row, recurse=False)
    if math.isinf(row.capacity):
        found["capacity"] = None
    return found


def page_json(page: Page) -> dict[str, object]:
    """Give the fields of *page*, but for `pending`: a control socket waits until it is not."""
    found = asdict(page, recurse=False)
    del found["pending"]
    found["rows"] = [row_json(row) for row in page.rows]
    return found


def details_json(details: Details) -> dict[str, object]:
    """Give the fields of *details*."""
    found = asdict(details, recurse=False)
    found["row"] = row_json(details.row)
    return found


def page_from_json(value: object) -> Page:
    """Give the page that *value* was made of.

    Raises:
        ValueError: It is none.
    """
    found = _fields(value, Page)
    return _made(Page, found | {"rows": tuple(map(_row, _list(found.get("rows"))))})


def details_from_json(value: object) -> Details:
    """Give the details that *value* was made of.

    Raises:
        ValueError: They are none.
    """
    found = _fields(value, Details)
    made = {
        "row": _row(found.get("row")),
        "history": tuple(_list(found.get("history"))),
        "stack": tuple(_list(found.get("stack"))),
    }
    return _made(Details, found | made)


def _row(value: object) -> Row:
    found = _fields(value, Row)
    if found.get("capacity", 0) is None:
        found["capacity"] = math.inf
    return _made(Row, found)


def _fields(value: object, kind: type) -> dict[str, object]:
    """Give those of *value* that *kind* knows: a newer server may send more."""
    if not isinstance(value, dict):
        message = f"{kind.__name__} is not an object: {value!r:.80}"
        raise ValueError(message)  # noqa: TRY004 - what was read is wrong, no argument
    known = fields_dict(kind)
    members = cast("dict[str, object]", value)
    return {name: members[name] for name in members if name in known}


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        message = f"not a list: {value!r:.80}"
        raise ValueError(message)  # noqa: TRY004 - as above
    return cast("list[object]", value)


def _made(kind: Callable[..., T], found: dict[str, object]) -> T:
    try:
        return kind(**found)
    except TypeError as error:
        message = f"it lacks a field: {error}"
        raise ValueError(message) from error
