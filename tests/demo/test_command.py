import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from regrow.cli import main
from regrow.cli.demo import _command
from regrow.cli.demo._source import DeadLetter, Library
from regrow.cli.demo._store import Store, create_store, open_store


def demo(library: Library, *arguments: str) -> int:
    return main(["demo", str(library.folder), "--workers", "2", *arguments])


def test_the_account_names_every_dead_letter_and_the_check_is_equal(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo(library, "--check", "--kill", "20", "--seed", "1") == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0].endswith("with 2 parsers, 20 kills (seed 1)")
    assert "8 of 8 files" in lines
    assert "found 8 = indexed 4 + dead letters 4" in lines
    assert "  bad/coding.py: SyntaxError: unknown encoding: uft-8" in lines
    table = {line.split()[0]: line.split()[1:] for line in lines if "demo/" in line}
    assert table["demo/writer"] == ["5", "5", table["demo/writer"][2]]
    assert set(table) == {
        "demo/writer",
        "demo/parsers/parser-1",
        "demo/parsers/parser-2",
        "demo/intake/coordinator",
        "demo/intake/scanner",
    }
    assert lines[-1] == "check: the same as a plain loop, 15 rows in 5 tables"


def test_a_seed_is_drawn_and_told(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo(library, "--kill", "1") == 0
    assert "1 kills (seed " in capsys.readouterr().out


def test_the_database_is_kept_where_it_is_wanted(
    library: Library, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.db"
    assert demo(library, "--database", str(kept)) == 0
    assert demo(library, "--database", str(kept)) == 0
    with open_store(kept) as store:
        assert store.count("file") == 4


def test_a_difference_is_told_and_fails(
    library: Library,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def index_wrongly(_: Library, store: Store) -> None:
        store.write(DeadLetter("plain.py", "none"))

    monkeypatch.setattr(_command, "index_plainly", index_wrongly)
    assert demo(library, "--check") == 1
    out = capsys.readouterr().out
    assert "check: NOT the same as a plain loop" in out
    assert "  file: ('empty.py', 'utf-8', 0) is not None" in out


def test_a_file_that_is_not_accounted_for_fails(
    library: Library,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    @contextmanager
    def open_another(database: Path) -> Generator[Store]:
        with open_store(database) as store:
            store.write(DeadLetter("plain.py", "lost"))
            yield store

    monkeypatch.setattr(_command, "open_store", open_another)
    assert demo(library) == 1
    out = capsys.readouterr().out
    assert "the database has 3 indexed and 5 dead letters" in out


@pytest.mark.parametrize("other", ["mine.txt", "none/index.db", "."])
def test_a_database_that_cannot_be_made_is_bad_usage(
    library: Library, tmp_path: Path, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert demo(library, "--database", str(tmp_path / other)) == 2
    assert "regrow demo: cannot make" in capsys.readouterr().out
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_missing_folder_is_bad_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().out.endswith("none is no folder\n")


def test_a_writer_that_fails_by_itself_ends_the_demo_with_the_timeline(
    library: Library,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def create_nothing(database: Path) -> None:
        create_store(database)
        with open_store(database) as store:
            store._connection.execute("DROP TABLE import")

    monkeypatch.setattr(_command, "create_store", create_nothing)
    assert demo(library, "--kill", "3") == 1
    out = capsys.readouterr().out
    assert "timeline of failures:" in out
    assert "demo/writer  crashed: OperationalError: no such table: import" in out


def test_crashes_are_logged_when_asked_for(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo(library, "--verbose") == 0
    assert "SyntaxError" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_work_in_order(
    tmp_path: Path, number: signal.Signals
) -> None:
    # Enough files that they cannot be done before the signal arrives: the pipe to the
    # demo's output holds it back no more than a line.
    folder = tmp_path / "library"
    folder.mkdir()
    body = b"def f(): pass\n" * 2000
    for i in range(300):
        (folder / f"{i}.py").write_bytes(body)
    with subprocess.Popen(
        [sys.executable, "-m", "regrow.cli", "demo", str(folder)],
        env=os.environ | {"PYTHONUNBUFFERED": "1", "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "0 of 300 files\n":
            pass
        process.send_signal(number)
        out, err = process.communicate()
    assert (process.returncode, err) == (128 + number, "")
    assert "stopped in order by a signal" in out
    assert [path.name for path in tmp_path.iterdir()] == ["library"]
