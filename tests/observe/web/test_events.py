"""The stream of events: numbered, resumed, never in the way, and over in time."""

import json
from collections import Counter

import pytest
import trio

from regrow import Actor, Supervisor, child, supervisor
from regrow.observe.web import app
from regrow.observe.web._events import MOST, STILL_HERE
from regrow.observe.web._feed import KEPT
from tests.runtime.trees import open_tree, virtual

from .client import Client, Stream


class Worker(Actor):
    def fail(self, text: str) -> None:
        raise ValueError(text)


def shop() -> Supervisor:
    return supervisor("shop", child(Worker), intensity=10**6)


def names(events: list[dict[str, str]]) -> list[str]:
    return [json.loads(event["data"])["event"] for event in events]


@virtual
async def test_events_come_as_they_happen_with_numbers() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree))
        async with client.stream("/events") as stream:
            opened = await stream.event()
            assert (opened["event"], opened["retry"]) == ("open", "1000")
            run, _, number = opened["id"].rpartition("-")
            await tree.ref("shop/worker", Worker).cast(Worker.fail, "bad header")
            events = await stream.events(4)
            assert names(events) == [
                "DeadLetter",
                "ChildExited",
                "ChildRestarting",
                "ChildStarted",
            ]
            assert [event["id"] for event in events] == [
                f"{run}-{int(number) + step}" for step in (1, 2, 3, 4)
            ]
            crash = json.loads(events[1]["data"])
            assert crash["path"] == "shop/worker"
            assert crash["error"]["text"] == "ValueError: bad header"


@virtual
async def test_what_was_before_is_told_to_who_asks() -> None:
    async with open_tree(shop()) as tree:
        async with Client(app(tree)).stream("/events?last=2") as stream:
            await stream.event()
            events = await stream.events(2)
        assert names(events) == ["ChildStarted", "ChildStarted"]
        assert [json.loads(event["data"])["path"] for event in events] == [
            "shop/worker",
            "shop",
        ]


@virtual
async def test_a_client_that_comes_back_goes_on_where_it_was() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree))
        worker = tree.ref("shop/worker", Worker)
        async with client.stream("/events") as stream:
            await stream.event()
            await worker.cast(Worker.fail, "1")
            seen = (await stream.event())["id"]
        await worker.cast(Worker.fail, "2")
        await trio.sleep(1)
        async with client.stream("/events", last_event_id=seen) as stream:
            await stream.event()
            assert names(await stream.events(7)) == [
                "ChildExited",
                "ChildRestarting",
                "ChildStarted",
                "DeadLetter",
                "ChildExited",
                "ChildRestarting",
                "ChildStarted",
            ]


@pytest.mark.parametrize("seen", ["cafe0000-3", "nonsense", "-", "1-1e9", "x" * 5000])
def test_one_that_was_elsewhere_gets_all_that_there_is(seen: str) -> None:
    @virtual
    async def run() -> None:
        async with (
            open_tree(shop()) as tree,
            Client(app(tree)).stream("/events", last_event_id=seen) as stream,
        ):
            await stream.event()
            assert names(await stream.events(2)) == ["ChildStarted", "ChildStarted"]

    run()


@virtual
async def test_a_slow_client_loses_the_oldest_and_is_told_how_many() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree))
        worker = tree.ref("shop/worker", Worker)
        async with client.stream("/events") as stream:
            opened = await stream.event()
            begin = int(opened["id"].rpartition("-")[2])
            for number in range(1000):  # four events each, and nobody reads
                await worker.cast(Worker.fail, str(number))
            await trio.sleep(1)
            # What was being written when it stopped reading is not lost.
            held = [await stream.event()]
            while "event" not in held[-1]:
                held.append(await stream.event())
            lost = held.pop()
            assert lost["event"] == "lost"
            count = json.loads(lost["data"])["count"]
            assert count == 4000 - KEPT - len(held)
            rest = await stream.events(KEPT)
            numbers = [int(event["id"].rpartition("-")[2]) for event in rest]
            assert numbers == list(range(begin + 3001, begin + 4001))


@virtual
async def test_a_stream_that_nobody_reads_holds_nothing_up() -> None:
    async with open_tree(shop()) as tree, Client(app(tree)).stream("/events"):
        for number in range(50):
            await tree.ref("shop/worker", Worker).cast(Worker.fail, str(number))
        await trio.sleep(1)
        assert tree.snapshot().find("shop/worker").restarts == 50


@virtual
async def test_silence_is_broken_now_and_then() -> None:
    async with open_tree(shop()) as tree, Client(app(tree)).stream("/events") as stream:
        await stream.event()
        begun_at = trio.current_time()
        message = await stream.start()
        assert message["body"] == b": still here\n\n"
        assert trio.current_time() - begun_at == STILL_HERE


@virtual
async def test_streams_end_with_the_tree_after_the_last_event() -> None:
    async with open_tree(shop()) as tree, Client(app(tree)).stream("/events") as stream:
        await stream.event()
        begun_at = trio.current_time()
        await tree.stop()
        rest = await stream.rest()
        assert rest[-1]["event"] == "end"
        assert "ChildExited" in names(rest[:-1])
        await stream.ended.wait()
        assert trio.current_time() == begun_at


@virtual
async def test_streams_end_when_the_app_is_closed_and_the_tree_goes_on() -> None:
    async with open_tree(shop()) as tree:
        web = app(tree)
        async with Client(web).stream("/events") as stream:
            await stream.event()
            web.close()
            web.close()
            assert [event["event"] for event in await stream.rest()] == ["end"]
            await stream.ended.wait()
        await tree.ref("shop/worker", Worker).cast(Worker.fail, "x")
        await trio.sleep(1)
        assert tree.snapshot("shop/worker").incarnation == 2


@virtual
async def test_the_number_of_streams_is_bounded_and_those_that_left_do_not_count() -> (
    None
):
    async with open_tree(shop()) as tree:
        client = Client(app(tree))
        async with trio.open_nursery() as nursery:

            async def read(task_status: trio.TaskStatus[None]) -> None:
                async with client.stream("/events") as stream:
                    await stream.event()
                    task_status.started()
                    await leave.wait()

            leave = trio.Event()
            for _ in range(MOST):
                await nursery.start(read)
            answer = await client.get("/events")
            assert answer.status == 503
            leave.set()
        async with client.stream("/events") as stream:
            assert (await stream.event())["event"] == "open"


@virtual
async def test_streams_that_are_asked_for_at_once_are_bounded_too() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree))
        streams = [Stream() for _ in range(MOST + 10)]
        async with trio.open_nursery() as nursery:
            for stream in streams:
                scope = client._scope("GET", "/events", {})
                nursery.start_soon(client.app, scope, stream.receive, stream.send)
            statuses = [(await stream.start())["status"] for stream in streams]
            assert Counter(statuses) == {200: MOST, 503: 10}
            nursery.cancel_scope.cancel()  # before their first event is read
        async with client.stream("/events") as stream:
            assert (await stream.event())["event"] == "open"


@virtual
async def test_text_with_line_breaks_stays_one_event() -> None:
    text = "a\n\nid: 1\nevent: end\ndata: {}\n\n\r\u2028</script>"
    async with open_tree(shop()) as tree, Client(app(tree)).stream("/events") as stream:
        await stream.event()
        await tree.ref("shop/worker", Worker).cast(Worker.fail, text)
        _, event = await stream.events(2)
        assert set(event) == {"id", "data"}
        error = json.loads(event["data"])["error"]
        assert error["text"].startswith("ValueError: a")


@virtual
async def test_a_wrong_query_is_refused() -> None:
    async with open_tree(shop()) as tree:
        answer = await Client(app(tree)).get("/events?last=-1")
        assert answer.status == 400
        assert answer.json == {
            "error": "last='-1': write how many earlier events to begin with"
        }


@virtual
async def test_frames_of_what_crashed_are_not_kept() -> None:
    async with open_tree(shop()) as tree:
        web = app(tree)
        await tree.ref("shop/worker", Worker).cast(Worker.fail, "x")
        await trio.sleep(1)
        _, entries = web._feed.after(0, KEPT)
        errors = [
            error
            for entry in entries
            if (error := getattr(entry._event, "error", None)) is not None
        ]
        assert [str(error) for error in errors] == ["x", "x"]
        assert [error.__traceback__ for error in errors] == [None, None]


@virtual
async def test_a_question_for_the_headers_alone_ends_at_once() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree))
        for path in ("/events", "/tree.json"):
            with trio.fail_after(1):
                answer = await client.ask("HEAD", path)
            assert (answer.status, answer.text) == (200, "")
