"""Whatever an actor hangs in, it is named with the file and the line, within its deadline."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

import pytest
import trio
import trio.testing

from regrow import (
    Actor,
    ChildExited,
    ChildStarted,
    ChildStuck,
    Event,
    Heartbeat,
    HeartbeatMissed,
    HeartbeatMissedError,
    LoopBlocked,
    child,
    supervisor,
)

from .test_stuck import line_of
from .test_watchdog import recorded
from .trees import Story, open_tree, virtual


class Hanging(Actor):
    """Hangs in what it is told to."""

    def __init__(self, release: threading.Event) -> None:
        self.release = release

    async def in_await(self) -> None:
        await trio.sleep_forever()  # hangs

    async def in_shield(self, wait: Callable[[], Awaitable[object]]) -> None:
        with trio.CancelScope(shield=True):
            await wait()  # hangs

    async def in_thread(self) -> None:
        await trio.to_thread.run_sync(self.release.wait, 30)  # hangs

    def in_sync(self) -> None:
        assert self.release.wait(30)  # hangs


def names(events: Sequence[Event]) -> Iterator[tuple[str, str]]:
    """Give each place with the innermost line of its stack that is in this file."""
    for event in events:
        assert isinstance(event, HeartbeatMissed | ChildStuck | LoopBlocked)
        yield event.path, [text for text in event.stack if __file__ in text][-1]


@pytest.mark.slow
def test_each_of_four_is_named_with_its_line() -> None:
    """At twenty seconds a second, as a thread and a blocked loop take real time."""
    release = threading.Event()
    story = Story()
    stuck, gate = trio.Event(), trio.Event()
    found: dict[str, str] = {}

    def watch(event: Event) -> None:
        if isinstance(event, ChildStuck):
            found.update(names([event]))
            if len(found) == 2:
                stuck.set()

    makes = {
        name: child(Hanging, release, name=name, heartbeat=Heartbeat(1, 1))
        for name in ("in_await", "in_shield", "in_thread", "in_sync")
    }
    spec = supervisor("root", *makes.values())

    async def main() -> None:
        async with open_tree(spec, observers=[story, watch], watchdog=0.05) as tree:
            await tree[makes["in_await"]].cast(Hanging.in_await)
            await tree[makes["in_shield"]].cast(Hanging.in_shield, gate.wait)
            await tree[makes["in_thread"]].cast(Hanging.in_thread)
            await stuck.wait()
            tree[makes["in_sync"]].cast_nowait(Hanging.in_sync)
            await trio.testing.wait_all_tasks_blocked()
            gate.set()
            tree.kill()

    with recorded() as records:
        records.came = release
        trio.run(main, clock=trio.testing.MockClock(rate=20))
    told = [text for text in records.texts if " blocks the event loop " in text]
    lines = {
        name: f"{line_of(getattr(Hanging, name), '# hangs')} in {name}"
        for name in makes
    }
    missed = dict(names(story.of(HeartbeatMissed)))
    asleep = {f"root/{name}": lines[name] for name in makes if name != "in_sync"}
    assert missed == asleep
    assert found == {
        path: where for path, where in asleep.items() if path[5:] != "in_await"
    }
    assert told[0].partition("\n")[0].endswith(f", in {lines['in_sync']}")
    assert told[0].startswith("root/in_sync [1] ")
    assert dict(names(story.of(LoopBlocked))) == {"root/in_sync": lines["in_sync"]}
    # Asked at one second, missed at two, whatever the machine adds.
    assert all(2 <= event.at < 100 for event in story.of(HeartbeatMissed))
    again = [event.path for event in story.of(ChildStarted) if event.incarnation == 2]
    assert again[0] == "root/in_await"
    for path in asleep:
        first = next(end for end in story.of(ChildExited) if end.path == path)
        assert isinstance(first.error, HeartbeatMissedError)


@virtual
async def test_the_times_are_exact_and_the_first_is_replaced() -> None:
    story = Story()
    makes = [
        child(Hanging, threading.Event(), name=name, heartbeat=Heartbeat(3, 2))
        for name in ("in_await", "in_shield")
    ]
    async with open_tree(supervisor("root", *makes), observers=[story]) as tree:
        story.forget()
        await tree[makes[0]].cast(Hanging.in_await)
        await tree[makes[1]].cast(Hanging.in_shield, partial(trio.sleep, 20.5))
        await trio.sleep(21)
        lines = [text for text in story.timed if "dead letter" not in text]
        assert lines == [
            "5 root/in_await 1 heartbeat missed",
            "5 root/in_shield 1 heartbeat missed",
            "5 root/in_await 1 crashed: HeartbeatMissedError",
            "5 root/in_await 1 restarting",
            "5 root/in_await 2 up",
            "6 root/in_shield 1 stuck for 1 s",
            "8 root/in_shield 1 stuck for 3 s",
            "12 root/in_shield 1 stuck for 7 s",
            "20 root/in_shield 1 stuck for 15 s",
            "20.5 root/in_shield 1 crashed: HeartbeatMissedError",
            "20.5 root/in_shield 1 restarting",
            "20.5 root/in_shield 2 up",
        ]
    for event in story.of(ChildExited):
        if isinstance(event.error, HeartbeatMissedError):
            name = event.path[5:]
            hangs = line_of(getattr(Hanging, name), "# hangs")
            assert event.error.where == f"{hangs} in {name}"
            assert f"{hangs} in {name}" in str(event.error)
