"""`regrow show`, as a command, and the picture it draws."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import trio
from rich.console import Console

from regrow import (
    Actor,
    Backoff,
    Heartbeat,
    Mailbox,
    Supervisor,
    child,
    dynamic,
    supervisor,
)
from regrow.cli import main
from regrow.cli._picture import Picture, as_data
from tests.cli.test_check import in_terminal

SHOP = """\
import math
from regrow import Actor, Backoff, Mailbox, child, dynamic, supervisor

class Store(Actor): ...

async def serve(*refs): ...

store = child(Store, shutdown=math.inf, mailbox=Mailbox(10, "raise", "clear"))
sessions = dynamic("sessions", max_children=100, intensity=1)
front = child(
    serve,
    [store.ref, sessions.ref],
    name="front",
    restart="transient",
    significant=True,
    start="retry",
    start_timeout=2.5,
    backoff=Backoff(max_attempts=5),
)
back = supervisor("back", child(serve, backoff=Backoff(1, 1, 1, 0)), shutdown=20)
tree = supervisor(
    "shop",
    store,
    sessions,
    front,
    back,
    strategy="rest_for_one",
    auto_shutdown="any_significant",
)
"""

DRAWN = """\
shop  supervisor, rest_for_one, 3 restarts in 5 s, auto_shutdown any_significant
├── store  actor, permanent, no limit to stop, mailbox 10 (raise, cleared by a restart)
├── sessions  dynamic, 100 children, 1 restart in 5 s, permanent
├── front  service, transient, significant, start retry, 2.5 s to start, 5 s to stop
│     backoff 0.1 s, times 2 up to 30 s, less up to 10%, 5 attempts, healthy after 60 s
│     holds the ref of 'shop/store' and 'shop/sessions'
└── back  supervisor, one_for_one, 3 restarts in 5 s, permanent, 20 s to stop
    └── serve  service, permanent, 5 s to stop
          backoff 1 s, healthy after 60 s
6 places
"""


def stripped(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def test_the_whole_picture(
    target: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", target(SHOP)]) == 0
    out, err = capsys.readouterr()
    assert (stripped(out), err) == (DRAWN, "")


def test_the_picture_in_a_file(
    target: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shop.svg"
    assert main(["show", target(SHOP), "--svg", str(file)]) == 0
    assert capsys.readouterr() == ("", "")
    text = file.read_text("utf-8")
    words = "".join(ElementTree.fromstring(text).itertext())  # noqa: S314 - ours
    assert "mailbox 10 (raise, cleared by a restart)" in words.replace("\xa0", " ")
    assert "@font-face" not in text
    assert "url(http" not in text.replace('"', "")


def test_a_file_that_cannot_be_written(
    target: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "none" / "shop.svg"
    assert main(["show", target(SHOP), "--svg", str(file)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("regrow show: the picture cannot be written: ")


def test_one_form_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["show", "a:b", "--json", "--svg", "x"])
    assert caught.value.code == 2
    assert "not allowed with argument" in capsys.readouterr().err


def test_a_refused_tree_has_no_picture(
    target: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    source = SHOP.replace("intensity=1", "intensity=-1")
    assert main(["show", target(source)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("regrow show: 1 fault in the declared tree:\n  sessions: ")


def test_as_json(
    target: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", target(SHOP), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["tree"] == "shop"
    assert [place["path"] for place in told["places"]] == [
        "shop",
        "shop/store",
        "shop/sessions",
        "shop/front",
        "shop/back",
        "shop/back/serve",
    ]
    assert told["places"][2] == {
        "path": "shop/sessions",
        "parent": "shop",
        "name": "sessions",
        "kind": "dynamic",
        "restart": "permanent",
        "shutdown": None,
        "start": "fail",
        "start_timeout": None,
        "significant": False,
        "backoff": None,
        "heartbeat": None,
        "mailbox": None,
        "holds": [],
        "held_by": ["shop/front"],
        "strategy": "one_for_one",
        "intensity": 1,
        "period": 5.0,
        "auto_shutdown": "never",
        "max_children": 100,
    }
    assert told["places"][1]["mailbox"] == {
        "capacity": 10,
        "on_full": "raise",
        "on_restart": "clear",
    }
    front = told["places"][3]
    assert front["holds"] == ["shop/store", "shop/sessions"]
    assert front["backoff"]["max_attempts"] == 5
    assert told["places"][5]["backoff"]["max_attempts"] is None


# ------------------------------------------------------------------------- the picture


class Worker(Actor):
    """Does nothing."""


async def serve(*held: object) -> None:
    await trio.sleep_forever()


def drawn(tree: Supervisor, most: int | None = 200) -> list[str]:
    console = Console(width=200, color_system=None)
    picture = Picture.of(tree, most=most)
    with console.capture() as capture:
        console.print(picture.drawn)
        console.print(picture.summary)
    return stripped(capture.get()).splitlines()


def group(name: str, count: int) -> Supervisor:
    return supervisor(name, *[child(serve, name=f"w{n}") for n in range(count)])


def test_a_wide_supervisor_is_cut_and_says_so() -> None:
    lines = drawn(group("top", 1234))
    assert len(lines) == 1 + 20 + 1 + 1
    assert lines[-2:] == [
        "└── 1,214 more, which --all shows",
        "21 of 1,235 places; --all shows the others",
    ]


def test_a_large_tree_shows_its_upper_levels() -> None:
    lines = drawn(supervisor("top", *[group(f"g{n}", 50) for n in range(20)]))
    assert lines[-1] == "200 of 1,021 places; --all shows the others"
    for number in range(20):
        assert any(f" g{number}  supervisor" in line for line in lines)
    more = [line for line in lines if "more, which --all shows" in line]
    hidden = [int(line.split("─ ")[1].split()[0]) for line in more]
    assert sum(hidden) == 1021 - 200


def test_all_of_a_large_tree() -> None:
    lines = drawn(supervisor("top", *[group(f"g{n}", 50) for n in range(20)]), None)
    assert (len(lines), lines[-1]) == (1022, "1,021 places")


def test_a_heartbeat_is_told() -> None:
    asked = child(Worker, heartbeat=Heartbeat(every=10, timeout=2.5, misses=3))
    tree = supervisor("top", asked)
    assert drawn(tree)[2] == "      heartbeat every 10 s, 2.5 s to answer, 3 misses"
    places: Any = as_data(tree)["places"]
    assert places[1]["heartbeat"] == {"every": 10, "timeout": 2.5, "misses": 3}


def test_one_of_something_is_not_several() -> None:
    once = Backoff(max_attempts=1)
    asked = child(Worker, heartbeat=Heartbeat(every=10, timeout=2.5), backoff=once)
    _, _, backoff, heartbeat, _ = drawn(supervisor("top", asked))
    assert "1 attempt, healthy" in backoff
    assert heartbeat.endswith("1 miss")


def test_many_refs_are_cut_too() -> None:
    held = [child(serve, name=f"h{n}") for n in range(9)]
    tree = supervisor("top", *held, child(serve, *[each.ref for each in held]))
    [line] = [each for each in drawn(tree) if "holds the ref" in each]
    assert line.endswith("'top/h3', 'top/h4' and 4 more")
    [line] = [each for each in drawn(tree, None) if "holds the ref" in each]
    assert line.endswith("'top/h7' and 'top/h8'")


def test_names_are_no_markup_and_no_commands_for_the_terminal() -> None:
    outside = child(Worker, name="out\x07")
    tree = supervisor("[red]\x1b[2J", child(serve, outside.ref, name="a\nb"))
    assert drawn(tree) == [
        "[red]\\x1b[2J  supervisor, one_for_one, 3 restarts in 5 s",
        "└── a\\nb  service, permanent, 5 s to stop",
        "      holds the ref of 'out\\x07', not in this tree",
        "2 places",
    ]


def test_what_has_no_bound() -> None:
    unbounded = child(Worker, mailbox=Mailbox(float("inf")))
    assert drawn(supervisor("top", unbounded, dynamic("many"), intensity=10**20)) == [
        "top  supervisor, one_for_one, more than 1000000000000000 restarts in 5 s",
        "├── worker  actor, permanent, 5 s to stop, mailbox no bound (wait)",
        "└── many  dynamic, any number of children, 3 restarts in 5 s, permanent",
        "3 places",
    ]


def test_a_deep_tree() -> None:
    tree = group("s", 1)
    for _ in range(1500):
        tree = Supervisor(name="s", children=(tree,))
    assert drawn(tree)[-1] == "200 of 1,502 places; --all shows the others"
    json.dumps(as_data(tree))


def test_a_backoff_is_told_with_what_it_has() -> None:
    backoff = Backoff(initial=0.5, factor=1, jitter=0.25, max_attempts=10**20)
    [line] = [
        x for x in drawn(supervisor("a", child(serve, backoff=backoff))) if "ba" in x
    ]
    assert line.strip() == (
        "backoff 0.5 s, less up to 25%, more than 1000000000000000 attempts, healthy after "
        "60 s"
    )


@pytest.mark.slow
def test_in_a_terminal_long_lines_are_broken(
    module: Callable[[str], str], tmp_path: Path
) -> None:
    code, shown = in_terminal(tmp_path, "show", f"{module(SHOP)}:tree", columns=50)
    assert code == 0
    assert "\x1b[1mstore\x1b[0m  actor, permanent" in shown
    assert "6 places" in shown
