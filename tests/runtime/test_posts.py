"""A living place against a model of it, one thing after another, in random order.

After each the program settles, and everything that can be told from outside is compared:
what became of each message for its sender, the order in which they were begun, what still
waits, dead letters, drops, answers discarded. `test_random_life` lets all run at once and
asks whether each message is accounted for; this one knows what becomes of it, and when.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import Any

import pytest
import trio
from attrs import define, field
from trio.testing import wait_all_tasks_blocked

import regrow
from regrow import (
    Actor,
    AnswerDiscarded,
    Backoff,
    DeadLetter,
    Deferred,
    Event,
    Mailbox,
    MessagesDropped,
    RegrowError,
    Shutdown,
    child,
    open_tree,
    raises,
    supervisor,
)

from .post import Kind, Message, Place, Rules, What
from .trees import Boom, play

PATH = "root/group/actor"
CAPACITIES = (0, 1, 1, 1, 2, 2, 3, 64, 1023, 1024, 1025, math.inf)
MANY = (63, 65, 1023, 1024, 1026)
ROOM: list[Any] = ["wait", "wait", "raise", "drop_oldest", "drop_newest"]
RESTARTS: list[Any] = ["permanent", "permanent", "transient", "temporary"]
ENDS: list[What] = ["refuse", "defer", "timer", "crash", "stop", "shut down", "return"]
HELD: list[What] = ["hold"] * 8
AHEAD: list[What] = [*HELD, *ENDS, "misfit"]
TOLD: list[What] = [*ENDS, "return", "return", "timer", "crash"]


class Refused(Exception):
    """An answer."""


@define(eq=False)
class World:
    """What the actor and its senders share with the test."""

    rules: Rules
    what: dict[int, What] = field(factory=dict)
    hands: dict[int, trio.Event] = field(factory=dict)
    doors: list[trio.Event] = field(factory=list)
    deferred: dict[int, Deferred[int]] = field(factory=dict)
    told: dict[int, str] = field(factory=dict)
    scopes: dict[int, trio.CancelScope] = field(factory=dict)
    begun: list[int] = field(factory=list)
    events: list[Event] = field(factory=list)
    lives: int = 0

    async def at_the_door(self) -> None:
        """Wait until the test lets it go on."""
        self.doors.append(trio.Event())
        await self.doors[-1].wait()


class Obedient(Actor):
    """Does with each message what the test wants."""

    def __init__(self, world: World) -> None:
        self.world = world

    def tick(self) -> None:
        self.world.begun.append(-1)

    async def handle(self, number: int) -> int | Deferred[int]:
        world = self.world
        world.begun.append(number)
        if world.what[number] == "hold":
            world.hands[number] = trio.Event()
            await world.hands[number].wait()
        match world.what[number]:
            case "crash":
                raise Boom
            case "shut down":
                raise Shutdown
            case "refuse":
                raise Refused
            case "stop":
                self.stop()
            case "timer":
                self.send_after(1.75, type(self).tick)
            case "defer":
                world.deferred[number] = Deferred()
                return world.deferred[number]
            case _:
                pass
        return number


class Spanned(Obedient):
    """The same, in a lifespan."""

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        world = self.world
        world.lives += 1
        if world.lives > 1 and world.rules.slow_start:
            await world.at_the_door()
        try:
            yield
        finally:
            if world.rules.slow_end:
                with regrow.grace():
                    await world.at_the_door()


def method(number: int) -> Any:
    """Give the message of that number, whose name is its own: dead letters tell no more."""
    name = f"n{number}"
    if not hasattr(Obedient, name):

        async def numbered(self: Obedient, number: int) -> int | Deferred[int]:
            return await self.handle(number)

        numbered.__name__ = name
        setattr(Obedient, name, raises(Refused)(numbered))
    return getattr(Obedient, name)


async def fuse(burns: trio.Event) -> None:
    """Crash when the test lights it."""
    await burns.wait()
    raise Boom


class Fuses:
    """The siblings by which the actor is restarted along with others."""

    def __init__(self) -> None:
        self.lit: dict[str, trio.Event] = {}

    async def near(self) -> None:
        await self._burn("near")

    async def far(self) -> None:
        await self._burn("far")

    async def _burn(self, name: str) -> None:
        self.lit[name] = trio.Event()
        await fuse(self.lit[name])


def draw_rules(random: Random) -> Rules:
    """Declare the actor somehow."""
    capacity = random.choice(CAPACITIES)
    lifespan = random.random() < 0.6
    return Rules(
        capacity=capacity,
        on_full=random.choice(ROOM[: 3 if capacity == 0 else None]),
        on_restart=random.choice(["keep", "keep", "clear"]),
        restart=random.choice(RESTARTS),
        shutdown=random.choice([0, 5, math.inf]),
        backoff=random.random() < 0.3,
        lifespan=lifespan,
        slow_start=lifespan and random.random() < 0.5,
        slow_end=lifespan and random.random() < 0.5,
    )


class Trial:
    """One actor, and one model of its place, to which the same is done."""

    def __init__(self, seed: int, kind: type[Place] = Place) -> None:
        self.random = Random(seed)
        self.rules = draw_rules(self.random)
        self.world = World(self.rules)
        self.place = kind(self.rules)
        self.place.status = "up"
        self.messages: list[Message] = []
        self.asked: dict[str, str] = {}
        self.got: dict[str, str] = {}
        self.log: list[str] = [f"{self.rules}"]
        self.later = 0.0
        self.fuses = Fuses()
        self.wrong: list[str] = []

    async def run(self) -> None:
        """Do up to fifty things; what differs then is in `wrong`."""
        rules, world = self.rules, self.world
        actor = child(
            Spanned if rules.lifespan else Obedient,
            world,
            name="actor",
            restart=rules.restart,
            shutdown=rules.shutdown,
            mailbox=Mailbox(
                rules.capacity, on_full=rules.on_full, on_restart=rules.on_restart
            ),
            backoff=Backoff(2.25, 1.0, 2.25, 0.0) if rules.backoff else None,
        )
        near = child(self.fuses.near, name="near")
        group = supervisor(
            "group", near, actor, strategy="rest_for_one", intensity=1000
        )
        far = child(self.fuses.far, name="far")
        root = supervisor("root", far, group, strategy="rest_for_one", intensity=1000)
        async with (
            open_tree(root, observers=[world.events.append]) as self.tree,
            trio.open_nursery() as self.nursery,
        ):
            self.ref = self.tree.ref(PATH, Obedient)
            await self._compare()
            for _ in range(self.random.randint(10, 50)):
                if self.wrong:
                    break
                several = self.random.choice([1, 1, 1, 3, 5])
                for _ in range(several):
                    self._do_something(alone=several == 1)
                await self._compare()
                await self._pass(1 / 1024)
            self.nursery.cancel_scope.cancel()
            self.tree.kill()
        dropped = {"tick": 0, rules.on_full: 0}
        for event in world.events:
            if isinstance(event, MessagesDropped):
                dropped[event.policy] += event.count
        self._same("dropped", dropped, {key: self.place.drops[key] for key in dropped})

    # ------------------------------------------------------------------ what it can do

    def _do_something(self, *, alone: bool) -> None:
        """Do one thing; what takes a task of its own only *alone*: it may come late."""
        acts: list[tuple[float, Callable[[], str | None]]] = [
            (6, self._cast_nowait),
            (1, self._many),
            (8, self._let_it_finish),
            (4, self._give_up),
            (2, self._suspend),
            (2, self._resume),
            (1, self._reply),
            (4, self._open_a_door),
        ]
        if alone:
            acts += [(12, self._send), (2, self._wait)]
            if not self.place.busy:
                acts += [(2, self._terminate), (2, self._restart), (3, self._cycle)]
        weights, choices = zip(*acts, strict=True)
        [act] = self.random.choices(choices, weights)
        done = act()
        if done is not None:
            self.log.append(f"{self.place.now:.3f} {done}")

    def _new(self, kind: Kind, what: What | None = None) -> Message:
        drawn = self.random.choice(AHEAD)
        message = Message(len(self.messages), kind, what or drawn)
        self.messages.append(message)
        self.world.what[message.number] = message.what
        return message

    def _args(self, message: Message) -> tuple[int, ...]:
        return () if message.what == "misfit" else (message.number,)

    def _cast_nowait(self, what: What | None = None) -> str:
        message = self._new("cast_nowait", what)
        number = message.number
        self.place.send(message)
        try:
            self.ref.cast_nowait(method(number), *self._args(message))
        except RegrowError as error:
            self.world.told[number] = type(error).__name__
        else:
            self.world.told[number] = "sent"
        return f"cast_nowait {number} {message.what}: {self.world.told[number]}"

    def _many(self) -> str | None:
        if self.rules.capacity < 64 or self.random.random() < 0.5:
            return None
        count = self.random.choice(MANY)
        for _ in range(count):
            self._cast_nowait("return")
        return f"cast_nowait {count} times"

    def _send(self) -> str:
        message = self._new(self.random.choice(["call", "call", "cast"]))
        self.place.send(message)
        send: Any = self.ref.call if message.kind == "call" else self.ref.cast
        act = partial(send, method(message.number), *self._args(message))
        self.nursery.start_soon(self._sender, message.number, act)
        return f"{message.kind} {message.number} {message.what}"

    async def _sender(self, number: int, act: Callable[[], Any]) -> None:
        told = self.world.told
        with trio.CancelScope() as scope:
            self.world.scopes[number] = scope
            try:
                answer = await act()
            except (RegrowError, Refused) as error:
                told[number] = type(error).__name__
            else:
                told[number] = "sent" if answer is None else "answer"
        if scope.cancelled_caught:
            told[number] = "cancelled"

    def _let_it_finish(self) -> str | None:
        message = self.place.hand
        if message is None or message.what != "hold":
            return None
        self.world.what[message.number] = message.what = self.random.choice(TOLD)
        self.world.hands[message.number].set()
        return f"{message.number} is to {message.what}"

    def _give_up(self) -> str | None:
        open_ = [
            number for number in self.world.scopes if not self.messages[number].told
        ]
        if not open_:
            return None
        number = self.random.choice(open_)
        self.world.scopes[number].cancel()
        self.place.give_up(self.messages[number])
        return f"the sender of {number} gives up"

    def _suspend(self) -> str:
        expected = self.place.suspend()
        got = "done"
        try:
            self.ref.suspend()
        except RegrowError as error:
            got = type(error).__name__
        self._same("suspend", got, expected)
        return f"suspend: {expected}"

    def _resume(self) -> str:
        self.place.suspended = False
        self.ref.resume()
        return "resume"

    def _reply(self) -> str | None:
        if not self.world.deferred:
            return None
        number = self.random.choice(list(self.world.deferred))
        message = self.messages[number]
        awaited = message in self.place.owed and not message.told
        if awaited:
            message.told = "answer"
            self.place.owed.remove(message)
        self._same("reply", self.world.deferred.pop(number).reply(1), awaited)
        return f"{number} is answered"

    def _open_a_door(self) -> str | None:
        if not self.place.held_up or self.place.status not in {"starting", "leaving"}:
            return None
        self.place.held_up = False
        self.world.doors[-1].set()
        return "it may go on"

    def _wait(self) -> str:
        self.later = self.random.choice([0.5, 2, 3, 6])
        return f"wait {self.later} s"

    def _terminate(self) -> str:
        return self._ask("terminate", self.place.terminate())

    def _restart(self) -> str:
        return self._ask("restart", self.place.restart())

    def _ask(self, what: str, expected: str) -> str:
        key = f"{what} {len(self.asked)}"
        self.asked[key] = expected
        above = self.tree.supervisor("root/group")
        act = above.terminate_child if what == "terminate" else above.restart_child

        async def ask() -> None:
            try:
                await act("actor")
            except RegrowError as error:
                self.got[key] = type(error).__name__
            else:
                self.got[key] = "done"

        self.nursery.start_soon(ask)
        return f"{key}: {expected}"

    def _cycle(self) -> str:
        name = self.random.choice(["near", "far"])
        self.place.cycle(by_ancestor=name == "far")
        self.fuses.lit[name].set()
        return f"{name} crashes"

    # --------------------------------------------------------------------- comparisons

    async def _pass(self, seconds: float) -> None:
        target = self.place.now + seconds + self.later
        self.later = 0.0
        while not self.wrong and self.place.now < target:
            now = min(target, self.place.next_due())
            await trio.sleep_until(now)
            self.place.pass_to(now)
            await self._compare()

    async def _compare(self) -> None:
        await wait_all_tasks_blocked()
        self.place.settle()
        place, world = self.place, self.world
        told = {each.number: each.told for each in self.messages if each.told}
        self._same("told", world.told, told)
        self._same("begun", world.begun, place.begun)
        letters = [e.message for e in world.events if isinstance(e, DeadLetter)]
        names = ["tick" if n == -1 else f"n{n}" for n in place.letters]
        self._same("letters", sorted(letters), sorted(names))
        discarded = [e.message for e in world.events if isinstance(e, AnswerDiscarded)]
        self._same("discarded", discarded, [f"n{n}" for n in place.discarded])
        if not place.busy:
            self._same("asked", self.got, self.asked)
        if not place.forgotten:
            seen = self.tree.snapshot(PATH)
            self._same("waiting", seen.waiting, len(place.inside))
            self._same("incarnation", seen.incarnation, place.incarnation)
        if place.status == "up" and not place.told:
            self._same("suspended", self.ref.suspended, place.suspended)

    def _same(self, what: str, here: object, there: object) -> None:
        if here != there:
            if isinstance(here, dict) and isinstance(there, dict):
                here, there = (
                    {k: v for k, v in one.items() if other.get(k) != v}
                    for one, other in ((here, there), (there, here))
                )
            elif isinstance(here, list) and isinstance(there, list):
                here, there = here[-9:], there[-9:]
            self.wrong.append(f"{what}: {here}, expected {there}")


def differences(seed: int, kind: type[Place] = Place) -> str:
    """Say what a living place did that the model did not, and how it came to that."""
    trial = Trial(seed, kind)
    play(trial.run)
    return "\n".join([*trial.log, *trial.wrong]) if trial.wrong else ""


@pytest.mark.parametrize("first", range(0, 80, 20))
def test_a_place_does_with_its_messages_what_is_promised(first: int) -> None:
    for seed in range(first, first + 20):
        assert differences(seed) == "", seed


class TicksStay(Place):
    """What a timer sent waits on, though its actor has ended."""

    def over(self) -> None:
        ticks = [each for each in self.inside if each.kind == "tick"]
        super().over()
        self.inside += ticks if self.open else []


class LetsNobodyIn(Place):
    """A message that is taken back leaves no room behind."""

    def take_out(self, messages: list[Message]) -> None:
        self.inside = [each for each in self.inside if each not in messages]
        self.line = [each for each in self.line if each not in messages]


class ForgetsTheLine(Place):
    """Who waits for room hears nothing of the end."""

    def refuse_all(self, error: str) -> None:
        line, self.line = self.line, []
        super().refuse_all(error)
        self.line = line


class HandlesAgain(Place):
    """The message in hand is handled once more after a cut."""

    def cut(self) -> None:
        if self.hand is not None:
            self.inside.insert(0, self.hand)
            self.hand = None
        super().cut()


class WakesTheSuspended(Place):
    """A message that was sent before the actor was suspended is begun all the same."""

    def suspend(self) -> str:
        if self.status == "up" and self.hand is None and self.inside:
            self.begin(self.inside.pop(0))
        return super().suspend()


class KeepsWhatWaits(Place):
    """A restart clears nothing."""

    def start(self) -> None:
        held, self.inside = self.inside, []
        super().start()
        self.inside = held


BROKEN = (
    TicksStay,
    LetsNobodyIn,
    ForgetsTheLine,
    HandlesAgain,
    WakesTheSuspended,
    KeepsWhatWaits,
)


@pytest.mark.parametrize("kind", BROKEN)
def test_a_model_that_breaks_a_promise_is_caught(kind: type[Place]) -> None:
    # Small mailboxes are full sooner.
    small = (seed for seed in range(300) if draw_rules(Random(seed)).capacity < 4)
    assert any(differences(seed, kind) for seed in small)
