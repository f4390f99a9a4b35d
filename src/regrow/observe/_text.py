"""Text for a terminal: what cannot be shown made visible, numbers in few characters. Pure.

Paths, messages and errors come from the user's own code, and through it from whoever sends
data to the program. None of it may move the cursor, change a colour or hide a line.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["count", "duration", "uptime", "visible", "visible_lines"]

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_TAB: Final = 4

# The pictures that Unicode has of them.
_PICTURES: Final = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}


def visible(text: str) -> str:
    """Give *text* as one line: what is not a character to be seen is named instead.

    Control characters become their pictures, such as ␛ for an escape. What else has no
    shape, such as marks that turn the direction of writing, is written as in Python.
    """
    if text.isprintable():
        return text
    text = text.translate(_PICTURES)
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in text
    )


def visible_lines(text: str) -> list[str]:
    """Give the lines of *text*, each as `visible` gives it."""
    return [visible(line.expandtabs(_TAB)) for line in text.split("\n")]


def duration(seconds: float | None) -> str:
    """Give *seconds* in at most eight characters; `-` for None."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    whole = int(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE}:{whole % _MINUTE:02} min"
    if whole < _DAY:
        return f"{whole // _HOUR}:{whole % _HOUR // _MINUTE:02} h"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def uptime(seconds: float | None) -> str:
    """Say that a tree has been up for *seconds*; None for one that is not up."""
    return "not up" if seconds is None else f"up {duration(seconds)}"


def count(number: float) -> str:
    """Give a *number* of things, with commas in it; `∞` if it has no end."""
    return "∞" if math.isinf(number) else f"{number:,.0f}"
