"""A share of the time is kept to, whoever asks for it and however often."""

import pytest
import trio

from regrow.observe._meter import Meter
from tests.runtime.trees import virtual


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@virtual
async def test_a_burst_is_not_made_to_wait() -> None:
    clock = Clock()
    meter = Meter(share=0.2, burst=1.0, clock=clock)
    for _ in range(9):
        begun_at = await meter.turn()
        clock.now += 0.1
        meter.spent(begun_at)
    assert meter.wait() == 0
    assert trio.current_time() == 0


@virtual
async def test_in_the_long_run_no_more_than_the_share_is_spent() -> None:
    meter = Meter(share=0.2, burst=1.0, clock=trio.current_time)
    spent = 0.0

    async def client() -> None:
        nonlocal spent
        while True:
            begun_at = await meter.turn()
            # As work that keeps everything else from running would do.
            clock = trio.lowlevel.current_clock()
            clock.jump(0.5)  # type: ignore[attr-defined]
            spent += 0.5
            meter.spent(begun_at)

    with trio.move_on_after(1000):
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(client)
    assert spent == pytest.approx(200, abs=2)  # but for what goes with each turn


@virtual
async def test_turns_go_round() -> None:
    meter = Meter(share=0.5, burst=0.0, clock=trio.current_time)
    had: list[int] = []

    async def client(number: int) -> None:
        for _ in range(5):
            begun_at = await meter.turn()
            had.append(number)
            trio.lowlevel.current_clock().jump(1)  # type: ignore[attr-defined]
            meter.spent(begun_at)

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(client, number)
    assert [sorted(had[i : i + 3]) for i in range(0, 15, 3)] == [[0, 1, 2]] * 5
