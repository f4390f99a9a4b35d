"""Running one scenario under watch, with something done to it at some moment.

A *moment* is a step of the scheduler (any task of the run is about to go on) or a point
in the program's own text (see `points`). Every run has virtual time and a seeded
scheduler, so that a moment's number means the same thing again; where trio's random
source is not where it is expected, the runs are by chance and all else holds.
"""

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, Literal, TypeAlias

import trio
from attrs import Factory, define, frozen
from trio.testing import MockClock

import regrow

from .actions import OURS, Action, Moment
from .checks import Rules
from .points import PROBE, Probe

__all__ = ["Doing", "Outcome", "Scenario", "Sent", "run_once"]

HORIZON = 40.0
"""Virtual seconds after which a scenario is cancelled from outside: it hangs."""

MOST_STEPS = 100_000
"""Steps after which a scenario is given up: it spins."""

MOST_IDLE = 50
"""Looks at the clock in a row without a step: nothing can ever happen again."""

Doing: TypeAlias = tuple[Action, int]
"""What is done, and the number of its moment, counted from 1."""

Main: TypeAlias = Callable[
    [Iterable[Callable[[regrow.Event], object]]], Awaitable[object]
]


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
        replaces: Whether its block cleans up with what can be cancelled: of two exceptions
            the first may then be lost, as everywhere in trio.
        unasked: Methods that are called otherwise than by a message from outside.
    """

    name: str
    main: Main
    module: ModuleType | None
    rules: Rules
    body_errors: tuple[type[Exception], ...] = ()
    nursery: bool = False
    patient: bool = False
    replaces: bool = False
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
    """Counts the steps of a run, knows its tasks, acts at some steps."""

    def __init__(self, clock: MockClock) -> None:
        self.steps = 0
        self.acts: dict[int, Callable[[], object]] = {}
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
        act = self.acts.get(self.steps)
        if act is not None:
            try:
                act()
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
        acted: What was done, in order; moments may not come.
        stopping: How many events there were when every supervisor had heard that its tree
            is to stop or is killed; `None` if none was told so.
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
    acted: list[Action] = Factory(list)
    stopping: int | None = None
    late: bool = False
    left: list[str] = Factory(list)
    events: list[regrow.Event] = Factory(list)
    sent: list[Sent] = Factory(list)
    probe: Probe = Factory(Probe)
    aborted: str = ""


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let trio's choices among runnable tasks depend on *seed* alone meanwhile."""
    run: Any = trio._core._run
    before = getattr(run, "_ALLOW_DETERMINISTIC_SCHEDULING", False)
    run._ALLOW_DETERMINISTIC_SCHEDULING = True
    if hasattr(run, "_r"):
        run._r.seed(seed)
    try:
        yield
    finally:
        run._ALLOW_DETERMINISTIC_SCHEDULING = before


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


@contextlib.contextmanager
def held(trees: list[regrow.Tree]) -> Iterator[None]:
    """Know the trees that are open meanwhile."""
    opening: Any = regrow.open_tree
    enter, leave = opening.__aenter__, opening.__aexit__

    async def noted_enter(self: Any) -> regrow.Tree:
        tree: regrow.Tree = await enter(self)
        trees.append(tree)
        return tree

    async def noted_leave(self: Any, *exc_info: Any) -> Any:
        try:
            return await leave(self, *exc_info)
        finally:
            trees.pop()

    opening.__aenter__, opening.__aexit__ = noted_enter, noted_leave
    try:
        yield
    finally:
        opening.__aenter__, opening.__aexit__ = enter, leave


def run_once(scenario: Scenario, *doings: Doing, seed: int = 0) -> Outcome:
    """Run *scenario* under watch, with *doings*: at most one of them at a point."""
    clock = MockClock(autojump_threshold=0)
    watch = Watch(clock)
    scope = trio.CancelScope(deadline=HORIZON)
    out = Outcome()

    told_at = 0

    def stopping() -> None:
        roots = [event for event in out.events[told_at:] if "/" not in event.path]
        if out.stopping is None and not roots:  # else the tree has ended meanwhile
            out.stopping = len(out.events)

    moment = Moment(scope, [], stopping)

    def bind(action: Action) -> Callable[[], object]:
        def act() -> None:
            nonlocal told_at
            told_at = len(out.events)
            out.acted.append(action)
            action.do(moment)

        return act

    for action, at in doings:
        if action.where == "step":
            watch.acts[at] = bind(action)
        else:
            sticky, everywhere = action.sticky, action.everywhere
            out.probe = Probe(at, bind(action), sticky=sticky, everywhere=everywhere)
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
            left = [task.name for task in watch.live if task not in before]
            out.left = [name for name in left if name != OURS]
            out.late = trio.current_time() >= HORIZON

    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(seeded(seed))
            stack.enter_context(overheard(out.sent))
            if any(action.needs_trees for action, _ in doings):
                # Not else: what is put around `open_tree` has no protection from signals.
                stack.enter_context(held(moment.trees))
            trio.run(root, clock=clock, instruments=[watch])
    except trio.TrioInternalError as error:
        out.aborted = str(error.__cause__ or error)
    except BaseException as error:  # noqa: BLE001 - a signal after the very end
        out.error = error
    if watch.trouble is not None:
        out.aborted = f"the action itself failed: {watch.trouble!r}"
    out.steps = watch.steps
    out.points = out.probe.passed
    return out
