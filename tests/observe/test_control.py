"""What a control socket does for its clients, and what it does not let them do."""

import json
import os
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from regrow import (
    Actor,
    Backoff,
    ChildStarted,
    ControlSocketError,
    StartCancelledError,
    Supervisor,
    Tree,
    child,
    dynamic,
    supervisor,
)
from regrow._runtime.walk import LONGEST
from regrow.observe import _connection, _control
from regrow.observe._client import ControlClient, RequestRefusedError
from regrow.observe._followed import Following
from regrow.observe._meter import BESIDE, Meter
from regrow.observe._row import Query
from regrow.observe._rows import Rows
from regrow.observe._slices import Turns
from tests.runtime.trees import Boom, open_tree, virtual


class Worker(Actor):
    def __init__(self, secret: str = "x") -> None:  # noqa: S107 - of nobody
        self.secret = secret

    def __redact__(self, name: str, value: object) -> object:
        return "…" if name == "secret" else value

    def boom(self) -> None:
        raise Boom

    def ping(self) -> str:
        return "pong"

    async def wait(self) -> None:
        await trio.sleep_forever()


async def idle() -> None:
    await trio.sleep_forever()


def shop(*more: Any) -> Supervisor:
    return supervisor(
        "shop",
        child(idle, name="door"),
        supervisor("back", child(Worker, name="a"), child(Worker, name="b")),
        dynamic("pool"),
        child(idle, name="brief", restart="temporary"),
        *more,
    )


@asynccontextmanager
async def opened(
    path: Path, *more: Any, **options: Any
) -> AsyncGenerator[tuple[Tree, ControlClient]]:
    async with (
        open_tree(shop(*more), control=path / "s", **options) as tree,
        ControlClient(str(path / "s")) as client,
    ):
        yield tree, client


class Raw:
    """A client that sends what it likes."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._held = b""

    async def line(self) -> Any:
        while b"\n" not in self._held:
            chunk = await self.stream.receive_some(65536)
            if not chunk:
                assert not self._held
                return None
            self._held += bytes(chunk)
        line, _, self._held = self._held.partition(b"\n")
        return json.loads(line)

    async def ask(self, **fields: Any) -> Any:
        await self.send(**fields)
        return await self.line()

    async def send(self, **fields: Any) -> None:
        await self.stream.send_all(json.dumps(fields).encode() + b"\n")

    async def code(self, **fields: Any) -> str:
        found = await self.ask(**fields)
        return str(found["error"]["code"])


@asynccontextmanager
async def raw(path: Path) -> AsyncGenerator[Raw]:
    async with await trio.open_unix_socket(path / "s") as stream:
        client = Raw(stream)
        hello = await client.line()
        assert hello == {"regrow": 1, "tree": "shop", "pid": os.getpid()}
        yield client


async def refusal(awaitable: Awaitable[object]) -> tuple[str, str]:
    with pytest.raises(RequestRefusedError) as caught:
        await awaitable
    return caught.value.code, caught.value.text


# ---------------------------------------------------------------------- looking at it


@virtual
async def test_pages_and_details_are_as_in_the_program(tmp_path: Path) -> None:
    async with opened(tmp_path) as (tree, client):
        await tree.ref("shop/back/a", Worker).cast(Worker.wait)
        await tree.ref("shop/back/b", Worker).cast(Worker.boom)
        await wait_all_tasks_blocked()
        queries = [
            Query(),
            Query(offset=2, limit=2),
            Query(folded=frozenset({"shop/back"})),
            Query(sort="restarts", filter="back"),
            Query(limit=0),
        ]
        for query in queries:
            found = await client.page(query)
            assert found == await Rows(tree).latest_page(query)
        for path in ("shop", "shop/back/a", "shop/back/b"):
            details = await client.details(path)
            assert details == Rows(tree).details(path)
        failure = (await client.details("shop/back/b")).failure
        assert failure is not None
        assert "raise Boom" in failure


@virtual
async def test_what_is_seen_is_what_the_tree_says(tmp_path: Path) -> None:
    async with opened(tmp_path) as (tree, client):
        assert await client.snapshot() == tree.snapshot().as_json()
        assert (
            await client.snapshot("shop/back") == tree.snapshot("shop/back").as_json()
        )
        assert await client.health() == tree.health().as_json()
        stacks = {path: list(lines) for path, lines in tree.stacks("shop/back").items()}
        assert await client.stacks("shop/back") == stacks
        assert set(await client.stacks()) == {p.path for p in tree.snapshot().walk()}
        assert await client.state("shop/back/a") == tree.state("shop/back/a")
        assert (await client.state("shop/back/a"))["secret"] == "'…'"  # noqa: S105 - hidden
        events = await client.history("shop/back")
        assert [(e["event"], e["path"]) for e in events] == [
            ("ChildStarted", "shop/back/a"),
            ("ChildStarted", "shop/back/b"),
            ("ChildStarted", "shop/back"),
        ]
        assert len(await client.history()) == len(tree.history)


@virtual
async def test_events_are_told_as_they_come_until_cancelled(tmp_path: Path) -> None:
    async with opened(tmp_path) as (tree, _), raw(tmp_path) as client:
        assert await client.ask(id="e", op="events", path="shop/back/b") == {
            "id": "e",
            "stream": "begun",
        }
        await tree.ref("shop/back/a", Worker).cast(Worker.boom)
        await tree.ref("shop/back/b", Worker).cast(Worker.boom)
        told = [await client.line() for _ in range(4)]
        assert [(line["id"], line["event"]["event"]) for line in told] == [
            ("e", name)
            for name in ("DeadLetter", "ChildExited", "ChildRestarting", "ChildStarted")
        ]
        # Meanwhile it answers.
        assert (await client.ask(id=2, op="health"))["id"] == 2
        assert await client.code(id="e", op="events") == "bad_argument"
        assert await client.ask(id="e", op="cancel") == {"id": "e", "stream": "ended"}
        assert await client.code(id="e", op="cancel") == "not_found"
        await tree.ref("shop/back/b", Worker).cast(Worker.boom)
        await wait_all_tasks_blocked()
        assert (await client.ask(id=3, op="health"))["id"] == 3


@virtual
async def test_a_slow_reader_is_told_how_many_events_it_has_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_control, "EVENTS", 5)
    async with opened(tmp_path) as (tree, client):
        events = await client.events("shop/back")
        # They come without a pause in which one could be sent.
        for number in range(20):
            event = ChildStarted("shop/back/a", number, 0.0, "worker")
            tree._running.host.emit(event)
        first = await anext(events)
        assert (first["event"], first["count"]) == ("EventsLost", 15)
        rest = [(await anext(events))["incarnation"] for _ in range(5)]
        assert rest == [15, 16, 17, 18, 19]


@virtual
async def test_the_last_events_of_a_tree_are_told(tmp_path: Path) -> None:
    with pytest.raises(ControlSocketError, match="the program has gone"):
        async with opened(tmp_path) as (_, client):
            other = ControlClient(str(tmp_path / "s"))
            async with other:
                events = await other.events()
                await client.stop()
                told = [(event["event"], event["path"]) async for event in events]
                assert told[-1] == ("ChildExited", "shop")
                assert len(told) > 10
                await client.health()


# --------------------------------------------------------------------------- steering


@virtual
async def test_restart_terminate_and_start_go_through_the_supervisor(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (tree, client):
        row = await client.restart("shop/back/a")
        assert (row["path"], row["incarnation"]) == ("shop/back/a", 2)
        assert row["status"] == "running"
        assert await tree.ref("shop/back/a", Worker).call(Worker.ping) == "pong"
        await client.terminate("shop/back/a")
        assert tree.snapshot("shop/back/a").status == "stopped"
        row = await client.start("shop/back/a")
        assert (row["incarnation"], row["status"]) == (3, "running")
        await client.terminate("shop/back/a")
        assert (await client.restart("shop/back/a"))["incarnation"] == 4
        assert (await client.restart("shop/back"))["children"] == 2
        assert await refusal(client.start("shop/door")) == (
            "refused",
            "'shop/door' is running; restart it, or terminate it first",
        )


@virtual
async def test_what_its_supervisor_would_forget_is_not_restarted(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (tree, client):
        started = child(idle, name="x")
        await tree.supervisor("shop/pool").start_child(started)
        assert await refusal(client.restart("shop/pool/x")) == (
            "refused",
            "'shop/pool/x' cannot be restarted; 'shop/pool' is dynamic: it forgets a child that is stopped. It was left alone",  # noqa: E501 - a text
        )
        assert await refusal(client.restart("shop/brief")) == (
            "refused",
            "'shop/brief' cannot be restarted; it is temporary: its supervisor forgets it when it is stopped. It was left alone",  # noqa: E501 - a text
        )
        code, text = await refusal(client.restart("shop"))
        assert code == "refused"
        assert text == "the root has no supervisor to restart it; stop ends the tree"
        assert await refusal(client.terminate("shop/no")) == (
            "not_found",
            "nothing stands at 'shop/no' in the tree 'shop'; a path starts at the root, as in 'shop/child', and tree shows all",  # noqa: E501 - a text
        )
        running = {place.status for place in tree.snapshot().walk()}
        assert running == {"running"}
        await client.terminate("shop/pool/x")
        assert tree.snapshot("shop/pool").children == ()


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("shop/bakc", " (did you mean 'shop/back'?)"),
        ("shop/bakc/a", " (did you mean 'shop/back'?)"),
        ("shop/back/aa", " (did you mean 'shop/back/a'?)"),
        ("shp", " (did you mean 'shop'?)"),
        ("shop/door/x", ""),
        ("back", ""),
    ],
)
@virtual
async def test_a_path_that_is_not_there_is_told_with_what_is_like_it(
    path: str, hint: str, tmp_path: Path
) -> None:
    async with opened(tmp_path) as (_, client):
        text = f"nothing stands at {path!r} in the tree 'shop'{hint}; a path starts at the root, as in 'shop/child', and tree shows all"  # noqa: E501 - a text
        for asked in (client.page(Query(path=path)), client.restart(path)):
            assert await refusal(asked) == ("not_found", text)


@virtual
async def test_a_start_that_fails_is_told_with_its_cause(tmp_path: Path) -> None:
    lives = 0

    async def once(task_status: trio.TaskStatus[None]) -> None:
        nonlocal lives
        lives += 1
        if lives > 1:
            raise ValueError("no database")
        task_status.started()
        await trio.sleep_forever()

    async with opened(tmp_path, child(once)) as (_, client):
        code, text = await refusal(client.restart("shop/once"))
        assert code == "failed"
        assert "'shop/once' did not start" in text
        assert "ValueError: no database" in text


@virtual
async def test_a_child_that_waits_for_its_delay_is_started_at_once(
    tmp_path: Path,
) -> None:
    slow = child(Worker, name="slow", backoff=Backoff(1000, maximum=1000, jitter=0))
    async with opened(tmp_path, slow) as (tree, client):
        await tree[slow].cast(Worker.boom)
        await wait_all_tasks_blocked()
        assert tree.snapshot("shop/slow").status == "restarting"
        assert (await client.restart("shop/slow"))["status"] == "running"
        assert trio.current_time() < 1


@virtual
async def test_an_actor_is_suspended_and_resumed(tmp_path: Path) -> None:
    async with opened(tmp_path) as (tree, client):
        ref = tree.ref("shop/back/a", Worker)
        await client.suspend("shop/back/a")
        assert ref.suspended
        with trio.move_on_after(1) as scope:
            await ref.call(Worker.ping)
        assert scope.cancelled_caught
        await client.resume("shop/back/a")
        assert await ref.call(Worker.ping) == "pong"
        for ask in (client.suspend, client.resume, client.state):
            assert await refusal(ask("shop/door")) == (
                "not_found",
                "'shop/door' is a service; only actors have a state, and can be suspended",
            )
            code, text = await refusal(ask("shop/back"))
            assert (code, text.split(";")[0]) == (
                "not_found",
                "'shop/back' is a supervisor",
            )
        await client.terminate("shop/back/a")
        code, _ = await refusal(client.suspend("shop/back/a"))
        assert code == "refused"
        code, _ = await refusal(client.state("shop/back/a"))
        assert code == "refused"


@virtual
async def test_a_restart_is_not_left_half_done_when_its_client_goes(
    tmp_path: Path,
) -> None:
    async def lingering() -> None:
        try:
            await trio.sleep_forever()
        finally:
            from regrow import grace

            with grace():
                await trio.sleep(3)

    async with opened(tmp_path, child(lingering)) as (tree, _):
        async with raw(tmp_path) as client:
            await client.send(id=1, op="restart", path="shop/lingering")
            await wait_all_tasks_blocked()
            assert tree.snapshot("shop/lingering").status == "stopping"
        await trio.sleep(4)
        seen = tree.snapshot("shop/lingering")
        assert (seen.status, seen.incarnation) == ("running", 2)


@virtual
async def test_a_tree_that_starts_and_one_that_stops_are_answered_for(
    tmp_path: Path,
) -> None:
    seen: list[str] = []

    async def look(*, task_status: trio.TaskStatus[None]) -> None:
        async def note() -> None:
            async with ControlClient(str(tmp_path / "s")) as client:
                seen.append(str((await client.snapshot())["status"]))

        await note()
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await note()

    async with opened(tmp_path, child(look)) as (tree, client):
        await client.stop()
        await tree.wait_stopped()
    assert seen == ["starting", "stopping"]


@virtual
async def test_a_start_that_hangs_is_looked_into_and_stopped(tmp_path: Path) -> None:
    async def store(*, task_status: trio.TaskStatus[None]) -> None:
        del task_status
        await idle()

    seen: list[object] = []

    async def look() -> None:
        await trio.sleep(60)
        async with ControlClient(str(tmp_path / "s")) as client:
            health = await client.health()
            stacks = await client.stacks("shop/store")
            seen.append(health["reasons"])
            seen.append([line.rpartition(" ")[2] for line in stacks["shop/store"]][2:4])
            with trio.move_on_after(60) as scope:
                await client.restart("shop/store")
            seen.append(scope.cancelled_caught)
        async with ControlClient(str(tmp_path / "s")) as client:
            await client.stop()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        with pytest.raises(StartCancelledError):
            async with open_tree(shop(child(store)), control=tmp_path / "s"):
                raise AssertionError
    late = "has been starting for 60 s"
    assert seen == [
        [{"path": "shop", "status": "degraded", "text": late}],
        ["store", "idle"],
        True,
    ]
    assert not (tmp_path / "s").exists()


@virtual
async def test_stop_is_answered_before_it_happens(tmp_path: Path) -> None:
    async with opened(tmp_path) as (tree, _), raw(tmp_path) as client:
        assert await client.ask(id=1, op="stop") == {"id": 1, "ok": None}
        await tree.wait_stopped()
        assert await client.line() is None


@virtual
async def test_what_waits_for_the_tree_when_it_ends_is_answered(tmp_path: Path) -> None:
    async def stubborn() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(20)

    async with opened(tmp_path, child(stubborn, shutdown=1)) as (tree, client):
        async with trio.open_nursery() as nursery:
            found: list[str] = []

            async def restart() -> None:
                code, _ = await refusal(client.restart("shop/stubborn"))
                found.append(code)

            nursery.start_soon(restart)
            await wait_all_tasks_blocked()
            await tree.stop()
        assert found == ["stopped"]


# ----------------------------------------------------------------------------- bounds


@virtual
async def test_requests_may_be_sent_at_once_and_cut_anywhere(tmp_path: Path) -> None:
    async with opened(tmp_path), raw(tmp_path) as client:
        lines = b"".join(
            json.dumps({"id": n, "op": "rows", "limit": 1}).encode() + b"\n\n"
            for n in range(50)
        )
        for at in range(0, len(lines), 7):
            await client.stream.send_all(lines[at : at + 7])
        assert [(await client.line())["id"] for _ in range(50)] == list(range(50))
        # The last line may lack its end; then everything is answered, and that was all.
        await client.stream.send_all(b'{"id": 1, "op": "health"}')
        await client.stream.send_eof()
        assert (await client.line())["ok"]["status"] == "ok"
        assert await client.line() is None


@virtual
async def test_what_is_malformed_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    async with opened(tmp_path), raw(tmp_path) as client:
        await client.stream.send_all(b"hello\n\xff\n{}\n" + b"[" * 9999 + b"\n")
        codes = [(await client.line())["error"]["code"] for _ in range(4)]
        assert codes == ["malformed", "malformed", "unknown_op", "malformed"]
        assert "ok" in await client.ask(id=1, op="health")


@virtual
async def test_a_line_without_an_end_ends_its_connection(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, other), raw(tmp_path) as client:
        with pytest.raises(trio.BrokenResourceError):
            for _ in range(100):
                await client.stream.send_all(b"x" * 4096)
        assert (await client.line())["error"]["code"] == "too_long"
        assert (await other.health())["status"] == "ok"


@virtual
async def test_requests_in_progress_are_counted(tmp_path: Path) -> None:
    async with opened(tmp_path), raw(tmp_path) as client:
        for number in range(_connection.MOST_REQUESTS):
            assert (await client.ask(id=number, op="events"))["stream"] == "begun"
        assert await client.code(id=99, op="events") == "busy"
        assert await client.code(id=99, op="restart", path="shop/door") == "busy"
        assert "ok" in await client.ask(id=99, op="rows")
        assert (await client.ask(id=3, op="cancel"))["stream"] == "ended"
        assert (await client.ask(id=99, op="events"))["stream"] == "begun"


@virtual
async def test_requests_of_all_connections_that_wait_for_the_tree_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_control, "MOST_STEERING", 3)

    async def stubborn() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(20)

    async with opened(tmp_path, child(stubborn, shutdown=1)) as (_, other):
        async with raw(tmp_path) as client:
            for number in range(3):
                await client.send(id=number, op="terminate", path="shop/stubborn")
            await wait_all_tasks_blocked()
            code, text = await refusal(other.restart("shop/door"))
            assert code == "busy"
            assert text == "3 requests wait for the tree. Try again later"
        await trio.sleep(30)
        assert (await other.restart("shop/door"))["incarnation"] == 2


@virtual
async def test_of_too_many_connections_the_one_that_was_idle_longest_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_control, "MOST_CONNECTIONS", 3)
    async with opened(tmp_path) as (_, oldest):
        await trio.sleep(1)
        async with raw(tmp_path) as second, raw(tmp_path) as third:
            await trio.sleep(1)
            await oldest.health()
            await trio.sleep(1)
            await third.ask(op="health")
            async with raw(tmp_path) as fourth:
                assert await second.line() is None
                assert "ok" in await fourth.ask(op="health")
                assert "ok" in await third.ask(op="health")
                assert (await oldest.health())["status"] == "ok"


@virtual
async def test_where_all_connections_are_busy_no_other_is_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_control, "MOST_CONNECTIONS", 3)
    async with opened(tmp_path) as (_, first):
        await first.events()
        async with raw(tmp_path) as second, raw(tmp_path) as third:
            await second.ask(id=1, op="events")
            await third.ask(id=1, op="events")
            with pytest.raises(RequestRefusedError) as caught:
                async with ControlClient(str(tmp_path / "s")):
                    raise AssertionError
            assert caught.value.code == "busy"
            await third.ask(id=1, op="cancel")
            async with ControlClient(str(tmp_path / "s")) as fourth:
                assert (await fourth.health())["status"] == "ok"


@virtual
async def test_a_client_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, other), raw(tmp_path) as client:
        with trio.move_on_after(_connection.SLOWEST - 1):
            while True:
                await client.send(op="history")
        with (
            trio.fail_after(2 * _connection.SLOWEST),
            pytest.raises(trio.BrokenResourceError),
        ):
            while True:
                await client.send(op="history")
        assert (await other.health())["status"] == "ok"


@virtual
async def test_an_answer_about_too_many_places_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from regrow.observe import _answers

    monkeypatch.setattr(_answers, "MOST_PLACES", 7)
    monkeypatch.setattr(_answers, "MOST_STACKS", 6)
    async with opened(tmp_path) as (_, client):
        assert (await client.snapshot())["name"] == "shop"
        code, text = await refusal(client.stacks())
        assert code == "too_large"
        assert text == "'shop' has more than 6 places. Name one further down"
        assert len(await client.stacks("shop/back")) == 3


@virtual
async def test_others_run_while_all_places_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regrow.observe._slices.SLICE", 0.0)
    looks = 0

    async def others() -> None:
        nonlocal looks
        while True:
            await trio.lowlevel.checkpoint()
            looks += 1

    async with opened(tmp_path) as (tree, client):
        for number in range(2000):
            await tree.supervisor("shop/pool").start_child(
                child(idle, name=f"{number}")
            )
        for ask in (
            client.health,
            partial(client.page, Query()),
            partial(client.page, Query(sort="uptime")),
        ):
            await trio.sleep(1000)  # until there may be a look at once
            looks = 0
            async with trio.open_nursery() as nursery:
                nursery.start_soon(others)
                await ask()
                nursery.cancel_scope.cancel()
            assert looks > 2000 / LONGEST


@virtual
async def test_pages_come_at_once_while_a_new_look_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Rows.look
    goes_on = trio.Event()

    async def slow(self: Rows, turns: Turns) -> None:
        if self._survey is not None:
            await goes_on.wait()
        await look(self, turns)

    monkeypatch.setattr(Rows, "look", slow)
    async with opened(tmp_path) as (tree, client):
        assert (await client.page(Query())).places == 7
        pool = tree.supervisor("shop/pool")
        await pool.start_child(child(idle, name="x"))
        await trio.sleep(100)
        for _ in range(3):
            page = await client.page(Query())
            assert (page.places, page.rows[-2].path) == (7, "shop/pool/x")
        goes_on.set()
        await wait_all_tasks_blocked()
        assert (await client.page(Query())).places == 8


@virtual
async def test_a_failure_in_serving_ends_one_connection_and_is_logged(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with opened(tmp_path) as (tree, other):

        def fails(self: object, request: object) -> object:
            raise Boom

        monkeypatch.setattr("regrow.observe._answers.Answers.look", fails)
        async with raw(tmp_path) as client:
            found = await client.ask(op="tree")
            assert found["error"]["code"] == "internal"
            assert await client.line() is None
        assert [r.getMessage() for r in caplog.records] == [
            "control: a connection has failed"
        ]
        assert (await other.page(Query(limit=1))).total == 7
        assert tree.snapshot().status == "running"


@virtual
async def test_a_failure_in_steering_is_answered_and_logged(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fails(self: object, request: object) -> object:
        raise Boom

    async with opened(tmp_path) as (_, client):
        monkeypatch.setattr("regrow.observe._answers.Answers.steer", fails)
        code, _ = await refusal(client.restart("shop/door"))
        assert code == "internal"
        await wait_all_tasks_blocked()
        assert len(caplog.records) == 1
        assert (await client.health())["status"] == "ok"


@virtual
async def test_what_stops_a_program_comes_out_of_the_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: object, request: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr("regrow.observe._answers.Answers.look", fails)
    with pytest.raises(KeyboardInterrupt):
        async with opened(tmp_path) as (tree, client):
            with pytest.raises(ControlSocketError):
                await client.snapshot()
            await tree.wait_stopped()


@virtual
async def test_a_cancelled_question_does_not_answer_the_next(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, client):
        for deadline in range(8):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:

                    async def cancel(after: int, scope: trio.CancelScope) -> None:
                        for _ in range(after):
                            await trio.lowlevel.checkpoint()
                        scope.cancel()

                    nursery.start_soon(cancel, deadline, scope)
                    await client.details("shop/door")
            try:
                assert (await client.health())["status"] == "ok"
            except trio.ClosedResourceError:
                return


@virtual
async def test_idle_clients_do_not_hold_up_the_end(tmp_path: Path) -> None:
    async with open_tree(shop(), control=tmp_path / "s") as tree:
        streams = [await trio.open_unix_socket(tmp_path / "s") for _ in range(10)]
        await streams[0].send_all(b'{"op": "eve')
        for _ in range(3):
            await streams[1].send_all(b'{"id": 1, "op": "events"}\n')
        before = trio.current_time()
        await tree.stop()
        assert trio.current_time() - before < 0.1
    for stream in streams:
        await stream.aclose()


@virtual
async def test_a_number_too_large_ends_no_connection(tmp_path: Path) -> None:
    async with opened(tmp_path), raw(tmp_path) as client:
        for op in ("health", "rows", "events", "cancel", "suspend", "nothing"):
            line = f'{{"id":1e999,"op":"{op}","path":"shop/back/a"}}\n'
            await client.stream.send_all(line.encode())
            found = await client.line()
            assert (found["id"], found["error"]["code"]) == (None, "malformed")
        assert (await client.ask(id=1, op="health"))["ok"]["status"] == "ok"


@virtual
async def test_streams_are_one_reader_of_the_tree_however_many_there_are(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (tree, _):
        streams = tree._running.host.streams
        assert streams == []
        async with raw(tmp_path) as client:
            for number in range(16):
                found = await client.ask(id=number, op="events", path="elsewhere")
                assert found == {"id": number, "stream": "begun"}
            assert len(streams) == 1
            for number in range(16):
                found = await client.ask(id=number, op="cancel")
                assert found == {"id": number, "stream": "ended"}
            await wait_all_tasks_blocked()
            assert streams == []


@virtual
async def test_a_stream_pays_for_what_it_looks_past(tmp_path: Path) -> None:
    meter = Meter(clock=lambda: 0.0)
    async with opened(tmp_path) as (tree, _), raw(tmp_path) as client:
        server = cast("_control.ControlServer", tree._running.beside[0])
        server.meter = meter
        assert await client.ask(id=1, op="events", path="elsewhere")
        before = meter._debt
        for number in range(5):
            tree._running.host.emit(ChildStarted("shop", number, 0.0, "worker"))
            await wait_all_tasks_blocked()
        assert meter._debt >= before + 5 * BESIDE


@virtual
async def test_what_every_stream_has_looked_at_is_held_no_longer(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (tree, client):
        events = await client.events("elsewhere")
        (following,) = tree._running.host.streams
        assert isinstance(following, Following)
        tree._running.host.emit(ChildStarted("shop", 1, 0.0, "worker"))
        assert len(following._events) == 1
        await wait_all_tasks_blocked()
        assert len(following._events) == 0
        del events
