"""The live view beside a tree that runs in this program."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from attrs import define, field
from rich.console import Console

from regrow import Tree
from regrow.observe._live import RowsSource, Source, View
from regrow.observe._rows import Rows
from regrow.observe._terminal import Terminal
from regrow.observe._text import count

__all__ = ["LiveView"]


@define
class LiveView:
    """Shows a tree, until a key closes the view or it is cancelled. It never hurts the tree.

    Args:
        terminal: Where; not entered yet.
        console: Where to say how the view has ended.
        note: Gives a line for the view's head. Without one, that is what the program has
            printed last.
    """

    terminal: Terminal
    console: Console
    note: Callable[[], str] = str
    shown: bool = field(default=False, init=False)
    """Whether the view is on the terminal."""

    async def __call__(self, tree: Tree) -> None:  # noqa: ASYNC910 - a failure has none
        """Show *tree*; an error of the view is told, and does not get out."""
        source = RowsSource(Rows(tree))
        try:
            end = await self._show(source, tree.path)
        except Exception:  # noqa: BLE001 - the view's own fault; its traceback is printed
            end = "the live view has failed and is closed; the tree runs on"
            self._say(traceback.format_exc().rstrip())
        self._say(f"regrow: {end}")

    async def _show(self, source: Source, name: str) -> str:
        view = View(source, self.terminal, Console(), name, self._line)
        closed = False
        try:
            with self.terminal:
                self.shown = True
                try:
                    await view.run()
                finally:
                    self.shown = False
            closed = True
        finally:
            if not closed:
                self._say(f"regrow: {view.summary}")
        return "the live view is closed, the tree runs on; Ctrl-C stops it"

    def _line(self) -> str:
        line = self.note()
        if line:
            return line
        aside = self.terminal.aside
        if not aside.seen:
            return ""
        return (
            f"{count(aside.seen)} lines printed, to be shown at the end: {aside.last}"
        )

    def _say(self, line: str) -> None:
        self.console.out(line, highlight=False)
