"""Any value in a few characters, whatever it is: for people who look at a running program.

`repr` of a value may be endless, fail, or hold what does something to a terminal. The text
made here is one line of printable characters; of Python's own containers and texts only as
much is looked at as is shown, so that a list of a million costs what a short one does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import cast

__all__ = ["brief", "cut"]

LONGEST = 200  # characters
MEMBERS = 20  # of one container; more would not fit
DEEPEST = 4  # containers in containers, also where one holds itself
BITS = 512  # of an integer that is written out

BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    deque: ("deque([", "])"),
    dict: ("{", "}"),
}


def brief(value: object) -> str:
    """Give *value* much as its `repr` does, in one line of at most 200 characters.

    A `repr` that raises is told as such; only what stops a program comes out of it.
    """
    return cut(_text(value, DEEPEST))


def cut(text: str, longest: int = LONGEST) -> str:
    """Give *text* as one printable line of at most *longest* characters."""
    text = text[: longest + 1]
    if not text.isprintable():
        text = "".join(
            each if each.isprintable() else repr(each)[1:-1] for each in text
        )
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _text(value: object, deeper: int) -> str:
    kind = type(value)
    if kind in BRACKETS:
        return _container(kind, cast("Iterable[object]", value), deeper)
    if kind is str or kind is bytes:
        text = cast("str | bytes", value)
        shown = repr(text[: LONGEST + 1])
        return shown if len(text) <= LONGEST else f"{shown[:-1]}…"
    if kind is int:
        bits = cast("int", value).bit_length()
        return repr(value) if bits <= BITS else f"<an integer of {bits:,} bits>"
    try:
        return str.__str__(repr(value))[: LONGEST + 1]  # not of a class of their own
    except Exception as error:  # noqa: BLE001 - it is shown, and nothing depends on it
        return f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"


def _container(kind: type, value: Iterable[object], deeper: int) -> str:
    before, after = BRACKETS[kind]
    if not deeper:
        return f"{before}…{after}"
    texts: list[str] = []
    left = LONGEST
    for text in _members(value, deeper - 1):
        texts.append(text)
        left -= len(text) + 2
        if left < 0:
            break
    shown = ", ".join(texts)
    if kind is tuple and len(texts) == 1 and texts[0] != "…":
        shown += ","
    if not texts and kind in {set, frozenset}:
        return f"{kind.__name__}()"
    return f"{before}{shown}{after}"


def _members(value: Iterable[object], deeper: int) -> Iterator[str]:
    if isinstance(value, dict):
        table = cast("dict[object, object]", value)
        for key, member in islice(table.items(), MEMBERS):
            yield f"{_text(key, deeper)}: {_text(member, deeper)}"
        more = len(table) > MEMBERS
    else:
        members = [*islice(value, MEMBERS + 1)]
        for member in members[:MEMBERS]:
            yield _text(member, deeper)
        more = len(members) > MEMBERS
    if more:
        yield "…"
