"""Trees shown live by the command, in a pseudo-terminal; the terminal afterwards."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from attrs import frozen

from regrow.cli import main
from tests.observe.screens import ENTERED, LEFT, Screen, a_screen

SHOP = """\
import sys, trio
from regrow import Actor, child, supervisor

class Till(Actor):
    def sell(self):
        raise ValueError("no \\x1b[31m change")

async def buyer(till):
    while True:
        await trio.sleep(0.05)
        await till.cast(Till.sell)

till = child(Till, name="till")
tree = supervisor("shop", till, child(buyer, till.ref), intensity=10**6)
print("a line that was printed before", flush=True)
"""

ENDING = """\
import trio
from regrow import child, supervisor

async def work():
    await trio.sleep(0.3)
    print("printed in the middle", flush=True)
    await trio.sleep(0.3)

tree = supervisor(
    "brief",
    child(work, restart="transient", significant=True),
    auto_shutdown="any_significant",
)
"""

FAILING = """\
import trio
from regrow import child, supervisor

async def work(task_status):
    task_status.started()
    await trio.sleep(0.3)
    raise ValueError("bad header")

tree = supervisor("weak", child(work), intensity=0)
"""

BROKEN_VIEW = (
    SHOP
    + """\
import regrow.observe._live as live

whole = live.frame
pictures = 0

def frame(shown):
    global pictures
    pictures += 1
    if pictures > 3:
        raise RuntimeError("the view is broken")
    return whole(shown)

live.frame = frame
"""
)


HANGING = """\
import trio
from regrow import child, supervisor

async def quiet():
    await trio.sleep_forever()

async def wait_for_the_database(task_status):
    await trio.sleep_forever()

tree = supervisor(
    "shop", child(quiet), child(wait_for_the_database, name="store"), child(quiet, name="till")
)
"""

NEVER_UP = """\
import signal, trio
from regrow import child, supervisor

async def store(task_status):
    with trio.open_signal_receiver(signal.SIGUSR2) as signals:
        print("looking for the database", flush=True)
        await anext(signals)
    raise OSError("no such database")

tree = supervisor("shop", child(store))
"""

AGAIN = """\
import trio
from regrow import Backoff, child, supervisor

async def store(task_status):
    raise OSError("no such database")

async def quiet():
    await trio.sleep_forever()

tree = supervisor(
    "shop",
    child(store, start="retry", backoff=Backoff(initial=3600, maximum=3600)),
    child(quiet),
)
"""


@frozen
class Started:
    """A command in a terminal."""

    screen: Screen
    process: subprocess.Popen[bytes]

    async def ended(self) -> int:
        """Wait for its end; give its exit code. All that it has printed is taken."""
        while self.process.poll() is None:
            await self.screen.wait_more()
        self.screen.settle()
        return self.process.returncode

    @property
    def after(self) -> str:
        """What was printed after the view, in plain text."""
        text = self.screen.raw.rpartition(LEFT)[2].decode()
        return text.replace("\r\n", "\n")


@contextmanager
def started(folder: Path, *arguments: str) -> Generator[Started]:
    """Start the command as a shell in that terminal would."""
    with a_screen(100, 24) as screen:
        # The first terminal that a session opens is the one whose Ctrl-C it gets.
        name = os.ttyname(screen.fd)
        command = [sys.executable, "-m", "regrow.cli", *arguments]
        with subprocess.Popen(
            ["/bin/sh", "-c", f'exec "$@" <{name} >{name} 2>&1', "sh", *command],
            cwd=folder,
            env=os.environ | {"TERM": "xterm-256color", "TMPDIR": str(folder)},
            start_new_session=True,
        ) as process:
            try:
                yield Started(screen, process)
            finally:
                process.kill()


def write(folder: Path, source: str) -> str:
    (folder / "shown.py").write_text(source)
    return "shown:tree"


def restarts(text: str) -> int:
    found = re.search(r"([\d,]+) restarts", text)
    return int(found[1].replace(",", "")) if found else 0


def states(text: str) -> dict[str, str]:
    """Give what each place does, and its life, by names."""
    found = re.findall(r"^[ ▾]*(\w+) +([a-z]+) +(\d+) ", text, re.MULTILINE)
    return {name: f"{status} {life}" for name, status, life in found}


async def test_a_tree_is_shown_and_q_closes_the_view_and_ctrl_c_stops_the_tree(
    tmp_path: Path,
) -> None:
    with (
        trio.fail_after(60),
        started(tmp_path, "run", "--live", write(tmp_path, SHOP)) as shop,
    ):
        text = await shop.screen.until("shop", "till", "buyer", "q close")
        while restarts(text) < 3:
            text = await shop.screen.until("restarts")
            await shop.screen.wait_more()
        assert "running" in text
        assert "Traceback" not in text  # the log says it, but not here
        shop.screen.press(b"q")
        await shop.screen.until_raw(b"the live view is closed")
        assert shop.screen.is_as_before
        assert "in sell" in shop.after
        begun = shop.after.count("in sell")
        while shop.after.count("in sell") < begun + 3:
            await shop.screen.wait_more()  # it runs on, and what it logs is seen again
        shop.screen.press(b"\x03")
        assert await shop.ended() == 0
        assert shop.screen.is_as_before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_start_that_hangs_is_shown_and_a_signal_ends_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    target = write(tmp_path, HANGING)
    with trio.fail_after(60), started(tmp_path, "run", "--live", target) as shop:
        await shop.screen.until("4 places  0 restarts  not up", "q close")
        while states(shop.screen.text) != {
            "shop": "starting 1",
            "quiet": "running 1",
            "store": "starting 1",  # what the others wait for
            "till": "starting 0",
        }:
            await shop.screen.wait_more()
        shop.screen.press(b"\x1b[B\x1b[B\r")
        await shop.screen.until("shop/store", "waits in")
        # A line that is too long for the screen, as the folder may make it, is folded.
        while "wait_for_the_database" not in "".join(shop.screen.text.split()):
            await shop.screen.wait_more()
        if number == signal.SIGINT:
            shop.screen.press(b"\x03")
        else:
            shop.process.send_signal(number)
        assert await shop.ended() == 0
        assert shop.screen.is_as_before
        assert shop.after == "regrow: shop: 4 places, 0 restarts, not up\n"


async def test_a_view_closed_while_the_tree_starts_leaves_it_to_start(
    tmp_path: Path,
) -> None:
    target = write(tmp_path, HANGING)
    with trio.fail_after(60), started(tmp_path, "run", "--live", target) as shop:
        await shop.screen.until("store", "q close")
        shop.screen.press(b"q")
        await shop.screen.until_raw(b"the live view is closed, the tree runs on")
        assert shop.screen.is_as_before
        shop.screen.press(b"\x03")
        assert await shop.ended() == 0


async def test_a_start_that_fails_is_shown_and_told_after_the_view(
    tmp_path: Path,
) -> None:
    target = write(tmp_path, NEVER_UP)
    with trio.fail_after(60), started(tmp_path, "run", "--live", target) as shop:
        await shop.screen.until("store", "starting", "looking for the database")
        shop.process.send_signal(signal.SIGUSR2)
        assert await shop.ended() == 1
        assert shop.screen.is_as_before
        lines = shop.after.splitlines()
        assert lines[0] == "looking for the database"
        told = lines.index("regrow: shop: 2 places, 0 restarts, not up")
        assert lines[told + 1] == "timeline of failures:"
        assert lines[-1].startswith(
            "regrow: 'shop/store' did not start (OSError: no such database)."
        )


async def test_a_child_that_is_tried_again_is_shown_with_its_failure(
    tmp_path: Path,
) -> None:
    target = write(tmp_path, AGAIN)
    with trio.fail_after(60), started(tmp_path, "run", "--live", target) as shop:
        await shop.screen.until("0 restarts  up ", "q close")
        while states(shop.screen.text) != {
            "shop": "running 1",
            "store": "restarting 1",
            "quiet": "running 1",
        }:
            await shop.screen.wait_more()
        shop.screen.press(b"\x1b[B\r")
        await shop.screen.until("shop/store", "OSError: no such database")
        shop.screen.press(b"\x03")
        assert await shop.ended() == 0
        assert shop.screen.is_as_before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_the_tree_and_leaves_the_terminal_clean(
    tmp_path: Path, number: signal.Signals
) -> None:
    with (
        trio.fail_after(60),
        started(tmp_path, "run", "--live", write(tmp_path, SHOP)) as shop,
    ):
        await shop.screen.until("till", "q close")
        if number == signal.SIGINT:
            shop.screen.press(b"\x03")
        else:
            shop.process.send_signal(number)
        assert await shop.ended() == 0
        assert shop.screen.is_as_before
        assert shop.screen.raw.count(ENTERED) == 1
        assert re.search(
            r"^regrow: shop: 3 places, \d+ restarts, up ", shop.after, re.MULTILINE
        )


async def test_a_crash_of_the_view_is_told_and_does_not_hurt_the_tree(
    tmp_path: Path,
) -> None:
    target = write(tmp_path, BROKEN_VIEW)
    with trio.fail_after(60), started(tmp_path, "run", "--live", target) as shop:
        await shop.screen.until_raw(b"the tree runs on")
        assert shop.screen.is_as_before
        assert "RuntimeError: the view is broken" in shop.after
        assert (
            "regrow: the live view has failed and is closed; the tree runs on"
            in shop.after
        )
        before = shop.after.count("in sell")
        while shop.after.count("in sell") < before + 3:
            await shop.screen.wait_more()
        shop.screen.press(b"\x03")
        assert await shop.ended() == 0


async def test_when_the_tree_ends_the_last_line_sums_up(tmp_path: Path) -> None:
    target = write(tmp_path, ENDING)
    with trio.fail_after(60), started(tmp_path, "run", "--live", target) as brief:
        assert await brief.ended() == 0
        assert brief.screen.is_as_before
        lines = brief.after.splitlines()
        assert lines[0] == "printed in the middle"
        assert re.fullmatch(r"regrow: brief: 2 places, 0 restarts, up .*", lines[-1])
        assert len(lines) == 2


async def test_when_the_tree_fails_the_timeline_comes_after_the_view(
    tmp_path: Path,
) -> None:
    target = write(tmp_path, FAILING)
    with trio.fail_after(60), started(tmp_path, "run", "--live", target) as weak:
        assert await weak.ended() == 1
        assert weak.screen.is_as_before
        assert "ValueError: bad header" in weak.after
        assert "timeline of failures:" in weak.after


async def test_a_place_is_opened_and_its_text_cannot_change_the_screen(
    tmp_path: Path,
) -> None:
    with (
        trio.fail_after(60),
        started(tmp_path, "run", "--live", write(tmp_path, SHOP)) as shop,
    ):
        await shop.screen.until("till", "q close")
        shop.screen.press(b"\x1b[B\r")
        # A picture may come in pieces: so its last line is one of them.
        await shop.screen.until("shop/till", "waits in", "last failure", "escape back")
        await shop.screen.until("ValueError: no ␛[31m change")
        shop.screen.press(b"\x1b")
        await shop.screen.until("space fold")


@pytest.mark.slow
async def test_the_demo_shows_its_restarts_and_prints_its_account(
    tmp_path: Path,
) -> None:
    arguments = ("demo", "--kill", "200", "--seed", "1", "--live")
    with trio.fail_after(300), started(tmp_path, *arguments) as demo:
        seen: list[int] = []
        await demo.screen.until("indexing:", "parser-4", "q close")
        while demo.process.poll() is None:
            now = restarts(demo.screen.text)
            if now and (not seen or seen[-1] < now):
                seen.append(now)
            await demo.screen.wait_more()
        assert await demo.ended() == 0
        assert demo.screen.is_as_before
        assert len(seen) > 5
        assert seen[-1] > 100
        assert "of these kills" in demo.after
        assert re.search(r"^in all +\d+ +200 +\d+$", demo.after, re.MULTILINE)


async def test_the_demo_goes_on_in_lines_when_its_view_is_closed(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "library"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number}.py").write_text("def f(): pass\n" * 2000)
    with trio.fail_after(60), started(tmp_path, "demo", "--live", str(folder)) as demo:
        await demo.screen.until("indexing:", "q close")
        demo.screen.press(b"q")
        await demo.screen.until_raw(LEFT)
        while not re.search(r"^\d+ of 300 files$", demo.after, re.MULTILINE):
            await demo.screen.wait_more()
        assert demo.screen.is_as_before
        demo.screen.press(b"\x03")
        assert await demo.ended() == 128 + signal.SIGINT
        assert "stopped in order by a signal" in demo.after


@pytest.mark.parametrize(
    "arguments", [["run", "--live", "nothing:there"], ["demo", "--live"]]
)
def test_without_a_terminal_it_is_bad_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out + err).startswith(
        f"regrow {arguments[0]}: a live view needs a terminal, and standard "
    )
