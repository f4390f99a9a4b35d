"""Messages that actors send themselves later."""

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import regrow
from regrow import (
    Actor,
    Backoff,
    Mailbox,
    MailboxFullError,
    MessageError,
    MessagesDropped,
    NotInTreeError,
    Timer,
    child,
    supervisor,
)

from .trees import Boom, Story, open_tree, virtual


class Clock(Actor):
    """Ticks, and notes it."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.timers: list[Timer] = []

    def tick(self, name: str = "tick", *, loud: bool = False) -> None:
        self.story.note(f"{name}!" if loud else name)

    async def slow_tick(self, seconds: float) -> None:
        self.story.note("slow tick")
        await trio.sleep(seconds)

    def after(self, seconds: float, name: str) -> None:
        self.timers.append(self.send_after(seconds, Clock.tick, name, loud=True))

    def every(self, seconds: float, name: str = "tick") -> None:
        self.timers.append(self.send_every(seconds, Clock.tick, name))

    def every_slow(self, seconds: float, work: float) -> None:
        self.timers.append(self.send_every(seconds, Clock.slow_tick, work))

    def cancel(self, which: int = 0) -> None:
        self.timers[which].cancel()

    async def hold(self, seconds: float) -> None:
        await trio.sleep(seconds)

    async def boom_after(self, seconds: float) -> None:
        await trio.sleep(seconds)
        raise Boom

    def boom(self) -> None:
        raise Boom

    def quit(self) -> None:
        self.stop()

    def wrong(self, seconds: Any, method: Any = None) -> None:
        self.send_after(seconds, method or Clock.tick)

    def wrong_every(self, seconds: Any) -> None:
        self.send_every(seconds, Clock.tick)


def notes(story: Story) -> list[str]:
    """Give what the actor itself has noted."""
    return [line for line in story.timed if "root" not in line]


@virtual
async def test_send_after_sends_once() -> None:
    story = Story()
    clock = child(Clock, story)
    async with open_tree(supervisor("root", clock), observers=[story]) as tree:
        await tree[clock].call(Clock.after, 2, "b")
        await tree[clock].call(Clock.after, 1, "a")
        await tree[clock].call(Clock.after, 2, "c")
        await tree[clock].call(Clock.after, 0, "now")
        await tree[clock].call(Clock.after, math.inf, "never")
        await trio.sleep(100)
        assert notes(story) == ["0 now!", "1 a!", "2 b!", "2 c!"]


@pytest.mark.parametrize("seconds", [1e-20, 5e-324])
def test_the_shortest_times_hold_nobody_up_and_break_nothing(seconds: float) -> None:
    async def main() -> None:
        story = Story()
        x = child(Clock, story, name="x")
        async with open_tree(supervisor("root", x)) as tree:
            await tree[x].call(Clock.every, seconds)
            for _ in range(20):
                await trio.lowlevel.checkpoint()
            clock.jump(1)
            for _ in range(20):
                await trio.lowlevel.checkpoint()
            await tree[x].call(Clock.cancel)
        assert "tick" in story.lines

    clock = MockClock()
    trio.run(main, clock=clock)


@virtual
async def test_send_every_does_not_drift() -> None:
    story = Story()
    clock = child(Clock, story)
    async with open_tree(supervisor("root", clock)) as tree:
        # Each message takes a while, and the next comes at its own time all the same.
        await tree[clock].call(Clock.every_slow, 1, 0.7)
        await trio.sleep(4.5)
        assert notes(story) == [f"{second} slow tick" for second in (1, 2, 3, 4)]


@virtual
async def test_a_thousand_small_intervals_end_where_they_should() -> None:
    story = Story()
    clock = child(Clock, story)
    async with open_tree(supervisor("root", clock)) as tree:
        await tree[clock].call(Clock.every, 0.1)
        await trio.sleep(100.05)
        times = [float(line.partition(" ")[0]) for line in notes(story)]
        assert times == pytest.approx([0.1 * n for n in range(1, 1001)])


@virtual
async def test_ticks_that_come_while_the_actor_is_busy_wait_in_its_mailbox() -> None:
    story = Story()
    clock = child(Clock, story)
    async with open_tree(supervisor("root", clock)) as tree:
        await tree[clock].call(Clock.every, 1)
        await tree[clock].cast(Clock.hold, 3.5)
        await trio.sleep(4.5)
        assert notes(story) == ["3.5 tick"] * 3 + ["4 tick"]


@virtual
async def test_a_tick_without_room_is_skipped_and_told() -> None:
    story = Story()
    clock = child(Clock, story, mailbox=Mailbox(2))
    async with open_tree(supervisor("root", clock), observers=[story]) as tree:
        await tree[clock].call(Clock.every, 1)
        await tree[clock].cast(Clock.hold, 5.5)
        await trio.sleep(7.5)
        assert notes(story) == ["5.5 tick", "5.5 tick", "6 tick", "7 tick"]
        dropped = story.of(MessagesDropped)
        assert [(e.at, e.count, e.policy) for e in dropped] in (
            [
                (4, 1, "tick"),
                (6, 2, "tick"),
            ],  # what is told and what is skipped at 4 ...
            [(4, 2, "tick"), (6, 1, "tick")],  # ... come in either order
        )


@virtual
async def test_a_tick_that_finds_no_room_evicts_nobody() -> None:
    story = Story()
    clock = child(Clock, story, mailbox=Mailbox(1, on_full="drop_oldest"))
    async with open_tree(supervisor("root", clock), observers=[story]) as tree:
        await tree[clock].call(Clock.after, 1, "after")
        await tree[clock].cast(Clock.hold, 3)
        await wait_all_tasks_blocked()
        await tree[clock].cast(Clock.tick, "kept")
        await trio.sleep(4)
        assert notes(story) == ["3 kept"]
        assert [(e.count, e.policy) for e in story.of(MessagesDropped)] == [(1, "tick")]


def test_ticks_that_passed_while_the_program_was_held_up_are_skipped_and_told() -> None:
    story = Story()
    clock = child(Clock, story)
    mock = MockClock()

    async def main() -> None:
        async with regrow.open_tree(
            supervisor("root", clock), observers=[story]
        ) as tree:
            await tree[clock].call(Clock.every, 1)
            for seconds in (1, 5.5, 0.5, 1):
                mock.jump(seconds)
                await wait_all_tasks_blocked()

    trio.run(main, clock=mock)
    assert notes(story) == ["1 tick", "6.5 tick", "7 tick", "8 tick"]
    assert [(e.count, e.policy) for e in story.of(MessagesDropped)] == [(4, "tick")]


@pytest.mark.parametrize("end", [Clock.boom, Clock.quit])
@virtual
async def test_timers_die_with_the_incarnation(end: Any) -> None:
    story = Story()
    clock = child(Clock, story)
    async with open_tree(supervisor("root", clock)) as tree:
        await tree[clock].call(Clock.every, 1)
        await tree[clock].call(Clock.after, 3, "after")
        await trio.sleep(2.5)
        await tree[clock].cast(end)
        await trio.sleep(10)
        assert notes(story) == ["1 tick", "2 tick"]
        assert tree.snapshot().find("root/clock").incarnation == 2


@virtual
async def test_a_tick_that_waits_when_the_actor_crashes_is_not_for_the_next_one() -> (
    None
):
    story = Story()
    clock = child(Clock, story)
    async with open_tree(supervisor("root", clock), observers=[story]) as tree:
        await tree[clock].call(Clock.every, 1)
        await tree[clock].cast(Clock.hold, 2.5)
        await tree[clock].cast(Clock.boom)
        await tree[clock].cast(Clock.tick, "a message of somebody's")
        await trio.sleep(5)
        # The two ticks waited behind the crash; they are for nobody, and no dead letters.
        assert notes(story) == ["2.5 a message of somebody's"]
        assert [line for line in story.lines if "dead letter tick" in line] == []


@pytest.mark.parametrize("end", [Clock.boom, Clock.quit])
@virtual
async def test_a_tick_that_waits_for_an_actor_that_has_ended_takes_no_room(
    end: Any,
) -> None:
    story = Story()
    mailbox = Mailbox(2, on_full="drop_oldest")
    backoff = Backoff(10, jitter=0)
    clock = child(Clock, story, mailbox=mailbox, backoff=backoff, restart="permanent")
    async with open_tree(supervisor("root", clock), observers=[story]) as tree:
        ref = tree[clock]
        await ref.call(Clock.after, 1, "after")
        await ref.cast(Clock.hold, 2)
        await wait_all_tasks_blocked()
        await ref.cast(end)
        await trio.sleep(3)
        place = tree.snapshot("root/clock")
        assert (place.status, place.waiting) == ("restarting", 0)
        await ref.cast(Clock.tick, "first")
        await ref.cast(Clock.tick, "second")
        await trio.sleep(10)
        assert notes(story) == ["12 first", "12 second"]
        assert story.of(MessagesDropped) == []


@virtual
async def test_a_sender_that_waits_is_let_in_for_the_tick_of_an_actor_that_has_ended() -> (
    None
):
    story = Story()
    clock = child(Clock, story, mailbox=Mailbox(1), backoff=Backoff(10, jitter=0))
    async with open_tree(supervisor("root", clock)) as tree:
        ref = tree[clock]
        await ref.call(Clock.after, 1, "after")
        await ref.cast(Clock.boom_after, 3)
        await trio.sleep(2)
        await ref.cast(Clock.tick, "first")
        assert trio.current_time() == 3
        await trio.sleep(15)
        assert notes(story) == ["13 first"]


@virtual
async def test_a_tick_that_waits_when_the_place_is_closed_is_taken_out_once() -> None:
    clock = child(Clock, Story(), mailbox=Mailbox(2, on_full="raise"), shutdown=9)
    async with open_tree(supervisor("root", clock)) as tree:
        ref, root = tree[clock], tree.supervisor("root")
        await ref.call(Clock.after, 1, "after")
        await ref.cast(Clock.hold, 5)
        await trio.sleep(2)
        await root.terminate_child("clock")
        await root.restart_child("clock")
        place = tree.snapshot("root/clock")
        assert (place.incarnation, place.waiting) == (2, 0)
        await ref.cast(Clock.hold, 5)
        await wait_all_tasks_blocked()
        await ref.cast(Clock.tick, "first")
        await ref.cast(Clock.tick, "second")
        with pytest.raises(MailboxFullError):
            await ref.cast(Clock.tick, "third")


@virtual
async def test_a_cancelled_timer_sends_no_more() -> None:
    story = Story()
    clock = child(Clock, story)
    async with open_tree(supervisor("root", clock)) as tree:
        await tree[clock].call(Clock.every, 1)
        await tree[clock].call(Clock.after, 3.5, "after")
        await trio.sleep(2.5)
        for which in (0, 1, 0):
            await tree[clock].call(Clock.cancel, which)
        await trio.sleep(10)
        assert notes(story) == ["1 tick", "2 tick"]


@virtual
async def test_a_tick_that_waits_when_the_place_closes_is_no_dead_letter() -> None:
    story = Story()
    clock = child(Clock, story)
    async with open_tree(supervisor("root", clock), observers=[story]) as tree:
        await tree[clock].call(Clock.after, 1, "tick")
        await tree[clock].cast(Clock.hold, 3)
        await trio.sleep(2)
        assert tree.snapshot().find("root/clock").waiting == 1
        await tree.supervisor("root").terminate_child("clock")
        assert notes(story) == []
        assert [line for line in story.lines if "dead letter" in line] == []


@virtual
async def test_an_actor_that_has_ended_sends_nothing_any_more() -> None:
    made: list[Clock] = []
    story = Story()

    def make() -> Clock:
        made.append(Clock(story))
        return made[-1]

    clock = child(make)
    async with open_tree(supervisor("root", clock)) as tree:
        await tree[clock].call(Clock.quit)
        await tree[clock].call(Clock.every, 1)
        first, second = made
        timer = first.send_after(1, Clock.tick)
        first.send_every(1, Clock.tick)
        timer.cancel()
        first.stop()
        await trio.sleep(2.5)
        assert notes(story) == ["1 tick", "2 tick"]
        assert second.ref == first.ref == tree[clock]


class Early(Clock):
    """Sets its timers before it is up, and comes up at the second try."""

    starts = 0

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        Early.starts += 1
        self.every(1, f"from start {Early.starts}")
        await trio.sleep(0.5)
        if Early.starts == 1:
            raise Boom
        yield
        self.after(1, "too late")


@virtual
async def test_timers_of_a_start_that_failed_die_with_it() -> None:
    story = Story()
    Early.starts = 0
    early = child(Early, story, start="retry", shutdown=math.inf)
    async with open_tree(supervisor("root", early)):
        await trio.sleep_until(3)
    # The second start set them at 0.5, when the first had failed.
    assert notes(story) == ["1.5 from start 2", "2.5 from start 2"]


@pytest.mark.parametrize("seconds", [-1, math.nan, -math.inf])
@virtual
async def test_impossible_times_are_refused(seconds: float) -> None:
    clock = child(Clock, Story())
    async with open_tree(supervisor("root", clock)) as tree:
        with pytest.raises(regrow.ActorCrashedError) as caught:
            await tree[clock].call(Clock.wrong, seconds)
        assert str(caught.value.__cause__) == (
            f"seconds is {seconds!r}: write a number of 0 or more"
        )
        with pytest.raises(regrow.ActorCrashedError) as caught:
            await tree[clock].call(Clock.wrong_every, 0)
        assert str(caught.value.__cause__) == "seconds is 0: write a number above 0"


@virtual
async def test_a_time_that_is_no_number_is_refused() -> None:
    clock = child(Clock, Story())
    wrong: Any = Clock.tick
    async with open_tree(supervisor("root", clock)) as tree:
        with pytest.raises(regrow.ActorCrashedError) as caught:
            await tree[clock].call(Clock.wrong, wrong)
        assert str(caught.value.__cause__) == (
            f"seconds is {Clock.tick!r}: write a number of 0 or more"
        )


@virtual
async def test_a_timer_takes_only_messages_of_the_actor() -> None:
    clock = child(Clock, Story())
    async with open_tree(supervisor("root", clock)) as tree:
        with pytest.raises(regrow.ActorCrashedError) as caught:
            await tree[clock].call(Clock.wrong, 1, Story.note)
        assert isinstance(caught.value.__cause__, MessageError)


def test_outside_a_tree_there_are_no_timers_no_ref_and_no_stop() -> None:
    clock = Clock(Story())
    text = (
        "Clock is not in a tree yet: ref, stop, send_after and send_every can be used from "
        "the lifespan on, not in the constructor."
    )
    for use in (
        lambda: clock.ref,
        clock.stop,
        lambda: clock.send_after(1, Clock.tick),
        lambda: clock.send_every(1, Clock.tick),
    ):
        with pytest.raises(NotInTreeError) as caught:
            use()
        assert str(caught.value) == text
