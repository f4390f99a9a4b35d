"""What users get wrong: each line that ends in `# E`, and no other, is an error.

Read by mypy and pyright, both strict; never run, never formatted.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from attrs import define

from regrow import (
    Actor,
    ActorSpec,
    Backoff,
    Deferred,
    Heartbeat,
    Mailbox,
    Ref,
    ServiceSpec,
    Supervisor,
    Tree,
    check,
    child,
    dynamic,
    open_tree,
    raises,
    supervisor,
)


class Overdrawn(Exception):
    pass


class NoActor:
    def hello(self) -> None:
        pass


# Actors.


@define
class Account(Actor):
    balance: int = 0

    def deposit(self, amount: int) -> int:
        return amount

    @raises(Overdrawn)
    async def withdraw(self, amount: int) -> int:
        return amount

    async def later(self) -> Deferred[str]:
        answer = Deferred[str]()
        answer.reply(3)  # E
        answer.fail("no")  # E
        return answer


@define
class Savings(Account):
    rate: float = 0.0

    def interest(self) -> float:
        return self.rate


@define
class Clerk(Actor):
    account: Ref[Account]
    path: Path

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        self.send_after(1, Clerk.pay, "3")  # E
        self.send_after(1, Account.deposit, 3)  # E
        self.send_every("1", Clerk.pay, 3)  # E
        self.send_every(1, Clerk.pay)  # E
        self.stop("now")  # E
        yield

    async def pay(self, amount: int) -> None:
        await self.account.call(Account.withdraw, amount)


class BadLifespan(Actor):
    async def lifespan(self) -> None:  # E
        pass


@define(kw_only=True)
class Keyword(Actor):
    size: int


@raises(3)  # E
def raises_a_number() -> None:
    pass


@raises("Overdrawn")  # E
def raises_a_name() -> None:
    pass


# Services and factories.


async def service(path: Path, depth: int = 3) -> None:
    pass


async def status(path: Path, *, task_status: trio.TaskStatus[None]) -> None:
    task_status.started()


async def keyword_service(*, port: int) -> None:
    pass


def no_service(path: Path) -> None:
    pass


def make_account(start: str) -> Account:
    return Account(int(start))


def declaring(
    path: Path, account: ActorSpec[Account], clerk: ActorSpec[Clerk]
) -> Supervisor:
    group = supervisor("group", account)

    # The arguments of the constructor.
    child(Account, "100")  # E
    child(Account, 100, 200)  # E
    child(Account, balance=100)  # E
    child(Clerk, account.ref)  # E
    child(Clerk, path, account.ref)  # E
    child(make_account, 3)  # E
    child(Keyword)  # E
    child(Keyword, 3)  # E

    # The wrong thing wired.
    child(Clerk, clerk.ref, path)  # E
    child(Clerk, account, path)  # E
    child(Clerk, group.ref, path)  # E

    # What is no factory.
    child(Account(100))  # E
    child(NoActor)  # E
    child(no_service, path)  # E
    child("account")  # E

    # Services.
    child(service, "path")  # E
    child(service, path, "3")  # E
    child(service)  # E
    child(service(path))  # E
    child(service, path, mailbox=Mailbox())  # E
    child(service, path, heartbeat=Heartbeat(1, 1))  # E
    child(status, 3)  # E
    child(keyword_service)  # E

    # Options.
    child(Account, 100, restart="always")  # E
    child(Account, 100, start="later")  # E
    child(Account, 100, shutdown="5")  # E
    child(Account, 100, significant=1)  # E
    child(Account, 100, backoff=0.5)  # E
    child(Account, 100, mailbox=10)  # E
    child(Account, 100, heartbeat=10)  # E
    Heartbeat(10)  # E
    Heartbeat("10", 5)  # E
    Heartbeat(10, 5, misses=0.5)  # E
    child(Account, 100, name=Account)  # E
    child(Account, 100, restarts="permanent")  # E
    Mailbox(10, on_full="block")  # E
    Mailbox(10, on_restart="drop")  # E
    Mailbox("10")  # E
    Backoff(initial="1")  # E

    # Supervisors.
    supervisor("bank", Account)  # E
    supervisor("bank", Account(100))  # E
    supervisor("bank", account.ref)  # E
    supervisor("bank", [account])  # E
    supervisor(account, clerk)  # E
    supervisor("bank", account, strategy="all_for_one")  # E
    supervisor("bank", account, auto_shutdown="any")  # E
    supervisor("bank", account, intensity=0.5)  # E
    check(account)  # E
    check(supervisor("bank"), 30)  # E
    supervisor("bank", account, period="5")  # E
    supervisor("bank", account, heartbeat=Heartbeat(1, 1))  # E
    dynamic("sessions", account)  # E
    dynamic("sessions", strategy="one_for_one")  # E
    dynamic("sessions", max_children="3")  # E

    # Specs are typed by what they start.
    wrong: ActorSpec[Clerk] = account  # E
    plain: ServiceSpec = account  # E
    return supervisor("bank", wrong, plain)


async def calling(
    ref: Ref[Account], clerk: Ref[Clerk], savings: ActorSpec[Savings]
) -> None:
    # The arguments of a message.
    await ref.call(Account.deposit, "20")  # E
    await ref.call(Account.deposit)  # E
    await ref.call(Account.deposit, 20, 30)  # E
    await ref.call(Account.deposit, much=20)  # E
    await ref.call(Account.deposit, 20, timeout=3)  # E
    await ref.call(Account.withdraw, "20")  # E
    await ref.call(Account.withdraw, amount="20")  # E
    await ref.cast(Account.deposit, "20")  # E
    await ref.cast(Account.withdraw)  # E
    ref.cast_nowait(Account.deposit, "20")  # E

    # A message of another actor.
    await ref.call(Clerk.pay, 20)  # E
    await ref.call(Savings.interest)  # E
    await clerk.call(Account.deposit, 20)  # E
    await ref.cast(Clerk.pay, 20)  # E
    ref.cast_nowait(Clerk.pay, 20)  # E

    # No message at all.
    await ref.call("deposit", 20)  # E
    await ref.call(Account(3).deposit, 20)  # E
    await ref.call(len)  # E

    # The answer used as another type.
    text: str = await ref.call(Account.deposit, 20)  # E
    other: str = await ref.call(Account.withdraw, 20)  # E
    number: int = await ref.call(Account.later)  # E
    nothing: int = await ref.cast(Account.deposit, 20)  # E
    (await ref.call(Account.deposit, 20)).upper()  # E
    ref.call(Account.deposit, 20) + 1  # E
    ref.call(Account.deposit, 20)  # E
    await ref.cast_nowait(Account.deposit, 20)  # E

    # A ref taken for the actor itself, or for a ref to another one.
    ref.deposit(20)  # E
    print(ref.balance)  # E
    narrow: Ref[Savings] = ref  # E
    unrelated: Ref[Clerk] = savings.ref  # E
    print(text, other, number, nothing, narrow, unrelated)


async def opening(spec: Supervisor, account: ActorSpec[Account]) -> None:
    open_tree(account)  # E
    open_tree(Account)  # E
    open_tree(spec, observers=print)  # E
    open_tree(spec, control=1)  # E
    open_tree(spec, random=1)  # E
    open_tree(spec, shutdown="1")  # E
    open_tree(spec, watchdog="1")  # E
    with open_tree(spec) as tree:  # E
        pass


async def running(
    tree: Tree, spec: Supervisor, account: ActorSpec[Account], scanner: ServiceSpec
) -> None:
    # Finding places.
    live: Ref[Clerk] = tree[account]  # E
    by_path: Ref[Clerk] = tree.ref("bank/account", Account)  # E
    tree.ref("bank/account")  # E
    tree.ref("bank/account", NoActor)  # E
    tree["bank/account"]  # E
    await tree[scanner].call(Account.deposit, 20)  # E
    await tree[spec].cast(Account.deposit, 20)  # E
    await tree.kill()  # E

    # Children at run time.
    group = tree.supervisor("bank/group")
    started: Ref[Clerk] = await group.start_child(account)  # E
    await group.start_child(Account)  # E
    await group.start_child(Account, 100)  # E
    await group.start_child(Account(100))  # E
    await group.terminate_child(account)  # E
    (await group.start_child(scanner)).cast_nowait(Account.deposit, 20)  # E
    print(live, by_path, started)
