"""No message is lost without a word: k restarts, each capacity, each policy."""

import itertools
import math

import pytest

from regrow import Mailbox

from .harness import CANCEL, SIGINT_STEP, Action, Outcome, faults, run_once
from .mail import Kind, Plan, mail_faults, post

KINDS: tuple[Kind, ...] = ("call", "cast", "cast_nowait")
MAILBOXES = [
    Mailbox(capacity=capacity, on_full=on_full, on_restart=on_restart)
    for capacity in (0, 1, 2, 64, math.inf)
    for on_full in ("wait", "raise", "drop_oldest", "drop_newest")
    for on_restart in ("keep", "clear")
    if not (capacity == 0 and on_full == "drop_oldest")
]


def judge(plan: Plan, action: Action | None, at: int, seed: int) -> tuple[Outcome, str]:
    """Run *plan* once; give the run and what is wrong with it, as one text."""
    scenario, witnesses = post(plan)
    out = run_once(scenario, action, at, seed)
    found = faults(scenario, action, out) + list(mail_faults(plan, witnesses(), out))
    return out, "; ".join(found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("crash_every", [0, 1, 2, 5])
def test_each_message_is_handled_once_or_reported(kind: Kind, crash_every: int) -> None:
    tried = 0
    for mailbox, (cycles, cut) in itertools.product(
        MAILBOXES, [(0, False), (2, False), (2, True)]
    ):
        for seconds in (0.0, 0.003):
            plan = Plan(
                kind,
                mailbox,
                crash_every=crash_every,
                seconds=seconds,
                cycles=cycles,
                cut=cut,
            )
            for seed in range(2):
                _, wrong = judge(plan, None, 0, seed)
                assert wrong == "", (plan, seed)
                tried += 1
    print(f"{kind}, a crash every {crash_every}: {tried} runs, 0 violations")


@pytest.mark.parametrize("capacity", [0, 1, 2, 64])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", [CANCEL, SIGINT_STEP], ids=["cancel", "SIGINT"])
def test_each_message_is_accounted_for_when_interrupted(
    action: Action, kind: Kind, capacity: int
) -> None:
    plan = Plan(kind, Mailbox(capacity=capacity), each=5, cycles=1)
    at = 0
    acted = True
    while acted:
        at += 1
        out, wrong = judge(plan, action, at, seed=at)
        assert wrong == "", (plan, at)
        acted = out.acted
    print(f"{action.name}, {kind}, capacity {capacity}: {at - 1} points, 0 violations")
