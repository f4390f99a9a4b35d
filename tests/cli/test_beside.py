"""What runs beside a tree that is the whole program: from its start until its end."""

import signal
from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from regrow import Backoff, StartFailedError, Supervisor, Tree, child, supervisor
from regrow.cli._beside import Beside, run_beside


async def quiet() -> None:
    await trio.sleep_forever()


async def slow(task_status: trio.TaskStatus[None]) -> None:
    await trio.sleep(10)
    task_status.started()
    await trio.sleep_forever()


async def without_end(task_status: trio.TaskStatus[None]) -> None:
    del task_status
    await trio.sleep_forever()


async def failing(task_status: trio.TaskStatus[None]) -> None:
    del task_status
    await trio.sleep(10)
    raise OSError("no such database")


class Clumsy(BaseException):
    """What stops a program."""


async def clumsy(task_status: trio.TaskStatus[None]) -> None:
    del task_status
    await trio.sleep(10)
    raise Clumsy


def run(spec: Supervisor, beside: Sequence[Beside]) -> None:
    trio.run(run_beside, spec, beside, clock=MockClock(autojump_threshold=0))


def statuses(tree: Tree) -> dict[str, str]:
    return {place.name: place.status for place in tree.snapshot().walk()}


def test_it_is_given_the_tree_and_cancelled_when_that_has_ended() -> None:
    seen: list[str] = []

    async def look(tree: Tree) -> None:
        seen.append(tree.path)
        try:
            signal.raise_signal(signal.SIGINT)
            await tree.wait_stopped()
            seen.append("stopped")
            await trio.sleep_forever()
        finally:
            seen.append("cancelled")

    run(supervisor("app", child(quiet)), [look])
    assert seen == ["app", "stopped", "cancelled"]


def test_it_sees_the_tree_start() -> None:
    seen: list[dict[str, str]] = []

    async def look(tree: Tree) -> None:
        await trio.sleep(5)
        seen.append(statuses(tree))
        await trio.sleep(10)
        seen.append(statuses(tree))
        await tree.stop()

    run(supervisor("app", child(quiet), child(slow), child(quiet, name="last")), [look])
    assert seen == [
        {"app": "starting", "quiet": "running", "slow": "starting", "last": "starting"},
        {"app": "running", "quiet": "running", "slow": "running", "last": "running"},
    ]


def test_it_sees_what_is_tried_again_and_again() -> None:
    seen: list[dict[str, str]] = []

    async def look(tree: Tree) -> None:
        for at in (15, 25):
            await trio.sleep_until(at)
            seen.append(statuses(tree))
        await tree.stop()

    backoff = Backoff(initial=10, maximum=10, jitter=0)
    again = child(failing, start="retry", backoff=backoff)
    run(supervisor("app", again, child(quiet)), [look])
    assert seen == [
        {"app": "running", "failing": "restarting", "quiet": "running"},
        {"app": "running", "failing": "starting", "quiet": "running"},
    ]


def test_a_start_that_fails_comes_out_bare_when_all_beside_it_has_ended() -> None:
    seen: list[object] = []

    async def look(tree: Tree) -> None:
        try:
            await tree.wait_stopped()
            seen.append(trio.current_time())
            await trio.sleep_forever()
        finally:
            seen.append("closed")

    with pytest.raises(StartFailedError) as caught:
        run(supervisor("app", child(failing)), [look, look])
    assert seen == [10.0, 10.0, "closed", "closed"]
    assert caught.value.path == "app/failing"
    assert repr(caught.value.__cause__) == "OSError('no such database')"
    assert caught.value.__context__ is None


def test_what_no_supervisor_handles_comes_out_bare_too() -> None:
    async def look(tree: Tree) -> None:
        await tree.wait_stopped()
        await trio.sleep_forever()

    with pytest.raises(Clumsy):
        run(supervisor("app", child(clumsy)), [look])


def test_a_signal_while_the_tree_starts_ends_both_in_order() -> None:
    seen: list[object] = []

    async def look(tree: Tree) -> None:
        try:
            await trio.sleep(5)
            signal.raise_signal(signal.SIGTERM)
            await tree.wait_stopped()
            seen.append(trio.current_time())
            await trio.sleep_forever()
        finally:
            seen.append("closed")

    run(supervisor("app", child(quiet), child(without_end)), [look])
    assert seen == [5.0, "closed"]


def test_cancelled_while_it_starts_nothing_of_it_is_left() -> None:
    seen: list[object] = []

    async def look(tree: Tree) -> None:
        try:
            await trio.sleep_forever()
        finally:
            seen.append(("closed", trio.current_time()))

    async def lingering(task_status: trio.TaskStatus[None]) -> None:
        del task_status
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(3)
            seen.append(("ended", trio.current_time()))

    async def main() -> None:
        with trio.move_on_after(5) as scope:
            await run_beside(supervisor("app", child(lingering)), [look])
        seen.append(scope.cancelled_caught)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert seen == [("closed", 5.0), ("ended", 8.0), True]


def test_an_error_is_not_lost_for_a_cancellation_that_comes_meanwhile() -> None:
    async def look(tree: Tree) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)

    async def main() -> None:
        with trio.move_on_after(12):
            await run_beside(supervisor("app", child(failing)), [look])

    with pytest.raises(StartFailedError):
        trio.run(main, clock=MockClock(autojump_threshold=0))
