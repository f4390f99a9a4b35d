"""Answers that are exceptions, and answers that come later."""

import gc
import weakref
from functools import partial
from threading import Thread
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from regrow import (
    Actor,
    ActorCrashedError,
    AnswerDiscarded,
    Deferred,
    child,
    raises,
    supervisor,
)

from .trees import Boom, Story, open_tree, virtual


class Overdrawn(Exception):
    pass


class Locked(Exception):
    pass


class VeryLocked(Locked):
    pass


class Held(Deferred[str]):
    """One that can be referred to weakly."""


class Account(Actor):
    def __init__(self) -> None:
        self.held: list[Deferred[str]] = []
        self.one: Deferred[str] = Deferred()

    @raises(Overdrawn, Locked)
    async def withdraw(self, error: Exception) -> int:
        await trio.lowlevel.checkpoint()
        raise error

    @raises(KeyError)
    def sync(self) -> int:
        return {"a": 1}["b"]

    def later(self) -> Deferred[str]:
        self.held.append(Held())
        return self.held[-1]

    async def later_or_now(self, now: bool) -> Deferred[str] | str:
        return "now" if now else self.later()

    def answer(self, which: int, value: str) -> bool:
        return self.held[which].reply(value)

    def fail(self, which: int, error: BaseException) -> bool:
        return self.held[which].fail(error)

    def at_once(self) -> Deferred[str]:
        deferred = Deferred[str]()
        assert not deferred.done
        assert deferred.reply("at once")
        assert not deferred.reply("twice")
        assert deferred.done
        return deferred

    def the_same(self) -> Deferred[str]:
        return self.one

    def done(self) -> list[bool]:
        return [deferred.done for deferred in self.held]

    def drop(self) -> None:
        self.held.clear()


class Special(Account):
    @raises(Boom)
    async def withdraw(self, error: Exception) -> int:
        raise error

    def sync(self) -> int:
        raise KeyError("named by the base only")


# ------------------------------------------------------------------------------ raises


@virtual
async def test_a_named_exception_reaches_the_caller_as_it_is_and_the_actor_lives() -> (
    None
):
    story = Story()
    account = child(Account)
    async with open_tree(supervisor("root", account), observers=[story]) as tree:
        ref = tree[account]
        for error in (Overdrawn("500"), Locked(), VeryLocked()):
            with pytest.raises(type(error)) as caught:
                await ref.call(Account.withdraw, error)
            assert caught.value is error
            assert error.__cause__ is None
        with pytest.raises(KeyError):
            await ref.call(Account.sync)
        assert story.lines == ["root/account 1 up", "root 1 up"]


@virtual
async def test_any_other_exception_is_a_crash() -> None:
    account = child(Account)
    async with open_tree(supervisor("root", account)) as tree:
        for error in (Boom(), ExceptionGroup("mixed", [Overdrawn()])):
            with pytest.raises(ActorCrashedError) as caught:
                await tree[account].call(Account.withdraw, error)
            assert caught.value.__cause__ is error


@virtual
async def test_an_override_answers_with_what_it_names_and_what_the_base_names() -> None:
    special = child(Special)
    async with open_tree(supervisor("root", special)) as tree:
        ref = tree.ref("root/special", Account)
        for error in (Boom(), Overdrawn()):
            with pytest.raises(type(error)):
                await ref.call(Account.withdraw, error)
        with pytest.raises(KeyError):
            await ref.call(Account.sync)
        # Asked as its own method, it answers the same.
        with pytest.raises(Boom):
            await tree[special].call(Special.withdraw, Boom())
        with pytest.raises(Overdrawn):
            await tree[special].call(Special.withdraw, Overdrawn())
        with pytest.raises(ActorCrashedError):
            await tree[special].call(Special.withdraw, ValueError())


@virtual
async def test_a_named_exception_on_a_cast_is_an_event() -> None:
    story = Story()
    account = child(Account)
    async with open_tree(supervisor("root", account), observers=[story]) as tree:
        error = Overdrawn("500")
        await tree[account].cast(Account.withdraw, error)
        await wait_all_tasks_blocked()
        assert story.of(AnswerDiscarded) == [
            AnswerDiscarded("root/account", 1, 0.0, "withdraw", error)
        ]
        assert tree.snapshot().find("root/account").incarnation == 1


@pytest.mark.parametrize(
    ("exceptions", "text"),
    [
        ((), "@raises names no exception: write @raises(KeyError), or leave it out"),
        (
            (3,),
            "@raises takes exception classes, as in @raises(KeyError): 3",
        ),
        (
            (KeyboardInterrupt,),
            (
                "@raises takes exception classes, as in @raises(KeyError): "
                "<class 'KeyboardInterrupt'>"
            ),
        ),
    ],
)
def test_what_raises_refuses(exceptions: Any, text: str) -> None:
    with pytest.raises(TypeError) as caught:
        raises(*exceptions)
    assert str(caught.value) == text


# ---------------------------------------------------------------------------- deferred


@virtual
async def test_a_deferred_answer_comes_later_and_the_actor_goes_on_meanwhile() -> None:
    account = child(Account)
    async with open_tree(supervisor("root", account)) as tree:
        ref = tree[account]
        got: dict[str, str] = {}

        async def ask(name: str) -> None:
            got[name] = await ref.call(Account.later)

        async with trio.open_nursery() as nursery:
            for name in ("a", "b"):
                nursery.start_soon(ask, name)
                await wait_all_tasks_blocked()
            assert await ref.call(Account.done) == [False, False]
            assert await ref.call(Account.answer, 1, "for b")
            await wait_all_tasks_blocked()
            assert got == {"b": "for b"}
            assert await ref.call(Account.answer, 0, "for a")
        assert got == {"a": "for a", "b": "for b"}
        assert not await ref.call(Account.answer, 0, "again")
        assert await ref.call(Account.done) == [True, True]


@virtual
async def test_a_method_may_answer_now_or_later() -> None:
    account = child(Account)
    async with open_tree(supervisor("root", account)) as tree:
        ref = tree[account]
        assert await ref.call(Account.later_or_now, True) == "now"
        assert await ref.call(Account.at_once) == "at once"
        with trio.move_on_after(1) as scope:
            await ref.call(Account.later_or_now, False)
        assert scope.cancelled_caught


@virtual
async def test_a_deferred_answer_may_be_an_exception() -> None:
    account = child(Account)
    async with open_tree(supervisor("root", account)) as tree:
        ref = tree[account]

        async def ask() -> None:
            with pytest.raises(Boom, match="later"):
                await ref.call(Account.later)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            assert await ref.call(Account.fail, 0, Boom("later"))
        assert tree.snapshot().find("root/account").incarnation == 1


@virtual
async def test_a_deferred_answer_can_be_given_from_any_task() -> None:
    account = child(Account)
    async with open_tree(supervisor("root", account)) as tree:
        ref = tree[account]
        place = ref._to
        assert place is not None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(ref.call, Account.later))
            await wait_all_tasks_blocked()
            life: Any = place.actor_life
            assert life.actor.held[0].reply("from the body")


@virtual
async def test_a_deferred_answer_from_another_thread_is_refused_and_harms_nobody() -> (
    None
):
    account = child(Account)
    async with open_tree(supervisor("root", account)) as tree:
        ref = tree[account]
        got: list[str] = []

        async def ask() -> None:
            got.append(await ref.call(Account.later))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            place = ref._to
            assert place is not None
            life: Any = place.actor_life
            held = life.actor.held[0]
            errors: list[str] = []

            def elsewhere() -> None:
                try:
                    held.reply("from a thread")
                except RuntimeError as error:
                    errors.append(str(error))

            thread = Thread(target=elsewhere)
            thread.start()
            thread.join()
            assert errors == ["must be called from async context"]
            assert not held.done
            assert await ref.call(Account.answer, 0, "from its own task")
        assert got == ["from its own task"]


@virtual
async def test_an_answer_to_a_caller_that_gave_up_goes_nowhere() -> None:
    account = child(Account)
    async with open_tree(supervisor("root", account)) as tree:
        ref = tree[account]
        with trio.move_on_after(1):
            await ref.call(Account.later)
        assert await ref.call(Account.done) == [True]
        assert not await ref.call(Account.answer, 0, "too late")


@virtual
async def test_a_deferred_answer_to_a_cast_goes_nowhere() -> None:
    account = child(Account)
    async with open_tree(supervisor("root", account)) as tree:
        ref = tree[account]
        await ref.cast(Account.later)
        assert not await ref.call(Account.answer, 0, "nobody asked")


@virtual
async def test_a_deferred_answers_one_call() -> None:
    account = child(Account)
    async with open_tree(supervisor("root", account)) as tree:
        ref = tree[account]
        got: list[BaseException | None] = []

        async def ask() -> None:
            with pytest.raises(ActorCrashedError) as caught:
                await ref.call(Account.the_same)
            got.append(caught.value.__cause__)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(ask)
        assert [str(error) for error in got] == [
            "this Deferred answers another call already: make one for each call"
        ] * 2


@virtual
async def test_what_nobody_waits_for_any_more_is_not_held() -> None:
    account = child(Account)
    async with open_tree(supervisor("root", account)) as tree:
        ref = tree[account]
        place = ref._to
        assert place is not None
        life: Any = place.actor_life
        for _ in range(100):
            with trio.move_on_after(1):
                await ref.call(Account.later)
        held = [weakref.ref(deferred) for deferred in life.actor.held]
        await ref.call(Account.drop)
        gc.collect()
        assert [each() for each in held] == [None] * 100
        assert not life._deferred
