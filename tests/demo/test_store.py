import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from regrow.cli.demo._source import (
    Class,
    DeadLetter,
    Function,
    Import,
    Indexed,
    Outcome,
)
from regrow.cli.demo._store import (
    SCHEMA,
    TABLES,
    NotAnIndexError,
    Settled,
    Store,
    create_store,
    open_store,
)

A = Indexed(
    "a.py",
    "utf-8",
    3,
    (Function("f", 1, 2, is_async=True), Function("g", 2, 2, is_async=False)),
    (Class("C", 3, 3, 0),),
    (Import("os", None, 1), Import(".", "x", 2)),
)
B = Indexed("b.py", "utf-8", 0, (), (), ())
DEAD_A = DeadLetter("a.py", "SyntaxError: no")


@pytest.fixture
def store(tmp_path: Path) -> Generator[Store]:
    create_store(tmp_path / "index.db")
    with open_store(tmp_path / "index.db") as store:
        yield store


@contextmanager
def store_in_memory() -> Generator[Store]:
    # Each example of a property has its own, and need not wait for a disk.
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(SCHEMA)
        yield Store(connection)


def rows(store: Store) -> dict[str, list[object]]:
    return {table: list(store.rows(table)) for table in TABLES}


def test_a_file_gives_its_rows(store: Store) -> None:
    store.write(A)
    assert rows(store) == {
        "file": [("a.py", "utf-8", 3)],
        "function": [("a.py", 0, "f", 1, 2, 1), ("a.py", 1, "g", 2, 2, 0)],
        "class": [("a.py", 0, "C", 3, 3, 0)],
        "import": [("a.py", 0, "os", None, 1), ("a.py", 1, ".", "x", 2)],
        "dead_letter": [],
    }
    assert store.count("function") == 2


@given(
    st.lists(
        st.sampled_from([A, B, DEAD_A, DeadLetter("b.py", "no"), DeadLetter("c", "?")])
    )
)
def test_only_the_last_outcome_for_each_file_leaves_rows(
    outcomes: list[Outcome],
) -> None:
    last = {outcome.path: outcome for outcome in outcomes}
    with store_in_memory() as store, store_in_memory() as expected:
        for outcome in outcomes:
            store.write(outcome)
        for _, outcome in sorted(last.items(), reverse=True):
            expected.write(outcome)
        assert rows(store) == rows(expected)


def test_what_is_settled_is_known(store: Store) -> None:
    for outcome in (B, DeadLetter("d.py", "2"), DeadLetter("c.py", "1"), A):
        store.write(outcome)
    assert store.settled() == Settled(
        frozenset({"a.py", "b.py"}), (DeadLetter("c.py", "1"), DeadLetter("d.py", "2"))
    )


def test_a_file_whose_name_is_no_text_is_kept_under_its_name(store: Store) -> None:
    odd = "od\udcffd.py"
    store.write(
        Indexed(odd, "utf-8", 0, (Function("f", 1, 1, is_async=False),), (), ())
    )
    store.write(DeadLetter(odd + "2", "no"))
    assert store.settled() == Settled(frozenset({odd}), (DeadLetter(odd + "2", "no"),))
    assert next(store.rows("function"))[0] == b"od\xffd.py"


def test_what_was_written_is_there_for_others_at_once(
    tmp_path: Path, store: Store
) -> None:
    store.write(A)
    with open_store(tmp_path / "index.db") as other:
        assert rows(other) == rows(store)


def test_a_failed_write_changes_nothing(store: Store) -> None:
    store.write(A)
    before = rows(store)
    broken = Indexed("a.py", "utf-8", 9, (None,), (), ())  # type: ignore[arg-type]
    with pytest.raises(Exception, match="attrs"):
        store.write(broken)
    assert rows(store) == before
    store.write(B)
    assert store.count("file") == 2


def test_an_older_index_is_thrown_away(tmp_path: Path, store: Store) -> None:
    store.write(A)
    create_store(tmp_path / "index.db")
    with open_store(tmp_path / "index.db") as new:
        assert new.settled() == Settled(frozenset(), ())


def test_nothing_else_is_ever_overwritten(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("mine")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    before = other.read_bytes()
    for path in (text, other, tmp_path):
        with pytest.raises(NotAnIndexError, match="is no index made by this command"):
            create_store(path)
    assert text.read_text() == "mine"
    assert other.read_bytes() == before


def test_an_index_cannot_be_made_in_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        create_store(tmp_path / "none" / "index.db")
