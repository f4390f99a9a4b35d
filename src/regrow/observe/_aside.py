"""What the program prints while a picture fills its terminal: kept, and printed afterwards.

It is taken where all of it goes through, at the file descriptors: logging handlers keep the
stream they were made with, and other programs that this one starts know nothing of Python's
streams. A thread reads it, since a program that prints more than a pipe holds, in one go,
would otherwise wait for its own event loop.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import Final

__all__ = ["Aside"]

_KEPT: Final = 2000  # lines
_MOST: Final = 1024 * 1024  # bytes
_LONGEST: Final = 4 * 1024  # bytes without an end that count as a line of their own
_PIECE: Final = 64 * 1024  # bytes, as much as a pipe holds


class Aside:
    """Keeps what is written to some file descriptors, the last 2,000 lines or the last MiB of it.

    Args:
        fds: From which to take it. What they lead to gets it back in `close`; the first one
            gets all of it, in its order.
    """

    def __init__(self, fds: tuple[int, ...]) -> None:
        self._fds = fds
        self._lock = threading.Lock()
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._begun = b""
        self._seen = 0
        self._closed = False
        _flush()
        self._out = [os.dup(fd) for fd in fds]
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        for fd in fds:
            os.dup2(write, fd)
        os.close(write)
        threading.Thread(target=self._run, name="regrow output", daemon=True).start()

    @property
    def seen(self) -> int:
        """How many lines there were."""
        return self._seen

    @property
    def last(self) -> str:
        """The last line; empty if there was none."""
        lines = self._lines
        return lines[-1].decode(errors="replace").rstrip() if lines else ""

    def close(self) -> None:
        """Lead the file descriptors where they led before, and print there what was kept."""
        with suppress(OSError, ValueError):
            _flush()  # into the pipe, where it belongs
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for fd, out in zip(self._fds, self._out, strict=True):
                os.dup2(out, fd)
            with suppress(BlockingIOError):
                while self._take():
                    pass
            self._print()

    def _run(self) -> None:
        while True:
            select.select([self._read], [], [])
            # Once it is closed, only a program that was started meanwhile may still write.
            with self._lock, suppress(BlockingIOError):
                if not self._take():
                    break
                if self._closed:
                    self._print()
        os.close(self._read)
        for out in self._out:
            os.close(out)

    def _take(self) -> bool:
        """Read what is there; give whether anything can still come.

        Raises:
            BlockingIOError: There is nothing now.
        """
        data = os.read(self._read, _PIECE)
        if not data:
            return False
        for piece in (self._begun + data).splitlines(keepends=True):
            self._begun = piece
            if piece.endswith(b"\n") or len(piece) >= _LONGEST:
                self._lines.append(piece)
                self._size += len(piece)
                self._seen += 1
                self._begun = b""
        while len(self._lines) > _KEPT or self._size > _MOST:
            self._size -= len(self._lines.popleft())
        return True

    def _print(self) -> None:
        left_out = self._seen - len(self._lines)
        text = b"".join(self._lines) + self._begun
        if left_out:
            text = f"({left_out} earlier lines left out)\n".encode() + text
        self._lines.clear()
        self._seen, self._size, self._begun = 0, 0, b""
        # A terminal that is gone, or a file on a full disk, is no reason to fail here.
        with suppress(OSError):
            while text:
                text = text[os.write(self._out[0], text) :]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
