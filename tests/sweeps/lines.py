"""A real SIGINT at a line of the library's own text.

Between two steps of the scheduler Python may run a signal's handler at any line. A trace
function raises the signal there: trio's handler then raises KeyboardInterrupt out of that
very line, unless the code is protected.
"""

import gc
import signal
import sys
from collections.abc import Iterable
from types import FrameType
from typing import Any

from attrs import evolve

from .actions import SIGINT_STEP
from .harness import Outcome, Scenario, run_once
from .judge import faults
from .points import LIBRARY
from .sweeping import Swept

__all__ = ["survey", "sweep_lines"]


class Lines:
    """Counts the lines that the library runs and raises a signal at one.

    Attributes:
        at: The line, counted from 1; 0 only counts.
        count: Lines run so far.
        where: File, line and function of that line.
        unseen: Whether it was there to call an observer.
        found: When each line was run for the first and for the last time, by the function
            through which the library was entered and the line itself.
    """

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self.count = 0
        self.where = ""
        self.unseen = False
        self.found: dict[str, dict[tuple[str, int], tuple[int, int]]] = {}

    def __call__(self, frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code.co_filename.startswith(LIBRARY):
            return self._line
        return None

    def _line(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "line":
            self.count += 1
            if not self.at:
                self._note(frame)
            elif self.count == self.at:
                code = frame.f_code
                caller = frame.f_back
                self.unseen = caller is not None and caller.f_code.co_name == "_tell"
                self.where = f"{code.co_filename}:{frame.f_lineno} {code.co_name}"
                signal.raise_signal(signal.SIGINT)
        return self._line

    def _note(self, frame: FrameType) -> None:
        entry = frame
        while (back := entry.f_back) is not None:
            if not back.f_code.co_filename.startswith(LIBRARY):
                break
            entry = back
        lines = self.found.setdefault(entry.f_code.co_qualname, {})
        line = (frame.f_code.co_filename, frame.f_lineno)
        first, _ = lines.get(line, (self.count, 0))
        lines[line] = (first, self.count)


def run_traced(scenario: Scenario, lines: Lines) -> Outcome:
    """Run *scenario* with *lines* as the trace function of this thread."""
    before = sys.gettrace()
    sys.settrace(lines)
    try:
        return run_once(scenario)
    finally:
        sys.settrace(before)


def survey(scenario: Scenario) -> dict[str, list[int]]:
    """Give when each line is run for the first and the last time, by where one came in.

    The same line may be protected or not, depending on who has called it: the function
    through which user code or trio's scheduler has entered the library.
    """
    lines = Lines()
    run_traced(scenario, lines)
    return {
        entry: sorted({moment for both in found.values() for moment in both})
        for entry, found in lines.found.items()
    }


def sweep_lines(scenario: Scenario, moments: Iterable[int]) -> Swept:
    """Raise SIGINT at *moments*, counted in lines of the library that are run.

    Two runs may differ by some lines (what was collected when), so that one of the last
    moments may not come. More than one in ten would mean that nothing is tried here.
    """
    swept = Swept(f"{scenario.name}, SIGINT at lines of the library")
    never_came = 0
    for at in moments:
        lines = Lines(at)
        out = run_traced(scenario, lines)
        if not lines.where:
            never_came += 1
            continue
        out.acted = [SIGINT_STEP]
        judged = scenario
        if lines.unseen:
            # It hit an observer, ours: what that was about to see is missing.
            out.events.clear()
            judged = evolve(scenario, module=None)
        swept.tried += 1
        swept.found.extend(
            f"SIGINT at line {at}, {lines.where}: {fault}"
            for fault in faults(judged, out)
        )
    gc.collect()  # coroutines that were made and not begun: here and not in another test
    assert never_came * 10 <= swept.tried
    return swept
