"""Live and ready: what an orchestrator is told."""

import trio

from regrow import (
    Actor,
    Backoff,
    Supervisor,
    Tree,
    child,
    dynamic,
    open_tree as opening,
    supervisor,
)
from regrow.cli._beside import open_beside
from regrow.observe.web import app
from tests.runtime.trees import open_tree, virtual

from .client import Client


class Worker(Actor):
    def boom(self) -> None:
        raise ValueError("bad header")

    def end(self) -> None:
        self.stop()


async def idle() -> None:
    await trio.sleep_forever()


SLOWLY = Backoff(initial=10, maximum=10, jitter=0)


def shop() -> Supervisor:
    return supervisor(
        "shop",
        child(Worker, name="required", backoff=SLOWLY),
        child(Worker, name="optional", backoff=SLOWLY, restart="transient"),
        supervisor(
            "batch",
            child(Worker, name="last", significant=True, restart="transient"),
            child(Worker, name="helper"),
            auto_shutdown="any_significant",
            restart="transient",
        ),
        dynamic("sessions"),
    )


@virtual
async def test_live_until_the_tree_has_ended() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree))
        answer = await client.get("/health/live")
        assert (answer.status, answer.json) == (200, {"live": True})
        await tree.stop()
        answer = await client.get("/health/live")
        assert (answer.status, answer.json) == (503, {"live": False})


@virtual
async def test_ready_is_503_while_a_required_child_is_down_and_200_after() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree))
        assert (await client.get("/health/ready")).status == 200
        await tree.ref("shop/required", Worker).cast(Worker.boom)
        await trio.sleep(1)
        answer = await client.get("/health/ready")
        assert answer.status == 503
        assert answer.json == {
            "ready": False,
            "health": "degraded",
            "reasons": [
                {
                    "path": "shop/required",
                    "status": "restarting",
                    "text": "'shop/required' is restarting",
                }
            ],
            "more": 0,
        }
        await trio.sleep(10)
        answer = await client.get("/health/ready")
        assert answer.status == 200
        assert answer.json["ready"] is True
        assert answer.json["reasons"] == []


@virtual
async def test_what_may_be_down_is_not_required() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree))
        await tree.ref("shop/optional", Worker).cast(Worker.boom)
        # It takes its supervisor along, and so the permanent helper below that.
        await tree.ref("shop/batch/last", Worker).cast(Worker.end)
        await trio.sleep(1)
        statuses = {
            place.path: place.status
            for place in tree.snapshot().walk()
            if place.status != "running"
        }
        assert statuses == {
            "shop/optional": "restarting",
            "shop/batch": "stopped",
            "shop/batch/last": "stopped",
            "shop/batch/helper": "stopped",
        }
        answer = await client.get("/health/ready")
        assert (answer.status, answer.json["reasons"]) == (200, [])


@virtual
async def test_a_required_child_that_was_terminated_is_told_once_with_its_own() -> None:
    tree_of_two = supervisor("app", supervisor("back", child(idle)), child(idle))
    async with open_tree(tree_of_two) as tree:
        client = Client(app(tree))
        await tree.supervisor("app").terminate_child("back")
        answer = await client.get("/health/ready")
        assert answer.status == 503
        assert answer.json["reasons"][0] == {
            "path": "app/back",
            "status": "stopped",
            "text": "'app/back' is stopped",
        }
        assert "app/back/idle" not in answer.text


@virtual
async def test_a_failing_health_is_not_ready_though_all_runs() -> None:
    nearly = supervisor("app", child(Worker), intensity=1, period=60)
    async with open_tree(nearly) as tree:
        client = Client(app(tree))
        await tree.ref("app/worker", Worker).cast(Worker.boom)
        await trio.sleep(1)
        answer = await client.get("/health/ready")
        assert (answer.status, answer.json["health"]) == (503, "failing")
        assert [reason["path"] for reason in answer.json["reasons"]] == ["app"]
        await trio.sleep(60)
        assert (await client.get("/health/ready")).status == 200


@virtual
async def test_a_tree_that_ends_is_not_ready() -> None:
    async def slow() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(3)

    async with open_tree(supervisor("app", child(slow))) as tree:
        client = Client(app(tree))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tree.stop)
            await trio.sleep(1)
            answer = await client.get("/health/ready")
            assert (answer.status, answer.json["reasons"][0]["path"]) == (503, "app")
            assert (await client.get("/health/live")).status == 200


async def slow(task_status: trio.TaskStatus[None]) -> None:
    await trio.sleep(10)
    task_status.started()
    await trio.sleep_forever()


@virtual
async def test_a_tree_that_starts_is_live_and_ready_once_it_is_up() -> None:
    seen: list[object] = []

    async def look(tree: Tree) -> None:
        client = Client(app(tree))
        at_once = await client.get("/health/ready")  # perhaps before anything is done
        assert at_once.status == 503
        assert at_once.json["reasons"][0]["text"] == "'shop' is starting"
        for _ in range(2):
            await trio.sleep(4)
            live = await client.get("/health/live")
            ready = await client.get("/health/ready")
            texts = [reason["text"] for reason in ready.json["reasons"]]
            seen.append((live.status, ready.status, texts))
        shown = (await client.get("/tree.json")).json["children"]
        seen.append([each["status"] for each in shown])
        assert (await client.get("/metrics")).status == 200

    async def block(tree: Tree) -> None:
        seen.append((await Client(app(tree)).get("/health/ready")).status)

    back = supervisor("back", child(idle), child(slow, restart="transient"))
    shop = supervisor("shop", child(idle, name="first"), back, child(idle))
    await open_beside(opening(shop), [look], block)
    texts = [
        f"{path!r} is starting" for path in ("shop", "shop/back", "shop/back/slow")
    ]
    assert seen == [
        (200, 503, texts),
        (200, 503, texts),
        ["running", "starting", "starting"],
        200,
    ]
