"""Nothing dies without one log record that has its traceback (promise 8), nor by a look."""

from __future__ import annotations

import logging
import subprocess
import sys
import traceback
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import pytest
import trio
import trio.testing

from regrow import (
    Actor,
    ActorCrashedError,
    AnySpec,
    ChildExited,
    DeadLetter,
    Event,
    IgnoreStart,
    Mailbox,
    PathFilter,
    Ref,
    RestartLimitExceededError,
    StartFailedError,
    child,
    current_path,
    dynamic,
    raises,
    supervisor,
)

from .trees import Boom, Child, Story, open_tree, virtual

ENDED = "is closed: its child has ended"


@pytest.fixture(autouse=True)
def told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "regrow")


def tracebacks(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Give the records that have a traceback: level, text, what it ends with."""
    found = []
    for record in caplog.records:
        assert record.name == "regrow"
        if record.exc_info:
            assert record.exc_info[2] is not None
            found.append(f"{record.levelname} {record.getMessage()}")
    return found


def others(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Give the records of some weight that have none."""
    return [
        f"{record.levelname} {record.getMessage()}"
        for record in caplog.records
        if record.levelno >= logging.INFO and not record.exc_info
    ]


class Fragile(Child):
    """Crashes where its name says, in its first life."""

    def __init__(self, where: str, lives: list[int]) -> None:
        super().__init__(Story())
        lives.append(1)
        self.where = where if len(lives) == 1 else ""
        if self.where == "constructor":
            raise Boom

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        if self.where == "first half":
            raise Boom
        yield
        if self.where == "second half":
            raise Boom


@pytest.mark.parametrize(
    "where",
    ["constructor", "first half", "second half", "call", "cast", "service", "started"],
)
@virtual
async def test_each_death_has_one_record_with_its_traceback(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    lives: list[int] = []

    async def serving(*, task_status: trio.TaskStatus[object]) -> None:
        lives.append(1)
        if len(lives) == 1 and where == "service":
            raise Boom
        task_status.started()
        if len(lives) == 1:
            raise Boom
        await trio.sleep_forever()

    x = child(Fragile, where, lives, name="x", start="retry")
    y: AnySpec = x
    if where in {"service", "started"}:
        y = child(serving, name="x", start="retry")
    async with open_tree(supervisor("root", y)) as tree:
        await trio.testing.wait_all_tasks_blocked()
        if where == "call":
            with pytest.raises(ActorCrashedError):
                await tree[x].call(Child.boom)
        elif where == "cast":
            await tree[x].cast(Child.boom)
        elif where == "second half":
            await tree[x].cast(Child.end)
        await trio.testing.wait_all_tasks_blocked()
    assert len(lives) == 2
    starting = where in {"constructor", "first half", "service"}
    what = "did not start" if starting else "crashed"
    upon = " on boom()" if where in {"call", "cast"} else ""
    assert tracebacks(caplog) == [f"ERROR root/x [1] {what}{upon} (Boom)"]
    assert others(caplog) == ["INFO root/x [1] restarts now (attempt 1 of 3)"]


@virtual
async def test_an_escalation_has_no_further_traceback_but_its_story(
    caplog: pytest.LogCaptureFixture,
) -> None:
    x = child(Child, Story(), name="x")
    sub = supervisor("sub", x, intensity=0)
    with pytest.raises(RestartLimitExceededError):
        async with open_tree(supervisor("root", sub, intensity=0)) as tree:
            tree[x].cast_nowait(Child.boom)
            await trio.sleep_forever()
    assert tracebacks(caplog) == ["ERROR root/sub/x [1] crashed on boom() (Boom)"]
    sub_gave_up, root_gave_up = others(caplog)
    assert sub_gave_up.startswith("ERROR root/sub [1] supervisor 'root/sub' gave up: ")
    assert root_gave_up.startswith("CRITICAL root [1] supervisor 'root' gave up: ")


@pytest.mark.parametrize("starting", [False, True])
@virtual
async def test_what_breaks_the_nursery_of_a_supervisor_has_its_record(
    starting: bool, caplog: pytest.LogCaptureFixture
) -> None:
    lives: list[int] = []

    async def boom() -> None:
        raise Boom

    async def meddling(*, task_status: trio.TaskStatus[object]) -> None:
        lives.append(1)
        if not starting:
            task_status.started()
        nursery = trio.lowlevel.current_task().parent_nursery
        assert nursery is not None
        if len(lives) == 1:
            nursery.start_soon(boom)
            await trio.sleep_forever()
        if starting:
            task_status.started()
        await trio.sleep_forever()

    sub = supervisor("sub", child(meddling, name="x"), start="retry")
    async with open_tree(supervisor("root", sub)):
        await trio.testing.wait_all_tasks_blocked()
    what = "did not start" if starting else "crashed"
    assert tracebacks(caplog) == [f"ERROR root/sub [1] {what} (Boom)"]


@virtual
async def test_a_failing_start_is_told_once_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sub = supervisor("sub", child(Fragile, "constructor", [], name="x"))
    with pytest.raises(StartFailedError):
        async with open_tree(supervisor("root", sub)):
            raise AssertionError
    assert tracebacks(caplog) == ["ERROR root/sub/x [1] did not start (Boom)"]
    assert others(caplog) == [
        f"ERROR {path} [1] did not start (StartFailedError: {below!r} did not start{via} "
        "(Boom). Mend the cause, or declare the child with start='retry' if it may come "
        "later.)"
        for path, below, via in (
            ("root/sub", "root/sub/x", ""),
            ("root", "root/sub", " because 'root/sub/x' did not"),
        )
    ]


@virtual
async def test_a_start_that_was_given_up_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    slow = child(partial(Child, setup=9), Story(), name="x")
    with trio.move_on_after(1):
        async with open_tree(supervisor("root", slow)):
            raise AssertionError
    assert tracebacks(caplog) == []
    assert [line.partition(" (")[0] for line in others(caplog)] == [
        "INFO root/x [1] did not start",
        "INFO root [1] did not start",
    ]


@virtual
async def test_the_other_records(caplog: pytest.LogCaptureFixture) -> None:
    class Telling(Child):
        @raises(LookupError)
        def answer(self) -> None:
            raise LookupError("no such thing")

    class Ignoring(Actor):
        def __init__(self) -> None:
            raise IgnoreStart

    async def brief() -> None:
        await trio.sleep(1)

    caplog.set_level(logging.DEBUG, "regrow")
    x = child(Telling, Story(), name="x")
    over = child(partial(Child, cleanup=9), Story(), name="over", shutdown=1)
    last = child(brief, restart="temporary", significant=True)
    spec = supervisor(
        "root", x, over, child(Ignoring), last, auto_shutdown="any_significant"
    )
    async with open_tree(spec) as tree:
        await tree[x].cast(Telling.answer)
        tree[x].suspend()
        tree[x].resume()
        await tree.wait_stopped()
    assert tracebacks(caplog) == []
    lines = [
        f"{record.levelname} {record.getMessage()}"
        for record in caplog.records
        if record.exc_info is None
    ]
    assert lines == [
        "DEBUG root/x [1] is up",
        "DEBUG root/over [1] is up",
        "INFO root/ignoring [1] chose not to start",
        "DEBUG root/ignoring [1] closed: it is closed: its child has ended",
        "DEBUG root/brief [1] is up",
        "DEBUG root [1] is up",
        "INFO root/x [1] is suspended: it begins no message",
        "INFO root/x [1] goes on: it was resumed",
        "WARNING root/x [1] answered the cast 'answer' with LookupError: no such thing",
        "DEBUG root/brief [1] ended (normal)",
        "DEBUG root/brief [1] closed: it is closed: its child has ended",
        "INFO root [1] shuts down, as 'brief' has ended",
        "DEBUG root/over [1] closed: it was told to stop",
        "WARNING root/over [1] ended killed when told to stop",
        "DEBUG root/x [1] closed: it was told to stop",
        "DEBUG root/x [1] ended (shutdown)",
        "DEBUG root [1] ended (shutdown)",
        "DEBUG root [1] closed: it is closed: its tree has ended",
    ]
    for record in caplog.records:
        event = record.__dict__["regrow_event"]
        assert isinstance(event, Event)
        assert record.getMessage().startswith(f"{event.path} [{event.incarnation}] ")


@virtual
async def test_dropped_messages_have_one_record_for_a_second(
    caplog: pytest.LogCaptureFixture,
) -> None:
    x = child(Child, Story(), name="x", mailbox=Mailbox(1, "drop_newest"))
    async with open_tree(supervisor("root", x)) as tree:
        await tree[x].cast(Child.sleep, 5)
        await trio.testing.wait_all_tasks_blocked()
        for count in (2, 3):
            for _ in range(count):
                tree[x].cast_nowait(Child.ping)
            await trio.sleep(2)
    assert others(caplog) == [
        "WARNING root/x [1] dropped 1 message (drop_newest)",
        "WARNING root/x [1] dropped 3 messages (drop_newest)",
        "WARNING root/x [1] dead letter 'ping': it was told to stop",
    ]


PROGRAM = """
import trio
from regrow import child, open_tree, supervisor

async def failing() -> None:
    await trio.lowlevel.checkpoint()
    raise ValueError("bad header")

async def main() -> None:
    async with open_tree(supervisor("app", child(failing, restart="temporary"))):
        for _ in range(9):
            await trio.lowlevel.checkpoint()

trio.run(main)
"""


def test_without_any_configuration_it_is_printed_to_stderr() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert done.stderr.startswith("app/failing [1] crashed (ValueError: bad header)\n")
    assert done.stderr.count("Traceback (most recent call last):") == 1
    assert done.stderr.endswith("ValueError: bad header\n")


class Deep(Actor):
    """Crashes below what it is called with."""

    def __init__(self, where: str, lives: list[str]) -> None:
        self.where = "" if where in lives else where
        lives.append(where)
        self.at("constructor")

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        await trio.lowlevel.checkpoint()
        self.at("lifespan")
        yield

    def at(self, where: str) -> None:
        if self.where == where:
            raise Boom(where)

    def sync(self) -> None:
        self.at("sync")

    async def later(self) -> None:
        await trio.lowlevel.checkpoint()
        self.at("later")


async def deep_service() -> None:
    await trio.lowlevel.checkpoint()
    raise Boom


def no_actor() -> Actor:
    return cast("Actor", 5)


def frames(record: logging.LogRecord) -> list[str]:
    """Give the functions of its traceback."""
    assert record.exc_info is not None
    return [entry.name for entry in traceback.extract_tb(record.exc_info[2])]


@virtual
async def test_a_traceback_in_the_log_begins_with_the_code_of_the_user(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lives: list[str] = []
    wheres = ("constructor", "lifespan", "sync", "later")
    children = [
        child(Deep, where, lives, name=where, start="retry") for where in wheres
    ]
    service = child(deep_service, restart="temporary")
    wrong = child(no_actor, start="retry")
    root = supervisor("root", *children, service, wrong, intensity=6)
    with pytest.raises(RestartLimitExceededError):
        async with open_tree(root) as tree:
            await tree[children[2]].cast(Deep.sync)
            await tree[children[3]].cast(Deep.later)
            await trio.sleep_forever()
    found = {
        record.__dict__["path"].removeprefix("root/"): frames(record)
        for record in caplog.records
        if record.exc_info
    }
    assert found.pop("no_actor")[-1] == "start_actor"  # all of it is ours
    assert found.pop("lifespan")[-2:] == [
        "lifespan",
        "at",
    ]  # below the standard library
    assert found == {
        "constructor": ["__init__", "at"],
        "sync": ["sync", "at"],
        "later": ["later", "at"],
        "deep_service": ["deep_service"],
    }
    for record in caplog.records:
        if record.exc_info:
            error = record.exc_info[1]
            assert error is not None
            whole = traceback.extract_tb(error.__traceback__)
            ours_alone = record.__dict__["path"] == "root/no_actor"
            assert (len(whole) == len(frames(record))) is ours_alone


# ------------------------------------------------------------- exceptions without a text


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@virtual
async def test_an_exception_whose_text_cannot_be_made_is_told_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    x = child(Child, Story(), name="x")
    with pytest.raises(RestartLimitExceededError) as spent:
        async with open_tree(supervisor("root", x, intensity=0)) as tree:
            with pytest.raises(ActorCrashedError) as crashed:
                await tree[x].call(Child.throw, Unspeakable())
            await trio.sleep_forever()
    assert "Unspeakable: its text cannot be made" in str(crashed.value)
    assert "Unspeakable: its text cannot be made" in str(spent.value)
    assert tracebacks(caplog) == [
        "ERROR root/x [1] crashed on throw(Unspeakable()) (Unspeakable: its text cannot be made)"
    ]


class Busy(Child):
    """Has a nursery around its messages, as one with background tasks."""

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        async with trio.open_nursery() as nursery:
            yield
            nursery.cancel_scope.cancel()


@virtual
async def test_a_crash_below_a_nursery_is_told_with_what_is_in_the_group(
    caplog: pytest.LogCaptureFixture,
) -> None:
    x = child(Busy, Story(), name="x")
    async with open_tree(supervisor("root", x)) as tree:
        for error in (Boom("bug"), ExceptionGroup("two", [Boom("bug"), Boom()])):
            with pytest.raises(ActorCrashedError):
                await tree[x].call(Busy.throw, error)
            # Else it may be told to stop before it has ended.
            await trio.testing.wait_all_tasks_blocked()
    group = "ExceptionGroup: Exceptions from Trio nursery (1 sub-exception)"
    first = "ExceptionGroup('two', [Boom('bug'), Boom()])"
    assert tracebacks(caplog) == [
        f"ERROR root/x [1] crashed on throw(Boom('bug')) ({group}, first Boom: bug)",
        f"ERROR root/x [2] crashed on throw({first}) ({group}, first Boom: bug)",
    ]


@virtual
async def test_a_record_has_path_incarnation_and_event_as_fields(
    caplog: pytest.LogCaptureFixture,
) -> None:
    x = child(Child, Story(), name="x")
    async with open_tree(supervisor("root", x)) as tree:
        with pytest.raises(ActorCrashedError):
            await tree[x].call(Child.boom)
        await trio.testing.wait_all_tasks_blocked()
    crash, restart = (vars(record) for record in caplog.records)
    assert [crash[name] for name in ("path", "incarnation", "event")] == [
        "root/x",
        1,
        "ChildExited",
    ]
    assert restart["event"] == "ChildRestarting"
    assert isinstance(crash["regrow_event"], ChildExited)
    assert crash["regrow_event"].message == "boom()"


@virtual
async def test_restarts_weigh_more_from_half_of_what_the_limit_allows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    x = child(Child, Story(), name="x")
    async with open_tree(supervisor("root", x, intensity=6)) as tree:
        for _ in range(4):
            with pytest.raises(ActorCrashedError):
                await tree[x].call(Child.boom)
            await trio.testing.wait_all_tasks_blocked()
    assert others(caplog) == [
        "INFO root/x [1] restarts now (attempt 1 of 6)",
        "INFO root/x [2] restarts now (attempt 2 of 6)",
        "WARNING root/x [3] restarts now (attempt 3 of 6)",
        "WARNING root/x [4] restarts now (attempt 4 of 6)",
    ]


class Door(Actor):
    def __redact__(self, name: str, value: object) -> object:
        return "***" if name == "password" else value

    def open(self, user: str, password: str) -> None:
        raise Boom

    async def wait(self, password: str) -> None:
        await trio.sleep_forever()


@pytest.mark.parametrize("waiting", [False, True])
@virtual
async def test_the_message_it_crashed_on_is_shown_as_the_actor_lets_it(
    caplog: pytest.LogCaptureFixture,
    waiting: bool,
) -> None:
    door = child(Door)
    async with open_tree(supervisor("root", door)) as tree:
        if waiting:  # what it was cut off in is told as well
            tree[door].cast_nowait(Door.wait, "secret")
            await trio.testing.wait_all_tasks_blocked()
        else:
            with pytest.raises(ActorCrashedError):
                await tree[door].call(Door.open, "ann", password="secret")  # noqa: S106 - it is the point
        await trio.testing.wait_all_tasks_blocked()
    assert "secret" not in caplog.text
    if not waiting:
        shown = "open('ann', password='***')"
        assert tracebacks(caplog) == [f"ERROR root/door [1] crashed on {shown} (Boom)"]


# ----------------------------------------------------------------- the user's own lines


class Scribe(Actor):
    """Logs wherever it can."""

    def __init__(self) -> None:
        mine.info("constructor")

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        async with trio.open_nursery() as self.nursery:
            mine.info("first half")
            yield
            mine.info("second half")

    async def write(self) -> None:
        mine.info("handler")

        async def task() -> None:
            mine.info("task")

        self.nursery.start_soon(task)


async def scribbling() -> None:
    mine.info("service")
    await trio.sleep_forever()


mine = logging.getLogger("mine")


@virtual
async def test_the_users_own_records_carry_the_path_of_the_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "mine")
    caplog.handler.addFilter(passing := PathFilter())
    scribe = child(Scribe, name="scribe")
    sub = supervisor("sub", child(scribbling))
    try:
        async with open_tree(supervisor("root", scribe, sub)) as tree:
            await tree[scribe].call(Scribe.write)
            mine.info("block")
    finally:
        caplog.handler.removeFilter(passing)
    found = [
        f"{vars(record)['path']}: {record.getMessage()}"
        for record in caplog.records
        if record.name == "mine"
    ]
    assert found[:2] == ["root/scribe: constructor", "root/scribe: first half"]
    assert sorted(found[2:]) == [
        ": block",
        "root/scribe: handler",
        "root/scribe: second half",
        "root/scribe: task",
        "root/sub/scribbling: service",
    ]
    assert current_path() == ""


@virtual
async def test_the_path_of_a_record_of_regrow_is_that_of_the_event(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.handler.addFilter(passing := PathFilter())
    x = child(Child, Story(), name="x")
    try:
        async with open_tree(supervisor("root", x)) as tree:
            with pytest.raises(ActorCrashedError):
                await tree[x].call(Child.boom)
            await trio.testing.wait_all_tasks_blocked()
    finally:
        caplog.handler.removeFilter(passing)
    assert [vars(record)["path"] for record in caplog.records] == ["root/x"] * 2


# ------------------------------------------------------------------------- observers


@virtual
async def test_an_observer_that_raises_is_told_no_more_and_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before, after = Story(), Story()
    heard: list[str] = []

    def raising(event: Event) -> None:
        heard.append(type(event).__name__)
        if isinstance(event, ChildExited):
            raise Boom

    x = child(Child, Story(), name="x")
    async with open_tree(
        supervisor("root", x), observers=[before, raising, after]
    ) as tree:
        with pytest.raises(ActorCrashedError):
            await tree[x].call(Child.boom)
        assert await tree[x].call(Child.ping) == "pong"
    assert heard == ["ChildStarted", "ChildStarted", "ChildExited"]
    assert before.lines == after.lines
    assert before.lines == [
        "root/x 1 up",
        "root 1 up",
        "root/x 1 crashed: Boom",
        "root/x 1 restarting",
        "root/x 2 up",
        "root/x 2 shutdown when told",
        "root 1 shutdown when told",
    ]
    first, second = tracebacks(caplog)
    assert first == "ERROR root/x [1] crashed on boom() (Boom)"
    assert second.startswith("ERROR observer <function ")
    assert second.endswith(" raised and was removed")


@virtual
async def test_what_an_observer_does_is_told_to_all_after_what_it_heard() -> None:
    before, after = Story(), Story()

    def reacting(event: Event) -> None:
        if isinstance(event, ChildExited) and event.path == "root/x":
            y_ref.cast_nowait(Child.ping)
            y_ref.cast_nowait(Child.boom)

    x = child(Child, Story(), name="x", restart="temporary")
    y = child(Child, Story(), name="y", restart="temporary")
    spec = supervisor("root", x, y)
    async with open_tree(spec, observers=[before, reacting, after]) as tree:
        y_ref = tree[y]
        await y_ref.call(Child.end)
        await y_ref.wait_stopped()
        before.forget()
        after.forget()
        await tree[x].cast(Child.boom)
        await tree[x].wait_stopped()
        told = [*before.lines]
        assert names_of(tree.history[-len(before.events) :]) == names_of(before.events)
    assert told == [
        "root/x 1 dead letter boom: crashed the actor (Boom)",
        "root/x 1 crashed: Boom",
        "root/y 1 dead letter ping: is closed: its child has ended",
        "root/y 1 dead letter boom: is closed: its child has ended",
    ]
    assert before.lines == after.lines


class Gone(Actor):
    """Has ended when it is written to: `ab` is what `b` sends when it hears of `a`."""

    def a(self) -> None: ...
    def b(self) -> None: ...
    def aa(self) -> None: ...
    def ab(self) -> None: ...
    def ba(self) -> None: ...
    def bb(self) -> None: ...

    def quit(self) -> None:
        self.stop()


@pytest.mark.parametrize("raises_at", ["", "b"])
@virtual
async def test_what_two_observers_make_of_each_others_doing_has_one_order_for_all(
    raises_at: str,
) -> None:
    stories = [Story() for _ in range(3)]

    def reacting(own: str) -> Callable[[Event], None]:
        def react(event: Event) -> None:
            if isinstance(event, ChildExited) and event.path == "root/x":
                gone_ref.cast_nowait(getattr(Gone, own))
            elif isinstance(event, DeadLetter) and event.message in ("a", "b"):
                gone_ref.cast_nowait(getattr(Gone, event.message + own))
                if own == "b" and event.message == raises_at:
                    raise Boom

        return react

    x = child(Child, Story(), name="x", restart="temporary")
    gone = child(Gone, restart="temporary")
    before, between, after = stories
    observers: list[Callable[[Event], object]] = [
        *(before, reacting("a"), between, reacting("b"), after)
    ]
    async with open_tree(supervisor("root", x, gone), observers=observers) as tree:
        gone_ref = tree[gone]
        await gone_ref.cast(Gone.quit)
        await gone_ref.wait_stopped()
        for story in stories:
            story.forget()
        stream = tree.events()
        await tree[x].cast(Child.boom)
        await tree[x].wait_stopped()
        told = [*before.lines]
        assert names_of(tree.history[-len(before.events) :]) == names_of(before.events)
        streamed = [await anext(stream) for _ in before.events]
        assert streamed == before.events
        assert between.events == after.events == before.events
    letters = ("a", "b", "aa", "ab", "ba", "bb")
    assert told == [
        "root/x 1 dead letter boom: crashed the actor (Boom)",
        "root/x 1 crashed: Boom",
        *(f"root/gone 1 dead letter {name}: {ENDED}" for name in letters),
    ]


def names_of(events: Sequence[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


@pytest.mark.parametrize("kind", ["ChildStarted", "ChildExited", "PlaceClosed"])
@virtual
async def test_whatever_event_an_observer_raises_at(kind: str) -> None:
    def raising(event: Event) -> None:
        if type(event).__name__ == kind:
            raise Boom

    async with open_tree(dynamic("root"), observers=[raising, raising]) as tree:
        ref = await tree.supervisor("root").start_child(child(Child, Story(), name="x"))
        assert await ref.call(Child.ping) == "pong"
        await ref.call(Child.end)
        assert await ref.call(Child.ping) == "pong"


@virtual
async def test_an_observer_may_send_messages() -> None:
    """Events are told in the order in which things happen, also from inside of one."""
    story = Story()
    x = child(Child, story, name="x")
    noticed = child(Child, story, name="noticed")

    def sending(event: Event) -> None:
        if isinstance(event, ChildExited) and event.path == "root/x":
            ref[0].cast_nowait(Child.ping)

    ref: list[Ref[Child]] = []
    async with open_tree(
        supervisor("root", noticed, x), observers=[story, sending]
    ) as tree:
        ref.append(tree[noticed])
        await tree[x].cast(Child.boom)
        await tree[x].call(Child.ping)
        await tree[noticed].call(Child.ping)


@virtual
async def test_a_logging_handler_that_raises_harms_nobody() -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise Boom

    handler = Broken()
    logger = logging.getLogger("regrow")
    logger.addHandler(handler)
    story = Story()
    x = child(Child, Story(), name="x")
    try:
        async with open_tree(supervisor("root", x), observers=[story]) as tree:
            await tree[x].cast(Child.boom)
            assert await tree[x].call(Child.ping) == "pong"
    finally:
        logger.removeHandler(handler)
    assert story.lines[-1] == "root 1 shutdown when told"
