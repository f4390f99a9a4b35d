"""Following the messages of a tree, and what is the same whether anybody does or not."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import trio
from attrs import define, field

from regrow import (
    Actor,
    ActorCrashedError,
    Deferred,
    MessageError,
    Ref,
    Tree,
    child,
    raises,
    supervisor,
)
from regrow._runtime.actor_place import NO_HANDLERS, ActorPlace
from regrow._runtime.following import Handled, follow, unfollow
from regrow._runtime.host import Host
from regrow._runtime.tree import running_of

from .trees import open_tree, virtual


class Notes:
    """A follower that notes what it sees."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.sent_count = 0

    def sent(self) -> int:
        self.sent_count += 1
        return self.sent_count

    @contextmanager
    def handling(self, message: Handled, note: object) -> Generator[None]:
        how = "timer" if message.from_timer else "call" if message.is_call else "cast"
        line = f"{message.place.path} {message.incarnation} {message.method} {how}"
        self.lines.append(f"{line} {note}")
        try:
            yield
        except BaseException as error:
            self.lines.append(f"{type(error).__name__}")
            raise
        else:
            self.lines.append("done")


@define(eq=False)
class Worker(Actor):
    seen: list[str] = field(factory=list)

    def add(self, a: int, b: int = 1) -> int:
        return a + b

    async def slow(self, seconds: float) -> str:
        await trio.sleep(seconds)
        return "slept"

    def fail(self, error: BaseException) -> None:
        raise error

    @raises(KeyError)
    def find(self, name: str) -> str:
        raise KeyError(name)

    def later(self) -> Deferred[str]:
        deferred = Deferred[str]()
        deferred.reply("later")
        return deferred

    def wrong_inside(self) -> None:
        self.add()  # type: ignore[call-arg]

    def every(self) -> None:
        self.send_every(1, Worker.add, 1)


def host_of(tree: Tree) -> Host:
    return running_of(tree).host


def worker_of(tree: Tree) -> Ref[Worker]:
    return tree.ref("app/worker", Worker)


async def answers(worker: Ref[Worker]) -> list[object]:
    """Send everything that there is, and give what comes back."""

    async def told(method: Any, *args: object, **kwargs: object) -> object:
        try:
            return await worker.call(method, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - that is what is compared
            cause = error.__cause__
            return (type(error), str(error), type(cause), str(cause))

    return [
        await told(Worker.add, 1, b=2),
        await told(Worker.slow, 1),
        await told(Worker.find, "x"),
        await told(Worker.later),
        await told(Worker.add),
        await told(Worker.add, 1, 2, 3),
        await told(Worker.slow),
        await told(Worker.wrong_inside),
        await told(Worker.fail, OSError("gone")),
        await told(Worker.add, 1),
    ]


@virtual
async def test_followed_or_not_a_message_does_the_same() -> None:
    found = []
    for followed in (False, True):
        async with open_tree(supervisor("app", child(Worker))) as tree:
            if followed:
                follow(host_of(tree), Notes())
            found.append(await answers(worker_of(tree)))
            snapshot = tree.snapshot("app/worker")
            assert (snapshot.incarnation, snapshot.restarts) == (3, 2)
    assert found[0] == found[1]
    assert found[0][4:6] == [
        (
            MessageError,
            (
                "message to 'app/worker': Worker.add() missing 1 required positional "
                "argument: 'a'"
            ),
            TypeError,
            "Worker.add() missing 1 required positional argument: 'a'",
        ),
        (
            MessageError,
            (
                "message to 'app/worker': Worker.add() takes from 2 to 3 positional "
                "arguments but 4 were given"
            ),
            TypeError,
            "Worker.add() takes from 2 to 3 positional arguments but 4 were given",
        ),
    ]


@virtual
async def test_what_a_follower_sees() -> None:
    notes = Notes()
    async with open_tree(supervisor("app", child(Worker))) as tree:
        worker = worker_of(tree)
        await worker.call(Worker.add, 1)  # looked up already
        follow(host_of(tree), notes)
        await worker.call(Worker.add, 1)
        await worker.cast(Worker.slow, 2)
        await trio.sleep(3)
        with pytest.raises(ActorCrashedError):
            await worker.call(Worker.fail, OSError())
        with pytest.raises(KeyError):
            await worker.call(Worker.find, "x")
        unfollow(host_of(tree), notes)
        await worker.call(Worker.add, 1)
    assert notes.lines == [
        "app/worker 1 Worker.add call 1",
        "done",
        "app/worker 1 Worker.slow cast 2",
        "done",
        "app/worker 1 Worker.fail call 3",
        "OSError",
        "app/worker 2 Worker.find call 4",
        "KeyError",
    ]


@virtual
async def test_timers_are_followed_from_the_next_time_on_and_no_longer() -> None:
    notes = Notes()
    async with open_tree(supervisor("app", child(Worker))) as tree:
        await worker_of(tree).call(Worker.every)
        await trio.sleep(1.5)
        follow(host_of(tree), notes)
        await trio.sleep(2)
        unfollow(host_of(tree), notes)
        await trio.sleep(2)
    assert notes.lines == [
        "app/worker 1 Worker.add timer 1",
        "done",
        "app/worker 1 Worker.add timer 2",
        "done",
    ]


@virtual
async def test_messages_that_wait_for_an_unknown_class_keep_their_notes() -> None:
    notes = Notes()
    made = partial(Worker)
    async with open_tree(supervisor("app", child(made, name="worker"))) as tree:
        worker = worker_of(tree)
        follow(host_of(tree), notes)
        await worker.cast(Worker.fail, OSError())
        await worker.call(Worker.add, 1)
    assert notes.lines == [
        "app/worker 1 Worker.fail cast 1",
        "OSError",
        "app/worker 2 Worker.add call 2",
        "done",
    ]


@virtual
async def test_places_that_come_later_are_followed_too() -> None:
    notes = Notes()
    async with open_tree(supervisor("app")) as tree:
        follow(host_of(tree), notes)
        late = await tree.supervisor("app").start_child(child(Worker))
        await late.call(Worker.add, 1)
    assert notes.lines == ["app/worker 1 Worker.add call 1", "done"]


@virtual
async def test_several_follow_each_by_itself() -> None:
    first, second = Notes(), Notes()
    async with open_tree(supervisor("app", child(Worker))) as tree:
        worker = worker_of(tree)
        follow(host_of(tree), first)
        await worker.call(Worker.add, 1)
        follow(host_of(tree), second)
        await worker.call(Worker.add, 1)
        unfollow(host_of(tree), first)
        await worker.call(Worker.add, 1)
    assert len(first.lines) == len(second.lines) == 4


class Broken(Notes):
    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def sent(self) -> int:
        if self.where == "sent":
            raise RuntimeError("broken follower")
        return 1

    @contextmanager
    def handling(self, message: Handled, note: object) -> Generator[None]:
        if self.where == "enter":
            raise RuntimeError("broken follower")
        try:
            yield
        finally:
            if self.where == "leave":
                raise RuntimeError("broken follower")


@pytest.mark.parametrize("where", ["sent", "enter", "leave"])
def test_one_that_raises_is_logged_and_dropped(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    notes = Notes()

    @virtual
    async def run() -> None:
        async with open_tree(supervisor("app", child(Worker))) as tree:
            follow(host_of(tree), Broken(where))
            follow(host_of(tree), notes)
            worker = worker_of(tree)
            assert await worker.call(Worker.add, 1) == 2
            assert await worker.call(Worker.slow, 1) == "slept"
            followers = host_of(tree).followers
            assert followers is not None
            assert followers.all == (notes,)
            assert tree.snapshot("app/worker").incarnation == 1

    run()
    (record,) = caplog.records
    assert "raised and was removed" in record.getMessage()
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "broken follower"
    assert len(notes.lines) == 4


@virtual
async def test_a_handler_that_is_cut_off_passes_through() -> None:
    notes = Notes()
    async with open_tree(supervisor("app", child(Worker, shutdown=1))) as tree:
        follow(host_of(tree), notes)
        await worker_of(tree).cast(Worker.slow, 100)
        await trio.sleep(1)
        await tree.supervisor("app").terminate_child("worker")
    assert notes.lines == ["app/worker 1 Worker.slow cast 1", "Cancelled"]


@virtual
async def test_while_nobody_follows_nothing_is_looked_up_anew() -> None:
    async with open_tree(supervisor("app", child(Worker))) as tree:
        place = host_of(tree).find("app/worker")
        assert isinstance(place, ActorPlace)
        notes = Notes()
        follow(host_of(tree), notes)
        await worker_of(tree).call(Worker.add, 1)
        assert place.handlers is NO_HANDLERS
        unfollow(host_of(tree), notes)
        unfollow(host_of(tree), notes)
        assert host_of(tree).followers is None
        await worker_of(tree).call(Worker.add, 1)
        first = place.handlers[Worker.add]
        await worker_of(tree).call(Worker.add, 1)
        assert place.handlers == {Worker.add: first}


@virtual
async def test_a_declared_child_is_followed_after_another_had_its_name() -> None:
    worker = child(Worker)
    below = supervisor("below", worker)
    async with open_tree(supervisor("app", below)) as tree:
        ref = tree[worker]
        assert await ref.call(Worker.add, 1) == 2
        supervisor_ref = tree[below]
        await supervisor_ref.terminate_child("worker")
        await supervisor_ref.delete_child("worker")
        await supervisor_ref.start_child(child(Worker))
        notes = Notes()
        follow(host_of(tree), notes)
        root = tree.supervisor("app")
        await root.terminate_child("below")
        await root.restart_child("below")
        assert await ref.call(Worker.add, 1) == 2
        assert notes.lines == ["app/below/worker 2 Worker.add call 1", "done"]
