"""A stream of everything that happens in a tree, for one who may be slow."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

import trio

from regrow._core.events import Event, EventsLost

if TYPE_CHECKING:
    from types import TracebackType

    from .host import Host

__all__ = ["EventStream", "Reader"]


class Reader(Protocol):
    """One who is told of events as they come; it must not raise, and not wait."""

    def push(self, event: Event) -> None:
        """Take *event* in."""
        ...

    def end(self) -> None:
        """There will be no more."""
        ...


class EventStream(trio.abc.ReceiveChannel[Event]):
    """The events of a tree, in order, from the moment that it was made.

    `async with tree.events() as stream:` and then `async for event in stream:`. It never
    holds the tree up: where more events wait than it holds, the oldest are dropped, and an
    `EventsLost` stands in their place. It ends when the tree has, after the last event.
    """

    def __init__(self, host: Host, capacity: int) -> None:
        """For the runtime: `Tree.events` makes it."""
        self._host = host
        self._events: deque[Event] = deque(maxlen=capacity)
        self._lost = 0
        self._news = trio.Event()
        self._ended = host.over
        self._closed = False
        host.streams.append(self)

    async def __aenter__(self) -> EventStream:
        await trio.lowlevel.checkpoint()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def push(self, event: Event) -> None:
        """Take *event* in. For the runtime."""
        if len(self._events) == self._events.maxlen:
            self._lost += 1
        self._events.append(event)
        self._news.set()

    def end(self) -> None:
        """There will be no more. For the runtime."""
        self._ended = True
        self._news.set()

    async def receive(self) -> Event:
        """Give the next event, waiting for it.

        A cancelled call takes none. Several tasks may read; each event goes to one.

        Raises:
            trio.EndOfChannel: The tree has ended, and every event was given.
            trio.ClosedResourceError: The stream was closed.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            if self._closed:
                raise trio.ClosedResourceError
            if self._events:
                event = self._next()
                await trio.lowlevel.cancel_shielded_checkpoint()
                return event
            if self._ended:
                raise trio.EndOfChannel
            if self._news.is_set():  # else another task waits for it already
                self._news = trio.Event()
            await self._news.wait()

    def _next(self) -> Event:
        if not self._lost:
            return self._events.popleft()
        lost, self._lost = self._lost, 0
        root = self._host.root
        assert root is not None  # noqa: S101 - events have happened
        return EventsLost(root.path, root.incarnation, self._host.now(), lost)

    async def aclose(self) -> None:
        """Take in no more."""
        if not self._closed:
            self._closed = True
            self._host.streams.remove(self)
            self._news.set()
        await trio.lowlevel.checkpoint()
