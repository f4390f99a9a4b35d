"""The tree that indexes a folder, and what keeps it right whatever crashes when.

    demo                      one_for_one
    ├── writer                owns the SQLite file
    ├── parsers               one_for_one
    │   ├── parser-1 …        crash on files that do not parse
    └── intake                rest_for_one: a new coordinator needs a new scan
        ├── coordinator       hands out files, keeps the account
        └── scanner           a service: finds the files, tells of them, and ends

Three habits make the index the same with and without crashes:

- Each step is a call that is made again until it is answered, from the coordinator to
  a parser and then to the writer. So every file arrives at least once.
- Writing twice is like writing once, and the writer answers after the commit. So at
  least once is as good as exactly once, and what was answered is never lost.
- The coordinator remembers nothing that matters. After a crash it asks the writer what
  is settled already, and its supervisor has the scanner tell the rest again. What it had
  begun is begun anew, the tries of a bad file too.

A crash speaks about the file only when it is not the killer's, which its cause tells.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar, assert_never

import trio
from attrs import define, field

from regrow import (
    Actor,
    ActorCrashedError,
    ActorInterruptedError,
    Backoff,
    Deferred,
    Ref,
    Supervisor,
    child,
    supervisor,
)

from ._killer import KilledError, Killer
from ._progress import Account, Progress
from ._source import DeadLetter, Indexed, Library, Outcome, index, reason
from ._store import Settled, Store, open_store

T = TypeVar("T")

TRIES: Final = 2
"""How often a file is parsed that crashes its parser, before it is given up."""

COORDINATOR: Final = "demo/intake/coordinator"
WRITER: Final = "demo/writer"

# Crashes that the user has asked for say nothing about the tree's health, so they must
# not use up the supervisors' own intensity, which stays the default. Each actor has a
# budget of its own instead. A parser's has no end, since a folder may hold nothing but
# bad files; its crashes do have one, TRIES a file and the kills. The others crash only
# when they are killed, so a few crashes more than kills are a real failure, such as a
# full disk. A millisecond's delay keeps even that from spinning.
_DELAY: Final = 0.001
_UNPLANNED_CRASHES: Final = 3


async def insist(attempt: Callable[[], Awaitable[T]]) -> T:
    """Call again for as long as crashes take the answer away.

    How many are too many is for the supervisor to judge. When it gives up, the place is
    closed.

    Raises:
        ActorStoppedError: Nobody will answer any more.
    """
    while True:
        try:
            return await attempt()
        except (ActorCrashedError, ActorInterruptedError):
            continue


@define(eq=False)
class Victim(Actor):
    """An actor that may be killed at any moment."""

    killer: Killer

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Be at the killer's mercy."""
        with self.killer.exposes(self.ref.path):
            yield

    def is_up(self) -> None:
        """Answer, which an actor can do only when it is up."""


@define(eq=False)
class Writer(Victim):
    """The only one that touches the database.

    SQLite is called straight from the event loop: a file takes it 0.3 ms, which the way
    to a thread and back would double, and the parsers take ten times as long.
    """

    database: Path
    _store: Store = field(init=False)

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Keep the database open."""
        with self.killer.exposes(self.ref.path), open_store(self.database) as store:
            self._store = store
            yield

    async def write(self, outcome: Outcome) -> None:
        """Make the outcome for a file last."""
        self._store.write(outcome)
        # The worst moment to be killed: the rows are there, and nobody has been told.
        await trio.lowlevel.checkpoint()

    def settled(self) -> Settled:
        """Which files need no more work."""
        return self._store.settled()


@define(eq=False)
class Parser(Victim):
    """Parses one file at a time, and crashes when it cannot.

    It does so in the event loop, with a checkpoint before and after. Threads would help
    nobody: Python's parser holds the interpreter's lock for the whole of a file, so the
    loop stood still for as long (0.15 s at worst over the standard library), and all of
    the work took a third longer.
    """

    library: Library

    async def parse(self, path: str) -> Indexed:
        """Tell what a file defines; whatever it raises is the file's own fault."""
        source = self.library.read(path)
        await trio.lowlevel.checkpoint()
        indexed = index(path, source)
        await trio.lowlevel.checkpoint()
        return indexed


@define(eq=False)
class Coordinator(Victim):
    """Takes every file through a parser to the writer, as many at once as parsers."""

    writer: Ref[Writer]
    parsers: Sequence[Ref[Parser]]
    progress: Progress
    _lanes: trio.Nursery = field(init=False)
    _found: tuple[str, ...] | None = field(default=None, init=False)
    _indexed: set[str] = field(init=False)
    _dead: set[str] = field(init=False)
    _waiting: list[Deferred[Account]] = field(
        factory=list[Deferred[Account]], init=False
    )

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Learn what is settled already, then keep the lanes."""
        with self.killer.exposes(self.ref.path):
            settled = await insist(lambda: self.writer.call(Writer.settled))
            self._indexed = set(settled.indexed)
            self._dead = {dead.path for dead in settled.dead_letters}
            async with trio.open_nursery() as self._lanes:
                yield
                self._lanes.cancel_scope.cancel()

    def found(self, paths: tuple[str, ...]) -> None:
        """Take on all files of the folder, told as a whole, so that none is missed."""
        if self._found is not None:
            return  # told again, since the answer was lost
        self._found = paths
        settled = self._indexed | self._dead
        waiting = iter([path for path in paths if path not in settled])
        for parser in self.parsers:
            self._lanes.start_soon(self._work, parser, waiting)
        self._report()

    def finished(self) -> Deferred[Account]:
        """Answer with the account, once every file is in it."""
        answer = Deferred[Account]()
        self._waiting.append(answer)
        self._report()
        return answer

    async def _work(self, parser: Ref[Parser], waiting: Iterator[str]) -> None:
        await trio.lowlevel.checkpoint()
        for path in waiting:  # shared by the lanes: each file goes to one of them
            await self._settle(await self._parse(parser, path))

    async def _parse(self, parser: Ref[Parser], path: str) -> Outcome:
        crashes: list[BaseException] = []
        while len(crashes) < TRIES:
            try:
                return await parser.call(Parser.parse, path)
            except ActorInterruptedError:
                continue
            except ActorCrashedError as crash:
                cause = crash.__cause__ or crash
                if not isinstance(cause, KilledError):
                    crashes.append(cause)
        await trio.lowlevel.checkpoint()
        return DeadLetter(path, reason(crashes[-1]))

    async def _settle(self, outcome: Outcome) -> None:
        await insist(lambda: self.writer.call(Writer.write, outcome))
        match outcome:
            case Indexed(path=path):
                self._indexed.add(path)
            case DeadLetter(path=path):
                self._dead.add(path)
            case _:
                assert_never(outcome)
        self._report()

    def _report(self) -> None:
        if self._found is None:
            return
        account = Account(len(self._found), len(self._indexed), len(self._dead))
        self.progress.report(account)
        if account.settled == account.found:
            for answer in self._waiting:
                answer.reply(account)
            self._waiting.clear()


async def scan(library: Library, coordinator: Ref[Coordinator]) -> None:
    """Find the files and tell the coordinator: once for each of its lives."""
    paths: list[str] = []
    for path in library.find():
        paths.append(path)
        await trio.lowlevel.checkpoint()
    whole = tuple(sorted(paths))
    await insist(lambda: coordinator.call(Coordinator.found, whole))


def actor_paths(workers: int) -> list[str]:
    """Where the actors of the tree are, all of which may be killed."""
    return [
        WRITER,
        *(f"demo/parsers/{_parser(i)}" for i in range(workers)),
        COORDINATOR,
    ]


def indexer(
    library: Library, database: Path, workers: int, progress: Progress, killer: Killer
) -> Supervisor:
    """Declare the tree that indexes *library* into *database*, which must exist."""
    needed = Backoff(
        initial=_DELAY,
        factor=1.0,
        jitter=0.0,
        max_attempts=len(killer.plan) + _UNPLANNED_CRASHES,
    )
    expendable = Backoff(initial=_DELAY, factor=1.0, jitter=0.0, max_attempts=math.inf)
    writer = child(Writer, killer, database, backoff=needed)
    parsers = [
        child(Parser, killer, library, name=_parser(i), backoff=expendable)
        for i in range(workers)
    ]
    coordinator = child(
        Coordinator,
        killer,
        writer.ref,
        [parser.ref for parser in parsers],
        progress,
        backoff=needed,
    )
    scanner = child(scan, library, coordinator.ref, name="scanner", restart="transient")
    return supervisor(
        "demo",
        writer,
        supervisor("parsers", *parsers),
        supervisor("intake", coordinator, scanner, strategy="rest_for_one"),
    )


def _parser(number: int) -> str:
    return f"parser-{number + 1}"
