"""What the programs share: the clocks, the logs, and how they are asked and answer.

A program is called with the name of a workload and a size, and prints one line of JSON:
figures, or why there are none. Rates are by second, `restart` is in microseconds.
"""

from __future__ import annotations

import json
import logging
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, TypeAlias

__all__ = ["CALLERS", "BrokenError", "Figures", "Times", "main", "rate"]

CALLERS = 100

Figures: TypeAlias = Mapping[str, float]


class BrokenError(Exception):
    """What crashes here."""


class rate:  # noqa: N801 - used as a function
    """Time a block in which *count* things are done: `with rate(count) as figures:`.

    Processor time is that of all threads of the process.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.figures: dict[str, float] = {}

    def __enter__(self) -> dict[str, float]:
        self.wall = time.perf_counter()
        self.cpu = time.process_time()
        return self.figures

    def __exit__(self, *_: object) -> None:
        cpu = time.process_time() - self.cpu
        wall = time.perf_counter() - self.wall
        self.figures["cpu"] = self.count / max(cpu, 1e-9)
        self.figures["wall"] = self.count / max(wall, 1e-9)


class Times:
    """How long each of many things took; the median is what counts."""

    def __init__(self) -> None:
        self.cpu: list[float] = []
        self.wall: list[float] = []

    def __enter__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.cpu.append(time.process_time() - self._cpu)
        self.wall.append(time.perf_counter() - self._wall)

    def figures(self) -> Figures:
        """Give the medians in microseconds."""
        return {
            "cpu": statistics.median(self.cpu) * 1e6,
            "wall": statistics.median(self.wall) * 1e6,
        }


def main(
    distributions: list[str],
    workloads: Mapping[str, Callable[[int], Any]],
    reasons: Mapping[str, str],
    run: Callable[..., Any] | None = None,
) -> None:
    """Run the workload that the command line asks for.

    Args:
        distributions: What was measured, to give its versions.
        workloads: What there is, by name.
        reasons: Why the library has no such thing, for the others.
        run: What runs a workload that is an async function.
    """
    root = logging.getLogger()
    root.handlers = [logging.NullHandler()]
    name, size = sys.argv[1], int(sys.argv[2])
    answer: dict[str, object] = {
        "version": ", ".join(f"{each} {version(each)}" for each in distributions)
    }
    if name in reasons:
        answer["reason"] = reasons[name]
    else:
        workload = workloads[name]
        for count in (max(size // 10, CALLERS), size):  # the first one warms up
            answer["figures"] = workload(count) if run is None else run(workload, count)
    print(json.dumps(answer))
