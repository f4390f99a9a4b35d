"""Replay recorded traces of OTP's supervisor and tell where regrow differs.

    python tests/conformance/replay.py [--against core|live] FILE.jsonl [FILE.jsonl ...]

`core` is the pure machine, `live` are real trees under a virtual clock; if not told,
both are tried in turn. For each scenario that differs: its id, the step, what was
expected and what came. The last line is `N passed, M failed`; the line before it tells
how many were left out, because regrow departs there on purpose (README.md, section 12).

Exit code 0 if none failed, 1 if some did, 2 if a file is unusable.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from attrs import define

if __name__ == "__main__":  # run as a file, perhaps where regrow is not installed
    root = Path(__file__).resolve().parents[2]
    sys.path.insert(0, str(root))
    sys.path.append(str(root / "src"))

from tests.conformance import core, live
from tests.conformance.comparing import first_difference
from tests.conformance.model import Play, Scenario
from tests.conformance.reading import UnusableFileError, read_scenarios

__all__ = ["PLAYERS", "Tally", "main", "replay"]

PLAYERS: dict[str, Play] = {"core": core.play, "live": live.play}


@define
class Tally:
    """How many scenarios came to what."""

    passed: int = 0
    failed: int = 0
    departed: int = 0


def replay(
    scenarios: Sequence[Scenario], play: Play, tally: Tally, *, title: str, out: TextIO
) -> None:
    """Replay *scenarios*, write what differs to *out*, and count into *tally*."""
    for scenario in scenarios:
        if not scenario.comparable:
            tally.departed += 1
            continue
        difference = first_difference(scenario, play(scenario.script))
        if difference is None:
            tally.passed += 1
        else:
            tally.failed += 1
            print(f"[{title}] {difference.describe(scenario)}", file=out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the command; give its exit code."""
    first, _, more = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="replay.py",
        description=first,
        epilog=more,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--against", choices=tuple(PLAYERS), help="only this one; else both, in turn"
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.jsonl")
    options = parser.parse_args(arguments)
    try:
        scenarios = [s for path in options.files for s in read_scenarios(path)]
    except UnusableFileError as error:
        print(f"replay.py: {error}", file=sys.stderr)
        return 2
    tally = Tally()
    for name in [options.against] if options.against else PLAYERS:
        replay(scenarios, PLAYERS[name], tally, title=name, out=sys.stdout)
    print(f"{tally.departed} departed")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
