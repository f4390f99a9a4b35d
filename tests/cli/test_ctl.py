import json
import signal
import subprocess
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from regrow.cli import main
from regrow.cli._told import clean, event_line, row_line, seconds
from regrow.observe._row import Row

Command = Callable[..., AbstractContextManager["subprocess.Popen[str]"]]

SHOP = """\
import trio
from regrow import Actor, child, supervisor

class Clerk(Actor):
    def __init__(self, name):
        self.name = name

async def work(task_status):
    print("up", flush=True)
    task_status.started()
    await trio.sleep_forever()

back = supervisor("back", child(Clerk, "ann"))
tree = supervisor("shop", back, child(work))
"""


@pytest.fixture
def run(
    command: Command, module: Callable[[str], str], tmp_path: Path
) -> Generator["subprocess.Popen[str]"]:
    """Run a tree with a control socket."""
    name = module(SHOP)
    with command("run", f"{name}:tree", "--control", "s") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process


@pytest.fixture
def ctl(
    run: "subprocess.Popen[str]",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    """Ask that tree; give the exit code and what was printed."""
    monkeypatch.chdir(tmp_path)

    def ask(*arguments: str) -> tuple[int, str, str]:
        code = main(["ctl", "s", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return ask


Ask = Callable[..., tuple[int, str, str]]


def test_it_shows_what_is_there(ctl: Ask) -> None:
    code, out, err = ctl("tree")
    assert (code, err) == (0, "")
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["shop", "supervisor", "running"],
        ["back", "supervisor", "running"],
        ["clerk", "actor", "running"],
        ["work", "service", "running"],
    ]
    assert [len(line) - len(line.lstrip()) for line in out.splitlines()] == [0, 2, 4, 2]
    assert ctl("health") == (0, "ok\n", "")
    assert ctl("state", "shop/back/clerk") == (0, "name = 'ann'\n", "")
    code, out, _ = ctl("stacks", "shop/work")
    assert code == 0
    assert out.startswith("shop/work\n  ")
    assert " in work\n" in out
    code, out, _ = ctl("events", "shop/back")
    assert code == 0
    assert [line.split()[1:] for line in out.splitlines()] == [
        ["shop/back/clerk", "[1]", "ChildStarted"],
        ["shop/back", "[1]", "ChildStarted"],
    ]
    code, out, err = ctl("events", "shop/bakc")
    assert (code, out) == (1, "")
    assert err.startswith("regrow ctl: nothing stands at 'shop/bakc' in the tree")


def test_it_shows_a_part_of_the_tree(ctl: Ask) -> None:
    code, out, err = ctl("tree", "shop/back")
    assert (code, err) == (0, "")
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["back", "supervisor", "running"],
        ["clerk", "actor", "running"],
    ]
    assert [len(line) - len(line.lstrip()) for line in out.splitlines()] == [0, 2]
    _, out, _ = ctl("tree", "--json", "shop/back")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["path"], row["depth"]) for row in rows] == [
        ("shop/back", 1), ("shop/back/clerk", 2),
    ]  # fmt: skip
    assert ctl("tree", "shop/bakc/clerk") == (
        1,
        "",
        "regrow ctl: nothing stands at 'shop/bakc/clerk' in the tree 'shop' (did you mean 'shop/back'?); a path starts at the root, as in 'shop/child', and tree shows all\n",  # noqa: E501 - a text
    )


def test_it_says_it_to_programs_in_json(ctl: Ask) -> None:
    _, out, _ = ctl("tree", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["path"] for row in rows] == [
        "shop", "shop/back", "shop/back/clerk", "shop/work",
    ]  # fmt: skip
    assert json.loads(ctl("health", "--json")[1]) == {
        "status": "ok", "reasons": [], "more": 0,
    }  # fmt: skip
    assert json.loads(ctl("state", "--json", "shop/back/clerk")[1]) == {"name": "'ann'"}
    stack = json.loads(ctl("stacks", "--json", "shop/work")[1])
    assert stack["path"] == "shop/work"
    events = [json.loads(line) for line in ctl("events", "--json")[1].splitlines()]
    assert {event["event"] for event in events} == {"ChildStarted"}
    done = json.loads(ctl("restart", "--json", "shop/work")[1])
    assert done["ok"]["incarnation"] == 2
    assert json.loads(ctl("terminate", "--json", "shop/work")[1]) == {"ok": None}


def test_it_steers(ctl: Ask, run: "subprocess.Popen[str]") -> None:
    assert ctl("restart", "shop/work") == (0, "shop/work [2] running\n", "")
    assert ctl("terminate", "shop/work") == (0, "", "")
    assert ctl("start", "shop/work") == (0, "shop/work [3] running\n", "")
    assert ctl("suspend", "shop/back/clerk") == (0, "", "")
    assert ctl("tree")[1].splitlines()[2].split()[:3] == ["clerk", "actor", "suspended"]
    code, out, _ = ctl("health")
    assert code == 0
    assert out.startswith("degraded\n  shop/back/clerk  degraded: ")
    assert ctl("resume", "shop/back/clerk") == (0, "", "")
    code, out, err = ctl("restart", "shop")
    assert (code, out) == (1, "")
    assert err == (
        "regrow ctl: the root has no supervisor to restart it; stop ends the tree\n"
    )
    assert ctl("terminate", "shop/work")[0] == 0
    assert ctl("health")[0] == 1  # a permanent child is missing
    assert ctl("stop") == (0, "", "")
    assert run.wait() == 0
    code, out, err = ctl("tree")
    assert (code, out) == (2, "")
    assert err == (
        "regrow ctl: control socket 's': nothing is there. "
        "Start the program, or name another file.\n"
    )


def test_it_follows_events_to_the_end(
    ctl: Ask, command: Command, tmp_path: Path
) -> None:
    with command("ctl", "s", "events", "--follow") as process:
        assert process.stdout is not None
        for _ in range(4):
            assert "ChildStarted" in process.stdout.readline()
        assert ctl("restart", "shop/work")[0] == 0
        assert "PlaceClosed" in process.stdout.readline()
        assert ctl("stop")[0] == 0
        rest, err = process.communicate()
        assert rest.splitlines()[-1].split()[1:4] == ["shop", "[1]", "ChildExited"]
        assert (process.returncode, err) == (0, "")


def test_an_interrupt_ends_it_quietly(
    run: "subprocess.Popen[str]", command: Command
) -> None:
    with command("ctl", "s", "events", "--follow") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
        assert (process.returncode, err) == (130, "")


def test_a_reader_who_has_enough_is_no_failure(
    run: "subprocess.Popen[str]", command: Command
) -> None:
    with command("ctl", "s", "events", "--follow") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        with command("ctl", "s", "stop") as other:
            assert other.wait() == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait() == 0


def test_a_socket_that_cannot_be_made_is_bad_usage(
    command: Command, module: Callable[[str], str]
) -> None:
    name = module(SHOP)
    with command("run", f"{name}:tree", "--control", "no/such/folder") as process:
        out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert err.startswith(
        "regrow run: control socket 'no/such/folder': it cannot be made"
    )


@contextmanager
def stopped(code: int) -> Generator[None]:
    with pytest.raises(SystemExit) as caught:
        yield
    assert caught.value.code == code


@pytest.mark.parametrize(
    "arguments",
    [
        ["s"],
        ["s", "fly"],
        ["s", "restart"],
        ["s", "tree", "shop", "x"],
        ["s", "stop", "x"],
    ],
)
def test_arguments_that_are_wrong_are_bad_usage(arguments: list[str]) -> None:
    with stopped(2):
        main(["ctl", *arguments])


# ------------------------------------------------------------------------------- lines


def test_what_comes_from_a_tree_does_nothing_to_a_terminal() -> None:
    assert clean("a\x1b[2Jb\n\u202e\x07é") == r"a\x1b[2Jb\n\u202e\x07é"
    row = Row(
        "a/\x1b", "\x1b", 1, "actor", "running", 1, 2, 61.0, 3, 5.0, "say('\x1b')", 0,
        folded=False,
    )  # fmt: skip
    line = row_line(row)
    assert line.split() == [
        "\\x1b", "actor", "running", "up", "61.0", "s", "restarts", "2",
        "waiting", "3/5", "in", "say('\\x1b')",
    ]  # fmt: skip


def test_an_event_is_a_line() -> None:
    event = {
        "event": "ChildExited", "path": "a/b", "incarnation": 2, "at": 1.25,
        "reason": "crashed", "error": {"type": "E", "text": "E: no\nway"},
        "told": False, "kind": "worker", "message": "",
        "time": "2026-03-01T03:12:40.101+01:00",
    }  # fmt: skip
    assert event_line(event) == (
        r"03:12:40.101  a/b [2]  ChildExited  reason=crashed  error=E: no\nway  told=False"
    )


def test_seconds_in_a_line_are_told_to_the_millisecond() -> None:
    event = {"event": "ChildRestarting", "path": "a", "incarnation": 1, "attempt": 1}
    assert [
        event_line({**event, "delay": delay}).split()[-1]
        for delay in (0.0, 0.9580226433599947, 60)
    ] == ["delay=0.0", "delay=0.958", "delay=60"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.04, "0.0 s"),
        (99.94, "99.9 s"),
        (100, "1 min 40 s"),
        (7260, "2 h 1 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_lengths_of_time(value: float, text: str) -> None:
    assert seconds(value) == text
