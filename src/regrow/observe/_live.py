"""The live view: pages of a tree, drawn on a terminal several times a second.

One task does all of it. Between two pictures it waits for keys. What a picture costs is what
the lines cost that have changed: the others are neither sent nor drawn by the terminal.
"""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Final, Literal, Protocol

import trio
from attrs import define, evolve, field
from rich.console import Console

from regrow.errors import PlaceNotFoundError

from ._keys import Keyboard
from ._model import State, fitted, press, query
from ._text import count, uptime, visible
from ._view import CHROME, Shown, frame, panel_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._drawing import Lines
    from ._row import Details, Page, Query
    from ._rows import Rows
    from ._terminal import Terminal

__all__ = ["RowsSource", "Source", "View"]

_PERIOD: Final = 0.2  # seconds between two pictures if nobody presses a key
_SHORTEST: Final = 0.1  # seconds between two pictures in any case


class Source(Protocol):
    """Where a view gets what it shows."""

    async def page(self, query: Query, /) -> Page:
        """Give the rows of *query*."""
        ...

    async def details(self, path: str, /) -> Details:
        """Give what is known of the place at *path*.

        Raises:
            PlaceNotFoundError: There is no such place.
        """
        ...


class RowsSource:
    """A tree of this very program.

    Args:
        rows: Of the tree.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def page(self, query: Query, /) -> Page:
        """Give the rows of *query*; now and then that takes a look at all places."""
        return await self._rows.latest_page(query)

    async def details(self, path: str, /) -> Details:
        """Give what is known of the place at *path*."""
        await trio.lowlevel.checkpoint()
        return self._rows.details(path)


@define
class _Screen:
    """What is on the terminal, so that only what is new is sent."""

    _terminal: Terminal
    _console: Console
    _drawn: list[str] = field(factory=list[str], init=False)
    _size: tuple[int, int] = field(default=(0, 0), init=False)
    _painter: Console = field(init=False)

    def measure(self) -> tuple[int, int]:
        """Give the columns and the lines that the next picture has to have."""
        size = self._terminal.size()
        if size != self._size:
            self._size = size
            self._drawn.clear()
            width, height = size
            self._painter = Console(
                file=StringIO(),
                force_terminal=True,
                color_system=_known(self._console.color_system),
                no_color=self._console.no_color,
                width=width,
                height=height,
                legacy_windows=False,
            )
        return size

    async def draw(self, picture: Lines) -> None:
        """Draw the lines of *picture* that are not there already."""
        with self._painter.capture() as capture:
            self._painter.print(picture, end="", crop=False)
        lines = capture.get().split("\n")[:-1]
        parts: list[str] = [] if self._drawn else ["\x1b[0m\x1b[2J"]
        before = self._drawn or [""] * len(lines)
        for number, (old, new) in enumerate(zip(before, lines, strict=True), start=1):
            if old != new:
                # Empty it first: not all terminals give every character the same width.
                parts.append(f"\x1b[{number};1H\x1b[2K{new}")
        # Not known to be there until all of it was sent.
        self._drawn = []
        await self._terminal.write(
            "".join(parts).encode(self._console.encoding, "replace")
        )
        self._drawn = lines


def _known(colors: str | None) -> Literal["standard", "256", "truecolor"]:
    match colors:
        case "256" | "truecolor":
            return colors
        case _:
            return "standard"  # of 16: every terminal that has colours


@define
class View:
    """A tree shown on a terminal.

    Args:
        source: What to show.
        terminal: Where; whoever runs the view enters and leaves it.
        console: Of that terminal: it knows its colours and its encoding.
        name: Of the tree; it is the path of its root.
        note: Gives a line that is shown with every picture.
    """

    _source: Source
    _terminal: Terminal
    _console: Console
    _name: str
    _note: Callable[[], str] = str
    _screen: _Screen = field(init=False)
    _keyboard: Keyboard = field(init=False)
    _state: State = field(factory=State, init=False)
    _page: Page | None = field(default=None, init=False)
    _asked: Query | None = field(default=None, init=False)
    _details: Details | None = field(default=None, init=False)
    _began_at: float | None = field(default=None, init=False)
    _size: tuple[int, int] = field(default=(80, 24), init=False)

    def __attrs_post_init__(self) -> None:
        """Make what belongs to the terminal."""
        self._screen = _Screen(self._terminal, self._console)
        self._keyboard = Keyboard(self._terminal.keys)

    @property
    def summary(self) -> str:
        """What the last picture said of the whole tree."""
        page = self._page
        if page is None:
            return f"{self._name}: not seen"
        up = uptime(self._uptime(page))
        places = f"{count(page.places)} places, {count(page.restarts)} restarts"
        return f"{visible(self._name)}: {places}, {up}"

    async def run(self) -> None:
        """Show the tree until a key closes the view, or until it is cancelled.

        Raises:
            EOFError: The terminal is gone.
            OSError: The same.
        """
        while True:
            drawn_at = trio.current_time()
            _, height = self._size = self._screen.measure()
            self._state = evolve(self._state, height=max(height - CHROME, 1))
            page = await self._look(again=not self._state.paused)
            await self._screen.draw(frame(self._shown(page)))
            keys: tuple[str, ...] = ()
            # Where a look has taken longer than that, keys must be heard all the same.
            left = drawn_at + _PERIOD - trio.current_time()
            with trio.move_on_after(max(left, _SHORTEST)):
                keys = await self._keyboard.wait_keys()
            await self._take(keys)
            if self._state.closed:
                return
            await trio.sleep_until(drawn_at + _SHORTEST)

    async def _take(self, keys: tuple[str, ...]) -> None:
        await trio.lowlevel.checkpoint()
        for key in keys:
            # Each key is about what the ones before it have led to.
            page = await self._look(again=False)
            self._state = press(self._state, key, page)
            if self._state.closed:
                break

    async def _look(self, *, again: bool) -> Page:
        """Give the page that is in line with the state; *again* if there is one already."""
        await self._find(again=again)
        # Fewer rows than before: others are in sight. In a tree that changes fast these
        # may be too old again, and the next picture will show what there is.
        page = await self._find(again=False)
        if again and self._began_at is None:
            root = await self._details_of(self._name)
            if root is not None and root.row.uptime is not None:
                self._began_at = page.at - root.row.uptime
        return page

    async def _find(self, *, again: bool) -> Page:
        await trio.lowlevel.checkpoint()
        wanted = query(self._state)
        page = self._page
        if page is None or again or self._asked != wanted:
            page = self._page = await self._source.page(wanted)
            self._asked = wanted
        path, known = self._state.opened, self._details
        if path is None:
            self._details = None
        elif again or known is None or known.row.path != path:
            self._details = await self._details_of(path)
        self._state = fitted(
            self._state,
            total=page.total,
            height=self._state.height,
            lines=panel_lines(self._shown(page)),
        )
        return page

    async def _details_of(self, path: str) -> Details | None:
        try:
            return await self._source.details(path)
        except PlaceNotFoundError:
            await trio.lowlevel.checkpoint()
            return None

    def _shown(self, page: Page) -> Shown:
        width, height = self._size
        return Shown(
            self._name,
            page,
            self._state,
            self._details,
            self._uptime(page),
            self._note(),
            width,
            height,
        )

    def _uptime(self, page: Page) -> float | None:
        return None if self._began_at is None else page.at - self._began_at
