"""Lines of coloured text of a given width, which rich draws. Pure.

Not rich's own tables: those measure and wrap every cell, which for 50 rows takes longer
than a program should stand still for a picture of itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console, ConsoleOptions

__all__ = ["Line", "Lines", "Piece", "aligned", "fit", "line", "styled", "width_of"]

Piece = tuple[str, Style]
Line = tuple[Piece, ...]

_CUT: Final = "…"


def styled(definition: str) -> Style:
    """Give the style that rich knows by these words."""
    return Style.parse(definition)


@frozen
class Lines:
    """Something that rich prints as so many lines; each has to have its width already.

    Attributes:
        lines: From top to bottom.
    """

    lines: tuple[Line, ...]

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[Segment]:
        """Give the pieces, as rich's protocol has it."""
        for pieces in self.lines:
            for text, style in pieces:
                yield Segment(text, style)
            yield Segment.line()


def width_of(text: str) -> int:
    """Give how many columns *text* takes."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, width: int) -> str:
    """Give *text* in exactly *width* columns, cut with an ellipsis if it is longer."""
    taken = width_of(text)
    if taken <= width:
        return text + " " * (width - taken)
    return set_cell_size(text, width - 1) + _CUT if width > 0 else ""


def aligned(text: str, width: int) -> str:
    """Give *text* at the right of *width* columns."""
    return (
        " " * (width - width_of(text)) + text
        if width_of(text) < width
        else fit(text, width)
    )


def line(pieces: Iterable[Piece], width: int, rest: Style) -> Line:
    """Give *pieces* as a line of exactly *width* columns.

    Args:
        pieces: From left to right; what has no room is cut off.
        width: In columns.
        rest: The style of what is left over at the right.
    """
    found: list[Piece] = []
    left = width
    for text, style in pieces:
        taken = width_of(text)
        if taken > left:
            found.append((fit(text, left), style))
            return tuple(found)
        found.append((text, style))
        left -= taken
    if left:
        found.append((" " * left, rest))
    return tuple(found)
