"""What becomes of the message in hand, row by row of the table in docs/semantics.md."""

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
from attrs import define
from trio.testing import MockClock, wait_all_tasks_blocked

from regrow import (
    AnswerDiscarded,
    DeadLetter,
    Event,
    Ref,
    Tree,
    child,
    open_tree,
    supervisor,
)

from .pages import rows, section
from .workers import SEMANTICS, Worker, crashed, dead_letters, state_of

DELIVERY = section(SEMANTICS, "Delivery")
TABLE = rows(DELIVERY[DELIVERY.index("The message in hand") :])


@define
class Scene:
    """An actor that gets one message, as a call or as a cast.

    Attributes:
        tree: Its tree.
        ref: The actor.
        nursery: For what goes on beside.
        as_call: Whether an answer is wanted.
        said: What became of it, as far as its sender knows.
    """

    tree: Tree
    ref: Ref[Worker]
    nursery: trio.Nursery
    as_call: bool
    said: list[str]

    async def send(self, message: Callable[..., object], *args: object) -> None:
        """Send it, and come back when it is in hand or done."""
        how: Callable[..., Awaitable[object]] = self.ref.cast
        if self.as_call:
            how = self.ref.call
        self.nursery.start_soon(state_of, partial(how, message, *args), self.said)
        await wait_all_tasks_blocked()


Scenario = Callable[[Scene], Awaitable[object]]
IN_HAND: dict[str, Scenario] = {}


def in_hand(which: str) -> Callable[[Scenario], Scenario]:
    def enter(scenario: Scenario) -> Scenario:
        IN_HAND[which] = scenario
        return scenario

    return enter


@in_hand("its handler returns")
async def _(scene: Scene) -> None:
    await scene.send(Worker.add, 1)


@in_hand("its handler raises what `@raises` names")
async def _(scene: Scene) -> None:
    await scene.send(Worker.refuse)


@in_hand("its handler raises anything else")
async def _(scene: Scene) -> None:
    await scene.send(Worker.crash)


@in_hand("its handler raises `Shutdown`")
async def _(scene: Scene) -> None:
    await scene.send(Worker.shut_down)


@in_hand("its handler calls `self.stop()` and returns")
async def _(scene: Scene) -> None:
    await scene.send(Worker.leave)


@in_hand("the actor is told to stop, and the handler returns in time")
async def _(scene: Scene) -> None:
    await scene.send(Worker.work, 4)
    await scene.tree.stop()


@in_hand("the actor is cut off")
async def _(scene: Scene) -> None:
    await scene.send(Worker.work, 6)
    await scene.tree.stop()


@in_hand("its arguments do not fit the method")
async def _(scene: Scene) -> None:
    await scene.send(Worker.add)


@in_hand("its caller gives up")
async def _(scene: Scene) -> None:
    if scene.as_call:
        with trio.move_on_after(1):
            await scene.ref.call(Worker.work, 2)
        assert await scene.ref.call(Worker.add, 1) == [1]
    scene.said.append("gave up")


@in_hand("its answer is deferred, and the actor crashes")
async def _(scene: Scene) -> None:
    await scene.send(Worker.defer)
    await crashed(scene.ref)


@in_hand("its answer is deferred, and the actor stops")
async def _(scene: Scene) -> None:
    await scene.send(Worker.defer)
    await scene.tree.stop()


def test_every_row_is_tried_once() -> None:
    assert list(IN_HAND) == [row[0] for row in TABLE]


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
@pytest.mark.parametrize("as_call", [True, False], ids=["call", "cast"])
async def test_what_becomes_of_it(
    row: list[str], as_call: bool, autojump_clock: MockClock
) -> None:
    expected, _, then = row[1 if as_call else 2].partition("; ")
    spec = child(Worker, restart="transient")
    events: list[Event] = []
    said: list[str] = []
    async with (
        open_tree(supervisor("app", spec), observers=[events.append]) as tree,
        trio.open_nursery() as nursery,
    ):
        await IN_HAND[row[0]](Scene(tree, tree[spec], nursery, as_call, said))
        await wait_all_tasks_blocked()
        incarnation = tree.snapshot().find("app/worker").incarnation
    if then == "the actor lives on":
        assert incarnation == 1
    told = [
        event for event in events if isinstance(event, DeadLetter | AnswerDiscarded)
    ]
    match expected:
        case "the value":
            assert said[0] in {"[1]", "left", "worked"}
            assert told == []
        case "that exception":
            assert (said, told) == (["AnswerError"], [])
        case "nothing" | "–":  # noqa: RUF001 - the table has it so
            assert (said, told) == (["gave up"], [])
        case "is done":
            assert (said, told) == (["returned"], [])
        case "dead letter":
            assert said == ["returned"]
            assert len(dead_letters(told)) == len(told) == 1
        case "`AnswerDiscarded` event":
            assert [type(event) for event in told] == [AnswerDiscarded]
        case _:
            assert (said, told) == ([expected.split(",")[0]], [])
