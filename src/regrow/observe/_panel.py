"""The panel of an opened place in the live view: all that is known of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ._drawing import Line, Piece, aligned, line, width_of
from ._table import BAD, DIM, GOOD, PLAIN, STATUS, STRONG, WARN
from ._text import count, duration, visible, visible_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ._rows import Details, Row

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
        rest = text
        while width_of(rest) > left and width > 0:
            head = _head(rest, left)
            if not head and left == width:
                break  # a wide character, and a screen of one column
            yield line([*current, (head, style)], width, PLAIN)
            rest, current, left = rest[len(head) :], [], width
        current.append((rest, style))
        left -= width_of(rest)
    yield line(current, width, PLAIN)


def _head(text: str, width: int) -> str:
    """Give as much of *text* as has room in *width* columns."""
    if text.isascii():
        return text[:width]
    taken = size = 0
    for character in text:
        taken += width_of(character)
        if taken > width:
            break
        size += 1
    return text[:size]
