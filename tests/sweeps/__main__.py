"""`python -m tests.sweeps [--seeds N] [--lines] [WORD…]`: every moment, not a part of them.

With words, those sweeps whose name has all of them. Prints the number of points that were
tried in each, and what was wrong.
"""

import argparse
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial

from .harness import Scenario
from .lines import survey, sweep_lines
from .scenarios import SCENARIOS
from .sweeping import Swept, sweep
from .test_sweeps import ACTIONS


def _sweeps(*, seeds: int, lines: bool) -> Iterator[tuple[str, Callable[[], Swept]]]:
    for scenario in SCENARIOS.values():
        if lines:
            yield scenario.name, partial(_every_line, scenario)
            continue
        for action in ACTIONS:
            for seed in range(seeds):
                name = f"{scenario.name}, {action.name}"
                yield name, partial(sweep, scenario, action, seed=seed)


def _every_line(scenario: Scenario) -> Swept:
    found = survey(scenario)
    return sweep_lines(scenario, sorted(set().union(*found.values())))


def main() -> int:
    """Run the sweeps; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.sweeps")
    parser.add_argument(
        "--seeds", type=int, default=1, help="schedules to try each with"
    )
    parser.add_argument("words", nargs="*", help="parts of the names of sweeps")
    parser.add_argument(
        "--lines",
        action="store_true",
        help="SIGINT at every line of the library instead",
    )
    options = parser.parse_args()
    logging.getLogger("regrow").addHandler(logging.NullHandler())
    logging.getLogger("regrow").propagate = False
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    tried = wrong = 0
    for name, run in _sweeps(seeds=options.seeds, lines=options.lines):
        if not all(word in name for word in options.words):
            continue
        began = time.perf_counter()
        swept = run()
        print(f"{swept} [{time.perf_counter() - began:.1f} s]", flush=True)
        for sentence in swept.found[:5]:
            print(f"    {sentence}")
        tried += swept.tried
        wrong += len(swept.found)
    print(f"{tried} points, {wrong} violations")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
