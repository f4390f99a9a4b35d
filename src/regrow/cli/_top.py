"""`regrow top`: the live view of another program's tree."""

from __future__ import annotations

import os
import signal
import traceback
from typing import Final

import trio
from rich.console import Console

from regrow import ControlSocketError, RegrowError
from regrow.observe._attached import AttachedSource
from regrow.observe._client import ControlClient
from regrow.observe._live import View
from regrow.observe._terminal import NoTerminalError, Terminal

from ._sockets import Found, folder, look, only_one

CLOSED: Final = 0
FAILED: Final = 1
BAD_USAGE: Final = 2


def run_top(socket: str | None) -> int:
    """Show the tree behind *socket*, or the only one there is; give the exit code."""
    console = Console(stderr=True)
    try:
        terminal = Terminal()
    except NoTerminalError as error:
        return _refuse(console, str(error))
    return trio.run(_run, console, terminal, socket)


async def _run(console: Console, terminal: Terminal, socket: str | None) -> int:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            code = CLOSED

            async def wait_signal() -> None:
                nonlocal code
                number = await anext(aiter(signals))
                # Ctrl-C is a way to close a view, as q is.
                code = CLOSED if number == signal.SIGINT else 128 + number
                nursery.cancel_scope.cancel()

            nursery.start_soon(wait_signal)
            code = await _find_and_show(console, terminal, socket)
            nursery.cancel_scope.cancel()
    return code


async def _find_and_show(
    console: Console, terminal: Terminal, socket: str | None
) -> int:
    await trio.lowlevel.checkpoint()
    if socket is None:
        where = folder(os.environ)
        try:
            found = only_one(where, await look(where))
        except ValueError as error:
            return _refuse(console, str(error))
        if not isinstance(found, Found):
            return _refuse(console, found)
        socket = found.path
    try:
        async with ControlClient(socket) as client:
            return await _show(console, terminal, client)
    except RegrowError as error:
        return _refuse(console, str(error))


async def _show(console: Console, terminal: Terminal, client: ControlClient) -> int:
    await trio.lowlevel.checkpoint()
    source = AttachedSource(client)
    head = f"attached to process {client.pid}"
    view = View(source, terminal, Console(), client.tree, lambda: source.note or head)
    try:
        with terminal:
            await view.run()
    except ControlSocketError:
        _say(console, f"regrow: {view.summary}; the program has ended")
    except Exception:  # noqa: BLE001 - the view's own fault; its traceback is printed
        _say(console, traceback.format_exc().rstrip())
        _say(console, "regrow: the live view has failed; the program runs on")
        return FAILED
    else:
        _say(console, f"regrow: {view.summary}; the program runs on")
    return CLOSED


def _refuse(console: Console, message: str) -> int:
    _say(console, f"regrow top: {message}")
    return BAD_USAGE


def _say(console: Console, line: str) -> None:
    console.out(line, highlight=False)
