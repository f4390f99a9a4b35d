"""Rules about refs: who holds whose, and in which order the two start and are restarted."""

from __future__ import annotations

from collections.abc import Iterator

from regrow._core.check import unknown

from .model import Node, Said, listed
from .survey import Survey
from .wires import branches

__all__ = [
    "order_against_wiring",
    "ref_not_bound",
    "ref_to_later",
    "ref_to_temporary",
    "spec_for_ref",
    "unknown_ref",
    "wired_in_a_circle",
]


def unknown_ref(survey: Survey, node: Node) -> Iterator[Said]:
    """A ref that leads out of the tree: `open_tree` will refuse it."""
    for target in survey.wires.unknown.get(node, ()):
        finding = unknown(node.path, target)
        yield Said(finding.message, finding.remedy)


def ref_not_bound(survey: Survey, node: Node) -> Iterator[Said]:
    """A late ref where no live one takes its place: it cannot be used."""
    lost = [str(spec.name) for spec in survey.wires.unbound.get(node, ())]
    if lost:
        yield Said(
            f"it is given the ref of {listed(lost)} inside a set, a deque or the keys of a "
            "dict, where no live one takes its place: whatever is sent to it is an "
            "UnboundRefError",
            "Pass it as an argument of child(), by itself or in a list, a tuple, the values "
            "of a dict or a partial.",
        )


def spec_for_ref(survey: Survey, node: Node) -> Iterator[Said]:
    """A declaration that stands in the tree, where its ref was meant."""
    unread = [target.path for target in survey.wires.unread.get(node, ())]
    if unread:
        yield Said(
            f"it is given the declaration of {listed(unread)} itself, which nothing can be "
            "sent to, and no live ref takes its place",
            "Pass its .ref.",
        )


def ref_to_later(survey: Survey, node: Node) -> Iterator[Said]:
    """A ref to what starts after its holder, and stops before it."""
    later = _later(survey, node, rest=False)
    if later:
        yield Said(
            f"it is given the ref of {listed(later)}, which starts after it and stops before "
            "it: what it asks there while it starts or cleans up has nobody to answer it",
            f"Declare it after {listed(later)}, or ask there only while both run.",
        )


def order_against_wiring(survey: Survey, node: Node) -> Iterator[Said]:
    """rest_for_one restarts what is declared later, but here the refs lead that way."""
    later = _later(survey, node, rest=True)
    if later:
        yield Said(
            f"it is given the ref of {listed(later)}, which is declared after it: "
            "rest_for_one does not restart it with what it uses, but restarts that with it",
            f"Declare it after {listed(later)}.",
        )


def _later(survey: Survey, node: Node, *, rest: bool) -> list[str]:
    """Give the places that *node* holds a ref of and that start later.

    Only those where another order would do: in a circle one must be the first.

    Args:
        survey: The tree.
        node: Who holds the refs.
        rest: Of those below a rest_for_one, or of the others.
    """
    later: list[str] = []
    for target in survey.wires.held.get(node, ()):
        pair = branches(node, target)
        if pair is None or pair[0].position > pair[1].position:
            continue
        one, other = pair
        above = one.above
        if above is None or other in survey.wires.circle.get(one, ()):
            continue
        if (above.strategy == "rest_for_one") is rest:
            later.append(target.path)
    return later


def wired_in_a_circle(survey: Survey, node: Node) -> Iterator[Said]:
    """Siblings that hold each other's refs, and of which one is restarted without another."""
    own = node.supervisor
    if own is None or own.strategy == "one_for_all":
        return
    told: set[int] = set()
    for child in node.children:
        circle = survey.wires.circle.get(child)
        if circle is None or id(circle) in told:
            continue
        told.add(id(circle))
        yield Said(
            f"{listed(each.spec.name for each in circle)} hold refs of each other, and under "
            f"{own.strategy} one is restarted while another stays, with what it knew of the "
            "one before",
            "Write strategy='one_for_all', or take out one of the refs.",
        )


def ref_to_temporary(survey: Survey, node: Node) -> Iterator[Said]:
    """A ref that is good until its child ends, and then for nothing.

    The ref of a service takes no messages; it is there to wait for just that end.
    """
    gone = [
        target.path
        for target in survey.wires.held.get(node, ())
        if target.spec.restart == "temporary" and target.traits.kind != "service"
    ]
    if gone:
        yield Said(
            f"it is given the ref of {listed(gone)}, which is temporary: once that has ended, "
            "every call of it is an ActorStoppedError",
            f"Write restart='permanent' or 'transient' for {listed(gone)}, or start it with "
            "start_child, which gives the ref, where it is needed.",
        )
