"""The index as a SQLite file: what is known of each file, keyed by the file.

Knows nothing of actors, and may be used by one thread at a time, whichever it is.

Writing a file twice leaves the same rows as writing it once, whatever was known of it
before. That is what lets the writer's callers simply ask again after a crash.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, assert_never

from attrs import astuple, frozen

from ._source import Class, DeadLetter, Function, Import, Indexed, Outcome

# Marks a file as one of ours, so that no other database is ever overwritten ("rgrw").
_APPLICATION_ID: Final = 0x72677277

# Rows are kept in the order of their keys: the order of writing leaves no trace.
SCHEMA: Final = f"""
BEGIN;
PRAGMA application_id = {_APPLICATION_ID};
CREATE TABLE file (
    path PRIMARY KEY, encoding TEXT NOT NULL, lines INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE function (
    path, position INTEGER, name TEXT NOT NULL,
    line INTEGER NOT NULL, last_line INTEGER NOT NULL, is_async INTEGER NOT NULL,
    PRIMARY KEY (path, position)
) WITHOUT ROWID;
CREATE TABLE class (
    path, position INTEGER, name TEXT NOT NULL,
    line INTEGER NOT NULL, last_line INTEGER NOT NULL, bases INTEGER NOT NULL,
    PRIMARY KEY (path, position)
) WITHOUT ROWID;
CREATE TABLE import (
    path, position INTEGER, module TEXT NOT NULL, name TEXT, line INTEGER NOT NULL,
    PRIMARY KEY (path, position)
) WITHOUT ROWID;
CREATE TABLE dead_letter (path PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID;
COMMIT;
"""

TABLES: Final = ("file", "function", "class", "import", "dead_letter")

# Nothing but our own names goes into these: S608 looks for a user's text.
_DELETE: Final = [f"DELETE FROM {table} WHERE path = ?" for table in TABLES]  # noqa: S608
_SELECT: Final = {
    # The key is the first column or the first two. The second never decides alone.
    table: f"SELECT * FROM {table} ORDER BY 1, 2"  # noqa: S608
    for table in TABLES
}
_INSERT: Final = {
    "file": "INSERT INTO file VALUES (?, ?, ?)",
    "function": "INSERT INTO function VALUES (?, ?, ?, ?, ?, ?)",
    "class": "INSERT INTO class VALUES (?, ?, ?, ?, ?, ?)",
    "import": "INSERT INTO import VALUES (?, ?, ?, ?, ?)",
    "dead_letter": "INSERT INTO dead_letter VALUES (?, ?)",
}
_COUNT: Final = {table: f"SELECT count(*) FROM {table}" for table in TABLES}  # noqa: S608

Row = tuple[str | bytes | int | None, ...]


class NotAnIndexError(Exception):
    """A file is in the way that this program did not write."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} exists and is no index made by this command; "
            "name another file, or remove it"
        )


@frozen
class Settled:
    """The files that need no more work."""

    indexed: frozenset[str]
    dead_letters: tuple[DeadLetter, ...]


@frozen
class Store:
    """An open index."""

    _connection: sqlite3.Connection

    def write(self, outcome: Outcome) -> None:
        """Make *outcome* all that is known of its file; on return it will last."""
        path = _key(outcome.path)
        with self._transaction():
            for statement in _DELETE:
                self._connection.execute(statement, [path])
            match outcome:
                case Indexed():
                    self._insert("file", [(path, outcome.encoding, outcome.lines)])
                    self._insert("function", _rows(path, outcome.functions))
                    self._insert("class", _rows(path, outcome.classes))
                    self._insert("import", _rows(path, outcome.imports))
                case DeadLetter():
                    self._insert("dead_letter", [(path, outcome.reason)])
                case _:
                    assert_never(outcome)

    def settled(self) -> Settled:
        """The files that are indexed, and those given up, sorted by path."""
        return Settled(
            frozenset(
                _path(key)
                for (key,) in self._connection.execute("SELECT path FROM file")
            ),
            tuple(
                DeadLetter(_path(key), reason)
                for key, reason in self._connection.execute(
                    "SELECT path, reason FROM dead_letter ORDER BY path"
                )
            ),
        )

    def rows(self, table: str) -> Iterator[Row]:
        """All rows of one of `TABLES`, by key."""
        yield from self._connection.execute(_SELECT[table])

    def count(self, table: str) -> int:
        """How many rows one of `TABLES` has."""
        (count,) = self._connection.execute(_COUNT[table]).fetchone()
        return int(count)

    def _insert(self, table: str, rows: list[Row]) -> None:
        self._connection.executemany(_INSERT[table], rows)

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def create_store(database: Path) -> None:
    """Make an empty index in the file *database*; an older index there is thrown away.

    Raises:
        NotAnIndexError: The file is there, and it is something else.
        OSError, sqlite3.Error: It cannot be made.
    """
    if database.exists():
        if not _is_index(database):
            raise NotAnIndexError(database)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{database}{suffix}").unlink(missing_ok=True)
    connection = _connect(database)
    try:
        connection.executescript(SCHEMA)
    finally:
        connection.close()


@contextmanager
def open_store(database: Path) -> Generator[Store]:
    """Open the index that `create_store` made in *database*."""
    connection = _connect(database)
    try:
        yield Store(connection)
    finally:
        connection.close()


def _connect(database: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        database, isolation_level=None, check_same_thread=False
    )
    # What is committed outlives a crash of this process. A power failure may cost the
    # last files, which an index that is made in seconds can bear.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _is_index(database: Path) -> bool:
    # Asked of the header itself: to open some other database could already change it.
    if not database.is_file():
        return False
    with database.open("rb") as file:
        return file.read(72)[68:] == _APPLICATION_ID.to_bytes(4, "big")


def _rows(path: str | bytes, items: Sequence[Function | Class | Import]) -> list[Row]:
    return [(path, i, *astuple(item)) for i, item in enumerate(items)]


def _key(path: str) -> str | bytes:
    """The path as SQLite can hold it: a blob when the file's name is no text."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def _path(key: str | bytes) -> str:
    return key if isinstance(key, str) else os.fsdecode(key)
