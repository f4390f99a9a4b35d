"""`regrow run --http`: the address is taken first, the tree is served, all ends together."""

import http.client
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager, closing

import pytest

Command = Callable[..., AbstractContextManager["subprocess.Popen[str]"]]

TREE = """\
import trio
from regrow import child, supervisor

async def work(task_status):
    print("up", flush=True)
    task_status.started()
    await trio.sleep_forever()

tree = supervisor("shop", child(work))
"""


def port_of(process: "subprocess.Popen[str]") -> int:
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("regrow run: serving http://127.0.0.1:"), line
    return int(line.rstrip("/\n").rpartition(":")[2])


def ask(port: int, method: str, path: str, token: str = "") -> tuple[int, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text.startswith(b"{") else text
    finally:
        connection.close()


def test_the_tree_is_served_until_a_signal_stops_both(
    command: Command, module: Callable[[str], str]
) -> None:
    with command("run", "--http", "0", f"{module(TREE)}:tree") as process:
        port = port_of(process)
        assert ask(port, "GET", "/health/ready")[0] == 200
        assert ask(port, "POST", "/place/shop/work/restart") == (
            405,
            {"error": "Method Not Allowed"},
        )
        with socket.create_connection(("127.0.0.1", port), timeout=10) as stream:
            stream.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200" in stream.recv(100)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, "up\n", "")


HANGING = """\
import trio
from regrow import child, supervisor

async def store(task_status):
    await trio.sleep_forever()

tree = supervisor("shop", child(store))
"""

NEVER_UP = """\
import signal, trio
from regrow import child, supervisor

async def store(task_status):
    with trio.open_signal_receiver(signal.SIGUSR2) as signals:
        await anext(signals)
    raise OSError("no such database")

tree = supervisor("shop", child(store))
"""


def test_a_start_that_hangs_is_served_live_and_not_ready(
    command: Command, module: Callable[[str], str]
) -> None:
    with command("run", "--http", "0", f"{module(HANGING)}:tree") as process:
        port = port_of(process)
        assert ask(port, "GET", "/health/live") == (200, {"live": True})
        status, answer = ask(port, "GET", "/health/ready")
        assert isinstance(answer, dict)
        paths = [reason["path"] for reason in answer["reasons"]]
        assert (status, paths) == (503, ["shop", "shop/store"])
        status, place = ask(port, "GET", "/place/shop/store")
        assert isinstance(place, dict)
        assert place["row"]["status"] == "starting"
        assert any("in store" in line for line in place["stack"])
        assert ask(port, "GET", "/")[0] == 200
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, "", "")


FAILING = """\
import trio
from regrow import child, supervisor

async def work():
    await trio.sleep(1)
    raise OSError("no such device")

tree = supervisor("shop", child(work), intensity=0)
"""


def events(answer: http.client.HTTPResponse) -> list[str]:
    """Read a stream to its end; give what its lines of `event:` and `data:` say."""
    lines = answer.read().decode().splitlines()  # IncompleteRead, if it is cut
    return [line for line in lines if line.startswith(("event: ", 'data: {"event"'))]


@pytest.mark.parametrize(
    ("source", "number", "code"),
    [
        (TREE, signal.SIGTERM, 0),
        (FAILING, 0, 1),
        (HANGING, signal.SIGTERM, 0),
        (NEVER_UP, signal.SIGUSR2, 1),
    ],
)
def test_streams_are_told_of_the_end(
    command: Command, module: Callable[[str], str], source: str, number: int, code: int
) -> None:
    with command("run", "--http", "0", f"{module(source)}:tree") as process:
        connection = http.client.HTTPConnection(
            "127.0.0.1", port_of(process), timeout=10
        )
        with closing(connection):
            connection.request("GET", "/events")
            with connection.getresponse() as answer:
                if number:
                    process.send_signal(number)
                *_, last, end = events(answer)
        assert '"event":"PlaceClosed","path":"shop"' in last
        assert end == "event: end"
        process.communicate(timeout=10)
        assert process.returncode == code


def test_with_a_token_in_the_environment_it_can_be_steered(
    command: Command,
    module: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REGROW_HTTP_TOKEN", "correct horse")
    with command("run", "--http", "0", f"{module(TREE)}:tree") as process:
        port = port_of(process)
        path = "/place/shop/work/restart"
        assert ask(port, "POST", path, "wrong")[0] == 401
        done = {"done": "restart", "path": "shop/work"}
        assert ask(port, "POST", path, "correct horse") == (200, done)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=10)
        assert out == "up\nup\n"


def test_a_token_that_is_too_short_is_bad_usage(
    command: Command,
    module: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REGROW_HTTP_TOKEN", "abc")
    with command("run", "--http", "0", f"{module(TREE)}:tree") as process:
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out) == (2, "")
        assert err == (
            "regrow run: REGROW_HTTP_TOKEN: the token has 3 characters: "
            "use 8 or more that nobody guesses\n"
        )


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("80 80", "'80 80' is no address: write PORT, HOST:PORT or [ADDRESS]:PORT."),
        ("no such host:80", "'no such host:80' is nowhere to be found"),
    ],
)
def test_a_wrong_address_is_bad_usage_and_starts_nothing(
    command: Command, module: Callable[[str], str], address: str, error: str
) -> None:
    with command("run", "--http", address, f"{module(TREE)}:tree") as process:
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out) == (2, "")
        assert err.startswith(f"regrow run: {error}")


def test_a_port_in_use_is_told_before_the_tree_starts(
    command: Command, module: Callable[[str], str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with command("run", "--http", str(port), f"{module(TREE)}:tree") as process:
            out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (2, "")
    assert err == (
        f"regrow run: '127.0.0.1:{port}' cannot be listened at: "
        f"{os.strerror(98)}. Use another one, or port 0.\n"
    )
