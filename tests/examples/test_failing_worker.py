from random import Random

import pytest
import trio.testing

from examples import failing_worker
from examples.failing_worker import Counts
from regrow import Backoff, ChildRestarting, Event

BACKOFF = Backoff(initial=1, factor=2, maximum=8, jitter=0, reset_after=1.5)


def model(random: Random, rounds: int) -> tuple[Counts, list[float]]:
    """What a worker that takes a second for its work must do under `BACKOFF`."""
    now = up_at = 0.0
    done = failed = in_a_row = 0
    delays: list[float] = []
    while (now := now + 1) < rounds + 0.5:
        if random.random() >= 0.6:
            done += 1
            continue
        failed += 1
        in_a_row = 1 if now - up_at >= 1.5 else in_a_row + 1
        delays.append(min(2.0 ** (in_a_row - 1), 8.0))
        now = up_at = now + delays[-1]
    return Counts(done, failed), delays


async def test_it_is_restarted_and_counted_both_ways(
    capsys: pytest.CaptureFixture[str], autojump_clock: trio.testing.MockClock
) -> None:
    await failing_worker.main(seconds=1.0)
    assert capsys.readouterr().out.splitlines() == [
        "at once: Counts(done=12, failed=28), 28 restarts",
        "with backoff: Counts(done=9, failed=12), 12 restarts",
    ]


async def test_every_failure_is_one_restart(
    autojump_clock: trio.testing.MockClock,
) -> None:
    for seed in range(20):
        counts, restarts = await failing_worker.observe(
            Random(seed), seconds=1.0, rounds=100
        )
        failures = [Random.random(random) < 0.6 for random in [Random(seed)] * 100]
        assert counts == Counts(failures.count(False), failures.count(True))
        assert restarts == counts.failed


async def test_the_pauses_grow_and_start_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    for seed in range(20):
        events: list[Event] = []
        counts, restarts = await failing_worker.observe(
            Random(seed),
            seconds=1.0,
            rounds=100,
            backoff=BACKOFF,
            observers=[events.append],
        )
        delays = [event.delay for event in events if isinstance(event, ChildRestarting)]
        assert (counts, delays) == model(Random(seed), 100)
        # It may be stopped in one of the pauses.
        assert counts.failed - 1 <= restarts <= counts.failed
