"""What cannot be killed is told of, again and again, with where it waits (D7)."""

from __future__ import annotations

import inspect
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

import regrow
from regrow import Actor, ChildStuck, child, supervisor

from .trees import Story, open_tree, virtual


def line_of(function: object, text: str) -> str:
    """Give file and line of the one line of *function* that has *text*."""
    lines, first = inspect.getsourcelines(function)  # type: ignore[arg-type]
    (found,) = [number for number, line in enumerate(lines) if text in line]
    return f"{inspect.getsourcefile(function)}:{first + found}"  # type: ignore[arg-type]


async def sleeping(seconds: float) -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep(seconds)  # here


@virtual
async def test_a_shielded_service_is_told_of_until_it_is_gone() -> None:
    story = Story()
    spec = supervisor(
        "root", child(Actor, name="a"), child(sleeping, 200, name="s", shutdown=2)
    )
    async with open_tree(spec, observers=[story]):
        story.forget()
    assert story.timed == [
        "3 root/s 1 stuck for 1 s",
        "5 root/s 1 stuck for 3 s",
        "9 root/s 1 stuck for 7 s",
        "17 root/s 1 stuck for 15 s",
        "33 root/s 1 stuck for 31 s",
        "65 root/s 1 stuck for 63 s",
        "125 root/s 1 stuck for 123 s",
        "185 root/s 1 stuck for 183 s",
        "200 root/s 1 killed when told, unexpected",
        "200 root/a 1 shutdown when told",
        "200 root 1 shutdown when told",
    ]
    for event in story.of(ChildStuck):
        assert f"{line_of(sleeping, '# here')} in sleeping" in event.stack


@virtual
async def test_a_shielded_handler_and_both_halves_of_a_lifespan() -> None:
    class Stubborn(Actor):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            yield
            await sleeping(5)

        async def handle(self) -> None:
            await sleeping(5)

    class NeverUp(Actor):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            await sleeping(4.5)
            yield

    story = Story()
    stubborn = child(Stubborn, shutdown=1)
    async with open_tree(supervisor("root", stubborn), observers=[story]) as tree:
        await tree[stubborn].cast(Stubborn.handle)
        await trio.testing.wait_all_tasks_blocked()
        story.forget()
    assert story.timed == [
        "2 root/stubborn 1 stuck for 1 s",
        "4 root/stubborn 1 stuck for 3 s",
        "8 root/stubborn 1 stuck for 7 s",
        "10 root/stubborn 1 killed when told, unexpected",
        "10 root 1 shutdown when told",
    ]
    in_handler, _, in_second_half = story.of(ChildStuck)
    here = f"{line_of(sleeping, '# here')} in sleeping"
    assert here in in_handler.stack
    assert any(line.endswith(" in handle") for line in in_handler.stack)
    assert here in in_second_half.stack
    assert any(line.endswith(" in lifespan") for line in in_second_half.stack)
    story.forget()
    spec = supervisor("root", child(NeverUp, start_timeout=1, shutdown=1))
    with pytest.raises(regrow.StartFailedError):
        async with open_tree(spec, observers=[story]):
            raise AssertionError
    assert story.timed == [
        "13 root/never_up 1 stuck for 1 s",
        "14.5 root/never_up 1 not started: StartTimeoutError",
        "14.5 root 1 not started: StartFailedError",
    ]


@virtual
async def test_it_is_the_one_below_that_is_stuck_not_its_supervisors() -> None:
    story = Story()
    sub = supervisor("sub", child(sleeping, 3.5, name="s"))
    async with open_tree(supervisor("root", sub), observers=[story]) as tree:
        await trio.testing.wait_all_tasks_blocked()
        story.forget()
        tree.kill()
        await tree.wait_stopped()
    assert story.timed == [
        "1 root/sub/s 1 stuck for 1 s",
        "3 root/sub/s 1 stuck for 3 s",
        "3.5 root/sub/s 1 killed when told, unexpected",
        "3.5 root/sub 1 killed when told, unexpected",
        "3.5 root 1 killed when told, unexpected",
    ]


@virtual
async def test_a_stack_shows_the_tasks_below_a_child_in_a_fixed_order() -> None:
    async def deeper(name: str) -> None:
        await sleeping(4)

    async def nested() -> None:
        async with trio.open_nursery() as nursery:
            for name in ("x", "y", "z"):
                nursery.start_soon(deeper, name, name=f"task {name}")

    story = Story()
    async with open_tree(supervisor("root", child(nested)), observers=[story]) as tree:
        await trio.testing.wait_all_tasks_blocked()
        tree.kill()
    first, *others = story.of(ChildStuck)
    assert others
    assert all(event.stack == first.stack for event in others)
    named = [line for line in first.stack if line.startswith("task ")]
    assert named == ["task x:", "task y:", "task z:"]
    here = f"{line_of(sleeping, '# here')} in sleeping"
    assert first.stack.count(here) == 3
    assert any(line.endswith(" in nested") for line in first.stack)


@virtual
async def test_tasks_of_one_name_are_in_a_fixed_order_too() -> None:
    async def one_way() -> None:
        await sleeping(4)

    async def other_way() -> None:
        await sleeping(4)

    async def nested() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(20):
                function = one_way if number % 3 else other_way
                nursery.start_soon(function, name="task")

    story = Story()
    async with open_tree(supervisor("root", child(nested)), observers=[story]) as tree:
        await trio.testing.wait_all_tasks_blocked()
        tree.kill()
    ways = [line for line in story.of(ChildStuck)[0].stack if "_way" in line]
    assert [line.rpartition(" ")[2] for line in ways] == (
        ["one_way"] * 13 + ["other_way"] * 7
    )


@virtual
async def test_a_tree_inside_a_stuck_child_is_in_its_stack() -> None:
    async def with_a_tree() -> None:
        async with regrow.open_tree(
            supervisor("inner", child(sleeping, 3.5, name="s"))
        ):
            await trio.sleep_forever()

    story = Story()
    async with open_tree(
        supervisor("root", child(with_a_tree)), observers=[story]
    ) as tree:
        await trio.testing.wait_all_tasks_blocked()
        tree.kill()
    first = story.of(ChildStuck)[0]
    assert first.path == "root/with_a_tree"
    assert "inner/s:" in first.stack
    assert f"{line_of(sleeping, '# here')} in sleeping" in first.stack


@virtual
async def test_one_that_ends_in_time_is_not_told_of() -> None:
    story = Story()
    spec = supervisor("root", child(sleeping, 2.9, name="s", shutdown=2))
    async with open_tree(spec, observers=[story]):
        await trio.testing.wait_all_tasks_blocked()
        story.forget()
    assert story.timed == [
        "2.9 root/s 1 killed when told, unexpected",
        "2.9 root 1 shutdown when told",
    ]


@virtual
async def test_the_callers_of_a_stuck_child_are_not_kept_waiting_by_its_place() -> None:
    class Stubborn(Actor):
        async def handle(self) -> None:
            await sleeping(9)

    stubborn = child(Stubborn, shutdown=1)
    async with open_tree(supervisor("root", stubborn)) as tree:
        await tree[stubborn].cast(Stubborn.handle)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tree.stop)
            await trio.sleep(2)
            with trio.fail_after(0.1), pytest.raises(regrow.ActorStoppedError):
                await tree[stubborn].call(Stubborn.handle)


def test_a_thread_that_goes_on() -> None:
    """In real time, as virtual time would jump while the thread is busy."""
    release = threading.Event()
    story = Story()

    async def threaded() -> None:
        await trio.to_thread.run_sync(release.wait)  # here

    def letting_go(event: regrow.Event) -> None:
        if isinstance(event, ChildStuck):
            release.set()

    async def main() -> None:
        spec = supervisor("root", child(threaded, shutdown=0))
        async with open_tree(spec, observers=[story, letting_go]):
            await trio.testing.wait_all_tasks_blocked()
            story.forget()

    clock = trio.testing.MockClock(rate=1000)  # a second in a millisecond
    trio.run(main, clock=clock)
    assert story.lines[0].startswith("root/threaded 1 stuck for ")
    assert story.lines[-2:] == [
        "root/threaded 1 killed when told",
        "root 1 shutdown when told",
    ]
    event = story.of(ChildStuck)[0]
    assert event.waited >= 1
    assert any(line.endswith(" in threaded") for line in event.stack)
    assert any("to_thread_run_sync" in line for line in event.stack)


@virtual
async def test_the_log_tells_where_it_waits(caplog: pytest.LogCaptureFixture) -> None:
    spec = supervisor("root", child(sleeping, 1.5, name="s", shutdown=0))
    async with open_tree(spec):
        await trio.testing.wait_all_tasks_blocked()
    (record,) = [r for r in caplog.records if r.levelname == "ERROR"]
    text = record.getMessage()
    assert text.startswith(
        "root/s [1] was cut off 1 s ago and is still there, waiting in\n"
    )
    assert f"\n  {line_of(sleeping, '# here')} in sleeping\n" in text
