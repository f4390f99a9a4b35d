"""`regrow check`, as a command."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from regrow.cli import main

FINE = """\
from regrow import child, supervisor

async def work(): ...

tree = supervisor("shop", child(work))
"""

FAULTY = """\
import math
from regrow import Backoff, child, dynamic, supervisor

async def work(*things): ...

tree = supervisor(
    "shop",
    child(work, backoff=Backoff(initial=0)),
    dynamic("sessions"),
    child(work, [], name="other"),
)
"""

REFUSED = """\
from regrow import child, supervisor

async def work(): ...

def tree():
    return supervisor("shop", child(work), child(work, shutdown=-1))
"""


def test_a_tree_that_nothing_is_to_be_said_of(
    target: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", target(FINE)]) == 0
    assert capsys.readouterr() == ("nothing found in 2 places\n", "")


SPINS = (
    "its backoff has no delay (initial is 0, which no factor makes more) and no "
    "max_attempts: a child that cannot run is started for ever, as fast as it fails"
)


def test_what_is_found_is_a_line_each(
    target: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", target(FAULTY)]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines() == [
        (
            f"shop/work: error: {SPINS} [restarts_spin]. Write an initial above 0, or "
            "max_attempts."
        ),
        (
            "shop/sessions: hint: it takes any number of children: nothing holds back whoever "
            "starts them [unbounded_children]. Write as many as there may be at once as "
            "max_children."
        ),
        (
            "shop/other: warning: it is given an empty list, the same for every incarnation: "
            "what a crashed one left there is found by the next [kept_argument]. Make it where "
            "the child is made: by a Factory of attrs, in __init__, or in the service."
        ),
        "1 error, 1 warning, 1 hint in 4 places",
    ]


def test_without_errors_the_exit_code_is_0(
    target: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", target(FAULTY.replace("initial=0", ""))]) == 0
    assert capsys.readouterr().out.endswith("\n1 warning, 1 hint in 4 places\n")


@pytest.mark.parametrize(("grace", "code"), [("10", 0), ("4.5", 1), ("inf", 0)])
def test_the_grace_is_held_against_the_tree(
    target: Callable[[str], str],
    capsys: pytest.CaptureFixture[str],
    grace: str,
    code: int,
) -> None:
    assert main(["check", target(FINE), "--grace", grace]) == code
    found = "[shutdown_over_grace]" in capsys.readouterr().out
    assert found is bool(code)


@pytest.mark.parametrize("grace", ["-1", "nan", "soon"])
def test_a_grace_that_is_no_number_of_seconds(
    grace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["check", "a:b", "--grace", grace])
    assert caught.value.code == 2
    told = f"argument --grace: {grace!r} is no number of seconds of 0 or more"
    assert told in capsys.readouterr().err


def test_a_tree_that_is_refused_has_errors(
    target: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", target(REFUSED)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        (
            "shop/work: error: shutdown is -1 [invalid_shutdown]. Write a number of seconds of 0 "
            "or more, or math.inf, as shutdown."
        ),
        (
            "shop/work: error: two children are called 'work' [duplicate_child_name]. Give one "
            "of them another name=."
        ),
        "2 errors",
    ]


def test_as_json(
    target: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", target(FAULTY), "--json", "--grace", "30"]) == 1
    told = json.loads(capsys.readouterr().out)
    findings = told.pop("findings")
    assert told == {
        "tree": "shop",
        "places": 4,
        "grace": 30.0,
        "errors": 1,
        "warnings": 1,
        "hints": 1,
    }
    assert findings[0] == {
        "code": "restarts_spin",
        "severity": "error",
        "path": "shop/work",
        "reason": SPINS,
        "remedy": "Write an initial above 0, or max_attempts.",
    }
    assert [each["code"] for each in findings[1:]] == [
        "unbounded_children",
        "kept_argument",
    ]


def test_a_refused_tree_as_json(
    target: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", target(REFUSED), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [each["code"] for each in told.pop("findings")] == [
        "invalid_shutdown",
        "duplicate_child_name",
    ]
    assert told == {
        "tree": None,
        "places": 0,
        "grace": None,
        "errors": 2,
        "warnings": 0,
        "hints": 0,
    }


@pytest.mark.parametrize("command", ["check", "show"])
@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("no_such:tree", "there is no module 'no_such'"),
        ("math:pi", "math:pi is 3.14"),
        ("math", "'math' is no MODULE:TREE"),
    ],
)
def test_a_target_that_is_no_tree_is_bad_usage(
    command: str, named: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, named]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"regrow {command}: {message}")


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_module_that_fails_is_bad_usage_with_its_traceback(
    command: str, target: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    named = target("1 / 0\n")
    assert main([command, named]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "ZeroDivisionError" in err
    assert err.endswith(f"regrow {command}: loading {named} failed\n")


def in_terminal(folder: Path, *arguments: str, columns: int = 80) -> tuple[int, str]:
    """Run the command in a terminal of that width; give its exit code and what it shows."""
    ours, its = pty.openpty()
    environment = os.environ | {"COLUMNS": str(columns), "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [sys.executable, "-m", "regrow.cli", *arguments],
        cwd=folder,
        env=environment,
        stdin=its,
        stdout=its,
        stderr=its,
    ) as process:
        os.close(its)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:
            pass  # the other end is closed: Linux says so with EIO
        os.close(ours)
    return process.returncode, shown.decode().replace("\r\n", "\n")


@pytest.mark.slow
def test_in_a_terminal_it_is_coloured_and_broken_into_lines(
    module: Callable[[str], str], tmp_path: Path
) -> None:
    named = f"{module(FAULTY)}:tree"
    code, shown = in_terminal(tmp_path, "check", named, columns=60)
    assert code == 1
    lines = shown.splitlines()
    assert lines[0] == (
        "\x1b[1mshop/work\x1b[0m\x1b[1;31m  error\x1b[0m\x1b[2m  restarts_spin\x1b[0m"
    )
    assert (
        lines[1].rstrip()
        == "    its backoff has no delay (initial is 0, which no factor"
    )
    assert lines[-1] == "\x1b[1m1 error, 1 warning, 1 hint in 4 places\x1b[0m"
