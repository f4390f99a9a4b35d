import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

Command = Callable[..., AbstractContextManager["subprocess.Popen[str]"]]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Start the `regrow` command in a folder of its own; it is cut off at the end."""

    @contextmanager
    def start(*arguments: str) -> "Generator[subprocess.Popen[str]]":
        with subprocess.Popen(
            [sys.executable, "-m", "regrow.cli", *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    return start


@pytest.fixture
def module(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Write a module into that folder; give its name, which no other test has."""
    name = f"module_of_{request.node.name.translate({ord(c): '_' for c in '[]-.:/ '})}"

    def write(source: str) -> str:
        (tmp_path / f"{name}.py").write_text(source)
        return name

    return write


@pytest.fixture
def target(
    module: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Generator[Callable[[str], str]]:
    """Write a module for commands in this process; give what names the `tree` in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    before = set(sys.modules)
    yield lambda source: f"{module(source)}:tree"
    for name in set(sys.modules) - before:
        if name.startswith("module_of_"):
            del sys.modules[name]
