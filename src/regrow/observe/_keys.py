"""From the bytes that a terminal sends to keys. Pure, but for the reader at the end.

A key is a text: the character itself if it is one that can be shown, else a name of more
than one letter, such as `up` or `ctrl-c`. What a terminal sends for keys that have no name
here is swallowed whole, so that the rest of it is not taken for letters.
"""

from __future__ import annotations

import os
import re
from typing import Final

import trio
from attrs import define, field, frozen

__all__ = ["Decoded", "Keyboard", "decode"]

_ESCAPE: Final = 0x1B
_LONGEST: Final = 64  # bytes of a sequence; the longest that is sent has about 20

# ECMA-48: parameters, then intermediates, then one final byte. "O" is what keys send to
# programs that have asked for the application mode of a keypad, or whose terminal is in it.
_SEQUENCE: Final = re.compile(
    rb"\x1b(?:\[(?P<numbers>[0-?]*)[ -/]*(?P<last>[@-~])|O(?P<letter>[ -~]))"
)
_CUT_SHORT: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|O)")
_BEGUN: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|O)?\Z")

_BY_LETTER: Final = {
    b"A": "up",
    b"B": "down",
    b"C": "right",
    b"D": "left",
    b"F": "end",
    b"H": "home",
    b"M": "enter",  # of the keypad
}
_BY_NUMBER: Final = {
    b"1": "home",
    b"3": "delete",
    b"4": "end",
    b"5": "page_up",
    b"6": "page_down",
    b"7": "home",
    b"8": "end",
}
_BY_BYTE: Final = {
    0x08: "backspace",
    0x09: "tab",
    0x0A: "enter",
    0x0D: "enter",
    0x7F: "backspace",
}


@frozen
class Decoded:
    """What came out of some bytes.

    Attributes:
        keys: In the order in which they were pressed.
        rest: Bytes that may be the beginning of another key.
    """

    keys: tuple[str, ...]
    rest: bytes


def decode(data: bytes, *, complete: bool = False) -> Decoded:
    """Give the keys in *data*; what is no key is left out.

    Args:
        data: What was left over last time, and what has come since.
        complete: Whether nothing more will come that belongs to it: then an escape at the
            end is the key of that name, and what else has only begun is left out.
    """
    keys: list[str] = []
    at = 0
    while at < len(data):
        begun = _BEGUN.match(data, at)
        if begun is not None:
            if not complete and len(data) - at <= _LONGEST:
                return Decoded(tuple(keys), data[at:])
            if len(data) - at == 1:
                keys.append("escape")
            break
        key, size = _escaped(data, at) if data[at] == _ESCAPE else _plain(data, at)
        if not size:
            if not complete:
                return Decoded(tuple(keys), data[at:])
            size = 1
        if key:
            keys.append(key)
        at += size
    return Decoded(tuple(keys), b"")


def _escaped(data: bytes, at: int) -> tuple[str, int]:
    """Give the key that begins with the escape at *at*, and how many bytes it has."""
    found = _SEQUENCE.match(data, at)
    if found is None:
        if data[at + 1] == _ESCAPE:
            return "escape", 1  # and perhaps a second one
        cut_short = _CUT_SHORT.match(data, at)
        if cut_short is not None:
            return "", len(cut_short[0])  # what cut it is looked at by itself
        _, size = _plain(data, at + 1)  # a letter with Alt
        return "", 1 + (size or 1)
    numbers, last = found["numbers"] or b"", found["last"] or found["letter"]
    if last == b"~":
        return _BY_NUMBER.get(numbers.partition(b";")[0], ""), len(found[0])
    return _BY_LETTER.get(last, ""), len(found[0])


def _plain(data: bytes, at: int) -> tuple[str, int]:
    """Give the character at *at*, and how many bytes it has: 0 if some are missing."""
    first = data[at]
    if first in _BY_BYTE:
        return _BY_BYTE[first], 1
    if first < 0x20:
        return f"ctrl-{chr(first + 0x40).lower()}", 1
    size = _size(first)
    character = data[at : at + size]
    if len(character) < size and all(byte & 0xC0 == 0x80 for byte in character[1:]):
        return "", 0
    try:
        text = character.decode()
    except UnicodeDecodeError:
        return "", 1
    return (text if text.isprintable() else ""), size


def _size(first: int) -> int:
    """Give how many bytes a character of UTF-8 has that begins with *first*."""
    for size, least in ((4, 0xF0), (3, 0xE0), (2, 0xC0)):
        if first >= least:
            return size
    return 1


# An escape by itself and the beginning of a sequence are the same byte. What belongs to a
# sequence follows within a few milliseconds, also over a slow line.
_PATIENCE: Final = 0.05  # seconds


@define
class Keyboard:
    """Reads the keys from a terminal that gives every byte at once.

    Args:
        fd: To read from.
    """

    _fd: int
    _rest: bytes = field(default=b"", init=False)

    async def wait_keys(self) -> tuple[str, ...]:
        """Give what was pressed, at least one key; cancelled, it loses none.

        Raises:
            EOFError: The terminal is gone.
        """
        while True:
            complete = False
            if self._rest:
                with trio.move_on_after(_PATIENCE) as patience:
                    await trio.lowlevel.wait_readable(self._fd)
                complete = patience.cancelled_caught
            else:
                await trio.lowlevel.wait_readable(self._fd)
            data = b"" if complete else self._read()
            decoded = decode(self._rest + data, complete=complete)
            self._rest = decoded.rest
            if decoded.keys:
                return decoded.keys

    def _read(self) -> bytes:
        try:
            data = os.read(self._fd, 1024)
        except OSError as error:
            raise EOFError from error
        if not data:
            raise EOFError
        return data
