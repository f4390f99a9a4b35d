"""Code that does not await is found by a thread, while it blocks the loop.

Most tests look at the loop themselves, in a thread that the blocking code waits for, with a
clock of their own. Those in which the watchdog's own thread runs carry `slow`; what blocks
there goes on as soon as it is told of.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import trio
import trio.testing

import regrow
from regrow import (
    Actor,
    Event,
    HeartbeatMissed,
    LoopBlocked,
    SpecError,
    Tree,
    child,
    run_tree,
    serve_tree,
    supervisor,
)
from regrow._runtime.stacks import where
from regrow._runtime.watchdog import Watchdog

from .test_stuck import line_of
from .trees import Story, open_tree, virtual


class Records(logging.Handler):
    """What the logger `regrow` was told, and in which thread.

    Attributes:
        came: Set when so many records were told that a loop is blocked.
    """

    def __init__(self, awaited: int) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []
        self.records: list[logging.LogRecord] = []
        self.threads: list[str] = []
        self.came = threading.Event()
        self.awaited = awaited

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.texts.append(record.getMessage())
        self.threads.append(threading.current_thread().name)
        blocked = [text for text in self.texts if "the event loop" in text]
        if len(blocked) >= self.awaited:
            self.came.set()


@contextmanager
def recorded(awaited: int = 1) -> Iterator[Records]:
    log = logging.getLogger("regrow")
    records = Records(awaited)
    log.addHandler(records)
    try:
        yield records
    finally:
        log.removeHandler(records)


class Looking:
    """A watchdog without a thread and with a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self._dog: Watchdog | None = None

    def at(self, tree: Tree) -> None:
        self._dog = Watchdog(tree._running.host, 1.0, clock=lambda: self.now)

    def look(self, *, after: float = 0.0) -> None:
        """Look from another thread; the caller is what blocks the loop meanwhile."""
        assert self._dog is not None
        self.now += after
        thread = threading.Thread(target=self._dog.look)
        for wait in (thread.start, thread.join):
            wait()  # here

    def block(self) -> None:
        """Be found by it."""
        self.look()
        self.look(after=1.5)


class Blocking(Actor):
    def __init__(self, looking: Looking) -> None:
        self.looking = looking

    async def work(self) -> None:
        self.looking.block()  # in work

    def work_sync(self) -> None:
        self.looking.block()


@virtual
async def test_the_place_its_line_and_its_stack_are_told_and_the_end_is_an_event() -> (
    None
):
    looking = Looking()
    blocking = child(Blocking, looking, name="b")
    story = Story()
    spec = supervisor("root", supervisor("inner", blocking), child(Actor))
    with recorded() as records:
        async with open_tree(spec, observers=[story]) as tree:
            looking.at(tree)
            story.forget()
            for method in (Blocking.work, Blocking.work_sync):
                await tree[blocking].cast(method)
                await trio.testing.wait_all_tasks_blocked()
    first, second = records.texts
    head, _, lines = first.partition("\n")
    own = line_of(Looking.look, "# here")
    assert head == (
        f"root/inner/b [1] blocks the event loop for 1.5 s, in {own} in look"
    )
    stack = tuple(text.strip() for text in lines.splitlines())
    assert f"{line_of(Blocking.work, '# in work')} in work" in stack
    assert stack.index(f"{own} in look") > stack.index(
        f"{line_of(Blocking.work, '# in work')} in work"
    )
    assert stack[0].endswith(" in live")
    assert " in work_sync" in second
    (record, _) = records.records
    fields = vars(record)
    assert record.levelname == "ERROR"
    assert (fields["path"], fields["incarnation"]) == ("root/inner/b", 1)
    assert fields["event"] == "LoopBlocked"
    told = story.of(LoopBlocked)
    assert [(event.path, event.incarnation, event.seconds) for event in told] == [
        ("root/inner/b", 1, 1.5),
        ("root/inner/b", 1, 1.5),
    ]
    assert told[0].stack == stack


@virtual
async def test_the_event_is_a_warning_that_it_runs_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    looking = Looking()
    blocking = child(Blocking, looking, name="b")
    async with open_tree(supervisor("root", blocking)) as tree:
        looking.at(tree)
        await tree[blocking].cast(Blocking.work)
        await trio.testing.wait_all_tasks_blocked()
        looking.block()
        await trio.testing.wait_all_tasks_blocked()
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert warnings == [
        "root/b [1] had blocked the event loop for 1.5 s; it runs again",
        (
            "root [0] the event loop had been blocked by no place of the tree for 1.5 s; it "
            "runs again"
        ),
    ]


@virtual
async def test_it_is_told_again_after_doubled_waits_and_ends_as_one_event() -> None:
    looking = Looking()

    class Long(Actor):
        def work(self) -> None:
            for _ in range(20):
                looking.look(after=1)

    story = Story()
    long = child(Long)
    with recorded() as records:
        async with open_tree(supervisor("root", long), observers=[story]) as tree:
            looking.at(tree)
            await tree[long].cast(Long.work)
            await trio.testing.wait_all_tasks_blocked()
    times = [text.partition(" for ")[2].partition(",")[0] for text in records.texts]
    assert times == ["1 s", "2 s", "4 s", "8 s", "16 s"]
    assert [event.seconds for event in story.of(LoopBlocked)] == [19]


@virtual
async def test_background_tasks_services_and_both_halves_of_a_lifespan() -> None:
    looking = Looking()

    class Nursing(Actor):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.background)
                yield
                nursery.cancel_scope.cancel()
            looking.block()

        async def background(self) -> None:
            async with trio.open_nursery() as deeper:
                deeper.start_soon(self.deeper)

        async def deeper(self) -> None:
            await trio.sleep(1)
            looking.block()

    async def service() -> None:
        await trio.sleep(2)
        looking.block()
        await trio.sleep_forever()

    story = Story()
    spec = supervisor("root", child(Nursing), child(service))
    async with open_tree(spec, observers=[story]) as tree:
        looking.at(tree)
        await trio.sleep(3)
    told = [(event.path, event.at) for event in story.of(LoopBlocked)]
    assert told == [("root/nursing", 1), ("root/service", 2), ("root/nursing", 3)]
    names = [
        [text.rpartition(" ")[2] for text in event.stack]
        for event in story.of(LoopBlocked)
    ]
    assert names[0][0] == "deeper"
    assert "service" in names[1]
    assert "lifespan" in names[2]


@virtual
async def test_a_constructor_is_that_of_the_child_being_started() -> None:
    looking = Looking()
    story = Story()

    class Heavy(Actor):
        def __init__(self) -> None:
            looking.block()

    async with open_tree(supervisor("root", child(Actor)), observers=[story]) as tree:
        looking.at(tree)
        await tree.supervisor("root").start_child(child(Heavy))
        await trio.testing.wait_all_tasks_blocked()
    (told,) = story.of(LoopBlocked)
    assert (told.path, told.incarnation) == ("root/heavy", 1)


@virtual
async def test_code_of_no_place_is_said_to_be_none() -> None:
    looking = Looking()
    story = Story()

    class Spanned(Actor):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            await trio.sleep(1)
            yield

    def observer(event: Event) -> None:
        if isinstance(event, regrow.ChildStarted) and event.path == "root/spanned":
            looking.block()  # in the actor's own task

    spec = supervisor("root")
    with recorded() as records:
        async with open_tree(spec, observers=[story, observer]) as tree:
            looking.at(tree)
            looking.block()
            await tree.supervisor("root").start_child(child(Spanned))
            await trio.testing.wait_all_tasks_blocked()
    assert [(event.path, event.incarnation) for event in story.of(LoopBlocked)] == [
        ("root", 0),
        ("root", 0),
    ]
    for text in records.texts:
        head = text.partition("\n")[0]
        assert head.startswith(
            "root [0] the event loop is blocked, by no place of the tree 'root', for 1.5 s, "
            f"in {__file__}:"
        )


@virtual
async def test_a_tree_inside_a_child_is_the_childs() -> None:
    looking = Looking()
    inner_story = Story()

    async def inner() -> None:
        blocking = child(Blocking, looking)
        spec = supervisor("inner", blocking)
        async with regrow.open_tree(spec, observers=[inner_story]) as tree:
            await tree[blocking].cast(Blocking.work)
            await trio.sleep_forever()

    story = Story()
    dormant = trio.Event()

    async def host() -> None:
        await dormant.wait()
        await inner()

    async with open_tree(supervisor("root", child(host)), observers=[story]) as tree:
        looking.at(tree)
        dormant.set()
        await trio.testing.wait_all_tasks_blocked()
    assert [event.path for event in story.of(LoopBlocked)] == ["root/host"]
    assert inner_story.of(LoopBlocked) == []


@virtual
async def test_a_constructor_in_such_a_tree_is_the_childs_too() -> None:
    looking = Looking()
    dormant = trio.Event()

    class Heavy(Actor):
        def __init__(self) -> None:
            looking.block()

    async def host() -> None:
        await dormant.wait()
        async with regrow.open_tree(supervisor("inner", child(Heavy))):
            await trio.sleep_forever()

    story = Story()
    async with open_tree(supervisor("root", child(host)), observers=[story]) as tree:
        looking.at(tree)
        dormant.set()
        await trio.testing.wait_all_tasks_blocked()
    assert [event.path for event in story.of(LoopBlocked)] == ["root/host"]


def test_the_line_to_mend_is_the_innermost_that_is_the_users() -> None:
    user = "/srv/app/worker.py:12 in work"
    installed = "/srv/venv/lib/python3.11/site-packages/app/worker.py:3 in work"
    library = [
        f"{regrow.__file__}:1 in live",
        f"{trio.__file__}:1 in sleep",
        f"{threading.__file__}:2 in wait",
        "<string>:1 in f",
    ]
    assert where([library[0], user, *library]) == user
    assert where([user, installed, library[2]]) == installed
    assert where(library) == "<string>:1 in f"  # nothing better is there
    assert where([]) == ""


@virtual
async def test_one_that_comes_round_in_time_is_not_told_of() -> None:
    looking = Looking()

    class Busy(Actor):
        async def work(self) -> None:
            for _ in range(10):
                looking.look(after=0.9)
                await trio.lowlevel.checkpoint()
                await trio.testing.wait_all_tasks_blocked()

    story = Story()
    busy = child(Busy)
    with recorded() as records:
        async with open_tree(supervisor("root", busy), observers=[story]) as tree:
            looking.at(tree)
            await tree[busy].call(Busy.work)
    assert records.texts == []
    assert story.of(LoopBlocked) == []


@virtual
async def test_blocking_is_no_miss_of_a_heartbeat() -> None:
    looking = Looking()
    story = Story()
    blocking = child(Blocking, looking, heartbeat=regrow.Heartbeat(1, 1))
    async with open_tree(supervisor("root", blocking), observers=[story]) as tree:
        looking.at(tree)
        await tree[blocking].cast(Blocking.work)
        await trio.sleep(10)
    assert len(story.of(LoopBlocked)) == 1
    assert story.of(HeartbeatMissed) == []


@virtual
async def test_a_logging_handler_that_raises_does_no_harm() -> None:
    class Bad(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "blocks" in record.getMessage():
                raise OSError

    looking = Looking()
    story = Story()
    blocking = child(Blocking, looking)
    bad = Bad()
    logging.getLogger("regrow").addHandler(bad)
    try:
        async with open_tree(supervisor("root", blocking), observers=[story]) as tree:
            looking.at(tree)
            await tree[blocking].cast(Blocking.work)
            await trio.testing.wait_all_tasks_blocked()
    finally:
        logging.getLogger("regrow").removeHandler(bad)
    assert len(story.of(LoopBlocked)) == 1


# -------------------------------------------------------------------------- its limits


@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan, "1", True])
@pytest.mark.parametrize("run", [regrow.open_tree, serve_tree, run_tree])
async def test_what_is_no_limit_is_refused(run: Callable[..., Any], value: Any) -> None:
    spec = supervisor("root", child(Actor))
    with pytest.raises(SpecError) as caught:
        await run(spec, watchdog=value)
    assert [str(finding) for finding in caught.value.findings] == [
        (
            f"root: watchdog is {value!r} [invalid_watchdog]. Write a number of seconds above 0, "
            "and not math.inf, or None as watchdog."
        )
    ]


def dogs() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if "watchdog" in name]


@virtual
async def test_there_is_a_thread_only_where_one_is_wanted_and_only_while_it_runs() -> (
    None
):
    async with open_tree(supervisor("root", child(Actor))):
        assert dogs() == []
    async with open_tree(supervisor("root", child(Actor)), watchdog=60):
        assert dogs() == ["regrow watchdog"]
    assert dogs() == []

    async def failing() -> None:
        raise OSError

    def broken() -> Actor:
        raise OSError

    with pytest.raises(regrow.StartFailedError):
        async with open_tree(supervisor("root", child(broken, name="b")), watchdog=60):
            pass
    assert dogs() == []
    with pytest.raises(regrow.RestartLimitExceededError):
        async with open_tree(supervisor("root", child(failing)), watchdog=60):
            await trio.sleep_forever()
    assert dogs() == []
    with trio.move_on_after(1):
        async with open_tree(supervisor("root", child(Actor)), watchdog=60):
            await trio.sleep_forever()
    assert dogs() == []


@virtual
async def test_served_and_run_trees_have_one_too() -> None:
    spec = supervisor("root", child(Actor))
    async with trio.open_nursery() as nursery:

        async def serve(
            *, task_status: trio.TaskStatus[Tree] = trio.TASK_STATUS_IGNORED
        ) -> None:
            await serve_tree(spec, watchdog=60, task_status=task_status)

        tree = await nursery.start(serve)
        assert dogs() == ["regrow watchdog"]
        await tree.stop()
    assert dogs() == []


def test_a_loop_that_is_gone_ends_the_thread() -> None:
    async def main() -> Watchdog:
        async with regrow.open_tree(supervisor("root", child(Actor))) as tree:
            dog = Watchdog(tree._running.host, 0.002)
            await trio.lowlevel.checkpoint()
            return dog

    dog = trio.run(main)
    # Nothing of the loop's is on this thread's stack, so it is asked.
    dog.start()
    dog._thread.join(5)
    assert not dog._thread.is_alive()
    dog.stop()


# ---------------------------------------------------------------------- its own thread


@pytest.mark.slow
def test_the_thread_itself_tells_while_the_loop_is_blocked() -> None:
    story = Story()
    with recorded(awaited=2) as records:

        class Waits(Actor):
            def work(self) -> None:
                assert records.came.wait(5)  # blocks

        waits = child(Waits)

        async def main() -> None:
            async with open_tree(
                supervisor("root", waits), observers=[story], watchdog=0.05
            ) as tree:
                await tree[waits].call(Waits.work)
                await trio.testing.wait_all_tasks_blocked()

        trio.run(main)
    assert records.threads == ["regrow watchdog"] * 2
    head = records.texts[0].partition("\n")[0]
    assert head.startswith("root/waits [1] blocks the event loop for 0.0")
    assert head.endswith(f", in {line_of(Waits.work, '# blocks')} in work")
    (told,) = story.of(LoopBlocked)
    assert told.path == "root/waits"
    assert 0.1 <= told.seconds < 5


@pytest.mark.slow
def test_an_idle_loop_is_not_woken() -> None:
    """In real time: a fifth of a second in which the watchdog looks eighty times."""
    wakes: list[float] = []

    class Wakes(trio.abc.Instrument):
        def after_io_wait(self, timeout: float) -> None:
            wakes.append(timeout)

    async def main() -> None:
        async with open_tree(supervisor("root", child(Actor)), watchdog=0.01):
            await trio.sleep(0.05)
            trio.lowlevel.add_instrument(instrument := Wakes())
            await trio.sleep(0.2)
            trio.lowlevel.remove_instrument(instrument)

    trio.run(main)
    assert len(wakes) <= 3
