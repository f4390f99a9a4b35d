"""What docs/control.md says of the control socket is what a client gets."""

import json
import re
from pathlib import Path
from typing import Any

import trio

from regrow import Actor, child, open_tree, supervisor
from regrow.observe import _answers, _connection, _control, _lines, _protocol
from tests.runtime.trees import virtual

from .pages import ROOT, blocks, rows, section

PAGE = ROOT / "docs" / "control.md"


class Clerk(Actor):
    name = "ann"


async def door() -> None:
    await trio.sleep_forever()


def session() -> list[str]:
    (block,) = [block for block in blocks(PAGE, "text") if block.mark == "session"]
    # Lines are broken between two members, or at a space within a text.
    code = re.sub(r",\n +", ",", block.code)
    return re.sub(r"\n +", " ", code).splitlines()


def timeless(value: Any) -> Any:
    """Give *value* without what no two runs have in common."""
    if isinstance(value, dict):
        return {
            name: None if name in {"at", "uptime", "pid", "time"} else timeless(each)
            for name, each in value.items()
        }
    return [timeless(each) for each in value] if isinstance(value, list) else value


@virtual
async def test_the_session_goes_as_it_is_shown(tmp_path: Path) -> None:
    shop = supervisor("shop", supervisor("back", child(Clerk)), child(door))
    path = tmp_path / "s"
    async with open_tree(shop, control=path) as tree:
        async with await trio.open_unix_socket(path) as stream:
            held = b""
            expected: list[Any] = []
            found: list[Any] = []
            for line in [*session(), '"op"']:
                if '"op"' not in line:
                    expected.append(timeless(json.loads(line)))
                    continue
                while len(found) < len(expected):
                    held += bytes(await stream.receive_some())
                    *answers, held = held.split(b"\n")
                    found += [timeless(json.loads(answer)) for answer in answers]
                # Which comes first of an event and the answer to its cause is not told.
                assert sorted(map(repr, found)) == sorted(map(repr, expected))
                expected, found = [], []
                await stream.send_all(f"{line}\n".encode())
        await tree.wait_stopped()


def first_cells(title: str) -> list[str]:
    return [row[0].strip("`") for row in rows(section(PAGE, title))]


def test_every_op_and_every_code_stands_there() -> None:
    ops = first_cells("Looking") + first_cells("Steering")
    assert sorted(ops) == sorted(op.value for op in _protocol.Op)
    assert sorted(first_cells("Errors")) == sorted(c.value for c in _protocol.Code)


def test_the_bounds_are_those_of_the_code() -> None:
    found = {
        row[0]: int(re.sub(r"\D.*", "", row[1].replace(",", "")) or 0)
        for row in rows(section(PAGE, "Bounds"))
    }
    assert list(found.values()) == [
        _protocol.LONGEST // 1024,
        _lines.LARGEST // 1024**2,
        _control.MOST_CONNECTIONS,
        _connection.MOST_REQUESTS,
        _control.MOST_STEERING,
        _control.EVENTS,
        _connection.SLOWEST,
        0,  # in words
        _control.FAREWELL,
    ]
    text = section(PAGE, "Looking").replace(",", "")
    for most in (
        _answers.MOST_PLACES,
        _answers.MOST_STACKS,
        _protocol.MOST_ROWS,
        _protocol.MOST_FOLDED,
        _protocol.MOST_EVENTS,
    ):
        assert f"at most {most}" in text
