"""What can be heard of a tree: streams, history, alerts, and the story of an end."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from typing import Any

import pytest
import trio
import trio.testing

from regrow import (
    ActorCrashedError,
    ActorSpec,
    Event,
    EventsLost,
    EventStream,
    RestartLimitExceededError,
    RestartRate,
    StartFailedError,
    TimelineEntry,
    Tree,
    child,
    serve_tree,
    supervisor,
)
from regrow._runtime.tree import running_of

from .trees import Boom, Child, Story, open_tree, virtual

ENDS = ["ChildExited", "ChildRestarting", "ChildStarted"]


def names(events: list[Event] | tuple[Event, ...]) -> list[str]:
    return [type(event).__name__ for event in events]


async def crash(tree: Tree, x: ActorSpec[Child]) -> None:
    with pytest.raises(ActorCrashedError):
        await tree[x].call(Child.boom)
    await trio.testing.wait_all_tasks_blocked()


# --------------------------------------------------------------------------- streams


@virtual
async def test_a_stream_gives_every_event_from_now_on_and_ends_with_the_tree() -> None:
    story = Story()
    x = child(Child, Story(), name="x")
    heard: list[Event] = []

    async def listen(stream: EventStream) -> None:
        heard.extend([event async for event in stream])

    async with (
        trio.open_nursery() as nursery,
        open_tree(supervisor("root", x), observers=[story]) as tree,
    ):
        nursery.start_soon(listen, tree.events())
        story.forget()
        await crash(tree, x)
    assert heard == story.events
    assert names(heard)[:3] == ENDS


@virtual
async def test_a_slow_reader_loses_the_oldest_and_is_told_how_many() -> None:
    x = child(Child, Story(), name="x")
    spec = supervisor("root", x, intensity=9)
    async with open_tree(spec) as tree, tree.events(capacity=4) as stream:
        for _ in range(3):
            await crash(tree, x)
        heard = [await stream.receive() for _ in range(5)]
        await crash(tree, x)
        heard.append(await stream.receive())
    assert names(heard) == ["EventsLost", "ChildStarted", *ENDS, "ChildExited"]
    assert heard[0] == EventsLost("root", 1, 0.0, 5)
    assert [event.incarnation for event in heard[1:]] == [3, 3, 3, 4, 4]


@virtual
async def test_a_reader_that_waits_is_woken_and_may_be_cancelled() -> None:
    x = child(Child, Story(), name="x")
    async with open_tree(supervisor("root", x)) as tree:
        async with tree.events() as stream:
            with trio.move_on_after(1) as scope:
                await stream.receive()
            assert scope.cancelled_caught
            async with trio.open_nursery() as nursery:
                nursery.start_soon(crash, tree, x)
                assert names([await stream.receive()]) == ["ChildExited"]
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive()
        await stream.aclose()


@virtual
async def test_a_stream_of_a_tree_that_has_ended_ends_at_once() -> None:
    async with open_tree(supervisor("root")) as tree:
        pass
    with pytest.raises(trio.EndOfChannel):
        await tree.events().receive()


@pytest.mark.parametrize("capacity", [0, -1, 1.5, None])
@virtual
async def test_a_wrong_capacity_of_a_stream(capacity: int) -> None:
    async with open_tree(supervisor("root")) as tree:
        with pytest.raises(ValueError, match="write a whole number of 1 or more"):
            tree.events(capacity)


@virtual
async def test_reading_is_a_cancellation_point_also_where_events_wait() -> None:
    x = child(Child, Story(), name="x")
    async with open_tree(supervisor("root", x)) as tree, tree.events() as stream:
        await crash(tree, x)
        with trio.CancelScope() as scope:
            scope.cancel()
            await stream.receive()
        assert scope.cancelled_caught
        assert names([await stream.receive() for _ in range(3)]) == ENDS


def test_what_looks_into_a_tree_wants_a_running_one() -> None:
    spec: Any = supervisor("root")
    with pytest.raises(TypeError, match="is no running tree: pass what open_tree gave"):
        running_of(spec)


# --------------------------------------------------------------------------- history


@virtual
async def test_the_history_is_what_observers_heard_also_after_the_end() -> None:
    story = Story()
    x = child(Child, Story(), name="x")
    async with open_tree(supervisor("root", x), observers=[story]) as tree:
        await crash(tree, x)
        before = tree.history
        assert names(before) == names(story.events)
    assert names(tree.history) == names(story.events)
    assert names(tree.history)[: len(before)] == names(before)


# ---------------------------------------------------------------------------- alerts


@virtual
async def test_a_restart_rate_is_told_after_the_restart_that_reaches_it() -> None:
    story = Story()
    x = child(Child, Story(), name="x")
    spec = supervisor("root", x, intensity=9)
    async with open_tree(spec, observers=[story], restart_rate=2) as tree:
        story.forget()
        for _ in range(3):
            await crash(tree, x)
        await trio.sleep(100)
        for _ in range(2):
            await crash(tree, x)
        told = [*story.events]
    assert [event for event in told if isinstance(event, RestartRate)] == [
        RestartRate("root/x", 2, 0.0, 2.0),
        RestartRate("root/x", 5, 100.0, 2.0),
    ]
    assert names(told)[3:7] == [
        "ChildExited",
        "ChildRestarting",
        "RestartRate",
        "ChildStarted",
    ]


@virtual
async def test_serve_tree_takes_a_restart_rate() -> None:
    story = Story()
    x = child(Child, Story(), name="x")
    async with trio.open_nursery() as nursery:

        async def serve(task_status: trio.TaskStatus[Tree]) -> None:
            await serve_tree(
                supervisor("root", x),
                observers=[story],
                restart_rate=1,
                task_status=task_status,
            )

        tree = await nursery.start(serve)
        await crash(tree, x)
        nursery.cancel_scope.cancel()
    assert [event.per_minute for event in story.of(RestartRate)] == [1.0]


# -------------------------------------------------------------------------- timelines


def told(entries: tuple[TimelineEntry, ...]) -> list[str]:
    return [
        f"{entry.at:g} {entry.path} [{entry.incarnation}] {entry.what}"
        + ("" if entry.error is None else f" {type(entry.error).__name__}")
        for entry in entries
    ]


@virtual
async def test_an_escalation_carries_every_failure_at_each_level() -> None:
    x = child(Child, Story(), name="x")
    low = supervisor("low", x, intensity=1, period=10)
    spec = supervisor("root", supervisor("mid", low, intensity=0), intensity=0)
    story = Story()
    with pytest.raises(RestartLimitExceededError) as spent:
        async with open_tree(spec, observers=[story]) as tree:
            await trio.sleep(1)
            await crash(tree, x)
            await trio.sleep(20)
            for _ in range(2):
                await crash(tree, x)
                await trio.sleep(0.5)
    error = spent.value
    assert told(error.timeline) == [
        "21 root/mid/low/x [2] crashed on boom() Boom",
        "21 root/mid/low/x [2] restarts now (attempt 1 of 1)",
        "21.5 root/mid/low/x [3] crashed on boom() Boom",
        "21.5 root/mid/low [1] gives up RestartLimitExceededError",
        "21.5 root/mid [1] gives up RestartLimitExceededError",
    ]
    first, second = error.__notes__
    assert first.startswith("what led to it (local time, ")
    assert second == "levels passed: root/mid/low -> root/mid -> root"


def test_the_traceback_of_a_program_tells_the_whole_story() -> None:
    program = textwrap.dedent(
        """
        import trio
        from regrow import Actor, child, open_tree, supervisor

        class Parser(Actor):
            def parse(self, text: str) -> None:
                raise ValueError(f"bad header in {text!r}")

        parser = child(Parser)
        web = supervisor("web", parser, intensity=1)
        shop = supervisor("shop", supervisor("front", web, intensity=1), intensity=0)

        async def main() -> None:
            async with open_tree(shop) as tree:
                for number in range(4):
                    await tree[parser].cast(Parser.parse, f"file {number}")
                await trio.sleep_forever()

        trio.run(main)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    note = done.stderr[done.stderr.rindex("what led to it") :]
    lines = [
        re.sub(r"\d\d:\d\d:\d\d\.\d{3}", "TIME", line) for line in note.splitlines()
    ]
    lines = [re.sub(r"in [\d.e-]+ s, its", "in N s, its", line) for line in lines]
    crashed = (
        "  TIME  shop/front/web/parser [{}] crashed on parse('file {}'): "
        "ValueError: bad header in 'file {}'"
    )
    again = "  TIME  {} [{}] restarts now (attempt 1 of 1)"
    gives_up = "  TIME  {} [{}] gives up: {} in N s, its intensity is {} in 5 s"
    parser, web = "shop/front/web/parser", "shop/front/web"
    assert lines[1:] == [
        crashed.format(1, 0, 0),
        again.format(parser, 1),
        crashed.format(2, 1, 1),
        gives_up.format(web, 1, "2 restarts", 1),
        again.format(web, 1),
        crashed.format(3, 2, 2),
        again.format(parser, 3),
        crashed.format(4, 3, 3),
        gives_up.format(web, 2, "2 restarts", 1),
        gives_up.format("shop/front", 1, "2 restarts", 1),
        "levels passed: shop/front/web -> shop/front -> shop",
    ]


@virtual
async def test_a_start_that_fails_carries_what_happened_before() -> None:
    story = Story()
    good = child(Child, story, name="good")

    def bad() -> Child:
        raise Boom

    with pytest.raises(StartFailedError) as failed:
        async with open_tree(supervisor("root", good, child(bad, name="bad"))):
            raise AssertionError
    assert told(failed.value.timeline) == ["0 root/bad [1] did not start Boom"]
    (note,) = failed.value.__notes__
    assert re.search(
        r"\n  \d\d:\d\d:\d\d\.\d{3}  root/bad \[1\] did not start: Boom$", note
    )
