"""What the tests of living trees share: stories, children to be told what to do, checks."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial, wraps
from types import TracebackType
from typing import ParamSpec, TypeVar

import trio
from trio.lowlevel import enable_ki_protection
from trio.testing import MockClock

import regrow
from regrow import (
    Actor,
    AutoShutdown,
    ChildExited,
    ChildRestarting,
    ChildStarted,
    ChildStartFailed,
    ChildStuck,
    DeadLetter,
    Event,
    PlaceClosed,
    RestartLimitExceeded,
)

__all__ = [
    "Boom",
    "Child",
    "Story",
    "Tasks",
    "open_tree",
    "play",
    "service",
    "steps_of",
    "virtual",
]

P = ParamSpec("P")
T = TypeVar("T")


class Boom(Exception):
    """What children crash with."""


class Story:
    """What happened in a run: events and notes, as lines in their order.

    It is an observer. Closed places are left out of the lines, since every end of a child
    for good has one; `closed` has them.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.lines: list[str] = []
        self.timed: list[str] = []
        self.closed: list[str] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, PlaceClosed):
            self.closed.append(event.path)
        else:
            self._enter(f"{event.path} {event.incarnation} {_what(event)}", event.at)

    def note(self, text: str) -> None:
        """Enter a line of a child's own, or of the body's."""
        self._enter(text, trio.current_time())

    def _enter(self, line: str, at: float) -> None:
        self.lines.append(line)
        self.timed.append(f"{at:g} {line}")

    def of(self, kind: type[T]) -> list[T]:
        """Give the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def forget(self) -> None:
        """Begin anew, where a test is not about what came before."""
        for held in (self.events, self.lines, self.timed, self.closed):
            held.clear()


def _what(event: Event) -> str:
    match event:
        case ChildStarted():
            return "up"
        case ChildStartFailed(error=error):
            return f"not started: {type(error).__name__}"
        case ChildExited(reason=reason, error=None, told=told, expected=expected):
            late = "" if expected else ", unexpected"
            return f"{reason.value}{' when told' if told else ''}{late}"
        case ChildExited(reason=reason, error=error, told=told):
            late = " when told" if told else ""
            return f"{reason.value}{late}: {type(error).__name__}"
        case ChildRestarting(delay=0):
            return "restarting"
        case ChildRestarting(delay=delay):
            return f"restarting in {delay:g} s"
        case ChildStuck(waited=waited):
            return f"stuck for {waited:g} s"
        case RestartLimitExceeded():
            return "gives up"
        case AutoShutdown(child=child):
            return f"shuts down after {child}"
        case DeadLetter(message=message, reason=reason):
            return f"dead letter {message}: {reason}"
        case _:
            return re.sub(r"(?<!^)(?=[A-Z])", " ", type(event).__name__).lower()


class Child(Actor):
    """An actor that notes its life and does what it is told.

    Args:
        story: Where it notes.
        setup: Seconds that its lifespan takes before the actor is up.
        cleanup: Seconds that it takes after the last message.
    """

    def __init__(
        self, story: Story, *, setup: float = 0.0, cleanup: float = 0.0
    ) -> None:
        self.story = story
        self.setup = setup
        self.cleanup = cleanup

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        name = self.ref.path
        self.story.note(f"{name} sets up")
        await trio.sleep(self.setup)
        try:
            yield
        finally:
            self.story.note(f"{name} cleans up")
            await trio.sleep(self.cleanup)
            self.story.note(f"{name} is clean")

    def ping(self) -> str:
        return "pong"

    def boom(self) -> None:
        raise Boom

    def throw(self, error: BaseException) -> None:
        raise error

    def end(self) -> None:
        self.stop()

    async def sleep(self, seconds: float) -> str:
        await trio.sleep(seconds)
        return "slept"

    async def do(self, action: Callable[[], Awaitable[T]]) -> T:
        """Await whatever a test wants."""
        return await action()

    def see(self, action: Callable[[], T]) -> T:
        """Call whatever a test wants."""
        return action()


async def service(story: Story, name: str, *, cleanup: float = 0.0) -> None:
    """Note its life, wait to be stopped, clean up under `grace`."""
    story.note(f"{name} runs")
    try:
        await trio.sleep_forever()
    finally:
        story.note(f"{name} cleans up")
        with regrow.grace():
            await trio.sleep(cleanup)
            story.note(f"{name} is clean")


class Tasks(trio.abc.Instrument):
    """Knows which tasks below some task are alive, and counts steps.

    Args:
        root: Start of the name of the topmost task; those below it are known by it.
    """

    def __init__(self, root: str = "") -> None:
        self.steps = 0
        self.at: dict[int, Callable[[], object]] = {}
        self.spawned = 0
        self._root = root
        self._alive: dict[trio.lowlevel.Task, None] = {}
        self._known: set[trio.lowlevel.Task] = set()

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        nursery = task.parent_nursery
        below = nursery is not None and nursery.parent_task in self._known
        if below or task.name.startswith(self._root):
            self.spawned += 1
            self._known.add(task)
            self._alive[task] = None

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        self._alive.pop(task, None)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps += 1
        act = self.at.get(self.steps)
        if act is not None:
            act()

    def left(self) -> list[str]:
        """Give the names of those alive."""
        return [task.name for task in self._alive]


class open_tree(regrow.open_tree):  # noqa: N801 - stands for that of the same name
    """The same, checking that no task is left when it is left (promise 1)."""

    _tasks: Tasks | None = None

    @enable_ki_protection
    async def __aenter__(self) -> regrow.Tree:
        if self._tasks is not None:
            return await super().__aenter__()
        self._tasks = Tasks("tree ")
        trio.lowlevel.add_instrument(self._tasks)
        try:
            return await super().__aenter__()
        except BaseException:
            self._none_left()
            raise

    @enable_ki_protection
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await super().__aexit__(exc_type, exc, traceback)
        finally:
            self._none_left()

    def _none_left(self) -> None:
        assert self._tasks is not None
        trio.lowlevel.remove_instrument(self._tasks)
        assert self._tasks.left() == []


class _Hang(BaseException):
    """The run had to be given up."""


class _Idle(trio.abc.Instrument):
    """Gives a run up that has been cancelled and still waits for nothing."""

    def __init__(self, clock: MockClock, horizon: float) -> None:
        self._clock = clock
        self._horizon = horizon
        self._idle = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._idle = 0

    def after_io_wait(self, timeout: float) -> None:
        self._idle += 1
        if self._idle == MOST_IDLE and self._clock.current_time() >= self._horizon:
            # What the clock raises comes out of trio.run: there is no other way out.
            def give_up() -> float:
                raise _Hang

            self._clock.current_time = give_up  # type: ignore[method-assign]


MOST_IDLE = 50  # looks at the clock without a step of any task


def play(
    main: Callable[[], Awaitable[T]],
    *,
    instruments: Sequence[trio.abc.Instrument] = (),
    horizon: float = 1e6,
) -> T:
    """Run *main* as the main task under virtual time.

    A run that is not over at *horizon* hangs, and that is an error. One in which nothing
    is left to wait for is there at once, as the clock jumps.
    """
    clock = MockClock(autojump_threshold=0)
    idle = _Idle(clock, horizon)

    async def bounded() -> T:
        with trio.CancelScope(deadline=horizon) as scope:
            return await main()
        assert scope.cancelled_caught
        raise AssertionError("it hangs")

    try:
        return trio.run(bounded, clock=clock, instruments=[idle, *instruments])
    except trio.TrioInternalError as error:
        if isinstance(error.__cause__, _Hang):
            raise AssertionError("it hangs, and cannot be cancelled") from None
        raise


def virtual(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Let an async test be the main task of a run under virtual time, as `play` does."""

    @wraps(test)
    def played(*args: P.args, **kwargs: P.kwargs) -> None:
        play(partial(test, *args, **kwargs))

    return played


def steps_of(main: Callable[[], Awaitable[object]]) -> int:
    """Count the steps of the scheduler while *main* runs."""
    tasks = Tasks()
    play(main, instruments=[tasks])
    return tasks.steps
