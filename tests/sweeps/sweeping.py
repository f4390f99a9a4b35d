"""Doing something to a scenario at every moment of its life, one run for each."""

from random import Random

from attrs import define, field

from .actions import Action
from .harness import Doing, Outcome, Scenario, run_once
from .judge import faults

__all__ = ["Swept", "sweep", "sweep_pairs"]


@define
class Swept:
    """What a sweep has found.

    Attributes:
        name: Scenario and action.
        tried: Moments tried.
        found: Sentences, each with its moment.
    """

    name: str
    tried: int = 0
    found: list[str] = field(factory=list)

    def __str__(self) -> str:
        return f"{self.name}: {self.tried} points, {len(self.found)} violations"

    def judge(
        self, scenario: Scenario, out: Outcome, doings: tuple[Doing, ...], seed: int
    ) -> None:
        """Enter one run."""
        what = ", ".join(
            f"{action.name} at {action.where} {at}" for action, at in doings
        )
        where = f" ({out.probe.label})" if out.probe.label else ""
        self.tried += 1
        self.found.extend(
            f"{what}{where}, seed {seed}: {fault}" for fault in faults(scenario, out)
        )


def sweep(
    scenario: Scenario, action: Action, *, stride: int = 1, seed: int = 0
) -> Swept:
    """Do *action* at every moment of *scenario* until it ends before the moment comes.

    Args:
        scenario: What is swept.
        action: What is done.
        stride: 2 tries every second moment, and so on.
        seed: What the scheduler's choices depend on.
    """
    swept = Swept(f"{scenario.name}, {action.name}")
    at = 1
    while True:
        out = run_once(scenario, (action, at), seed=seed)
        if not out.acted:
            return swept
        swept.judge(scenario, out, ((action, at),), seed)
        at += stride


def sweep_pairs(
    scenario: Scenario, first: Action, second: Action, *, count: int, seed: int = 0
) -> Swept:
    """Do *first* and *second*, not both at points, *count* times by chance."""
    swept = Swept(f"{scenario.name}, {first.name} and {second.name}")
    random = Random(seed)
    quiet = run_once(scenario, seed=seed)
    last = {"step": quiet.steps, "point": quiet.points}
    for number in range(count):
        doings = tuple(
            (action, random.randint(1, last[action.where]))
            for action in (first, second)
        )
        out = run_once(scenario, *doings, seed=number)
        swept.judge(scenario, out, doings, number)
    return swept
