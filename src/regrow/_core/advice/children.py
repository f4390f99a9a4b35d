"""Rules about single children: arguments, mailboxes, significance."""

from __future__ import annotations

import math
from collections.abc import Iterator

from .model import Node, Said, listed
from .survey import Survey

__all__ = [
    "health_never_asked",
    "hidden_name",
    "kept_argument",
    "mutable_argument",
    "never_ends",
    "no_significant_child",
    "shared_argument",
    "unbounded_children",
    "unbounded_mailbox",
]


def shared_argument(survey: Survey, node: Node) -> Iterator[Said]:
    """One mutable object in the hands of several children; said of the first."""
    for value in survey.shared.given.get(node, ()):
        holders = survey.shared.holders[id(value)]
        if len(holders) > 1 and holders[0] is node:
            others = listed(other.path for other in holders[1:])
            yield Said(
                f"the same {type(value).__name__} is given to {others} as well: each sees "
                "what the others do to it at any await, and what a crashed one left in it",
                "Give it to one actor and the others the ref of that, or pass a tuple, a "
                "frozenset or a MappingProxyType.",
            )


def kept_argument(survey: Survey, node: Node) -> Iterator[Said]:
    """An empty container as an argument: it is there to be filled, and outlives a crash."""
    kinds = _own(survey, node, empty=True)
    if kinds:
        yield Said(
            f"it is given an empty {kinds}, the same for every incarnation: what a crashed "
            "one left there is found by the next",
            "Make it where the child is made: by a Factory of attrs, in __init__, or in the "
            "service.",
        )


def mutable_argument(survey: Survey, node: Node) -> Iterator[Said]:
    """A container that every incarnation gets; it may well be only read."""
    kinds = _own(survey, node, empty=False)
    if kinds:
        yield Said(
            f"it is given a {kinds}, the same for every incarnation: if one changes it, the "
            "next does not begin as declared",
            "Pass a tuple, a frozenset or a MappingProxyType, or copy it in the child.",
        )


def _own(survey: Survey, node: Node, *, empty: bool) -> str:
    """Give the types of the mutable arguments that *node* alone is given."""
    if node.spec.restart == "temporary":
        return ""  # it has one incarnation in each life of its supervisor
    values = survey.shared.given.get(node, ())
    kinds = dict.fromkeys(
        type(value).__name__
        for value in values
        if len(survey.shared.holders[id(value)]) == 1 and (not value) is empty
    )
    return " and a ".join(kinds)


def never_ends(survey: Survey, node: Node) -> Iterator[Said]:
    """A significant child that can end neither by itself nor by a failure.

    A supervisor ends in order only by its own auto_shutdown; giving up is a failure (D1),
    for which a transient one is restarted. Of a worker nothing can be known.
    """
    del survey
    own, above = node.supervisor, node.above
    if own is None or above is None or not own.significant:
        return
    if own.restart == "transient" and own.auto_shutdown == "never":
        yield Said(
            "it is significant and can never end: a supervisor without auto_shutdown ends "
            "only by giving up, and a transient one is restarted for that; so "
            f"{above.auto_shutdown} above it never comes about by it",
            "Give it auto_shutdown with a significant child of its own, or write "
            "restart='temporary', or leave significant out.",
        )


def no_significant_child(survey: Survey, node: Node) -> Iterator[Said]:
    """auto_shutdown, and no child whose end could bring it about.

    One without any declared children is left alone: it gets them at run time.
    """
    del survey
    own = node.supervisor
    if own is None or own.auto_shutdown == "never" or not own.children:
        return
    if not any(child.significant for child in own.children):
        yield Said(
            f"auto_shutdown is {own.auto_shutdown!r}, and none of its children is "
            "significant: their ends do not end it",
            "Write significant=True for the children whose end should end it.",
        )


def health_never_asked(survey: Survey, node: Node) -> Iterator[Said]:
    """A class with `check_health`, and no heartbeat that would ask it."""
    del survey
    if node.traits.health and node.traits.heartbeat is None:
        yield Said(
            "its class has check_health, and without a heartbeat nothing asks it: it may "
            "hang, or know that it is not well, and is not restarted for that",
            "Write heartbeat=Heartbeat(every=..., timeout=...), or leave check_health out.",
        )


def hidden_name(survey: Survey, node: Node) -> Iterator[Said]:
    """A class that calls something of its own as `Actor` calls what every actor has."""
    del survey
    hidden = node.traits.hidden
    if hidden:
        yield Said(
            f"its class has {listed(hidden)} of its own, which hides what every actor has "
            "by that name, and cannot be sent as a message",
            "Take another name.",
        )


def unbounded_mailbox(survey: Survey, node: Node) -> Iterator[Said]:
    """A queue without a bound."""
    del survey
    mailbox = node.traits.mailbox
    if mailbox is not None and mailbox.capacity == math.inf:
        yield Said(
            "its mailbox has no bound: if it is slower than those that send, memory is what "
            "runs out, and no sender is ever held back",
            "Write a capacity, and choose with on_full what happens to one message more.",
        )


def unbounded_children(survey: Survey, node: Node) -> Iterator[Said]:
    """A dynamic supervisor without a bound on its children."""
    del survey
    own = node.supervisor
    if own is not None and own.forgets and own.max_children == math.inf:
        yield Said(
            "it takes any number of children: nothing holds back whoever starts them",
            "Write as many as there may be at once as max_children.",
        )
