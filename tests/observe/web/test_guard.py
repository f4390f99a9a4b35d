"""Who is answered, and with which headers."""

import pytest
import trio

from regrow import Supervisor, child, supervisor
from regrow.observe.web import app
from regrow.observe.web._guard import check_token, host_of, is_loopback
from tests.runtime.trees import open_tree, virtual

from .client import Client


async def idle() -> None:
    await trio.sleep_forever()


def shop() -> Supervisor:
    return supervisor("shop", child(idle))


PATHS = ["/", "/health/live", "/metrics", "/tree.json", "/events", "/place/shop"]
TOKEN = "correct horse"  # noqa: S105 - of a test


@virtual
async def test_on_loopback_only_names_of_it_are_answered() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree))
        for path in PATHS:
            answer = await client.get(path, host="evil.example")
            assert answer.status == 403, path
            assert answer.json == {
                "error": "the Host 'evil.example' is no name of this machine's own "
                "address. Ask for localhost, or name it in hosts="
            }
        for host in ("127.0.0.1:8000", "[::1]:8000", "LOCALHOST", "a.localhost:1"):
            assert (await client.get("/tree.json", host=host)).status == 200, host
        assert (await client.get("/tree.json", host="")).status == 403


@virtual
async def test_names_of_a_proxy_are_answered_where_they_are_given() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree, hosts=["Ops.Example"]))
        assert (await client.get("/tree.json", host="ops.example")).status == 200
        assert (await client.get("/tree.json", host="evil.example")).status == 403


@virtual
async def test_elsewhere_than_on_loopback_any_name_is_answered() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree), server="192.0.2.1")
        assert (await client.get("/tree.json", host="ops.example")).status == 200


@virtual
async def test_another_origin_is_refused_and_ones_own_is_not() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree))
        for origin in ("http://evil.example", "null", "http://localhost:9999"):
            assert (await client.get("/tree.json", origin=origin)).status == 403, origin
        own = await client.get("/tree.json", origin="http://localhost:8000")
        assert own.status == 200


@virtual
async def test_who_bears_the_token_is_answered_under_any_name() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree, token=TOKEN))
        answer = await client.get(
            "/tree.json", host="ops.example", authorization=f"Bearer {TOKEN}"
        )
        assert answer.status == 200
        answer = await client.get(
            "/tree.json", host="ops.example", authorization="Bearer wrong"
        )
        assert answer.status == 403


@virtual
async def test_every_answer_has_the_headers() -> None:
    async with open_tree(shop()) as tree:
        client = Client(app(tree))
        for path in ("/", "/tree.json", "/metrics", "/health/ready", "/nothing"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cache-control"] == "no-store"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "access-control-allow-origin" not in headers


def test_a_token_that_is_easily_guessed_is_refused() -> None:
    @virtual
    async def run() -> None:
        async with open_tree(shop()) as tree:
            with pytest.raises(ValueError, match="the token has 3 characters: use 8"):
                app(tree, token="abc")  # noqa: S106 - the wrong one is the test
            app(tree)  # nothing was taken

    run()


@pytest.mark.parametrize(
    ("text", "host"),
    [("localhost:1", "localhost"), ("[::1]:80", "::1"), ("a.b", "a.b"), ("", "")],
)
def test_the_name_in_a_host_header(text: str, host: str) -> None:
    assert host_of(text) == host


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost"]
)
def test_what_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "localhost.evil.example", ""])  # noqa: S104 - text
def test_what_is_not(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "token",
    ["geheim\u00e9nis", "from a file\n", " " * 9, "x\udcffyz12345", "a\tbcdefgh"],
)
def test_a_token_that_no_header_can_have_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="the token has characters that a header"):
        check_token(token)
