"""Runs a function in a fresh process: `python -m benchmarks.fresh MODULE FUNCTION SIZE...`.

Memory and import time can only be measured where nothing was done before.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

from .workload import MIB, Figures, SkippedError, quiet

__all__ = ["fresh", "need", "resident", "run"]

_ROOT = Path(__file__).parents[1]
_PAGE = os.sysconf("SC_PAGE_SIZE")


def fresh(module: str, function: str, *sizes: int) -> Figures:
    """Give what *function* of *module* gives in a process of its own."""
    given = [str(size) for size in sizes]
    return run([sys.executable, "-m", __name__, module, function, *given])


def run(command: list[str]) -> Figures:
    """Run *command*, which prints figures as JSON.

    Raises:
        RuntimeError: It failed; with the last line that it wrote.
    """
    done = subprocess.run(  # noqa: S603 - our own commands
        command, cwd=_ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["nothing on stderr"]
        message = f"{command[1:]} ended with {done.returncode}: {lines[-1]}"
        raise RuntimeError(message)
    figures: Figures = json.loads(done.stdout)
    return figures


def resident() -> float:
    """Give the bytes of memory that this process has resident.

    Raises:
        SkippedError: The system has no /proc.
    """
    try:
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    except OSError:
        message = "resident memory is read from /proc, which is not here"
        raise SkippedError(message) from None
    return float(int(pages) * _PAGE)


def need(size: float) -> None:
    """Make sure that so many bytes of memory are free.

    Raises:
        SkippedError: They are not.
    """
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return
    free = {line.split(":")[0]: line.split()[1] for line in lines}["MemAvailable"]
    if int(free) * 1024 < size:
        message = f"needs {size / MIB / 1024:.0f} GiB of free memory"
        raise SkippedError(message)


def main() -> None:
    """Run one function and print its figures."""
    module, function, *sizes = sys.argv[1:]
    measured = getattr(importlib.import_module(module), function)
    with quiet():
        figures = measured(*map(int, sizes))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
