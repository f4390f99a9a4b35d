"""What has ended leaves nothing behind (T23, S53)."""

import gc
import logging
import sys
import weakref
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from regrow import (
    Actor,
    ActorCrashedError,
    Backoff,
    Mailbox,
    Ref,
    StartFailedError,
    SupervisorRef,
    Tree,
    child,
    dynamic,
    open_tree,
    supervisor,
)

from .trees import Boom, virtual


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """Keep pytest from keeping every record, with the exception in it."""
    log = logging.getLogger("regrow")
    log.disabled = True
    yield
    log.disabled = False


class Given:
    """An argument that can be referred to weakly."""


class Holder(Actor):
    def __init__(self, given: Given) -> None:
        self.given = given

    def ping(self) -> str:
        return "pong"

    def boom(self) -> None:
        raise Boom

    def quit(self) -> None:
        self.stop()


async def short_service(given: Given) -> None:
    del given


async def endless_service(given: Given) -> None:
    await trio.sleep_forever()


Ending = Callable[[Tree, SupervisorRef, Any], Awaitable[None]]


async def by_quitting(tree: Tree, ref: SupervisorRef, started: Any) -> None:
    await started.cast(Holder.quit)


async def by_crashing(tree: Tree, ref: SupervisorRef, started: Any) -> None:
    with pytest.raises(ActorCrashedError):
        await started.call(Holder.boom)


async def by_being_terminated(tree: Tree, ref: SupervisorRef, started: Any) -> None:
    await ref.terminate_child("x")


def forgotten(witness: weakref.ref[Any]) -> bool:
    gc.collect()
    return witness() is None


@pytest.mark.parametrize("end", [by_quitting, by_crashing, by_being_terminated])
@pytest.mark.parametrize("kind", ["dynamic", "static"])
@virtual
async def test_the_arguments_of_a_temporary_child_die_with_it(
    kind: str, end: Ending
) -> None:
    below = dynamic("pool") if kind == "dynamic" else supervisor("pool")
    async with open_tree(supervisor("root", below)) as tree:
        ref = tree[below]
        given = Given()
        witness = weakref.ref(given)
        started = await ref.start_child(
            child(Holder, given, name="x", restart="temporary")
        )
        del given
        assert not forgotten(witness)
        await end(tree, ref, started)
        await started.wait_stopped()
        del started
        await wait_all_tasks_blocked()
        assert forgotten(witness)


@pytest.mark.parametrize("service", [short_service, endless_service])
@virtual
async def test_the_arguments_of_a_service_die_with_it(service: Any) -> None:
    pool = dynamic("pool")
    async with open_tree(supervisor("root", pool)) as tree:
        ref = tree[pool]
        given = Given()
        witness = weakref.ref(given)
        await ref.start_child(child(service, given, name="x", restart="temporary"))
        del given
        if service is endless_service:
            await ref.terminate_child("x")
        await wait_all_tasks_blocked()
        assert await ref.which_children() == ()
        assert forgotten(witness)


@virtual
async def test_the_arguments_of_a_start_that_failed_are_not_held() -> None:
    def fails(given: Given) -> Actor:
        raise Boom

    pool = dynamic("pool")
    async with open_tree(supervisor("root", pool)) as tree:
        given = Given()
        witness = weakref.ref(given)
        with pytest.raises(StartFailedError) as caught:
            await tree[pool].start_child(child(fails, given, name="x"))
        del given, caught
        await wait_all_tasks_blocked()
        assert forgotten(witness)


@virtual
async def test_a_message_and_its_answer_are_not_held() -> None:
    class Echo(Actor):
        def echo(self, given: Given) -> Given:
            return given

        async def sleep(self, given: Given, seconds: float) -> None:
            await trio.sleep(seconds)

    echo = child(Echo, mailbox=Mailbox(1))
    async with open_tree(supervisor("root", echo)) as tree:
        ref = tree[echo]
        given: Any = Given()
        witness = weakref.ref(given)
        assert await ref.call(Echo.echo, given) is given
        await ref.cast(Echo.echo, given)
        await wait_all_tasks_blocked()
        given = None
        assert forgotten(witness)
        given = Given()
        witness = weakref.ref(given)
        await ref.cast(Echo.sleep, given, 1)
        await wait_all_tasks_blocked()
        await ref.cast(Echo.sleep, given, 1)
        await tree.supervisor("root").terminate_child("echo")
        given = None
        assert forgotten(witness)


class Busy(Actor):
    async def work(self, *_: object) -> None:
        await trio.sleep(1)

    def note(self) -> None:
        pass


async def give_up(actor: Ref[Busy], refs: list[weakref.ref[Given]]) -> None:
    given = Given()
    refs.append(weakref.ref(given))
    with trio.move_on_after(0.5):
        await actor.call(Busy.work, given)


@virtual
async def test_what_was_sent_in_vain_is_not_held_by_an_actor_that_waits() -> None:
    refs: list[weakref.ref[Given]] = []
    async with open_tree(supervisor("root", child(Busy))) as tree:
        actor = tree.ref("root/busy", Busy)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(actor.call, Busy.work)
            await wait_all_tasks_blocked()
            for _ in range(50):  # too many of them for the others to be swept
                actor.cast_nowait(Busy.note)
            for _ in range(40):
                nursery.start_soon(give_up, actor, refs)
        await wait_all_tasks_blocked()
        assert [ref() for ref in refs] == [None] * 40


@virtual
async def test_what_was_sent_in_vain_is_not_held_by_a_closed_place() -> None:
    refs: list[weakref.ref[Given]] = []
    async with open_tree(supervisor("root", child(Busy))) as tree:
        actor = tree.ref("root/busy", Busy)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(actor.cast, Busy.work)
            await wait_all_tasks_blocked()
            nursery.start_soon(give_up, actor, refs)
        await tree.supervisor("root").terminate_child("busy")
        assert [ref() for ref in refs] == [None]


@virtual
async def test_an_actor_that_crashed_is_not_held_beyond_its_replacements_crash() -> (
    None
):
    """The last end of a place is kept, for monitors; not those before it."""
    holder = child(Holder, Given(), backoff=Backoff(0, jitter=0, max_attempts=10))
    async with open_tree(supervisor("root", holder)) as tree:
        place = tree[holder]._to
        assert place is not None
        lives: list[weakref.ref[Any]] = []
        for _ in range(50):
            life: Any = place.actor_life
            lives.append(weakref.ref(life.actor))
            del life
            await tree[holder].cast(Holder.boom)
            await tree[holder].call(Holder.ping)
            await trio.sleep(61)  # enough uptime: the failure counts as the first again
        gc.collect()
        assert sum(each() is not None for each in lives) <= 1


# ---------------------------------------------------------------------------- in numbers


async def grown(churn: Callable[[int], Awaitable[None]], count: int) -> float:
    """Give the blocks of memory that each of *count* rounds leaves, after a warm-up."""
    await churn(count // 10)
    gc.collect()
    before = sys.getallocatedblocks()
    await churn(count)
    gc.collect()
    return (sys.getallocatedblocks() - before) / count


FEW = 0.1  # what a table that has grown leaves; an object of one round makes a 1 of it


@virtual
async def test_ten_thousand_dynamic_children_leave_nothing() -> None:
    pool = dynamic("pool")
    async with open_tree(supervisor("root", pool)) as tree:
        ref = tree[pool]
        number = 0

        async def churn(count: int) -> None:
            nonlocal number
            for _ in range(count):
                number += 1
                spec = child(
                    Holder,
                    Given(),
                    name=f"x{number}" if number % 2 else None,
                    restart="temporary",
                )
                started = await ref.start_child(spec)
                await started.cast(Holder.quit)
                await started.wait_stopped()

        assert await grown(churn, 10_000) < FEW
        assert await ref.which_children() == ()
        place: Any = ref._place
        assert len(place.host.by_spec) == 2
        assert place.children == {}
        assert len(tree.snapshot().children) == 1


@virtual
async def test_thousands_of_temporaries_of_a_static_supervisor_leave_nothing() -> None:
    async with open_tree(supervisor("root")) as tree:
        root = tree.supervisor("root")

        async def churn(count: int) -> None:
            for _ in range(count):
                spec = child(short_service, Given(), name="x", restart="temporary")
                await (await root.start_child(spec)).wait_stopped()

        assert await grown(churn, 3000) < FEW


@virtual
async def test_thousands_of_restarts_leave_nothing() -> None:
    """A large limit keeps the failures inside its window, and no more."""
    holder = child(Holder, Given())
    spec = supervisor("root", holder, intensity=100_000, period=0.5)
    async with open_tree(spec) as tree:
        ref = tree[holder]

        async def churn(count: int) -> None:
            for _ in range(count):
                await ref.cast(Holder.boom)
                await ref.call(Holder.ping)
                await trio.sleep(0.1)

        assert await grown(churn, 3000) < FEW


@virtual
async def test_actors_that_are_stopped_while_they_wait_leave_no_scope() -> None:
    """They are over before their task returns, which had entered a scope."""

    class Waiting(Actor):
        async def wait(self) -> None:
            await trio.lowlevel.checkpoint()

    def scopes() -> int:
        gc.collect()
        return sum(isinstance(found, trio.CancelScope) for found in gc.get_objects())

    waiting = child(Waiting)
    holder = child(Holder, Given())
    spec = supervisor("root", waiting, holder, strategy="one_for_all", intensity=100)
    async with open_tree(spec) as tree:

        async def churn() -> None:
            for _ in range(10):
                await tree[waiting].call(Waiting.wait)
                with pytest.raises(ActorCrashedError):
                    await tree[holder].call(Holder.boom)
            await wait_all_tasks_blocked()

        await churn()
        before = scopes()
        await churn()
        assert scopes() == before


@virtual
async def test_thousands_of_requests_given_up_leave_nothing() -> None:
    class Slow(Actor):
        async def sleep(self, seconds: float) -> None:
            await trio.sleep(seconds)

    slow = child(Slow, mailbox=Mailbox(4))
    async with open_tree(supervisor("root", slow)) as tree:
        await tree[slow].cast(Slow.sleep, 1e9)

        async def churn(count: int) -> None:
            for _ in range(count):
                with trio.move_on_after(0):
                    await tree[slow].call(Slow.sleep, 1)
                with trio.move_on_after(0):
                    await tree[slow].cast(Slow.sleep, 1)
                    await tree[slow].cast(Slow.sleep, 1)
                    await tree[slow].cast(Slow.sleep, 1)
                    await tree[slow].cast(Slow.sleep, 1)
                    await tree[slow].cast(Slow.sleep, 1)

        assert await grown(churn, 3000) < FEW
        tree.kill()


@virtual
async def test_thousands_of_timers_leave_nothing() -> None:
    class Clock(Actor):
        def set(self) -> None:
            self.send_after(1e6, Clock.set).cancel()
            self.send_every(1e6, Clock.set).cancel()
            self.send_after(0.01, Clock.tick)

        def tick(self) -> None: ...

    clock = child(Clock)
    async with open_tree(supervisor("root", clock)) as tree:

        async def churn(count: int) -> None:
            for _ in range(count):
                await tree[clock].call(Clock.set)
                await trio.sleep(0.1)

        assert await grown(churn, 3000) < FEW
