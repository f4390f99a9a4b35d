"""The panel of an opened place in the live view: all that is known of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rich.cells import get_character_cell_size

from ._drawing import Line, Piece, aligned, line
from ._table import BAD, DIM, GOOD, PLAIN, STATUS, STRONG, WARN
from ._text import count, duration, visible, visible_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ._row import Details, Row

__all__ = ["panel"]

_STYLES = {
    "ChildStarted": GOOD,
    "ChildRestarting": WARN,
    "ChildStartFailed": BAD,
    "ChildStuck": BAD,
    "RestartLimitExceeded": BAD,
}

# What every event has, or what is told in another way.
_APART = frozenset(
    {"event", "path", "incarnation", "at", "error", "stack", "kind", "time"}
)


def panel(details: Details, width: int, now: float) -> list[Line]:
    """Give the lines of the panel, each of *width* columns; longer ones are folded.

    Args:
        details: What is known of the place.
        width: Columns of the screen.
        now: Seconds on the clock that the times of events are of.
    """
    lines: list[Line] = []
    for pieces in _pieces(details, now):
        lines += _folded(pieces, width)
    return lines


def _pieces(details: Details, now: float) -> Iterator[list[Piece]]:
    yield _summary(details.row)
    yield []
    yield [("waits in", STRONG)]
    for text in details.stack:
        for each in visible_lines(text):
            yield [(f"  {each}", PLAIN)]
    if not details.stack:
        yield [("  no task of it waits", DIM)]
    yield []
    yield [("last failure", STRONG)]
    if details.failure is None:
        yield [("  none", DIM)]
    else:
        for each in visible_lines(details.failure.rstrip()):
            yield [(f"  {each}", BAD if each[:1] not in ("", " ") else PLAIN)]
    yield []
    yield [("history, the latest first", STRONG)]
    for event in reversed(details.history):
        yield _event(event, now)
    if not details.history:
        yield [("  nothing has happened here lately", DIM)]


def _summary(row: Row) -> list[Piece]:
    pieces: list[Piece] = [
        (visible(row.kind), PLAIN),
        (", ", DIM),
        (visible(row.state), STATUS.get(row.state, PLAIN)),
        (f", life {count(row.incarnation)}", PLAIN),
        (f", {count(row.restarts)} restarts", WARN if row.restarts else PLAIN),
        (f", up {duration(row.uptime)}", PLAIN),
    ]
    if row.kind == "actor":
        mailbox = f", mailbox {count(row.waiting)}/{count(row.capacity)}"
        pieces.append((mailbox, PLAIN))
    if row.children:
        pieces.append((f", {count(row.children)} children", PLAIN))
    if row.handling:
        pieces.append((f", handles {visible(row.handling)}", PLAIN))
    return pieces


def _event(event: Mapping[str, object], now: float) -> list[Piece]:
    name = str(event.get("event", ""))
    at = event.get("at")
    when = f"{duration(now - at)} ago" if isinstance(at, int | float) else ""
    error = event.get("error")
    style = _STYLES.get(name, PLAIN)
    if name == "ChildExited" and error is not None:
        style = BAD
    rest = [
        f"{key} {visible(str(value))}"
        for key, value in event.items()
        if key not in _APART and value not in (None, "")
    ]
    if isinstance(error, dict):
        known = cast("dict[str, object]", error)
        rest.append(visible(str(known.get("text", ""))))
    words = ", ".join(rest)
    return [
        (f"  {aligned(when, 13)}  ", DIM),
        (f"life {visible(str(event.get('incarnation', '')))}  ", DIM),
        (visible(name), style),
        (f"  {words}", PLAIN),
    ]


def _folded(pieces: list[Piece], width: int) -> Iterator[Line]:
    """Give *pieces* as lines; nothing that somebody looks for here may be cut off."""
    current: list[Piece] = []
    left = width
    for text, style in pieces:
        at = 0
        while at < len(text):
            size, taken = _head(text, at, left)
            if at + size == len(text):
                current.append((text[at:], style))
                left -= taken
                break
            if not size and left == width:
                # A wide character, and a screen of one column.
                current.append((text[at:], style))
                left = 0
                break
            yield line([*current, (text[at : at + size], style)], width, PLAIN)
            at, current, left = at + size, [], width
    yield line(current, width, PLAIN)


def _head(text: str, at: int, width: int) -> tuple[int, int]:
    """Give how much of *text* from *at* on has room in *width* columns, and its columns."""
    if text.isascii():
        size = min(len(text) - at, max(width, 0))
        return size, size
    taken = size = 0
    for index in range(at, len(text)):
        more = get_character_cell_size(text[index])
        if taken + more > width:
            break
        taken += more
        size += 1
    return size, taken
