"""What runs beside a tree that is the whole program."""

import signal

import trio

from regrow import Tree, child, supervisor
from regrow.cli._beside import run_beside


async def quiet() -> None:
    await trio.sleep_forever()


async def stopped_while_starting(task_status: trio.TaskStatus[None]) -> None:
    signal.raise_signal(signal.SIGTERM)
    await trio.sleep_forever()


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

    trio.run(run_beside, supervisor("app", child(quiet)), [look])
    assert seen == ["app", "stopped", "cancelled"]


def test_a_signal_while_the_tree_starts_ends_it_before_anything_runs_beside() -> None:
    seen: list[Tree] = []

    async def look(tree: Tree) -> None:
        seen.append(tree)

    spec = supervisor("app", child(stopped_while_starting))
    trio.run(run_beside, spec, [look])
    assert seen == []
