"""What a program pays for being watched by `regrow top`."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio
from attrs import define, field

from regrow import Ref, Supervisor, child, open_tree, supervisor

from .actors import Echo
from .fresh import fresh, need
from .scale import EACH
from .workload import Figures, Row, Scale, Stopwatch, Workload, at_least, pick

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .workload import Side

__all__ = ["Watched"]

GROUP: Final = 99  # actors below each supervisor
ROUNDS: Final = 2  # alone and watched, by turns
CHUNK: Final = 100  # calls between two looks at the clock


class Watched(Workload):
    """A program that never rests, watched by `regrow top` from another process.

    Question: how much slower does a large tree work while somebody looks at it?
    Unit: calls per second of the program's own thread.
    Sizes: 100,000 places in groups of 100; phases of 5 seconds; the view shows the tree in
    its order, then by restarts, for which all places are looked at.
    Baseline: the same program when nobody looks.
    """

    name = "watched"
    repetitions = 3
    warms_up = False

    def sides(self) -> Mapping[str, Side]:
        """Give the one, which measures both by turns."""
        groups = self.scale.size(1000, 2)
        phase = self.scale.size(5000, 200)

        def both() -> Figures:
            if self.scale is Scale.FULL:
                need(groups * GROUP * EACH)
            return fresh(__name__, "measured", groups, phase)

        return {"both": both}

    def rows(self) -> Sequence[Row]:
        """Give how fast it still is."""
        return [
            Row(
                f"calls while it is shown {how}",
                "calls/s",
                pick("both", figure),
                pick("both", "alone"),
                targets=(at_least(0.9),),
            )
            for figure, how in (("tree", "as a tree"), ("list", "by restarts"))
        ]


def measured(groups: int, milliseconds: int) -> Figures:
    """Measure a tree of *groups*, in phases of so many *milliseconds*."""
    return trio.run(_measure, groups, milliseconds / 1000)


async def _measure(groups: int, seconds: float) -> Figures:
    caller = child(Echo, name="caller")
    spec = supervisor("root", *(_group(number) for number in range(groups)), caller)
    phases = {name: Phase() for name in ("alone", "tree", "list")}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "top.sock"))
        async with open_tree(spec, control=path) as tree:
            ref = tree[caller]
            for _ in range(ROUNDS):
                await phases["alone"].run(ref, seconds)
                with _top(path) as view:
                    await view.wait_for(b"q\x1b")
                    await phases["tree"].run(ref, seconds)
                    view.press(b"s")
                    await view.wait_for(b"by restarts")
                    await phases["list"].run(ref, seconds)
    return {
        name: value
        for figure, phase in phases.items()
        for name, value in phase.figures(figure).items()
    }


def _group(number: int) -> Supervisor:
    workers = (child(Echo, name=f"echo-{index}") for index in range(GROUP))
    return supervisor(f"group-{number}", *workers)


@define
class Phase:
    """Calls, one after the other, for as long as a phase takes."""

    calls: int = 0
    cpu: float = 0.0
    wall: float = 0.0

    async def run(self, ref: Ref[Echo], seconds: float) -> None:
        """Call for so many *seconds*."""
        until = trio.current_time() + seconds
        with Stopwatch() as watch:
            while trio.current_time() < until:
                for number in range(CHUNK):
                    await ref.call(Echo.echo, number)
                self.calls += CHUNK
        self.cpu += watch.cpu
        self.wall += watch.wall

    def figures(self, name: str) -> Figures:
        """Give the rates, by both clocks."""
        return {
            f"{name} cpu": self.calls / self.cpu,
            f"{name} wall": self.calls / self.wall,
        }


@define
class View:
    """A `regrow top` in a terminal that a thread of ours reads."""

    fd: int
    _seen: bytearray = field(factory=bytearray)
    _over: bool = False

    def read(self) -> None:
        """Take what it draws until it is closed."""
        while True:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                break
            if not data:
                break
            self._seen += data
        self._over = True

    def press(self, keys: bytes) -> None:
        """Press *keys*."""
        self._seen.clear()
        os.write(self.fd, keys)

    async def wait_for(self, words: bytes) -> None:
        """Wait until it has drawn *words*."""
        while words not in self._seen:
            if self._over:
                message = f"regrow top has ended: {bytes(self._seen)!r}"
                raise RuntimeError(message)
            await trio.sleep(0.01)  # noqa: ASYNC110 - another thread reads


@contextmanager
def _top(path: str) -> Iterator[View]:
    controller, terminal = os.openpty()
    size = struct.pack("HHHH", 54, 120, 0, 0)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
    command = [sys.executable, "-m", "regrow.cli", "top", path]
    with subprocess.Popen(  # noqa: S603 - our own command
        command,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=os.environ | {"TERM": "xterm-256color"},
    ) as process:
        os.close(terminal)
        view = View(controller)
        thread = threading.Thread(target=view.read)
        thread.start()
        try:
            yield view
        finally:
            process.terminate()
            process.wait()
            thread.join()
            os.close(controller)
