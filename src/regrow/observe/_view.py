"""The live view as something that rich draws: a screenful made of values. Pure.

    header        the tree as a whole, and a line for whoever shows it
    table         the visible rows, or the panel of the place that is opened
    footer        the keys

Whatever comes from the program that is looked at goes through `visible`, and none of it is
read as rich's markup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from ._drawing import Line, Lines, Piece, line, styled
from ._model import KEYS, PANEL_KEYS, TYPING_KEYS, in_tree_order
from ._panel import panel
from ._table import BAD, DIM, GOOD, PLAIN, STRONG, WARN, heading, table_row
from ._text import count, uptime, visible

if TYPE_CHECKING:
    from ._model import State
    from ._row import Details, Page

__all__ = ["CHROME", "Shown", "frame", "panel_lines"]

CHROME: Final = 4
"""Lines of the screen that are no rows: two above them, the heading, the footer."""

_TITLE: Final = styled("bold white on blue")
_KEY: Final = styled("bold cyan")
_HEALTH: Final = {"ok": GOOD, "degraded": WARN, "failing": BAD}


@frozen
class Shown:
    """All that one picture is made of.

    Attributes:
        name: Of the tree.
        page: The rows.
        state: What the keys have made of the view, fitted to the page.
        details: Of the opened place; None if it is gone, or none is open.
        uptime: Seconds that the tree has been up; None until it is.
        note: A line of whoever shows the view.
        width: Columns of the screen.
        height: Lines of the screen.
    """

    name: str
    page: Page
    state: State
    details: Details | None
    uptime: float | None
    note: str
    width: int
    height: int


def frame(shown: Shown) -> Lines:
    """Give the whole screen: exactly its lines, each of its width."""
    width = shown.width
    body = _panel(shown) if shown.state.opened is not None else _table(shown)
    room = max(shown.height - CHROME + 1, 0)
    body = body[:room] + [line((), width, PLAIN)] * (room - len(body))
    lines = [_header(shown), _note(shown), *body, _footer(shown)]
    return Lines(tuple(lines[: max(shown.height, 1)]))


def panel_lines(shown: Shown) -> int:
    """Give how many lines the panel of the opened place has."""
    return 0 if shown.details is None else len(_panel_of(shown, shown.details))


def _header(shown: Shown) -> Line:
    page = shown.page
    health = _HEALTH.get(page.health, PLAIN)
    restarts = WARN if page.restarts else PLAIN
    pieces: list[Piece] = [
        (f" {visible(shown.name)} ", _TITLE),
        ("  ", PLAIN),
        (visible(page.health), health),
        (f"  {count(page.places)} places  ", PLAIN),
        (f"{count(page.restarts)} restarts", restarts),
        (f"  {uptime(shown.uptime)}", PLAIN),
    ]
    if shown.state.paused:
        pieces.append(("  paused", WARN))
    return line(pieces, shown.width, PLAIN)


def _note(shown: Shown) -> Line:
    state = shown.state
    if state.typing is not None:
        pieces = [("filter: ", _KEY), (f"{state.typing}▏", STRONG)]
        return line(pieces, shown.width, PLAIN)
    parts: list[Piece] = []
    if state.filter:
        parts.append((f"filter: {state.filter}  ", WARN))
    if state.sort != "tree":
        parts.append((f"by {state.sort}  ", WARN))
    if shown.note:
        parts.append((visible(shown.note), DIM))
    return line(parts, shown.width, PLAIN)


def _table(shown: Shown) -> list[Line]:
    state, page = shown.state, shown.page
    lines = [heading(shown.width)]
    begin = state.offset - page.offset
    # A page that was asked for before the last key may begin elsewhere.
    rows = page.rows[max(begin, 0) :][: state.height]
    first = page.offset + max(begin, 0)
    flat = not in_tree_order(state)
    for index, row in enumerate(rows):
        marked = first + index == state.cursor
        lines.append(table_row(row, shown.width, marked=marked, flat=flat))
    if not rows:
        what = (
            "looking at all places …"
            if page.pending
            else "no place has that in its path"
        )
        lines.append(line([(what, DIM)], shown.width, PLAIN))
    return lines


def _panel(shown: Shown) -> list[Line]:
    path = visible(shown.state.opened or "")
    if shown.details is None:
        gone = (f"{path} is gone: there is no such place any more", WARN)
        return [line([gone], shown.width, PLAIN)]
    lines = _panel_of(shown, shown.details)
    scroll, height = shown.state.scroll, shown.state.height
    below = len(lines) - scroll - height
    more = f"  {below} more lines below" if below > 0 else ""
    title = line([(path, STRONG), (more, DIM)], shown.width, PLAIN)
    return [title, *lines[scroll : scroll + height]]


def _panel_of(shown: Shown, details: Details) -> list[Line]:
    return panel(details, shown.width, shown.page.at)


def _footer(shown: Shown) -> Line:
    state = shown.state
    keys = KEYS
    if state.typing is not None:
        keys = TYPING_KEYS
    elif state.opened is not None:
        keys = PANEL_KEYS
    pieces: list[Piece] = []
    for key, what in keys:
        pieces += [(key, _KEY), (f" {what}  ", DIM)]
    if state.total and state.opened is None:
        pieces.append((f"{count(state.cursor + 1)} of {count(state.total)}", DIM))
    return line(pieces, shown.width, PLAIN)
