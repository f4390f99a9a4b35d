from functools import partial
from typing import Any

import pytest
import trio

from examples import kv_server
from regrow import ActorCrashedError, ChildExited, Event, ExitReason, open_tree

from .log import brief


async def listen() -> tuple[trio.SocketListener, kv_server.Connect]:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    return listener, partial(trio.open_tcp_stream, "127.0.0.1", port)


async def ask(stream: trio.abc.Stream, line: str) -> str:
    await stream.send_all(f"{line}\n".encode())
    answer = b""
    while not answer.endswith(b"\n"):
        chunk = await stream.receive_some()
        assert chunk, f"hung up after {answer!r}"
        answer += chunk
    return answer.decode()


async def test_two_clients_talk_over_a_real_socket(
    capsys: pytest.CaptureFixture[str],
) -> None:
    events: list[Event] = []
    await kv_server.main(observers=[events.append])
    assert capsys.readouterr().out.splitlines() == [
        "ann: SET colour green -> OK",
        "bob: GET colour -> VALUE green",
        "bob: MAKE me a sandwich -> hung up",
        "ann: GET size -> NONE",
    ]
    crashes = [
        event
        for event in events
        if isinstance(event, ChildExited) and event.reason is ExitReason.CRASHED
    ]
    assert [repr(event.error) for event in crashes] == [
        "BadRequestError('MAKE me a sandwich')"
    ]
    assert brief(events)[:4] == [
        "kv/store 1 up",
        "kv/sessions 1 up",
        "kv/acceptor 1 up",
        "kv 1 up",
    ]


async def test_there_is_a_limit_to_sessions() -> None:
    listener, connect = await listen()
    tree = open_tree(kv_server.kv_server(listener, max_sessions=1))
    async with listener, tree as live:
        sessions = live.supervisor("kv/sessions")
        async with await connect() as first:
            assert await ask(first, "GET a") == "NONE\n"
            async with await connect() as second:
                assert await second.receive_some() == b""
            [info] = await sessions.which_children()
            session_over = info.name
        # The place is free again as soon as the session has noticed.
        while [info.name for info in await sessions.which_children()] == [session_over]:
            await trio.lowlevel.checkpoint()
        async with await connect() as third:
            assert await ask(third, "SET a 1") == "OK\n"


async def test_a_crash_of_the_store_hangs_up_on_everybody() -> None:
    listener, connect = await listen()
    async with listener, open_tree(kv_server.kv_server(listener)) as tree:
        store = tree.ref("kv/store", kv_server.Store)
        async with await connect() as client:
            assert await ask(client, "SET a 1") == "OK\n"
            unhashable: Any = []
            with pytest.raises(ActorCrashedError):
                await store.call(kv_server.Store.set, unhashable, "value")
            assert await client.receive_some() == b""
        async with await connect() as client:
            assert await ask(client, "GET a") == "NONE\n"


async def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    listener, connect = await listen()
    tree = open_tree(kv_server.kv_server(listener))
    async with listener, tree, await connect() as client:
        await client.send_all(b"x" * (kv_server.LONGEST_LINE + 1))
        assert await client.receive_some() == b""
