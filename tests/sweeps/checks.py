"""What must hold of any list of a tree's events.

Each check reads the list alone, so that it can be tried on lists that are wrong.
"""

from collections.abc import Iterator, Sequence

from attrs import define, field, frozen

import regrow

__all__ = ["Rules", "check_events", "rules_of"]


@frozen
class Rules:
    """What the order of a tree's events is judged by.

    Attributes:
        positions: Place of each declared child among its siblings, by path.
        parallel: Paths of supervisors whose children have no order.
        declared: Exceptions that are answers (`@raises`).
        ordered: Whether children stop in order at all.
    """

    positions: dict[str, int]
    parallel: frozenset[str]
    declared: tuple[type[BaseException], ...] = ()
    ordered: bool = True


def rules_of(
    *trees: regrow.Supervisor, declared: tuple[type[BaseException], ...] = ()
) -> Rules:
    """Give the rules of some declared trees, whose roots have different names."""
    positions: dict[str, int] = {}
    parallel: set[str] = set()

    def visit(spec: object, path: str) -> None:
        if isinstance(spec, regrow.Dynamic):
            parallel.add(path)
        if isinstance(spec, regrow.Supervisor):
            for number, child in enumerate(spec.children):
                below = f"{path}/{child.name}"
                positions[below] = number
                visit(child, below)

    for tree in trees:
        visit(tree, tree.name)
    return Rules(positions, frozenset(parallel), declared)


@define
class _Lives:
    """Follows the events and says what does not fit."""

    rules: Rules
    running: dict[str, int] = field(factory=dict)
    ended: dict[str, int] = field(factory=dict)
    forgotten: set[str] = field(factory=set)
    """Children added at run time; another of that name counts from 1 again."""
    rising: dict[str, int] = field(factory=dict)
    """Of each supervisor on its way up: the position that it has reached."""

    def see(self, event: regrow.Event) -> Iterator[str]:
        match event:
            case regrow.ChildStarted():
                yield from self._started(event)
            case regrow.ChildExited():
                yield from self._exited(event)
            case regrow.ChildStartFailed():
                self.rising.pop(event.path, None)
            case regrow.PlaceClosed(path=path) if path not in self.rules.positions:
                self.forgotten.add(path)
            case _:
                return
        if not _parent(event.path) and not isinstance(event, regrow.ChildStarted):
            # Another tree of the same name may follow, and counts from 1 again.
            self.ended.clear()

    def _started(self, event: regrow.ChildStarted) -> Iterator[str]:
        path, incarnation = event.path, event.incarnation
        if path in self.running:
            yield f"{path} #{incarnation} started while #{self.running[path]} runs"
        if path in self.forgotten:
            self.forgotten.discard(path)
            self.ended.pop(path, None)
        if incarnation <= self.ended.get(path, 0):
            yield f"{path} #{incarnation} started after #{self.ended[path]} had ended"
        self.running[path] = incarnation
        parent = _parent(path)
        if parent and parent not in self.running and path in self.rules.positions:
            position = self.rules.positions[path]
            if position <= self.rising.get(parent, -1):
                yield f"{path} #{incarnation} started after a later sibling"
            self.rising[parent] = position
        self.rising.pop(path, None)

    def _exited(self, event: regrow.ChildExited) -> Iterator[str]:
        path, incarnation = event.path, event.incarnation
        if self.running.get(path) != incarnation:
            yield f"{path} #{incarnation} ended, but what ran is {self.running.get(path)}"
        self.running.pop(path, None)
        self.ended[path] = incarnation
        below = [other for other in self.running if other.startswith(f"{path}/")]
        if below:
            yield f"{path} #{incarnation} ended before {', '.join(below)} below it"
        parent = _parent(path)
        if self.rules.ordered and event.told and parent not in self.rules.parallel:
            later = [other for other in self.running if self._is_later(other, path)]
            if later:
                yield f"{path} #{incarnation} was stopped before {', '.join(later)}"

    def _is_later(self, other: str, path: str) -> bool:
        mine, theirs = self.rules.positions.get(path), self.rules.positions.get(other)
        siblings = _parent(other) == _parent(path)
        return siblings and mine is not None and theirs is not None and theirs > mine


def check_events(events: Sequence[regrow.Event], rules: Rules) -> list[str]:
    """Give a sentence for everything in *events* that cannot be.

    Every incarnation that starts ends exactly once and before the next one; a supervisor
    ends after all below it; declared children start in their order, and one that is told
    to stop is the last of its siblings that still run; time does not go back.
    """
    found: list[str] = []
    lives = _Lives(rules)
    now = 0.0
    for event in events:
        if event.at < now:
            found.append(f"{event!r} is told after something that came later")
        now = event.at
        found.extend(lives.see(event))
    found.extend(f"{path} #{n} never ended" for path, n in lives.running.items())
    return found


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
