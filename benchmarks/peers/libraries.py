"""The libraries, their programs, and the environments that the programs run in."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

from attrs import field, frozen

__all__ = ["LIBRARIES", "Answer", "FailedError", "Library"]

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).with_name("programs")
LONGEST = 120  # seconds for one run of a program

Answer: TypeAlias = dict[str, Any]


class FailedError(Exception):
    """A program, or what makes its environment, failed; the text is its last line."""


@frozen
class Library:
    """One library.

    Attributes:
        name: What it is called.
        needs: What is installed into its environment; nothing for regrow itself, which is
            measured in the Python that runs this.
        on_trio: Whether it runs on trio, as regrow does.
    """

    name: str
    needs: tuple[str, ...] = ()
    on_trio: bool = False
    module: str = field(init=False)

    @module.default
    def _module(self) -> str:
        return f"{__package__}.programs.on_{self.name}"

    def prepare(self, venvs: Path) -> None:
        """Make its environment, unless it is there.

        Raises:
            FailedError: It cannot be made.
        """
        if not self.needs or self._python(venvs).exists():
            return
        home = venvs / self.name
        try:
            _run([sys.executable, "-m", "venv", str(home)])
            pip = [str(self._python(venvs)), "-m", "pip", "install", "--quiet"]
            _run([*pip, "--disable-pip-version-check", *self.needs])
        except FailedError:
            shutil.rmtree(home, ignore_errors=True)  # not half of one the next time
            raise

    def run(self, venvs: Path, workload: str, size: int) -> Answer:
        """Give the figures of one workload, or the reason why there are none.

        Raises:
            FailedError: The program failed.
        """
        command = [str(self._python(venvs)), "-m", self.module, workload, str(size)]
        answer: Answer = json.loads(_run(command))
        return answer

    def _python(self, venvs: Path) -> Path:
        if not self.needs:
            return Path(sys.executable)
        return venvs / self.name / "bin" / "python"


@frozen
class Erlang(Library):
    """Erlang/OTP, where it is installed."""

    def prepare(self, venvs: Path) -> None:
        """See whether it is there."""
        del venvs
        if shutil.which("erl") is None or shutil.which("escript") is None:
            message = "`erl` and `escript` are not installed"
            raise FailedError(message)

    def run(self, venvs: Path, workload: str, size: int) -> Answer:
        """Give the figures of one workload."""
        del venvs
        program = str(PROGRAMS / "on_erlang.escript")
        answer: Answer = json.loads(_run(["escript", program, workload, str(size)]))
        return answer


LIBRARIES = (
    Library("regrow", on_trio=True),
    Library("fauxtp", ("fauxtp", "trio"), on_trio=True),
    Library("papyra", ("papyra", "trio"), on_trio=True),
    Library("pykka", ("pykka",)),
    Library("mode", ("mode-streaming",)),
    Erlang("erlang"),
)


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - our own commands
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        message = f"not done after {LONGEST} s"
        raise FailedError(message) from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or done.stdout.strip().splitlines()
        raise FailedError(lines[-1] if lines else f"ended with {done.returncode}")
    return done.stdout
