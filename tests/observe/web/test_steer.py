"""What a request may change: nothing without a token, and then what it says."""

import pytest
import trio

from regrow import Actor, ChildStarted, Event, Supervisor, child, dynamic, supervisor
from regrow.observe.web import app
from tests.runtime.trees import open_tree, virtual

from .client import Answer, Client

TOKEN = "correct horse"  # noqa: S105 - of a test


class Worker(Actor):
    def ping(self) -> str:
        return "pong"


class Picky(Actor):
    tries = 0

    def __init__(self) -> None:
        type(self).tries += 1
        if self.tries > 1:
            raise ConnectionError("no database")


async def idle() -> None:
    await trio.sleep_forever()


def shop() -> Supervisor:
    return supervisor(
        "shop",
        child(Worker),
        child(idle, restart="temporary", name="guest"),
        child(idle),
        dynamic("pool"),
        supervisor("a", child(Worker, name="restart")),
    )


async def post(client: Client, url: str, token: str = TOKEN) -> Answer:
    return await client.ask("POST", url, authorization=f"Bearer {token}")


@virtual
async def test_without_a_token_nothing_can_be_changed() -> None:
    async with open_tree(shop()) as tree:
        before = tree.history
        client = Client(app(tree))
        for action in ("restart", "terminate", "start", "suspend", "resume"):
            answer = await post(client, f"/place/shop/worker/{action}")
            assert answer.status in (404, 405)
        assert (await post(client, "/steer?action=restart&path=shop")).status == 404
        assert tree.history == before


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "é"]
)
def test_without_the_right_one_neither(header: str) -> None:
    @virtual
    async def run() -> None:
        async with open_tree(shop()) as tree:
            before = tree.history
            client = Client(app(tree, token=TOKEN))
            for url in (
                "/place/shop/worker/restart",
                "/steer?action=restart&path=shop/worker",
            ):
                answer = await client.ask("POST", url, authorization=header)
                assert answer.status == 401
                assert answer.headers["www-authenticate"] == "Bearer"
                assert TOKEN not in answer.text
            assert tree.history == before

    run()


@virtual
async def test_a_page_of_somebody_else_cannot_use_it() -> None:
    async with open_tree(shop()) as tree:
        before = tree.history
        answer = await Client(app(tree, token=TOKEN)).ask(
            "POST", "/place/shop/worker/restart", origin="http://evil.example"
        )
        assert answer.status == 403
        assert tree.history == before


@virtual
async def test_each_action_does_what_it_says() -> None:
    events: list[Event] = []
    async with open_tree(shop(), observers=[events.append]) as tree:
        client = Client(app(tree, token=TOKEN))
        worker = tree.ref("shop/worker", Worker)

        def status() -> str:
            return tree.snapshot("shop/worker").status

        answer = await post(client, "/place/shop/worker/restart")
        assert (answer.status, answer.json) == (
            200,
            {"done": "restart", "path": "shop/worker"},
        )
        assert (status(), tree.snapshot("shop/worker").incarnation) == ("running", 2)
        assert (await post(client, "/place/shop/worker/terminate")).status == 200
        assert status() == "stopped"
        assert (await post(client, "/place/shop/worker/start")).status == 200
        assert (status(), tree.snapshot("shop/worker").incarnation) == ("running", 3)
        assert (await post(client, "/place/shop/worker/suspend")).status == 200
        assert worker.suspended
        assert (await post(client, "/place/shop/worker/resume")).status == 200
        assert not worker.suspended
        assert await worker.call(Worker.ping) == "pong"


@virtual
async def test_a_place_may_be_named_like_an_action() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree, token=TOKEN))
        assert (await post(client, "/place/shop/a/restart/restart")).status == 200
        assert tree.snapshot("shop/a/restart").incarnation == 2
        assert tree.snapshot("shop/a").incarnation == 1
        # Looked at, it is a place.
        found = await client.get("/place/shop/a/restart")
        assert found.json["place"]["path"] == "shop/a/restart"


@virtual
async def test_by_query_too() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree, token=TOKEN))
        url = "/steer?action=restart&path=shop%2Fworker"
        assert (await post(client, url)).status == 200
        assert tree.snapshot("shop/worker").incarnation == 2
        answer = await post(client, "/steer?action=explode&path=shop%2Fworker")
        assert answer.status == 400


@pytest.mark.parametrize(
    ("url", "status", "text"),
    [
        ("shop/nobody/restart", 404, "nothing stands at 'shop/nobody'"),
        ("shop/restart", 409, "the root has no supervisor to restart it"),
        ("shop/guest/restart", 409, "it is temporary: its supervisor forgets it"),
        ("shop/pool/x/restart", 409, "'shop/pool' is dynamic: it forgets a child"),
        (
            "shop/worker/start",
            409,
            "'shop/worker' is running; restart it, or terminate it first",
        ),
        ("shop/idle/suspend", 404, "'shop/idle' is a service; only actors"),
    ],
)
def test_what_cannot_be_done_is_refused_and_left_alone(
    url: str, status: int, text: str
) -> None:
    @virtual
    async def run() -> None:
        async with open_tree(shop()) as tree:
            await tree.supervisor("shop/pool").start_child(child(idle, name="x"))
            before = tree.history
            answer = await post(Client(app(tree, token=TOKEN)), f"/place/{url}")
            assert answer.status == status
            assert text in answer.json["error"]
            assert tree.history == before

    run()


@virtual
async def test_a_start_that_fails_says_why() -> None:
    Picky.tries = 0
    async with open_tree(supervisor("app", child(Picky))) as tree:
        answer = await post(Client(app(tree, token=TOKEN)), "/place/app/picky/restart")
        assert answer.status == 502
        assert "ConnectionError: no database" in answer.json["error"]
        assert tree.snapshot("app/picky").status == "stopped"


@virtual
async def test_after_the_end_of_the_tree_it_says_so() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree, token=TOKEN))
        await tree.stop()
        answer = await post(client, "/place/shop/worker/restart")
        assert answer.status in (404, 409)
        assert not any(
            isinstance(event, ChildStarted) and event.incarnation > 1
            for event in tree.history
        )
