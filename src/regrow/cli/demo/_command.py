"""The demo as a command: from settings to an exit code."""

from __future__ import annotations

import gc
import logging
import secrets
import signal
import sqlite3
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final

import trio
from attrs import frozen
from rich.console import Console
from rich.logging import RichHandler

from regrow import RegrowError
from regrow.cli._timeline import Timeline, show_failure
from regrow.observe._terminal import NoTerminalError, Terminal

from ._job import Finished, Interrupted, Job
from ._killer import Killer, plan_strikes
from ._plain import differences, index_plainly
from ._progress import Progress
from ._show import say, show_account, show_crashes, showing
from ._source import Library, standard_library
from ._store import TABLES, NotAnIndexError, create_store, open_store
from ._tree import actor_paths

_RIGHT: Final = 0
_WRONG: Final = 1
_BAD_USAGE: Final = 2
_SIGNALLED: Final = 128  # and the number of the signal, as shells count

_SHOWN: Final = 10  # differences; the first few tell what is wrong


@frozen
class Settings:
    """What the command was asked to do.

    Attributes:
        folder: What to index; None for the standard library.
        workers: How many parsers.
        kills: How many actors to crash.
        seed: What the kills are drawn from; None for a new one.
        database: Where to keep the index; None to throw it away.
        check: Whether to compare it with that of a plain loop.
        verbose: Whether to log every crash.
        live: Whether to show the tree while it works.
    """

    folder: Path | None = None
    workers: int = 4
    kills: int = 0
    seed: int | None = None
    database: Path | None = None
    check: bool = False
    verbose: bool = False
    live: bool = False


def run_demo(settings: Settings) -> int:
    """Index a folder, tell what became of it, and give the exit code."""
    console = Console()
    library = Library(settings.folder) if settings.folder else standard_library()
    if not library.folder.is_dir():
        say(console, f"regrow demo: {library.folder} is no folder")
        return _BAD_USAGE
    try:
        terminal = Terminal() if settings.live else None
    except NoTerminalError as error:
        say(console, f"regrow demo: {error}")
        return _BAD_USAGE
    with (
        _sigterm_as_sigint(),
        tempfile.TemporaryDirectory(prefix="regrow-demo-") as scratch,
    ):
        database = settings.database or Path(scratch, "index.sqlite3")
        try:
            create_store(database)
        except (NotAnIndexError, OSError, sqlite3.Error) as error:
            say(console, f"regrow demo: cannot make {database}: {error}")
            return _BAD_USAGE
        with _logging(console, verbose=settings.verbose):
            code = _index(console, settings, library, database, terminal)
        if code == _RIGHT and settings.check:
            code = _check(console, library, database, Path(scratch, "plain.sqlite3"))
    return code


def _index(
    console: Console,
    settings: Settings,
    library: Library,
    database: Path,
    terminal: Terminal | None,
) -> int:
    seed = secrets.randbelow(10**6) if settings.seed is None else settings.seed
    strikes = plan_strikes(actor_paths(settings.workers), settings.kills, Random(seed))
    timeline = Timeline()
    kills = f", {settings.kills} kills (seed {seed})" if settings.kills else ""
    say(console, f"indexing {library.folder} with {settings.workers} parsers{kills}")
    with showing(console, terminal) as (show, beside):
        job = Job(
            library,
            database,
            settings.workers,
            Progress(show),
            Killer(strikes),
            timeline,
            beside,
        )
        try:
            end = trio.run(job.run)
        except RegrowError as error:
            show_failure(console, timeline, str(error))
            return _WRONG
    if isinstance(end, Interrupted):
        so_far = (
            f"{end.account.settled} of {end.account.found}" if end.account else "no"
        )
        say(console, f"stopped in order by a signal; {so_far} files are settled")
        return _SIGNALLED + end.number
    return _account(console, end, database)


def _account(console: Console, end: Finished, database: Path) -> int:
    account = end.account
    with open_store(database) as store:
        settled = store.settled()
    show_account(console, account, settled)
    show_crashes(console, end.crashes, end.kills, end.restarts)
    kept = (len(settled.indexed), len(settled.dead_letters))
    if kept != (account.indexed, account.dead_letters):
        say(console, f"the database has {kept[0]} indexed and {kept[1]} dead letters")
        return _WRONG
    return _RIGHT if account.settled == account.found else _WRONG


def _check(console: Console, library: Library, database: Path, plain: Path) -> int:
    # A Ctrl-C that meets the `__del__` of some nursery would be lost, and the loop below
    # makes enough garbage to have them all collected at a time of its own.
    gc.collect()
    create_store(plain)
    with open_store(database) as store, open_store(plain) as plain_store:
        index_plainly(library, plain_store)
        wrong = list(islice(differences(store, plain_store), _SHOWN))
        rows = sum(plain_store.count(table) for table in TABLES)
    if wrong:
        say(console, "check: NOT the same as a plain loop; the first differences:")
        for line in wrong:
            say(console, f"  {line}")
        return _WRONG
    say(
        console, f"check: the same as a plain loop, {rows} rows in {len(TABLES)} tables"
    )
    return _RIGHT


@contextmanager
def _sigterm_as_sigint() -> Generator[None]:
    """Let SIGTERM unwind what is done outside of the tree, which hears it by itself."""

    def interrupt(_number: int, _frame: object) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _logging(console: Console, *, verbose: bool) -> Generator[None]:
    """Crashes are this command's daily work, so they are logged only when asked for."""
    logger = logging.getLogger("regrow")
    handler = RichHandler(console=console) if verbose else logging.NullHandler()
    before = logger.propagate
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before
