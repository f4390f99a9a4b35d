"""Calls: the answer, the order, the arguments, giving up."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

import pytest
import trio
import trio.lowlevel
from attrs import define
from trio.testing import wait_all_tasks_blocked

from regrow import (
    Actor,
    ActorCrashedError,
    ActorStoppedError,
    MessageError,
    Ref,
    UnboundRefError,
    child,
    supervisor,
)

from .trees import Boom, Story, open_tree, virtual

P = ParamSpec("P")
T = TypeVar("T")


def decorated(method: Any) -> Any:
    @wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return ("decorated", method(*args, **kwargs))

    return wrapper


def renamed(method: Any) -> Any:
    def wrapper(self: Any) -> Any:
        return ("renamed", method(self))

    return wrapper


class Base(Actor):
    def kind(self) -> str:
        return "base"

    def own(self) -> str:
        return "of the base"


@define
class Teller(Base):
    seen: list[object]

    def echo(self, value: object) -> object:
        self.seen.append(value)
        return value

    async def echo_later(self, value: object, *, seconds: float = 1) -> object:
        self.seen.append(value)
        await trio.sleep(seconds)
        return value

    def total(self, first: int, /, *rest: int, scale: int = 1) -> int:
        return (first + sum(rest)) * scale

    def kind(self) -> str:
        return "teller"

    def boom(self) -> None:
        raise Boom("bad")

    def breaks_inside(self) -> None:
        self.total("one", 2)  # type: ignore[arg-type]

    async def breaks_later(self) -> None:
        await trio.lowlevel.checkpoint()
        self.total()  # type: ignore[call-arg]

    @decorated
    def wrapped(self) -> str:
        return "x"

    @renamed
    def under_another_name(self) -> str:
        return "y"

    alias = echo

    @property
    def balance(self) -> int:
        return 0

    @staticmethod
    def alone() -> int:
        return 0

    @classmethod
    def of_the_class(cls) -> int:
        return 0

    limit = 3


@define
class Other(Actor):
    def echo(self, value: object) -> object:
        return value


def counter(seen: list[object]) -> Teller:
    """A factory that is no class: what it makes is known only when it has run."""
    return Teller(seen)


# ------------------------------------------------------------------------- the answer


@virtual
async def test_the_answer_is_what_the_method_returns() -> None:
    teller = child(Teller, [])
    async with open_tree(supervisor("root", teller)) as tree:
        ref = tree[teller]
        assert await ref.call(Teller.echo, 1) == 1
        assert await ref.call(Teller.echo, None) is None
        assert await ref.call(Teller.echo_later, "x", seconds=2) == "x"
        assert trio.current_time() == 2
        assert await ref.call(Teller.total, 1, 2, 3, scale=10) == 60
        assert await ref.call(Teller.alias, 4) == 4
        assert await ref.call(Teller.wrapped) == ("decorated", "x")
        assert await ref.call(Teller.under_another_name) == ("renamed", "y")


@virtual
async def test_an_override_answers_to_the_method_of_the_base() -> None:
    teller = child(Teller, [])
    async with open_tree(supervisor("root", teller)) as tree:
        base: Ref[Base] = tree.ref("root/teller", Base)
        assert await base.call(Base.kind) == "teller"
        assert await base.call(Base.own) == "of the base"
        assert await tree[teller].call(Teller.own) == "of the base"


@virtual
async def test_an_exception_is_an_answer_like_any_other_value() -> None:
    teller = child(Teller, [])
    async with open_tree(supervisor("root", teller)) as tree:
        answer = await tree[teller].call(Teller.echo, Boom("just a value"))
        assert isinstance(answer, Boom)


@virtual
async def test_messages_are_handled_one_at_a_time_in_the_order_sent() -> None:
    seen: list[object] = []
    teller = child(Teller, seen)
    async with open_tree(supervisor("root", teller)) as tree:
        ref = tree[teller]
        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(partial(ref.call, Teller.echo_later, number))
                await wait_all_tasks_blocked()
                await ref.cast(Teller.echo, f"cast {number}")
        assert trio.current_time() == 10
    expected = [each for number in range(10) for each in (number, f"cast {number}")]
    assert seen == expected


# ----------------------------------------------------------------- what is no message


class Motor(Actor):
    def stop(self) -> None:
        raise AssertionError

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        yield


@virtual
async def test_a_message_with_a_name_of_actor_is_told_to_take_another() -> None:
    motor = child(Motor)
    async with open_tree(supervisor("root", motor)) as tree:
        with pytest.raises(MessageError) as caught:
            await tree[motor].call(Motor.stop)
        assert str(caught.value) == (
            "message to 'root/motor': 'stop' is a name that Actor uses itself, so that of "
            "Motor is no message. Give it another name."
        )
        with pytest.raises(MessageError) as caught:
            await tree[motor].call(Motor.lifespan)
        assert str(caught.value) == (
            "message to 'root/motor': 'lifespan' is not for others to send. "
            "Pass a method of the actor's own."
        )


MISTAKES = [
    (
        Teller.balance,
        "a property is no message. Pass a method, as in ref.call(Account.deposit).",
    ),
    (
        Teller([]).echo,
        "a bound method is no message. Pass the function: ref.call(Account.deposit, 20).",
    ),
    (
        Teller.of_the_class,
        "a bound method is no message. Pass the function: ref.call(Account.deposit, 20).",
    ),
    ("echo", "'echo' is no message. Pass a method: ref.call(Account.deposit, 20)."),
    (None, "None is no message. Pass a method: ref.call(Account.deposit, 20)."),
    (3, "3 is no message. Pass a method: ref.call(Account.deposit, 20)."),
    (
        Other.echo,
        "'Other.echo' is no method of Teller. Pass a method of that class or its bases.",
    ),
    (
        Teller.alone,
        (
            "'Teller.alone' is no method of Teller. "
            "Pass a method of that class or its bases."
        ),
    ),
    (
        Teller,
        "'Teller' is no method of Teller. Pass a method of that class or its bases.",
    ),
    (
        print,
        "a bound method is no message. Pass the function: ref.call(Account.deposit, 20).",
    ),
    (
        Actor.stop,
        "'stop' is not for others to send. Pass a method of the actor's own.",
    ),
    (
        Actor.lifespan,
        "'lifespan' is not for others to send. Pass a method of the actor's own.",
    ),
    (
        Teller.__init__,
        "'__init__' is not for others to send. Pass a method of the actor's own.",
    ),
]


@pytest.mark.parametrize(("method", "text"), MISTAKES, ids=[t for _, t in MISTAKES])
@virtual
async def test_what_is_no_message_is_refused_before_it_is_sent(
    method: Any, text: str
) -> None:
    story = Story()
    teller = child(Teller, [])
    async with open_tree(supervisor("root", teller), observers=[story]) as tree:
        ref = tree[teller]
        for send in (ref.call, ref.cast):
            with pytest.raises(MessageError) as caught:
                await send(method)
            assert str(caught.value) == f"message to 'root/teller': {text}"
            assert isinstance(caught.value, TypeError)
        with pytest.raises(MessageError):
            ref.cast_nowait(method)
        assert await ref.call(Teller.echo, 1) == 1
    assert story.lines[:2] == ["root/teller 1 up", "root 1 up"]


@virtual
async def test_arguments_that_do_not_fit_are_the_senders_mistake() -> None:
    story = Story()
    teller = child(Teller, [])
    async with open_tree(supervisor("root", teller), observers=[story]) as tree:
        ref: Any = tree[teller]
        story.forget()
        with pytest.raises(MessageError) as caught:
            await ref.call(Teller.echo)
        assert str(caught.value) == (
            "message to 'root/teller': "
            "Teller.echo() missing 1 required positional argument: 'value'"
        )
        with pytest.raises(MessageError):
            await ref.call(Teller.echo_later, 1, minutes=1)
        await ref.cast(Teller.echo, 1, 2)
        assert await ref.call(Teller.echo, 1) == 1
        assert story.lines == [
            (
                "root/teller 1 dead letter echo: does not fit: "
                "Teller.echo() takes 2 positional arguments but 3 were given"
            )
        ]


@pytest.mark.parametrize("method", [Teller.breaks_inside, Teller.breaks_later])
@virtual
async def test_a_type_error_inside_the_method_is_a_crash(method: Any) -> None:
    teller = child(Teller, [])
    async with open_tree(supervisor("root", teller)) as tree:
        with pytest.raises(ActorCrashedError) as caught:
            await tree[teller].call(method)
        assert isinstance(caught.value.__cause__, TypeError)


# ------------------------------------------------- a class that is known only later


@virtual
async def test_the_class_that_a_function_makes_is_known_once_it_has_run() -> None:
    teller = child(counter, [])
    async with open_tree(supervisor("root", teller)) as tree:
        ref: Any = tree[teller]
        assert await ref.call(Teller.echo, 1) == 1
        with pytest.raises(MessageError):
            await ref.call(Other.echo, 1)


@virtual
async def test_what_was_sent_before_the_class_was_known_is_looked_at_then() -> None:
    story = Story()
    seen: list[object] = []
    late = child(counter, seen)
    refused: list[str] = []

    async def early(ref: Any, *, task_status: trio.TaskStatus[object]) -> None:
        async def send(method: Any) -> None:
            try:
                await ref.call(method, 1)
            except MessageError as error:
                refused.append(str(error))

        ref.cast_nowait(Other.echo, "the same name, another class")
        ref.cast_nowait(Teller.echo, "right")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, Other.echo)
            nursery.start_soon(send, Teller.echo)
            await wait_all_tasks_blocked()
            task_status.started()
            await trio.sleep_forever()

    spec = supervisor("root", child(early, late.ref), late)
    async with open_tree(spec, observers=[story]):
        await wait_all_tasks_blocked()
        text = (
            "'Other.echo' is no method of Teller. "
            "Pass a method of that class or its bases."
        )
        assert refused == [f"message to 'root/counter': {text}"]
        assert seen == ["right", 1]
        assert [line for line in story.lines if "dead letter" in line] == [
            f"root/counter 1 dead letter echo: does not fit: {text}"
        ]


@virtual
async def test_a_factory_may_make_another_class_the_next_time() -> None:
    kinds: list[type[Base]] = [Base, Teller]

    def make() -> Base:
        kind = kinds.pop(0)
        return Teller([]) if kind is Teller else kind()

    crash = trio.Event()

    class Crasher(Base):
        async def boom(self) -> None:
            await crash.wait()
            raise Boom

        def late(self) -> None: ...

    kinds[0] = Crasher
    base = child(make)
    async with open_tree(supervisor("root", base)) as tree:
        ref: Any = tree[base]
        answers: dict[Any, object] = {}

        async def ask(method: Any) -> None:
            try:
                answers[method] = await ref.call(method)
            except (MessageError, ActorCrashedError) as error:
                answers[method] = type(error).__name__

        async with trio.open_nursery() as nursery:
            for method in (Crasher.boom, Base.kind, Crasher.late):
                nursery.start_soon(ask, method)
                await wait_all_tasks_blocked()
            crash.set()
        assert answers == {
            Crasher.boom: "ActorCrashedError",
            Base.kind: "teller",
            Crasher.late: "MessageError",
        }


# --------------------------------------------------------------------------- giving up


@virtual
async def test_a_cancelled_call_takes_its_message_back() -> None:
    seen: list[object] = []
    teller = child(Teller, seen)
    async with open_tree(supervisor("root", teller)) as tree:
        ref = tree[teller]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(ref.call, Teller.echo_later, 1, seconds=5))
            await wait_all_tasks_blocked()
            with trio.move_on_after(1) as scope:
                await ref.call(Teller.echo, 2)
            assert scope.cancelled_caught
            assert tree.snapshot().find("root/teller").waiting == 0
        assert await ref.call(Teller.echo, 3) == 3
    assert seen == [1, 3]


@virtual
async def test_a_late_reply_vanishes_and_does_not_answer_the_next_call() -> None:
    seen: list[object] = []
    teller = child(Teller, seen)
    async with open_tree(supervisor("root", teller)) as tree:
        ref = tree[teller]
        with trio.move_on_after(1) as scope:
            await ref.call(Teller.echo_later, "late", seconds=3)
        assert scope.cancelled_caught
        assert await ref.call(Teller.echo, "next") == "next"
        assert trio.current_time() == 3
    assert seen == ["late", "next"]


@virtual
async def test_a_call_in_a_cancelled_scope_is_not_handled() -> None:
    seen: list[object] = []
    teller = child(Teller, seen)
    async with open_tree(supervisor("root", teller)) as tree:
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            scope.cancel()
            await tree[teller].call(Teller.echo, 1)
        assert scope.cancelled_caught
        await wait_all_tasks_blocked()
    assert seen == []


@virtual
async def test_an_answer_that_came_in_time_is_kept_though_the_scope_is_cancelled() -> (
    None
):
    teller = child(Teller, [])
    async with open_tree(supervisor("root", teller)) as tree:
        answers: list[object] = []
        with trio.CancelScope() as scope:

            async def ask() -> None:
                answers.append(await tree[teller].call(Teller.echo_later, 1, seconds=1))

            async def cancel() -> None:
                await tree[teller].call(Teller.echo, 2)
                scope.cancel()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                await wait_all_tasks_blocked()
                nursery.start_soon(cancel)
        assert answers == [1]


# ------------------------------------------------------------------------ where it ends


@virtual
async def test_a_call_to_an_actor_that_crashes_fails_at_once_with_the_cause() -> None:
    teller = child(Teller, [])
    async with open_tree(supervisor("root", teller)) as tree:
        with pytest.raises(ActorCrashedError) as caught:
            await tree[teller].call(Teller.boom)
        error = caught.value
        assert trio.current_time() == 0
    assert isinstance(error.__cause__, Boom)
    assert (error.path, error.message, error.incarnation) == ("root/teller", "boom", 1)
    assert str(error) == (
        "'root/teller' (incarnation 1) crashed on 'boom' (Boom: bad). The message is not "
        "handled again: send it anew if that is safe, or name the exception with @raises "
        "if it is an answer."
    )


@virtual
async def test_a_ref_outlives_its_tree_and_says_so() -> None:
    teller = child(Teller, [])
    async with open_tree(supervisor("root", teller)) as tree:
        ref = tree[teller]
    with pytest.raises(ActorStoppedError) as caught:
        await ref.call(Teller.echo, 1)
    assert (caught.value.path, caught.value.message) == ("root/teller", "echo")
    ref.cast_nowait(Teller.echo, 1)
    await ref.cast(Teller.echo, 1)
    await ref.wait_stopped()


@virtual
async def test_a_late_ref_says_what_it_is() -> None:
    teller = child(Teller, [])
    late = teller.ref
    text = (
        "the ref of 'teller' belongs to a declaration, not to a running tree. "
        "Pass it to a child, which gets the live one, or use tree[spec]."
    )
    with pytest.raises(UnboundRefError) as caught:
        await late.call(Teller.echo, 1)
    assert str(caught.value) == text
    with pytest.raises(UnboundRefError):
        await late.cast(Teller.echo, 1)
    with pytest.raises(UnboundRefError):
        late.cast_nowait(Teller.echo, 1)
    with pytest.raises(UnboundRefError):
        late.monitor()
    with pytest.raises(UnboundRefError):
        await late.wait_stopped()
    with pytest.raises(UnboundRefError):
        _ = late.path


@virtual
async def test_refs_are_equal_when_they_name_the_same_place() -> None:
    first, second = child(Teller, [], name="a"), child(Teller, [], name="b")
    async with open_tree(supervisor("root", first, second)) as tree:
        assert tree[first] == tree.ref("root/a", Teller)
        assert hash(tree[first]) == hash(tree.ref("root/a", Teller))
        assert tree[first] != tree[second]
        assert tree[first] != first.ref
        assert tree[first] != "root/a"
        assert repr(tree[first]) == "<Ref 'root/a'>"
    assert first.ref == first.ref
    assert repr(first.ref) == "<late Ref of 'a'>"
