"""A terminal that a test holds the other end of, and what a person would see on it."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import termios
from collections.abc import Generator
from contextlib import contextmanager

import pyte
import trio
from attrs import define, field

__all__ = ["ENTERED", "LEFT", "Screen", "a_screen"]

ENTERED = b"\x1b[?1049h"
_MARK = b"\0\0\0"  # no program here writes this, and no terminal shows it
LEFT = b"\x1b[?25h\x1b[?1049l"


@define
class Screen:
    """What somebody sees who sits at the terminal.

    Attributes:
        keys: The terminal, for a program to read keys from.
        fd: The terminal, for it to draw on.
        raw: All that was sent to it.
    """

    keys: int
    fd: int
    _controller: int
    _screen: pyte.Screen
    _stream: pyte.ByteStream
    before: list[object]
    raw: bytes = b""
    _seen: list[str] = field(factory=list[str])

    @property
    def lines(self) -> list[str]:
        """The lines, without spaces at their ends."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def press(self, keys: bytes) -> None:
        os.write(self._controller, keys)

    def resize(self, columns: int, lines: int) -> None:
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._controller, termios.TIOCSWINSZ, size)
        self._screen.resize(lines, columns)

    def take(self) -> bool:
        """Show what was sent; give whether the terminal is still there."""
        try:
            data = os.read(self._controller, 65536)
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False  # nobody has the other end open
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    async def until(self, *words: str) -> str:
        """Wait until all *words* are on the screen; give its text."""
        while not all(word in self.text for word in words):
            await self.wait_more()
        return self.text

    async def without(self, *words: str) -> str:
        """Wait until none of *words* is on the screen; give its text."""
        while any(word in self.text for word in words):
            await self.wait_more()
        return self.text

    async def until_raw(self, what: bytes) -> None:
        """Wait until *what* was sent."""
        while what not in self.raw:
            await self.wait_more()

    async def wait_more(self) -> None:
        # Virtual time would pass without end while the kernel has what was written.
        await trio.sleep(0.02)
        assert self.take()

    def settle(self) -> None:
        """Take all that was written, of which the kernel may still have some."""
        os.write(self.fd, _MARK)
        while _MARK not in self.raw:
            assert self.take()
            os.sched_yield()
        self.raw = self.raw.replace(_MARK, b"")

    @property
    def is_as_before(self) -> bool:
        """Whether the terminal was given back: its modes, its screen and its cursor."""
        self.settle()
        return (
            termios.tcgetattr(self.keys) == self.before
            and self.raw.rfind(LEFT) > self.raw.rfind(ENTERED) >= 0
        )


@contextmanager
def a_screen(columns: int = 100, lines: int = 24) -> Generator[Screen]:
    """Give a terminal of that size."""
    controller, fd = os.openpty()
    keys = os.dup(fd)
    try:
        os.set_blocking(controller, False)
        seen = pyte.Screen(columns, lines)
        stream = pyte.ByteStream(seen)
        before = termios.tcgetattr(keys)
        screen = Screen(keys, fd, controller, seen, stream, before)
        screen.resize(columns, lines)
        yield screen
    finally:
        for each in (controller, fd, keys):
            os.close(each)
