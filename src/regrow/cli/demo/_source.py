"""One source file as values: what it defines, or why it could not be read.

Pure but for reading the file. Knows nothing of actors or of the database.

The outcome for a file must not depend on who asks, an actor deep in an event loop or a
plain loop, or two indexes of one folder could differ. So warnings are ignored under any
filter, the tree is walked without recursion, and the one thing in Python's own parser
that depends on the depth of the caller is taken out by `_parse`.
"""

from __future__ import annotations

import ast
import io
import os
import sysconfig
import threading
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path

from attrs import field, frozen

# Third-party code lives here, inside the folder of the standard library.
_NOT_STANDARD = frozenset({"site-packages", "dist-packages"})

# The fields of a statement that hold statements.
_BLOCKS = frozenset({"body", "handlers", "cases", "orelse", "finalbody"})


@frozen
class Function:
    """A function or method; *name* is dotted, *line* is where its `def` stands."""

    name: str
    line: int
    last_line: int
    is_async: bool


@frozen
class Class:
    """A class with as many *bases* as it names."""

    name: str
    line: int
    last_line: int
    bases: int


@frozen
class Import:
    """One imported name; *name* is None for `import module`."""

    module: str
    name: str | None
    line: int


@frozen
class Indexed:
    """A file that was read, parsed and understood."""

    path: str
    encoding: str
    lines: int
    functions: tuple[Function, ...]
    classes: tuple[Class, ...]
    imports: tuple[Import, ...]


@frozen
class DeadLetter:
    """A file that was given up, and the reason."""

    path: str
    reason: str


Outcome = Indexed | DeadLetter


@frozen
class Library:
    """The Python files of a folder, named by their path from it."""

    folder: Path
    skip: frozenset[str] = field(default=frozenset())
    """Folders directly in *folder* that do not belong to it."""

    def find(self) -> Iterator[str]:
        """All files, one at a time, in no order that can be relied on.

        A folder that cannot be listed stands among them under its own name: nobody can
        tell what is in it, and reading it will say why.

        Raises:
            OSError: *folder* itself cannot be listed.
        """
        with os.scandir(self.folder):
            pass  # os.walk would find no files, and not say why
        unlisted: list[OSError] = []
        for where, folders, files in os.walk(self.folder, onerror=unlisted.append):
            here = Path(where)
            if here == self.folder:
                folders[:] = [name for name in folders if name not in self.skip]
            for name in files:
                # Reading a pipe or a device would never end.
                if name.endswith(".py") and (here / name).is_file():
                    yield (here / name).relative_to(self.folder).as_posix()
        for error in unlisted:
            yield Path(error.filename).relative_to(self.folder).as_posix()

    def read(self, path: str) -> bytes:
        """The bytes of one file.

        Raises:
            OSError: It cannot be read.
        """
        return (self.folder / path).read_bytes()


def standard_library() -> Library:
    """The standard library of the running Python, its tests included."""
    return Library(Path(sysconfig.get_path("stdlib")), _NOT_STANDARD)


def index(path: str, source: bytes) -> Indexed:
    """Tell what the file *path* with the text *source* defines.

    Raises:
        SyntaxError: It does not parse, or its encoding is declared wrongly or unknown.
        UnicodeDecodeError: It is not in its declared encoding.
        ValueError, RecursionError, MemoryError: It is too strange for Python's parser.
    """
    encoding, text = _decode(source)
    functions: list[Function] = []
    classes: list[Class] = []
    imports: list[Import] = []
    for node, scope in _statements(_parse(path, text)):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                is_async = isinstance(node, ast.AsyncFunctionDef)
                last_line = node.end_lineno or node.lineno
                functions.append(
                    Function(scope + node.name, node.lineno, last_line, is_async)
                )
            case ast.ClassDef():
                last_line = node.end_lineno or node.lineno
                classes.append(
                    Class(scope + node.name, node.lineno, last_line, len(node.bases))
                )
            case ast.Import():
                imports += [Import(a.name, None, node.lineno) for a in node.names]
            case ast.ImportFrom():
                module = "." * node.level + (node.module or "")
                imports += [Import(module, a.name, node.lineno) for a in node.names]
            case _:
                pass
    lines = text.count("\n") + (not text.endswith("\n") and text != "")
    return Indexed(
        path, encoding, lines, tuple(functions), tuple(classes), tuple(imports)
    )


def reason(error: BaseException) -> str:
    """Why a file is given up, as one line that any database and terminal can hold."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return printable(f"{name}: {text}" if text else name)


def printable(text: str) -> str:
    """*text* with what no encoding can hold, as in odd file names, written out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _decode(source: bytes) -> tuple[str, str]:
    # As tokenize.open does, which takes no bytes. A file read twice could have changed.
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    return encoding, io.TextIOWrapper(io.BytesIO(source), encoding).read()


def _parse(path: str, text: str) -> ast.Module:
    # Python 3.11 counts the caller's frames too when it judges an expression as nested
    # too deeply. The judgement that counts is made on a fresh stack, the same for all.
    try:
        return _parse_here(path, text)
    except RecursionError:
        return _parse_on_a_fresh_stack(path, text)


def _parse_here(path: str, text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, path)


def _parse_on_a_fresh_stack(path: str, text: str) -> ast.Module:
    outcome: list[ast.Module | Exception] = []

    def parse() -> None:
        try:
            outcome.append(_parse_here(path, text))
        except Exception as error:  # noqa: BLE001 - raised again below
            outcome.append(error)

    thread = threading.Thread(target=parse)
    thread.start()
    thread.join()
    match outcome[0]:
        case ast.Module() as module:
            return module
        case error:
            raise error


def _statements(module: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Every statement in the order of the source, with the dotted scope it is in."""
    waiting: list[tuple[ast.AST, str]] = [(module, "")]
    while waiting:
        node, scope = waiting.pop()
        yield node, scope
        inner = scope
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{scope}{node.name}."
        waiting.extend([(child, inner) for child in reversed(_children(node))])


def _children(node: ast.AST) -> list[ast.AST]:
    # Expressions are not entered: nothing that is looked for can stand in one.
    return [
        child
        for block in node._fields
        if block in _BLOCKS
        for child in getattr(node, block)
    ]
