"""A real SIGINT at a line of the library's own text.

Between two steps of the scheduler Python may run a signal's handler at any line. A trace
function raises the signal there: trio's handler then raises KeyboardInterrupt out of that
very line, unless the code is protected.
"""

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from .harness import Outcome, Scenario, run_once
from .points import LIBRARY

__all__ = ["Lines", "run_traced"]


class Lines:
    """Counts the lines that the library runs and raises a signal at one.

    Attributes:
        at: The line, counted from 1; 0 only counts.
        count: Lines run so far.
        where: File, line and function of that line.
        unseen: Whether it was there to call an observer.
    """

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self.count = 0
        self.where = ""
        self.unseen = False

    def __call__(self, frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code.co_filename.startswith(LIBRARY):
            return self._line
        return None

    def _line(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "line":
            self.count += 1
            if self.count == self.at:
                code = frame.f_code
                caller = frame.f_back
                self.unseen = caller is not None and caller.f_code.co_name == "_tell"
                self.where = f"{code.co_filename}:{frame.f_lineno} {code.co_name}"
                signal.raise_signal(signal.SIGINT)
        return self._line


def run_traced(scenario: Scenario, lines: Lines, seed: int = 0) -> Outcome:
    """Run *scenario* with *lines* as the trace function of this thread."""
    before: Callable[..., Any] | None = sys.gettrace()
    sys.settrace(lines)
    try:
        return run_once(scenario, seed=seed)
    finally:
        sys.settrace(before)
