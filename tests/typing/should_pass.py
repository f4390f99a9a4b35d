"""What must type-check, with the types it must have.

Read by mypy and pyright, both strict; never run. Where a checker wants a certain way of
writing something, the comment says so: these are the known limits.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Generic, Self, TypeVar, assert_type, overload

import trio
from attrs import define, field

from regrow import (
    Actor,
    ActorSpec,
    Advice,
    AnyRef,
    AnySpec,
    Backoff,
    ChildCounts,
    ChildInfo,
    Deferred,
    Down,
    Dynamic,
    Event,
    Heartbeat,
    Mailbox,
    PlaceSnapshot,
    Ref,
    ServiceRef,
    ServiceSpec,
    Supervisor,
    SupervisorRef,
    Timer,
    Tree,
    check,
    child,
    dynamic,
    grace,
    open_tree,
    raises,
    run_tree,
    serve_tree,
    supervisor,
)

T = TypeVar("T")


class Overdrawn(Exception):
    pass


# Actors: attrs classes, data classes, plain classes, generic and abstract ones.


@define
class Account(Actor):
    balance: int = 0

    def deposit(self, amount: int) -> int:
        self.balance += amount
        return self.balance

    @raises(Overdrawn, ValueError)
    async def withdraw(self, amount: int, *, note: str = "") -> int:
        return self.balance - amount

    async def later(self) -> Deferred[str]:
        return Deferred()

    def later_sync(self, n: int) -> Deferred[str]:
        answer = Deferred[str]()
        answer.reply("x" * n)
        return answer

    async def maybe_later(self) -> Deferred[str] | str:
        return ""

    def maybe_later_sync(self) -> str | Deferred[str]:
        return ""

    def maybe_none(self) -> Deferred[int | None] | int | None:
        # `Deferred[int] | None` would be no match in either checker.
        return None

    def find(self, key: str) -> int | None:
        return self.balance if key else None

    async def find_async(self, key: str) -> int | None:
        return self.balance if key else None

    def names(self, prefix: str = "", *more: str) -> list[str]:
        return [prefix, *more]

    def keywords(self, /, **more: int) -> list[str]:
        # Without the `/`, mypy thinks of a caller who passes `self=`.
        return list(more)

    def note(self) -> None:
        pass

    async def note_async(self) -> None:
        pass

    def same(self, value: T) -> T:
        return value

    def me(self) -> Ref[Self]:
        return self.ref

    @overload
    def either(self, value: int) -> int: ...
    @overload
    def either(self, value: str) -> str: ...
    def either(self, value: int | str) -> int | str:
        return value


@define
class Savings(Account):
    rate: float = 0.0

    def interest(self) -> float:
        return self.rate

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        assert_type(self.send_after(1, Savings.interest), Timer)
        self.send_every(1.5, Account.deposit, 3).cancel()
        self.send_after(0.1, Account.withdraw, 3, note="x")
        me: Ref[Savings] = self.ref
        parent: Ref[Account] = self.ref
        await me.cast(Savings.interest)
        await parent.cast(Account.note)
        self.stop()
        yield


@define
class Clerk(Actor):
    account: Ref[Account]
    path: Path

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        async with await trio.open_file(self.path) as self.ledger:
            yield

    async def pay(self, amount: int) -> int:
        with grace():
            await self.account.cast(Account.note)
        return await self.account.call(Account.withdraw, amount)


class Nursing(Actor):
    def lifespan(self) -> AbstractAsyncContextManager[trio.Nursery]:
        return trio.open_nursery()


class Plain(Actor):
    def __init__(
        self,
        accounts: list[Ref[Account]],
        by_name: dict[str, Ref[Account]],
        pair: tuple[Ref[Account], Ref[Savings]],
        many: Sequence[Ref[Account]] = (),
        table: Mapping[str, Ref[Account]] | None = None,
    ) -> None:
        self.accounts = accounts
        self.by_name = by_name
        self.pair = pair
        self.many = many
        self.table = table


@dataclass
class Data(Actor):
    text: str
    ratio: float = 1.0
    maybe: str | None = None


@define
class Wide(Actor):
    number: float
    path: str | Path
    any_actor: Ref[Actor]
    group: SupervisorRef
    service: ServiceRef
    peers: Sequence["Ref[Wide]"] = ()
    hidden: list[int] = field(factory=list[int], init=False)


@define
class Box(Actor, Generic[T]):
    value: T

    def get(self) -> T:
        return self.value

    def put(self, value: T) -> None:
        self.value = value


class Store(Actor, ABC):
    @abstractmethod
    def get(self, key: str) -> bytes: ...


class MemoryStore(Store):
    def get(self, key: str) -> bytes:
        return key.encode()


@define(kw_only=True)
class Keyword(Actor):
    size: int = 1


class Overloaded(Actor):
    @overload
    def __init__(self, a: int) -> None: ...
    @overload
    def __init__(self, a: str, b: int) -> None: ...
    def __init__(self, a: int | str, b: int = 0) -> None:
        self.both = (a, b)


# Services and factories.


async def scan(path: Path, account: Ref[Account]) -> None:
    await account.cast(Account.deposit, len(path.parts))


async def scan_default(path: Path, depth: int = 3) -> None:
    pass


async def status_required(path: Path, *, task_status: trio.TaskStatus[None]) -> None:
    task_status.started()


async def status_value(n: int = 3, *, task_status: trio.TaskStatus[int]) -> str:
    task_status.started(n)
    return ""


async def status_optional(
    path: Path, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    task_status.started()


async def serve_one(stream: trio.SocketStream) -> None:
    pass


def make_account(start: str) -> Account:
    return Account(int(start))


class Factory:
    def __call__(self, text: str) -> Data:
        return Data(text)

    def build(self, text: str, maybe: str | None = None) -> Data:
        return Data(text, 1.0, maybe)

    async def serve(self, port: int) -> None:
        pass


def declaring_actors(path: Path) -> None:
    account = child(Account)
    assert_type(account, ActorSpec[Account])
    assert_type(account.ref, Ref[Account])
    assert_type(account.name, str)
    assert_type(child(Account, 100), ActorSpec[Account])
    savings = child(Savings, 100, 1.5)
    child(Savings, 100, 1)  # an int where a float is expected
    clerk = child(Clerk, account.ref, path, restart="transient", shutdown=10)
    assert_type(clerk, ActorSpec[Clerk])
    child(Clerk, savings.ref, path)  # a ref to a subclass
    child(Data, "x")
    child(Data, "x", 2.5, "y")
    child(Data, "x", 2.5, None)
    child(Overloaded, 3)
    child(Overloaded, "x", 3)
    assert_type(child(Box[int], 3), ActorSpec[Box[int]])

    # Lists and dicts are invariant, sequences and mappings are not. An empty literal
    # has no type of its own for pyright: `list[Ref[Account]]()`.
    child(
        Plain,
        [account.ref, child(Account).ref],
        {"a": account.ref},
        (account.ref, savings.ref),
    )
    child(
        Plain,
        list[Ref[Account]](),
        dict[str, Ref[Account]](),
        (savings.ref, savings.ref),
        [savings.ref],
        {"a": savings.ref},
    )
    group = supervisor("inner", account, savings)
    scanner = child(scan, path, account.ref)
    wide = child(Wide, 1, path, account.ref, group.ref, scanner.ref)
    child(Wide, 1, "x", clerk.ref, dynamic("d").ref, scanner.ref, [wide.ref])

    # Options are ours, so that keyword arguments of a constructor go in by a partial.
    child(Keyword)
    child(partial(Keyword, size=3), name="keyword")
    child(lambda: Account(3), name="account")
    assert_type(child(make_account, "3"), ActorSpec[Account])
    assert_type(child(Factory(), "3", name="data"), ActorSpec[Data])
    assert_type(child(Factory().build, "3"), ActorSpec[Data])
    assert_type(child(Factory().build, "3", None), ActorSpec[Data])
    child(
        Account,
        name="all",
        restart="temporary",
        shutdown=math.inf,
        start_timeout=3,
        significant=True,
        backoff=Backoff(0.5, max_attempts=3),
        start="retry",
        mailbox=Mailbox(0, on_full="raise", on_restart="clear"),
        heartbeat=Heartbeat(every=10, timeout=0.5, misses=2),
    )


def declaring_services(path: Path, account: ActorSpec[Savings]) -> None:
    assert_type(child(scan, path, account.ref), ServiceSpec)
    assert_type(child(scan, path, account.ref).ref, ServiceRef)
    assert_type(child(scan_default, path), ServiceSpec)
    assert_type(child(scan_default, path, 4, name="x"), ServiceSpec)
    assert_type(child(status_required, path), ServiceSpec)
    assert_type(child(status_value), ServiceSpec)
    assert_type(child(status_value, 3, restart="transient"), ServiceSpec)
    assert_type(child(status_optional, path), ServiceSpec)
    assert_type(child(Factory().serve, 80), ServiceSpec)
    assert_type(child(trio.sleep, 3), ServiceSpec)
    assert_type(child(trio.sleep_forever), ServiceSpec)
    child(partial(trio.serve_tcp, port=80), serve_one, name="server")


def declaring_trees(path: Path) -> Supervisor:
    account = child(Account)
    savings = child(Savings)
    group = supervisor("group", savings)
    sessions = dynamic("sessions", max_children=1000, restart="transient")
    assert_type(sessions, Dynamic)
    assert_type(sessions.ref, SupervisorRef)
    assert_type(group.ref, SupervisorRef)
    assert_type(check(group, grace=30), tuple[Advice, ...])
    assert_type(check(sessions), tuple[Advice, ...])
    several: list[ActorSpec[Account]] = [child(Account, n, name=f"{n}") for n in (1, 2)]
    mixed: list[AnySpec] = [child(scan_default, path), child(Clerk, account.ref, path)]
    wide: ActorSpec[Account] = savings
    top: ActorSpec[Actor] = wide
    empty = supervisor("empty")
    return supervisor(
        "bank",
        account,
        group,
        sessions,
        empty,
        top,
        *several,
        *mixed,
        strategy="rest_for_one",
        intensity=3,
        period=5,
        auto_shutdown="any_significant",
    )


# Messages.


async def calling(ref: Ref[Account], savings: Ref[Savings]) -> None:
    assert_type(await ref.call(Account.deposit, 20), int)
    assert_type(await ref.call(Account.deposit, amount=20), int)
    assert_type(await ref.call(Account.withdraw, 20), int)
    assert_type(await ref.call(Account.withdraw, 20, note="x"), int)
    assert_type(await ref.call(Account.later), str)
    assert_type(await ref.call(Account.later_sync, 3), str)
    assert_type(await ref.call(Account.maybe_later), str)
    assert_type(await ref.call(Account.maybe_later_sync), str)
    assert_type(await ref.call(Account.maybe_none), int | None)
    assert_type(await ref.call(Account.find, "k"), int | None)
    assert_type(await ref.call(Account.find_async, "k"), int | None)
    assert_type(await ref.call(Account.names), list[str])
    assert_type(await ref.call(Account.names, "a", "b"), list[str])
    assert_type(await ref.call(Account.keywords, c=3), list[str])
    assert_type(await ref.call(Account.note), None)
    assert_type(await ref.call(Account.note_async), None)
    assert_type(await ref.call(Account.same, "x"), str)
    assert_type(await ref.call(Account.me), Ref[Account])
    assert_type(await ref.call(Account.either, 3), int)
    assert_type(await savings.call(Account.deposit, 20), int)
    assert_type(await savings.call(Savings.deposit, 20), int)
    assert_type(await savings.call(Savings.interest), float)


async def casting(ref: Ref[Account]) -> None:
    await ref.cast(Account.deposit, 20)
    await ref.cast(Account.withdraw, 20, note="x")
    await ref.cast(Account.later)
    ref.cast_nowait(Account.deposit, 20)
    ref.cast_nowait(Account.note_async)


async def calling_generic_and_abstract(box: Ref[Box[int]], store: Ref[Store]) -> None:
    assert_type(await box.call(Box[int].get), int)
    await box.call(Box[int].put, 3)
    await box.cast(Box[int].put, 3)
    assert_type(await store.call(Store.get, "k"), bytes)
    wide: Ref[Store] = child(MemoryStore).ref
    await wide.cast(Store.get, "k")


async def watching(savings: Ref[Savings]) -> None:
    base: Ref[Account] = savings
    top: Ref[Actor] = base
    assert_type(top.path, str)
    await top.wait_stopped()
    async with top.monitor() as downs:
        async for down in downs:
            assert_type(down, Down)


# Trees.


def observe(event: Event) -> None:
    pass


async def opening(spec: Supervisor) -> None:
    events: list[Event] = []
    async with open_tree(
        spec,
        observers=[observe, events.append],
        shutdown=10,
        random=Random(1),
        watchdog=1,
    ) as tree:
        assert_type(tree, Tree)
    async with trio.open_nursery() as nursery:
        served: Tree = await nursery.start(serve_tree, spec)
        await served.wait_stopped()
        await nursery.start(partial(serve_tree, observers=(observe,)), spec)
        await nursery.start(partial(serve_tree, control=Path("control")), spec)
        nursery.start_soon(run_tree, spec)
    trio.run(run_tree, spec)


async def leaving(spec: Supervisor) -> int:
    # `open_tree` swallows nothing, so that nothing below the block is reached.
    async with open_tree(spec) as tree:
        return await tree.ref("bank/account", Account).call(Account.deposit, 20)


async def running(tree: Tree, spec: Supervisor, account: ActorSpec[Account]) -> None:
    service = child(scan_default, Path())
    sessions = dynamic("sessions")
    assert_type(tree[account], Ref[Account])
    assert_type(tree[service], ServiceRef)
    assert_type(tree[sessions], SupervisorRef)
    assert_type(tree[spec], SupervisorRef)
    assert_type(tree.ref("bank/account", Account), Ref[Account])
    assert_type(tree.snapshot(), PlaceSnapshot)
    assert_type(tree.path, str)
    group = tree.supervisor("bank/sessions")
    assert_type(group, SupervisorRef)
    assert_type(await group.start_child(child(Account, 3)), Ref[Account])
    assert_type(await group.start_child(account), Ref[Account])
    assert_type(await group.start_child(service), ServiceRef)
    assert_type(await group.start_child(spec), SupervisorRef)
    assert_type(await group.start_child(sessions), SupervisorRef)
    assert_type(await group.which_children(), tuple[ChildInfo, ...])
    assert_type(await group.count_children(), ChildCounts)
    old = await group.get_child_spec("x")
    assert_type(old, AnySpec)
    new: AnyRef = await group.start_child(old)
    await new.wait_stopped()
    await group.terminate_child("x")
    await group.restart_child("x")
    await group.delete_child("x")
    await tree.stop()
    tree.kill()
