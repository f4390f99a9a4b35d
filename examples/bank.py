"""A bank: an account, and a clerk who uses it and keeps a ledger.

Shows typed messages, a ref wired from one child to another, an error that is an answer
(`@raises`), a file that a lifespan opens and closes, and what a crash costs: under
rest_for_one the account comes back as its factory makes it, the clerk with a fresh hold
of the ledger, and whoever sent the fatal message is told.

Run it: `python examples/bank.py [LEDGER]`
"""

import sys
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol, TypeAlias

import trio
from attrs import define, field

from regrow import (
    Actor,
    ActorCrashedError,
    Event,
    Ref,
    Supervisor,
    child,
    open_tree,
    raises,
    supervisor,
)


class Overdrawn(Exception):
    """There is not that much in the account."""


class Ledger(Protocol):
    """What the clerk needs of a file."""

    async def write(self, text: str, /) -> object: ...  # noqa: D102
    async def flush(self) -> object: ...  # noqa: D102


OpenLedger: TypeAlias = Callable[[Path], AbstractAsyncContextManager[Ledger]]
Observers: TypeAlias = Iterable[Callable[[Event], object]]


@asynccontextmanager
async def open_file(path: Path) -> AsyncGenerator[Ledger]:
    """Give the ledger in the file at *path*, which is created if it is not there."""
    async with await trio.open_file(path, "a", encoding="utf-8") as file:
        yield file


@define
class Account(Actor):
    """Holds the money."""

    balance: int = 0

    def deposit(self, amount: int) -> int:
        """Give the new balance; nothing or less is a bug of the sender, and a crash."""
        if amount <= 0:
            raise ValueError(f"a deposit of {amount}")
        self.balance += amount
        return self.balance

    @raises(Overdrawn)
    async def withdraw(self, amount: int) -> int:
        """Give the new balance, or answer with `Overdrawn`."""
        await trio.lowlevel.checkpoint()
        if amount > self.balance:
            raise Overdrawn(f"there is only {self.balance}")
        self.balance -= amount
        return self.balance


@define
class Clerk(Actor):
    """Serves customers and writes down what was done."""

    account: Ref[Account]
    path: Path
    open_ledger: OpenLedger = open_file
    ledger: Ledger = field(init=False)

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Hold the ledger open for one life."""
        async with self.open_ledger(self.path) as self.ledger:
            yield

    async def deposit(self, amount: int) -> int:
        """Give the new balance."""
        balance = await self.account.call(Account.deposit, amount)
        await self._note(f"deposit {amount}: {balance}")
        return balance

    @raises(Overdrawn)
    async def withdraw(self, amount: int) -> int:
        """Give the new balance, or pass on the refusal."""
        balance = await self.account.call(Account.withdraw, amount)
        await self._note(f"withdraw {amount}: {balance}")
        return balance

    async def _note(self, line: str) -> None:
        """Put one line into the ledger."""
        await self.ledger.write(f"{line}\n")
        await self.ledger.flush()


def bank(path: Path, open_ledger: OpenLedger = open_file) -> Supervisor:
    """Declare the bank; nothing runs yet."""
    account = child(Account, 100)
    clerk = child(Clerk, account.ref, path, open_ledger, restart="transient")
    return supervisor("bank", account, clerk, strategy="rest_for_one")


async def main(
    path: Path, open_ledger: OpenLedger = open_file, observers: Observers = ()
) -> None:
    """Do some business and print how it went."""
    async with open_tree(bank(path, open_ledger), observers=observers) as tree:
        account = tree.ref("bank/account", Account)
        clerk = tree.ref("bank/clerk", Clerk)
        print("deposit 20:", await clerk.call(Clerk.deposit, 20))
        try:
            await clerk.call(Clerk.withdraw, 500)
        except Overdrawn as refusal:
            print("withdraw 500:", refusal)
        print("withdraw 50:", await clerk.call(Clerk.withdraw, 50))
        try:
            await account.call(Account.deposit, -5)
        except ActorCrashedError as error:
            print("deposit -5:", repr(error.__cause__))
        # Both are restarted. What is sent meanwhile waits for the next incarnation.
        print("deposit 1:", await account.call(Account.deposit, 1))
        print("deposit 2:", await clerk.call(Clerk.deposit, 2))


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1] if len(sys.argv) > 1 else "ledger.txt"))
