"""What one would write with bare trio: the floors that regrow is measured against.

Nothing here is made slow on purpose, and nothing does what a supervision tree is for: see
`restart_loop`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

import trio

from .workload import Figures, Stopwatch

__all__ = [
    "BUFFER",
    "Answer",
    "BrokenError",
    "Inbox",
    "Message",
    "Question",
    "Reply",
    "actor",
    "answering_actor",
    "ask",
    "fan",
    "nursery_loop",
    "one_way",
    "ping_pong",
    "restart_loop",
    "wait_on",
]

BUFFER = 1024  # as many as a mailbox of regrow holds unless told

Reply: TypeAlias = trio.MemorySendChannel[str]
Message: TypeAlias = tuple[str, Reply | None]
Inbox: TypeAlias = trio.MemoryReceiveChannel[Message]

T = TypeVar("T")

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


def answer_to(what: str) -> str:
    """Answer, or break."""
    if what == "crash":
        raise BrokenError(what)
    return what


async def actor(inbox: Inbox) -> None:
    """Answer what is asked, until a message breaks it."""
    async for what, reply in inbox:
        answer = answer_to(what)
        if reply is not None:
            await reply.send(answer)


Answer: TypeAlias = str | Exception
Question: TypeAlias = tuple[str, trio.MemorySendChannel[Answer]]


async def answering_actor(inbox: trio.MemoryReceiveChannel[Question]) -> None:
    """Answer what is asked, and tell whoever asked for what broke it."""
    async for what, reply in inbox:
        try:
            await reply.send(answer_to(what))
        except Exception as error:
            await reply.send(error)
            raise


async def ask(to_actor: trio.MemorySendChannel[Question], what: str) -> str:
    """Ask `answering_actor`, with a channel for this answer alone.

    One channel for all would give a late answer to whoever asks next.
    """
    reply, answers = trio.open_memory_channel[Answer](1)
    await to_actor.send((what, reply))
    answer = await answers.receive()
    if isinstance(answer, Exception):
        raise answer
    return answer


async def restart_loop(
    inbox: trio.MemoryReceiveChannel[T],
    actor: Callable[[trio.MemoryReceiveChannel[T]], Awaitable[None]],
) -> None:
    """Run *actor* again whenever it breaks: the loop that most programs begin with.

    It does: one traceback in the log for each crash, messages that wait survive it, a
    cancellation gets out. It does not: answer the message that broke it (with `actor` its
    sender would wait for ever, so it is sent by one that does not wait; `answering_actor`
    does what can be done about that), limit or delay anything, restart others along, stop
    in order, tell anyone, or know how often it has run. Nor does it begin in a task of its
    own: what the broken one has left running in a nursery around it would go on.
    """
    while True:
        try:
            await actor(inbox)
        except Exception:
            log.exception("the actor crashed, and runs again")


async def nursery_loop(
    inbox: trio.MemoryReceiveChannel[T],
    actor: Callable[[trio.MemoryReceiveChannel[T]], Awaitable[None]],
) -> None:
    """Run *actor* again whenever it breaks, each time in a nursery of its own.

    As `restart_loop`, but nothing that the broken one has started goes on.
    """
    while True:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(actor, inbox)
        except* Exception:
            log.exception("the actor crashed, and runs again")
