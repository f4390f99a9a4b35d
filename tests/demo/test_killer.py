from collections import Counter
from random import Random

import pytest
import trio
from trio.testing import Sequencer, wait_all_tasks_blocked

from regrow.cli.demo._killer import KilledError, Killer, Strike, plan_strikes
from regrow.cli.demo._progress import Account, Progress

VICTIMS = ["writer", "parser", "coordinator"]


def test_the_same_seed_draws_the_same_strikes() -> None:
    assert plan_strikes(VICTIMS, 50, Random(1)) == plan_strikes(VICTIMS, 50, Random(1))
    assert plan_strikes(VICTIMS, 50, Random(1)) != plan_strikes(VICTIMS, 50, Random(2))


@pytest.mark.parametrize("kills", [0, 1, 2, 3, 7, 200])
def test_there_are_as_many_strikes_as_asked_for_dealt_evenly(kills: int) -> None:
    strikes = plan_strikes(VICTIMS, kills, Random(0))
    assert len(strikes) == kills
    dealt = Counter(strike.victim for strike in strikes)
    assert (
        max(dealt.values(), default=0)
        <= min((dealt[victim] for victim in VICTIMS), default=0) + 1
    )
    assert [s.share for s in strikes] == sorted(s.share for s in strikes)
    assert all(0 <= strike.share < 1 for strike in strikes)


def finished() -> Progress:
    progress = Progress()
    progress.report(Account(found=0))
    return progress


async def live(killer: Killer, path: str, lives: int) -> None:
    """Come back as a supervisor would bring it back, *lives* times."""
    for _ in range(lives - 1):
        with (
            pytest.raises(KilledError, match="writer was killed by the demo"),
            killer.exposes(path),
        ):
            await trio.sleep_forever()
    with killer.exposes(path):
        await trio.sleep_forever()


async def test_every_strike_lands() -> None:
    killer = Killer([Strike("writer", 0.0, 0)] * 5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(live, killer, "writer", 6)
        await killer.run(finished())
        nursery.cancel_scope.cancel()
    assert killer.landed == {"writer": 5}


async def test_a_strike_waits_for_a_victim_that_is_down() -> None:
    killer = Killer([Strike("writer", 0.0, 0)])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(killer.run, finished())
        await wait_all_tasks_blocked()
        assert killer.landed == {}
        nursery.start_soon(live, killer, "writer", 2)
        await wait_all_tasks_blocked()
        assert killer.landed == {"writer": 1}
        nursery.cancel_scope.cancel()


async def test_a_strike_that_meets_another_end_is_made_up_for() -> None:
    killer = Killer([Strike("writer", 0.0, 0)])
    async with trio.open_nursery() as nursery:

        async def end_while_struck() -> None:
            with killer.exposes("writer"):
                nursery.start_soon(killer.run, finished())
                with trio.CancelScope(shield=True):
                    await wait_all_tasks_blocked()
                raise ValueError("own")

        with pytest.raises(ValueError, match="own"):
            await end_while_struck()
        assert killer.landed == {}
        nursery.start_soon(live, killer, "writer", 2)
        await wait_all_tasks_blocked()
        assert killer.landed == {"writer": 1}
        nursery.cancel_scope.cancel()


async def test_a_victim_that_is_stopped_by_others_is_not_said_to_be_killed() -> None:
    killer = Killer()
    with trio.CancelScope() as outer, killer.exposes("writer"):
        outer.cancel()
        await trio.sleep_forever()
    assert outer.cancelled_caught
    assert killer.landed == {}


async def test_strikes_follow_the_progress() -> None:
    killer = Killer([Strike("writer", 0.0, 0), Strike("writer", 0.5, 3)])
    progress = Progress()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(live, killer, "writer", 3)
        nursery.start_soon(killer.run, progress)
        landed: list[int] = []
        for settled in range(4):
            await wait_all_tasks_blocked()
            landed.append(killer.landed["writer"])
            progress.report(Account(4, indexed=settled))
        await wait_all_tasks_blocked()
        # Each with the first report after the one that reached its share.
        assert landed == [0, 0, 1, 1]
        nursery.cancel_scope.cancel()
    assert killer.landed == {"writer": 2}


async def test_progress_shows_each_account_and_wakes_those_who_wait_for_it() -> None:
    shown: list[Account] = []
    progress = Progress(shown.append)
    order = Sequencer()

    async def wait_for_half() -> None:
        await progress.wait_settled(0.5)
        async with order(1):
            assert progress.account == Account(2, 0, 1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_for_half)
        async with order(0):
            for account in (Account(2), Account(2, 0, 1)):
                progress.report(account)
                await wait_all_tasks_blocked()
    assert shown == [Account(2), Account(2, 0, 1)]
