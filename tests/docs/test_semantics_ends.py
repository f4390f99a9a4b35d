"""How children stop and end, row by row of the tables in docs/semantics.md."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from attrs import Factory, define
from trio.testing import MockClock, wait_all_tasks_blocked

from regrow import (
    Actor,
    ActorInterruptedError,
    ActorStoppedError,
    ChildExited,
    Event,
    Ref,
    Shutdown,
    Supervisor,
    child,
    dynamic,
    grace,
    open_tree,
    supervisor,
)

from .pages import rows, section
from .workers import SEMANTICS, Worker, first_cells


@define
class Diary:
    """What happened when."""

    lines: list[str] = Factory(list)

    def note(self, what: str) -> None:
        self.lines.append(f"{trio.current_time():g} {what}")


@define(eq=False)
class Tidy(Actor):
    """Takes a second to tidy up, and before that however long it takes to start."""

    diary: Diary
    start: float = 0.0

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        try:
            await trio.sleep(self.start)
        except trio.Cancelled:
            self.diary.note("start cancelled")
            with grace():
                await trio.sleep(1)
                self.diary.note("start undone")
            raise
        yield
        self.diary.note("handler is through")
        await trio.sleep(1)
        self.diary.note("tidied up")

    async def work(self) -> None:
        await trio.sleep(1)


async def tidy(diary: Diary) -> None:
    try:
        with grace():
            await trio.sleep(2)
            diary.note("grace is over")
        await trio.sleep(1)
        diary.note("not reached")
    except trio.Cancelled:
        diary.note("cancelled")
        raise


# With `shutdown` seconds that are enough, that are not, and none at all.
SECONDS = (9, 1.5, 0)
STOPS: dict[str, tuple[list[str], list[str], list[str]]] = {
    "actor": (
        ["1 handler is through", "2 tidied up"],
        ["1 handler is through"],
        [],
    ),
    "service": (["2 grace is over", "2 cancelled"], ["1.5 cancelled"], ["0 cancelled"]),
    "supervisor": (
        ["2 grace is over", "2 cancelled"],
        ["1.5 cancelled"],
        ["0 cancelled"],
    ),
    "a child that is starting": (
        ["0 start cancelled", "1 start undone"],
        ["0 start cancelled", "1 start undone"],
        ["0 start cancelled"],
    ),
}


def test_every_kind_of_child_is_stopped() -> None:
    assert list(STOPS) == first_cells("Stopping and cutting off")


@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.parametrize("which", STOPS)
async def test_stopping_and_cutting_off(
    which: str, seconds: float, autojump_clock: MockClock
) -> None:
    diary = Diary()
    actor = child(Tidy, diary, shutdown=seconds)
    service = child(tidy, diary, shutdown=seconds)
    below = child(tidy, diary, shutdown=99)
    late = child(Tidy, diary, 99.0, shutdown=seconds)

    async with open_tree(dynamic("app")) as tree, trio.open_nursery() as nursery:
        app = tree.supervisor("app")

        async def start() -> None:
            match which:
                case "actor":
                    ref = await app.start_child(actor)
                    await ref.cast(Tidy.work)
                case "service":
                    await app.start_child(service)
                case "supervisor":
                    await app.start_child(supervisor("sup", below, shutdown=seconds))
                case _:
                    with suppress(ActorStoppedError, ActorInterruptedError):
                        await app.start_child(late)

        nursery.start_soon(start)
        await wait_all_tasks_blocked()
        await tree.stop()
    assert diary.lines == STOPS[which][SECONDS.index(seconds)]


async def leave(how: Exception | None) -> None:
    await trio.sleep(1)
    if how is not None:
        raise how


Way = Exception | Callable[[Worker], object] | None
WAYS: dict[str, list[Way]] = {
    "returns, or calls `self.stop()`": [None, Worker.leave],
    "raises `Shutdown`, or a group of nothing else": [
        Shutdown(),
        ExceptionGroup("", [Shutdown(), ExceptionGroup("", [Shutdown()])]),
        Worker.shut_down,
    ],
    "raises another `Exception`, or a group": [
        ValueError(),
        ExceptionGroup("", [ValueError(), Shutdown()]),
        Worker.crash,
    ],
}


def test_every_end_is_tried() -> None:
    assert list(WAYS) == first_cells("How a child ends")


def declared(way: Way, column: int) -> Supervisor:
    """Declare a tree whose `app/it` restarts as the column says."""
    if way is None or isinstance(way, Exception):
        service = (
            child(leave, way, name="it"),
            child(leave, way, name="it", restart="transient"),
            child(leave, way, name="it", restart="temporary"),
        )
        return supervisor("app", service[column])
    actor = (
        child(Worker, name="it"),
        child(Worker, name="it", restart="transient"),
        child(Worker, name="it", restart="temporary"),
    )
    return supervisor("app", actor[column])


@pytest.mark.parametrize(
    "row", rows(section(SEMANTICS, "How a child ends")), ids=list(WAYS)
)
@pytest.mark.parametrize(
    "column", range(3), ids=["permanent", "transient", "temporary"]
)
async def test_how_a_child_ends(
    row: list[str], column: int, autojump_clock: MockClock
) -> None:
    for way in WAYS[row[0]]:
        events: list[Event] = []
        spec = declared(way, column)
        async with open_tree(spec, observers=[events.append]) as tree:
            if callable(way):
                worker: Ref[Worker] = tree.ref("app/it", Worker)
                worker.cast_nowait(way)
            await trio.sleep(1.5)
            known = await tree.supervisor("app").which_children()
            ends = [event.reason for event in events if isinstance(event, ChildExited)]
        assert [reason.value for reason in ends] == [row[1].strip("`")]
        words = {"stopped": "stays down", "running": "restarted"}
        assert [words[child.status] for child in known] == (
            [] if row[2 + column] == "forgotten" else [row[2 + column]]
        )
