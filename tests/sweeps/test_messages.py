"""No message is lost without a word: k restarts, each capacity, each policy."""

import itertools
import math
from typing import TypeAlias

import pytest

from regrow import Mailbox

from .actions import CANCEL, SIGINT_STEP, Action
from .harness import Doing, Outcome, run_once
from .judge import faults
from .mail import Kind, Plan, mail_faults, post

Way: TypeAlias = tuple[float, int, bool]

KINDS: tuple[Kind, ...] = ("call", "cast", "cast_nowait")
MAILBOXES = [
    Mailbox(capacity=capacity, on_full=on_full, on_restart=on_restart)
    for capacity in (0, 1, 2, 64, math.inf)
    for on_full in ("wait", "raise", "drop_oldest", "drop_newest")
    for on_restart in ("keep", "clear")
    if not (capacity == 0 and on_full == "drop_oldest")
]


def judge(plan: Plan, *doings: Doing, seed: int) -> tuple[Outcome, str]:
    """Run *plan* once; give the run and what is wrong with it, as one text."""
    scenario, witnesses = post(plan)
    out = run_once(scenario, *doings, seed=seed)
    found = faults(scenario, out) + list(mail_faults(plan, witnesses(), out))
    return out, "; ".join(found)


def judge_all(kind: Kind, crash_every: int, ways: list[Way], seeds: int) -> str:
    """Try every mailbox in every way; give what is wrong with the first that fails."""
    tried = 0
    for mailbox, way in itertools.product(MAILBOXES, ways):
        seconds, cycles, cut = way
        plan = Plan(
            kind,
            mailbox,
            crash_every=crash_every,
            seconds=seconds,
            cycles=cycles,
            cut=cut,
        )
        for seed in range(seeds):
            _, wrong = judge(plan, seed=seed)
            if wrong:
                return f"{plan}, seed {seed}: {wrong}"
            tried += 1
    print(f"{kind}, a crash every {crash_every}: {tried} runs, 0 violations")
    return ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("crash_every", [0, 1, 2, 5])
def test_each_message_is_handled_once_or_reported(kind: Kind, crash_every: int) -> None:
    ways = [(0.0, 0, False), (0.003, 2, False), (0.003, 2, True)]
    assert judge_all(kind, crash_every, ways, seeds=1) == ""


@pytest.mark.parametrize("capacity", [0, 1, 2, 64])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", [CANCEL, SIGINT_STEP], ids=["cancel", "SIGINT"])
def test_each_message_is_accounted_for_when_interrupted(
    action: Action, kind: Kind, capacity: int
) -> None:
    plan = Plan(kind, Mailbox(capacity=capacity), each=4, cycles=1, pause=0.004)
    at = 0
    acted = True
    while acted:
        at += 1
        out, wrong = judge(plan, (action, at), seed=at)
        assert wrong == "", (plan, at)
        acted = bool(out.acted)
    print(f"{action.name}, {kind}, capacity {capacity}: {at - 1} points, 0 violations")
