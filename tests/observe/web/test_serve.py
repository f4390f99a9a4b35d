"""Served over real sockets: where, from when, until when."""

import logging
import socket
import subprocess
import sys
from functools import partial

import pytest
import trio

from regrow import Actor, AddressError, Supervisor, child, open_tree, supervisor
from regrow.observe.web import _connections, serve
from regrow.observe.web._bind import Address, listen


class Worker(Actor):
    def fail(self) -> None:
        raise ValueError("bad header")


async def idle() -> None:
    await trio.sleep_forever()


def shop() -> Supervisor:
    return supervisor("shop", child(Worker), child(idle), intensity=100)


async def connect(url: str, path: str) -> trio.SocketStream:
    host, _, port = url.removeprefix("http://").rstrip("/").rpartition(":")
    stream = await trio.open_tcp_stream(host.strip("[]"), int(port))
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
    await stream.send_all(request.encode())
    return stream


async def read_until(stream: trio.SocketStream, wanted: bytes) -> bytes:
    found = b""
    while wanted not in found:
        chunk = await stream.receive_some()
        assert chunk, found
        found += chunk
    return found


async def get(url: str, path: str, wanted: bytes) -> bytes:
    async with await connect(url, path) as stream:
        return await read_until(stream, wanted)


@pytest.mark.slow
async def test_a_tree_that_stops_ends_within_a_second_with_streams_open() -> None:
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery, open_tree(shop()) as tree:
            url = await nursery.start(serve, tree, "0")
            assert url.startswith("http://127.0.0.1:")
            streams = [await connect(url, "/events") for _ in range(5)]
            idle_one = await trio.open_tcp_stream(
                "127.0.0.1", int(url.rstrip("/").rpartition(":")[2])
            )
            for stream in streams:
                await read_until(stream, b"event: open")
            stopped_at = trio.current_time()
            await tree.stop()
            for stream in streams:
                assert b"event: end" in await read_until(stream, b"0\r\n\r\n")
            while nursery.child_tasks:  # noqa: ASYNC110 - a nursery tells nobody
                await trio.sleep(0.01)
            assert trio.current_time() - stopped_at < 1
            for stream in (*streams, idle_one):
                await stream.aclose()


@pytest.mark.slow
async def test_cancelled_it_ends_at_once_and_the_tree_goes_on() -> None:
    with trio.fail_after(10):
        async with open_tree(shop()) as tree, trio.open_nursery() as nursery:
            url = await nursery.start(serve, tree, "0")
            stream = await connect(url, "/events")
            await read_until(stream, b"event: open")
            cancelled_at = trio.current_time()
            nursery.cancel_scope.cancel()
        assert trio.current_time() - cancelled_at < 1
        await stream.aclose()
        # Its port is free again.
        listen(Address.read(url.removeprefix("http://").rstrip("/"))).close()


@pytest.mark.slow
async def test_a_reader_that_reads_nothing_does_not_hold_the_end_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Eight thousand tracebacks are not what is looked at.
    with trio.fail_after(20), caplog.at_level(logging.CRITICAL + 1, "regrow"):
        async with (
            trio.open_nursery() as nursery,
            open_tree(supervisor("shop", child(Worker), intensity=10**6)) as tree,
        ):
            url = await nursery.start(serve, tree, "0")
            async with await connect(url, "/events") as stream:
                await read_until(stream, b"event: open")
                worker = tree.ref("shop/worker", Worker)
                for _ in range(8000):  # more than the buffers of a socket hold
                    await worker.cast(Worker.fail)
                await tree.stop()
                stopped_at = trio.current_time()
                while nursery.child_tasks:  # noqa: ASYNC110 - a nursery tells nobody
                    await trio.sleep(0.01)
                # Half a second and what a loaded machine takes besides; not for ever.
                assert trio.current_time() - stopped_at < 3


@pytest.mark.slow
async def test_on_another_protocol_and_only_where_it_is_told_to() -> None:
    if not has_ipv6():
        pytest.skip("there is no IPv6 here")
    async with open_tree(shop()) as tree, trio.open_nursery() as nursery:
        url = await nursery.start(serve, tree, "[::1]:0")
        assert url.startswith("http://[::1]:")
        assert b'{"live":true}' in await get(url, "/health/live", b"}")
        nursery.cancel_scope.cancel()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


async def test_a_port_in_use_is_a_clear_error() -> None:
    with listen(Address("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with open_tree(shop()) as tree:
            with pytest.raises(AddressError) as caught:
                await serve(tree, address)
    assert str(caught.value) == (
        f"{address!r} cannot be listened at: Address already in use. "
        "Use another one, or port 0."
    )


async def test_an_unknown_host_is_a_clear_error() -> None:
    async with open_tree(shop()) as tree:
        with pytest.raises(AddressError, match="'no such host:80' is nowhere to be"):
            await serve(tree, "no such host:80")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8000", Address("127.0.0.1", 8000)),
        ("0", Address("127.0.0.1", 0)),
        ("0.0.0.0:80", Address("0.0.0.0", 80)),  # noqa: S104 - only text
        ("ops.example:65535", Address("ops.example", 65535)),
        ("[::1]:80", Address("::1", 80)),
    ],
)
def test_what_is_an_address(text: str, address: Address) -> None:
    assert Address.read(text) == address
    assert str(address).endswith(text)


@pytest.mark.parametrize(
    "text",
    ["", ":", ":80", "host", "host:", "a:b", "1:65536", "::1:80", "[::1]", "[]:1",
     "[host]:1", "a:-1", "a:+1", "a:٣", "999999"],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        Address.read(text)
    assert str(caught.value) == (
        f"{text!r} is no address: write PORT, HOST:PORT or [ADDRESS]:PORT."
    )


HIDE = """\
import sys
from importlib.abc import MetaPathFinder

class Hidden(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
"""


@pytest.mark.parametrize("name", ["starlette", "hypercorn", "prometheus_client"])
def test_without_the_extra_the_error_says_what_to_install(name: str) -> None:
    code = HIDE.format(names={name}) + "import regrow.observe.web"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"regrow.errors.MissingExtraError: '{name}' is not installed, which "
        "regrow.observe.web needs. Run: pip install 'regrow[web]'"
    )


def test_nothing_of_it_is_imported_where_it_is_not_used() -> None:
    code = HIDE.format(names={"starlette", "hypercorn", "prometheus_client", "h11"})
    code += "import regrow, regrow.cli._run, regrow.observe\n"
    code += "import regrow.cli; regrow.cli.main(['run', '--help'])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


async def test_the_server_is_started_by_a_partial_too() -> None:
    async with open_tree(shop()) as tree, trio.open_nursery() as nursery:
        url = await nursery.start(partial(serve, tree, "0", token="correct horse"))  # noqa: S106
        assert url
        nursery.cancel_scope.cancel()


@pytest.mark.slow
async def test_a_flood_of_connections_takes_no_more_than_its_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_connections, "MOST", 5)
    with trio.fail_after(10):
        async with open_tree(shop()) as tree, trio.open_nursery() as nursery:
            url = await nursery.start(serve, tree, "0")
            lives = await connect(url, "/events")
            await read_until(lives, b"event: open")
            await trio.sleep(0.01)
            port = int(url.rstrip("/").rpartition(":")[2])
            begun = (
                b"POST /rows HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
            )
            flood: list[trio.SocketStream] = []
            for _ in range(20):
                stream = await trio.open_tcp_stream("127.0.0.1", port)
                await stream.send_all(begun)
                flood.append(stream)
                await tree.ref("shop/worker", Worker).cast(Worker.fail)
                await read_until(lives, b"ChildStarted")  # it is not the silent one
            assert b'{"live":true}' in await get(url, "/health/live", b"}")
            for stream in flood[:-5]:
                assert await stream.receive_some() == b""
            for stream in (lives, *flood):
                await stream.aclose()
            nursery.cancel_scope.cancel()
