"""What one would write with bare trio: the floors that regrow is measured against.

Nothing here is made slow on purpose, and nothing does what a supervision tree is for: see
`restart_loop`.
"""

from __future__ import annotations

import logging
from typing import TypeAlias

import trio

from .workload import Figures, Stopwatch

__all__ = [
    "BUFFER",
    "BrokenError",
    "Inbox",
    "Message",
    "Reply",
    "actor",
    "fan",
    "one_way",
    "ping_pong",
    "restart_loop",
    "wait_on",
]

BUFFER = 1024  # as many as a mailbox of regrow holds unless told

Reply: TypeAlias = trio.MemorySendChannel[str]
Message: TypeAlias = tuple[str, Reply | None]
Inbox: TypeAlias = trio.MemoryReceiveChannel[Message]

log = logging.getLogger("benchmarks.raw")


class BrokenError(Exception):
    """What crashes here."""


# ------------------------------------------------------------------------------- messages


async def ping_pong(calls: int) -> Figures:
    """Send numbers to a task that sends each back; one at a time."""
    to_task, inbox = trio.open_memory_channel[int](BUFFER)
    to_caller, answers = trio.open_memory_channel[int](BUFFER)

    async def answer() -> None:
        async for number in inbox:
            await to_caller.send(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        with Stopwatch() as watch:
            for number in range(calls):
                await to_task.send(number)
                assert await answers.receive() == number
        nursery.cancel_scope.cancel()
    return watch.rate(calls)


async def fan(calls: int, callers: int) -> Figures:
    """Let many callers ask one task, each with a channel of its own for the answers."""
    to_task, inbox = trio.open_memory_channel[tuple[int, trio.MemorySendChannel[int]]](
        BUFFER
    )

    async def answer() -> None:
        async for number, to_caller in inbox:
            await to_caller.send(number)

    async def ask() -> None:
        to_caller, answers = trio.open_memory_channel[int](BUFFER)
        for number in range(calls // callers):
            await to_task.send((number, to_caller))
            assert await answers.receive() == number

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        with Stopwatch() as watch:
            async with trio.open_nursery() as asking:
                for _ in range(callers):
                    asking.start_soon(ask)
        nursery.cancel_scope.cancel()
    return watch.rate(calls)


async def one_way(
    messages: int, *, buffer: int = BUFFER, senders: int = 1, pause: bool = False
) -> Figures:
    """Send numbers over one channel to one task; done when it has taken all of them.

    Args:
        messages: How many in all.
        buffer: How many the channel holds.
        senders: How many tasks send.
        pause: Whether the reader lets others run after each message, as one that does
            anything would.
    """
    send, receive = trio.open_memory_channel[int](buffer)

    async def read() -> None:
        async for _ in receive:
            if pause:
                await trio.lowlevel.checkpoint()

    async def write(channel: trio.MemorySendChannel[int]) -> None:
        async with channel:
            for number in range(messages // senders):
                await channel.send(number)

    with Stopwatch() as watch:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            async with send:
                for _ in range(senders):
                    nursery.start_soon(write, send.clone())
    return watch.rate(messages)


# ------------------------------------------------------------------------------- restarts


async def wait_on(inbox: Inbox) -> None:
    """Be a task that waits on a channel of its own."""
    await inbox.receive()


async def actor(inbox: Inbox) -> None:
    """Answer what is asked, until a message breaks it."""
    async for what, reply in inbox:
        if what == "crash":
            raise BrokenError(what)
        if reply is not None:
            await reply.send(what)


async def restart_loop(inbox: Inbox) -> None:
    """Run `actor` again whenever it breaks: the loop that most programs begin with.

    It does: one traceback in the log for each crash, messages that wait survive it, a
    cancellation gets out. It does not: answer the message that broke it (its sender would
    wait for ever, so here it is sent by one that does not wait), limit or delay anything,
    restart others along, stop in order, tell anyone, or know how often it has run.
    """
    while True:
        try:
            await actor(inbox)
        except Exception:
            log.exception("the actor crashed, and runs again")
