"""`python -m tests.sweeps [--seeds N] [WORD…]`: every moment, not a part of them.

With words, those sweeps whose name has all of them. Prints the number of points that were
tried in each, and what was wrong.
"""

import argparse
import logging
import sys
import time

from .scenarios import SCENARIOS
from .sweeping import sweep
from .test_sweeps import ACTIONS


def main() -> int:
    """Run the sweeps; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.sweeps")
    parser.add_argument(
        "--seeds", type=int, default=1, help="schedules to try each with"
    )
    parser.add_argument("words", nargs="*", help="parts of the names of sweeps")
    options = parser.parse_args()
    logging.getLogger("regrow").setLevel(logging.CRITICAL + 1)
    tried = wrong = 0
    for scenario in SCENARIOS.values():
        for action in ACTIONS:
            name = f"{scenario.name}, {action.name}"
            if not all(word in name for word in options.words):
                continue
            for seed in range(options.seeds):
                began = time.perf_counter()
                swept = sweep(scenario, action, seed=seed)
                print(f"{swept} [{time.perf_counter() - began:.1f} s]", flush=True)
                for sentence in swept.found[:5]:
                    print(f"    {sentence}")
                tried += swept.tried
                wrong += len(swept.found)
    print(f"{tried} points, {wrong} violations")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
