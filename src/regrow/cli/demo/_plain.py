"""The same index made by a single loop, and what two indexes differ in.

This is the yardstick, so it must stay too simple to be wrong: it knows nothing of
actors, crashes or second tries.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from ._source import DeadLetter, Library, Outcome, index, reason
from ._store import TABLES, Store


def index_plainly(library: Library, store: Store) -> None:
    """Write the outcome for every file of *library* into *store*."""
    for path in library.find():
        store.write(_outcome(library, path))


def differences(one: Store, other: Store) -> Iterator[str]:
    """Compare two indexes row for row; nothing is yielded when they are equal."""
    for table in TABLES:
        # Both come in the order of the same keys, so equal indexes pair up exactly.
        for ours, theirs in zip_longest(one.rows(table), other.rows(table)):
            if ours != theirs:
                yield f"{table}: {ours} is not {theirs}"


def _outcome(library: Library, path: str) -> Outcome:
    try:
        return index(path, library.read(path))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the file's reason
        return DeadLetter(path, reason(error))
