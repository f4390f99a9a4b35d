"""`regrow top`: attached to a program that was started elsewhere, and what it finds."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from rich.console import Console

from regrow import ControlSocketError
from regrow.cli import _sockets, _top
from regrow.cli._sockets import Found, folder, look, only_one
from regrow.observe._client import ControlClient
from regrow.observe._live import View
from regrow.observe._terminal import Terminal
from tests.observe.screens import a_screen

from .test_live import SHOP, restarts, started, write


@contextmanager
def program(
    folder: Path, control: Path, source: str = SHOP
) -> Generator[subprocess.Popen[bytes]]:
    """Start a program of its own, and wait until its socket is there."""
    command = [sys.executable, "-m", "regrow.cli", "run", "--control", str(control)]
    with subprocess.Popen(
        [*command, write(folder, source)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            while not control.exists():
                os.sched_yield()
            yield process
        finally:
            process.kill()


async def test_it_shows_the_tree_of_another_program_and_leaves_it_alone(
    tmp_path: Path,
) -> None:
    control = tmp_path / "shop.sock"
    with (
        trio.fail_after(60),
        program(tmp_path, control) as shop,
        started(tmp_path, "top", str(control)) as top,
    ):
        text = await top.screen.until("shop", "till", f"process {shop.pid}", "q close")
        begun = restarts(text)
        while restarts(text) < begun + 3:
            await top.screen.wait_more()
            text = top.screen.text
        top.screen.press(b"\x1b[B\r")
        await top.screen.until("shop/till", "waits in", "last failure")
        top.screen.press(b"q")
        assert await top.ended() == 0
        assert top.screen.is_as_before
        assert re.fullmatch(
            r"regrow: shop: 3 places, \d+ restarts, up .*; the program runs on\n",
            top.after,
        )
        assert shop.poll() is None


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
async def test_a_signal_closes_it(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    control = tmp_path / "shop.sock"
    with (
        trio.fail_after(60),
        program(tmp_path, control),
        started(tmp_path, "top", str(control)) as top,
    ):
        await top.screen.until("q close")
        top.process.send_signal(number)
        assert await top.ended() == code
        assert top.screen.is_as_before


async def test_it_ends_with_the_program(tmp_path: Path) -> None:
    control = tmp_path / "shop.sock"
    with (
        trio.fail_after(60),
        program(tmp_path, control) as shop,
        started(tmp_path, "top", str(control)) as top,
    ):
        await top.screen.until("q close")
        shop.send_signal(signal.SIGTERM)
        assert await top.ended() == 0
        assert top.screen.is_as_before
        assert top.after.endswith("; the program has ended\n")


@pytest.mark.slow
async def test_a_program_that_stands_still_does_not_take_the_view_with_it(
    tmp_path: Path,
) -> None:
    control = tmp_path / "shop.sock"
    with (
        trio.fail_after(60),
        program(tmp_path, control) as shop,
        started(tmp_path, "top", str(control)) as top,
    ):
        await top.screen.until("q close", "till")
        shop.send_signal(signal.SIGSTOP)
        await top.screen.until("no answer for")
        top.screen.press(b"\x1b[B\r")
        await top.screen.until("shop/till", "does not answer")
        shop.send_signal(signal.SIGCONT)
        await top.screen.until("waits in", f"process {shop.pid}")
        shop.send_signal(signal.SIGSTOP)
        await top.screen.until("no answer for")
        top.screen.press(b"q")
        assert await top.ended() == 0


async def test_without_a_socket_it_takes_the_only_one_or_says_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    where = tmp_path / "regrow"
    with trio.fail_after(60), started(tmp_path, "top") as top:
        assert await top.ended() == 2
        assert top.screen.raw.decode().startswith(
            f"regrow top: no socket named *.sock in {where}. "
        )
    where.mkdir(mode=0o700)
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(where / "dead.sock"))
    dead.close()
    (where / "notes.txt").write_text("no socket")
    (where / "file.sock").write_text("no socket either")
    with (
        trio.fail_after(60),
        program(tmp_path, where / "shop.sock") as shop,
        started(tmp_path, "top") as top,
    ):
        await top.screen.until("shop", "q close")
        top.screen.press(b"q")
        assert await top.ended() == 0
        found = await look(where)
        assert found == [
            Found(
                str(where / "dead.sock"),
                error="nobody listens there: the program has ended",
            ),
            Found(str(where / "shop.sock"), "shop", shop.pid),
        ]
        assert only_one(where, found) == found[1]
        assert only_one(where, [*found, found[1]]) == (
            f"several programs have a socket in {where}; name one:\n"
            f"  {where}/dead.sock: nobody listens there: the program has ended\n"
            f"  {where}/shop.sock: the tree 'shop' of process {shop.pid}\n"
            f"  {where}/shop.sock: the tree 'shop' of process {shop.pid}"
        )
        assert only_one(where, found[:1]) == (
            f"no program answers in {where}:\n"
            f"  {where}/dead.sock: nobody listens there: the program has ended"
        )


async def test_a_folder_that_others_may_write_to_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    where = tmp_path / "regrow"
    where.mkdir()
    where.chmod(0o770)
    with trio.fail_after(60), started(tmp_path, "top") as top:
        assert await top.ended() == 2
        assert top.screen.raw.decode() == (
            f"regrow top: {where} is not yours alone, so nothing in it is looked at\r\n"
        )


async def test_a_socket_that_is_none_is_bad_usage(tmp_path: Path) -> None:
    with trio.fail_after(60), started(tmp_path, "top", "nothing.sock") as top:
        assert await top.ended() == 2
        error = ControlSocketError(
            "nothing.sock", "nothing is there. Start the program, or name another file"
        )
        assert top.screen.raw.decode() == f"regrow top: {error}\r\n"


async def test_who_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sockets, "_PATIENCE", 0.05)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        assert await look(tmp_path) == [
            Found(str(tmp_path / "silent.sock"), error="no answer within 0.05 s")
        ]


def test_where_it_looks() -> None:
    assert folder({"XDG_RUNTIME_DIR": "/run/user/7"}) == Path("/run/user/7/regrow")
    assert folder({}) == Path(f"/tmp/regrow-{os.geteuid()}")  # noqa: S108 - that is it


def test_without_a_terminal_it_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    from regrow.cli import main

    assert main(["top", "a.sock"]) == 2
    assert "regrow top: a live view needs a terminal" in capsys.readouterr().err


async def test_a_view_that_fails_is_told_and_leaves_the_program_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm")

    async def fail(_: object) -> None:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("broken")

    monkeypatch.setattr(View, "run", fail)
    client = ControlClient("none")
    with a_screen() as screen:
        terminal = Terminal(screen.keys, screen.fd, others=())
        console = Console(stderr=True)
        assert await _top._show(console, terminal, client) == 1
        assert screen.is_as_before
    err = capsys.readouterr().err
    assert "RuntimeError: broken" in err
    assert err.endswith("regrow: the live view has failed; the program runs on\n")
