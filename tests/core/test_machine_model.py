"""The machine in an arbitrary world, against what must hold whatever happens.

Children take as long as they like to start and to stop, and end when they like; callers
come and go. The model knows only what it has told the machine and what the machine has
asked for, and is too simple to be wrong.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, ClassVar, assert_never

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from regrow._core import steps
from regrow._core.backoff import Backoff
from regrow._core.child import Child
from regrow._core.exits import Exit, ExitReason
from regrow._core.machine import SupervisorMachine
from regrow._core.specs import ChildSpec, DynamicSpec, SupervisorSpec
from regrow._core.work import Kind, Work
from tests.core.driver import Boom

NAMES = "abcde"
NEW_ROW: Any = object()

_children = st.builds(
    ChildSpec,
    name=st.just(""),
    restart=st.sampled_from(["permanent", "permanent", "transient", "temporary"]),
    start=st.sampled_from(["fail", "retry"]),
    backoff=st.sampled_from([None, None, Backoff(jitter=0.0), Backoff(max_attempts=3)]),
)
_exits = st.sampled_from(list(ExitReason))
_which = st.integers(0, 5)


class Watched(SupervisorMachine):
    """Tells where a piece of work begins."""

    def _begin(self, work: Work) -> None:
        self._steps.append(NEW_ROW)
        super()._begin(work)

    def _shut_down(self, ending: steps.Ending, *, final: bool) -> None:
        self._steps.append(NEW_ROW)
        super()._shut_down(ending, final=final)


def _named(child: ChildSpec, name: str) -> ChildSpec:
    return ChildSpec(
        name=name, restart=child.restart, start=child.start, backoff=child.backoff
    )


class World(RuleBasedStateMachine):
    """One life of a machine."""

    tested: ClassVar[type[SupervisorMachine]] = Watched
    failed = True  # until something has gone well

    @initialize(
        children=st.lists(_children, min_size=0, max_size=4),
        strategy=st.sampled_from(["one_for_one", "rest_for_one", "one_for_all"]),
        intensity=st.integers(0, 6),
        dynamic=st.sampled_from([False, False, False, True]),
        root=st.booleans(),
    )
    def begin(
        self,
        children: Sequence[ChildSpec],
        strategy: Any,
        intensity: int,
        dynamic: bool,
        root: bool,
    ) -> None:
        declared = tuple(map(_named, children, NAMES))
        self.spec = (
            DynamicSpec(name="top", intensity=intensity, period=1e9)
            if dynamic
            else SupervisorSpec(
                name="top",
                children=declared,
                strategy=strategy,
                intensity=intensity,
                period=1e9,
            )
        )
        self.machine = self.tested(self.spec, "top", draw=float, root=root)
        self.now = 0.0
        self.order = [] if dynamic else [child.name for child in declared]
        self.rank = {name: place for place, name in enumerate(self.order)}
        self.specs = {child.name: child for child in self.spec.children}
        self.open = dict.fromkeys(self.order, True)
        self.starting: dict[str, int] = {}
        self.running: dict[str, int] = {}
        self.stopping: dict[str, int] = {}
        self.cancelled: set[str] = set()
        self.timers: dict[str, int] = {}
        self.runs: list[tuple[str, int]] = []
        self.asked: dict[int, steps.Request] = {}
        self.tickets = 0
        self.excused: set[str] = set()
        self.row: list[tuple[str, int]] = []
        self.decided = 0
        self.no_more = False
        self.drained = False
        self.ending: steps.Ending | None = None
        self.finished: steps.Finished | None = None
        self.send(steps.Begin())

    # ------------------------------------------------------------- what the machine asks

    def send(self, event: steps.Event) -> None:
        self.failed = True
        for step in self.machine.handle(event, self.now):
            assert self.finished is None or isinstance(step, steps.Reply)
            if step is NEW_ROW:
                self.row = []
            else:
                self.check(step)
        self.look()
        self.failed = False

    def check(self, step: steps.Step) -> None:
        match step:
            case steps.StartChild(name=name, run=run):
                self.check_start(name, run)
            case steps.StopChild(name=name, run=run, final=final):
                self.check_stop(name, run, final=final)
            case steps.CancelStart(name=name, run=run):
                assert self.starting.get(name) == run
                assert name not in self.cancelled
                self.cancelled.add(name)
            case steps.StartTimer(name=name, token=token, delay=delay):
                assert name not in self.timers
                assert delay > 0
                self.timers[name] = token
            case steps.CancelTimer(name=name, token=token):
                if self.timers.get(name) == token:
                    del self.timers[name]
            case steps.ClosePlace(name=name):
                assert self.open[name]
                self.open[name] = False
                if self.ending is None and not self.drained:
                    self.check_close(name)
            case steps.RemovePlace(name=name):
                self.check_remove(name)
            case steps.Reply(ticket=ticket):
                assert ticket in self.asked, "answered twice, or nobody waits for it"
                del self.asked[ticket]
            case steps.RestartDecided(name=name, delay=delay):
                assert not self.no_more
                if self.specs[name].backoff is None:
                    assert delay == 0
                    self.decided += 1
                    assert self.decided <= self.spec.intensity
            case steps.Ending():
                assert self.ending is None
                self.ending = step
            case steps.Finished(waiting=waiting):
                self.finished = step
                assert not self.starting
                assert not self.running
                assert not self.stopping
                assert not self.timers
                assert [ask.ticket for ask in waiting] == list(self.asked)
                self.asked = {}
            case steps.Up():
                assert self.machine.up
            case _:
                assert_never(step)

    def check_start(self, name: str, run: int) -> None:
        assert not self.no_more
        assert not self.starting, "one at a time"
        assert not self.stopping
        assert name not in self.running
        assert (name, run) not in self.runs
        if name not in self.order:
            self.order.append(name)
            self.rank[name] = len(self.runs) + len(NAMES)
        self.specs[name] = self.machine.spec_of(name)
        place = self.rank[name]
        if self.row and self.row[-1][0] == "start":
            assert self.row[-1][1] < place, "in order"
        self.row.append(("start", place))
        self.starting[name] = run
        self.runs.append((name, run))
        self.open[name] = True

    def check_stop(self, name: str, run: int, *, final: bool) -> None:
        assert not self.starting
        assert self.spec.forgets or not self.stopping, "one at a time"
        assert self.running.pop(name, run) == run
        place = self.rank[name]
        if self.row and self.row[-1][0] == "stop":
            assert self.row[-1][1] > place, "in reverse order"
        if self.runs[-1] != (name, run):  # else it was quicker than its cancelling
            self.row.append(("stop", place))
        self.stopping[name] = run
        if final:
            self.open[name] = False

    def check_close(self, name: str) -> None:
        """Whether there is a reason for a child to stay down."""
        child = self.specs[name]
        assert name not in self.running
        assert not self.spec.forgets
        assert child.restart != "temporary"
        if self.spec.strategy == "one_for_one" and child.restart == "permanent":
            assert name in self.excused

    def check_remove(self, name: str) -> None:
        """Whether there is a reason to forget a child."""
        child = self.specs[name]
        assert name not in self.running
        declared = child in self.spec.children
        if declared and child.restart != "temporary":
            assert name in self.excused
        self.order.remove(name)
        del self.open[name]

    # ----------------------------------------------------------------- what must hold then

    @property
    def quiet(self) -> bool:
        """Whether nobody has anything left to do but to wait."""
        return not self.starting and not self.stopping

    def look(self) -> None:
        children = self.machine.which_children()
        statuses = {child.name: child.status for child in children}
        counts = self.machine.count_children()
        assert list(statuses) == self.order
        assert counts.specs == counts.workers == len(children)
        assert counts.supervisors == 0
        if self.finished is not None or not self.quiet:
            return
        assert self.ending is None, "it has nothing to wait for"
        assert not self.asked, "every request has been answered"
        assert counts.active == len(self.running)
        for name, status in statuses.items():
            assert (status == "running") is (name in self.running)
            assert (status == "restarting") is (name in self.timers)
        down = {name for name, status in statuses.items() if status == "stopped"}
        assert {name for name in down if self.open[name]} <= self.kept_down()
        if self.drained:
            assert not any(self.open[name] for name in down)
            assert not self.timers

    def kept_down(self) -> set[str]:
        """What may be down with an open place: a delayed round will start it."""
        match self.spec.strategy:
            case "one_for_one":
                return set()
            case "one_for_all":
                return set(self.order) if self.timers else set()
            case "rest_for_one":
                firsts = [self.order.index(name) for name in self.timers]
                return set(self.order[min(firsts) :]) if firsts else set()

    # ---------------------------------------------------------------- what happens to it

    @staticmethod
    def pick(among: dict[str, int], which: int) -> str:
        return sorted(among)[which % len(among)]

    def end_start(self, which: int) -> tuple[str, int]:
        name = self.pick(self.starting, which)
        self.cancelled.discard(name)
        return name, self.starting.pop(name)

    @precondition(lambda self: self.starting)
    @rule(which=_which)
    def a_start_succeeds(self, which: int) -> None:
        name, run = self.end_start(which)
        self.running[name] = run
        self.send(steps.Started(name, run))

    @precondition(lambda self: self.starting)
    @rule(which=_which)
    def a_start_fails(self, which: int) -> None:
        name, run = self.end_start(which)
        self.send(steps.StartFailed(name, run, Boom()))

    @precondition(lambda self: self.starting)
    @rule(which=_which)
    def a_start_is_ignored(self, which: int) -> None:
        name, run = self.end_start(which)
        self.excused.add(name)
        self.send(steps.Ignored(name, run))

    @precondition(lambda self: self.stopping)
    @rule(which=_which, reason=_exits)
    def a_stop_is_over(self, which: int, reason: ExitReason) -> None:
        name = self.pick(self.stopping, which)
        self.send(steps.Exited(name, self.stopping.pop(name), Exit(reason)))

    @precondition(lambda self: self.running)
    @rule(which=_which, reason=_exits, fatal=st.sampled_from([False] * 9 + [True]))
    def a_child_ends(self, which: int, reason: ExitReason, fatal: bool) -> None:
        name = self.pick(self.running, which)
        if fatal:
            self.excused.add(name)
        self.send(steps.Exited(name, self.running.pop(name), Exit(reason, fatal=fatal)))

    @precondition(lambda self: self.running)
    @rule(which=_which)
    def a_child_crashes(self, which: int) -> None:
        self.a_child_ends(which, ExitReason.CRASHED, fatal=False)

    @precondition(lambda self: self.timers)
    @rule(which=_which)
    def a_delay_is_over(self, which: int) -> None:
        name = self.pick(self.timers, which)
        self.send(steps.TimerDue(name, self.timers.pop(name)))

    @rule(seconds=st.floats(0.0, 100.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.runs)
    @rule(which=st.integers(0, 100))
    def an_old_event_comes_late(self, which: int) -> None:
        name, run = self.runs[which % len(self.runs)]
        alive = self.starting, self.running, self.stopping
        if (name, run) in [item for each in alive for item in each.items()]:
            return
        known = self.machine._children.get(name)
        if known is not None and known.run == run and known.exit is not None:
            return  # its end has come, and stands in line
        before = self.machine.which_children()
        for event in (
            steps.Started(name, run),
            steps.StartFailed(name, run, Boom()),
            steps.Ignored(name, run),
            steps.Exited(name, run, Exit(ExitReason.CRASHED)),
            steps.TimerDue(name, run),
        ):
            assert self.machine.handle(event, self.now) == []
        assert self.machine.which_children() == before

    @rule(
        name=st.sampled_from(NAMES),
        child=_children,
        kind=st.sampled_from(
            [
                steps.StartNewChild,
                steps.TerminateChild,
                steps.RestartChild,
                steps.DeleteChild,
                steps.GetChildSpec,
                steps.CountChildren,
            ]
        ),
    )
    def somebody_asks(self, name: str, child: ChildSpec, kind: Any) -> None:
        request: Any
        if kind is steps.StartNewChild:
            request = kind(_named(child, name))
        else:
            request = kind() if kind is steps.CountChildren else kind(name)
            self.excused.add(name)
        self.tickets += 1
        self.asked[self.tickets] = request
        self.send(steps.Ask(self.tickets, request))

    @precondition(lambda self: self.asked)
    @rule(which=_which)
    def a_caller_gives_up(self, which: int) -> None:
        ticket = sorted(self.asked)[which % len(self.asked)]
        self.excused.update(
            NAMES if isinstance(self.asked.pop(ticket), steps.RestartChild) else ()
        )
        self.send(steps.AbandonCall(ticket))

    @precondition(lambda self: self.ending is not None or self.machine.up)
    @rule(really=st.integers(0, 9))
    def the_tree_drains(self, really: int) -> None:
        if really == 0:
            self.drained = self.no_more = True
            self.send(steps.Drain())

    @rule(really=st.integers(0, 4), final=st.booleans())
    def it_is_stopped(self, really: int, final: bool) -> None:
        if really == 0:
            self.no_more = True
            self.send(steps.StopRequested(final))

    def teardown(self) -> None:
        """Whatever has happened, it can be stopped and then does nothing more."""
        if self.failed:
            return
        self.no_more = True
        self.send(steps.StopRequested(final=True))
        while self.finished is None:
            if self.starting:
                self.a_start_fails(0)
            else:
                self.a_stop_is_over(0, ExitReason.SHUTDOWN)
        assert self.machine.handle(steps.Begin(), self.now) == []
        ask = steps.Ask(0, steps.CountChildren())
        (reply,) = self.machine.handle(ask, self.now)
        assert isinstance(reply, steps.Reply)


TestMachineInAnArbitraryWorld = World.TestCase


# ---------------------------------------------------------- machines that must be caught


class TakesOldEvents(Watched):
    def _current(self, name: str, run: int) -> Child | None:
        return self._children.get(name)


class StopsInStartOrder(Watched):
    def _running(self, among: Any) -> list[Child]:
        return super()._running(among)[::-1]


class StopsAllAtOnce(Watched):
    def _stop_next(self, work: Work) -> None:
        while work.stops:
            super()._stop_next(work)


class FiresCancelledRetries(Watched):
    def _unschedule(self, child: Child) -> None:
        token, delayed = child.token, child.delayed
        super()._unschedule(child)
        child.token, child.delayed = token, delayed


class AnswersTwice(Watched):
    def _reply(self, ticket: int | None, answer: steps.Answer) -> None:
        super()._reply(ticket, answer)
        if isinstance(answer, steps.ChildUp):
            super()._reply(ticket, answer)


class LosesWhatWaits(Watched):
    def _take_waiting(self) -> tuple[steps.Ask, ...]:
        super()._take_waiting()
        return ()


class IgnoresDrain(Watched):
    def _on_drain(self) -> None:
        pass


class OneRestartTooMany(Watched):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._window.intensity += 1


class StartsNextToAnother(Watched):
    def _take_up(self) -> None:
        work = self._work
        self._work = None
        super()._take_up()
        if self._work is None:
            self._work = work


class CountsTheDead(Watched):
    def _settle(self, child: Child) -> None:
        end = child.exit
        super()._settle(child)
        if self._in_hand().kind is Kind.ROUND:
            child.exit = end


class LeavesPlacesOpen(Watched):
    def _drop(self, child: Child) -> None:
        if child.spec.restart == "temporary" or self.spec.forgets:
            self._forget(child)


def _draw_child(random: Random) -> ChildSpec:
    return ChildSpec(
        name="",
        restart=random.choice(("permanent", "permanent", "transient", "temporary")),
        start=random.choice(("fail", "retry")),
        backoff=random.choice((None, None, Backoff(jitter=0.0))),
    )


def walk(world: World, random: Random, length: int = 60) -> None:
    """Let things happen at random; Hypothesis does it better, but takes its time."""

    def which() -> int:
        return random.randrange(6)

    world.begin(
        children=[_draw_child(random) for _ in range(random.randrange(1, 5))],
        strategy=random.choice(("one_for_one", "rest_for_one", "one_for_all")),
        intensity=random.randrange(7),
        dynamic=random.random() < 0.2,
        root=random.random() < 0.5,
    )
    kinds = [steps.StartNewChild, steps.TerminateChild, steps.RestartChild]
    for _ in range(length):
        moves: list[Callable[[], None]] = [
            lambda: world.somebody_asks(
                random.choice(NAMES), _draw_child(random), random.choice(kinds)
            ),
            lambda: world.it_is_stopped(random.randrange(9), random.random() < 0.5),
        ]
        if world.starting:
            moves += [lambda: world.a_start_succeeds(which())] * 3
            moves += [lambda: world.a_start_fails(which())]
            moves += [lambda: world.a_start_is_ignored(which())]
        if world.stopping:
            moves += [lambda: world.a_stop_is_over(which(), ExitReason.SHUTDOWN)] * 2
        if world.running:
            moves += [lambda: world.a_child_crashes(which())]
            moves += [lambda: world.a_child_ends(which(), ExitReason.NORMAL, False)]
        if world.timers:
            moves += [lambda: world.a_delay_is_over(which())]
        if world.runs:
            moves += [lambda: world.an_old_event_comes_late(random.randrange(100))]
        if world.asked:
            moves += [lambda: world.a_caller_gives_up(which())]
        if world.ending is not None or world.machine.up:
            moves += [lambda: world.the_tree_drains(random.randrange(9))]
        random.choice(moves)()
    world.teardown()


def test_machine_on_random_walks() -> None:
    for seed in range(500):
        walk(World(), Random(seed))


@pytest.mark.parametrize(
    "broken",
    [
        TakesOldEvents,
        StopsInStartOrder,
        StopsAllAtOnce,
        FiresCancelledRetries,
        AnswersTwice,
        LosesWhatWaits,
        IgnoresDrain,
        OneRestartTooMany,
        StartsNextToAnother,
        CountsTheDead,
        LeavesPlacesOpen,
    ],
)
def test_a_broken_machine_is_caught(broken: type[SupervisorMachine]) -> None:
    class Broken(World):
        tested = broken

    with pytest.raises((AssertionError, LookupError)):
        for seed in range(5000):
            walk(Broken(), Random(seed))
