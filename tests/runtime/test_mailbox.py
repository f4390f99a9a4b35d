"""Mailboxes: the box against a list, then capacities, policies and restarts in a tree."""

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Literal, TypeAlias, cast
from unittest.mock import patch

import pytest
import trio
import trio.testing
from hypothesis import Phase, example, find, given, settings, strategies as st
from hypothesis.errors import NoSuchExample

from regrow import (
    Actor,
    CallError,
    ChildStarted,
    DeadLetter,
    Event,
    Mailbox,
    MailboxFullError,
    MessagesDropped,
    Ref,
    child,
    supervisor,
)
from regrow._core.specs import OnFull, OnRestart
from regrow._runtime import mailbox
from regrow._runtime.actor_place import ActorPlace
from regrow._runtime.handlers import Handler
from regrow._runtime.mailbox import FEW, FRONT, Box
from regrow._runtime.messages import ABANDONED, BEGUN, Request

from .trees import Boom, Story, open_tree, play, virtual

CAPACITIES = (0, 1, 2, 64, math.inf)
POLICIES: tuple[OnFull, ...] = ("wait", "raise", "drop_oldest", "drop_newest")
RULES: tuple[OnRestart, ...] = ("keep", "clear")


# --------------------------------------------------------------- the box against a list


class Simple:
    """What a mailbox is, too simple to be wrong."""

    def __init__(self, capacity: float) -> None:
        self.capacity = capacity
        self.inside: list[int] = []
        self.line: list[int] = []
        self.reader = False
        self.expected = False

    def offer(self, number: int) -> bool:
        idle = self.reader or (self.expected and not self.inside)
        if self.line or not (idle or len(self.inside) < self.capacity):
            return False
        self.reader = False
        self.inside.append(number)
        return True

    def queue_up(self, number: int) -> None:
        self.line.append(number)

    def abandon(self, number: int) -> None:
        if number in self.inside:
            self.inside.remove(number)
        elif number in self.line:
            self.line.remove(number)
        self.admit()

    def take(self) -> int | None:
        if not self.inside:
            return self.line.pop(0) if self.line else None
        number = self.inside.pop(0)
        self.admit()
        return number

    def admit(self) -> None:
        while self.line and len(self.inside) < self.capacity:
            self.inside.append(self.line.pop(0))

    def empty(self) -> list[int]:
        everything = self.waiting()
        self.inside, self.line = [], []
        return everything

    def waiting(self) -> list[int]:
        return [*self.inside, *self.line]


class LastInFirstOut(Simple):
    def take(self) -> int | None:
        self.inside.reverse()
        try:
            return super().take()
        finally:
            self.inside.reverse()


class OneTooMany(Simple):
    def __init__(self, capacity: float) -> None:
        super().__init__(capacity + 1)


class RendezvousAlone(Simple):
    """Takes a message although nobody waits for it."""

    def offer(self, number: int) -> bool:
        self.reader = self.reader or (self.capacity == 0 and not self.inside)
        return super().offer(number)


class TakesRoomWhenAbandoned(Simple):
    def abandon(self, number: int) -> None:
        if number in self.inside:
            self.capacity -= 1
        super().abandon(number)


class LetsNobodyIn(Simple):
    def admit(self) -> None:
        pass


class OvertakesTheLine(Simple):
    """Takes a message for a reader that is to come, before those who stand in line."""

    def offer(self, number: int) -> bool:
        line, self.line = self.line, []
        try:
            return super().offer(number)
        finally:
            self.line = line


class ForgetsTheLine(Simple):
    def empty(self) -> list[int]:
        super().empty()
        return [*self.inside]


BROKEN: tuple[type[Simple], ...] = (
    LastInFirstOut,
    OneTooMany,
    RendezvousAlone,
    TakesRoomWhenAbandoned,
    LetsNobodyIn,
    OvertakesTheLine,
    ForgetsTheLine,
)

Op: TypeAlias = tuple[
    Literal[
        "offer", "send", "abandon", "take", "expect", "park", "wake", "look", "empty"
    ],
    int,
]
OPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "offer",
                "send",
                "abandon",
                "take",
                "expect",
                "park",
                "wake",
                "look",
                "empty",
            ]
        ),
        st.integers(0, 20),
    ),
    max_size=60,
)
HANDLER = Handler(None, "message", None, ())


class Pair:
    """A box and a model of it, to which the same is done."""

    def __init__(self, capacity: float, model: type[Simple]) -> None:
        self.box = Box(Mailbox(capacity=capacity))
        self.model = model(capacity)
        self.sent: list[Request] = []
        self.looks = 0

    def new(self) -> tuple[int, Request]:
        place = cast("ActorPlace", None)
        self.sent.append(Request(HANDLER, (len(self.sent),), {}, place, None))
        return len(self.sent) - 1, self.sent[-1]

    def numbers(self, requests: Sequence[Request | None]) -> list[int | None]:
        return [None if each is None else self.sent.index(each) for each in requests]

    async def park(self) -> None:
        await self.box.wait()
        self.looks += 1

    async def do(self, op: Op, nursery: trio.Nursery) -> bool:
        """Do *op* to both; tell whether they agree."""
        box, model = self.box, self.model
        agree = True
        match op:
            case ("offer", _):
                number, request = self.new()
                here, there = box.offer(request), model.offer(number)
                if not here:
                    request.state = ABANDONED  # it was refused
                agree = here == there
            case ("send", _):
                number, request = self.new()
                here, there = box.offer(request), model.offer(number)
                if not here:
                    box.queue_up(request)
                if not there:
                    model.queue_up(number)
                agree = here == there
            case ("abandon", which) if self.sent:
                request = self.sent[which % len(self.sent)]
                if request.state < BEGUN:
                    box.abandon(request)
                    model.abandon(which % len(self.sent))
            case ("take", _):
                request_or_none = box.take()
                if request_or_none is not None:
                    request_or_none.state = BEGUN
                agree = self.numbers([request_or_none]) == [model.take()]
            case ("expect", _) if not model.reader:
                box.expected = model.expected = True
            case ("park", _) if not model.reader and not model.waiting():
                box.expected = model.expected = False
                nursery.start_soon(self.park)
                model.reader = True
            case ("wake", _):
                box.wake()
                model.reader = False
            case ("look", _):
                agree = self.numbers(box.waiting()) == model.waiting()
            case ("empty", _):
                everything = box.empty()
                for request in everything:
                    request.state = BEGUN
                agree = self.numbers(everything) == model.empty()
            case _:
                pass
        await trio.testing.wait_all_tasks_blocked()
        parked = bool(nursery.child_tasks)
        bounded = 0 <= box._husks <= max(FEW, box.count)
        return (
            agree
            and bounded
            and (box.count, parked)
            == (
                len(model.inside),
                model.reader,
            )
        )


def agrees(
    capacity: float, ops: Sequence[Op], model: type[Simple], front: int = FRONT
) -> bool:
    async def main() -> bool:
        pair = Pair(capacity, model)
        async with trio.open_nursery() as nursery:
            for op in ops:
                if not await pair.do(op, nursery):
                    nursery.cancel_scope.cancel()
                    return False
            nursery.cancel_scope.cancel()
        return True

    with patch.object(mailbox, "FRONT", front):
        return trio.run(main)


MANY_LINE_UP: list[Op] = [("send", 0)] * 70
MANY: list[Op] = [("offer", 0)] * 70
TAKE: list[Op] = [("take", 0)] * 5


@given(
    capacity=st.sampled_from((0, 1, 2, 3, math.inf)),
    ops=OPS,
    front=st.sampled_from((0, 1, 2, 5, FRONT)),
)
@example(
    capacity=1,
    ops=MANY_LINE_UP + [("abandon", n) for n in range(69)],
    front=FRONT,
)
@example(capacity=math.inf, ops=MANY + [("abandon", n) for n in range(70)], front=FRONT)
@example(
    capacity=math.inf,
    ops=[*MANY, *[("abandon", n) for n in range(30, 70)], *[("take", 0)] * 35, *MANY],
    front=20,
)
@example(
    capacity=math.inf,
    ops=[*MANY[:3], *TAKE[:2], *MANY[:2], *TAKE[:1], *MANY[:1], *TAKE],
    front=2,
)
def test_the_box_is_a_list(capacity: float, ops: list[Op], front: int) -> None:
    assert agrees(capacity, ops, Simple, front)


def test_a_box_opens_its_channel_only_behind_a_full_front() -> None:
    async def main() -> None:
        pair = Pair(math.inf, Simple)
        for _ in range(FRONT):
            pair.box.offer(pair.new()[1])
        assert pair.box._receive is None
        pair.box.offer(pair.new()[1])
        receive = pair.box._receive
        assert receive is not None
        assert receive.statistics().current_buffer_used == 1
        taken = [pair.box.take() for _ in range(9)]
        pair.box.offer(pair.new()[1])  # behind what is in there, though there is room
        assert receive.statistics().current_buffer_used == 2
        taken += [pair.box.take() for _ in range(FRONT - 7)]
        assert pair.numbers(taken) == [*range(FRONT + 2)]
        pair.box.offer(pair.new()[1])
        assert receive.statistics().current_buffer_used == 0
        assert pair.box.peak == FRONT + 1
        for _ in range(FRONT + 8):
            pair.box.offer(pair.new()[1])
        assert receive.statistics().current_buffer_used == 9
        assert len(pair.box.waiting()) == FRONT + 9
        assert receive.statistics().current_buffer_used == 9  # as they were
        pair.box.empty()
        pair.box.offer(pair.new()[1])
        assert receive.statistics().current_buffer_used == 0

    trio.run(main)


@pytest.mark.parametrize("model", BROKEN)
def test_a_broken_model_is_caught(model: type[Simple]) -> None:
    cases = st.tuples(st.sampled_from((0, 1, 2)), OPS)
    try:
        find(
            cases,
            lambda case: not agrees(case[0], case[1], model),
            settings=settings(
                max_examples=3000, database=None, phases=[Phase.generate]
            ),
        )
    except NoSuchExample:
        pytest.fail(f"nothing tells {model.__name__} from the box")


# --------------------------------------------------- capacities and policies, in a tree


class Desk(Actor):
    """Handles numbers while nobody holds it up."""

    def __init__(self, story: Story, done: list[int]) -> None:
        self.story = story
        self.done = done

    async def hold(self, until: trio.Event, fail: bool) -> None:
        await until.wait()
        if fail:
            raise Boom

    def take(self, number: int) -> int:
        self.done.append(number)
        return number


Kind: TypeAlias = Literal["call", "cast", "cast_nowait"]
SENT = 5
COMBINATIONS = [
    (capacity, policy)
    for capacity in CAPACITIES
    for policy in POLICIES
    if not (capacity == 0 and policy == "drop_oldest")
]


def predict(
    capacity: float, policy: OnFull, on_restart: OnRestart, kind: Kind, *, crash: bool
) -> tuple[list[str], list[int], int, int]:
    """Say what five senders get, what is handled, dropped, and a dead letter.

    The actor has a message in hand all the time; then it goes on or crashes.
    """
    numbers = list(range(SENT))
    kept, dropped, refused = numbers, [], []
    waiting: list[int] = []
    if capacity < SENT:
        room = int(capacity)
        match policy:
            case "wait" if kind == "cast_nowait":
                kept, refused = numbers[:room], numbers[room:]
            case "wait":
                waiting = numbers[room:]
            case "raise":
                kept, refused = numbers[:room], numbers[room:]
            case "drop_oldest":
                kept, dropped = numbers[SENT - room :], numbers[: SENT - room]
            case "drop_newest":
                kept, dropped = numbers[:room], numbers[room:]
    cleared = kept if crash and on_restart == "clear" else []
    ends = ["answer" if kind == "call" else "sent"] * SENT
    for number in refused:
        ends[number] = "MailboxFullError"
    if kind == "call":
        for number in dropped:
            ends[number] = "MailboxFullError"
        for number in cleared:
            ends[number] = "MailboxClearedError"
    handled = [number for number in kept if number not in cleared]
    letters = 0 if kind == "call" else len(cleared)
    assert set(waiting) <= set(kept)
    return ends, handled, len(dropped), letters


async def send(ref: Ref[Desk], kind: Kind, number: int, ends: list[str]) -> None:
    try:
        match kind:
            case "call":
                assert await ref.call(Desk.take, number) == number
                ends[number] = "answer"
            case "cast":
                await ref.cast(Desk.take, number)
                ends[number] = "sent"
            case "cast_nowait":
                ref.cast_nowait(Desk.take, number)
                ends[number] = "sent"
    except CallError as error:
        ends[number] = type(error).__name__


@pytest.mark.parametrize("crash", [False, True], ids=["goes on", "crashes"])
@pytest.mark.parametrize("kind", ["call", "cast", "cast_nowait"])
@pytest.mark.parametrize("on_restart", RULES)
@pytest.mark.parametrize(("capacity", "policy"), COMBINATIONS)
@virtual
async def test_capacity_policy_and_restart(
    capacity: float, policy: OnFull, on_restart: OnRestart, kind: Kind, crash: bool
) -> None:
    story = Story()
    done: list[int] = []
    ends = [""] * SENT
    mailbox = Mailbox(capacity=capacity, on_full=policy, on_restart=on_restart)
    desk = child(Desk, story, done, mailbox=mailbox)
    async with open_tree(supervisor("root", desk), observers=[story]) as tree:
        go_on = trio.Event()
        await trio.testing.wait_all_tasks_blocked()
        await tree[desk].cast(Desk.hold, go_on, crash)
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            for number in range(SENT):
                nursery.start_soon(send, tree[desk], kind, number, ends)
                await trio.testing.wait_all_tasks_blocked()
            assert tree.snapshot().find("root/desk").waiting <= capacity
            go_on.set()
        # A rendezvous wants a reader that waits.
        await trio.testing.wait_all_tasks_blocked()
        await tree[desk].call(Desk.take, -1)
        await trio.sleep(2)  # what was dropped is told within a second
    expected = predict(capacity, policy, on_restart, kind, crash=crash)
    letters = [letter for letter in story.of(DeadLetter) if letter.message == "take"]
    dropped = sum(event.count for event in story.of(MessagesDropped))
    assert (ends, done[:-1], dropped, len(letters)) == expected


def test_every_capacity_and_policy_is_in_the_table() -> None:
    assert len(COMBINATIONS) == 19


# ------------------------------------------------------------------------- in particular


@virtual
async def test_an_idle_rendezvous_takes_one_message_at_a_time() -> None:
    done: list[int] = []
    desk = child(Desk, Story(), done, mailbox=Mailbox(0, on_full="raise"))
    async with open_tree(supervisor("root", desk)) as tree:
        await trio.testing.wait_all_tasks_blocked()
        tree[desk].cast_nowait(Desk.take, 1)
        with pytest.raises(MailboxFullError):
            tree[desk].cast_nowait(Desk.take, 2)
        await trio.testing.wait_all_tasks_blocked()
        tree[desk].cast_nowait(Desk.take, 3)
        await trio.testing.wait_all_tasks_blocked()
    assert done == [1, 3]


@virtual
async def test_nobody_overtakes_those_who_wait_for_a_rendezvous_to_come_up() -> None:
    done: list[int] = []
    refs: list[Ref[Desk]] = []
    refused: list[str] = []

    def overtake(event: Event) -> None:
        """The actor is up, but has had no turn yet."""
        if isinstance(event, ChildStarted) and event.incarnation == 2:
            try:
                refs[0].cast_nowait(Desk.take, 2)
            except MailboxFullError as error:
                refused.append(error.message)

    desk = child(Desk, Story(), done, mailbox=Mailbox(0))
    spec = supervisor("root", desk)
    async with open_tree(spec, observers=[overtake]) as tree, trio.open_nursery() as n:
        refs.append(tree[desk])
        hold = trio.Event()
        await refs[0].cast(Desk.hold, hold, True)
        await trio.testing.wait_all_tasks_blocked()
        n.start_soon(refs[0].call, Desk.take, 1)
        await trio.testing.wait_all_tasks_blocked()
        hold.set()
    assert (done, refused) == ([1], ["take"])


@virtual
async def test_a_message_on_its_way_to_a_waiting_actor_takes_room() -> None:
    done: list[int] = []
    story = Story()
    mailbox = Mailbox(1, on_full="drop_oldest")
    desk = child(Desk, story, done, mailbox=mailbox)
    async with open_tree(supervisor("root", desk), observers=[story]) as tree:
        await trio.testing.wait_all_tasks_blocked()
        for number in range(3):  # the actor has no turn meanwhile
            tree[desk].cast_nowait(Desk.take, number)
            assert tree.snapshot().find("root/desk").waiting == 1
        await trio.testing.wait_all_tasks_blocked()
        assert done == [2]
    assert [(e.count, e.policy) for e in story.of(MessagesDropped)] == [
        (2, "drop_oldest")
    ]


@virtual
async def test_the_whole_text_of_a_full_mailbox() -> None:
    desk = child(Desk, Story(), [], mailbox=Mailbox(1, on_full="raise"))
    async with open_tree(supervisor("root", desk)) as tree:
        tree[desk].cast_nowait(Desk.take, 1)
        with pytest.raises(MailboxFullError) as caught:
            tree[desk].cast_nowait(Desk.take, 2)
        error = caught.value
    assert str(error) == (
        "the mailbox of 'root/desk' is full (capacity 1, policy 'raise'): 'take' was not "
        "taken. Send less, await room with cast(), or give it a larger Mailbox."
    )
    assert (error.path, error.message) == ("root/desk", "take")
    assert (error.capacity, error.policy) == (1, "raise")


@virtual
async def test_a_call_in_a_cancelled_scope_evicts_nobody() -> None:
    done: list[int] = []
    story = Story()
    mailbox = Mailbox(2, on_full="drop_oldest")
    desk = child(Desk, story, done, mailbox=mailbox)
    async with open_tree(supervisor("root", desk), observers=[story]) as tree:
        hold = trio.Event()
        await tree[desk].cast(Desk.hold, hold, False)
        await trio.testing.wait_all_tasks_blocked()
        for number in range(2):
            await tree[desk].cast(Desk.take, number)
        with trio.CancelScope() as scope:
            scope.cancel()
            await tree[desk].call(Desk.take, 2)
        assert scope.cancelled_caught
        hold.set()
        await trio.testing.wait_all_tasks_blocked()
    assert done == [0, 1]
    assert story.of(MessagesDropped) == []


@virtual
async def test_drops_are_told_once_a_second_and_when_the_place_closes() -> None:
    story = Story()
    mailbox = Mailbox(1, on_full="drop_newest")
    desk = child(Desk, story, [], mailbox=mailbox)
    async with open_tree(supervisor("root", desk), observers=[story]) as tree:
        hold = trio.Event()
        await tree[desk].cast(Desk.hold, hold, False)
        await trio.testing.wait_all_tasks_blocked()
        story.forget()
        for number in range(10):
            for _ in range(2):
                tree[desk].cast_nowait(Desk.take, number)
            await trio.sleep(0.3)
        hold.set()
    told = [
        (round(event.at, 6), event.count, event.policy)
        for event in story.of(MessagesDropped)
    ]
    # One waits, 19 are dropped; the first of each second sets the time to tell.
    assert told == [
        (1.0, 7, "drop_newest"),
        (2.2, 8, "drop_newest"),
        (3.0, 4, "drop_newest"),
    ]


class Slow(Actor):
    """Takes its time to come up, and crashes when told."""

    done: list[str]

    def __init__(self, done: list[str]) -> None:
        self.done = done

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        await trio.sleep(1)
        yield

    def boom(self) -> None:
        raise Boom

    def note(self, text: str) -> str:
        self.done.append(text)
        return text


@pytest.mark.parametrize("on_restart", RULES)
@virtual
async def test_what_comes_while_it_restarts(on_restart: OnRestart) -> None:
    done: list[str] = []
    slow = child(Slow, done, mailbox=Mailbox(on_restart=on_restart))
    async with open_tree(supervisor("root", slow)) as tree:
        await tree[slow].cast(Slow.boom)
        await tree[slow].cast(Slow.note, "waits when it crashes")
        await trio.sleep(0.5)
        # It has been cleared, and is being started: what comes now is for the new one.
        await tree[slow].cast(Slow.note, "comes during the start")
        await tree[slow].call(Slow.note, "called during the start")
    waited = ["waits when it crashes"] if on_restart == "keep" else []
    assert done == [*waited, "comes during the start", "called during the start"]


def test_ten_thousand_abandoned_calls_leave_nothing_behind() -> None:
    async def main() -> None:
        desk = child(Desk, Story(), [], mailbox=Mailbox(2))
        async with open_tree(supervisor("root", desk)) as tree:
            hold = trio.Event()
            await tree[desk].cast(Desk.hold, hold, False)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(10_000):
                with trio.CancelScope() as scope:
                    scope.cancel()
                    await tree[desk].call(Desk.take, 1)
            assert tree.snapshot().find("root/desk").waiting == 0
            place = tree[desk]._to
            assert place is not None
            assert len(place.box._front or ()) <= FEW + 1
            assert place.box._receive is None
            hold.set()

    play(main)
