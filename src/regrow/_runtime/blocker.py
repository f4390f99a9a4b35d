"""Finding what blocks the event loop, from another thread, while it does.

A loop that runs a task has on its thread's stack the frames of trio's scheduler, above
those the frames of the task's coroutine, the blocking one last. The scheduler's frames are
known from the beginning: whoever opens the tree runs in a task itself. Which task it is, its
coroutine tells. Everything is read without a lock, so that only what stands still is seen
right: that is just what blocks the loop.
"""

from __future__ import annotations

import inspect
import sys
import threading
from types import CodeType, FrameType
from typing import TYPE_CHECKING

import trio
from attrs import field, frozen

from .host import Host
from .stacks import TRIO
from .starting import start_actor

if TYPE_CHECKING:
    from .life import Life
    from .place import Place

__all__ = ["Blocker", "LoopThread"]


@frozen
class Blocker:
    """What blocks a loop.

    Attributes:
        path: The place whose code it is; the root's where it is no place's.
        incarnation: Which life of that; 0 where it is no place's.
        stack: A text for each frame of the task, the innermost last.
    """

    path: str
    incarnation: int
    stack: tuple[str, ...]


@frozen
class LoopThread:
    """The thread that the event loop of a tree runs in.

    Attributes:
        host: The tree.
        root_task: Above every task of the loop.
        ident: The thread.
        scheduler: The code of trio's that has no task of its own.
    """

    host: Host
    root_task: trio.lowlevel.Task
    ident: int
    scheduler: frozenset[CodeType] = field(repr=False)

    @classmethod
    def here(cls, host: Host) -> LoopThread:
        """Give the one that the caller runs in, which has to be a task."""
        root = trio.lowlevel.current_root_task()
        assert root is not None  # noqa: S101 - it is above the caller's own
        codes: set[CodeType] = set()
        frame = trio.lowlevel.current_task().coro.cr_frame
        below = None if frame is None else frame.f_back
        while below is not None and below.f_code.co_filename.startswith(TRIO):
            codes.add(below.f_code)
            below = below.f_back
        return cls(host, root, threading.get_ident(), frozenset(codes))

    def frames(self) -> list[FrameType]:
        """Give what runs above the scheduler now, the innermost last."""
        found: list[FrameType] = []
        # Documented, and the only way, though it looks private.
        every = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        frame = every.get(self.ident)
        while frame is not None and frame.f_code not in self.scheduler:
            found.append(frame)
            frame = frame.f_back
        found.reverse()
        return found

    def idle(self) -> bool:
        """Whether it runs no task now: it waits for something to happen."""
        return all(
            frame.f_code.co_filename.startswith(TRIO)
            and not frame.f_code.co_flags & inspect.CO_COROUTINE
            for frame in self.frames()
        )

    def blocker(self) -> Blocker:
        """Give what runs now, and whose it is."""
        frames = self.frames()
        stack = tuple(_line(frame) for frame in frames)
        place = self._responsible({frame.f_code for frame in frames})
        if place is not None:
            return Blocker(place.path, place.incarnation, stack)
        root = self.host.root
        return Blocker("" if root is None else root.path, 0, stack)

    def _responsible(self, codes: set[CodeType]) -> Place | None:
        if _EMIT in codes:
            return None  # an observer's code, in whatever task
        task = self._running()
        if _START in codes:
            place = self._being_started(task)
            if place is not None:
                return place
        life = self._owner(task)
        return None if life is None else life.place

    def _running(self) -> trio.lowlevel.Task | None:
        """Give the task that runs."""
        ahead = [self.root_task]
        while ahead:
            task = ahead.pop()
            if task.coro.cr_running:
                return task
            for nursery in list(task.child_nurseries):
                ahead += list(nursery.child_tasks)  # a copy made at one blow
        return None

    def _being_started(self, task: trio.lowlevel.Task | None) -> Place | None:
        """Give the child whose constructor the task of a supervisor calls."""
        for supervisor in list(self.host.supervisors.values()):
            if supervisor.task is task:
                return supervisor.last_started
        return None

    def _owner(self, task: trio.lowlevel.Task | None) -> Life | None:
        """Give the child of this tree that *task* belongs to, also over trees inside it."""
        lives = self.host.lives
        while (life := lives.owner(task)) is not None:
            if life.place.host is self.host:
                return life
            nursery = None if life.task is None else life.task.parent_nursery
            task = None if nursery is None else nursery.parent_task
        return None


_EMIT = Host.emit.__code__
_START = start_actor.__code__


def _line(frame: FrameType) -> str:
    code = frame.f_code
    return f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"
