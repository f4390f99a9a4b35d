"""Rows and events as lines of text; what comes from a tree can do nothing to a terminal."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regrow.observe._row import Row

__all__ = ["as_line", "clean", "event_line", "row_line"]

_WIDTH: Final = 40  # of a name with what it is indented by


def as_line(value: object) -> str:
    """Give *value* as one line of JSON."""
    return json.dumps(value, separators=(",", ":"))


def clean(text: str) -> str:
    """Give *text* with everything escaped that is not to be seen."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii")
        for each in text
    )


def row_line(row: Row) -> str:
    """Give the line of a place in a tree."""
    parts = [f"{'  ' * row.depth + row.name:<{_WIDTH}} {row.kind:<10} {row.state:<10}"]
    if row.uptime is not None:
        parts.append(f"up {seconds(row.uptime)}")
    if row.restarts:
        parts.append(f"restarts {row.restarts}")
    if row.waiting:
        full = "" if math.isinf(row.capacity) else f"/{row.capacity:.0f}"
        parts.append(f"waiting {row.waiting}{full}")
    if row.handling:
        parts.append(f"in {row.handling}")
    return clean("  ".join(parts).rstrip())


def event_line(event: Mapping[str, object]) -> str:
    """Give the line of an event: when, where, what, and what there is to know of it."""
    rest = dict(event)
    rest.pop("at", None)
    _, _, clock = str(rest.pop("time", "")).partition("T")
    head = f"{clock[:12] or '?':>12}  {rest.pop('path', '')} [{rest.pop('incarnation', '')}]"
    parts = [f"{head}  {rest.pop('event', '')}"]
    for name, value in rest.items():
        if value is None or value == "" or name == "kind":
            continue
        text = value
        if isinstance(value, dict):
            error = cast("Mapping[str, object]", value)
            text = error.get("text", "")
        elif isinstance(value, float):
            text = round(value, 3)  # seconds, and what there is in a minute
        parts.append(f"{name}={text}")
    return clean("  ".join(parts))


def seconds(value: float) -> str:
    """Give a length of time as people read it."""
    if value < 100:
        return f"{value:.1f} s"
    minutes, rest = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s"
