"""The mailbox of a place: a memory channel, a line of senders, and what was put back.

It belongs to the place, not to an incarnation, so what waits survives restarts. The channel
has no bound of its own: room is counted here, because a request whose sender gave up takes
no room but cannot be taken out of the middle of a channel. Such husks are skipped by the
reader, and swept when there are more of them than living messages.

A reader that waits is handed its message directly, without the detour over the channel.

Everything here is synchronous but `take`, and runs protected from KeyboardInterrupt by its
callers, so that no state is left half changed.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import trio

from .messages import Request, State

if TYPE_CHECKING:
    from regrow._core.specs import Mailbox

__all__ = ["Box"]

HANDED = State.HANDED
QUEUED = State.QUEUED

FEW = 64  # husks that are not worth a sweep


class Box:
    """The messages that wait at one place.

    Attributes:
        rules: Capacity and policies.
        count: Messages that take room: in the channel, or put back.
        peak: The most there were.
        dropped: Messages dropped since that was last told.
    """

    __slots__ = (
        "_handed",
        "_husks",
        "_line",
        "_put_back",
        "_reader",
        "_receive",
        "_send",
        "capacity",
        "count",
        "dropped",
        "peak",
        "rules",
    )

    def __init__(self, rules: Mailbox) -> None:
        self.rules: Mailbox = rules
        self.capacity: float = rules.capacity
        self.count: int = 0
        self.peak: int = 0
        self.dropped: int = 0
        self._send: trio.MemorySendChannel[Request] | None = None
        self._receive: trio.MemoryReceiveChannel[Request] | None = None
        self._line: deque[Request] | None = None
        self._put_back: deque[Request] | None = None
        self._husks = 0
        self._reader: trio.lowlevel.Task | None = None
        self._handed: Request | None = None

    # -------------------------------------------------------------------- sending

    def offer(self, request: Request) -> bool:
        """Take *request* if there is room; tell whether it was taken."""
        if self._line:
            return False
        reader = self._reader
        if reader is not None:  # it makes room for one, also where the capacity is 0
            self._reader = None
            request.state = HANDED
            self._handed = request
            trio.lowlevel.reschedule(reader)
            return True
        count = self.count
        if count >= self.capacity:
            return False
        self._put(request, count + 1)
        return True

    def _put(self, request: Request, count: int) -> None:
        self.count = count
        if count > self.peak:
            self.peak = count
        send = self._send
        if send is None:
            send = self._open()
        send.send_nowait(request)

    def _open(self) -> trio.MemorySendChannel[Request]:
        """Make the channel, which an actor that is always waiting never needs."""
        send, self._receive = trio.open_memory_channel[Request](math.inf)
        self._send = send
        return send

    def queue_up(self, request: Request) -> None:
        """Let *request* wait for room, behind those that do."""
        if self._line is None:
            self._line = deque()
        request.state = State.LINE
        self._line.append(request)

    def drop_oldest(self) -> Request | None:
        """Take out the living message that waited longest."""
        return self.take_nowait()

    def abandon(self, request: Request) -> None:
        """Its sender has given up: unless it was begun, it is skipped and takes no room."""
        before, request.state = request.state, State.ABANDONED
        request.task = None
        request.no_longer_awaited()
        if before is State.QUEUED:
            self.count -= 1
            self._husks += 1
            self._admit()
        elif before is State.LINE:
            self._husks += 1
        if self._husks > FEW and self._husks > self.count:
            self._sweep()

    def wake(self) -> None:
        """Let a waiting reader look around."""
        reader = self._reader
        if reader is not None:
            self._reader = None
            trio.lowlevel.reschedule(reader)

    # -------------------------------------------------------------------- reading

    def take_nowait(self) -> Request | None:
        """Take the next message, if there is one."""
        if not self.count and not self._husks:
            return self._from_line() if self._line else None
        while self._put_back:
            request = self._put_back.popleft()
            if request.state is State.QUEUED:
                self.count -= 1
                self._admit()
                return request
            self._husks -= 1
        return self._next_living()

    async def take(self) -> Request | None:
        """Wait for the next message; `None` if there was a reason to look around.

        It is no longer the reader's if its state has changed meanwhile.
        """
        self._reader = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._leave)
        request, self._handed = self._handed, None
        return request

    def _leave(self, _: object) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def put_back(self, request: Request) -> None:
        """It was taken but not begun: it is the next one again."""
        if self._put_back is None:
            self._put_back = deque()
        if request.state is State.HANDED:
            request.state = State.QUEUED
            self._put_back.appendleft(request)
            self.count += 1

    def _next_living(self) -> Request | None:
        receive = self._receive
        while receive is not None:
            try:
                request = receive.receive_nowait()
            except trio.WouldBlock:
                return self._from_line()
            if request.state is QUEUED:
                self.count -= 1
                if self._line:
                    self._admit()
                return request
            self._husks -= 1
        return self._from_line()

    def _from_line(self) -> Request | None:
        """Hand over from sender to reader where the mailbox itself holds nothing."""
        request = self._head_of_line()
        if request is not None:
            request.admitted()
        return request

    def _head_of_line(self) -> Request | None:
        line = self._line
        while line:
            request = line.popleft()
            if request.state is State.LINE:
                return request
            self._husks -= 1
        return None

    def _admit(self) -> None:
        """Let senders in while there is room."""
        while self._line and self.count < self.capacity:
            request = self._head_of_line()
            if request is None:
                return
            request.admitted()
            self._put(request, self.count + 1)

    # -------------------------------------------------------------------- all of it

    def empty(self) -> list[Request]:
        """Take out everything that waits, here or for room, in order."""
        everything: list[Request] = []
        if self._put_back:
            everything.extend(self._put_back)
            self._put_back.clear()
        everything.extend(self._drain())
        if self._line:
            everything.extend(self._line)
            self._line.clear()
        self.count = 0
        self._husks = 0
        if self._handed is not None:
            everything.insert(0, self._handed)
        alive = (State.QUEUED, State.LINE, State.HANDED)
        return [request for request in everything if request.state in alive]

    def _drain(self) -> list[Request]:
        """Take out all that the channel holds, husks too."""
        held: list[Request] = []
        while self._receive is not None:
            try:
                held.append(self._receive.receive_nowait())
            except trio.WouldBlock:
                break
        return held

    def _sweep(self) -> None:
        """Throw the husks out."""
        kept = [each for each in self._drain() if each.state is State.QUEUED]
        if self._send is not None:
            for request in kept:
                self._send.send_nowait(request)
        for held, state in ((self._line, State.LINE), (self._put_back, State.QUEUED)):
            if held:
                alive = [request for request in held if request.state is state]
                held.clear()
                held.extend(alive)
        self._husks = 0
