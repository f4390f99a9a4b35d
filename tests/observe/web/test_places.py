"""The tree as JSON: whole, as rows, and one place of it."""

import json
import logging
from typing import Any
from urllib.parse import quote

import pytest
import trio

from regrow import Actor, ActorCrashedError, Supervisor, child, dynamic, supervisor
from regrow.observe._rows import ORDERS
from regrow.observe.web import app
from tests.runtime.trees import open_tree, virtual

from .client import Answer, Client

HOSTILE = "a<script><img src=x onerror=alert(1)>"
DOTS = ".."


class Worker(Actor):
    def fail(self, text: str) -> None:
        raise ValueError(text)

    async def wait(self) -> None:
        await trio.sleep_forever()


async def idle() -> None:
    await trio.sleep_forever()


def shop() -> Supervisor:
    return supervisor(
        "shop",
        child(Worker),
        supervisor("back", child(idle), supervisor("office", child(idle))),
        child(idle, name=HOSTILE),
        child(idle, name=DOTS),
        dynamic("pool"),
    )


async def rows(client: Client, **question: object) -> Answer:
    return await client.ask(
        "POST", "/rows", json.dumps({"op": "rows"} | question).encode()
    )


@virtual
async def test_the_whole_tree_is_its_snapshot() -> None:
    async with open_tree(shop()) as tree:
        await trio.sleep(1)
        client = Client(app(tree))
        answer = await client.get("/tree.json")
        assert answer.headers["content-type"] == "application/json"
        assert answer.json == tree.snapshot().as_json()
        part = await client.get("/tree.json?path=shop/back")
        assert part.json == tree.snapshot("shop/back").as_json()
        assert (await client.get("/tree.json?path=shop/nobody")).status == 404


@virtual
async def test_a_large_tree_is_whole_and_holds_nothing_up() -> None:
    async with open_tree(shop()) as tree:
        pool = tree.supervisor("shop/pool")
        for _ in range(3000):
            await pool.start_child(child(idle))
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            answer = await Client(app(tree)).get("/tree.json")
            nursery.cancel_scope.cancel()
        assert answer.json == tree.snapshot().as_json()
        assert turns > 15


@virtual
async def test_a_place_in_detail() -> None:
    async with open_tree(shop()) as tree:
        worker = tree.ref("shop/worker", Worker)
        await worker.cast(Worker.fail, "bad header")
        await trio.sleep(2)
        await worker.cast(Worker.wait)
        await trio.sleep(1)
        client = Client(app(tree))
        answer = await client.get("/place/shop/worker")
        assert answer.status == 200
        found = answer.json
        assert found["place"]["last_failure"] == {
            "at": 0.0,
            "incarnation": 1,
            "error": "ValueError: bad header",
        }
        assert found["place"]["handling"] == "wait()"
        assert "children" not in found["place"]
        assert found["row"]["restarts"] == 1
        assert [event["event"] for event in found["history"]] == [
            "ChildStarted",
            "DeadLetter",
            "ChildExited",
            "ChildRestarting",
            "ChildStarted",
        ]
        assert found["failure"].startswith("Traceback (most recent call last):\n")
        assert found["failure"].endswith("ValueError: bad header\n")
        assert any("in wait" in line for line in found["stack"])
        by_query = await client.get("/place?path=shop%2Fworker")
        assert by_query.json == found
        assert (await client.get("/place/shop/nobody")).status == 404
        assert (await client.get("/place?path=")).status == 404
        root = (await client.get("/place/shop")).json["place"]
        assert (root["path"], root["strategy"]) == ("shop", "one_for_one")


@virtual
async def test_names_that_mean_something_elsewhere_are_names_here() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree))
        for name in (HOSTILE, DOTS):
            found = await client.get(f"/place?path={quote(f'shop/{name}')}")
            assert found.json["place"]["name"] == name
            assert found.headers["content-type"] == "application/json"


@virtual
async def test_an_endless_traceback_is_cut_at_its_beginning() -> None:
    async with open_tree(shop()) as tree:
        await tree.ref("shop/worker", Worker).cast(Worker.fail, "x" * 10**6)
        await trio.sleep(1)
        answer = await Client(app(tree)).get("/place/shop/worker")
        assert len(answer.json["failure"]) == 20_000
        assert len(answer.text) < 100_000


@virtual
async def test_rows_are_those_asked_for() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree))
        page = (await rows(client, offset=1, limit=3, folded=["shop/back"])).json
        assert [row["path"] for row in page["rows"]] == [
            "shop/worker",
            "shop/back",
            f"shop/{HOSTILE}",
        ]
        assert page["rows"][1]["folded"] is True
        assert (page["total"], page["places"], page["health"]) == (6, 9, "ok")
        assert page["steers"] is False
        pages = (await rows(client)).json
        assert len(pages["rows"]) == 9
        steered = Client(app(tree, token="correct horse"))  # noqa: S106 - a test's
        assert (await rows(steered)).json["steers"] is True


async def test_rows_that_are_looked_for_come_with_the_answer() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree))
        await rows(client)
        page = (await rows(client, filter="OFFICE")).json
        assert [row["path"] for row in page["rows"]] == [
            "shop/back/office",
            "shop/back/office/idle",
        ]


@virtual
async def test_rows_that_are_still_looked_for_are_told_to_be_pending() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree))
        known = (await rows(client)).json
        assert known["pending"] is False
        pages: list[Any] = []

        async def ask(text: str) -> None:
            pages.append((await rows(client, filter=text)).json)

        async with trio.open_nursery() as nursery:
            for number in range(ORDERS + 1):  # one more than are looked for at once
                nursery.start_soon(ask, f"office{'/' * number}")
        waiting = [page for page in pages if page["pending"]]
        assert [(page["rows"], page["total"]) for page in waiting] == [([], 0)]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "the line is not JSON"),
        (b"[]", "the line is no object"),
        (b"{}", "there is no op"),
        (b'{"op": "stop"}', "only rows can be asked for here, not stop"),
        (b'{"op": "rows", "offset": -1}', "rows: offset is -1"),
        (b"[" * 300_000, "a line has at most 65536 bytes"),
        (b"[" * 60_000, "the line is not JSON"),
    ],
)
def test_a_wrong_question_is_refused(body: bytes, error: str) -> None:
    @virtual
    async def run() -> None:
        async with open_tree(shop()) as tree:
            answer = await Client(app(tree)).ask("POST", "/rows", body)
            assert answer.status == 400
            assert error in answer.json["error"]

    run()


@virtual
async def test_halves_of_surrogate_pairs_are_answered_as_any_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # What is captured of the log goes on to those who cannot have them.
    caplog.set_level(logging.CRITICAL + 1, "regrow")
    name = "half\ud800"
    spec = supervisor("shop", child(Worker), child(idle, name=name))
    async with open_tree(spec) as tree:
        client = Client(app(tree))
        with pytest.raises(ActorCrashedError):
            await tree.ref("shop/worker", Worker).call(Worker.fail, "name\udcff")
        found = (await client.get("/place/shop/worker")).json
        assert "name\udcff" in found["failure"]
        assert name in [row["name"] for row in (await rows(client)).json["rows"]]
        answer = await rows(client, filter="\udcff")
        assert (answer.status, answer.json["rows"]) == (200, [])
        assert (await client.get("/tree.json")).status == 200
        metrics = await client.get("/metrics")
        assert 'path="shop/half\\\\ud800"' in metrics.text


@virtual
async def test_a_place_with_half_a_surrogate_pair_in_its_path_can_be_asked_for() -> (
    None
):
    halves = supervisor("shop\ud800", supervisor("b\udcff", child(idle)))
    path = "shop\ud800/b\udcff"
    async with open_tree(halves) as tree:
        client = Client(app(tree, token="correct horse"))  # noqa: S106 - a test's
        asked = quote(path, errors="surrogatepass")
        assert asked == "shop%ED%A0%80/b%ED%B3%BF"
        assert (await client.get(f"/place?path={asked}")).json["place"]["path"] == path
        part = (await client.get(f"/tree.json?path={asked}")).json
        assert part["children"][0]["path"] == f"{path}/idle"
        folded = (await rows(client, folded=[path])).json
        assert [row["path"] for row in folded["rows"]] == ["shop\ud800", path]
        answer = await client.ask(
            "POST",
            f"/steer?action=restart&path={asked}",
            authorization="Bearer correct horse",
        )
        assert answer.json == {"done": "restart", "path": path}
        wrong = await client.get("/place?path=shop%FF")  # no text in any way
        assert wrong.status == 404
        assert (await client.get("/metrics")).status == 200
        assert (await client.get("/health/ready")).status == 200


@virtual
async def test_line_breaks_in_a_path_belong_to_it() -> None:
    token = "correct horse"  # noqa: S105 - a test's
    broken = child(idle, name="line\nfeed")
    async with open_tree(supervisor("shop", child(Worker), broken)) as tree:
        client = Client(app(tree, token=token))
        answer = await client.get("/place/shop/line%0afeed")
        assert answer.json["place"]["path"] == "shop/line\nfeed"
        for url in ("/place/shop/worker%0a", "/place?path=shop/worker%0a"):
            answer = await client.get(url)
            assert (answer.status, answer.json) == (
                404,
                {"error": "nothing stands at 'shop/worker\\n' in the tree 'shop'"},
            )
        answer = await client.get("/place/shop%0d%0aSet-Cookie:%20a=b")
        assert answer.status == 404
        assert "set-cookie" not in answer.headers
        for url in ("/tree.json%0a", "/place%0a", "/health/live%0a"):
            assert (await client.get(url)).status == 404
        bearer = f"Bearer {token}"
        url = "/place/shop/worker/restart%0a"
        assert (await client.ask("POST", url, authorization=bearer)).status == 405
        assert tree.snapshot("shop/worker").incarnation == 1
        url = "/place/shop/line%0afeed/restart"
        assert (await client.ask("POST", url, authorization=bearer)).status == 200
        assert tree.snapshot("shop/line\nfeed").incarnation == 2


@virtual
async def test_a_question_that_ends_in_its_middle_is_no_error() -> None:
    async def gone() -> dict[str, str]:
        await trio.lowlevel.checkpoint()
        return {"type": "http.disconnect"}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        await trio.lowlevel.checkpoint()
        sent.append(message)

    async with open_tree(shop()) as tree:
        client = Client(app(tree))
        await client.app(client._scope("POST", "/rows", {}), gone, send)
        assert sent[0]["status"] == 400
