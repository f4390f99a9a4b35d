"""Actors that do to order what an actor may do, for the tables of docs/semantics.md."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import pytest
import trio
from attrs import Factory, define

from regrow import (
    Actor,
    ActorCrashedError,
    CallError,
    DeadLetter,
    Deferred,
    Event,
    MessageError,
    Ref,
    Shutdown,
    raises,
)

from .pages import ROOT, rows, section

__all__ = [
    "SEMANTICS",
    "AnswerError",
    "Slow",
    "Worker",
    "crashed",
    "dead_letters",
    "first_cells",
    "state_of",
]

SEMANTICS = ROOT / "docs" / "semantics.md"


def first_cells(title: str) -> list[str]:
    """Give what the rows of a table are about."""
    found = [row[0] for row in rows(section(SEMANTICS, title))]
    assert found
    return found


class AnswerError(Exception):
    """What `@raises` names here."""


@define(eq=False)
class Worker(Actor):
    """Does as it is told."""

    done: list[object] = Factory(list)

    def add(self, item: object) -> list[object]:
        self.done.append(item)
        return list(self.done)

    async def work(self, seconds: float) -> str:
        await trio.sleep(seconds)
        return "worked"

    def crash(self) -> None:
        raise ValueError("bug")

    @raises(AnswerError)
    def refuse(self) -> None:
        raise AnswerError

    def leave(self) -> str:
        self.stop()
        return "left"

    def shut_down(self) -> None:
        raise Shutdown

    def defer(self) -> Deferred[None]:
        return Deferred()


@define(eq=False)
class Slow(Worker):
    """Takes a second to start and one to stop."""

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        await trio.sleep(1)
        yield
        await trio.sleep(1)


async def crashed(ref: Ref[Worker]) -> None:
    """Crash it, and come back when its caller has been told."""
    with pytest.raises(ActorCrashedError):
        await ref.call(Worker.crash)


async def state_of(fn: Callable[[], Awaitable[object]], states: list[str]) -> None:
    """Enter what became of a message: `waits` until that is known."""
    states.append("waits")
    at = len(states) - 1
    try:
        answer = await fn()
    except AnswerError:
        states[at] = "AnswerError"
    except (CallError, MessageError) as error:
        states[at] = f"`{type(error).__name__}`"
    else:
        states[at] = "returned" if answer is None else str(answer)


def dead_letters(events: Iterable[Event]) -> list[str]:
    """Give the messages that were dead letters."""
    return [event.message for event in events if isinstance(event, DeadLetter)]
