"""What comes out of `open_tree`, row by row of the table in docs/semantics.md."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from regrow import (
    Actor,
    ActorCrashedError,
    CallError,
    ChildExited,
    Event,
    Ref,
    RestartLimitExceededError,
    SpecError,
    StartFailedError,
    Supervisor,
    Tree,
    child,
    open_tree,
    supervisor,
)

from .pages import rows, section
from .workers import SEMANTICS, Slow, Worker

TABLE = rows(section(SEMANTICS, "What comes out of open_tree"))

Outcome = Callable[[], Awaitable[BaseException | None]]
OUTCOMES: dict[tuple[str, str], Outcome] = {}


def outcome(block: str, tree: str) -> Callable[[Outcome], None]:
    def enter(scenario: Outcome) -> None:
        OUTCOMES[block, tree] = scenario

    return enter


async def what_comes_out(
    body: Callable[[Tree], Awaitable[object]], spec: Supervisor | None = None
) -> BaseException | None:
    spec = spec or supervisor("app", child(Worker), intensity=0)
    try:
        async with open_tree(spec) as tree:
            await body(tree)
    except Exception as error:  # noqa: BLE001 - that is the question
        return error
    return None


async def wait(_: Tree) -> None:
    await trio.sleep_forever()


async def never(_: Tree) -> None:
    pytest.fail("the block was begun")


def worker(tree: Tree) -> Ref[Worker]:
    return tree.ref("app/worker", Worker)


async def give_up(tree: Tree) -> None:
    await worker(tree).cast(Worker.crash)


@outcome("returns", "stops in order")
async def _() -> BaseException | None:
    return await what_comes_out(lambda tree: worker(tree).call(Worker.add, 1))


@outcome("raises", "stops in order")
async def _() -> BaseException | None:
    async def body(_: Tree) -> None:
        raise KeyError("mine")

    return await what_comes_out(body)


@outcome("is cancelled from outside", "stops in order")
async def _() -> BaseException | None:
    came: list[BaseException] = []
    with trio.move_on_after(1) as scope:
        try:
            async with open_tree(supervisor("app", child(Worker))) as tree:
                await wait(tree)
        except BaseException as error:
            came.append(error)
            raise
    assert scope.cancelled_caught
    return came[0]


@outcome("runs", "gives up")
async def _() -> BaseException | None:
    states: list[str] = []

    async def body(tree: Tree) -> None:
        await give_up(tree)
        try:
            await wait(tree)
        finally:
            states.append(tree.snapshot().find("app/slow").status)

    spec = supervisor("app", child(Slow), child(Worker), intensity=0)
    error = await what_comes_out(body, spec)
    assert states == ["stopping"]  # it did not wait for that
    return error


@outcome("is waiting for one of the tree's actors", "gives up")
async def _() -> BaseException | None:
    async def body(tree: Tree) -> None:
        await give_up(tree)
        with trio.CancelScope(shield=True), pytest.raises(CallError) as caught:
            await worker(tree).call(Worker.add, 1)
        raise caught.value

    def at_once(tree: Tree) -> Awaitable[object]:
        return worker(tree).call(Worker.crash)

    async def caught(tree: Tree) -> None:
        with pytest.raises(ActorCrashedError):
            await at_once(tree)

    # The block may end in the same moment, and its tasks run in any order.
    outcomes = [await what_comes_out(each) for each in (at_once, caught) * 20]
    assert {type(error) for error in outcomes} == {RestartLimitExceededError}
    return await what_comes_out(body)


@outcome("raises while it is being cancelled", "gives up")
async def _() -> BaseException | None:
    async def body(tree: Tree) -> None:
        await give_up(tree)
        try:
            await wait(tree)
        finally:
            raise KeyError("mine")

    return await what_comes_out(body)


@outcome("is not begun", "a child does not start")
async def _() -> BaseException | None:
    def factory() -> Worker:
        raise OSError("disk")

    spec = supervisor("app", supervisor("inner", child(factory)))
    error = await what_comes_out(never, spec)
    assert isinstance(error, StartFailedError)
    assert str(error.root_cause) == "disk"
    return error


@outcome("is not begun", "is declared wrongly")
async def _() -> BaseException | None:
    await trio.lowlevel.checkpoint()
    elsewhere = child(trio.sleep_forever).ref
    events: list[Event] = []
    with pytest.raises(SpecError) as caught:
        open_tree(
            supervisor("app", child(print_, elsewhere)), observers=[events.append]
        )
    assert events == []
    return caught.value


async def print_(what: object) -> None:
    pytest.fail(f"a service was started with {what}")


@outcome(
    "runs",
    "a child raises `KeyboardInterrupt`, `SystemExit` or another `BaseException`",
)
async def _() -> BaseException | None:
    class OddError(BaseException):
        pass

    async def fall(kind: type[BaseException]) -> None:
        raise kind

    came: list[BaseException] = []
    for kind in (OddError, SystemExit, KeyboardInterrupt):
        try:
            async with open_tree(supervisor("app", child(fall, kind))) as tree:
                await wait(tree)
        except BaseException as error:  # noqa: BLE001 - that is the question
            came.append(error)
    assert [type(error) for error in came] == [OddError, SystemExit, KeyboardInterrupt]
    return came[-1]


@outcome("returns", "a child crashes while it is being stopped")
async def _() -> BaseException | None:
    class Leaving(Actor):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            yield
            raise OSError("disk")

    events: list[Event] = []
    async with open_tree(supervisor("app", child(Leaving)), observers=[events.append]):
        pass
    crashes = [e for e in events if isinstance(e, ChildExited) and e.error is not None]
    assert [(e.path, str(e.error)) for e in crashes] == [("app/leaving", "disk")]
    return None


@outcome("runs", "ends by itself in order (`auto_shutdown`)")
async def _() -> BaseException | None:
    went_on: list[Tree] = []

    async def body(tree: Tree) -> None:
        await tree.wait_stopped()
        await trio.sleep(1)
        went_on.append(tree)

    only = child(trio.sleep, 1, restart="transient", significant=True)
    spec = supervisor("app", only, auto_shutdown="any_significant")
    error = await what_comes_out(body, spec)
    assert went_on
    return error


@outcome("calls `tree.kill()`", "is cut off")
async def _() -> BaseException | None:
    went_on: list[Tree] = []

    async def body(tree: Tree) -> None:
        tree.kill()
        await trio.sleep(1)
        went_on.append(tree)

    error = await what_comes_out(body)
    assert went_on
    return error


def test_every_row_is_tried_once() -> None:
    assert list(OUTCOMES) == [(row[0], row[1]) for row in TABLE]


@pytest.mark.parametrize(
    ("block", "tree", "expected"), TABLE, ids=[f"{a}, {b}" for a, b, _ in TABLE]
)
async def test_what_comes_out(
    block: str, tree: str, expected: str, autojump_clock: MockClock
) -> None:
    error = await OUTCOMES[block, tree]()
    match expected:
        case _ if expected.startswith("nothing"):
            assert error is None
        case "the block's exception":
            assert isinstance(error, KeyError)
        case "that exception":
            assert isinstance(error, KeyboardInterrupt)
        case "a group of both":
            assert isinstance(error, ExceptionGroup)
            assert [type(each) for each in error.exceptions] == [
                KeyError,
                RestartLimitExceededError,
            ]
        case _:
            assert expected.startswith(f"`{type(error).__name__}`")
