import re
import signal
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

Command = Callable[..., AbstractContextManager["subprocess.Popen[str]"]]

QUIET = """\
import trio
from regrow import child, supervisor

async def work(task_status):
    task_status.started()
    print("up", flush=True)
    try:
        await trio.sleep_forever()
    finally:
        print("down", flush=True)

tree = supervisor("shop", child(work))
"""

SLOW_TO_STOP = """\
import math
import trio
from regrow import child, grace, supervisor

async def work(task_status):
    task_status.started()
    print("up", flush=True)
    try:
        await trio.sleep_forever()
    finally:
        with grace():
            print("stopping", flush=True)
            await trio.sleep_forever()

tree = supervisor("shop", child(work, shutdown=math.inf))
"""

FAILING = """\
import trio
from regrow import child, supervisor

async def work(task_status):
    task_status.started()
    await trio.lowlevel.checkpoint()
    raise ValueError("bad header")

tree = supervisor("shop", child(work), intensity=2)
"""

NOT_STARTING = """\
from regrow import child, supervisor

async def work(task_status):
    raise ConnectionError("no database")

tree = supervisor("shop", supervisor("back", child(work)))
"""

ENDING = """\
from regrow import child, supervisor

async def work():
    print("done", flush=True)

tree = supervisor(
    "shop",
    child(work, restart="transient", significant=True),
    auto_shutdown="any_significant",
)
"""

WRONG = """\
from regrow import child, supervisor

async def work(): ...

def tree():
    return supervisor("shop", child(work), child(work, shutdown=-1))
"""

WRONG_REF = """\
from regrow import Actor, child, supervisor

class Clerk(Actor):
    def __init__(self, account): ...

class Account(Actor): ...

tree = supervisor("shop", child(Clerk, child(Account).ref))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_tree_in_order(
    command: Command, module: Callable[[str], str], number: signal.Signals
) -> None:
    with command("run", f"{module(QUIET)}:tree") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        out, err = process.communicate()
        assert (process.returncode, out, err) == (0, "down\n", "")


def test_a_second_signal_cuts(command: Command, module: Callable[[str], str]) -> None:
    with command("run", f"{module(SLOW_TO_STOP)}:tree") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "stopping\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
        assert process.returncode == 1
        assert err.endswith("regrow: 'shop' was cut off\n")


def test_a_tree_that_ends_by_itself_ends_in_order(
    command: Command, module: Callable[[str], str]
) -> None:
    with command("run", f"{module(ENDING)}:tree") as process:
        out, err = process.communicate()
        assert (process.returncode, out, err) == (0, "done\n", "")


def test_a_tree_that_gives_up_tells_the_timeline_of_its_failures(
    command: Command, module: Callable[[str], str]
) -> None:
    with command("run", f"{module(FAILING)}:tree") as process:
        _, err = process.communicate()
        assert process.returncode == 1
    _, _, told = err.partition("timeline of failures:\n")
    crash = "shop/work  crashed: ValueError: bad header"
    lines = [line.partition(" s  ")[2] for line in told.splitlines()]
    assert [line for line in lines if "crashed" in line][:3] == [crash] * 3
    assert "regrow: supervisor 'shop' gave up: 3 restarts" in told


def test_restarts_that_come_too_often_and_a_blocked_loop_are_logged(
    command: Command, module: Callable[[str], str]
) -> None:
    blocking = FAILING.replace("await trio.lowlevel.checkpoint()", "time.sleep(0.3)")
    source = f"import time\n{blocking}"
    options = ("--restart-rate", "2", "--watchdog", "0.1")
    with command("run", *options, f"{module(source)}:tree") as process:
        _, err = process.communicate()
    assert "WARNING shop/work [2] is restarted often: 2 times in the last minute" in err
    _, _, blocked = err.partition("ERROR shop/work [1] blocks the event loop")
    where = [line for line in blocked.splitlines() if line.endswith(" in work")]
    assert re.search(r"module_of_\w+\.py:7 in work$", where[0])


def test_a_wrong_restart_rate_is_bad_usage(
    command: Command, module: Callable[[str], str]
) -> None:
    with command("run", "--restart-rate", "0", f"{module(QUIET)}:tree") as process:
        out, err = process.communicate()
        assert process.returncode == 2
    assert out == ""
    assert "shop: restart_rate is 0.0 [invalid_restart_rate]." in err


def test_a_tree_that_does_not_start_tells_why(
    command: Command, module: Callable[[str], str]
) -> None:
    with command("run", f"{module(NOT_STARTING)}:tree") as process:
        _, err = process.communicate()
        assert process.returncode == 1
    assert "shop/back/work  did not start: ConnectionError: no database" in err
    assert "regrow: 'shop/back' did not start because 'shop/back/work' did not" in err


@pytest.mark.parametrize(
    ("source", "faults"), [(WRONG, "2 faults"), (WRONG_REF, "1 f")]
)
def test_a_wrong_tree_is_bad_usage_with_every_finding(
    command: Command, module: Callable[[str], str], source: str, faults: str
) -> None:
    with command("run", f"{module(source)}:tree") as process:
        _, err = process.communicate()
        assert process.returncode == 2
    assert err.startswith(f"regrow run: {faults}")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such:tree", "regrow run: there is no module 'no_such'"),
        ("math:tree", "regrow run: math:tree is not there: math has no 'tree'"),
        ("math:pi", "regrow run: math:pi is 3.14"),
        ("math", "regrow run: 'math' is no MODULE:TREE"),
    ],
)
def test_a_target_that_is_no_tree_is_bad_usage(
    command: Command, target: str, message: str
) -> None:
    with command("run", target) as process:
        out, err = process.communicate()
        assert (process.returncode, out) == (2, "")
    assert err.startswith(message)


def test_a_module_that_fails_is_bad_usage_with_its_traceback(
    command: Command, module: Callable[[str], str]
) -> None:
    name = module("print('loading')\n1 / 0\n")
    with command("run", f"{name}:tree") as process:
        out, err = process.communicate()
        assert (process.returncode, out) == (2, "loading\n")
    assert "ZeroDivisionError" in err
    assert f"loading {name}:tree failed" in err
