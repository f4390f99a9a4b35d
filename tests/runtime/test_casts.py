"""Casts: sent and gone, waiting only for room; dead letters."""

from functools import partial
from threading import Thread

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from regrow import Actor, Mailbox, MailboxFullError, child, supervisor

from .trees import Boom, Story, open_tree, virtual


class Desk(Actor):
    def __init__(self, done: list[int]) -> None:
        self.done = done

    async def hold(self, until: trio.Event) -> None:
        await until.wait()

    def take(self, number: int) -> None:
        self.done.append(number)

    def boom(self) -> None:
        raise Boom("bad")

    def to_myself(self, number: int) -> None:
        self.ref.cast_nowait(Desk.take, number)


@virtual
async def test_a_cast_does_not_wait_for_the_actor() -> None:
    done: list[int] = []
    desk = child(Desk, done)
    async with open_tree(supervisor("root", desk)) as tree:
        for number in range(3):
            await tree[desk].cast(Desk.take, number)
        assert done == []
        await wait_all_tasks_blocked()
        assert done == [0, 1, 2]


@virtual
async def test_a_cast_waits_for_room_and_arrives_in_the_order_sent() -> None:
    done: list[int] = []
    desk = child(Desk, done, mailbox=Mailbox(2))
    async with open_tree(supervisor("root", desk)) as tree:
        hold, sent = trio.Event(), list[int]()
        await tree[desk].cast(Desk.hold, hold)
        await wait_all_tasks_blocked()

        async def send() -> None:
            for number in range(5):
                await tree[desk].cast(Desk.take, number)
                sent.append(number)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await wait_all_tasks_blocked()
            assert sent == [0, 1]
            with pytest.raises(MailboxFullError):
                tree[desk].cast_nowait(Desk.take, 9)
            hold.set()
        await wait_all_tasks_blocked()
    assert (sent, done) == ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4])


@virtual
async def test_a_cancelled_cast_has_not_been_sent() -> None:
    done: list[int] = []
    desk = child(Desk, done, mailbox=Mailbox(1))
    async with open_tree(supervisor("root", desk)) as tree:
        hold = trio.Event()
        await tree[desk].cast(Desk.hold, hold)
        await wait_all_tasks_blocked()
        await tree[desk].cast(Desk.take, 1)
        with trio.move_on_after(1) as scope:
            await tree[desk].cast(Desk.take, 2)
        assert scope.cancelled_caught
        hold.set()
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            scope.cancel()
            await tree[desk].cast(Desk.take, 3)
        assert scope.cancelled_caught
        await wait_all_tasks_blocked()
    assert done == [1]


@virtual
async def test_a_sender_of_casts_lets_others_run_every_64_at_the_latest() -> None:
    done: list[int] = []
    desk = child(Desk, done, mailbox=Mailbox(100_000))
    async with open_tree(supervisor("root", desk)) as tree:
        behind = 0
        for number in range(1000):
            await tree[desk].cast(Desk.take, number)
            behind = max(behind, number + 1 - len(done))
        # Two turns: within one of the scheduler's, either task may be the first.
        assert behind <= 2 * 64


@virtual
async def test_a_sender_that_is_refused_and_tries_again_lets_others_run_too() -> None:
    done: list[int] = []
    desk = child(Desk, done, mailbox=Mailbox(1, on_full="raise"))
    async with open_tree(supervisor("root", desk)) as tree:
        tries = 0
        for number in range(100):
            while True:
                tries += 1
                assert tries < 100 * 2 * 64
                try:
                    await tree[desk].cast(Desk.take, number)
                except MailboxFullError:
                    continue
                break
        await wait_all_tasks_blocked()
        assert done == [*range(100)]


@virtual
async def test_a_cast_from_another_thread_is_refused_and_harms_nobody() -> None:
    done: list[int] = []
    desk = child(Desk, done)
    async with open_tree(supervisor("root", desk)) as tree:
        ref = tree[desk]
        await wait_all_tasks_blocked()
        errors: list[BaseException] = []

        def elsewhere() -> None:
            try:
                ref.cast_nowait(Desk.take, 1)
            except RuntimeError as error:
                errors.append(error)

        thread = Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert [str(error) for error in errors] == ["must be called from async context"]
        assert tree.snapshot("root/desk").waiting == 0
        await ref.call(Desk.take, 2)
    assert done == [2]


@virtual
async def test_an_actor_lets_others_run_every_64_messages_at_the_latest() -> None:
    done: list[int] = []
    desk = child(Desk, done)
    async with open_tree(supervisor("root", desk)) as tree:
        for number in range(1000):
            tree[desk].cast_nowait(Desk.take, number)
        before = 0
        while len(done) < 1000:
            await trio.lowlevel.checkpoint()
            assert len(done) - before <= 2 * 64
            before = len(done)


@virtual
async def test_a_cast_that_crashes_the_actor_is_a_dead_letter() -> None:
    story = Story()
    desk = child(Desk, [])
    async with open_tree(supervisor("root", desk), observers=[story]) as tree:
        story.forget()
        await tree[desk].cast(Desk.boom)
        await wait_all_tasks_blocked()
        assert story.lines == [
            "root/desk 1 dead letter boom: crashed the actor (Boom)",
            "root/desk 1 crashed: Boom",
            "root/desk 1 restarting",
            "root/desk 2 up",
        ]


@virtual
async def test_a_cast_to_a_closed_place_is_a_dead_letter_and_no_exception() -> None:
    story = Story()
    desk = child(Desk, [])
    async with open_tree(supervisor("root", desk), observers=[story]) as tree:
        await tree.supervisor("root").terminate_child("desk")
        story.forget()
        await tree[desk].cast(Desk.take, 1)
        tree[desk].cast_nowait(Desk.take, 2)
        assert story.lines == [
            "root/desk 1 dead letter take: was told to stop",
            "root/desk 1 dead letter take: was told to stop",
        ]


@virtual
async def test_casts_that_wait_when_the_place_closes_are_dead_letters() -> None:
    story = Story()
    done: list[int] = []
    desk = child(Desk, done, mailbox=Mailbox(1))
    async with open_tree(supervisor("root", desk), observers=[story]) as tree:
        await tree[desk].cast(Desk.hold, trio.Event())
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(partial(tree[desk].cast, Desk.take, number))
                await wait_all_tasks_blocked()
            story.forget()
            nursery.start_soon(tree.supervisor("root").terminate_child, "desk")
            await trio.sleep(1)
            assert story.lines == ["root/desk 1 dead letter take: was told to stop"] * 3
            assert story.closed == ["root/desk"]
        assert story.lines[3:] == [
            "root/desk 1 dead letter hold: was in hand when the actor was cut off",
            "root/desk 1 killed when told, unexpected",
        ]
    assert done == []


@virtual
async def test_a_cast_to_oneself_works_unless_the_mailbox_is_full() -> None:
    done: list[int] = []
    desk = child(Desk, done, mailbox=Mailbox(1))
    async with open_tree(supervisor("root", desk)) as tree:
        await tree[desk].call(Desk.to_myself, 1)
        await wait_all_tasks_blocked()
        assert done == [1]
        hold = trio.Event()
        await tree[desk].cast(Desk.hold, hold)
        await wait_all_tasks_blocked()
        await tree[desk].cast(Desk.to_myself, 2)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(tree[desk].cast, Desk.take, 3))
            await wait_all_tasks_blocked()
            hold.set()
        await wait_all_tasks_blocked()
        # The second was full of the third: it crashed with an error that says so.
        assert done == [1, 3]
        assert tree.snapshot().find("root/desk").incarnation == 2
