"""`regrow show`: a declared tree as a picture, or as data."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.measure import Measurement

from regrow import SpecError

from ._loading import BAD_USAGE, load_for, say
from ._picture import MOST_PLACES, Picture, as_data
from ._target import Tree

__all__ = ["show_target"]

SHOWN: Final = 0

_WIDEST: Final = 160
"""Columns of an SVG; what is longer goes on in the next line."""
_ENDLESS: Final = 1_000_000

# Rich's template has the font fetched from a server. A picture must not need one.
_FONTS: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def show_target(target: str, *, svg: Path | None, as_json: bool, whole: bool) -> int:
    """Draw the tree that *target* names; give the exit code."""
    try:
        tree = load_for("show", target)
    except SpecError as error:
        say("show", str(error))
        return BAD_USAGE
    if tree is None:
        return BAD_USAGE
    console = Console(highlight=False)
    if as_json:
        console.out(json.dumps(as_data(tree), indent=2), highlight=False)
        return SHOWN
    picture = Picture.of(tree, most=None if whole else MOST_PLACES)
    if svg is not None:
        return _save(tree, picture, svg)
    if not console.is_terminal:  # in a file or a pipe, lines are as long as they are
        console.width = _width_of(console, picture)
    console.print(picture.drawn)
    console.print(picture.summary)
    return SHOWN


def _width_of(console: Console, picture: Picture) -> int:
    """Give the columns in which no line of *picture* has to be broken."""
    endless = console.options.update_width(_ENDLESS)
    drawn = Measurement.get(console, endless, picture.drawn).maximum
    return max(drawn, len(picture.summary))


def _save(tree: Tree, picture: Picture, svg: Path) -> int:
    console = Console(
        record=True,
        file=io.StringIO(),
        width=_WIDEST,
        force_terminal=True,
        highlight=False,
    )
    console.width = min(_width_of(console, picture), _WIDEST)
    console.print(picture.drawn)
    console.print(picture.summary)
    text = console.export_svg(title=f"regrow show {tree.name}", unique_id="regrow")
    try:
        svg.write_text(_FONTS.sub("", text), encoding="utf-8")
    except OSError as error:
        say("show", f"the picture cannot be written: {error}")
        return BAD_USAGE
    return SHOWN
