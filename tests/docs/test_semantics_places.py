"""What open and closed places do, row by row of the table in docs/semantics.md."""

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
from attrs import define
from trio.testing import MockClock, wait_all_tasks_blocked

from regrow import (
    Backoff,
    Event,
    IgnoreStart,
    Ref,
    Supervisor,
    Tree,
    child,
    open_tree,
    supervisor,
)

from .pages import rows, section
from .workers import (
    SEMANTICS,
    Slow,
    Worker,
    crashed,
    dead_letters,
    first_cells,
    state_of,
)


@define
class Scene:
    """A running tree with a worker in it that is about to be talked to.

    Attributes:
        tree: The tree.
        subject: The worker, called `subject`, in a supervisor called `app`.
        nursery: For what must go on meanwhile.
    """

    tree: Tree
    subject: Ref[Worker]
    nursery: trio.Nursery

    def status(self) -> str:
        """What the subject is doing."""
        return self.tree.snapshot().find(self.subject.path).status


Prepare = Callable[[Scene], Awaitable[object]]
PLACES: dict[str, tuple[Callable[[], Supervisor], Prepare]] = {}


def place(
    which: str, declare: Callable[[], Supervisor]
) -> Callable[[Prepare], Prepare]:
    def enter(prepare: Prepare) -> Prepare:
        PLACES[which] = (declare, prepare)
        return prepare

    return enter


def alone() -> Supervisor:
    return supervisor("app", child(Slow, name="subject"))


@place("runs", alone)
async def _(scene: Scene) -> None:
    assert scene.status() == "running"


def starting_late() -> Supervisor:
    tries: list[int] = []

    def factory() -> Worker:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("not yet")
        return Slow()

    return supervisor("app", child(factory, name="subject", start="retry"))


@place("is starting", starting_late)
async def _(scene: Scene) -> None:
    await wait_all_tasks_blocked()
    assert scene.status() == "starting"


@place("is being restarted", alone)
async def _(scene: Scene) -> None:
    await crashed(scene.subject)
    await wait_all_tasks_blocked()
    assert scene.status() == "starting"


@place(
    "waits for its backoff",
    lambda: supervisor("app", child(Worker, name="subject", backoff=Backoff(5))),
)
async def _(scene: Scene) -> None:
    await crashed(scene.subject)
    await wait_all_tasks_blocked()
    assert scene.status() == "restarting"


@place(
    "is down until a sibling's restart is through",
    lambda: supervisor(
        "app", child(Slow), child(Worker, name="subject"), strategy="one_for_all"
    ),
)
async def _(scene: Scene) -> None:
    await crashed(scene.tree.ref("app/slow", Slow))
    await wait_all_tasks_blocked()
    assert scene.status() == "restarting"


@place(
    "is down while its supervisor is restarted",
    lambda: supervisor(
        "top",
        supervisor(
            "app", child(Slow), child(Worker, name="subject"), intensity=0, period=9
        ),
    ),
)
async def _(scene: Scene) -> None:
    await crashed(scene.subject)
    await wait_all_tasks_blocked()
    assert scene.status() == "restarting"


@place("is suspended", alone)
async def _(scene: Scene) -> None:
    scene.subject.suspend()

    async def resume() -> None:
        await trio.sleep(9)
        scene.subject.resume()

    scene.nursery.start_soon(resume)


@place(
    "has ended for good",
    lambda: supervisor("app", child(Slow, name="subject", restart="transient")),
)
async def _(scene: Scene) -> None:
    await scene.subject.call(Worker.leave)
    await scene.subject.wait_stopped()


@place("was terminated", alone)
async def _(scene: Scene) -> None:
    await scene.tree.supervisor("app").terminate_child("subject")
    assert scene.status() == "stopped"


@place("was deleted", alone)
async def _(scene: Scene) -> None:
    await scene.tree.supervisor("app").terminate_child("subject")
    await scene.tree.supervisor("app").delete_child("subject")
    with pytest.raises(KeyError):
        scene.status()


def ignoring() -> Supervisor:
    def factory() -> Worker:
        raise IgnoreStart

    return supervisor("app", child(factory, name="subject"))


@place("has ignored its start", ignoring)
async def _(scene: Scene) -> None:
    assert scene.status() == "stopped"


@place(
    "was added at run time, and its supervisor is restarted",
    lambda: supervisor("top", supervisor("app", child(Worker), intensity=0)),
)
async def _(scene: Scene) -> None:
    app = scene.tree.supervisor("top/app")
    scene.subject = await app.start_child(child(Worker, name="subject"))
    await crashed(scene.tree.ref("top/app/worker", Worker))
    await wait_all_tasks_blocked()
    with pytest.raises(KeyError):
        scene.status()


@place("is told to stop with its tree", alone)
async def _(scene: Scene) -> None:
    scene.nursery.start_soon(scene.tree.stop)
    await wait_all_tasks_blocked()
    assert scene.status() == "stopping"


@place("was part of a tree that is over", alone)
async def _(scene: Scene) -> None:
    await scene.tree.stop()


def test_every_row_is_tried_once() -> None:
    assert list(PLACES) == first_cells("Delivery")


@pytest.mark.parametrize(
    ("child_", "state", "call", "cast"),
    rows(section(SEMANTICS, "Delivery")),
    ids=first_cells("Delivery"),
)
async def test_what_a_place_does(
    child_: str, state: str, call: str, cast: str, autojump_clock: MockClock
) -> None:
    declare, prepare = PLACES[child_]
    spec = declare()
    events: list[Event] = []
    states: list[str] = []
    async with (
        open_tree(spec, observers=[events.append]) as tree,
        trio.open_nursery() as nursery,
    ):
        places = [place.path for place in tree.snapshot().walk()]
        subject = next(
            (path for path in places if path.endswith("subject")), places[-1]
        )
        scene = Scene(tree, tree.ref(subject, Worker), nursery)
        await prepare(scene)
        for send in (scene.subject.call, scene.subject.cast):
            message = partial(send, Worker.add, len(states))
            nursery.start_soon(state_of, message, states)
            await wait_all_tasks_blocked()
        assert (states[0] == "waits") is (call == "waits")
        await trio.sleep(20)  # longer than anything here takes
        if state == "open":
            assert states == ["[0]", "returned"]
            assert await scene.subject.call(Worker.add, 2) == [0, 1, 2]
            assert dead_letters(events) == []
        else:
            assert (state, cast) == ("closed", "dead letter")
            assert states == [call, "returned"]
            assert dead_letters(events) == ["add"]
