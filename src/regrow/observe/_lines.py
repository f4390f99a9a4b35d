"""The lines of the control protocol, version 1: cut out of bytes, and made of answers.

Pure, as what is in them is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from ._protocol import LONGEST, Code, Op, Refusal, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "LARGEST",
    "VERSION",
    "Lines",
    "answer",
    "ask",
    "begun",
    "ended",
    "greeting",
    "refused",
    "told",
]

VERSION: Final = 1
LARGEST: Final = 1024 * 1024  # bytes of an answer's line


class Lines:
    """Bytes as they come, cut into lines of bounded length.

    Args:
        longest: Bytes that a line has at most.

    Attributes:
        broken: Whether a line has got too long. It is the last one that is given, as far
            as it has come.
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._held = b""
        self.broken: bool = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Give the lines that *chunk* ends; an empty one ends the last line of all."""
        *lines, self._held = (self._held + chunk).split(b"\n")
        for count, line in enumerate(lines, 1):
            if len(line) > self._longest:
                self.broken = True
                self._held = b""  # nobody asks for more
                return lines[:count]
        self.broken = len(self._held) > self._longest
        if self.broken or (self._held and not chunk):
            lines.append(self._held)
            self._held = b""
        return lines


def greeting(tree: str, pid: int) -> bytes:
    """Give the line that a connection begins with."""
    return _line({"regrow": VERSION, "tree": tree, "pid": pid})


def answer(request: Request, value: object) -> bytes:
    """Give the line that answers *request* with *value*, or refuses it as too large."""
    line = _line({"id": request.id, "ok": value})
    if len(line) <= LARGEST:
        return line
    text = f"the answer has more than {LARGEST} bytes. Ask for a place further down"
    return refused(Refusal(request.id, Code.TOO_LARGE, text))


def begun(request: Request) -> bytes:
    """Give the line before the first event of a stream."""
    return _line({"id": request.id, "stream": "begun"})


def ended(request: Request) -> bytes:
    """Give the line after the last event of a stream."""
    return _line({"id": request.id, "stream": "ended"})


def told(request: Request, event: dict[str, object]) -> bytes:
    """Give the line that tells of *event*."""
    return _line({"id": request.id, "event": event})


def refused(refusal: Refusal) -> bytes:
    """Give the line that says why a request is not done."""
    error = {"code": refusal.code.value, "text": refusal.text}
    return _line({"id": refusal.id, "error": error})


def ask(id_: int, op: Op, arguments: Mapping[str, object]) -> bytes:
    """Give the line of a request, for a client."""
    return _line({"id": id_, "op": op.value, **arguments})


def _line(value: dict[str, object]) -> bytes:
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii") + b"\n"
