"""What users meet on the first day, and would not forgive."""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Literal, NamedTuple

import pytest
import trio
from trio.testing import MockClock

from regrow import (
    Actor,
    ActorCrashedError,
    Mailbox,
    Ref,
    SpecError,
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


class Named(Actor):
    """Is given refs by keywords of its own, and something that asks."""

    def __init__(
        self, ask: Callable[[], Awaitable[str]], *, desks: Sequence[Ref[Desk]]
    ) -> None:
        self.ask_one = ask
        self.desks = desks

    async def ask(self) -> list[str]:
        """Ask all of them."""
        return [await desk.call(Desk.hello) for desk in self.desks]

    async def ask_by_what_it_was_given(self) -> str:
        """Ask the one that is known to what it was given."""
        return await self.ask_one()

    def boom(self) -> None:
        """Crash."""
        raise ValueError


async def hello(desk: Ref[Desk], *, loud: bool) -> str:
    return (await desk.call(Desk.hello)).upper() if loud else ""


async def greet(desk: Ref[Desk], said: list[str], *, other: Ref[Desk]) -> None:
    said.extend([await desk.call(Desk.hello), await other.call(Desk.hello)])


async def test_late_refs_are_bound_in_partials() -> None:
    said: list[str] = []
    desk = child(Desk)
    asks = partial(hello, desk.ref, loud=True)
    named = child(partial(Named, asks, desks=[desk.ref]), name="named")
    greeter = child(partial(greet, desk.ref, other=desk.ref), said, restart="transient")
    with_argument = child(
        partial(Named, desks=()), partial(hello, loud=True, desk=desk.ref), name="w"
    )
    spec = supervisor("s", desk, named, with_argument, greeter)
    async with open_tree(spec) as tree:
        for incarnation in (1, 2):
            assert await tree[named].call(Named.ask) == ["hello"]
            answer = await tree[named].call(Named.ask_by_what_it_was_given)
            assert answer == "HELLO"
            assert tree.snapshot("s/named").incarnation == incarnation
            with pytest.raises(ActorCrashedError):
                await tree[named].call(Named.boom)
        answer = await tree[with_argument].call(Named.ask_by_what_it_was_given)
        assert answer == "HELLO"
        await tree[greeter].wait_stopped()
    assert said == ["hello", "hello"]


async def test_a_partial_without_late_refs_is_called_as_it_is() -> None:
    made: list[object] = []

    class Seen(partial[Desk]):
        """Knows that it was called."""

        def __call__(self, *args: object, **kwargs: object) -> Desk:
            made.append(self)
            return super().__call__(*args, **kwargs)

    factory = Seen(Desk)
    desk = child(factory, name="desk")
    async with open_tree(supervisor("s", desk)) as tree:
        assert await tree[desk].call(Desk.hello) == "hello"
    assert made == [factory]


async def test_a_ref_in_a_partial_that_leads_out_of_the_tree_is_refused() -> None:
    desk = child(Desk)
    asks = partial(hello, desk.ref, loud=True)
    for spec in (
        child(partial(Named, asks, desks=())),
        child(partial(Named, desks=()), asks),
    ):
        with pytest.raises(SpecError) as caught:
            async with open_tree(supervisor("s", spec)):
                raise AssertionError
        assert [(f.code, f.place) for f in caught.value.findings] == [
            ("unknown_ref", "s/named")
        ]


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
