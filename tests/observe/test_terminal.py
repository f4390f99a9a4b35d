"""A terminal is given over and given back, whatever happens in between."""

import os
import signal
import subprocess
import sys
import termios
import time

import pytest
import trio

from regrow.observe import _terminal
from regrow.observe._terminal import NoTerminalError, Terminal
from tests.runtime.trees import virtual

from .screens import ENTERED, Screen, a_screen


@pytest.fixture(autouse=True)
def kind_of_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")


def of(screen: Screen) -> Terminal:
    return Terminal(screen.keys, screen.fd, others=())


def test_it_is_given_back_as_it_was() -> None:
    with a_screen(70, 20) as screen:
        with of(screen) as terminal:
            local = termios.tcgetattr(screen.keys)[3]
            assert local & (termios.ECHO | termios.ICANON) == 0
            assert local & termios.ISIG
            assert terminal.size() == (70, 20)
        assert screen.is_as_before
        assert screen.raw.startswith(ENTERED)


def test_an_error_gives_it_back_too() -> None:
    with a_screen() as screen:
        with pytest.raises(ValueError, match="bad"), of(screen):
            raise ValueError("bad")
        assert screen.is_as_before


def test_what_is_printed_meanwhile_comes_when_it_was_given_back() -> None:
    with a_screen() as screen:
        with of(screen) as terminal:
            os.write(screen.fd, b"a warning\n")
            while not terminal.aside.seen:
                os.sched_yield()
            screen.take()
            assert b"a warning" not in screen.raw
        screen.settle()
        assert screen.raw.endswith(b"\x1b[?1049la warning\r\n")


def test_if_it_cannot_be_set_up_it_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with a_screen() as screen:
        terminal = of(screen)

        def fail(_: object) -> None:
            raise OSError("no thread")

        monkeypatch.setattr(_terminal, "Aside", fail)
        with pytest.raises(OSError, match="no thread"), terminal:
            pass
        assert termios.tcgetattr(screen.keys) == screen.before


@virtual
async def test_a_terminal_that_takes_nothing_does_not_hold_up_the_program() -> None:
    with a_screen() as screen:
        with of(screen) as terminal:
            with trio.move_on_after(5) as scope:
                await terminal.write(b"x" * 10**6)
            assert scope.cancelled_caught
            while screen.take() and len(screen.raw) < 4000:
                pass
            begun_at = time.monotonic()
        assert time.monotonic() - begun_at < 5


async def test_what_is_written_arrives_in_its_order() -> None:
    text = b"".join(b"%07d" % number for number in range(20_000))
    with a_screen() as screen, of(screen) as terminal:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(terminal.write, text)
            await screen.until_raw(b"0019999")
        assert screen.raw.endswith(text)


def test_where_there_is_no_terminal_it_says_so() -> None:
    read, write = os.pipe()
    try:
        with a_screen() as screen:
            for fds, name in (
                ((read, screen.fd), "input"),
                ((screen.fd, write), "output"),
            ):
                with pytest.raises(NoTerminalError) as raised:
                    Terminal(*fds)
                assert str(raised.value) == (
                    f"a live view needs a terminal, and standard {name} is none: "
                    "do not redirect it, or do without the view"
                )
    finally:
        os.close(read)
        os.close(write)


def test_a_terminal_that_cannot_move_its_cursor_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with a_screen() as screen, pytest.raises(NoTerminalError) as raised:
        of(screen)
    assert str(raised.value) == (
        "the terminal says (TERM='dumb') that it cannot move its cursor; "
        "set TERM to what it is, such as xterm-256color"
    )


def test_a_terminal_that_cannot_be_opened_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: int) -> str:
        raise PermissionError(13, "no")

    monkeypatch.setattr(os, "ttyname", refuse)
    with a_screen() as screen, pytest.raises(NoTerminalError) as raised:
        of(screen)
    assert str(raised.value) == (
        "a live view has to open the terminal by its name, and cannot: [Errno 13] no"
    )


def test_a_terminal_without_a_size_has_the_usual_one() -> None:
    with a_screen() as screen:
        screen.resize(0, 0)
        with of(screen) as terminal:
            assert terminal.size() == (80, 24)
        assert of(screen).size() == (80, 24)


BUSY = """
import sys
from regrow.observe._terminal import Terminal
keys, fd = map(int, sys.argv[1:])
with Terminal(keys, fd, others=()):
    while True:
        pass
"""


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1])
def test_a_program_that_hangs_can_be_quit_and_leaves_it_clean(
    number: signal.Signals,
) -> None:
    with a_screen() as screen:
        with subprocess.Popen(
            [sys.executable, "-c", BUSY, str(screen.keys), str(screen.fd)],
            pass_fds=[screen.keys, screen.fd],
        ) as process:
            while ENTERED not in screen.raw:
                screen.take()
            while termios.tcgetattr(screen.keys) == screen.before:
                os.sched_yield()
            process.send_signal(number)
            process.wait()
        assert process.returncode == -number
        assert screen.is_as_before


def test_signals_that_the_program_catches_itself_are_left_to_it() -> None:
    def mine(number: int, frame: object) -> None:
        del number, frame

    before = signal.signal(signal.SIGHUP, mine)
    try:
        with a_screen() as screen:
            with of(screen):
                assert signal.getsignal(signal.SIGHUP) is mine
                assert signal.getsignal(signal.SIGUSR1) is not signal.SIG_DFL
                signal.signal(signal.SIGUSR1, mine)
            assert signal.getsignal(signal.SIGHUP) is mine
            assert signal.getsignal(signal.SIGUSR1) is mine
    finally:
        signal.signal(signal.SIGHUP, before)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
