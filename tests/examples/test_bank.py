from pathlib import Path

import pytest
import trio

from examples import bank
from regrow import ActorCrashedError, Event, ExitReason, open_tree

from .log import brief


async def test_it_does_its_business_and_survives_a_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = tmp_path / "ledger.txt"
    events: list[Event] = []
    await bank.main(ledger, observers=[events.append])
    assert capsys.readouterr().out.splitlines() == [
        "deposit 20: 120",
        "withdraw 500: there is only 120",
        "withdraw 50: 70",
        "deposit -5: ValueError('a deposit of -5')",
        "deposit 1: 101",
        "deposit 2: 103",
    ]
    assert await trio.Path(ledger).read_text() == (
        "deposit 20: 120\nwithdraw 50: 70\ndeposit 2: 103\n"
    )
    assert brief(events) == [
        "bank/account 1 up",
        "bank/clerk 1 up",
        "bank 1 up",
        "bank/account 1 crashed",
        "bank/account 1 restarting",
        "bank/clerk 1 shutdown",
        "bank/account 2 up",
        "bank/clerk 2 up",
        "bank/clerk 2 shutdown",
        "bank/account 2 shutdown",
        "bank 1 shutdown",
    ]


async def test_the_ledger_goes_on_where_it_was(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.txt"
    for amount in (1, 2):
        async with open_tree(bank.bank(ledger)) as tree:
            clerk = tree.ref("bank/clerk", bank.Clerk)
            assert await clerk.call(bank.Clerk.deposit, amount) == 100 + amount
    assert await trio.Path(ledger).read_text() == "deposit 1: 101\ndeposit 2: 102\n"


async def test_a_ledger_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="bank/clerk") as caught:
        async with open_tree(bank.bank(tmp_path / "nowhere" / "ledger.txt")):
            pytest.fail("it started")
    assert isinstance(caught.value.__cause__, FileNotFoundError)


async def test_a_refusal_is_no_crash(tmp_path: Path) -> None:
    events: list[Event] = []
    tree = open_tree(bank.bank(tmp_path / "ledger.txt"), observers=[events.append])
    async with tree as live:
        clerk = live.ref("bank/clerk", bank.Clerk)
        for _ in range(5):
            with pytest.raises(bank.Overdrawn, match="there is only 100"):
                await clerk.call(bank.Clerk.withdraw, 101)
        with pytest.raises(ActorCrashedError) as caught:
            await live.ref("bank/account", bank.Account).call(bank.Account.deposit, 0)
        assert repr(caught.value.__cause__) == "ValueError('a deposit of 0')"
    crashed = [line for line in brief(events) if ExitReason.CRASHED.value in line]
    assert crashed == ["bank/account 1 crashed"]
