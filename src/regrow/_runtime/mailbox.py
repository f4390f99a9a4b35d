"""The mailbox of a place: a memory channel as its buffer, and a line of senders.

It belongs to the place, not to an incarnation, so what waits survives restarts. A reader
waits for a sign that there is something, and takes it when it begins it, never before: so
nothing is ever on its way, and nothing has to be put back.

In front of the channel stands a plain queue. What finds room there is spared the detour over
the channel, with checks for closed ends that nobody else can reach, which would be a quarter
of what a cast costs. It takes what a mailbox holds unless told otherwise; the channel begins
behind that, and while it holds anything all goes there.

The channel has no bound of its own: room is counted here, because a request whose sender
gave up takes no room but cannot be taken out of the middle of a channel. Such husks are
skipped by the reader, and swept when there are more of them than living messages, or when
nothing else is left.

Everything here is synchronous but `wait`, and runs protected from KeyboardInterrupt by its
callers, so that no state is left half changed.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING

import trio

from .messages import ABANDONED, LINE, QUEUED, Request, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from regrow._core.specs import Mailbox

__all__ = ["Box"]

FRONT = 1024  # messages in front of the channel: as many as fit unless told

FEW = 64  # husks that are not worth a sweep


class Box:
    """The messages that wait at one place.

    Room is there while `count` is below the capacity; in a rendezvous only while a reader
    waits. Senders stand in line only while there is none, so nobody overtakes them.

    Attributes:
        rules: Capacity and policies.
        count: Messages that take room.
        peak: The most that ever did; one that a waiting reader takes at once is none.
        expected: Whether a reader is about to wait for the first time: it makes room for
            one already, also where the capacity is 0.
    """

    __slots__ = (
        "_beyond",
        "_capacity",
        "_front",
        "_get",
        "_husks",
        "_line",
        "_put",
        "_reader",
        "_receive",
        "count",
        "expected",
        "peak",
        "rules",
    )

    def __init__(self, rules: Mailbox) -> None:
        self.rules: Mailbox = rules
        self.count: int = 0
        self.peak: int = 0
        self.expected: bool = False
        self._capacity: int = int(min(rules.capacity, sys.maxsize))
        self._front: deque[Request] | None = None
        self._beyond = 0  # requests in the channel
        self._receive: trio.MemoryReceiveChannel[Request] | None = None
        # Looked up once: what puts a request into the channel, and what gets one out.
        self._put: Callable[[Request], None] | None = None
        self._get: Callable[[], Request] | None = None
        self._line: deque[Request] | None = None
        self._husks = 0
        self._reader: trio.lowlevel.Task | None = None

    # -------------------------------------------------------------------- sending

    def offer(self, request: Request) -> bool:
        """Take *request*, a new one, if there is room; tell whether it was taken."""
        reader = self._reader
        if reader is not None:  # it makes room for one, also where the capacity is 0
            trio.lowlevel.reschedule(reader)  # first: it raises in another thread
            self._reader = None
            self.count += 1
            # In front also of what the channel may hold: it is no longer wanted.
            front = self._front
            if front is None:
                front = self._front = deque()
            front.append(request)
            return True
        count = self.count
        if count >= self._capacity and (count or self._line or not self.expected):
            return False
        self.count = count = count + 1
        if count > self.peak:
            self.peak = count
        if self._beyond or count > FRONT:
            self._beyond += 1
            put = self._put or self._open()
            put(request)
        else:
            front = self._front
            if front is None:
                front = self._front = deque()
            front.append(request)
        return True

    def _open(self) -> Callable[[Request], None]:
        """Make the channel, which an actor that keeps up never needs."""
        send, receive = trio.open_memory_channel[Request](sys.maxsize)
        self._receive = receive
        self._get = receive.receive_nowait
        self._put = send.send_nowait
        return self._put

    def queue_up(self, request: Request) -> None:
        """Let *request* wait for room, behind those that do."""
        if self._line is None:
            self._line = deque()
        request.state = LINE
        self._line.append(request)

    def abandon(self, request: Request) -> State:
        """Its sender has given up: unless it was begun, it is skipped and takes no room.

        Returns:
            Where it was.
        """
        before, request.state = request.state, ABANDONED
        request.task = None
        request.no_longer_awaited()
        if before is QUEUED:
            self.count -= 1
            self._husks += 1
            self._admit()
        elif before is LINE:
            self._husks += 1
        if self._husks > FEW and self._husks > self.count:
            self._sweep()
        return before

    # -------------------------------------------------------------------- reading

    def take(self) -> Request | None:
        """Take the living message that waited longest, if there is one."""
        if not self.count:
            request = self._from_line() if self._line else None
            if request is None and self._husks:
                self._sweep()  # else they would hold what was sent until others come
            return request
        front = self._front
        while True:
            if front:
                request = front.popleft()
            else:
                get = self._get
                assert get is not None  # noqa: S101 - what counts is in there
                request = get()
                self._beyond -= 1
            if request.state is QUEUED:
                self.count -= 1
                if self._line:
                    self._admit()
                return request
            self._husks -= 1

    async def wait(self) -> None:
        """Wait until there is something to take, or `wake` is called."""
        self._reader = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._leave)

    def _leave(self, _: object) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    @property
    def holds_nothing(self) -> bool:
        """Whether nothing is here, or waits for room, not even what nobody wants."""
        return not (self.count or self._line or self._husks)

    @property
    def has_reader(self) -> bool:
        """Whether a reader waits."""
        return self._reader is not None

    def wake(self) -> None:
        """Let a waiting reader look around."""
        reader = self._reader
        if reader is not None:
            trio.lowlevel.reschedule(reader)  # first, as in `offer`
            self._reader = None

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
            if request.state is LINE:
                return request
            self._husks -= 1
        return None

    def _admit(self) -> None:
        """Let senders in while there is room."""
        while self._line and self.count < self._capacity:
            request = self._head_of_line()
            if request is not None:
                request.admitted()
                self.offer(request)

    # -------------------------------------------------------------------- all of it

    def waiting(self) -> list[Request]:
        """Give everything that waits, here or for room, in order."""
        self._sweep()
        inside = self._drain()
        self._refill(inside)
        return [*inside, *(self._line or ())]

    def empty(self) -> list[Request]:
        """Take out everything that waits, here or for room, in order."""
        everything = self.waiting()
        self._drain()
        if self._line:
            self._line.clear()
        self.count = 0
        return everything

    def _sweep(self) -> None:
        """Throw the husks out."""
        self._refill(self._drain())
        if self._line:
            alive = [request for request in self._line if request.state is LINE]
            self._line.clear()
            self._line.extend(alive)
        self._husks = 0

    def _drain(self) -> list[Request]:
        """Take out all that lives in the front and in the channel, in order."""
        held = list(self._front or ())
        self._front = None
        self._beyond = 0
        if self._receive is not None:
            there = self._receive.statistics().current_buffer_used
            held += [self._receive.receive_nowait() for _ in range(there)]
        return [request for request in held if request.state is QUEUED]

    def _refill(self, requests: list[Request]) -> None:
        if requests:
            self._front = deque(requests[:FRONT])
            for request in requests[FRONT:]:
                self._beyond += 1
                put = self._put or self._open()
                put(request)
