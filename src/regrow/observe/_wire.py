"""Events and errors as values that JSON knows, of bounded size."""

from __future__ import annotations

import math
import traceback
from enum import Enum
from typing import TYPE_CHECKING, cast

from attrs import fields

from regrow._core.events import Event
from regrow.errors import summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regrow._runtime.host import Host

__all__ = ["error_json", "event_json", "plain", "timed_json"]

LONGEST = 2000  # characters of one text
MOST = 100  # members of one sequence; a stack has hardly more


def event_json(event: Event) -> dict[str, object]:
    """Give *event* as its name and its fields; an error as `error_json` gives it."""
    found: dict[str, object] = {"event": type(event).__name__}
    for field in fields(type(event)):
        value = cast("object", getattr(event, field.name))
        found[field.name] = plain(value)
    return found


def timed_json(event: Event, host: Host) -> dict[str, object]:
    """Give *event* of *host* as `event_json` does, and its `time` by the local clock."""
    time = host.wall(event.at).isoformat(timespec="milliseconds")
    return {**event_json(event), "time": time}


def error_json(error: BaseException) -> dict[str, object]:
    """Give the type and the text of *error*, and its traceback as one text."""
    try:
        lines = traceback.format_exception(error)
    except Exception:  # noqa: BLE001 - the text of somebody's exception must not hide it
        lines = [summary(error)]
    return {
        "type": type(error).__name__,
        "text": _short(summary(error)),
        "traceback": "".join(lines)[-LONGEST * 5 :],  # the innermost is at the end
    }


def plain(value: object) -> object:
    """Give *value* as JSON knows it: numbers that it does not know are null."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Enum):
        return plain(cast("object", value.value))
    if isinstance(value, BaseException):
        return error_json(value)
    if isinstance(value, tuple | list):
        members = cast("Sequence[object]", value)
        return [plain(member) for member in members[:MOST]]
    return _short(value if isinstance(value, str) else repr(value))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
