"""`python -m tests.sweeps [WORD…]`: all sweeps, or those whose name has all the words.

Prints the number of points that were tried in each, and what was wrong.
"""

import logging
import sys
import time

from .harness import sweep
from .scenarios import SCENARIOS
from .test_sweeps import ACTIONS

if __name__ == "__main__":
    logging.getLogger("regrow").setLevel(logging.CRITICAL + 1)
    tried = wrong = 0
    for scenario in SCENARIOS.values():
        for action in ACTIONS:
            if not all(
                word in f"{scenario.name} {action.name}" for word in sys.argv[1:]
            ):
                continue
            began = time.perf_counter()
            swept = sweep(scenario, action)
            print(f"{swept} [{time.perf_counter() - began:.1f} s]", flush=True)
            for sentence in swept.found[:5]:
                print(f"    {sentence}")
            tried += swept.tried
            wrong += len(swept.found)
    print(f"{tried} points, {wrong} violations")
    sys.exit(bool(wrong))
