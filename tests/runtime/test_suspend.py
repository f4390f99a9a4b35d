"""An actor that begins no message for a while (as `sys:suspend`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from hypothesis import given, settings, strategies as st
from trio.testing import wait_all_tasks_blocked

from regrow import (
    Actor,
    ActorResumed,
    ActorStoppedError,
    ActorSuspended,
    Backoff,
    Mailbox,
    MailboxFullError,
    NotRunningError,
    Ref,
    UnboundRefError,
    child,
    supervisor,
)

from .trees import Child, Story, open_tree, play, virtual


class Plain(Actor):
    """Has no lifespan, and so no scope until it awaits something."""

    def __init__(self) -> None:
        self.done: list[object] = []

    def note(self, what: object) -> list[object]:
        self.done.append(what)
        return self.done

    async def slowly(self, what: object) -> None:
        await trio.sleep(2)
        self.done.append(what)

    def suspend_itself(self) -> None:
        self.ref.suspend()
        self.done.append("suspended")

    def quit(self) -> None:
        self.stop()


class Careful(Actor):
    """Notes what it begins, and whether it was suspended then."""

    def __init__(self) -> None:
        self.begun: list[int] = []

    def note(self, number: int) -> list[int]:
        assert not self.ref.suspended
        self.begun.append(number)
        return self.begun

    async def slowly(self, number: int) -> None:
        self.note(number)
        await trio.sleep(0.75)


class Spanned(Plain):
    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        await trio.sleep(1)
        yield


class Failing(Plain):
    """Has a background task that fails in a while."""

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._fail)
            yield
            nursery.cancel_scope.cancel()

    async def _fail(self) -> None:
        await trio.sleep(5)
        raise ValueError


KINDS = pytest.mark.parametrize("kind", [Plain, Spanned])


@KINDS
@virtual
async def test_nothing_is_begun_until_it_is_resumed_and_then_all_in_order(
    kind: type[Plain],
) -> None:
    x = child(kind, name="x")
    story = Story()
    async with open_tree(supervisor("root", x), observers=[story]) as tree:
        ref = tree[x]
        story.forget()
        await ref.cast(Plain.note, 1)
        await wait_all_tasks_blocked()
        ref.suspend()
        begun = trio.current_time()
        assert ref.suspended
        for number in (2, 3):
            await ref.cast(Plain.note, number)
        async with trio.open_nursery() as nursery:
            answers: list[object] = []

            async def ask() -> None:
                answers.extend(await ref.call(Plain.note, 4))

            nursery.start_soon(ask)
            await trio.sleep(10)
            assert (answers, tree.snapshot("root/x").waiting) == ([], 3)
            ref.resume()
            assert not ref.suspended
        assert answers == [1, 2, 3, 4]
    assert story.events[:2] == [
        ActorSuspended("root/x", 1, begun),
        ActorResumed("root/x", 1, begun + 10),
    ]


@virtual
async def test_the_message_in_hand_is_finished() -> None:
    x = child(Plain, name="x")
    async with open_tree(supervisor("root", x)) as tree:
        ref = tree[x]
        await ref.cast(Plain.slowly, "slow")
        await ref.cast(Plain.note, "next")
        await trio.sleep(1)
        ref.suspend()
        assert tree.snapshot("root/x").handling == "slowly('slow')"
        await trio.sleep(9)
        place = tree.snapshot("root/x")
        assert (place.handling, place.waiting, place.suspended) == (None, 1, True)
        assert tree.state("root/x") == {"done": "['slow']"}
        ref.resume()
        assert await ref.call(Plain.note, "last") == ["slow", "next", "last"]


@virtual
async def test_a_message_that_a_waiting_actor_was_handed_is_not_begun_either() -> None:
    x = child(Plain, name="x")
    async with open_tree(supervisor("root", x)) as tree:
        ref = tree[x]
        await wait_all_tasks_blocked()
        ref.cast_nowait(Plain.note, 1)
        ref.suspend()
        ref.cast_nowait(Plain.note, 2)
        await trio.sleep(1)
        assert tree.state("root/x") == {"done": "[]"}
        ref.resume()
        assert await ref.call(Plain.note, 3) == [1, 2, 3]


@virtual
async def test_resumed_before_it_noticed_it_just_goes_on() -> None:
    x = child(Plain, name="x")
    async with open_tree(supervisor("root", x)) as tree:
        ref = tree[x]
        await wait_all_tasks_blocked()
        ref.suspend()
        ref.resume()
        ref.suspend()
        ref.suspend()  # counts once
        ref.resume()
        ref.resume()  # nothing more to resume
        assert await ref.call(Plain.note, 1) == [1]


@virtual
async def test_an_actor_may_suspend_itself() -> None:
    x = child(Plain, name="x")
    async with open_tree(supervisor("root", x)) as tree:
        ref = tree[x]
        await ref.call(Plain.suspend_itself)
        await ref.cast(Plain.note, 1)
        await trio.sleep(5)
        assert tree.state("root/x") == {"done": "['suspended']"}
        ref.resume()
        assert await ref.call(Plain.note, 2) == ["suspended", 1, 2]


@virtual
async def test_a_full_mailbox_does_as_it_does_always() -> None:
    raising = child(Plain, name="raising", mailbox=Mailbox(1, on_full="raise"))
    waiting = child(Plain, name="waiting", mailbox=Mailbox(1))
    meeting = child(Plain, name="meeting", mailbox=Mailbox(0))
    spec = supervisor("root", raising, waiting, meeting)
    async with open_tree(spec) as tree:
        await wait_all_tasks_blocked()
        for each in (raising, waiting, meeting):
            tree[each].suspend()
        await wait_all_tasks_blocked()
        tree[raising].cast_nowait(Plain.note, 1)
        with pytest.raises(MailboxFullError):
            tree[raising].cast_nowait(Plain.note, 2)
        await tree[waiting].cast(Plain.note, 1)
        for full in (waiting, meeting):
            with trio.move_on_after(5) as scope:
                await tree[full].cast(Plain.note, 2)
            assert scope.cancelled_caught
            tree[full].resume()
        assert await tree[waiting].call(Plain.note, 3) == [1, 3]
        assert await tree[meeting].call(Plain.note, 3) == [3]


@virtual
async def test_a_rendezvous_suspended_while_it_starts_makes_no_room() -> None:
    x = child(Spanned, name="x", mailbox=Mailbox(0), backoff=Backoff(0, jitter=0))
    async with open_tree(supervisor("root", x)) as tree:
        ref = tree[x]
        await ref.cast(Plain.quit)
        await trio.sleep(0.5)
        assert tree.snapshot("root/x").status == "starting"
        ref.suspend()
        await trio.sleep(1)
        place = tree.snapshot("root/x")
        assert (place.status, place.suspended) == ("running", True)
        with pytest.raises(MailboxFullError):
            ref.cast_nowait(Plain.note, 1)
        ref.resume()
        assert await ref.call(Plain.note, 2) == [2]


@KINDS
@pytest.mark.parametrize("shutdown", [0, 5])
@virtual
async def test_a_stop_works_as_always(kind: type[Plain], shutdown: float) -> None:
    x = child(kind, name="x", shutdown=shutdown)
    async with open_tree(supervisor("root", x)) as tree:
        ref = tree[x]
        ref.suspend()
        await wait_all_tasks_blocked()
        before = trio.current_time()

        async def refused() -> None:
            with pytest.raises(ActorStoppedError):
                await ref.call(Plain.note, 1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(refused)
            await wait_all_tasks_blocked()
            await tree.supervisor("root").terminate_child("x")
        assert trio.current_time() == before
        assert not ref.suspended
        ref.resume()  # nothing to resume
        await tree.supervisor("root").restart_child("x")
        assert await ref.call(Plain.note, 2) == [2]


@KINDS
@virtual
async def test_the_tree_may_be_cut_off_around_it(kind: type[Plain]) -> None:
    x = child(kind, name="x")
    async with open_tree(supervisor("root", x)) as tree:
        tree[x].suspend()
        await wait_all_tasks_blocked()
        tree.kill()
        await tree.wait_stopped()


@virtual
async def test_a_new_incarnation_is_not_suspended() -> None:
    x = child(Failing, name="x")
    async with open_tree(supervisor("root", x)) as tree:
        ref = tree[x]
        ref.suspend()
        await ref.cast(Plain.note, 1)
        await trio.sleep(4)
        assert (ref.suspended, tree.state("root/x")) == (True, {"done": "[]"})
        await trio.sleep(2)
        assert (ref.suspended, tree.state("root/x")) == (False, {"done": "[1]"})
        assert tree.snapshot("root/x").incarnation == 2


@virtual
async def test_one_that_ends_is_not_suspended_any_more() -> None:
    story = Story()
    x = child(partial(Child, cleanup=3), story, name="x", restart="transient")
    async with open_tree(supervisor("root", x), observers=[story]) as tree:
        ref = tree[x]
        await ref.cast(Child.end)
        await trio.sleep(1)
        ref.suspend()  # it is leaving already
        assert not ref.suspended
        await trio.sleep(3)
        assert tree.snapshot("root/x").status == "stopped"
    assert story.of(ActorSuspended) == []


@virtual
async def test_where_there_is_no_incarnation_there_is_nothing_to_suspend() -> None:
    x = child(Child, Story(), name="x", backoff=Backoff(initial=3, jitter=0))
    async with open_tree(supervisor("root", x)) as tree:
        ref = tree[x]
        await ref.cast(Child.boom)
        await trio.sleep(1)
        with pytest.raises(NotRunningError) as waits:
            ref.suspend()
        assert str(waits.value) == (
            "'root/x' is restarting, so there is nothing to suspend. Try again when "
            "tree.snapshot(path) says that it is running."
        )
        assert (waits.value.path, waits.value.status) == ("root/x", "restarting")
        ref.resume()
        assert not ref.suspended
    late: Ref[Child] = x.ref
    with pytest.raises(UnboundRefError):
        late.suspend()
    with pytest.raises(UnboundRefError):
        late.resume()
    with pytest.raises(UnboundRefError):
        _ = late.suspended


ACTS = st.sampled_from(["cast", "slow cast", "suspend", "resume", "block", "wait"])


@settings(max_examples=60, deadline=None)
@given(acts=st.lists(ACTS, max_size=25), capacity=st.sampled_from([0, 1, 1024]))
def test_whatever_is_done_no_message_is_begun_while_suspended_and_none_is_lost(
    acts: list[str], capacity: int
) -> None:
    async def main() -> None:
        x = child(Careful, name="x", mailbox=Mailbox(capacity))
        sent = 0
        suspended = False
        async with (
            open_tree(supervisor("root", x)) as tree,
            trio.open_nursery() as nursery,
        ):
            ref = tree[x]
            for act in acts:
                match act:
                    case "cast" | "slow cast":
                        method = Careful.slowly if act == "slow cast" else Careful.note
                        nursery.start_soon(ref.cast, method, sent)
                        sent += 1
                        # Else the senders themselves would come in any order.
                        await wait_all_tasks_blocked()
                    case "suspend":
                        ref.suspend()
                        suspended = True
                    case "resume":
                        ref.resume()
                        suspended = False
                    case "block":
                        await wait_all_tasks_blocked()
                    case _:
                        await trio.sleep(0.5)
                assert ref.suspended is suspended
            ref.resume()
            assert await ref.call(Careful.note, sent) == [*range(sent + 1)]
            assert tree.snapshot("root/x").restarts == 0

    play(main)
