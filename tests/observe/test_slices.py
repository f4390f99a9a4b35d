"""A look in slices: how long each is, who gets a turn in between, what comes out."""

from collections.abc import Generator

import pytest
import trio

from regrow._runtime.walk import at_a_stretch
from regrow.observe._slices import SLICE, in_slices
from tests.runtime.trees import virtual


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Turns:
    def __init__(self, told: list[str]) -> None:
        self.told = told
        self.count = 0

    async def turn(self) -> float:
        await trio.lowlevel.checkpoint()
        self.count += 1
        self.told.append(f"turn {self.count}")
        return self.count

    def spent(self, begun_at: float, /) -> None:
        self.told.append(f"spent {begun_at}")


def steps(told: list[str], clock: Clock, *seconds: float) -> Generator[None, None, str]:
    for each in seconds:
        clock.now += each
        told.append("step")
        yield
    return "seen"


@virtual
async def test_a_slice_ends_with_the_step_that_makes_it_long_enough() -> None:
    clock = Clock()
    told: list[str] = []
    look = steps(told, clock, SLICE / 2, SLICE / 2, 3 * SLICE, SLICE / 2)
    seen, seconds = await in_slices(look, Turns(told), clock)
    assert seen == "seen"
    assert seconds == pytest.approx(4.5 * SLICE)
    assert told == [
        "turn 1", "step", "step", "spent 1",
        "turn 2", "step", "spent 2",
        "turn 3", "step", "spent 3",
    ]  # fmt: skip


@virtual
async def test_what_breaks_a_look_comes_out_and_its_turn_is_over() -> None:
    def broken() -> Generator[None, None, str]:
        yield
        raise ValueError

    told: list[str] = []
    with pytest.raises(ValueError):  # noqa: PT011 - it is that one
        await in_slices(broken(), Turns(told), Clock())
    assert told == ["turn 1", "spent 1"]


@virtual
async def test_others_run_between_two_slices() -> None:
    clock = Clock()
    told: list[str] = []

    async def other() -> None:
        told.append("other")
        await trio.lowlevel.checkpoint()
        told.append("other")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        await in_slices(steps(told, clock, SLICE, SLICE, SLICE), clock=clock)
    assert told.index("other") < 2
    assert told.count("other") == 2
    assert told[-1] == "step"


def test_at_a_stretch_nothing_is_waited_for() -> None:
    told: list[str] = []
    assert at_a_stretch(steps(told, Clock(), 1, 1)) == "seen"
    assert told == ["step", "step"]
