"""A supervisor's own clock: slow restarts cannot hide an endless loop (D3, T22, T3)."""

import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from regrow import (
    Actor,
    Backoff,
    RestartLimitExceededError,
    Supervisor,
    child,
    supervisor,
)

from .trees import Boom, open_tree, play


class Bomb(Actor):
    """Crashes each time, as soon as it is up and after some work."""

    def __init__(self, crashes: list[float], setup: float, work: float) -> None:
        self.crashes = crashes
        self.setup = setup
        self.work = work

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        if self.crashes:
            await trio.sleep(self.setup)
        self.send_after(self.work, Bomb.boom)
        yield

    def boom(self) -> None:
        self.crashes.append(trio.current_time())
        raise Boom(len(self.crashes))


class Slow(Actor):
    """Takes its time to start and to stop."""

    def __init__(self, setup: float, cleanup: float, fails: list[int]) -> None:
        self.setup = setup
        self.cleanup = cleanup
        self.fails = fails

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        await trio.sleep(self.setup)
        if self.fails:
            self.fails.pop()
            raise Boom("slow")
        yield
        await trio.sleep(self.cleanup)

    def crash(self) -> None:
        raise Boom


def crashes_until_the_top_dies(
    intensities: list[int],
    *,
    setup: float = 0.0,
    cleanup: float = 0.0,
    bomb_setup: float = 0.0,
    work: float = 0.0,
    period: float = 1.0,
    strategy: Any = "one_for_all",
    most: float = 1e5,
) -> int:
    """Run a bomb below supervisors, the innermost intensity first; count its crashes."""
    crashes: list[float] = []

    async def main() -> None:
        bomb = child(Bomb, crashes, bomb_setup, work, name="bomb")
        slow = child(Slow, setup, cleanup, [], name="slow", shutdown=1e9)
        order = (slow, bomb) if strategy == "one_for_all" else (bomb, slow)
        spec: Supervisor | None = None
        for level, intensity in enumerate(intensities):
            below: tuple[Any, ...] = order if spec is None else (spec,)
            spec = supervisor(
                f"level-{level}",
                *below,
                strategy=strategy,
                intensity=intensity,
                period=period,
            )
        assert spec is not None
        with pytest.raises(RestartLimitExceededError) as caught:
            async with open_tree(spec):
                with trio.fail_after(most):
                    await trio.sleep_forever()
        assert len(caught.value.levels) == len(intensities)
        assert isinstance(root_cause(caught.value), Boom)

    play(main, horizon=most * 10)
    return len(crashes)


def root_cause(error: BaseException | None) -> BaseException | None:
    while isinstance(error, RestartLimitExceededError):
        error = error.__cause__
    return error


DEPTHS = [
    [0],
    [1],
    [3],
    [1, 1],
    [0, 0],
    [2, 3],
    [3, 0],
    [1, 1, 1],
    [2, 1, 2],
    [0, 2, 1],
]
WAYS = {
    "quick": {},
    "slow stops": {"cleanup": 10.0},
    "slow starts": {"setup": 10.0},
    "slow both": {"setup": 3.0, "cleanup": 4.0},
    "slow starts of its own": {"bomb_setup": 10.0},
}


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("intensities", DEPTHS, ids=str)
def test_the_top_dies_after_the_product_of_all_intensities_plus_one(
    intensities: list[int], way: str, strategy: str
) -> None:
    product = 1
    for intensity in intensities:
        product *= intensity + 1
    options: Any = WAYS[way]
    found = crashes_until_the_top_dies(intensities, strategy=strategy, **options)
    assert found == product


@pytest.mark.parametrize("intensities", [[1], [1, 1], [1, 1, 1]], ids=str)
def test_work_between_the_crashes_is_counted_and_only_that(
    intensities: list[int],
) -> None:
    # 0.3 s of work for each crash, and 10 s of restart: the loop is as quick as its work.
    found = crashes_until_the_top_dies(intensities, cleanup=10, work=0.1, period=1.0)
    assert found == 2 ** len(intensities)


def test_a_child_that_works_longer_than_the_period_lives_for_ever() -> None:
    crashes: list[float] = []

    async def main() -> None:
        bomb = child(Bomb, crashes, 0.0, 1.5, name="bomb")
        slow = child(Slow, 2.0, 3.0, [], name="slow", shutdown=99)
        spec = supervisor(
            "root", slow, bomb, strategy="one_for_all", intensity=1, period=1.0
        )
        async with open_tree(spec):
            await trio.sleep(1000)

    play(main)
    assert len(crashes) > 100
    gaps = {round(after - before, 6) for before, after in itertools.pairwise(crashes)}
    assert gaps == {6.5}  # 3 to stop, 2 to start, 1.5 of work


@pytest.mark.parametrize(("work", "dies"), [(0.5, True), (0.50001, False)])
def test_the_window_is_exact_on_that_clock(work: float, dies: bool) -> None:
    # With intensity 2 the third crash within a closed second ends it: at 0.5, 1.0, 1.5.
    crashes: list[float] = []

    async def main() -> None:
        bomb = child(Bomb, crashes, 0.0, work, name="bomb")
        slow = child(Slow, 7.0, 0.0, [], name="slow")
        spec = supervisor(
            "root", slow, bomb, strategy="one_for_all", intensity=2, period=1.0
        )
        with trio.move_on_after(500):
            async with open_tree(spec):
                await trio.sleep_forever()

    if dies:
        with pytest.raises(RestartLimitExceededError):
            play(main)
        assert len(crashes) == 3
    else:
        play(main)
        assert len(crashes) > 50


def test_slow_failing_restarts_are_attempts_within_the_window() -> None:
    """Each failing start takes 10 s; with intensity 3 the fourth attempt ends it."""

    async def main() -> None:
        fails: list[int] = []
        slow = child(Slow, 10.0, 0.0, fails, name="slow")
        spec = supervisor("root", slow, intensity=3, period=1.0)
        with pytest.raises(RestartLimitExceededError) as caught:
            async with open_tree(spec) as tree:
                fails.extend([0] * 9)
                tree.ref("root/slow", Slow).cast_nowait(Slow.crash)
                await trio.sleep_forever()
        starting = [failure.while_starting for failure in caught.value.failures]
        assert starting == [False, True, True, True]
        assert trio.current_time() == 40

    play(main)


def test_waiting_in_a_backoff_is_no_work() -> None:
    """While one waits, a sibling that crashes slowly is judged by the time in the world."""
    crashes: list[float] = []

    async def main() -> None:
        waits = child(Bomb, [], 0.0, 0.0, name="waits", backoff=Backoff(1000, 1, 1000))
        bomb = child(Bomb, crashes, 0.0, 1.5, name="bomb")
        spec = supervisor("root", waits, bomb, intensity=1, period=1.0)
        async with open_tree(spec):
            await trio.sleep(100)

    play(main)
    assert len(crashes) == 66


def test_the_error_has_every_level() -> None:
    async def main() -> None:
        bomb = child(Bomb, [], 0.0, 0.0, name="bomb")
        inner = supervisor("inner", bomb, intensity=1)
        middle = supervisor("middle", inner, intensity=0)
        with pytest.raises(RestartLimitExceededError) as caught:
            async with open_tree(supervisor("root", middle, intensity=1)):
                await trio.sleep_forever()
        error = caught.value
        assert error.levels == ("root/middle/inner", "root/middle", "root")
        assert [failure.path for failure in error.failures] == ["root/middle"] * 2
        below = error.__cause__
        assert isinstance(below, RestartLimitExceededError)
        assert below.levels == ("root/middle/inner", "root/middle")
        assert [failure.path for failure in below.failures] == ["root/middle/inner"]
        innermost = below.__cause__
        assert isinstance(innermost, RestartLimitExceededError)
        assert [str(failure.error) for failure in innermost.failures] == ["3", "4"]

    play(main)
