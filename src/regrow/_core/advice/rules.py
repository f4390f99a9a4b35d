"""The table of the rules, and `check`, which applies it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final

from attrs import frozen

from regrow._core.check import check_root, refuse
from regrow._core.options import check_seconds
from regrow._core.specs import SupervisorSpec

from . import children, limits, stopping, wiring
from .model import Advice, Node, Said, Severity
from .survey import Survey, survey_of

__all__ = ["RULES", "Rule", "check"]

Find = Callable[[Survey, Node], Iterator[Said]]


@frozen
class Rule:
    """One rule.

    Attributes:
        severity: Of what it finds.
        find: Says what is wrong with a node; its name is the code.
    """

    severity: Severity
    find: Find

    @property
    def code(self) -> str:
        """The code of what it finds."""
        return self.find.__name__


# Errors first, then in the order in which one would mend them.
RULES: Final = (
    Rule("error", wiring.unknown_ref),
    Rule("error", wiring.ref_not_bound),
    Rule("error", limits.limit_never_reached),
    Rule("error", limits.attempts_never_counted),
    Rule("error", limits.restarts_spin),
    Rule("error", children.never_ends),
    Rule("error", stopping.shutdown_over_grace),
    Rule("warning", limits.hang_never_escalates),
    Rule("warning", limits.restart_amplification),
    Rule("warning", limits.retry_without_backoff),
    Rule("warning", limits.unused_backoff),
    Rule("warning", stopping.shutdown_cut_short),
    Rule("warning", stopping.endless_shutdown),
    Rule("warning", stopping.lifespan_cut),
    Rule("warning", wiring.spec_for_ref),
    Rule("warning", wiring.wired_in_a_circle),
    Rule("warning", wiring.order_against_wiring),
    Rule("warning", wiring.ref_to_later),
    Rule("warning", wiring.ref_to_temporary),
    Rule("warning", children.shared_argument),
    Rule("warning", children.kept_argument),
    Rule("warning", children.no_significant_child),
    Rule("warning", children.hidden_name),
    Rule("hint", limits.nothing_restarted),
    Rule("hint", children.health_never_asked),
    Rule("hint", children.mutable_argument),
    Rule("hint", children.unbounded_mailbox),
    Rule("hint", children.unbounded_children),
)


def check(tree: SupervisorSpec, *, grace: float = math.inf) -> tuple[Advice, ...]:
    """Give what is valid in a declared tree and will still not do what was meant.

    In the order of the tree, parents first; of one place the errors first. Nothing is
    started, no factory is called, and what is found is no exception: a tree with errors
    runs. It is empty for a tree that nothing is to be said of.

    Args:
        tree: What `supervisor` or `dynamic` gave.
        grace: Seconds that whoever runs the program gives it to stop, before it is killed:
            such as `terminationGracePeriodSeconds` or `TimeoutStopSec`.

    Raises:
        SpecError: *tree* is no tree, or *grace* is no number of seconds.
    """
    refuse((*check_root(tree), *check_seconds("check", "grace", grace)))
    survey = survey_of(tree, grace)
    return tuple(
        Advice(rule.code, rule.severity, node.path, said.reason, said.remedy)
        for node in survey.nodes
        for rule in RULES
        for said in rule.find(survey, node)
    )
