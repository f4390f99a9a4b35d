"""`regrow ctl`: a running tree, asked and steered through its control socket."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import trio
from attrs import evolve

from regrow import ControlSocketError
from regrow.observe._client import ControlClient, RequestRefusedError
from regrow.observe._row import Query
from regrow.observe._rows_json import row_json

from ._told import as_line, clean, event_line, row_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

__all__ = ["run_ctl"]

DONE: Final = 0
REFUSED: Final = 1
BAD_USAGE: Final = 2
PAGE: Final = 500  # rows asked for at once


def run_ctl(socket: str, about: str, path: str, *, follow: bool, as_json: bool) -> int:
    """Do what the command *about* says; give the exit code."""
    try:
        return trio.run(
            partial(_run, socket, about, path, follow=follow, as_json=as_json)
        )
    except ControlSocketError as error:
        return _refuse(error, BAD_USAGE)
    except RequestRefusedError as error:
        return _refuse(error.text, REFUSED)
    except BrokenPipeError:
        # Who reads it has enough. Nothing is left to be flushed into the pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


async def _run(
    socket: str, about: str, path: str, *, follow: bool, as_json: bool
) -> int:
    async with ControlClient(socket) as client:
        shown = _Shown(client, path, as_json=as_json)
        if about == "events" and follow:
            await shown.follow(socket)
            return DONE
        return await _COMMANDS[about](shown)


class _Shown:
    """What the commands print: text, or lines of JSON."""

    def __init__(self, client: ControlClient, path: str, *, as_json: bool) -> None:
        self._client = client
        self._path = path
        self._as_json = as_json

    async def tree(self) -> int:
        offset = 0
        above = self._path.count("/")
        while True:
            query = Query(offset=offset, limit=PAGE, path=self._path)
            page = await self._client.page(query)
            for row in page.rows:
                drawn = evolve(row, depth=row.depth - above)
                _print(as_line(row_json(row)) if self._as_json else row_line(drawn))
            offset += len(page.rows)
            if len(page.rows) < PAGE:
                return DONE

    async def events(self) -> int:
        found = await self._client.history(self._path)
        if not found and self._path:
            await self._client.details(self._path)  # says so, if there is no such place
        for event in found:
            self._event(event)
        return DONE

    async def follow(self, socket: str) -> None:
        """Print what has happened, then what happens, nothing twice and nothing left out."""
        coming = await self._client.events(self._path)
        async with ControlClient(socket) as other:
            before = await other.history(self._path)
        for event in before:
            self._event(event)
        known = {as_line(event) for event in before}
        async for event in coming:
            if as_line(event) in known:
                continue
            known.clear()  # what comes after it is new as well
            self._event(event)

    async def health(self) -> int:
        health = await self._client.health()
        status = str(health.get("status"))
        if self._as_json:
            _print(as_line(health))
        else:
            _print(clean(status))
            reasons = cast("list[Mapping[str, object]]", health.get("reasons", []))
            for reason in reasons:
                text = f"  {reason['path']}  {reason['status']}: {reason['text']}"
                _print(clean(text))
            if health.get("more"):
                _print(f"  and {health['more']} more")
        return REFUSED if status == "failing" else DONE

    async def stacks(self) -> int:
        for path, lines in (await self._client.stacks(self._path)).items():
            if self._as_json:
                _print(as_line({"path": path, "stack": lines}))
                continue
            _print(clean(path))
            for line in lines:
                _print(clean(f"  {line}"))
        return DONE

    async def state(self) -> int:
        state = await self._client.state(self._path)
        if self._as_json:
            _print(as_line(state))
        else:
            for name, value in state.items():
                _print(clean(f"{name} = {value}"))
        return DONE

    async def restart(self) -> int:
        return self._done(await self._client.restart(self._path))

    async def start(self) -> int:
        return self._done(await self._client.start(self._path))

    async def terminate(self) -> int:
        await self._client.terminate(self._path)
        return self._done(None)

    async def suspend(self) -> int:
        await self._client.suspend(self._path)
        return self._done(None)

    async def resume(self) -> int:
        await self._client.resume(self._path)
        return self._done(None)

    async def stop(self) -> int:
        await self._client.stop()
        return self._done(None)

    def _done(self, row: Mapping[str, object] | None) -> int:
        if self._as_json:
            _print(as_line({"ok": row}))
        elif row is not None:
            _print(clean(f"{row['path']} [{row['incarnation']}] {row['status']}"))
        return DONE

    def _event(self, event: Mapping[str, object]) -> None:
        _print(as_line(event) if self._as_json else event_line(event))


_COMMANDS: Final[Mapping[str, Callable[[_Shown], Awaitable[int]]]] = {
    "tree": _Shown.tree,
    "events": _Shown.events,
    "health": _Shown.health,
    "stacks": _Shown.stacks,
    "state": _Shown.state,
    "restart": _Shown.restart,
    "start": _Shown.start,
    "terminate": _Shown.terminate,
    "suspend": _Shown.suspend,
    "resume": _Shown.resume,
    "stop": _Shown.stop,
}


def _print(line: str) -> None:
    """Print a line at once, for whoever reads it while it goes on."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _refuse(why: object, code: int) -> int:
    sys.stderr.write(f"regrow ctl: {clean(str(why))}\n")
    return code
