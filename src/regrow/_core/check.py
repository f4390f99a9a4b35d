"""The static checks: what is wrong with a declared tree, before anything starts (D2).

Each finding has a code, OTP's own where OTP has one (S1, S3, S48). `child()` records what
it finds on the spec; a supervisor collects that of its children and raises it all at once.
"""

import math
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import partial
from typing import Final, cast, get_args

from attrs import evolve

from regrow.errors import Finding, SpecError

from .options import check_options, choice, number, place_of, whole, worded
from .specs import AutoShutdown, ChildSpec, Late, Strategy, SupervisorSpec, walk

__all__ = [
    "MOST_LEVELS",
    "check_added",
    "check_depth",
    "check_root",
    "check_supervisor",
    "check_tree",
    "late_refs",
    "refuse",
    "unknown",
    "within",
]

MOST_LEVELS: Final = 200
"""Supervisors above each other. No tree that somebody keeps in mind has a tenth of it, and
what goes from level to level (a snapshot, its JSON, a `repr`, the texts of failures that
pass up) is written as calls of itself, which Python lets go a few hundred levels deep."""


def refuse(findings: Iterable[Finding]) -> None:
    """Raise `SpecError` with all *findings*, if there are any."""
    found = tuple(findings)
    if found:
        raise SpecError(found)


def _flags(spec: SupervisorSpec) -> Iterator[Finding]:
    """S1; OTP checks these in this order, and before the children."""
    place = place_of(spec)
    if spec.strategy == "simple_one_for_one":  # type: ignore[comparison-overlap]  # as given
        yield Finding(
            "bad_start_spec",
            place,
            "strategy is 'simple_one_for_one'",
            "Write dynamic(name): its children are given to start_child.",
        )
    else:
        yield from choice(
            place, "invalid_strategy", "strategy", spec.strategy, get_args(Strategy)
        )
    if not whole(spec.intensity, least=0):
        yield Finding(
            "invalid_intensity",
            place,
            f"intensity is {spec.intensity!r}",
            "Write a whole number of restarts, from 0, as intensity.",
        )
    if not number(spec.period) or not 0 < spec.period < math.inf:
        yield Finding(
            "invalid_period",
            place,
            f"period is {spec.period!r}",
            "Write a number of seconds above 0, and not math.inf, as period.",
        )
    yield from choice(
        place,
        "invalid_auto_shutdown",
        "auto_shutdown",
        spec.auto_shutdown,
        get_args(AutoShutdown),
    )
    if not whole(spec.max_children, least=0, endless=True):
        yield Finding(
            "invalid_max_children",
            place,
            f"max_children is {spec.max_children!r}",
            "Write a whole number from 0, or math.inf, as max_children.",
        )


def _below(place: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    for finding in findings:
        yield evolve(finding, place=f"{place}/{finding.place}")


def check_added(parent: SupervisorSpec, place: str, spec: object) -> Iterator[Finding]:
    """Find what is wrong with *spec* as a child of the supervisor at *place*."""
    if not isinstance(spec, ChildSpec):
        yield Finding(
            "invalid_child_spec",
            place,
            f"a child is {worded(spec)}",
            "Pass the children one by one, as in supervisor(name, *children)."
            if isinstance(spec, list | tuple)
            else "Write child(...), supervisor(...) or dynamic(...).",
        )
        return
    if spec.findings:
        yield from _below(place, spec.findings)
    if spec.significant is True and parent.auto_shutdown == "never":  # S48
        yield Finding(
            "bad_combination",
            f"{place}/{spec.name}",
            "significant=True below a supervisor with auto_shutdown='never'",
            "Give the supervisor auto_shutdown, or leave significant out.",
        )


def check_supervisor(spec: SupervisorSpec) -> Iterator[Finding]:
    """Find all that is wrong with a supervisor and the children given to it (S4)."""
    place = place_of(spec)
    yield from check_options(spec)
    yield from _flags(spec)
    names: set[str] = set()
    for child in spec.children:
        yield from check_added(spec, place, child)
        if not isinstance(child, ChildSpec):
            continue
        if str(child.name) in names:
            yield Finding(
                "duplicate_child_name",
                f"{place}/{child.name}",
                f"two children are called {child.name!r}",
                "Give one of them another name=.",
            )
        names.add(str(child.name))
    yield from _twice(spec)
    yield from check_depth(spec, place)


def check_depth(spec: ChildSpec, place: str, *, above: int = 0) -> Iterator[Finding]:
    """Find out whether supervisors are nested too deeply.

    Args:
        spec: What is declared, or is about to be started.
        place: Where it stands.
        above: How many supervisors are above it.
    """
    levels = above + _levels(spec)
    if levels > MOST_LEVELS:
        yield Finding(
            "too_deep",
            place,
            f"with it the tree is {levels} supervisors deep, and {MOST_LEVELS} are the most",
            "Take out supervisors that have only one child, or let a service open a tree of "
            "its own.",
        )


def _levels(spec: ChildSpec) -> int:
    """Give how many supervisors stand above each other, with *spec*."""
    deepest = 0
    ahead = [(spec, 1)]
    while ahead:
        here, levels = ahead.pop()
        if isinstance(here, SupervisorSpec):
            deepest = max(deepest, levels)
            ahead.extend(
                [
                    (child, levels + 1)
                    for child in here.children
                    if isinstance(child, SupervisorSpec)
                ]
            )
    return deepest


def check_root(spec: object) -> Iterator[Finding]:
    """Find out whether *spec* can be the root of a tree."""
    if not isinstance(spec, SupervisorSpec):
        yield Finding(
            "invalid_root",
            "root",
            f"the root is {worded(spec)}",
            "Pass what supervisor(...) or dynamic(...) gave.",
        )


def _twice(spec: SupervisorSpec) -> Iterator[Finding]:
    """Find the specs that stand in more than one place; not again what is below them."""
    seen: dict[int, str] = {}  # the path of what each stands below
    ahead: list[tuple[str, object]] = [("", spec)]
    while ahead:
        above, here = ahead.pop()
        if id(here) in seen:
            other = _path_of(seen[id(here)], here)
            yield Finding(
                "same_spec_twice",
                _path_of(above, here),
                f"the same spec stands at {other!r} too",
                "Make a spec of its own for each place.",
            )
            continue
        seen[id(here)] = above
        if isinstance(here, SupervisorSpec):
            path = _path_of(above, here)
            given: tuple[object, ...] = here.children
            ahead.extend((path, child) for child in reversed(given))


def _path_of(above: str, spec: object) -> str:
    name = spec.name if isinstance(spec, ChildSpec) else ""
    return f"{above}/{name}" if above else str(name)


def check_tree(
    spec: ChildSpec, *, known: Container[int] = (), above: str = ""
) -> Iterator[Finding]:
    """Find the late refs below *spec* that lead out of the tree.

    Args:
        spec: What is about to be started.
        known: Identities of further specs that refs may lead to: those of the running tree.
        above: Path of the supervisor that *spec* is added to.
    """
    everything = list(walk(spec, above))
    inside = {id(below) for _, below in everything}
    for path, below in everything:
        for late in below.late_refs():
            target = late.spec
            if target is None or id(target) in inside or id(target) in known:
                continue
            yield unknown(path, target)


def unknown(path: str, target: ChildSpec) -> Finding:
    """Give the finding that the child at *path* holds a ref to what is not in its tree."""
    return Finding(
        "unknown_ref",
        path,
        f"it is given the ref of {target.name!r}, which is not in this tree",
        f"Put {target.name!r} into the tree, or pass a live ref.",
    )


def late_refs(value: object, inside: frozenset[int] = frozenset()) -> Iterator[Late]:
    """Give the late refs in *value*: itself, or inside lists, tuples, dicts and partials.

    Args:
        value: Where to look.
        inside: Identities of the containers that *value* is in: one may hold itself.
    """
    if isinstance(value, Late):
        if value.spec is not None:
            yield value
    elif id(value) not in inside:
        items = within(value)
        if items:
            inside |= {id(value)}
            for item in items:
                yield from late_refs(item, inside)


def within(value: object) -> Sequence[object]:
    """Give what *value* holds where live refs take the place of late ones, in order."""
    if isinstance(value, dict):
        return [*cast("dict[object, object]", value).values()]
    if isinstance(value, list | tuple):
        return cast("Sequence[object]", value)
    if isinstance(value, partial):
        called = cast("partial[object]", value)
        return [called.func, *called.args, *called.keywords.values()]
    return ()
