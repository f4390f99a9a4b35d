"""The pages and the blocks of code in them.

A line `<!-- WORDS -->` before a block marks it. `output` is what the Python block before it
prints, `ci: NAME` is for `.ci/run`. A comment that begins with a line `<!-- setup` holds
Python that a page needs to run and its readers do not.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

__all__ = [
    "PAGES",
    "ROOT",
    "Block",
    "blocks",
    "fold",
    "name_of",
    "rows",
    "section",
    "without_code",
]

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"(`{3,})(\w*) *$")
_MARK = re.compile(r"<!-- (.+) -->$")


@frozen
class Block:
    """A block of code.

    Attributes:
        page: Where it stands.
        line: Number of its first line of code.
        language: What the fence says.
        mark: The words of the mark before it, `setup` for a comment of that kind.
        code: The lines, each with its end.
    """

    page: Path
    line: int
    language: str
    mark: str
    code: str

    @property
    def at(self) -> str:
        """Where it is, for messages."""
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    """Give the name of a page, as its readers know it."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> list[Block]:
    """Give the blocks of a page, only those of *languages* if any are named."""
    return [
        block for block in _blocks(page) if not languages or block.language in languages
    ]


def _blocks(page: Path) -> Iterator[Block]:
    lines = iter(enumerate(page.read_text("utf-8").splitlines(keepends=True), 1))
    mark = ""
    for number, line in lines:
        fence = _FENCE.match(line)
        if fence is not None:
            code = _until(lines, f"{fence[1]}\n")
            yield Block(page, number + 1, fence[2], mark, code)
            mark = ""
        elif line == "<!-- setup\n":
            yield Block(page, number + 1, "python", "setup", _until(lines, "-->\n"))
        elif line.strip():
            found = _MARK.match(line)
            mark = found[1] if found else ""


def _until(lines: Iterator[tuple[int, str]], end: str) -> str:
    code: list[str] = []
    for _, line in lines:
        if line == end:
            return "".join(code)
        code.append(line)
    message = f"a block has no end: {end!r}"
    raise ValueError(message)


def without_code(page: Path) -> str:
    """Give the text of a page with its blocks and comments emptied, lines kept."""

    def empty(found: re.Match[str]) -> str:
        return "\n" * found[0].count("\n")

    text = page.read_text("utf-8")
    text = re.sub(r"^(`{3,}).*?^\1$", empty, text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"<!--.*?-->", empty, text, flags=re.DOTALL)


def section(page: Path, title: str) -> str:
    """Give the text below the heading *title*, up to the next one of its level or above.

    Raises:
        KeyError: There is no such heading.
    """
    text = page.read_text("utf-8")
    found = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    if found is None:
        raise KeyError(title)
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> list[list[str]]:
    """Give the cells of the first table in *text*, without its heading."""
    table: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith("|"):
            cells = re.split(r"(?<!\\)\|", line.strip()[1:-1])
            table.append([cell.strip().replace("\\|", "|") for cell in cells])
        elif table:
            break
    return table[2:]


def fold(text: str) -> str:
    """Give *text* with every run of white space as one space."""
    return " ".join(text.split())
