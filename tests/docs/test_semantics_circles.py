"""Calls that could never be answered, by the list in docs/semantics.md."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from attrs import define, field
from trio.testing import MockClock, wait_all_tasks_blocked

from regrow import (
    Actor,
    CallCycleError,
    Mailbox,
    Ref,
    child,
    open_tree,
    supervisor,
)

from .pages import fold, section
from .workers import SEMANTICS, Worker

Do = Callable[[Ref["Asker"]], Awaitable[object]]


@define(eq=False)
class Asker(Actor):
    """Does something in its own task and keeps what comes of it."""

    circles: list[tuple[str, ...]]
    first: Do | None = None
    last: Do | None = None
    nursery: trio.Nursery = field(init=False)

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        async with trio.open_nursery() as self.nursery:
            if self.first is not None:
                await self.do(self.first)
            yield
            if self.last is not None:
                await self.do(self.last)
            self.nursery.cancel_scope.cancel()

    async def do(self, what: Do) -> None:
        try:
            await what(self.ref)
        except CallCycleError as error:
            self.circles.append(error.circle)

    def do_beside(self, what: Do) -> None:
        self.nursery.start_soon(self.do, what)

    def nothing(self) -> None:
        pass


Scenario = Callable[[list[tuple[str, ...]]], Awaitable[None]]
CIRCLES: dict[str, tuple[list[tuple[str, ...]], Scenario]] = {}


def circles(said: str, *expected: tuple[str, ...]) -> Callable[[Scenario], Scenario]:
    def enter(scenario: Scenario) -> Scenario:
        CIRCLES[said] = ([*expected], scenario)
        return scenario

    return enter


@circles(
    "an actor calls itself, or calls one that is waiting for it, over however many "
    "others;",
    ("app/a",),
    ("app/c", "app/a", "app/b"),
)
async def _(found: list[tuple[str, ...]]) -> None:
    a, b, c = (child(Asker, found, name=name) for name in "abc")
    async with open_tree(supervisor("app", a, b, c)) as tree:
        await tree[a].call(Asker.do, lambda ref: ref.call(Asker.nothing))

        async def through_c(_: Ref[Asker]) -> None:
            await tree[c].call(Asker.do, lambda _: tree[a].call(Asker.nothing))

        async def through_b(_: Ref[Asker]) -> None:
            await tree[b].call(Asker.do, through_c)

        await tree[a].call(Asker.do, through_b)


@circles(
    "an actor asks its own supervisor to stop it, or asks it for anything while it is "
    "itself being started or stopped;",
    *[("app/a", "app")] * 3,
)
async def _(found: list[tuple[str, ...]]) -> None:
    async with open_tree(supervisor("app")) as tree:
        app = tree.supervisor("app")

        async def ask(_: Ref[Asker]) -> None:
            await app.count_children()

        ref = await app.start_child(child(Asker, found, ask, ask, name="a"))
        await ref.call(Asker.do, ask)  # while it runs, it may
        await ref.call(Asker.do, lambda _: app.terminate_child("a"))


@circles(
    "an actor casts to a mailbox whose room it would have to make itself;",
    ("app/a",),
)
async def _(found: list[tuple[str, ...]]) -> None:
    a = child(Asker, found, name="a", mailbox=Mailbox(1))

    async def twice(ref: Ref[Asker]) -> None:
        await ref.cast(Asker.nothing)
        await ref.cast(Asker.nothing)

    async with open_tree(supervisor("app", a)) as tree:
        await tree[a].call(Asker.do, twice)


@circles(
    "an actor calls a place whose child is started only after its own;",
    ("app/a", "app/worker", "app"),
)
async def _(found: list[tuple[str, ...]]) -> None:
    worker = child(Worker)

    def asker(later: Ref[Worker]) -> Asker:
        return Asker(found, lambda _: later.call(Worker.add, 1))

    a = child(asker, worker.ref, name="a")
    async with open_tree(supervisor("app", a, worker)):
        pass


@circles(
    "an actor calls a sibling that has crashed, and is to be stopped for the same restart.",
    ("app/a", "app/worker", "app"),
)
async def _(found: list[tuple[str, ...]]) -> None:
    worker = child(Worker)
    a = child(Asker, found, name="a")
    spec = supervisor("app", worker, a, strategy="rest_for_one")
    async with open_tree(spec) as tree:

        async def call(_: Ref[Asker]) -> None:
            await tree[worker].call(Worker.add, 1)

        async def call_after_a_crash(ref: Ref[Asker]) -> None:
            await tree[worker].cast(Worker.crash)
            await call(ref)

        await tree[a].call(Asker.do, call_after_a_crash)
        await tree[a].call(Asker.do, call)  # it was over with the restart


def test_every_point_of_the_list_is_tried() -> None:
    text = section(SEMANTICS, "Calls that could never be answered")
    points = re.findall(r"^- ((?:.|\n  )+)$", text, re.MULTILINE)
    assert [fold(point) for point in points] == list(CIRCLES)


@pytest.mark.parametrize("said", CIRCLES)
async def test_circles(said: str, autojump_clock: MockClock) -> None:
    expected, scenario = CIRCLES[said]
    found: list[tuple[str, ...]] = []
    await scenario(found)
    assert found == expected


async def test_a_task_beside_the_actors_own_closes_no_circle(
    autojump_clock: MockClock,
) -> None:
    found: list[tuple[str, ...]] = []
    answered: list[bool] = []
    a = child(Asker, found)

    async def call(ref: Ref[Asker]) -> None:
        await ref.call(Asker.nothing)
        answered.append(True)

    async with open_tree(supervisor("app", a)) as tree:
        await tree[a].call(Asker.do_beside, call)
        await wait_all_tasks_blocked()
    assert (found, answered) == ([], [True])
