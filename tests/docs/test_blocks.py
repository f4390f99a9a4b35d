"""Every Python block runs, in the order of its page, and prints what the page says."""

import inspect
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from .pages import PAGES, ROOT, Block, blocks, name_of

RUN = trio.run
LONGEST_LINE = 88


def pages_with_python() -> list[Path]:
    return [page for page in PAGES if blocks(page, "python")]


@contextmanager
def module_for(page: Path) -> Iterator[ModuleType]:
    name = f"page_{page.stem}"
    module = sys.modules[name] = ModuleType(name)
    try:
        yield module
    finally:
        del sys.modules[name]


def run_in_virtual_time(fn: Callable[..., Any], *args: Any, **options: Any) -> Any:
    options.setdefault("clock", MockClock(autojump_threshold=0))
    return RUN(fn, *args, **options)


def printed_by(block: Block, module: ModuleType) -> str:
    # Empty lines in front make the line numbers of tracebacks those of the page.
    code = compile("\n" * (block.line - 1) + block.code, str(block.page), "exec")
    out = io.StringIO()
    with redirect_stdout(out):
        exec(code, module.__dict__)  # noqa: S102 - it is our own page
    return out.getvalue()


def call_test(test: Callable[..., Any]) -> None:
    """Call a test function of a page as pytest-trio does."""
    clock = MockClock(autojump_threshold=0)
    fixtures = {"autojump_clock": clock}
    names = inspect.signature(test).parameters
    if inspect.iscoroutinefunction(test):
        RUN(lambda: test(*(fixtures[name] for name in names)), clock=clock)
    else:
        test()


@pytest.mark.parametrize("page", pages_with_python(), ids=name_of)
def test_page_runs_and_prints_what_it_says(
    page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(trio, "run", run_in_virtual_time)
    monkeypatch.chdir(tmp_path)
    printed = ""
    with module_for(page) as module:
        for block in blocks(page):
            if block.language == "python":
                printed = printed_by(block, module)
            elif block.mark == "output":
                assert printed == block.code, block.at
        for name, value in list(vars(module).items()):
            if name.startswith("test_"):
                call_test(value)


def test_quickstart_runs_as_it_stands_and_is_short(tmp_path: Path) -> None:
    script = tmp_path / "quickstart.py"
    quickstart, output, *_ = blocks(ROOT / "README.md", "python", "text")
    assert (quickstart.mark, output.mark) == ("", "output")
    assert quickstart.code.count("\n") <= 40
    script.write_text(quickstart.code, "utf-8")
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True
    )
    assert done.stdout == output.code
    assert "ValueError: a deposit of -5" in done.stderr


def test_first_blocks_of_the_readme_are_the_commands_that_ci_runs() -> None:
    demo, test, *_ = blocks(ROOT / "README.md")
    assert (demo.mark, test.mark) == ("ci: demo", "ci: test")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_code_fits_on_a_screen(page: Path) -> None:
    long = [
        f"{name_of(page)}:{block.line + number}"
        for block in blocks(page, "python", "text")
        for number, line in enumerate(block.code.splitlines())
        if len(line) > LONGEST_LINE
    ]
    assert long == []


@pytest.mark.tools
def test_blocks_are_typed(tmp_path: Path) -> None:
    for page in pages_with_python():
        lines = [""] * page.read_text("utf-8").count("\n")
        for block in blocks(page, "python"):
            for number, line in enumerate(block.code.splitlines(), block.line - 1):
                lines[number] = line
        (tmp_path / f"page_{page.stem.replace('-', '_')}.py").write_text(
            "\n".join(lines) + "\n", "utf-8"
        )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
