"""The time that `import regrow` takes."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from .fresh import run
from .workload import Figures, Row, Workload, pick

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .workload import Side

__all__ = ["Import"]


class Import(Workload):
    """Import time.

    Question: what does `import regrow` add to the start of a program?
    Unit: milliseconds in a fresh process, whose interpreter has started already.
    Sizes: one import.
    Baseline: `import trio, attrs`, which regrow needs.
    """

    name = "import"
    repetitions = 7
    warms_up = False

    def sides(self) -> Mapping[str, Side]:
        """Give both."""
        return {
            "regrow": partial(_timed, "regrow"),
            "raw": partial(_timed, "trio, attrs"),
        }

    def rows(self) -> Sequence[Row]:
        """Give the time."""
        return [
            Row("import regrow", "ms", pick("regrow", "import"), pick("raw", "import")),
        ]


_PROGRAM = """
import json, time
wall, cpu = time.perf_counter(), time.thread_time()
import {}
wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
print(json.dumps({{"import wall": wall * 1e3, "import cpu": cpu * 1e3}}))
"""


def _timed(modules: str) -> Figures:
    return run([sys.executable, "-c", _PROGRAM.format(modules)])
