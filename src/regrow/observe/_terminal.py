"""A terminal given over to a picture, and given back as it was.

What is written goes through a file descriptor of our own that never blocks. The program's
own is shared with its parent and children, whose business it is how it blocks; and a
terminal that takes nothing, such as one stopped by Ctrl-S, must not hold up the program.
"""

from __future__ import annotations

import os
import select
import signal
import termios
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import trio

from ._aside import Aside

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

    Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | None

__all__ = ["NoTerminalError", "Terminal"]

Attributes: TypeAlias = "list[int | list[bytes | int]]"
"""Of a terminal, as termios has them."""

_ENTER: Final = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
_LEAVE: Final = b"\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
"""The alternate screen, the cursor, and the wrapping of lines at its edge."""

_GIVEN_UP: Final = 1.0  # seconds; a terminal that takes nothing for so long is stopped

_DEADLY: Final = (
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGALRM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
)
"""Signals that end a Python program there and then, unless it says otherwise."""

_LFLAG: Final = 3  # the places of these in what termios gives
_IFLAG: Final = 0
_CC: Final = 6


class NoTerminalError(Exception):
    """There is no terminal that could show a picture. The text says why, and what to do."""


class Terminal:
    """The terminal of the program, in a `with` block: a screen to draw on, and its keys.

    While it is given over, keys come one by one and unechoed, Ctrl-C is still a signal, and
    what the program prints to the terminal is kept; it is printed when the block is left.

    Args:
        keys: The file descriptor that keys are read from.
        screen: The file descriptor of the screen.
        others: Further file descriptors whose output may lead to the screen.

    Raises:
        NoTerminalError: One of the first two is no terminal, or one that cannot do this.
            The text says which, and what to do.
    """

    def __init__(
        self, keys: int = 0, screen: int = 1, others: tuple[int, ...] = (2,)
    ) -> None:
        for fd, name in ((keys, "standard input"), (screen, "standard output")):
            if not os.isatty(fd):
                text = (
                    f"a live view needs a terminal, and {name} is none: "
                    "do not redirect it, or do without the view"
                )
                raise NoTerminalError(text)
        if os.environ.get("TERM", "") in ("", "dumb", "unknown"):
            kind = os.environ.get("TERM", "")
            text = (
                f"the terminal says (TERM={kind!r}) that it cannot move its cursor; "
                "set TERM to what it is, such as xterm-256color"
            )
            raise NoTerminalError(text)
        self.keys = keys
        self._screen = screen
        os.close(_opened(screen))  # before anything is started
        self._fds = (screen, *(fd for fd in others if os.isatty(fd)))
        self._shown = False
        self._out = -1
        self._aside: Aside | None = None
        self._before: Attributes = []
        self._handlers: dict[int, Handler] = {}

    def __enter__(self) -> Terminal:
        self._out = _opened(self._screen)
        try:
            self._before = termios.tcgetattr(self.keys)
            self._shown = True
            self._aside = Aside(self._fds)
            self._await_signals()
            termios.tcsetattr(self.keys, termios.TCSADRAIN, _one_by_one(self._before))
            self._write_now(_ENTER)
        except BaseException:
            self._give_back()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._give_back()

    @property
    def aside(self) -> Aside:
        """What the program prints meanwhile."""
        assert self._aside is not None  # noqa: S101 - it was entered
        return self._aside

    def size(self) -> tuple[int, int]:
        """Give the columns and the lines of the screen, as they are now."""
        try:
            size = os.get_terminal_size(self._out)
        except OSError:
            return 80, 24
        # One that does not know says 0.
        return size.columns or 80, size.lines or 24

    async def write(self, data: bytes) -> None:
        """Write *data*, waiting for room; a cancelled call has written some of it.

        Raises:
            OSError: The terminal is gone.
        """
        await trio.lowlevel.checkpoint()
        while data:
            try:
                data = data[os.write(self._out, data) :]
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._out)

    def _write_now(self, data: bytes) -> None:
        deadline = time.monotonic() + _GIVEN_UP
        while data and (left := deadline - time.monotonic()) > 0:
            select.select([], [self._out], [], left)
            try:
                data = data[os.write(self._out, data) :]
            except BlockingIOError:
                continue

    def _give_back(self) -> None:
        """Undo all of it, each part whatever becomes of the others."""
        if self._shown:
            self._shown = False
            # The terminal may be gone: its window was closed.
            with suppress(OSError):
                self._write_now(_LEAVE)
            with suppress(termios.error):
                termios.tcsetattr(self.keys, termios.TCSANOW, self._before)
            self._give_back_signals()
            if self._aside is not None:
                self._aside.close()
        if self._out >= 0:
            os.close(self._out)
            self._out = -1

    def _await_signals(self) -> None:
        """Catch what would end the program at once and leave the terminal as it is.

        What the program catches itself, or ignores, is left alone.
        """
        for number in _DEADLY:
            handler = signal.getsignal(number)
            if handler is signal.SIG_DFL:
                with suppress(ValueError):  # not in the main thread
                    signal.signal(number, self._leave_at_once)
                    self._handlers[number] = handler

    def _give_back_signals(self) -> None:
        for number, handler in self._handlers.items():
            # Unless somebody else has taken it meanwhile.
            if signal.getsignal(number) == self._leave_at_once:
                with suppress(ValueError):
                    signal.signal(number, handler)
        self._handlers.clear()

    def _leave_at_once(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._give_back()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)


def _opened(screen: int) -> int:
    """Open the terminal once more, for writes that do not block."""
    flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(os.ttyname(screen), flags)
    except OSError as error:
        text = f"a live view has to open the terminal by its name, and cannot: {error}"
        raise NoTerminalError(text) from error


def _one_by_one(before: Attributes) -> Attributes:
    """Give the attributes *before*, but for keys that come one by one and unechoed.

    Ctrl-C stays a signal. Ctrl-Z does not: a program that is stopped would leave its
    picture on the terminal of the shell. Nor does Ctrl-S stop the picture.
    """
    attributes = list(before)
    local = cast("int", attributes[_LFLAG])
    attributes[_LFLAG] = local & ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
    attributes[_IFLAG] = cast("int", attributes[_IFLAG]) & ~termios.IXON
    special = list(cast("list[bytes | int]", attributes[_CC]))
    special[termios.VMIN], special[termios.VTIME] = 1, 0
    special[termios.VSUSP] = b"\0"  # none
    attributes[_CC] = special
    return attributes
