"""The message in hand when an actor ends, and those behind it (promise 4)."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from regrow import (
    Actor,
    ActorCrashedError,
    ActorInterruptedError,
    ActorStoppedError,
    CallError,
    Deferred,
    Mailbox,
    Shutdown,
    child,
    supervisor,
)

from .trees import Boom, Story, open_tree, virtual


class Hand(Actor):
    """Notes what it begins and ends."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.kept: list[Deferred[str]] = []

    async def work(self, name: str, seconds: float = 0) -> str:
        self.story.note(f"begins {name}")
        if seconds:
            await trio.sleep(seconds)
        self.story.note(f"ends {name}")
        return name

    async def crash(self, seconds: float = 0) -> None:
        await trio.sleep(seconds)
        raise Boom("bad")

    async def shut_down(self) -> None:
        raise Shutdown

    async def stop_and_answer(self) -> str:
        self.stop()
        await trio.sleep(1)
        return "the answer"

    async def stubborn(self) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(2)

    def later(self) -> Deferred[str]:
        self.kept.append(Deferred())
        return self.kept[-1]


async def outcome_of(send: Callable[[], Awaitable[object]]) -> str:
    try:
        return f"answer {await send()!r}"
    except CallError as error:
        cause = f" <- {error.__cause__!r}" if error.__cause__ else ""
        return f"{type(error).__name__}{cause}"


class Calls:
    """Makes calls one after the other, in tasks of their own, and keeps what they get."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.got: dict[str, str] = {}
        self._nursery = nursery

    async def make(self, name: str, send: Callable[[], Awaitable[object]]) -> None:
        self._nursery.start_soon(self._make, name, send)
        await wait_all_tasks_blocked()

    async def _make(self, name: str, send: Callable[[], Awaitable[object]]) -> None:
        got = await outcome_of(send)
        self.got[name] = f"{trio.current_time():g} {got}"


def tree_of(story: Story, **options: Any) -> tuple[Any, Any]:
    hand = child(Hand, story, **options)
    return hand, supervisor("root", hand)


@virtual
async def test_three_queued_calls_when_the_first_crashes() -> None:
    story = Story()
    hand, spec = tree_of(story)
    async with open_tree(spec, observers=[story]) as tree, trio.open_nursery() as n:
        calls, ref = Calls(n), tree[hand]
        story.forget()
        await calls.make("first", partial(ref.call, Hand.crash, 1))
        await calls.make("second", partial(ref.call, Hand.work, "second", 1))
        await calls.make("third", partial(ref.call, Hand.work, "third", 1))
        await trio.sleep(5)
        assert calls.got == {
            "first": "1 ActorCrashedError <- Boom('bad')",
            "second": "2 answer 'second'",
            "third": "3 answer 'third'",
        }
        assert story.timed == [
            "1 root/hand 1 crashed: Boom",
            "1 root/hand 1 restarting",
            "1 root/hand 2 up",
            "1 begins second",
            "2 ends second",
            "2 begins third",
            "3 ends third",
        ]


@virtual
async def test_a_caller_that_waits_for_room_is_served_by_the_next_incarnation() -> None:
    story = Story()
    hand, spec = tree_of(story, mailbox=Mailbox(1))
    async with open_tree(spec) as tree, trio.open_nursery() as nursery:
        calls, ref = Calls(nursery), tree[hand]
        await calls.make("crash", partial(ref.call, Hand.crash, 1))
        for name in ("a", "b", "c"):
            await calls.make(name, partial(ref.call, Hand.work, name))
        await trio.sleep(2)
        assert calls.got == {
            "crash": "1 ActorCrashedError <- Boom('bad')",
            "a": "1 answer 'a'",
            "b": "1 answer 'b'",
            "c": "1 answer 'c'",
        }


@virtual
async def test_told_to_stop_it_finishes_the_message_in_hand_and_begins_no_other() -> (
    None
):
    story = Story()
    hand, spec = tree_of(story)
    async with open_tree(spec, observers=[story]) as tree, trio.open_nursery() as n:
        calls, ref = Calls(n), tree[hand]
        await calls.make("in hand", partial(ref.call, Hand.work, "in hand", 3))
        await calls.make("behind", partial(ref.call, Hand.work, "behind"))
        await tree.supervisor("root").terminate_child("hand")
        await calls.make("after", partial(ref.call, Hand.work, "after"))
        assert calls.got == {
            "in hand": "3 answer 'in hand'",
            "behind": "0 ActorStoppedError",
            "after": "3 ActorStoppedError",
        }
        assert story.lines[2:] == [
            "begins in hand",
            "ends in hand",
            "root/hand 1 shutdown when told",
        ]


@pytest.mark.parametrize("shutdown", [0, 1])
@virtual
async def test_cut_off_with_a_call_in_hand(shutdown: float) -> None:
    story = Story()
    hand, spec = tree_of(story, shutdown=shutdown)
    async with open_tree(spec) as tree:
        caught: list[ActorInterruptedError] = []

        async def ask() -> None:
            with pytest.raises(ActorInterruptedError) as info:
                await tree[hand].call(Hand.work, "x", 9)
            caught.append(info.value)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            await tree.supervisor("root").terminate_child("hand")
        assert trio.current_time() == shutdown
        assert str(caught[0]) == (
            "'root/hand' (incarnation 1) was cut off before it had answered 'work'. "
            "It may have been handled in part: send it anew if that is safe."
        )
        assert caught[0].incarnation == 1
    assert story.lines == ["begins x"]


@virtual
async def test_one_that_cannot_be_cut_answers_late_and_nobody_is_told_twice() -> None:
    story = Story()
    hand, spec = tree_of(story, shutdown=0)
    async with open_tree(spec) as tree, trio.open_nursery() as nursery:
        calls = Calls(nursery)
        await calls.make("x", partial(tree[hand].call, Hand.stubborn))
        await tree.supervisor("root").terminate_child("hand")
        await wait_all_tasks_blocked()
        assert calls.got == {"x": "2 answer None"}


@virtual
async def test_shutdown_raised_on_a_call_and_on_a_cast() -> None:
    story = Story()
    hand, spec = tree_of(story)
    async with open_tree(spec, observers=[story]) as tree:
        story.forget()
        with pytest.raises(ActorInterruptedError) as caught:
            await tree[hand].call(Hand.shut_down)
        assert str(caught.value) == (
            "'root/hand' (incarnation 1) ended before it had answered 'shut_down'. "
            "It may have been handled in part: send it anew if that is safe."
        )
        await wait_all_tasks_blocked()
        await tree[hand].cast(Hand.shut_down)
        await wait_all_tasks_blocked()
        # The cast has done what it was sent for: it is no dead letter.
        assert story.lines == [
            "root/hand 1 shutdown",
            "root/hand 1 restarting",
            "root/hand 2 up",
            "root/hand 2 shutdown",
            "root/hand 2 restarting",
            "root/hand 3 up",
        ]


@virtual
async def test_stop_and_answer() -> None:
    story = Story()
    hand, spec = tree_of(story, restart="transient")
    async with open_tree(spec, observers=[story]) as tree, trio.open_nursery() as n:
        calls = Calls(n)
        story.forget()
        await calls.make("x", partial(tree[hand].call, Hand.stop_and_answer))
        await calls.make("behind", partial(tree[hand].call, Hand.work, "y"))
        await tree[hand].wait_stopped()
        await wait_all_tasks_blocked()
        assert calls.got == {
            "x": "1 answer 'the answer'",
            "behind": "1 ActorStoppedError",
        }
        assert story.timed == ["1 root/hand 1 normal"]


# ----------------------------------------------------- messages behind it, and places


@virtual
async def test_a_message_that_came_as_it_stops_itself_is_the_next_ones_first() -> None:
    story = Story()
    hand, spec = tree_of(story, mailbox=Mailbox(1))
    async with open_tree(spec) as tree, trio.open_nursery() as nursery:
        calls, ref = Calls(nursery), tree[hand]
        await wait_all_tasks_blocked()

        class Stopper(Actor):
            async def go(self) -> None:
                """Let it stop, and hand it a message, with no turn between."""
                life = ref._to.actor_life
                assert life is not None
                ref.cast_nowait(Hand.work, "first")
                life.stop_itself()

        other = child(Stopper)
        supervisor_ref = tree.supervisor("root")
        stopper = await supervisor_ref.start_child(other)
        await stopper.call(Stopper.go)
        await calls.make("second", partial(ref.call, Hand.work, "second"))
        await calls.make("third", partial(ref.call, Hand.work, "third"))
        assert story.lines == [
            "begins first",
            "ends first",
            "begins second",
            "ends second",
            "begins third",
            "ends third",
        ]
        assert tree.snapshot().find("root/hand").incarnation == 2


@virtual
async def test_a_sibling_restart_lets_the_message_in_hand_finish_and_keeps_the_rest() -> (
    None
):
    story = Story()
    hand = child(Hand, story, name="hand")
    bomb = child(Hand, story, name="bomb")
    spec = supervisor("root", hand, bomb, strategy="one_for_all")
    async with open_tree(spec) as tree, trio.open_nursery() as nursery:
        calls = Calls(nursery)
        await calls.make("a", partial(tree[hand].call, Hand.work, "a", 2))
        await calls.make("b", partial(tree[hand].call, Hand.work, "b", 2))
        await calls.make("boom", partial(tree[bomb].call, Hand.crash, 1))
        await trio.sleep(9)
        assert calls.got == {
            "boom": "1 ActorCrashedError <- Boom('bad')",
            "a": "2 answer 'a'",
            "b": "4 answer 'b'",
        }


@virtual
async def test_a_sibling_restart_that_cuts_interrupts_only_the_message_in_hand() -> (
    None
):
    story = Story()
    hand = child(Hand, story, name="hand", shutdown=1)
    bomb = child(Hand, story, name="bomb")
    spec = supervisor("root", hand, bomb, strategy="one_for_all")
    async with open_tree(spec) as tree, trio.open_nursery() as nursery:
        calls = Calls(nursery)
        await calls.make("a", partial(tree[hand].call, Hand.work, "a", 9))
        await calls.make("b", partial(tree[hand].call, Hand.work, "b", 2))
        await calls.make("boom", partial(tree[bomb].call, Hand.crash, 1))
        await trio.sleep(9)
        assert calls.got == {
            "boom": "1 ActorCrashedError <- Boom('bad')",
            "a": "2 ActorInterruptedError",
            "b": "4 answer 'b'",
        }


# -------------------------------------------------------------------- deferred answers


@pytest.mark.parametrize(
    ("end", "got"),
    [
        (Hand.crash, "ActorCrashedError <- Boom('bad')"),
        (Hand.shut_down, "ActorInterruptedError"),
        (Hand.stop_and_answer, "ActorInterruptedError"),
    ],
)
@virtual
async def test_deferred_answers_end_with_the_incarnation(end: Any, got: str) -> None:
    story = Story()
    hand, spec = tree_of(story)
    async with open_tree(spec) as tree, trio.open_nursery() as nursery:
        calls, ref = Calls(nursery), tree[hand]
        await calls.make("a", partial(ref.call, Hand.later))
        await calls.make("b", partial(ref.call, Hand.later))
        assert calls.got == {}
        await ref.cast(end)
        await trio.sleep(2)
        assert sorted(calls.got) == ["a", "b"]
        assert {each.partition(" ")[2] for each in calls.got.values()} == {got}


@virtual
async def test_deferred_answers_of_one_that_is_cut_or_stopped() -> None:
    story = Story()
    hand, spec = tree_of(story, shutdown=1)
    async with open_tree(spec) as tree, trio.open_nursery() as nursery:
        calls, ref = Calls(nursery), tree[hand]
        await calls.make("deferred", partial(ref.call, Hand.later))
        await tree.supervisor("root").terminate_child("hand")
        await wait_all_tasks_blocked()
        assert calls.got == {"deferred": "0 ActorInterruptedError"}


# --------------------------------------------------------------- abandoned, then ended


@virtual
async def test_a_crash_on_a_message_whose_caller_gave_up_is_a_crash_all_the_same() -> (
    None
):
    story = Story()
    hand, spec = tree_of(story)
    async with open_tree(spec, observers=[story]) as tree:
        story.forget()
        with trio.move_on_after(1):
            await tree[hand].call(Hand.crash, 2)
        await trio.sleep(3)
        assert story.timed == [
            "2 root/hand 1 crashed: Boom",
            "2 root/hand 1 restarting",
            "2 root/hand 2 up",
        ]


@virtual
async def test_abandoned_requests_are_skipped_and_take_no_room() -> None:
    story = Story()
    hand, spec = tree_of(story, mailbox=Mailbox(2, on_full="raise"))
    async with open_tree(spec) as tree, trio.open_nursery() as nursery:
        calls, ref = Calls(nursery), tree[hand]
        await calls.make("in hand", partial(ref.call, Hand.work, "in hand", 9))
        for name in ("a", "b", "c", "d"):
            with trio.move_on_after(1) as scope:
                await ref.call(Hand.work, name)
            assert scope.cancelled_caught
        await calls.make("x", partial(ref.call, Hand.work, "x"))
        await calls.make("y", partial(ref.call, Hand.work, "y"))
        await calls.make("z", partial(ref.call, Hand.work, "z"))
        await trio.sleep(9)
        assert calls.got == {
            "z": "4 MailboxFullError",
            "in hand": "9 answer 'in hand'",
            "x": "9 answer 'x'",
            "y": "9 answer 'y'",
        }
        assert not any("ends a" in line for line in story.lines)


# ------------------------------------------------------------------------- lifespans


class Spanned(Hand):
    """Its lifespan has a background task that may crash."""

    def __init__(self, story: Story, crash: trio.Event) -> None:
        super().__init__(story)
        self.boom = crash

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        async def background() -> None:
            await self.boom.wait()
            raise Boom("in the background")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(background)
            yield


@virtual
async def test_a_crash_in_the_background_crashes_on_the_message_in_hand() -> None:
    story, crash = Story(), trio.Event()
    spanned = child(Spanned, story, crash)
    async with open_tree(supervisor("root", spanned)) as tree:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_set_later, crash)
            with pytest.raises(ActorCrashedError) as caught:
                await tree[spanned].call(Spanned.work, "x", 9)
        assert trio.current_time() == 1
        tree.kill()
    group = caught.value.__cause__
    assert isinstance(group, ExceptionGroup)
    assert [repr(error) for error in group.exceptions] == ["Boom('in the background')"]


async def _set_later(event: trio.Event) -> None:
    await trio.sleep(1)
    event.set()


@virtual
async def test_the_place_is_closed_for_good_only_after_the_caller_was_told() -> None:
    story = Story()
    hand, spec = tree_of(story, restart="temporary")
    async with open_tree(spec) as tree:
        with pytest.raises(ActorCrashedError):
            await tree[hand].call(Hand.crash)
        await tree[hand].wait_stopped()
        with pytest.raises(ActorStoppedError) as caught:
            await tree[hand].call(Hand.work, "x")
        assert caught.value.why == "is closed: its child has ended"
