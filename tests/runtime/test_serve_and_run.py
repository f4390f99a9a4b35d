"""`serve_tree` for `nursery.start`, and `run_tree` with the signals of a real program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing

from regrow import (
    Actor,
    RestartLimitExceededError,
    SpecError,
    StartFailedError,
    Supervisor,
    Tree,
    child,
    grace,
    run_tree,
    serve_tree,
    supervisor,
)

from .trees import Boom, Child, Story, Tasks, play, virtual

# ---------------------------------------------------------------------------- serve_tree


@virtual
async def test_a_served_tree_is_given_when_it_is_up_and_stops_when_cancelled() -> None:
    story = Story()
    x = child(partial(Child, setup=1, cleanup=2), story, name="x")
    async with trio.open_nursery() as nursery:
        serve = partial(serve_tree, observers=[story])
        tree = await nursery.start(serve, supervisor("root", x))
        assert isinstance(tree, Tree)
        story.note("given")
        assert await tree[x].call(Child.ping) == "pong"
        nursery.cancel_scope.cancel()
    assert story.timed == [
        "0 root/x sets up",
        "1 root/x 1 up",
        "1 root 1 up",
        "1 given",
        "1 root/x cleans up",
        "3 root/x is clean",
        "3 root/x 1 shutdown when told",
        "3 root 1 shutdown when told",
    ]


@virtual
async def test_a_served_tree_returns_when_it_has_ended_in_order() -> None:
    story = Story()

    async def serving(tree: Supervisor) -> None:
        await serve_tree(tree)
        story.note("returned")

    async def brief() -> None:
        await trio.sleep(1)

    last = child(brief, restart="temporary", significant=True)
    await serving(supervisor("root", last, auto_shutdown="any_significant"))
    async with trio.open_nursery() as nursery:
        tree = await nursery.start(serve_tree, supervisor("root"))
        await tree.stop()
    assert story.timed == ["1 returned"]


@virtual
async def test_what_a_served_tree_fails_of_comes_out_of_it() -> None:
    class Unwilling(Actor):
        def __init__(self) -> None:
            raise Boom

    async def crashing() -> None:
        await trio.sleep(1)
        raise Boom

    with pytest.raises(RestartLimitExceededError):
        await serve_tree(supervisor("root", child(crashing), intensity=0))
    with pytest.raises(StartFailedError):
        await serve_tree(supervisor("root", child(Unwilling)))
    with pytest.raises(SpecError):
        await serve_tree(child(Actor))  # type: ignore[arg-type]  # the mistake under test
    with pytest.RaisesGroup(StartFailedError):
        async with trio.open_nursery() as nursery:
            with pytest.raises(RuntimeError, match="exited without calling"):
                await nursery.start(serve_tree, supervisor("root", child(Unwilling)))


@virtual
async def test_a_served_tree_takes_the_options_of_open_tree() -> None:
    story = Story()
    x = child(partial(Child, cleanup=9), story, name="x", shutdown=60)
    async with trio.open_nursery() as nursery:
        serve = partial(serve_tree, observers=[story], shutdown=2)
        await nursery.start(serve, supervisor("root", x))
        story.forget()
        nursery.cancel_scope.cancel()
    assert story.timed == [
        "0 root/x cleans up",
        "2 root/x 1 killed when told, unexpected",
        "2 root 1 killed when told, unexpected",
    ]


@virtual
async def test_without_a_nursery_it_is_just_awaited() -> None:
    with trio.move_on_after(1) as scope:
        await serve_tree(supervisor("root"))
    assert scope.cancelled_caught


# ------------------------------------------------------------------------------ run_tree


class Signalling(Child):
    """Raises signals at given times after it is up, as from outside."""

    def __init__(self, story: Story, *signals: tuple[float, signal.Signals]) -> None:
        super().__init__(story)
        self.signals = signals

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, self.signals)
            yield


async def send(signals: tuple[tuple[float, signal.Signals], ...]) -> None:
    # Shielded, as whoever sends them does not stop with the tree.
    with trio.CancelScope(shield=True):
        for seconds, number in signals:
            await trio.sleep_until(seconds)
            signal.raise_signal(number)


SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_stops_the_tree_in_order(number: signal.Signals) -> None:
    story = Story()
    spec = supervisor(
        "root",
        child(partial(Child, cleanup=2), story, name="a"),
        child(Signalling, story, (1.0, number)),
        child(partial(Child, cleanup=1), story, name="b"),
    )
    before = [signal.getsignal(each) for each in SIGNALS]
    play(partial(run_tree, spec, observers=[story]))
    assert [signal.getsignal(each) for each in SIGNALS] == before
    assert story.timed[-8:] == [
        "1 root/b cleans up",
        "2 root/b is clean",
        "2 root/b 1 shutdown when told",
        "2 root/signalling 1 shutdown when told",
        "2 root/a cleans up",
        "4 root/a is clean",
        "4 root/a 1 shutdown when told",
        "4 root 1 shutdown when told",
    ]


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
def test_the_second_signal_cuts_it_off(
    first: signal.Signals, second: signal.Signals
) -> None:
    story = Story()
    spec = supervisor(
        "root",
        child(partial(Child, cleanup=9), story, name="a", shutdown=60),
        child(Signalling, story, (1.0, first), (3.0, second)),
        child(partial(Child, cleanup=9), story, name="b", shutdown=60),
    )
    play(partial(run_tree, spec, observers=[story]))
    lines = [line for line in story.timed if not line.startswith("0 ")]
    assert lines[0] == "1 root/b cleans up"
    assert sorted(lines[1:]) == [
        "3 root 1 killed when told, unexpected",
        "3 root/a 1 killed when told, unexpected",
        "3 root/a cleans up",
        "3 root/b 1 killed when told, unexpected",
        "3 root/signalling 1 killed when told, unexpected",
    ]


def test_a_signal_while_starting_stops_what_is_up() -> None:
    story = Story()
    spec = supervisor(
        "root",
        child(partial(Child, cleanup=1), story, name="a"),
        child(Signalling, story, (1.0, signal.SIGTERM)),
        child(partial(Child, setup=9), story, name="slow"),
        child(Actor, name="later"),
    )
    play(partial(run_tree, spec, observers=[story]))
    assert story.timed == [
        "0 root/a sets up",
        "0 root/a 1 up",
        "0 root/signalling 1 up",
        "0 root/slow sets up",
        "1 root/slow 1 not started: StartCancelledError",
        "1 root/signalling 1 shutdown when told",
        "1 root/a cleans up",
        "2 root/a is clean",
        "2 root/a 1 shutdown when told",
        "2 root 1 not started: StartCancelledError",
    ]


def test_a_second_signal_while_starting_cuts_it_off() -> None:
    story = Story()

    class Stubborn(Actor):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            with grace():
                await trio.sleep(9)
            raise AssertionError
            yield

    spec = supervisor(
        "root",
        child(partial(Child, cleanup=9), story, name="a"),
        child(Signalling, story, (1.0, signal.SIGTERM), (3.0, signal.SIGTERM)),
        child(Stubborn, shutdown=60),
    )
    play(partial(run_tree, spec, observers=[story]))
    assert sorted(line for line in story.timed if not line.startswith("0 ")) == [
        "3 root 1 not started: StartCancelledError",
        "3 root/a 1 killed when told, unexpected",
        "3 root/a cleans up",
        "3 root/signalling 1 killed when told, unexpected",
        "3 root/stubborn 1 not started: StartCancelledError",
    ]


def test_a_signal_to_a_tree_that_stops_already_does_not_cut_it() -> None:
    """Somebody else has stopped it: this is still the first signal."""
    story = Story()

    async def brief() -> None:
        await trio.sleep(1)

    last = child(brief, restart="temporary", significant=True)
    spec = supervisor(
        "root",
        child(partial(Child, cleanup=4), story, name="a"),
        child(Signalling, story, (2.0, signal.SIGTERM)),
        last,
        auto_shutdown="any_significant",
    )
    play(partial(run_tree, spec, observers=[story]))
    assert story.timed[-5:] == [
        "2 root/signalling 1 shutdown when told",
        "2 root/a cleans up",
        "6 root/a is clean",
        "6 root/a 1 shutdown when told",
        "6 root 1 shutdown when told",
    ]


def test_a_child_that_raises_keyboard_interrupt_itself_still_comes_out() -> None:
    async def interrupting() -> None:
        await trio.sleep(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(partial(run_tree, supervisor("root", child(interrupting))))


def test_what_the_tree_fails_of_comes_out_of_the_run() -> None:
    class Unwilling(Actor):
        def __init__(self) -> None:
            raise Boom

    async def crashing() -> None:
        await trio.sleep(1)
        raise Boom

    with pytest.raises(RestartLimitExceededError):
        play(partial(run_tree, supervisor("root", child(crashing), intensity=0)))
    with pytest.raises(StartFailedError):
        play(partial(run_tree, supervisor("root", child(Unwilling))))


def test_it_returns_when_the_tree_has_ended_by_itself() -> None:
    async def brief() -> None:
        await trio.sleep(1)

    last = child(brief, restart="temporary", significant=True)
    spec = supervisor("root", last, auto_shutdown="any_significant")
    play(partial(run_tree, spec))


def test_a_cancelled_run_stops_in_order() -> None:
    story = Story()
    x = child(partial(Child, cleanup=2), story, name="x")

    async def main() -> None:
        with trio.move_on_after(1) as scope:
            await run_tree(supervisor("root", x), observers=[story], shutdown=9)
        assert scope.cancelled_caught

    play(main)
    assert story.timed[3:] == [
        "1 root/x cleans up",
        "3 root/x is clean",
        "3 root/x 1 shutdown when told",
        "3 root 1 shutdown when told",
    ]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_at_every_step_ends_the_run_in_order(number: signal.Signals) -> None:
    def spec(story: Story) -> Supervisor:
        return supervisor(
            "root",
            child(partial(Child, setup=0.1, cleanup=0.1), story, name="a"),
            supervisor("sub", child(Child, story, name="b"), child(forever)),
        )

    async def forever() -> None:
        await trio.sleep_forever()

    async def main(story: Story) -> None:
        with trio.CancelScope(deadline=2):
            await run_tree(spec(story), observers=[story])

    late: list[Story] = []
    stories: list[Story] = []

    def outside(*_: object) -> None:
        """Whoever else there is: for signals before the tree begins or after its end."""
        late.append(stories[-1])

    tasks = Tasks()
    before = signal.signal(number, outside)
    try:
        play(partial(main, Story()), instruments=[tasks])
        for step in range(1, tasks.steps + 1):
            stories.append(Story())
            tree = Tasks("tree ")
            tree.at = {step: partial(signal.raise_signal, number)}
            play(partial(main, stories[-1]), instruments=[tree])
            assert tree.left() == []
    finally:
        signal.signal(number, before)
    early = [story for story in stories if story.events[-1].at < 2]
    assert len(early) > tasks.steps // 5
    assert all(story.events[-1].path == "root" for story in stories)
    assert all(
        story in late or story in early or by_deadline(story) for story in stories
    )


def by_deadline(story: Story) -> bool:
    """Whether it was stopping, or about to, when the signal came."""
    return story.events[-1].at == 2.1


# ------------------------------------------------------------------------ real processes

PROGRAM = """
import sys
import trio
from regrow import child, run_tree, supervisor

async def serving(*, task_status) -> None:
    task_status.started()
    print("up", flush=True)
    try:
        await trio.sleep_forever()
    finally:
        print("down", flush=True)

trio.run(run_tree, supervisor("app", child(serving)))
print("over", flush=True)
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_program_that_gets_a_signal(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "up\n"
        os.kill(program.pid, number)
        assert program.stdout.read() == "down\nover\n"
    assert program.returncode == 0
