"""The control protocol: whatever comes in is a request or a refusal, and bounded."""

import json
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from regrow.observe._lines import (
    LARGEST,
    Lines,
    answer,
    ask,
    begun,
    ended,
    refused,
    told,
)
from regrow.observe._protocol import LONGEST, Code, Op, Refusal, Request, parse
from regrow.observe._row import Query

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
NAMES = ["id", "op", "path", "offset", "limit", "folded", "filter", "sort", "x"]
NEARLY = st.dictionaries(
    st.sampled_from(NAMES),
    JSON | st.sampled_from([op.value for op in Op]) | st.integers(-2, 2000),
)


def bounded(found: Request | Refusal) -> None:
    line = refused(found) if isinstance(found, Refusal) else answer(found, None)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert len(line) < 4096
    json.loads(line)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_a_refusal(line: bytes) -> None:
    bounded(parse(line))


@given(JSON | NEARLY)
def test_any_json_is_a_request_or_a_refusal(value: Any) -> None:
    bounded(parse(json.dumps(value).encode()))


@given(NEARLY.filter(lambda fields: isinstance(fields.get("id"), int | str)))
def test_a_short_id_comes_back_whatever_the_rest_is(fields: dict[str, Any]) -> None:
    line = json.dumps(fields).encode()
    found = parse(line)
    if isinstance(found, Refusal) and found.code is Code.MALFORMED:
        assert "NaN" in str(line) or "Infinity" in str(line)
        return
    if len(json.dumps(fields["id"])) <= 256:
        assert found.id == fields["id"]


@given(
    st.integers(),
    st.builds(
        Query,
        offset=st.integers(0, 10**9),
        limit=st.integers(0, 1000),
        folded=st.frozensets(st.text(max_size=9), max_size=5),
        filter=st.text(max_size=20),
        sort=st.sampled_from(["tree", "restarts", "mailbox", "uptime"]),
    ),
)
def test_what_a_client_asks_is_what_a_server_reads(number: int, query: Query) -> None:
    arguments = {
        "offset": query.offset,
        "limit": query.limit,
        "folded": sorted(query.folded),
        "filter": query.filter,
        "sort": query.sort,
    }
    line = ask(number, Op.ROWS, arguments)
    assert parse(line) == Request(number, Op.ROWS, query=query)
    query = Query(path="shop/a", folded=query.folded)
    line = ask(number, Op.ROWS, {"path": "shop/a", "folded": sorted(query.folded)})
    assert parse(line) == Request(number, Op.ROWS, path="shop/a", query=query)


@given(st.lists(st.binary(max_size=30)), st.randoms(use_true_random=False))
def test_lines_are_the_same_however_their_bytes_come(
    chunks: list[bytes], random: Any
) -> None:
    text = b"\n".join(chunks)
    lines = Lines(1000)
    found: list[bytes] = []
    rest = text
    while rest:
        cut = random.randint(1, len(rest))
        found += lines.feed(rest[:cut])
        rest = rest[cut:]
    found += lines.feed(b"")
    expected = text.split(b"\n")
    assert found == (expected if expected[-1] else expected[:-1])
    assert not lines.broken


@given(st.lists(st.binary(max_size=30), min_size=1))
@example([b"1", b"2345678901\n12345678901"])
def test_after_a_line_that_is_too_long_there_are_no_more(chunks: list[bytes]) -> None:
    lines = Lines(10)
    for chunk in chunks:
        found = lines.feed(chunk)
        assert all(len(line) <= 10 for line in found[:-1])
        assert len(lines._held) <= 10
        if lines.broken:
            assert len(found[-1]) > 10
            return
        assert all(len(line) <= 10 for line in found)


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        ("{", Code.MALFORMED, "the line is not JSON: "),
        ("[" * 60_000, Code.MALFORMED, "the line is not JSON: "),
        ('{"id": ' + "1" * 5000 + "}", Code.MALFORMED, "the line is not JSON: "),
        ('{"id": NaN}', Code.MALFORMED, "the line is not JSON: NaN is no number"),
        ("[]", Code.MALFORMED, "the line is no object. "),
        ('{"op": "rows"' + " " * LONGEST + "}", Code.TOO_LONG, "a line has at most "),
        ('{"op": "fly"}', Code.UNKNOWN_OP, 'there is no op "fly". Write one of tree, '),
        ("{}", Code.UNKNOWN_OP, "there is no op null. "),
        ('{"op": ["stop"]}', Code.UNKNOWN_OP, "there is no op a list. "),
        ('{"op": "stop", "path": "x"}', Code.BAD_ARGUMENT, "it takes none"),
        ('{"op": "restart"}', Code.BAD_ARGUMENT, "restart: it needs a path"),
        ('{"op": "restart", "path": ""}', Code.BAD_ARGUMENT, "the path is empty"),
        ('{"op": "restart", "path": 1}', Code.BAD_ARGUMENT, "path is 1. Write a text"),
        ('{"op": "rows", "limit": 1001}', Code.BAD_ARGUMENT, "from 0 to 1000"),
        ('{"op": "rows", "limit": true}', Code.BAD_ARGUMENT, "limit is true. "),
        ('{"op": "rows", "offset": -1}', Code.BAD_ARGUMENT, "offset is -1. "),
        ('{"op": "rows", "sort": "size"}', Code.BAD_ARGUMENT, "tree, restarts, mailb"),
        ('{"op": "rows", "sort": []}', Code.BAD_ARGUMENT, "sort is a list. "),
        ('{"op": "rows", "folded": "x"}', Code.BAD_ARGUMENT, "folded is no list"),
        (
            '{"op": "rows", "path": "shop/a", "filter": "b"}',
            Code.BAD_ARGUMENT,
            "rows: a path goes with neither filter nor sort",
        ),
        ('{"op": "rows", "folded": [1]}', Code.BAD_ARGUMENT, "folded has 1, which"),
        ('{"op": "rows", "fitler": ""}', Code.BAD_ARGUMENT, 'no argument "fitler"'),
        ('{"op": "history", "limit": 0}', Code.BAD_ARGUMENT, "from 1 to 1000"),
        ('{"op": "stop", "id": "%s"}' % ("x" * 300), Code.BAD_ARGUMENT, "the id is"),
        ('{"op": "stop", "id": [[[[[[[[[[[]]]]]]]]]]]}', Code.BAD_ARGUMENT, "the id is"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(line: str, code: Code, text: str) -> None:
    found = parse(line.encode())
    assert isinstance(found, Refusal)
    assert found.code is code
    assert text in found.text


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ('{"op": "tree"}', Request(None, Op.TREE)),
        ('{"id": {"a": [1]}, "op": "health"}', Request({"a": [1]}, Op.HEALTH)),
        ('{"op": "stacks", "path": "shop/x"}', Request(None, Op.STACKS, "shop/x")),
        ('{"op": "rows"}', Request(None, Op.ROWS)),
        ('{"op": "history", "limit": 3}', Request(None, Op.HISTORY, limit=3)),
        ('{"id": 7, "op": "cancel"}', Request(7, Op.CANCEL)),
    ],
)
def test_what_is_right_is_read(line: str, request_: Request) -> None:
    assert parse(line.encode()) == request_


def test_answers_are_lines() -> None:
    request = Request(7, Op.EVENTS)
    assert answer(request, {"a": 1}) == b'{"id":7,"ok":{"a":1}}\n'
    assert begun(request) == b'{"id":7,"stream":"begun"}\n'
    assert told(request, {"at": 1.5}) == b'{"id":7,"event":{"at":1.5}}\n'
    assert ended(request) == b'{"id":7,"stream":"ended"}\n'
    refusal = Refusal(7, Code.BUSY, "later")
    expected = b'{"id":7,"error":{"code":"busy","text":"later"}}\n'
    assert refused(refusal) == expected


def test_an_answer_that_is_too_large_is_refused() -> None:
    line = answer(Request(7, Op.TREE), "x" * LARGEST)
    found = json.loads(line)
    assert found["id"] == 7
    assert found["error"]["code"] == "too_large"


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9e99999"])
@pytest.mark.parametrize(
    "line", ['{"id":%s,"op":"health"}', '{"op":"rows","limit":%s}']
)
def test_a_number_too_large_to_be_sent_back_is_malformed(
    number: str, line: str
) -> None:
    refusal = parse((line % number).encode())
    assert isinstance(refusal, Refusal)
    assert refusal.code is Code.MALFORMED
    text = f"the line is not JSON: {number} is too large a number"
    assert refusal.text == text
