from pathlib import Path

from regrow.cli.demo._plain import differences, index_plainly
from regrow.cli.demo._source import DeadLetter, Indexed, Library
from regrow.cli.demo._store import create_store, open_store


def test_the_plain_loop_settles_every_file(tmp_path: Path, library: Library) -> None:
    create_store(tmp_path / "index")
    with open_store(tmp_path / "index") as store:
        index_plainly(library, store)
        settled = store.settled()
    assert settled.indexed == {
        "empty.py",
        "pack/__init__.py",
        "pack/inner.py",
        "plain.py",
    }
    assert [dead.path for dead in settled.dead_letters] == [
        "bad/bytes.py",
        "bad/coding.py",
        "bad/null.py",
        "bad/old.py",
    ]
    assert settled.dead_letters[0].reason.startswith(
        "UnicodeDecodeError: 'utf-8' codec"
    )
    assert settled.dead_letters[1].reason == "SyntaxError: unknown encoding: uft-8"


def test_every_difference_between_two_indexes_is_told(
    tmp_path: Path, library: Library
) -> None:
    create_store(tmp_path / "one")
    create_store(tmp_path / "two")
    with open_store(tmp_path / "one") as one, open_store(tmp_path / "two") as two:
        index_plainly(library, one)
        index_plainly(library, two)
        assert list(differences(one, two)) == []
        one.write(DeadLetter("bad/old.py", "another reason"))
        two.write(Indexed("zzz.py", "utf-8", 0, (), (), ()))
        told = list(differences(one, two))
    assert told[0] == "file: None is not ('zzz.py', 'utf-8', 0)"
    assert told[1].startswith("dead_letter: ('bad/old.py', 'another reason') is not")
    assert len(told) == 2
