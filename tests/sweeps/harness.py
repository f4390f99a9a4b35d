"""Running one scenario under watch, with something done to it at one moment.

A *moment* is a step of the scheduler (any task of the run is about to go on) or a point
in the program's own text (see `points`). Every run has virtual time and a seeded
scheduler, so that a moment's number means the same thing again; where trio's random
source is not where it is expected, the runs are by chance and all else holds.

What can be wrong with a run is a sentence; no sentence, no fault.
"""

import contextlib
import math
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, Literal, TypeAlias

import trio
from attrs import Factory, define, field, frozen
from trio.testing import MockClock

import regrow

from .checks import Rules, check_events
from .points import PROBE, Probe

__all__ = [
    "CANCEL",
    "CANCEL_POINT",
    "CRASH",
    "CRASH_AGAIN",
    "EXIT",
    "GROUP",
    "SHUT_DOWN",
    "SIGINT_POINT",
    "SIGINT_STEP",
    "TOO_SLOW",
    "Action",
    "Crash",
    "Outcome",
    "Scenario",
    "Swept",
    "faults",
    "run_once",
    "sweep",
]

HORIZON = 100.0
"""Virtual seconds after which a scenario is cancelled from outside: it hangs."""

MOST_STEPS = 100_000
"""Steps after which a scenario is given up: it spins."""

MOST_IDLE = 50
"""Looks at the clock in a row without a step: nothing can ever happen again."""

Main: TypeAlias = Callable[
    [Iterable[Callable[[regrow.Event], object]]], Awaitable[object]
]


class Crash(Exception):
    """What a child is made to die of."""


class Hang(BaseException):
    """The run had to be abandoned."""


@frozen
class Scenario:
    """A program with a tree in it.

    Attributes:
        name: For people.
        main: The program, given observers.
        module: Its text, with points put in; `None` if it has witnesses of its own.
        rules: What the order of events is judged by.
        body_errors: What its body may well raise when the tree does not work.
        nursery: Whether it puts what comes out of the tree into a group of its own.
        patient: Whether its body waits for ever for a child that never comes up.
        unasked: Methods that are called otherwise than by a message from outside.
    """

    name: str
    main: Main
    module: ModuleType | None
    rules: Rules
    body_errors: tuple[type[Exception], ...] = ()
    nursery: bool = False
    patient: bool = False
    unasked: frozenset[str] = frozenset()


@define
class Sent:
    """A message that somebody sent, and what became of it there.

    Attributes:
        end: `answer`, `raised` (by `@raises`), `cancelled`, `sent` (a cast), the name of
            a call error; `None` while the sender waits.
    """

    path: str
    name: str
    kind: Literal["call", "cast", "cast_nowait"]
    end: str | None = None
    error: BaseException | None = None


class Watch(trio.abc.Instrument):
    """Counts the steps of a run, knows its tasks, acts at one step."""

    def __init__(self, clock: MockClock) -> None:
        self.steps = 0
        self.at: int | None = None
        self.act: Callable[[], object] | None = None
        self.armed = False
        self.live: dict[trio.lowlevel.Task, None] = {}
        self.trouble: BaseException | None = None
        self._clock = clock
        self._idle = 0

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        self.live[task] = None

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        self.live.pop(task, None)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._idle = 0
        if not self.armed:
            return
        self.steps += 1
        if self.steps == self.at and self.act is not None:
            try:
                self.act()
            except BaseException as error:  # noqa: BLE001 - trio would only log it
                self.trouble = error
        if self.steps == MOST_STEPS:
            self._abandon(f"it spins: {MOST_STEPS} steps and no end")

    def after_io_wait(self, timeout: float) -> None:
        self._idle += 1
        if self._idle == MOST_IDLE:
            tasks = ", ".join(sorted(task.name for task in self.live))
            self._abandon(f"it hangs: nothing will ever wake one of {tasks}")

    def _abandon(self, why: str) -> None:
        # The one way to end a run from here: trio asks the clock after every step, and
        # what the clock raises comes out of `trio.run`.
        def give_up(*_: object) -> float:
            raise Hang(why)

        self._clock.current_time = give_up  # type: ignore[method-assign]


@define
class Outcome:
    """What happened in one run.

    Attributes:
        error: What came out of the scenario; `None` if nothing, or if it was absorbed by
            the cancelled scope around it.
        result: What its main function gave.
        steps: Steps of the scheduler while it ran.
        points: Points passed.
        acted: Whether the moment came.
        late: Whether it had to be cancelled at the horizon.
        left: Names of the tasks that were there when it was left.
        events: Everything that the observer was told.
        sent: Every message that was sent.
        probe: Has what the points noted.
        aborted: Why the run was abandoned.
    """

    error: BaseException | None = None
    result: object = None
    steps: int = 0
    points: int = 0
    acted: bool = False
    late: bool = False
    left: list[str] = Factory(list)
    events: list[regrow.Event] = Factory(list)
    sent: list[Sent] = Factory(list)
    probe: Probe = Factory(Probe)
    aborted: str = ""


@frozen
class Action:
    """What is done at a moment.

    Attributes:
        name: For people.
        where: Whether moments are steps or points.
        do: Given the scope around the scenario.
        sticky: Whether it is done as well whenever the same point is passed again.
        everywhere: Whether points outside the tree count as well.
        crashes: Whether the tree, and what the body asks of it, may fail of it.
        must: The exception that has to come out.
    """

    name: str
    where: Literal["step", "point"]
    do: Callable[[trio.CancelScope], object]
    sticky: bool = False
    everywhere: bool = False
    crashes: bool = False
    must: type[BaseException] | None = None


def _crash(scope: trio.CancelScope) -> None:
    raise Crash("at this point")


def _exit(scope: trio.CancelScope) -> None:
    raise SystemExit(7)


def _shut_down(scope: trio.CancelScope) -> None:
    raise regrow.Shutdown


def _too_slow(scope: trio.CancelScope) -> None:
    raise trio.TooSlowError


def _group(scope: trio.CancelScope) -> None:
    raise ExceptionGroup("both", [Crash("one"), regrow.Shutdown()])


def _sigint(scope: trio.CancelScope) -> None:
    signal.raise_signal(signal.SIGINT)


def _cancel(scope: trio.CancelScope) -> None:
    scope.cancel()


CANCEL = Action("cancelled", "step", _cancel)
CRASH = Action("crashed", "point", _crash, crashes=True)
CRASH_AGAIN = Action("crashed again", "point", _crash, crashes=True, sticky=True)
SHUT_DOWN = Action("shut down", "point", _shut_down, crashes=True)
TOO_SLOW = Action("too slow", "point", _too_slow, crashes=True)
GROUP = Action("mixed group", "point", _group, crashes=True)
EXIT = Action("exit", "point", _exit, must=SystemExit)
SIGINT_STEP = Action("SIGINT", "step", _sigint, must=KeyboardInterrupt)
SIGINT_POINT = Action(
    "SIGINT in its text", "point", _sigint, everywhere=True, must=KeyboardInterrupt
)
CANCEL_POINT = Action("cancelled in its text", "point", _cancel, everywhere=True)


def seed_scheduler(seed: int) -> None:
    """Let trio's choices among runnable tasks depend on *seed* alone."""
    run: Any = trio._core._run
    with contextlib.suppress(AttributeError):
        run._ALLOW_DETERMINISTIC_SCHEDULING = True
        run._r.seed(seed)


@contextlib.contextmanager
def overheard(sent: list[Sent]) -> Iterator[None]:
    """Note every message that is sent through a ref meanwhile."""
    ref: Any = regrow.Ref
    call, cast, cast_nowait = ref.call, ref.cast, ref.cast_nowait

    @contextlib.contextmanager
    def note(message: Sent, done: str) -> Iterator[None]:
        sent.append(message)
        try:
            yield
        except regrow.CallError as error:
            message.end = type(error).__name__
            message.error = error
            raise
        except Exception as error:
            message.end = "raised"
            message.error = error
            raise
        except BaseException as error:
            message.end = "cancelled"
            message.error = error
            raise
        message.end = done

    async def noted_call(self: Any, method: Any, /, *args: Any, **kwargs: Any) -> Any:
        with note(Sent(self.path, method.__name__, "call"), "answer"):
            return await call(self, method, *args, **kwargs)

    async def noted_cast(self: Any, method: Any, /, *args: Any, **kwargs: Any) -> None:
        with note(Sent(self.path, method.__name__, "cast"), "sent"):
            await cast(self, method, *args, **kwargs)

    def noted_nowait(self: Any, method: Any, /, *args: Any, **kwargs: Any) -> None:
        with note(Sent(self.path, method.__name__, "cast_nowait"), "sent"):
            cast_nowait(self, method, *args, **kwargs)

    ref.call, ref.cast, ref.cast_nowait = noted_call, noted_cast, noted_nowait
    try:
        yield
    finally:
        ref.call, ref.cast, ref.cast_nowait = call, cast, cast_nowait


def run_once(
    scenario: Scenario,
    action: Action | None = None,
    at: int | None = None,
    seed: int = 0,
) -> Outcome:
    """Run *scenario* under watch and do *action* at moment *at*, counted from 1."""
    clock = MockClock(autojump_threshold=0)
    watch = Watch(clock)
    scope = trio.CancelScope(deadline=HORIZON)
    out = Outcome()

    def act() -> None:
        out.acted = True
        assert action is not None
        action.do(scope)

    if action is not None and action.where == "step":
        watch.at, watch.act = at, act
    elif action is not None:
        sticky, everywhere = action.sticky, action.everywhere
        out.probe = Probe(at, act, sticky=sticky, everywhere=everywhere)
    if scenario.module is not None:
        scenario.module.__dict__[PROBE] = out.probe

    async def root() -> None:
        before = dict(watch.live)
        watch.armed = True
        try:
            with scope:
                out.result = await scenario.main([out.events.append])
        except BaseException as error:  # noqa: BLE001 - judged below
            out.error = error
        finally:
            watch.armed = False
            out.left = [task.name for task in watch.live if task not in before]
            out.late = trio.current_time() >= HORIZON

    seed_scheduler(seed)
    try:
        with overheard(out.sent):
            trio.run(root, clock=clock, instruments=[watch])
    except trio.TrioInternalError as error:
        out.aborted = str(error.__cause__ or error)
    except BaseException as error:  # noqa: BLE001 - a signal at the very end
        out.error = out.error or error
    if watch.trouble is not None:
        out.aborted = f"the action itself failed: {watch.trouble!r}"
    out.steps = watch.steps
    out.points = out.probe.passed
    return out


def faults(scenario: Scenario, action: Action | None, out: Outcome) -> list[str]:
    """Give a sentence for everything that is wrong with a run."""
    if out.aborted:
        return [out.aborted]
    found = []
    if out.left:
        found.append(f"tasks are left: {', '.join(out.left)}")
    if out.late and not (scenario.patient and action is not None and action.sticky):
        found.append("it did not end before the horizon")
    found.extend(_exception_faults(scenario, action, out))
    found.extend(check_events(out.events, scenario.rules))
    if scenario.module is not None:
        found.extend(_message_faults(scenario, out))
    for work in out.probe.works:
        if work.ended is None:
            found.append(f"{work!r} has not ended")
        elif isinstance(work.ended, GeneratorExit):
            found.append(f"{work!r} was left to the garbage collector")
    return found


def _exception_faults(
    scenario: Scenario, action: Action | None, out: Outcome
) -> Iterator[str]:
    errors = _leaves(out.error) if scenario.nursery else [out.error] * bool(out.error)
    if action is None or not out.acted:
        if errors:
            yield f"{errors} came out though nothing was done"
        return
    if action.must is not None:
        if scenario.nursery:
            # What the tree does to the tasks beside it is in the same group.
            errors = [e for e in errors if not isinstance(e, regrow.CallError)]
        if [type(error) for error in errors] != [action.must]:
            yield f"{errors} came out instead of {action.must.__name__}"
        return
    allowed: tuple[type[BaseException], ...] = ()
    if action.crashes:
        allowed = (
            regrow.CallError,
            regrow.SupervisorCallError,
            regrow.StartFailedError,
            regrow.RestartLimitExceededError,
            *scenario.body_errors,
        )
    for error in errors:
        if not isinstance(error, allowed):
            yield f"{error!r} came out"
        elif isinstance(error, regrow.StartFailedError) and error.root_cause is None:
            yield f"{error!r} does not say why"


def _leaves(error: BaseException | None) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in _leaves(part)]
    return [] if error is None else [error]


def _message_faults(scenario: Scenario, out: Outcome) -> Iterator[str]:
    """Account for every message, by the numbers of each method of each place."""
    sent: dict[tuple[str, str], Counter[str]] = {}
    casts: Counter[tuple[str, str]] = Counter()
    for message in out.sent:
        key = (message.path, message.name)
        if message.end is None:
            yield f"{message.kind} of {key} never ended"
        elif message.kind == "call":
            sent.setdefault(key, Counter())[message.end] += 1
        else:
            sent.setdefault(key, Counter())
            if message.end == "sent":
                casts[key] += 1
    begun: Counter[tuple[str, str]] = Counter()
    done: Counter[tuple[str, str]] = Counter()
    for work in out.probe.works:
        if work.kind == "handler" and work.name not in scenario.unasked:
            key = (work.path, work.name)
            begun[key] += 1
            declared = isinstance(work.ended, scenario.rules.declared)
            done[key] += work.ended == "done" or declared
            sent.setdefault(key, Counter())
    dead = Counter(
        (event.path, event.message)
        for event in out.events
        if isinstance(event, regrow.DeadLetter)
    )
    dropped = {e.path for e in out.events if isinstance(e, regrow.MessagesDropped)}
    for key, ends in sent.items():
        what = f"{'.'.join(key)}: {dict(ends)}, {casts[key]} casts, {begun[key]} begun"
        what += f", {done[key]} done, {dead[key]} dead letters"
        answered = ends["answer"] + ends["raised"]
        cut = ends["ActorCrashedError"] + ends["ActorInterruptedError"]
        if not answered <= done[key]:
            yield f"answered more than was done: {what}"
        if begun[key] > answered + cut + ends["cancelled"] + casts[key]:
            yield f"handled more than was sent: {what}"
        if key[0] in dropped:
            continue
        others_done = done[key] - answered
        if casts[key] and not ends and others_done + dead[key] != casts[key]:
            yield f"casts not accounted for: {what}"


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


def sweep(
    scenario: Scenario,
    action: Action,
    *,
    stride: int = 1,
    first: int = 1,
    last: float = math.inf,
    seed: int = 0,
) -> Swept:
    """Do *action* at every moment of *scenario* until it ends before the moment comes."""
    swept = Swept(f"{scenario.name}, {action.name}")
    at = first
    while at <= last:
        out = run_once(scenario, action, at, seed)
        swept.found.extend(
            f"{action.name} at {action.where} {at} (seed {seed}"
            f"{', ' + out.probe.label if out.probe.label else ''}): {fault}"
            for fault in faults(scenario, action, out)
        )
        if not out.acted:
            break
        swept.tried += 1
        at += stride
    return swept
