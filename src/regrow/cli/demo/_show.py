"""What the demo prints: its progress and the closing account."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from attrs import define
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from regrow.cli._beside import Beside
from regrow.cli._live import LiveView
from regrow.observe._terminal import Terminal

from ._progress import Account
from ._source import printable
from ._store import Settled

# Of a second: as often as is worth drawing. A file takes less time than a frame does.
_FRAME: Final = 0.1


@contextmanager
def showing_progress(console: Console) -> Generator[Callable[[Account], None]]:
    """Give a function that shows accounts: as a bar, or in lines if nobody watches."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[dead]} dead letters"),
    )
    with Progress(*columns, console=console, auto_refresh=False) as progress:
        task = progress.add_task("indexing", total=None, dead=0)
        drawn_at = 0.0

        def show(account: Account) -> None:
            nonlocal drawn_at
            progress.update(
                task,
                total=account.found,
                completed=account.settled,
                dead=account.dead_letters,
            )
            now = time.monotonic()
            if now - drawn_at >= _FRAME or account.settled == account.found:
                drawn_at = now
                progress.refresh()

        yield show


@contextmanager
def showing(
    console: Console, terminal: Terminal | None
) -> Generator[tuple[Callable[[Account], None], tuple[Beside, ...]]]:
    """Give a function that shows accounts, and what else has to run for that.

    Args:
        console: Where progress is shown, unless a live view shows it.
        terminal: Where to show a live view; None for none.
    """
    if terminal is None:
        with showing_progress(console) as show:
            yield show, ()
    else:
        beside = _Beside(terminal, console)
        yield beside.show, (beside.view,)


class _Beside:
    """The live view with the account at its head, and in lines once it is closed."""

    def __init__(self, terminal: Terminal, console: Console) -> None:
        self.view = LiveView(terminal, console, self._line)
        self._lines = _Lines(console)
        self._account: Account | None = None

    def show(self, account: Account) -> None:
        self._account = account
        if not self.view.shown:
            self._lines(account)

    def _line(self) -> str:
        account = self._account
        if account is None:
            return "looking for files"
        done = f"{account.settled:,} of {account.found:,} files"
        return f"indexing: {done}, {account.dead_letters} dead letters"


@define
class _Lines:
    """A line for each tenth of the files."""

    _console: Console
    _tenths: int = -1

    def __call__(self, account: Account) -> None:
        tenths = 10 * account.settled // account.found if account.found else 10
        if tenths > self._tenths:
            self._tenths = tenths
            say(self._console, f"{account.settled} of {account.found} files")


def say(console: Console, line: str) -> None:
    """Print *line* as it is, however long."""
    console.out(printable(line), highlight=False)


def show_account(console: Console, account: Account, settled: Settled) -> None:
    """Print what became of the files, and why it was not always an index."""
    say(
        console,
        f"found {account.found} = indexed {account.indexed} "
        f"+ dead letters {account.dead_letters}",
    )
    for dead in settled.dead_letters:
        say(console, f"  {dead.path}: {dead.reason}")


def show_crashes(
    console: Console,
    crashes: Counter[str],
    kills: Counter[str],
    restarts: Counter[str],
) -> None:
    """Print, in all and by path, how often there was a crash, a kill, a restart."""
    paths = sorted(crashes | restarts)
    rows = [("in all", crashes.total(), kills.total(), restarts.total())]
    rows += [(path, crashes[path], kills[path], restarts[path]) for path in paths]
    width = max(len(path) for path, *_ in rows)
    say(console, f"{'':{width}}  crashes  of these kills  restarts")
    for path, *counts in rows:
        crashed, killed, restarted = counts
        say(console, f"{path:{width}}  {crashed:7}  {killed:14}  {restarted:8}")
