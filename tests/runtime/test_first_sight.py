"""What users meet on the first day, and would not forgive."""

from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple

import pytest
import trio
from trio.testing import MockClock

from regrow import (
    Actor,
    Mailbox,
    Ref,
    StartFailedError,
    child,
    open_tree,
    raises,
    supervisor,
)


class Desk(Actor):
    """Answers."""

    def hello(self) -> str:
        """Answer."""
        return "hello"


@pytest.mark.parametrize("policy", ["raise", "drop_newest", "wait"])
async def test_a_rendezvous_takes_a_message_as_soon_as_the_tree_is_open(
    policy: Literal["raise", "drop_newest", "wait"],
) -> None:
    desk = child(Desk, mailbox=Mailbox(0, policy))
    async with open_tree(supervisor("s", desk)) as tree:
        assert await tree[desk].call(Desk.hello) == "hello"


async def test_a_rendezvous_takes_one_and_no_more_before_the_actor_runs() -> None:
    desk = child(Desk, mailbox=Mailbox(0, "drop_newest"))
    async with open_tree(supervisor("s", desk)) as tree:
        tree[desk].cast_nowait(Desk.hello)
        tree[desk].cast_nowait(Desk.hello)
        assert tree.snapshot().find("s/desk").waiting == 1


def test_a_keyboard_interrupt_does_not_wait_for_the_lifespan() -> None:
    class Slow(Actor):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            try:
                yield
            finally:
                await trio.sleep(500)

        def interrupted(self) -> None:
            raise KeyboardInterrupt

    slow = child(Slow, shutdown=float("inf"))
    ended: list[float] = []

    async def main() -> None:
        try:
            async with open_tree(supervisor("s", slow), shutdown=2) as tree:
                tree[slow].cast_nowait(Slow.interrupted)
                await trio.sleep_forever()
        finally:
            ended.append(trio.current_time())

    with pytest.raises(KeyboardInterrupt):
        trio.run(main, clock=MockClock(autojump_threshold=0))
    assert ended == [2.0]


async def test_an_override_answers_with_what_the_overridden_method_names() -> None:
    class Base(Actor):
        @raises(KeyError)
        def ask(self) -> None:
            raise NotImplementedError

    class Sub(Base):
        def ask(self) -> None:
            raise KeyError

    sub = child(Sub)
    async with open_tree(supervisor("s", sub)) as tree:
        for method in (Base.ask, Sub.ask):
            with pytest.raises(KeyError):
                await tree[sub].call(method)


class Wiring(NamedTuple):
    """Refs by name."""

    desk: Ref[Desk]


class Clerk(Actor):
    """Has refs in containers of all kinds."""

    def __init__(self, one: Wiring, two: "OrderedDict[str, Ref[Desk]]") -> None:
        self.desks = [one.desk, *two.values()]

    async def ask(self) -> list[str]:
        """Ask all of them."""
        return [await desk.call(Desk.hello) for desk in self.desks]


async def test_late_refs_are_bound_in_named_tuples_and_kinds_of_dicts() -> None:
    desk = child(Desk)
    clerk = child(Clerk, Wiring(desk.ref), OrderedDict(desk=desk.ref))
    async with open_tree(supervisor("s", desk, clerk)) as tree:
        assert await tree[clerk].call(Clerk.ask) == ["hello", "hello"]


async def test_a_lifespan_without_its_decorator_is_explained() -> None:
    class Bare(Actor):
        async def lifespan(self) -> AsyncGenerator[None]:  # type: ignore[override]  # so
            yield

    with pytest.raises(StartFailedError, match="Decorate it with @asynccontextmanager"):
        async with open_tree(supervisor("s", child(Bare))):
            pass


async def test_closed_monitors_are_forgotten() -> None:
    desk = child(Desk)
    async with open_tree(supervisor("s", desk)) as tree:
        for _ in range(10):
            async with tree[desk].monitor():
                pass
        async with tree[desk].monitor() as downs:
            await tree.stop()
            assert [down.incarnation async for down in downs] == [1]
