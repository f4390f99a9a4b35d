"""Each error of docs/errors.md is raised, and has the text that the page shows."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from attrs import define
from trio.testing import MockClock, wait_all_tasks_blocked

import regrow
from regrow import (
    Actor,
    ActorCrashedError,
    AnySpec,
    CallError,
    ChildStartFailed,
    Event,
    Heartbeat,
    HeartbeatMissedError,
    Mailbox,
    MissingExtraError,
    RegrowError,
    StartFailedError,
    SupervisorRef,
    Tree,
    child,
    dynamic,
    open_tree,
    supervisor,
)
from regrow.observe.web._bind import Address

from .pages import ROOT, blocks, fold, section

PAGE = ROOT / "docs" / "errors.md"
TITLES = re.findall(r"^### (\w+)$", PAGE.read_text("utf-8"), re.MULTILINE)
# These only gather others.
BASES = {"RegrowError", "CallError", "SupervisorCallError"}


@define(eq=False)
class Worker(Actor):
    """Whatever goes wrong here."""

    async def work(self, seconds: float = 0) -> None:
        await trio.sleep(seconds)

    def fail(self) -> None:
        raise ValueError("bug")

    async def ask_itself(self) -> None:
        await self.ref.call(Worker.work)


class Adder(Actor):
    """Another one."""

    def add(self) -> None:
        pass


async def slow(*, task_status: trio.TaskStatus[None]) -> None:
    await trio.sleep_forever()


worker = child(Worker)

Raiser = Callable[[], Awaitable[object]]
RAISERS: dict[str, Raiser] = {}


def error(name: str) -> Callable[[Raiser], Raiser]:
    def enter(raiser: Raiser) -> Raiser:
        RAISERS[name] = raiser
        return raiser

    return enter


async def never(_: Tree) -> None:
    pytest.fail("the tree was up")


async def in_tree(
    body: Callable[[Tree], Awaitable[object]], spec: AnySpec = worker
) -> None:
    async with open_tree(supervisor("app", spec)) as tree:
        await body(tree)


async def in_dynamic(body: Callable[[SupervisorRef], Awaitable[object]]) -> None:
    async with open_tree(dynamic("app", max_children=1)) as tree:
        await body(tree.supervisor("app"))


@error("SpecError")
async def _() -> None:
    always: Any = "always"
    supervisor("app", child(Worker, restart=always), worker)


@error("UnboundRefError")
async def _() -> None:
    await worker.ref.call(Worker.work)


@error("StartFailedError")
async def _() -> None:
    def broken() -> Worker:
        raise OSError("disk")

    await in_tree(never, supervisor("inner", child(broken, name="worker")))


@error("StartTimeoutError")
async def _() -> None:
    try:
        await in_tree(never, child(slow, name="worker", start_timeout=2))
    except StartFailedError as failed:
        raise failed.root_cause from None


@error("StartCancelledError")
async def _() -> None:
    events: list[Event] = []
    spec = supervisor("app", child(slow, name="worker"))
    with trio.move_on_after(1):
        async with open_tree(spec, observers=[events.append]) as tree:
            await never(tree)
    failed = [event.error for event in events if isinstance(event, ChildStartFailed)]
    raise failed[0]


@error("NotAnActorError")
async def _() -> None:
    def forgetful() -> Any:
        return None

    try:
        await in_tree(never, child(forgetful, name="worker"))
    except StartFailedError as failed:
        raise failed.root_cause from None


@error("RestartLimitExceededError")
async def _() -> None:
    async def body(tree: Tree) -> None:
        for _ in range(4):
            with pytest.raises(ActorCrashedError):
                await tree[worker].call(Worker.fail)
        await trio.sleep_forever()

    await in_tree(body)


@error("HeartbeatMissedError")
async def _() -> None:
    spec = child(Worker, heartbeat=Heartbeat(1, 2))
    try:
        await in_tree(lambda tree: tree[spec].call(Worker.work, 9), spec)
    except ActorCrashedError as crashed:
        hung = crashed.__cause__
        assert isinstance(hung, HeartbeatMissedError)
        assert hung.where == hung.stack[3]
        assert hung.where.endswith(" in work")
        stack = ["worker.py:12 in work"]  # not of this machine
        raise HeartbeatMissedError(
            hung.path, hung.misses, hung.seconds, stack
        ) from None


@error("ActorCrashedError")
async def _() -> None:
    class Failing(Actor):
        def work(self) -> None:
            raise ValueError("bug")

    spec = child(Failing, name="worker")
    await in_tree(lambda tree: tree[spec].call(Failing.work), spec)


@error("ActorInterruptedError")
async def _() -> None:
    hasty = child(Worker, shutdown=1)
    failures: list[CallError] = []

    async def call(tree: Tree) -> None:
        try:
            await tree[hasty].call(Worker.work, 9)
        except CallError as failed:
            failures.append(failed)

    async with (
        open_tree(supervisor("app", hasty)) as tree,
        trio.open_nursery() as tasks,
    ):
        tasks.start_soon(call, tree)
        await wait_all_tasks_blocked()
        await tree.stop()
    raise failures[0]


@error("ActorStoppedError")
async def _() -> None:
    async def body(tree: Tree) -> None:
        await tree.supervisor("app").terminate_child("worker")
        await tree[worker].call(Worker.work)

    await in_tree(body)


@error("MailboxFullError")
async def _() -> None:
    spec = child(Worker, mailbox=Mailbox(1, on_full="raise"))

    async def body(tree: Tree) -> None:
        for _ in range(3):
            tree[spec].cast_nowait(Worker.work, 1)

    await in_tree(body, spec)


@error("MailboxClearedError")
async def _() -> None:
    spec = child(Worker, mailbox=Mailbox(on_restart="clear"))

    async def body(tree: Tree) -> None:
        await tree[spec].cast(Worker.fail)
        await tree[spec].call(Worker.work)

    await in_tree(body, spec)


@error("CallCycleError")
async def _() -> None:
    try:
        await in_tree(lambda tree: tree[worker].call(Worker.ask_itself))
    except ActorCrashedError as crashed:
        cause = crashed.__cause__
        assert cause is not None
        raise cause from None


@error("MessageError")
async def _() -> None:
    message: Any = Adder.add
    await in_tree(lambda tree: tree[worker].call(message))


@error("ChildExistsError")
async def _() -> None:
    again = child(Worker)
    await in_tree(lambda tree: tree.supervisor("app").start_child(again))


@error("ChildNotFoundError")
async def _() -> None:
    await in_tree(lambda tree: tree.supervisor("app").get_child_spec("wroker"))


@error("ChildActiveError")
async def _() -> None:
    await in_tree(lambda tree: tree.supervisor("app").restart_child("worker"))


@error("ChildForgottenError")
async def _() -> None:
    await in_dynamic(lambda app: app.restart_child("worker"))


@error("MaxChildrenError")
async def _() -> None:
    async def body(app: SupervisorRef) -> None:
        for _ in range(2):
            await app.start_child(child(Worker))

    await in_dynamic(body)


@error("PlaceNotFoundError")
async def _() -> None:
    async def body(tree: Tree) -> None:
        tree.ref("app/wroker", Worker)

    await in_tree(body)


@error("NotRunningError")
async def _() -> None:
    async def body(tree: Tree) -> None:
        await tree.supervisor("app").terminate_child("worker")
        tree[worker].suspend()

    await in_tree(body)


@error("ControlSocketError")
async def _() -> None:
    async with open_tree(supervisor("app"), control="no/such/folder/s"):
        raise AssertionError


@error("NotInTreeError")
async def _() -> None:
    Worker().stop()
    await trio.lowlevel.checkpoint()


@error("AddressError")
async def _() -> None:
    await trio.lowlevel.checkpoint()
    Address.read("8000 ")


@error("MissingExtraError")
async def _() -> None:
    await trio.lowlevel.checkpoint()
    raise MissingExtraError("web", "starlette")


ERRORS = {
    name: kind
    for name, kind in vars(regrow).items()
    if isinstance(kind, type) and issubclass(kind, RegrowError)
}


def test_every_error_has_its_section_and_its_raiser() -> None:
    assert sorted(TITLES) == sorted(ERRORS.keys() - BASES) == sorted(RAISERS)


@pytest.mark.parametrize("title", TITLES)
async def test_the_page_shows_the_text_of(
    title: str, autojump_clock: MockClock
) -> None:
    shown = re.search(r"```text\n(.*?)```", section(PAGE, title), re.DOTALL)
    assert shown is not None
    with pytest.raises(RegrowError) as caught:
        await RAISERS[title]()
    assert type(caught.value).__name__ == title
    assert fold(str(caught.value)) == fold(shown[1])


def test_the_page_draws_the_tree_of_errors() -> None:
    drawing, *_ = blocks(PAGE, "text")
    above: list[str] = []
    drawn: list[str] = []
    for line in drawing.code.splitlines():
        name, _, builtin = line.lstrip("│├└─ ").rstrip(")").partition(" (")
        depth = (len(line) - len(line.lstrip("│├└─ "))) // 4
        bases = [base.__name__ for base in ERRORS[name].__bases__]
        above = [*above[:depth], name]
        parent = above[depth - 1] if depth else "Exception"
        assert bases == [parent, *([builtin] if builtin else [])]
        drawn.append(name)
    assert sorted(drawn) == sorted(ERRORS)
