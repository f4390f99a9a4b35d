"""What README.md says of a bare nursery and of regrow, and the trees that it draws."""

import re
from collections.abc import Iterator, Mapping, Sequence

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from examples import kv_server
from regrow import (
    ActorSpec,
    AnySpec,
    ChildStuck,
    Dynamic,
    Event,
    ServiceSpec,
    Supervisor,
    child,
    open_tree,
    supervisor,
)

from .pages import ROOT, blocks, fold, rows, section
from .workers import Worker, crashed

README = ROOT / "README.md"
BARE, OURS = 1, 2
TABLE = {row[0]: row for row in rows(section(README, "How it compares"))}


# ------------------------------------------------------------------------ the drawings


def kind(spec: object) -> str:
    match spec:
        case Dynamic(max_children=most):
            return f"dynamic, at most {most:g} children"
        case Supervisor(strategy=strategy, intensity=intensity, period=period):
            limit = f"at most {intensity} restarts in {period:g} seconds"
            return f"supervisor, {strategy}: {limit}"
        case ActorSpec(restart=restart):
            return f"actor, {restart}"
        case ServiceSpec(restart=restart):
            return f"service, {restart}"
        case _:
            raise TypeError(spec)


def drawing(
    spec: object, added: Mapping[str, Sequence[AnySpec]], before: str = ""
) -> Iterator[str]:
    """Draw what is declared, and the children *added* to a dynamic, by its name."""
    if not before:
        yield f"{getattr(spec, 'name', '')} {kind(spec)}"
    if not isinstance(spec, Supervisor | Dynamic):
        return
    below = [(each.name, each) for each in spec.children]
    new = added.get(spec.name, ())
    below += [(f"{each.name}-{number}", each) for number, each in enumerate(new, 1)]
    for position, (name, each) in enumerate(below, 1):
        last = position == len(below)
        yield f"{before}{'└── ' if last else '├── '}{name} {kind(each)}"
        yield from drawing(each, added, before + ("    " if last else "│   "))


def drawn_in_the_readme() -> list[list[str]]:
    return [
        [fold(line) for line in block.code.splitlines()]
        for block in blocks(README, "text")
        if "──" in block.code
    ]


def test_the_quickstarts_tree_is_as_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trio, "run", lambda main: None)
    quickstart, *_ = blocks(README, "python")
    names: dict[str, object] = {"__name__": "quickstart"}
    exec(quickstart.code, names)  # noqa: S102 - it is our own page
    assert drawn_in_the_readme()[0] == [
        fold(line) for line in drawing(names["bank"], {})
    ]


class Nobody(trio.abc.Listener[trio.abc.Stream]):
    async def accept(self) -> trio.abc.Stream:
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError


async def session() -> None:
    """Stands for that of the example, which wants a connection."""


def test_the_key_value_servers_tree_is_as_drawn() -> None:
    spec = kv_server.kv_server(Nobody())
    clients = [child(session, restart="temporary")] * 2
    lines = [fold(line) for line in drawing(spec, {"sessions": clients})]
    assert drawn_in_the_readme()[1] == lines


# ---------------------------------------------------------------------- the comparison


async def fail() -> None:
    raise ValueError("bug")


async def test_one_task_fails(autojump_clock: MockClock) -> None:
    row = TABLE["one task fails"]
    ends: list[str] = []

    async def sibling() -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            ends.append("cancelled")
            raise

    with pytest.RaisesGroup(ValueError):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sibling)
            nursery.start_soon(fail)
    assert ends == ["cancelled"]
    assert row[BARE] == "its siblings are cancelled, the error leaves the nursery"

    ends.clear()
    worker = child(Worker)
    async with open_tree(supervisor("app", worker, child(sibling))) as tree:
        await crashed(tree[worker])
        assert await tree[worker].call(Worker.add, 1) == [1]
        assert ends == []
    assert row[OURS] == "it is restarted, with those that its strategy names"


async def deaf() -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep(5)


async def test_a_task_that_ignores_being_cancelled(autojump_clock: MockClock) -> None:
    row = TABLE["a task that ignores being cancelled"]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(deaf)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert trio.current_time() == 5
    assert row[BARE] == "waits silently"

    events: list[Event] = []
    async with open_tree(
        supervisor("app", child(deaf, shutdown=0)), observers=[events.append]
    ):
        await wait_all_tasks_blocked()
    assert trio.current_time() == 10
    stuck = [event for event in events if isinstance(event, ChildStuck)]
    assert any("in deaf" in line for line in stuck[0].stack)
    assert row[OURS] == "waits, and reports the stack it waits in"


async def test_waiting_messages_when_an_actor_crashes() -> None:
    row = TABLE["waiting messages when an actor crashes"]
    worker = child(Worker)
    async with open_tree(supervisor("app", worker)) as tree:
        tree[worker].cast_nowait(Worker.crash)
        tree[worker].cast_nowait(Worker.add, 1)
        assert await tree[worker].call(Worker.add, 2) == [1, 2]
    assert row[OURS] == "wait for the next incarnation"


# ----------------------------------------------------------------------- the questions


def test_every_question_is_a_test() -> None:
    text = section(README, "How it compares")
    asked = [row[0] for row in rows(text[text.index("| | question") :])]
    tests = (ROOT / "tests" / "runtime" / "test_peers.py").read_text("utf-8")
    tested = re.findall(r"^(?:async )?def test_(p\d+)_", tests, re.MULTILINE)
    assert {number.lower() for number in asked} == {*tested, "p16"}
    assert asked == [f"P{number}" for number in range(1, 17)]
