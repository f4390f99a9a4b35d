"""How far the work is, for those who show it and those who wait for it."""

from __future__ import annotations

from collections.abc import Callable

import trio
from attrs import define, field, frozen


@frozen
class Account:
    """What became of the files that were found."""

    found: int
    indexed: int = 0
    dead_letters: int = 0

    @property
    def settled(self) -> int:
        """The files that need no more work."""
        return self.indexed + self.dead_letters


def _ignore(_: Account) -> None:
    pass


@define
class Progress:
    """The last account that was reported.

    Args:
        show: Called with each account.
    """

    show: Callable[[Account], None] = _ignore
    account: Account | None = field(default=None, init=False)
    """None until the files have been found."""
    _reported: trio.Event = field(factory=trio.Event, init=False)

    def report(self, account: Account) -> None:
        """Replace the account and wake all who wait."""
        self.account = account
        self._reported.set()
        self._reported = trio.Event()
        self.show(account)

    async def wait_settled(self, share: float) -> None:
        """Wait until *share* of the files, from 0 to 1, are settled."""
        while self.account is None or self.account.settled < share * self.account.found:
            await self._reported.wait()
        await trio.lowlevel.checkpoint()

    async def wait_report(self) -> None:
        """Wait for the next account, unless all files are settled and none will come."""
        await trio.lowlevel.checkpoint()
        if self.account is None or self.account.settled < self.account.found:
            await self._reported.wait()
