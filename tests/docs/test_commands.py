"""Commands on the pages are commands there are, with options that they have."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from regrow.cli import main

from .pages import PAGES, ROOT, blocks, name_of, without_code

# What `.ci/run` calls by a name that is not that of its package.
PACKAGES = {"lint-imports": "import-linter"}
PROGRAMS = ("coverage", "flake8", "lint-imports", "mypy", "pyright", "python", "ruff")


def lines(page: Path) -> Iterator[str]:
    """Give the commands of a page: in blocks, and in spans of code."""
    for block in blocks(page, "sh"):
        yield from block.code.splitlines()
    for span in re.findall(r"`([^`\n]+)`", without_code(page)):
        if span.split()[0] in PROGRAMS or span.startswith("regrow "):
            yield span


def commands(page: Path) -> list[list[str]]:
    """Give the words of each command, without the folder of an environment."""
    found: list[list[str]] = []
    for line in lines(page):
        for part in line.split(" && "):
            program, *words = shlex.split(part)
            found.append([program.removeprefix(".venv/bin/"), *words])
    return found


def dev_packages() -> set[str]:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    _, _, extra = text.partition("\ndev = [")
    return set(re.findall(r'^ +"([\w-]+)', extra.partition("\n]")[0], re.MULTILINE))


def check(program: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    match program, words:
        case "python3" | "python", ["-m", module, *_]:
            assert find_spec(module) is not None
        case "python", [script, *options]:
            assert (ROOT / script).is_file()
            helped = subprocess.run(
                [sys.executable, ROOT / script, "--help"],
                capture_output=True,
                text=True,
                check=True,
            )
            for option in options:
                assert not option.startswith("-") or option in helped.stdout
        case "pip", ["install", *options, what]:
            assert set(options) <= {"-q", "-e"}
            assert what in {".", ".[dev]", ".[otel]", ".[web]"}
        case "regrow", [command, *rest]:
            with pytest.raises(SystemExit) as stopped:
                main([command, *rest, "--help"])
            assert stopped.value.code == 0
            shown = capsys.readouterr().out
            for word in rest:
                assert not word.startswith("-") or word in shown
        case _:
            assert PACKAGES.get(program, program) in dev_packages()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_are_there(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for program, *words in commands(page):
        check(program, words, capsys)


def test_readme_has_the_two_commands_that_do_all_the_set_up() -> None:
    page = commands(ROOT / "README.md")
    assert [program for program, *_ in page] == [
        "python3",
        "pip",
        "regrow",
        "python3",
        "pip",
        "python",
    ]
