"""The control sockets of programs that run here, where they are looked for."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import trio
from attrs import frozen

from regrow import ControlSocketError, RegrowError
from regrow.observe._client import ControlClient

__all__ = ["Found", "folder", "look", "only_one"]

_PATIENCE: Final = 2.0  # seconds, for all of them: a program may stand still


@frozen
class Found:
    """A socket.

    Attributes:
        path: Its file.
        tree: Name of the tree of the program that answered.
        pid: Of that program.
        error: Why there is none; None if there is.
    """

    path: str
    tree: str = ""
    pid: int = 0
    error: str | None = None

    @property
    def line(self) -> str:
        """All of it as one line."""
        if self.error is not None:
            return f"{self.path}: {self.error}"
        return f"{self.path}: the tree {self.tree!r} of process {self.pid}"


def folder(environment: Mapping[str, str]) -> Path:
    """Give the folder where sockets are looked for."""
    runtime = environment.get("XDG_RUNTIME_DIR")
    if runtime:
        return Path(runtime, "regrow")
    return Path("/tmp") / f"regrow-{os.geteuid()}"  # noqa: S108 - nothing is made there


async def look(where: Path) -> list[Found]:
    """Ask all sockets in *where*, which end in `.sock`, who they are.

    Raises:
        ValueError: The folder is somebody else's; the text says so.
    """
    found: list[Found] = []

    async def ask(path: str) -> None:
        found.append(await _ask(path))

    paths = list(_sockets(where))
    async with trio.open_nursery() as nursery:
        for path in paths:
            nursery.start_soon(ask, path)
    return sorted(found, key=lambda each: each.path)


async def _ask(path: str) -> Found:
    await trio.lowlevel.checkpoint()
    with trio.move_on_after(_PATIENCE):
        try:
            async with ControlClient(path) as client:
                return Found(path, client.tree, client.pid)
        except ControlSocketError as error:
            return Found(path, error=error.text)
        except RegrowError as error:
            return Found(path, error=str(error))
    return Found(path, error=f"no answer within {_PATIENCE:g} s")


def _sockets(where: Path) -> Iterator[str]:
    try:
        status = where.stat()
    except OSError:
        return  # there is none
    # In /tmp anybody could have made it, and led us to a program of theirs.
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        message = f"{where} is not yours alone, so nothing in it is looked at"
        raise ValueError(message)
    for path in sorted(where.glob("*.sock")):
        if path.is_socket():
            yield str(path)


def only_one(where: Path, found: Sequence[Found]) -> Found | str:
    """Give the only program that answered, or what to say to whoever looks for one."""
    alive = [each for each in found if each.error is None]
    if len(alive) == 1:
        return alive[0]
    lines = [f"  {each.line}" for each in found]
    if alive:
        return "\n".join(
            [f"several programs have a socket in {where}; name one:", *lines]
        )
    if found:
        return "\n".join([f"no program answers in {where}:", *lines])
    return (
        f"no socket named *.sock in {where}. Name another one: regrow top SOCKET. "
        "A program makes one with regrow run --control PATH, or open_tree(control=PATH)"
    )
