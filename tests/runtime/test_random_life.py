"""Random lives of a tree: whatever happens, each message is accounted for once.

Senders call and cast to actors that crash, stop, come up slowly or not at all, call each
other, and put answers off, while others terminate, restart, delete and add them. At the
end nothing waits any more, and each message was handled once, refused, or told.
"""

import contextlib
import math
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import Any

import pytest
import trio
from attrs import define, evolve, field
from trio.testing import MockClock

import regrow
from regrow import (
    Actor,
    Backoff,
    CallError,
    DeadLetter,
    Deferred,
    Event,
    Mailbox,
    MailboxFullError,
    MessagesDropped,
    Ref,
    RegrowError,
    RestartLimitExceededError,
    SupervisorRef,
    Tree,
    child,
    dynamic,
    supervisor,
)
from tests.sweeps.harness import seeded

from .trees import Boom

SECONDS = 30.0
QUIET = 1000.0
POLICIES: list[Any] = ["wait", "raise", "drop_oldest", "drop_newest"]
STRATEGIES: list[Any] = ["one_for_one", "one_for_all", "rest_for_one"]


@define
class World:
    """What the witnesses of one run saw."""

    random: Random
    ends: dict[int, str] = field(factory=dict)
    kinds: dict[int, str] = field(factory=dict)
    senders: dict[int, tuple[int, str]] = field(factory=dict)
    begun: list[int] = field(factory=list)
    done: set[int] = field(factory=set)
    events: list[Event] = field(factory=list)
    actors: dict[str, Ref[Any]] = field(factory=dict)
    supervisors: list[SupervisorRef] = field(factory=list)
    pending: dict[int, str] = field(factory=dict)
    stuck: dict[int, str] = field(factory=dict)
    patient: bool = False
    asked: int = 0
    count: int = 0
    dropped_calls: int = 0

    def number(self, sender: int, kind: str, path: str) -> int:
        self.count += 1
        self.kinds[self.count] = kind
        self.senders[self.count] = (sender, path)
        return self.count


class Wild(Actor):
    """Does something else for each message."""

    def __init__(self, world: World, trouble: float) -> None:
        self.world = world
        self.trouble = trouble
        self.kept: list[Deferred[int]] = []
        if world.random.random() < trouble / 8:
            raise Boom("made")

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        random = self.world.random
        await self._rest()
        if random.random() < self.trouble / 4:
            raise Boom("start")
        async with trio.open_nursery() as nursery:
            if random.random() < self.trouble:
                nursery.start_soon(self._background)
            try:
                yield
            finally:
                nursery.cancel_scope.cancel()
                if random.random() < 0.3:
                    with regrow.grace():
                        await self._rest()
        if random.random() < self.trouble / 8:
            raise Boom("end")

    async def _background(self) -> None:
        await trio.sleep(self.world.random.random() * 5)
        raise Boom("background")

    async def _rest(self) -> None:
        await trio.sleep(self.world.random.choice([0.0, 0.0, 0.0, 0.05, 0.3, 1.0]))

    async def work(self, number: int) -> Deferred[int] | int:
        world = self.world
        world.begun.append(number)
        draw = world.random.random()
        if draw < 0.5:
            await self._rest()
        elif draw < 0.6:
            with contextlib.suppress(CallError):
                await self._call_another()
        elif draw < 0.65:
            with contextlib.suppress(RegrowError):
                await self._ask_a_supervisor()
        if world.random.random() < self.trouble / 4:
            raise Boom("work")
        if world.random.random() < self.trouble / 16:
            world.done.add(number)  # a cast has done then what it was sent for
            raise regrow.Shutdown
        if world.random.random() < self.trouble / 16:
            self.stop()
        world.done.add(number)
        if world.random.random() < 0.1 and world.kinds[number] != "inner call":
            self.kept.append(Deferred())
            return self.kept[-1]
        while self.kept and world.random.random() < 0.5:
            self.kept.pop().reply(-1)
        return number

    async def _call_another(self) -> None:
        world = self.world
        path = world.random.choice(sorted(world.actors))
        number = world.number(-1, "inner call", path)
        world.pending[number] = f"{self.ref.path} calls {path}"
        try:
            send = partial(world.actors[path].call, Wild.work, number)
            await tell(world, number, send)
        finally:
            del world.pending[number]

    async def _ask_a_supervisor(self) -> None:
        world, random = self.world, self.world.random
        ref = random.choice(world.supervisors)
        world.asked += 1
        key = -world.asked
        world.pending[key] = f"{self.ref.path} asks {ref.path}"
        try:
            children = [each.name for each in await ref.which_children()]
            name = random.choice(children or ["none"])
            await random.choice([ref.terminate_child, ref.restart_child])(name)
        finally:
            del world.pending[key]


async def tell(world: World, number: int, send: Callable[[], Awaitable[Any]]) -> None:
    """Send, and note what came back."""
    try:
        await send()
    except CallError as error:
        world.ends[number] = type(error).__name__
        if isinstance(error, MailboxFullError) and error.policy.startswith("drop"):
            world.dropped_calls += 1
        if world.kinds[number] == "inner call":
            raise
    except BaseException:
        world.ends[number] = "cancelled"
        raise
    else:
        world.ends[number] = "answer" if "call" in world.kinds[number] else "sent"


async def sender(world: World, me: int) -> None:
    random = world.random
    while True:
        await trio.sleep(random.choice([0.0, 0.02, 0.1]))
        paths = sorted(world.actors)
        alive = [path for path in paths if world.actors[path]._to.open]  # type: ignore[union-attr]
        path = random.choice(alive if alive and random.random() < 0.9 else paths)
        ref = world.actors[path]
        kind = random.choice(["call", "call", "cast", "cast_nowait"])
        number = world.number(me, kind, path)
        patience = random.choice([0.0, 0.2, 1.0, math.inf])
        with trio.move_on_after(patience):
            match kind:
                case "call":
                    await tell(world, number, partial(ref.call, Wild.work, number))
                case "cast":
                    await tell(world, number, partial(ref.cast, Wild.work, number))
                case _:

                    async def now(ref: Ref[Any] = ref, number: int = number) -> None:
                        ref.cast_nowait(Wild.work, number)

                    await tell(world, number, now)


async def meddler(world: World) -> None:
    random = world.random
    added = 0
    while True:
        await trio.sleep(random.random())
        ref = random.choice(world.supervisors)
        with trio.move_on_after(random.choice([0.1, 1.0, math.inf])):
            with contextlib.suppress(RegrowError):
                children = await ref.which_children()
                down = [each.name for each in children if each.status == "stopped"]
                if down and random.random() < 0.9:
                    await ref.restart_child(random.choice(down))
                    continue
                name = random.choice([each.name for each in children] or ["none"])
                match random.randrange(5):
                    case 0:
                        await ref.terminate_child(name)
                    case 1:
                        await ref.restart_child(name)
                    case 2:
                        await ref.terminate_child(name)
                        await ref.delete_child(name)
                    case 3:
                        await ref.terminate_child(name)
                        await ref.restart_child(name)
                    case _:
                        added += 1
                        spec = wild(world, f"added-{added}")
                        started = await ref.start_child(spec)
                        world.actors[started.path] = started


def wild(world: World, name: str) -> Any:
    random = world.random
    capacity = random.choice([0, 1, 2, 64, math.inf])
    policy = random.choice(POLICIES)
    if capacity == 0 and policy == "drop_oldest":
        policy = "wait"
    declare: Any = child
    return declare(
        Wild,
        world,
        random.choice([0.05, 0.1, 0.3]),
        name=name,
        restart=random.choice(["permanent"] * 4 + ["transient", "temporary"]),
        shutdown=math.inf if world.patient else random.choice([0.0, 0.3, 5.0]),
        start=random.choice(["fail", "retry"]),
        start_timeout=random.choice([0.4, math.inf]),
        backoff=random.choice([None, Backoff(0.2), Backoff(0.5, max_attempts=5)]),
        mailbox=Mailbox(
            capacity, on_full=policy, on_restart=random.choice(["keep", "clear"])
        ),
    )


async def life(world: World) -> None:
    random = world.random
    groups: list[Any] = [
        supervisor(
            f"group-{strategy}",
            *(wild(world, f"w{number}") for number in range(3)),
            strategy=strategy,
            intensity=random.choice([0, 3, 10]),
            backoff=random.choice([None, Backoff(0.5)]),
            start="retry",
        )
        for strategy in STRATEGIES
    ]
    pool: Any = dynamic("pool", intensity=10, start="retry")
    outer: Any = supervisor("outer", groups[1], groups[2], intensity=20, start="retry")
    spec = supervisor("root", groups[0], outer, pool, intensity=1000, period=0.1)
    tree = regrow.open_tree(
        spec,
        observers=[world.events.append],
        shutdown=random.choice([1.0, math.inf]),
        random=random,
    )
    async with tree as live:
        for group in groups:
            for each in group.children:
                world.actors[live[each].path] = live[each]
        world.supervisors += [live[each] for each in (*groups, groups[1], outer, pool)]
        await meanwhile(world, live)
    lives = live._running.host.lives
    assert lives.tasks == {}
    assert lives.waiting == 0


async def meanwhile(world: World, live: Tree) -> None:
    random = world.random
    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(sender, world, number)
        for _ in range(2):
            nursery.start_soon(meddler, world)
        with trio.move_on_after(SECONDS):
            await live.wait_stopped()
        if world.patient:
            pass
        elif random.random() < 0.3:
            live.kill()
        elif random.random() < 0.5:
            await live.stop()
        nursery.cancel_scope.cancel()
    if world.patient:
        await trio.sleep(QUIET)
        world.stuck = dict(world.pending)
        live.kill()


def wrong(world: World) -> list[str]:
    """Say what is not accounted for."""
    found: list[str] = []
    begun = set(world.begun)
    found += [
        f"{number} was handled {times} times"
        for number, times in Counter(world.begun).items()
        if times > 1
    ]
    lost = 0
    for number, kind in world.kinds.items():
        end = world.ends.get(number, "nothing")
        match end:
            case "answer":
                fits = number in world.done
            case "sent":
                fits = True
                lost += number not in world.done
            case "ActorCrashedError" | "ActorInterruptedError":
                fits = number in begun
            case "CallCycleError":
                fits = kind == "inner call" or number not in begun
            case "cancelled":
                fits = "call" in kind or number not in begun
            case "nothing":
                fits = False
            case _:
                fits = number not in begun
        if not fits:
            found.append(
                f"{number} ({kind}) ended as {end}; begun: {number in begun}, "
                f"done: {number in world.done}"
            )
    for pair in sorted(set(world.senders.values())):
        if pair[0] < 0:
            continue  # many actors are "sender -1"
        mine = [number for number in world.begun if world.senders[number] == pair]
        if mine != sorted(mine):
            found.append(f"what {pair} sent was handled as {mine}")
    letters = sum(isinstance(event, DeadLetter) for event in world.events)
    dropped = sum(e.count for e in world.events if isinstance(e, MessagesDropped))
    if lost + world.dropped_calls != letters + dropped:
        found.append(
            f"{lost} casts were not handled and {world.dropped_calls} calls dropped, but "
            f"{letters} dead letters and {dropped} dropped messages were told"
        )
    return found


def run(seed: int, *, patient: bool = False) -> World:
    world = World(Random(seed), patient=patient)

    async def main() -> None:
        with trio.fail_after(1e6):
            with contextlib.suppress(RestartLimitExceededError):
                await life(world)

    with seeded(seed):  # the same life again
        trio.run(main, clock=MockClock(autojump_threshold=0))
    return world


@pytest.mark.parametrize("seed", range(8))
def test_every_message_of_a_random_life_is_accounted_for(seed: int) -> None:
    world = run(seed)
    assert wrong(world) == []
    assert len(world.begun) > 50


@pytest.mark.parametrize("seed", range(8))
def test_no_actor_waits_for_ever(seed: int) -> None:
    """Nobody is ever cut off: an unnoticed circle would last until the end."""
    world = run(seed, patient=True)
    assert world.stuck == {}
    assert len(world.begun) > 50


def test_what_is_wrong_is_found() -> None:
    """The judge is judged: each change to what was seen is noticed."""
    world = run(0)
    assert wrong(world) == []
    handled = next(n for n, end in world.ends.items() if end == "answer")
    refused = next(n for n, end in world.ends.items() if "Stopped" in end)
    letter = next(e for e in world.events if isinstance(e, DeadLetter))

    def again() -> World:
        return evolve(
            world,
            ends=dict(world.ends),
            begun=list(world.begun),
            done=set(world.done),
            events=list(world.events),
        )

    changed = [again() for _ in range(6)]
    changed[0].begun.append(handled)
    changed[1].done.remove(handled)
    changed[2].begun.append(refused)
    changed[3].begun.reverse()
    changed[4].events.append(letter)
    del changed[5].ends[handled]
    assert [bool(wrong(each)) for each in changed] == [True] * 6
