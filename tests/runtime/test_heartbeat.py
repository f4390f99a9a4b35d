"""An actor that does not answer its health checks is cut off and replaced (D7)."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing

import regrow
from regrow import (
    Actor,
    ActorCrashedError,
    ChildExited,
    Deferred,
    ExitReason,
    Heartbeat,
    HeartbeatMissed,
    HeartbeatMissedError,
    Mailbox,
    Ref,
    RestartLimitExceededError,
    Supervisor,
    child,
    raises,
    supervisor,
)

from .trees import Boom, Story, Tasks, open_tree, play, virtual


class Plain(Actor):
    """One without a check of its own."""

    async def sleep(self, seconds: float) -> str:
        await trio.sleep(seconds)
        return "slept"

    async def forever(self) -> None:
        await trio.sleep_forever()

    async def swallow(self) -> str:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:  # noqa: ASYNC103 - badly behaved on purpose
            return "late"  # noqa: ASYNC104

    async def cover(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Boom

    async def shielded(self, seconds: float) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)

    @raises(Boom)
    async def answer_late(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Boom

    async def stop_and_hang(self) -> None:
        self.stop()
        await trio.sleep_forever()

    def ping(self) -> str:
        return "pong"


class Checked(Plain):
    """One with a check, which notes when it runs and takes what it is told."""

    def __init__(self, *takes: float) -> None:
        self.takes = list(takes)
        self.checks: list[float] = []

    async def check_health(self) -> None:
        self.checks.append(trio.current_time())
        if self.takes:
            await trio.sleep(self.takes.pop(0))


async def told_of(
    body: Callable[[Ref[Plain]], Awaitable[object]],
    make: Callable[[], Plain],
    *,
    heartbeat: Heartbeat,
    seconds: float = 100,
) -> Story:
    """Give what happens with one such actor in *seconds* from when it is up."""
    story = Story()
    made = child(make, name="a", heartbeat=heartbeat, shutdown=1)
    async with open_tree(supervisor("root", made), observers=[story]) as tree:
        story.forget()
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(body, tree[made])
                await trio.sleep_forever()
        lines = list(story.timed)
    story.timed[:] = lines
    return story


def virtual_clock() -> trio.testing.MockClock:
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, trio.testing.MockClock)
    return clock


async def quiet(_: Ref[Plain]) -> None:
    await trio.lowlevel.checkpoint()


# --------------------------------------------------------- without a check of its own


@virtual
async def test_one_that_waits_for_messages_is_healthy() -> None:
    story = await told_of(quiet, Plain, heartbeat=Heartbeat(1, 1))
    assert story.timed == []


@virtual
async def test_a_message_that_hangs_is_cut_off_at_the_exact_time() -> None:
    crashes: list[ActorCrashedError] = []

    async def body(ref: Ref[Plain]) -> None:
        with pytest.raises(ActorCrashedError) as caught:
            await ref.call(Plain.forever)
        crashes.append(caught.value)
        assert trio.current_time() == 15
        assert await ref.call(Plain.ping) == "pong"

    story = await told_of(body, Plain, heartbeat=Heartbeat(10, 5))
    assert story.timed == [
        "15 root/a 1 heartbeat missed",
        "15 root/a 1 crashed: HeartbeatMissedError",
        "15 root/a 1 restarting",
        "15 root/a 2 up",
    ]
    (missed,) = story.of(HeartbeatMissed)
    assert (missed.misses, missed.allowed) == (1, 1)
    (end,) = story.of(ChildExited)[:1]
    assert (end.reason, end.message) == (ExitReason.CRASHED, "forever()")
    error = end.error
    assert isinstance(error, HeartbeatMissedError)
    assert crashes[0].__cause__ is error
    assert (error.path, error.misses, error.seconds) == ("root/a", 1, 5.0)
    assert error.stack == missed.stack
    assert error.where.endswith(" in forever")
    assert error.where.startswith(__file__)


@virtual
async def test_a_message_that_began_later_gets_the_same_time_from_the_question() -> (
    None
):
    async def body(ref: Ref[Plain]) -> None:
        await trio.sleep(9.5)
        assert await ref.call(Plain.sleep, 5) == "slept"  # 4.5 s after the question
        await ref.cast(Plain.sleep, 14.9)  # from 14.5 to 29.4: asked at 20

    story = await told_of(body, Plain, heartbeat=Heartbeat(10, 5), seconds=26)
    assert story.timed[:3] == [
        "25 root/a 1 heartbeat missed",
        "25 root/a 1 dead letter sleep: crashed the actor (HeartbeatMissedError)",
        "25 root/a 1 crashed: HeartbeatMissedError",
    ]


@virtual
async def test_an_actor_that_goes_from_message_to_message_is_healthy() -> None:
    async def body(ref: Ref[Plain]) -> None:
        for _ in range(60):
            await ref.cast(Plain.sleep, 3)

    story = await told_of(body, Plain, heartbeat=Heartbeat(1, 3.5))
    assert story.timed == []


@virtual
async def test_misses_in_a_row_are_allowed_for_one_message_only() -> None:
    async def body(ref: Ref[Plain]) -> None:
        await ref.cast(Plain.sleep, 18)  # missed at 15
        await ref.cast(Plain.sleep, 18)  # until 36: missed at 25 and 35, the second
        await ref.cast(Plain.forever)

    story = await told_of(body, Plain, heartbeat=Heartbeat(10, 5, misses=3))
    assert story.timed == [
        "15 root/a 1 heartbeat missed",
        "25 root/a 1 heartbeat missed",
        "35 root/a 1 heartbeat missed",
        "45 root/a 1 heartbeat missed",
        "55 root/a 1 heartbeat missed",
        "65 root/a 1 heartbeat missed",
        "65 root/a 1 dead letter forever: crashed the actor (HeartbeatMissedError)",
        "65 root/a 1 crashed: HeartbeatMissedError",
        "65 root/a 1 restarting",
        "65 root/a 2 up",
    ]
    counts = [(event.misses, event.allowed) for event in story.of(HeartbeatMissed)]
    assert counts == [(1, 3), (1, 3), (2, 3), (1, 3), (2, 3), (3, 3)]
    error = story.of(ChildExited)[0].error
    assert isinstance(error, HeartbeatMissedError)
    assert (error.misses, error.seconds) == (3, 25.0)


# ------------------------------------------------------------------ with its own check


@virtual
async def test_the_check_runs_every_so_often_from_when_the_child_is_up() -> None:
    class Slow(Checked):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            await trio.sleep(0.5)
            made.append(self)
            yield

    made: list[Checked] = []
    found: list[list[float]] = []

    async def body(_: Ref[Plain]) -> None:
        await trio.sleep(5.5)
        found.append(list(made[0].checks))

    story = await told_of(body, partial(Slow, 0, 2), heartbeat=Heartbeat(1, 3))
    # The second check takes 2 s: no question is put while one is open, and the times stay.
    assert found == [[1.5, 2.5, 5.5]]
    assert story.timed == []


@virtual
async def test_the_check_comes_before_messages_that_wait_and_is_none_itself() -> None:
    order: list[str] = []

    class Noting(Actor):
        async def work(self, name: str) -> None:
            await trio.sleep(2)
            order.append(name)

        async def check_health(self) -> None:
            order.append(f"check with {tree.snapshot().children[0].waiting} waiting")

    noting = child(
        Noting, mailbox=Mailbox(2, on_full="raise"), heartbeat=Heartbeat(3.1, 9)
    )
    async with open_tree(supervisor("root", noting)) as tree:
        ref = tree[noting]
        await ref.cast(Noting.work, "one")
        await trio.testing.wait_all_tasks_blocked()
        ref.cast_nowait(Noting.work, "two")
        ref.cast_nowait(Noting.work, "three")
        with pytest.raises(regrow.MailboxFullError):
            ref.cast_nowait(Noting.work, "four")
        await trio.sleep(3.5)
        ref.cast_nowait(Noting.work, "four")
        await trio.sleep(6)
    assert order == [
        "one",
        "two",
        "check with 2 waiting",  # asked at 3.1, run at 4
        "three",
        "four",
        "check with 0 waiting",  # asked at 6.2, run at 8
        "check with 0 waiting",
    ]


@virtual
async def test_an_exception_of_the_check_is_a_crash_like_any_other() -> None:
    class Ill(Actor):
        async def check_health(self) -> None:
            await trio.sleep(0.25)
            raise Boom

    story = Story()
    spec = supervisor("root", child(Ill, heartbeat=Heartbeat(1, 1)), intensity=1)
    with pytest.raises(RestartLimitExceededError) as caught:
        async with open_tree(spec, observers=[story]):
            story.forget()
            await trio.sleep_forever()
    assert isinstance(caught.value.__cause__, Boom)
    assert story.timed[:5] == [
        "1.25 root/ill 1 crashed: Boom",
        "1.25 root/ill 1 restarting",
        "1.25 root/ill 2 up",
        "2.5 root/ill 2 crashed: Boom",
        "2.5 root 1 gives up",
    ]


@virtual
async def test_a_check_that_hangs_is_what_the_actor_hangs_in() -> None:
    story = await told_of(
        quiet, partial(Checked, math.inf), heartbeat=Heartbeat(2, 1), seconds=4
    )
    assert story.timed == [
        "3 root/a 1 heartbeat missed",
        "3 root/a 1 crashed: HeartbeatMissedError",
        "3 root/a 1 restarting",
        "3 root/a 2 up",
    ]
    error = story.of(ChildExited)[0].error
    assert isinstance(error, HeartbeatMissedError)
    assert error.where.endswith(" in check_health")


@virtual
async def test_a_message_that_hangs_keeps_the_check_from_running() -> None:
    async def body(ref: Ref[Plain]) -> None:
        await ref.cast(Plain.forever)

    story = await told_of(body, Checked, heartbeat=Heartbeat(2, 1), seconds=4)
    assert story.timed[:3] == [
        "3 root/a 1 heartbeat missed",
        "3 root/a 1 dead letter forever: crashed the actor (HeartbeatMissedError)",
        "3 root/a 1 crashed: HeartbeatMissedError",
    ]


@virtual
async def test_a_late_answer_takes_no_miss_back_but_one_in_time_does() -> None:
    # Asked at 2, 4, 6, 8, 10, 12: two late ones, one in time, two late ones: hung at 11.
    takes = (1.5, 0.5, 1.5, 1.5)
    story = await told_of(
        quiet, partial(Checked, *takes), heartbeat=Heartbeat(2, 1, misses=2)
    )
    assert story.timed[:5] == [
        "3 root/a 1 heartbeat missed",
        "7 root/a 1 heartbeat missed",
        "9 root/a 1 heartbeat missed",
        "9 root/a 1 crashed: HeartbeatMissedError",
        "9 root/a 1 restarting",
    ]
    assert [event.misses for event in story.of(HeartbeatMissed)][:3] == [1, 1, 2]
    error = story.of(ChildExited)[0].error
    assert isinstance(error, HeartbeatMissedError)
    assert error.seconds == 3.0  # since it was asked at 6


@virtual
async def test_the_answer_to_one_question_is_none_to_the_next() -> None:
    # Asked at 10 and at 20; the first check takes until 22, the second until 23.
    story = await told_of(
        quiet, partial(Checked, 12, 1), heartbeat=Heartbeat(10, 5, misses=2), seconds=59
    )
    assert story.timed == ["15 root/a 1 heartbeat missed"]
    late = await told_of(
        quiet, partial(Checked, 12, 4), heartbeat=Heartbeat(10, 5, misses=2), seconds=59
    )
    assert [line.partition(" ")[2] for line in late.timed[:3]] == [
        "root/a 1 heartbeat missed",
        "root/a 1 heartbeat missed",
        "root/a 1 crashed: HeartbeatMissedError",
    ]


@virtual
async def test_false_and_a_plain_method_are_mistakes_that_crash_it() -> None:
    class Saying(Actor):
        async def check_health(self) -> bool:
            return False

    class NotAsync(Actor):
        def check_health(self) -> None:
            pass

    def make() -> NotAsync:
        return NotAsync()

    story = Story()
    heartbeat = Heartbeat(1, 1)
    spec = supervisor(
        "root",
        child(Saying, heartbeat=heartbeat, restart="temporary"),
        child(make, name="make", heartbeat=heartbeat, restart="temporary"),
    )
    async with open_tree(spec, observers=[story]):
        await trio.sleep(1.5)
    errors = sorted(str(event.error) for event in story.of(ChildExited) if event.error)
    where = "test_false_and_a_plain_method_are_mistakes_that_crash_it.<locals>"
    assert errors == [
        f"check_health of {where}.NotAsync is not async: write async def check_health",
        (
            f"check_health of {where}.Saying gave False: let it raise an exception that "
            "says what is wrong"
        ),
    ]


@virtual
async def test_a_check_may_call_others_and_is_seen_in_circles() -> None:
    class Asker(Actor):
        other: Ref[Plain]

        def __init__(self, other: Ref[Plain]) -> None:
            self.other = other

        async def check_health(self) -> None:
            await self.other.call(Plain.ping)
            await self.ref.call(Asker.nothing)

        def nothing(self) -> None:
            pass

    plain = child(Plain)
    asker = child(Asker, plain.ref, restart="temporary", heartbeat=Heartbeat(1, 1))
    story = Story()
    async with open_tree(supervisor("root", plain, asker), observers=[story]):
        await trio.sleep(3)
        (end,) = story.of(ChildExited)
        assert isinstance(end.error, regrow.CallCycleError)
        assert end.at == 1


# ------------------------------------------------------------------------- being cut off


@virtual
async def test_whatever_the_cut_leads_to_the_end_is_that_crash() -> None:
    answers: list[object] = []

    async def swallow(ref: Ref[Plain]) -> None:
        answers.append(await ref.call(Plain.swallow))

    async def cover(ref: Ref[Plain]) -> None:
        with pytest.raises(ActorCrashedError) as caught:
            await ref.call(Plain.cover)
        answers.append(type(caught.value.__cause__))

    async def answer(ref: Ref[Plain]) -> None:
        with pytest.raises(Boom):
            await ref.call(Plain.answer_late)
        answers.append("Boom")

    contexts: list[type] = []
    for body in (swallow, cover, answer):
        story = await told_of(body, Plain, heartbeat=Heartbeat(2, 1), seconds=3.5)
        end = story.of(ChildExited)[0]
        assert end.reason is ExitReason.CRASHED
        assert not end.told
        assert isinstance(end.error, HeartbeatMissedError)
        contexts.append(type(end.error.__context__))
    assert answers == ["late", HeartbeatMissedError, "Boom"]
    assert contexts == [type(None), Boom, type(None)]


@virtual
async def test_what_no_supervisor_may_handle_still_comes_out_of_the_tree() -> None:
    class Exiting(Actor):
        async def work(self) -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise SystemExit(3)

    exiting = child(Exiting, heartbeat=Heartbeat(1, 1))
    with pytest.raises(SystemExit):
        async with open_tree(supervisor("root", exiting)) as tree:
            await tree[exiting].cast(Exiting.work)
            await trio.sleep_forever()
    assert trio.current_time() == 2


@virtual
async def test_a_shield_keeps_it_until_it_ends_and_it_is_told_of_meanwhile() -> None:
    async def body(ref: Ref[Plain]) -> None:
        await ref.cast(Plain.shielded, 7)

    story = await told_of(body, Plain, heartbeat=Heartbeat(2, 1))
    assert story.timed == [
        "3 root/a 1 heartbeat missed",
        "4 root/a 1 stuck for 1 s",
        "6 root/a 1 stuck for 3 s",
        "7 root/a 1 crashed: HeartbeatMissedError",
        "7 root/a 1 restarting",
        "7 root/a 2 up",
    ]


@virtual
async def test_a_shield_of_grace_is_taken_away() -> None:
    class Graceful(Actor):
        async def work(self) -> None:
            with regrow.grace():
                await trio.sleep_forever()

    story = Story()
    graceful = child(Graceful, heartbeat=Heartbeat(2, 1))
    async with open_tree(supervisor("root", graceful), observers=[story]) as tree:
        story.forget()
        await tree[graceful].cast(Graceful.work)
        await trio.sleep(3.5)
        assert "3 root/graceful 1 crashed: HeartbeatMissedError" in story.timed


@virtual
async def test_a_lifespan_is_left_at_once_with_its_background_tasks() -> None:
    class Nursing(Actor):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(trio.sleep_forever, name="background")
                    yield
            finally:
                story.note("cleans up")
                await trio.sleep(0.5)
                story.note("never")

        async def work(self) -> None:
            await trio.sleep_forever()

    story = Story()
    nursing = child(Nursing, heartbeat=Heartbeat(2, 1))
    async with open_tree(supervisor("root", nursing), observers=[story]) as tree:
        story.forget()
        await tree[nursing].cast(Nursing.work)
        await trio.sleep(3.5)
        assert story.timed[:4] == [
            "3 root/nursing 1 heartbeat missed",
            "3 cleans up",
            "3 root/nursing 1 dead letter work: crashed the actor (HeartbeatMissedError)",
            "3 root/nursing 1 crashed: HeartbeatMissedError",
        ]
        (missed,) = story.of(HeartbeatMissed)
        assert "background:" in missed.stack


@virtual
async def test_it_counts_in_the_restart_window_and_goes_up_the_tree() -> None:
    hanging = child(Plain, name="a", heartbeat=Heartbeat(2, 1))
    story = Story()
    spec = supervisor("root", supervisor("inner", hanging, intensity=1), intensity=0)
    with pytest.raises(RestartLimitExceededError) as caught:
        async with open_tree(spec, observers=[story]) as tree:
            await tree[hanging].cast(Plain.forever)
            await tree[hanging].cast(Plain.forever)
            await trio.sleep_forever()
    assert trio.current_time() == 6
    assert caught.value.levels == ("root/inner", "root")
    inner = caught.value.failures[-1].error
    assert isinstance(inner, RestartLimitExceededError)
    kinds = [type(failure.error) for failure in inner.failures]
    assert kinds == [HeartbeatMissedError, HeartbeatMissedError]


@virtual
async def test_answers_put_off_are_lost_with_it() -> None:
    class Later(Plain):
        async def later(self) -> Deferred[int]:
            return Deferred()

    later = child(Later, heartbeat=Heartbeat(2, 1))
    async with open_tree(supervisor("root", later)) as tree:

        async def wait_for_it() -> None:
            with pytest.raises(ActorCrashedError) as caught:
                await tree[later].call(Later.later)
            assert isinstance(caught.value.__cause__, HeartbeatMissedError)
            assert trio.current_time() == 3

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for_it)
            await trio.testing.wait_all_tasks_blocked()
            await tree[later].cast(Later.forever)


@virtual
async def test_an_observer_may_end_it_because_of_a_miss() -> None:
    def end(event: regrow.Event) -> None:
        if isinstance(event, HeartbeatMissed):
            tree.kill()

    for misses in (1, 2):
        story = Story()
        plain = child(Plain, name="a", heartbeat=Heartbeat(2, 1, misses=misses))
        spec = supervisor("root", plain)
        async with open_tree(spec, observers=[story, end]) as tree:
            await tree[plain].cast(Plain.shielded, 20)
            await trio.sleep_until(trio.current_time() + 19)
        assert len(story.of(HeartbeatMissed)) == 1
        ends = [(event.path, event.reason) for event in story.of(ChildExited)]
        assert ends[0] == ("root/a", ExitReason.KILLED)


# ----------------------------------------------------------------- who is not asked


@virtual
async def test_one_that_was_told_to_stop_has_its_seconds_and_is_not_asked() -> None:
    story = Story()
    for kind in (Plain, Checked):
        made = child(kind, name="a", heartbeat=Heartbeat(2, 1), shutdown=50)
        async with open_tree(supervisor("root", made), observers=[story]) as tree:
            await tree[made].cast(Plain.sleep, 30)
            await trio.sleep(1)
    assert story.of(HeartbeatMissed) == []
    assert trio.current_time() == 60


@virtual
async def test_one_that_is_suspended_is_not_asked_before_it_is_resumed() -> None:
    for kind in (Plain, Checked):
        story = Story()
        made = child(kind, name="a", heartbeat=Heartbeat(2, 1))
        async with open_tree(supervisor("root", made), observers=[story]) as tree:
            began = trio.current_time()
            ref = tree[made]
            await ref.cast(Plain.sleep, 4)  # in hand when it is suspended
            await trio.sleep(2.5)  # and after it was asked
            ref.suspend()
            await trio.sleep(20)
            assert story.of(HeartbeatMissed) == []
            ref.resume()
            await ref.cast(Plain.forever)
            await trio.sleep(4)
            times = [event.at - began for event in story.of(HeartbeatMissed)]
            assert times == [25]


@virtual
async def test_the_second_half_of_a_lifespan_has_its_seconds_too() -> None:
    class Slow(Plain):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            try:
                yield
            finally:
                await trio.sleep(8)

        def boom(self) -> None:
            raise Boom

    story = Story()
    slow = child(Slow, heartbeat=Heartbeat(2, 1), shutdown=10, restart="temporary")
    async with open_tree(supervisor("root", slow), observers=[story]) as tree:
        story.forget()
        await tree[slow].cast(Slow.boom)
        await trio.sleep(9)
        assert story.timed[1:] == ["8 root/slow 1 crashed: Boom"]


@virtual
async def test_one_that_stops_itself_is_still_watched_in_its_last_message() -> None:
    async def body(ref: Ref[Plain]) -> None:
        await ref.cast(Plain.stop_and_hang)

    for kind in (Plain, Checked):
        began = trio.current_time()
        story = await told_of(body, kind, heartbeat=Heartbeat(2, 1), seconds=4)
        end = story.of(ChildExited)[0]
        assert isinstance(end.error, HeartbeatMissedError)
        assert end.at - began == 3


@virtual
async def test_a_time_in_which_nothing_ran_is_no_miss_of_those_who_waited() -> None:
    """The clock goes on while code blocks the loop, and nobody could have answered."""
    clock = virtual_clock()

    class Blocking(Actor):
        async def block(self) -> None:
            await trio.sleep(2.5)
            clock.jump(100)

    blocking = child(Blocking)
    plain = child(Plain, heartbeat=Heartbeat(2, 1))
    checked = child(Checked, 0.75, heartbeat=Heartbeat(2, 1))
    story = Story()
    spec = supervisor("root", blocking, plain, checked)
    async with open_tree(spec, observers=[story]) as tree:
        story.forget()
        await tree[blocking].cast(Blocking.block)
        await tree[plain].cast(Plain.sleep, 2.75)  # in hand when it is asked, at 2
        await trio.sleep(110)
        assert story.timed == []
        # The lost time is given back once, not for ever.
        await tree[plain].cast(Plain.forever)
        await trio.sleep(4)
        assert [event.path for event in story.of(HeartbeatMissed)] == ["root/plain"]
        assert "root/plain 2 up" in story.lines


def test_a_hung_one_that_others_block_is_found_all_the_same() -> None:
    async def main() -> None:
        clock = virtual_clock()
        plain = child(Plain, name="a", heartbeat=Heartbeat(2, 1))
        story = Story()
        async with open_tree(supervisor("root", plain), observers=[story]) as tree:
            story.forget()
            await tree[plain].cast(Plain.forever)
            await trio.sleep(2.5)
            clock.jump(
                100
            )  # asked at 2, late at 3, seen at 102.5: it gets a second more
            await trio.sleep(2)
            assert story.timed[0] == "103.5 root/a 1 heartbeat missed"

    play(main)


# --------------------------------------------------------------------------- its cost


def test_it_costs_no_task_and_no_step_where_there_is_none() -> None:
    def steps(spec: Callable[[], Supervisor]) -> tuple[int, int]:
        tasks = Tasks()

        async def main() -> None:
            async with open_tree(spec()):
                await trio.sleep(10.5)

        play(main, instruments=[tasks])
        return tasks.steps, tasks.spawned

    without, spawned = steps(lambda: supervisor("root", child(Plain)))
    idle = steps(lambda: supervisor("root", child(Plain, heartbeat=Heartbeat(1, 1))))
    asked = steps(lambda: supervisor("root", child(Checked, heartbeat=Heartbeat(1, 1))))
    assert (idle[1], asked[1]) == (spawned, spawned)
    # A look is one step of the timers; a check one of the actor's own task on top.
    assert idle[0] == without + 10
    assert asked[0] == without + 10 + 10


@virtual
async def test_nothing_is_held_of_an_actor_that_has_ended() -> None:
    story = Story()
    checked = child(Checked, restart="temporary", heartbeat=Heartbeat(1, 1))
    async with open_tree(supervisor("root", checked), observers=[story]) as tree:
        await trio.sleep(1.5)
        await tree.supervisor("root").terminate_child("checked")
        story.forget()
        await trio.sleep(50)
        assert story.timed == []


# ----------------------------------------------------------------------------- the log


@virtual
async def test_the_log_has_the_misses_and_the_crash_with_its_stack(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def body(ref: Ref[Plain]) -> None:
        await ref.cast(Plain.forever)

    await told_of(body, Plain, heartbeat=Heartbeat(2, 1), seconds=3.5)
    missed, crashed = (r for r in caplog.records if r.levelname in {"WARNING", "ERROR"})
    text = missed.getMessage()
    assert missed.levelname == "WARNING"
    assert text.startswith(
        "root/a [1] has not answered a health check (1 of 1), waiting in\n  "
    )
    assert " in forever\n" in text
    assert crashed.levelname == "ERROR"
    assert crashed.getMessage().startswith(
        "root/a [1] crashed on forever() (HeartbeatMissedError: 'root/a' hung: it did not "
        "answer 1 health check, for 1 s, waiting in "
    )
    assert crashed.exc_info is not None
    assert "\nIt hung in\n  " in caplog.text
