import os
import sys
import warnings
from pathlib import Path

import pytest

from regrow.cli.demo._source import (
    Class,
    Function,
    Import,
    Indexed,
    Library,
    index,
    printable,
    reason,
    standard_library,
)


def test_an_index_has_names_with_their_scope_in_the_order_of_the_source() -> None:
    source = b"""\
import os, os.path as p
from ..a import b as c, d
def outer(x=lambda: 1):
    if x:
        class Inner(Base, meta=1):
            async def method(self): pass
    else:
        def other(): import json
for i in (): pass
else:
    def after_loop(): pass
try:
    def tried(): pass
except* ValueError:
    def handled(): pass
finally:
    def finished(): pass
match x:
    case 1:
        def matched(): pass
"""
    assert index("a.py", source) == Indexed(
        "a.py",
        "utf-8",
        20,
        (
            Function("outer", 3, 8, is_async=False),
            Function("outer.Inner.method", 6, 6, is_async=True),
            Function("outer.other", 8, 8, is_async=False),
            Function("after_loop", 11, 11, is_async=False),
            Function("tried", 13, 13, is_async=False),
            Function("handled", 15, 15, is_async=False),
            Function("finished", 17, 17, is_async=False),
            Function("matched", 20, 20, is_async=False),
        ),
        (Class("outer.Inner", 5, 6, 1),),
        (
            Import("os", None, 1),
            Import("os.path", None, 1),
            Import("..a", "b", 2),
            Import("..a", "d", 2),
            Import("json", None, 8),
        ),
    )


@pytest.mark.parametrize(
    ("source", "lines"),
    [(b"", 0), (b"x", 1), (b"x\n", 1), (b"x\n\n", 2), (b"x\r\ny\rz", 3)],
)
def test_the_last_line_counts_with_and_without_its_end(
    source: bytes, lines: int
) -> None:
    assert index("a.py", source).lines == lines


@pytest.mark.parametrize(
    ("source", "encoding"),
    [
        (b"x = 1\n", "utf-8"),
        (b"\xef\xbb\xbfx = 1\n", "utf-8-sig"),
        (b"#!x\n# -*- coding: latin-1 -*-\nx = '\xe4'\n", "iso-8859-1"),
    ],
)
def test_the_encoding_is_the_declared_one(source: bytes, encoding: str) -> None:
    assert index("a.py", source).encoding == encoding


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (b"print 'x'\n", "SyntaxError: Missing parentheses"),
        (b"  x = 1\n", "IndentationError: unexpected indent (a.py, line 1)"),
        (b"# coding: uft-8\n", "SyntaxError: unknown encoding: uft-8"),
        (b"\xef\xbb\xbf# coding: ascii\n", "SyntaxError: encoding problem: utf-8"),
        (b"x = 1\n\nx = '\xff'\n", "UnicodeDecodeError: 'utf-8' codec can't decode"),
    ],
)
def test_a_file_that_cannot_be_indexed_says_why(source: bytes, expected: str) -> None:
    with pytest.raises((SyntaxError, UnicodeDecodeError)) as caught:
        index("a.py", source)
    assert reason(caught.value).startswith(expected)


def test_a_null_byte_is_the_files_own_fault() -> None:
    with pytest.raises((SyntaxError, ValueError), match="null byte"):
        index("a.py", b"x = 1\0\n")


def test_warnings_about_a_file_are_neither_shown_nor_errors() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        index("a.py", b"x = '\\d' is 1\n")
        warnings.simplefilter("error")
        index("a.py", b"x = '\\d' is 1\n")
    assert seen == []


def sum_of(terms: int) -> bytes:
    return b"x = " + b"+".join([b"1"] * terms) + b"\n"


def test_too_deep_an_expression_is_the_files_own_fault() -> None:
    with pytest.raises((RecursionError, MemoryError)):
        index("a.py", sum_of(100_000))


@pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="the depth of the caller does not count there"
)
def test_the_outcome_does_not_depend_on_how_deep_the_caller_is() -> None:
    def at_depth(depth: int, source: bytes) -> bool:
        if depth:
            return at_depth(depth - 1, source)
        try:
            index("a.py", source)
        except RecursionError:
            return False
        return True

    low, high = 1, 10_000
    while high - low > 1:
        middle = (low + high) // 2
        if at_depth(0, sum_of(middle)):
            low = middle
        else:
            high = middle
    assert at_depth(500, sum_of(low))
    assert not at_depth(500, sum_of(high))


def test_all_python_files_are_found(library: Library) -> None:
    assert sorted(library.find()) == [
        "bad/bytes.py",
        "bad/coding.py",
        "bad/null.py",
        "bad/old.py",
        "empty.py",
        "pack/__init__.py",
        "pack/inner.py",
        "plain.py",
    ]


def test_skipped_folders_are_skipped_at_the_top_only(tmp_path: Path) -> None:
    for folder in ("site-packages", "a/site-packages"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.py").touch()
    library = Library(tmp_path, frozenset({"site-packages"}))
    assert list(library.find()) == ["a/site-packages/x.py"]


def test_what_is_no_regular_file_is_not_found(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "folder.py").mkdir()
    assert list(Library(tmp_path).find()) == []


def test_a_folder_that_cannot_be_listed_is_found_itself(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "bad":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = list(library.find())
    assert "bad" in found
    assert "plain.py" in found
    with pytest.raises(OSError, match="bad"):
        library.read("bad")


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(Library(tmp_path / "none").find())


def test_the_standard_library_has_its_tests_but_no_packages_of_others() -> None:
    found = set(standard_library().find())
    assert "json/__init__.py" in found
    assert not any(path.startswith("site-packages/") for path in found)


def test_a_reason_is_one_printable_line() -> None:
    assert reason(ValueError("a\n  b \udc80")) == "ValueError: a b \\udc80"
    assert reason(MemoryError()) == "MemoryError"
    assert printable("ä\udcff") == "ä\\udcff"
