"""Senders, a mailbox and an actor that keeps dying: where did each message go?

Every message carries a number of its own, so that what is handled twice, handled out of
order, or neither handled nor reported can be told one by one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeAlias

import trio
from attrs import define, field, frozen

from regrow import (
    Actor,
    CallError,
    DeadLetter,
    Event,
    Mailbox,
    MailboxFullError,
    MessagesDropped,
    Ref,
    Supervisor,
    child,
    open_tree,
    supervisor,
)

from .actions import Crash
from .checks import rules_of
from .harness import Outcome, Scenario

__all__ = ["Plan", "Post", "mail_faults", "post"]

Kind: TypeAlias = Literal["call", "cast", "cast_nowait"]

SENDERS = 3


@frozen
class Plan:
    """One way to send messages to an actor that dies.

    Attributes:
        kind: How they are sent.
        mailbox: Where they wait.
        each: Messages of each of three senders.
        crash_every: The actor dies of every so many-th message; 0: never.
        seconds: What it takes for a message.
        cycles: How often a sibling's crash takes the actor down with it.
        cut: Whether it is then cut off instead of being let finish.
        pause: Seconds between two messages of one sender, so that the actor waits too.
    """

    kind: Kind
    mailbox: Mailbox
    each: int = 8
    crash_every: int = 3
    seconds: float = 0.0
    cycles: int = 0
    cut: bool = False
    pause: float = 0.0


@define
class Post:
    """What the witnesses saw.

    Attributes:
        ends: What each message's sender got: `answer`, `sent`, the name of an error,
            `cancelled`.
        begun: Numbers in the order in which they were handled.
        done: Numbers whose handler came to its end.
    """

    ends: dict[int, str] = field(factory=dict)
    begun: list[int] = field(factory=list)
    done: list[int] = field(factory=list)


@define
class Box(Actor):
    """Handles numbers, and dies of some."""

    plan: Plan
    post: Post

    async def put(self, number: int) -> int:
        """Handle one."""
        self.post.begun.append(number)
        await trio.sleep(self.plan.seconds)
        if self.plan.crash_every and len(self.post.begun) % self.plan.crash_every == 0:
            raise Crash(number)
        self.post.done.append(number)
        return number


async def bomb(cycles: list[None]) -> None:
    """Die once for each item, then rest."""
    await trio.sleep(0.01)
    if cycles:
        cycles.pop()
        raise Crash("bomb")
    await trio.sleep_forever()


def office(plan: Plan, post: Post) -> Supervisor:
    """Declare the actor, and a sibling that takes it down."""
    shutdown = 0.0 if plan.cut else 5.0
    box = child(Box, plan, post, mailbox=plan.mailbox, shutdown=shutdown)
    cycles: list[None] = [None] * plan.cycles
    return supervisor(
        "office", box, child(bomb, cycles), strategy="one_for_all", intensity=1000
    )


async def send(ref: Ref[Box], plan: Plan, post: Post, first: int) -> None:
    """Send `plan.each` numbers, beginning with *first*, whatever comes back."""
    for number in range(first, first + plan.each):
        if plan.pause:
            await trio.sleep(plan.pause)
        try:
            match plan.kind:
                case "call":
                    assert await ref.call(Box.put, number) == number
                    post.ends[number] = "answer"
                case "cast":
                    await ref.cast(Box.put, number)
                    post.ends[number] = "sent"
                case "cast_nowait":
                    ref.cast_nowait(Box.put, number)
                    post.ends[number] = "sent"
                    await trio.lowlevel.checkpoint()
        except CallError as error:
            post.ends[number] = type(error).__name__
        except BaseException:
            post.ends.setdefault(number, "cancelled")
            raise


def post(plan: Plan) -> tuple[Scenario, Callable[[], Post]]:
    """Give the scenario of *plan*, and what gives the witnesses of its last run."""
    last = Post()

    async def main(observers: Iterable[Callable[[Event], object]]) -> None:
        nonlocal last
        last = Post()
        tree = open_tree(office(plan, last), observers=observers)
        async with tree as live, trio.open_nursery() as nursery:
            ref = live.ref("office/box", Box)
            for sender in range(SENDERS):
                nursery.start_soon(send, ref, plan, last, 100 * sender)
            await trio.sleep(0.05)

    rules = rules_of(office(plan, last))
    scenario = Scenario("mail", main, None, rules, nursery=True)
    return scenario, lambda: last


def mail_faults(plan: Plan, post: Post, out: Outcome) -> Iterator[str]:
    """Say where a message is not accounted for."""
    for number, times in Counter(post.begun).items():
        if times > 1:
            yield f"{number} was handled {times} times"
    begun, done = set(post.begun), set(post.done)
    for sender in range(SENDERS):
        mine = [n for n in post.begun if n // 100 == sender]
        if mine != sorted(mine):
            yield f"sender {sender}'s messages were handled as {mine}"
    lost = 0
    for number, end in post.ends.items():
        match end:
            case "answer":
                fits = number in done
            case "sent":
                fits = True
                lost += number not in done
            case "ActorCrashedError" | "ActorInterruptedError":
                fits = number in begun and number not in done
            case "cancelled":
                # A cast that waits for room is withdrawn when its sender is cancelled.
                fits = plan.kind == "call" or number not in begun
            case _:
                fits = number not in begun
        if not fits:
            yield f"{number} ended as {end}; begun: {number in begun}, {number in done}"
    unsent = begun - set(post.ends)
    if unsent:
        yield f"{unsent} were handled, but nobody sent them"
    dead = sum(isinstance(event, DeadLetter) for event in out.events)
    dropped = sum(e.count for e in out.events if isinstance(e, MessagesDropped))
    if plan.kind == "call":
        # A dropped call is counted and answered; one that was refused is answered only.
        full = list(post.ends.values()).count(MailboxFullError.__name__)
        lost += full if plan.mailbox.on_full.startswith("drop") else 0
    if lost != dead + dropped:
        yield f"{lost} messages were lost; {dead} dead letters, {dropped} dropped"
