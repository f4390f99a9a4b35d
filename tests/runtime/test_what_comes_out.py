"""What comes out of `open_tree`, for each end of the block with each end of the tree."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from regrow import (
    Actor,
    ActorCrashedError,
    ActorStoppedError,
    RestartLimitExceededError,
    Shutdown,
    StartFailedError,
    Supervisor,
    Tree,
    child,
    supervisor,
)

from .trees import Boom, Child, Story, open_tree, play, virtual


def shape(error: BaseException | None) -> str:
    """Give an exception as text: its type, and for a group those inside."""
    if error is None:
        return "nothing"
    if isinstance(error, BaseExceptionGroup):
        return f"[{', '.join(shape(inner) for inner in error.exceptions)}]"
    return type(error).__name__


# ------------------------------------------------------------------- ends of the tree


async def crash_at_one() -> None:
    await trio.sleep(1)
    raise Boom


async def exit_at_one() -> None:
    await trio.sleep(1)
    raise SystemExit(3)


async def end_at_one() -> None:
    await trio.sleep(1)


class Unwilling(Actor):
    def __init__(self) -> None:
        raise Boom


def lasting() -> Supervisor:
    return supervisor("root", child(Child, Story(), name="a"))


def giving_up() -> Supervisor:
    a = child(Child, Story(), name="a")
    return supervisor("root", a, child(crash_at_one), intensity=0)


def exiting() -> Supervisor:
    return supervisor("root", child(Child, Story(), name="a"), child(exit_at_one))


def ending() -> Supervisor:
    last = child(end_at_one, restart="temporary", significant=True)
    a = child(Child, Story(), name="a")
    return supervisor("root", a, last, auto_shutdown="any_significant")


# ------------------------------------------------------------------ ends of the block


async def returns(tree: Tree) -> None:
    """Ends after the tree, whoever cancels it."""
    with trio.move_on_after(2, shield=True):
        await tree.wait_stopped()


async def raises(tree: Tree) -> None:
    await returns(tree)
    raise ValueError("of the block")


async def waits(tree: Tree) -> None:
    await trio.sleep_forever()


async def calls(tree: Tree) -> None:
    """Is refused by the tree, once that is over."""
    await returns(tree)
    with trio.CancelScope(shield=True):
        await tree.ref("root/a", Child).call(Child.throw, Boom("for the block"))


async def calls_among_others(tree: Tree) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(raises, tree)
        nursery.start_soon(calls, tree)


async def calls_only_in_a_group(tree: Tree) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waits, tree)
        nursery.start_soon(calls, tree)


async def calls_another_tree(tree: Tree) -> None:
    async with open_tree(lasting()) as other:
        ref = other.ref("root/a", Child)
    await returns(tree)
    with trio.CancelScope(shield=True):
        await ref.call(Child.ping)


async def wraps_the_call(tree: Tree) -> None:
    try:
        await calls(tree)
    except (ActorStoppedError, ActorCrashedError) as refused:
        raise ValueError("of the block") from refused


async def exits(tree: Tree) -> None:
    await returns(tree)
    raise SystemExit(4)


async def shuts_down(tree: Tree) -> None:
    """In a block this is an exception like any other."""
    await returns(tree)
    raise Shutdown


Block = Callable[[Tree], Awaitable[None]]


TABLE: list[tuple[Block, Callable[[], Supervisor], str]] = [
    # A tree that does not fail: whatever the block does comes out as it is.
    (returns, lasting, "nothing"),
    (raises, lasting, "ValueError"),
    (waits, lasting, "nothing"),  # the scope around it takes what comes out
    (calls, lasting, "ActorCrashedError"),
    (calls_among_others, lasting, "[ValueError, ActorCrashedError]"),
    (calls_another_tree, lasting, "ActorStoppedError"),
    (exits, lasting, "SystemExit"),
    (shuts_down, lasting, "Shutdown"),
    # It has ended by itself: no failure either.
    (returns, ending, "nothing"),
    (raises, ending, "ValueError"),
    (waits, ending, "nothing"),
    (calls, ending, "ActorStoppedError"),
    (calls_among_others, ending, "[ValueError, ActorStoppedError]"),
    (calls_another_tree, ending, "ActorStoppedError"),
    (exits, ending, "SystemExit"),
    # The root gives up: that is what comes out, and a group only if both failed.
    (returns, giving_up, "RestartLimitExceededError"),
    (raises, giving_up, "[ValueError, RestartLimitExceededError]"),
    (waits, giving_up, "RestartLimitExceededError"),
    (calls, giving_up, "RestartLimitExceededError"),
    (calls_among_others, giving_up, "[[ValueError], RestartLimitExceededError]"),
    (calls_only_in_a_group, giving_up, "RestartLimitExceededError"),
    (calls_another_tree, giving_up, "[ActorStoppedError, RestartLimitExceededError]"),
    (wraps_the_call, giving_up, "[ValueError, RestartLimitExceededError]"),
    (exits, giving_up, "[SystemExit, RestartLimitExceededError]"),
    (shuts_down, giving_up, "[Shutdown, RestartLimitExceededError]"),
    # A child exits the program.
    (returns, exiting, "SystemExit"),
    (raises, exiting, "[ValueError, SystemExit]"),
    (waits, exiting, "SystemExit"),
    (calls, exiting, "SystemExit"),
    (calls_among_others, exiting, "[[ValueError], SystemExit]"),
    (calls_another_tree, exiting, "[ActorStoppedError, SystemExit]"),
    (exits, exiting, "[SystemExit, SystemExit]"),
]


def comes_out(
    block: Block, spec: Supervisor, *, cancelled_at: float
) -> tuple[str, str]:
    """Give what comes out of `open_tree`, and of a scope around it that is cancelled."""
    inside: list[BaseException | None] = []

    async def main() -> BaseException | None:
        try:
            with trio.CancelScope(deadline=cancelled_at):
                try:
                    async with open_tree(spec) as tree:
                        await block(tree)
                except BaseException as error:
                    inside.append(error)
                    raise
        except BaseException as error:  # noqa: BLE001 - it is what is asked for
            return error
        return None

    outside = play(main)
    return shape(inside[0] if inside else None), shape(outside)


@pytest.mark.parametrize(("block", "tree", "expected"), TABLE)
def test_what_comes_out(
    block: Block, tree: Callable[[], Supervisor], expected: str
) -> None:
    # Blocks that wait for ever end by the scope around, long after the others are over.
    _, outside = comes_out(block, tree(), cancelled_at=9)
    assert _sorted(outside) == _sorted(expected)


def _sorted(shown: str) -> str:
    """Put the parts of an innermost group in order: a nursery gives them in any."""
    if not shown.startswith("[") or "[[" in shown:
        return shown
    return f"[{', '.join(sorted(shown[1:-1].split(', ')))}]"


@pytest.mark.parametrize(
    ("block", "tree", "expected"),
    [
        # Cancelled from around before the tree fails: it cannot fail any more.
        (waits, lasting, ("Cancelled", "nothing")),
        (waits, giving_up, ("Cancelled", "nothing")),
        (waits, exiting, ("Cancelled", "nothing")),
        (waits, ending, ("Cancelled", "nothing")),
        (raises, lasting, ("ValueError", "ValueError")),
        # The block waits until the tree has failed, in spite of the cancellation.
        (returns, giving_up, ("RestartLimitExceededError",) * 2),
        (raises, giving_up, ("[ValueError, RestartLimitExceededError]",) * 2),
        (calls, giving_up, ("RestartLimitExceededError",) * 2),
        (returns, exiting, ("SystemExit", "SystemExit")),
    ],
)
def test_what_comes_out_when_the_scope_around_is_cancelled(
    block: Block, tree: Callable[[], Supervisor], expected: tuple[str, str]
) -> None:
    assert comes_out(block, tree(), cancelled_at=0.5) == expected


# ----------------------------------------------------------------------- while starting


@virtual
async def test_a_failing_start_shows_the_childs_own_exception_and_the_way_to_it() -> (
    None
):
    story = Story()
    sub = supervisor("sub", child(Actor, name="b"), child(Unwilling))
    spec = supervisor("root", child(Child, story, name="a"), sub)
    with pytest.raises(StartFailedError) as failed:
        async with open_tree(spec, observers=[story]):
            raise AssertionError
    error = failed.value
    assert str(error) == (
        "'root/sub' did not start because 'root/sub/unwilling' did not (Boom). Mend the "
        "cause, or declare the child with start='retry' if it may come later."
    )
    assert (error.path, error.child_id) == ("root/sub", "sub")
    below = error.__cause__
    assert isinstance(below, StartFailedError)
    assert (below.path, below.child_id) == ("root/sub/unwilling", "unwilling")
    assert isinstance(below.__cause__, Boom)
    assert error.root_cause is below.__cause__
    assert error.failed_path == "root/sub/unwilling"
    assert error.__context__ is None
    assert story.lines == [
        "root/a sets up",
        "root/a 1 up",
        "root/sub/b 1 up",
        "root/sub/unwilling 1 not started: Boom",
        "root/sub/b 1 shutdown when told",
        "root/sub 1 not started: StartFailedError",
        "root/a cleans up",
        "root/a is clean",
        "root/a 1 shutdown when told",
        "root 1 not started: StartFailedError",
    ]


@virtual
async def test_cancelled_while_starting_only_the_cancellation_comes_out() -> None:
    story = Story()
    slow = child(partial(Child, setup=5), story, name="a")
    with trio.move_on_after(1) as scope:
        async with open_tree(supervisor("root", slow), observers=[story]):
            raise AssertionError
    assert scope.cancelled_caught
    assert story.timed == [
        "0 root/a sets up",
        "1 root/a 1 not started: StartCancelledError",
        "1 root 1 not started: StartCancelledError",
    ]


@virtual
async def test_a_cleanup_that_fails_in_a_cancelled_start_stays_with_its_child() -> None:
    async def clumsy(*, task_status: trio.TaskStatus[object]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Boom

    story = Story()
    with trio.move_on_after(1) as scope:
        async with open_tree(supervisor("root", child(clumsy)), observers=[story]):
            raise AssertionError
    assert scope.cancelled_caught
    assert story.timed == [
        "1 root/clumsy 1 not started: Boom",
        "1 root 1 not started: StartCancelledError",
    ]


# ---------------------------------------------------------------- causes and contexts


@virtual
async def test_causes_and_contexts_are_those_of_the_exceptions_themselves() -> None:
    first, second = LookupError("first"), OSError("second")

    async def crashing() -> None:
        await trio.sleep(1)
        try:
            raise first
        except LookupError:
            raise Boom from second

    spec = supervisor("root", child(crashing), intensity=0)
    context = KeyError("of the block")
    with pytest.raises(BaseExceptionGroup) as both:
        async with open_tree(spec):
            try:
                await trio.sleep_forever()
            finally:
                try:
                    raise context
                except KeyError:
                    raise ValueError("block") from None
    block, tree = both.value.exceptions
    assert isinstance(block, ValueError)
    assert block.__context__ is context
    assert block.__cause__ is None
    assert isinstance(tree, RestartLimitExceededError)
    assert tree.__context__ is None
    boom = tree.__cause__
    assert isinstance(boom, Boom)
    assert boom.__cause__ is second
    assert boom.__context__ is first
    assert both.value.__context__ is None
    assert str(both.value) == "the block and the tree 'root' failed (2 sub-exceptions)"


@virtual
async def test_the_blocks_own_exception_is_the_very_one() -> None:
    error = ValueError("of the block")
    with pytest.raises(ValueError, match="of the block") as out:
        async with open_tree(lasting()):
            raise error
    assert out.value is error
    assert error.__context__ is None
    assert error.__traceback__ is not None
    assert "opening.py" not in str(error.__traceback__.tb_frame)


@virtual
async def test_a_group_of_the_block_keeps_all_but_what_follows_from_the_tree() -> None:
    group = ExceptionGroup("of the block", [ValueError(1), KeyError(2)])
    group.add_note("a note")
    with pytest.raises(BaseExceptionGroup) as both:
        async with open_tree(giving_up()) as tree:
            await returns(tree)
            raise group
    assert shape(both.value) == "[[ValueError, KeyError], RestartLimitExceededError]"
    kept = both.value.exceptions[0]
    assert str(kept) == "of the block (2 sub-exceptions)"
    assert kept.__notes__ == ["a note"]


# ------------------------------------------------------- when the block is cancelled


@virtual
async def test_the_block_is_cancelled_at_the_decision_before_any_child_is_stopped() -> (
    None
):
    story = Story()
    slow = child(partial(Child, cleanup=3), story, name="a")
    spec = supervisor("root", slow, child(crash_at_one), intensity=0)
    with pytest.raises(RestartLimitExceededError):
        async with open_tree(spec, observers=[story]) as tree:
            try:
                await trio.sleep_forever()
            finally:
                story.note("block is cancelled")
                with trio.CancelScope(shield=True):
                    await tree.wait_stopped()
                story.note("block ends")
    assert story.timed[:6] == [
        "0 root/a sets up",
        "0 root/a 1 up",
        "0 root/crash_at_one 1 up",
        "0 root 1 up",
        "1 root/crash_at_one 1 crashed: Boom",
        "1 root 1 gives up",
    ]
    assert sorted(story.timed[6:8]) == ["1 block is cancelled", "1 root/a cleans up"]
    assert story.timed[8:] == [
        "4 root/a is clean",
        "4 root/a 1 shutdown when told",
        "4 root 1 crashed: RestartLimitExceededError",
        "4 block ends",
    ]


@virtual
async def test_a_tree_that_fails_before_the_block_begins() -> None:
    async def at_once() -> None:
        raise Boom

    entered = []
    with pytest.raises(RestartLimitExceededError):
        async with open_tree(supervisor("root", child(at_once), intensity=0)):
            entered.append(True)
            await trio.sleep_forever()
    with pytest.raises(SystemExit):
        async with open_tree(supervisor("root", child(partial(exit_now, 5), name="x"))):
            entered.append(True)
            await trio.sleep_forever()


async def exit_now(code: int) -> None:
    raise SystemExit(code)


@virtual
async def test_a_second_fatal_exception_while_stopping_does_not_hide_the_first() -> (
    None
):
    async def exiting_again() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise SystemExit(8)

    story = Story()
    spec = supervisor("root", child(exiting_again), child(exit_at_one))
    with pytest.raises(SystemExit) as out:
        async with open_tree(spec, observers=[story]):
            await trio.sleep_forever()
    assert out.value.code == 3
    assert story.lines[-3:] == [
        "root/exit_at_one 1 crashed: SystemExit",
        "root/exiting_again 1 crashed when told: SystemExit",
        "root 1 shutdown when told",
    ]


@virtual
async def test_cancelled_while_a_failed_start_is_cleaned_up_the_failure_comes_out() -> (
    None
):
    story = Story()
    slow = child(partial(Child, cleanup=2), story, name="a")
    with pytest.raises(StartFailedError), trio.move_on_after(1):
        async with open_tree(
            supervisor("root", slow, child(Unwilling)), observers=[story]
        ):
            raise AssertionError
    assert story.timed[2:] == [
        "0 root/unwilling 1 not started: Boom",
        "0 root/a cleans up",
        "2 root/a is clean",
        "2 root/a 1 shutdown when told",
        "2 root 1 not started: StartFailedError",
    ]


@virtual
async def test_the_call_that_met_what_exits_the_program_is_no_second_failure() -> None:
    with pytest.raises(SystemExit) as out:
        async with open_tree(lasting()) as tree:
            await tree.ref("root/a", Child).call(Child.throw, SystemExit(5))
    assert out.value.code == 5


@virtual
async def test_a_request_to_a_supervisor_of_a_failed_tree_is_no_second_failure() -> (
    None
):
    with pytest.raises(RestartLimitExceededError):
        async with open_tree(giving_up()) as tree:
            await returns(tree)
            with trio.CancelScope(shield=True):
                await tree.supervisor("root").start_child(child(Actor, name="late"))
