"""The table of the live view: a line for each place. Pure."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from rich.style import Style

from ._drawing import Line, Piece, aligned, fit, line, styled
from ._text import count, duration, visible

if TYPE_CHECKING:
    from ._row import Row

__all__ = ["BAD", "DIM", "GOOD", "PLAIN", "STRONG", "WARN", "heading", "table_row"]

PLAIN: Final = Style.null()
DIM: Final = styled("dim")
STRONG: Final = styled("bold")
GOOD: Final = styled("green")
WARN: Final = styled("bold yellow")
BAD: Final = styled("bold red")
_MARKED: Final = styled("reverse")
_HEADING: Final = styled("bold")

STATUS: Final = {
    "starting": styled("cyan"),
    "running": GOOD,
    "suspended": WARN,
    "restarting": WARN,
    "stopping": styled("magenta"),
    "stopped": DIM,
    "stuck": BAD,
}

_BAR: Final = 8
_PLACE: Final = 24  # columns that the place has before others get any

# In the order in which they are given room, with their widths; the place gets what is left,
# and shares it with what is handled.
_COLUMNS: Final = (
    ("status", 10),
    ("restarts", 8),
    ("mailbox", 12),
    ("uptime", 9),
    ("life", 6),
    ("bar", _BAR),
    ("handling", 16),
)
_SHOWN: Final[tuple[str, ...]] = (
    "status",
    "life",
    "restarts",
    "uptime",
    "bar",
    "mailbox",
    "handling",
)


@lru_cache(maxsize=16)
def _widths(width: int) -> dict[str, int]:
    """Give the columns that a screen of *width* has, with their widths."""
    left = width - _PLACE
    found: dict[str, int] = {}
    for name, wanted in _COLUMNS:
        if left < wanted + 1:
            break
        found[name] = wanted
        left -= wanted + 1
    extra = max(left, 0)
    if "handling" in found:
        found["handling"] += extra // 2
        extra -= extra // 2
    found["place"] = min(width, _PLACE + extra)
    return found


def heading(width: int) -> Line:
    """Give the line above the table."""
    widths = _widths(width)
    pieces = [(fit("place", widths["place"]), _HEADING)]
    for name in _SHOWN:
        if name not in widths:
            continue
        words = "" if name == "bar" else name
        text = (aligned if name in _RIGHT else fit)(words, widths[name])
        pieces.append((f" {text}", _HEADING))
    return line(pieces, width, _HEADING)


_RIGHT: Final = frozenset({"life", "restarts", "uptime", "mailbox"})


def table_row(row: Row, width: int, *, marked: bool, flat: bool) -> Line:
    """Give the line of one place.

    Args:
        row: The place.
        width: Columns of the screen.
        marked: Whether the cursor is on it.
        flat: Whether it stands by itself, so that only its whole path says where it is.
    """
    widths = _widths(width)
    pieces: list[Piece] = [_place(row, widths["place"], flat=flat)]
    for name in _SHOWN:
        if name in widths:
            text, style = _cell(row, name, widths[name])
            pieces.append((f" {text}", style))
    if marked:
        pieces = [(text, _MARKED) for text, _ in pieces]
    return line(pieces, width, _MARKED if marked else PLAIN)


def _place(row: Row, width: int, *, flat: bool) -> Piece:
    above = row.kind in ("supervisor", "dynamic")
    if flat:
        sign, indent, words = "", "", row.path
    else:
        sign = ("▸ " if row.folded else "▾ ") if row.children else "  "
        # However deep it is, its name has to be seen.
        indent = "  " * min(row.depth, max((width - 16) // 2, 0))
        words = row.name
    more = f" ({count(row.children)})" if row.folded and row.children else ""
    text = f"{indent}{sign}{visible(words)}{more}"
    return fit(text, width), STRONG if above else PLAIN


def _cell(row: Row, name: str, width: int) -> Piece:
    match name:
        case "status":
            style = STATUS.get(row.state, PLAIN)
            return fit(visible(row.state), width), style
        case "life":
            return aligned(count(row.incarnation), width), DIM
        case "restarts":
            return aligned(count(row.restarts), width), WARN if row.restarts else DIM
        case "uptime":
            return aligned(duration(row.uptime), width), PLAIN
        case "bar":
            return _bar(row, width)
        case "mailbox":
            return _mailbox(row, width)
        case _:
            return fit(visible(row.handling or ""), width), PLAIN


def _mailbox(row: Row, width: int) -> Piece:
    if row.kind != "actor":
        return " " * width, PLAIN
    text = f"{count(row.waiting)}/{count(row.capacity)}"
    return aligned(text, width), _fullness(row)


def _bar(row: Row, width: int) -> Piece:
    if row.kind != "actor" or not row.capacity or math.isinf(row.capacity):
        return " " * width, PLAIN
    filled = min(width, math.ceil(width * row.waiting / row.capacity))
    return "█" * filled + "·" * (width - filled), _fullness(row)


def _fullness(row: Row) -> Style:
    if not row.waiting:
        return DIM
    share = row.waiting / row.capacity if row.capacity else 1.0
    if share >= 0.8:
        return BAD
    return WARN if share >= 0.5 else GOOD
