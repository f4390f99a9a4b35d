"""Crashes: of one child alone, told at once, and standing whatever a lifespan does."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial

import pytest
import trio
import trio.testing

from regrow import (
    Actor,
    ActorCrashedError,
    ActorInterruptedError,
    ChildExited,
    RestartLimitExceededError,
    Shutdown,
    child,
    raises,
    supervisor,
)
from regrow._core.specs import RestartType
from regrow._runtime.user import uncancelled

from .trees import Boom, Child, Story, open_tree, play, virtual


class Overdrawn(Exception):
    pass


class Answering(Child):
    @raises(Overdrawn)
    async def withdraw(self) -> None:
        raise Overdrawn

    @raises(Overdrawn)
    async def withdraw_wrongly(self) -> None:
        raise LookupError


# ------------------------------------------------------------------- one child alone


@virtual
async def test_a_crash_is_of_one_child_and_its_caller_knows_at_once() -> None:
    story = Story()
    x = child(partial(Answering, cleanup=3), story, name="x")
    async with open_tree(supervisor("root", child(Actor, name="a"), x)) as tree:
        with trio.fail_after(0.1), pytest.raises(ActorCrashedError) as crashed:
            await tree[x].call(Child.throw, Boom("why"))
        assert str(crashed.value) == (
            "'root/x' (incarnation 1) crashed on 'throw' (Boom: why). The message is not "
            "handled again: send it anew if that is safe, or name the exception with "
            "@raises if it is an answer."
        )
        assert isinstance(crashed.value.__cause__, Boom)
        assert crashed.value.incarnation == 1
        # The next message waits for the next incarnation, three seconds later.
        assert await tree[x].call(Child.ping) == "pong"
        assert trio.current_time() == 3
        snapshot = tree.snapshot()
        assert snapshot.find("root/a").incarnation == 1
        assert snapshot.find("root/x").incarnation == 2


def in_a_circle() -> Boom:
    """Give an exception that is the cause of its own cause."""
    first = Boom("first")
    first.__cause__ = LookupError("second")
    first.__cause__.__cause__ = first
    return first


def with_thousands_of_causes() -> Boom:
    error = Boom(0)
    for number in range(5000):
        error, cause = Boom(number), error
        error.__cause__ = cause
    return error


class OddError(Boom):
    def __new__(cls, *args: object) -> OddError:
        if args:
            raise KeyboardInterrupt
        return super().__new__(cls)


def not_to_be_made_again() -> Boom:
    error = OddError()
    error.args = ("odd",)
    return error


@pytest.mark.parametrize(
    "make", [in_a_circle, with_thousands_of_causes, not_to_be_made_again]
)
@virtual
async def test_a_crash_is_of_one_child_whatever_its_exception_is(
    make: Callable[[], Boom],
) -> None:
    story = Story()
    x = child(Child, story, name="x")
    a = child(Actor, name="a")
    async with open_tree(supervisor("root", a, x), observers=[story]) as tree:
        story.forget()
        error = make()
        with pytest.raises(ActorCrashedError) as crashed:
            await tree[x].call(Child.throw, error)
        assert crashed.value.__cause__ is error
        assert await tree[x].call(Child.ping) == "pong"
        kept = [event for event in tree.history if isinstance(event, ChildExited)]
        assert [type(event.error) for event in kept] == [type(error)]
        assert story.lines == [
            "root/x cleans up",
            "root/x is clean",
            f"root/x 1 crashed: {type(error).__name__}",
            "root/x 1 restarting",
            "root/x sets up",
            "root/x 2 up",
        ]


@virtual
async def test_what_raises_names_is_an_answer_and_no_crash() -> None:
    x = child(Answering, Story(), name="x")
    async with open_tree(supervisor("root", x)) as tree:
        with pytest.raises(Overdrawn) as answer:
            await tree[x].call(Answering.withdraw)
        assert answer.value.__cause__ is None
        assert tree.snapshot().find("root/x").incarnation == 1
        with pytest.raises(ActorCrashedError):
            await tree[x].call(Answering.withdraw_wrongly)
        await tree[x].call(Child.ping)
        assert tree.snapshot().find("root/x").incarnation == 2


@virtual
async def test_three_calls_wait_when_the_first_crashes() -> None:
    """T20: only the message in hand is lost; the others wait for the replacement."""
    x = child(Child, Story(), name="x")
    answers: list[str] = []

    async def call(number: int) -> None:
        try:
            if number:
                answers.append(f"{number}: {await tree[x].call(Child.ping)}")
            else:
                await tree[x].call(Child.boom)
        except ActorCrashedError as error:
            answers.append(f"{number}: {type(error.__cause__).__name__}")

    async with open_tree(supervisor("root", x)) as tree, trio.open_nursery() as nursery:
        await tree[x].cast(Child.sleep, 1)
        await trio.testing.wait_all_tasks_blocked()
        for number in range(3):
            nursery.start_soon(call, number)
            await trio.testing.wait_all_tasks_blocked()
    assert sorted(answers) == ["0: Boom", "1: pong", "2: pong"]


# --------------------------------------------------------- groups, and leaked exceptions


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Boom(), "crashed: Boom"),
        (Shutdown(), "shutdown"),
        (ExceptionGroup("", [Shutdown(), Shutdown()]), "shutdown"),
        (
            ExceptionGroup("", [Shutdown(), ExceptionGroup("", [Shutdown()])]),
            "shutdown",
        ),
        (ExceptionGroup("", [Shutdown(), Boom()]), "crashed: ExceptionGroup"),
        (ExceptionGroup("", [Boom()]), "crashed: ExceptionGroup"),
        (trio.TooSlowError(), "crashed: TooSlowError"),
        (StopIteration(), "crashed: RuntimeError"),
        (StopAsyncIteration(), "crashed: StopAsyncIteration"),
        (TypeError(), "crashed: TypeError"),
    ],
)
@virtual
async def test_how_a_child_ends_by_what_comes_out_of_it(
    error: Exception, expected: str
) -> None:
    story = Story()

    async def service() -> None:
        await trio.lowlevel.checkpoint()
        raise error

    actor = child(Child, story, name="actor", restart="temporary")
    spec = supervisor(
        "root", actor, child(service, name="service", restart="temporary")
    )
    async with open_tree(spec, observers=[story]) as tree:
        tree[actor].cast_nowait(Child.throw, error)
        await tree[actor].wait_stopped()
        await trio.testing.wait_all_tasks_blocked()
    assert f"root/service 1 {expected}" in story.lines
    # contextlib and a coroutine each have their own way with StopIteration.
    assert f"root/actor 1 {expected}" in story.lines


@virtual
async def test_a_nursery_in_a_child_that_fails_is_its_crash() -> None:
    story = Story()

    async def failing(seconds: float) -> None:
        await trio.sleep(seconds)
        raise Boom

    async def nursing() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(failing, 1)
            nursery.start_soon(failing, 5)

    class Background(Child):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(failing, 2)
                yield

    actor = child(Background, story, name="actor", restart="temporary")
    spec = supervisor("root", child(nursing, restart="temporary"), actor)
    async with open_tree(spec, observers=[story]) as tree:
        with pytest.raises(ActorCrashedError) as crashed:
            await tree[actor].call(Child.sleep, 9)
        assert isinstance(crashed.value.__cause__, ExceptionGroup)
    exits = [(e.at, e.path, e.reason.value, e.error) for e in story.of(ChildExited)]
    assert [(at, path, reason) for at, path, reason, _ in exits[:2]] == [
        (1, "root/nursing", "crashed"),
        (2, "root/actor", "crashed"),
    ]
    for *_, error in exits[:2]:
        assert isinstance(error, ExceptionGroup)
        assert [type(inner) for inner in error.exceptions] == [Boom]


@virtual
async def test_a_leaked_timeout_is_a_crash_and_the_own_scope_is_not() -> None:
    story = Story()

    async def leaking() -> None:
        with trio.fail_after(1):
            await trio.sleep_forever()

    async def own() -> None:
        with trio.move_on_after(2):
            await trio.sleep_forever()

    spec = supervisor(
        "root", child(leaking, restart="temporary"), child(own, restart="temporary")
    )
    async with open_tree(spec, observers=[story]):
        await trio.sleep(3)
    assert story.timed[3:] == [
        "1 root/leaking 1 crashed: TooSlowError",
        "2 root/own 1 normal",
        "3 root 1 shutdown when told",
    ]


# ----------------------------------------------------- what a lifespan does with a crash


class Swallow(Child):
    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the mistake under test
            self.story.note(f"swallows {type(error).__name__}")


class SwallowAll:
    """A context manager that takes everything for itself, Cancelled too."""

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *exc: object) -> bool:
        await trio.lowlevel.cancel_shielded_checkpoint()
        return True


class Plain(Child):
    def lifespan(self) -> AbstractAsyncContextManager[object]:  # type: ignore[override]  # any
        return SwallowAll()


@pytest.mark.parametrize("actor", [Swallow, Plain])
@virtual
async def test_a_crash_that_the_lifespan_swallows_stands(actor: type[Child]) -> None:
    story = Story()
    x = child(actor, story, name="x")
    async with open_tree(supervisor("root", x), observers=[story]) as tree:
        with pytest.raises(ActorCrashedError):
            await tree[x].call(Child.boom)
        await tree[x].call(Child.ping)
    lines = [line for line in story.lines if "swallows" not in line]
    assert lines == [
        "root/x 1 up",
        "root 1 up",
        "root/x 1 crashed: Boom",
        "root/x 1 restarting",
        "root/x 2 up",
        "root/x 2 shutdown when told",
        "root 1 shutdown when told",
    ]
    (crash,) = [e.error for e in story.of(ChildExited) if e.error is not None]
    assert isinstance(crash, Boom)
    assert crash.__context__ is None


@virtual
async def test_an_error_of_the_second_half_replaces_the_crash_as_its_context() -> None:
    class Failing(Child):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            try:
                yield
            finally:
                await trio.sleep(1)
                raise LookupError

    story = Story()
    x = child(Failing, story, name="x", restart="temporary")
    async with open_tree(supervisor("root", x), observers=[story]) as tree:
        with pytest.raises(ActorCrashedError) as crashed:
            await tree[x].call(Child.boom)
        assert isinstance(crashed.value.__cause__, Boom)
        await tree[x].wait_stopped()
    (end,) = [e for e in story.of(ChildExited) if e.path == "root/x"]
    assert isinstance(end.error, LookupError)
    assert end.error.__context__ is crashed.value.__cause__


@pytest.mark.parametrize(
    "clean", [Shutdown(), ExceptionGroup("", [Shutdown(), Shutdown()])]
)
@virtual
async def test_a_crash_that_the_lifespan_calls_a_clean_end_stands(
    clean: Exception,
) -> None:
    class Hiding(Child):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            try:
                yield
            finally:
                raise clean

    story = Story()
    x = child(Hiding, story, name="x", restart="transient")
    async with open_tree(supervisor("root", x), observers=[story]) as tree:
        await tree[x].cast(Child.boom)
        assert await tree[x].call(Child.ping) == "pong"
        await tree[x].cast(Child.end)
        await tree[x].wait_stopped()
    assert story.lines == [
        "root/x 1 up",
        "root 1 up",
        "root/x 1 dead letter boom: crashed the actor (Boom)",
        "root/x 1 crashed: Boom",
        "root/x 1 restarting",
        "root/x 2 up",
        "root/x 2 shutdown",
        "root 1 shutdown when told",
    ]


@virtual
async def test_a_nursery_of_the_lifespan_wraps_the_crash() -> None:
    class Nursing(Child):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                yield

    story = Story()
    x = child(Nursing, story, name="x", restart="temporary")
    async with open_tree(supervisor("root", x), observers=[story]) as tree:
        with pytest.raises(ActorCrashedError) as crashed:
            await tree[x].call(Child.boom)
        await tree[x].wait_stopped()
    (end,) = [e for e in story.of(ChildExited) if e.path == "root/x"]
    assert isinstance(end.error, ExceptionGroup)
    assert end.error.exceptions == (crashed.value.__cause__,)


class Quitting:
    """What stops the program when it is looked at."""

    def __repr__(self) -> str:
        raise SystemExit(3)


@pytest.mark.parametrize("method", [Child.sleep, Child.throw])
@virtual
async def test_a_message_that_cannot_be_shown_is_answered_and_its_end_told(
    method: Callable[..., object],
) -> None:
    story = Story()
    x = child(Child, story, name="x", shutdown=1)
    answers: list[str] = []

    async def caller() -> None:
        with pytest.raises(ActorCrashedError) as crashed:
            await tree[x].call(method, Quitting())
        answers.append(str(crashed.value))

    async with trio.open_nursery() as nursery:
        with pytest.raises(SystemExit) as out:
            async with open_tree(supervisor("root", x), observers=[story]) as tree:
                nursery.start_soon(caller)
                await trio.sleep_forever()
    assert out.value.code == 3
    (answer,) = answers
    assert answer.startswith(f"'root/x' (incarnation 1) crashed on '{method.__name__}'")
    end = story.of(ChildExited)[0]
    assert (end.path, end.reason.value, end.message) == (
        "root/x",
        "crashed",
        f"{method.__name__}(…)",
    )


class Failures(ExceptionGroup[Exception]):
    """A group of somebody's, which cannot be divided."""

    def __new__(cls, failures: list[Exception]) -> Failures:
        return super().__new__(cls, "all of them", failures)

    def derive(self, _: object) -> Failures:  # type: ignore[override]
        raise AssertionError


async def failing_with(error: Exception) -> None:
    await trio.sleep(1)
    raise error


class Stops(BaseExceptionGroup[BaseException]):
    def __new__(cls, stops: list[BaseException]) -> Stops:
        return super().__new__(cls, "stopped", stops)

    def derive(self, _: object) -> Stops:  # type: ignore[override]
        raise AssertionError


@virtual
async def test_a_group_is_told_as_it_is_whatever_its_class() -> None:
    story = Story()
    first, second = Failures([Boom()]), Failures([Boom()])
    x = child(Child, story, name="x", restart="temporary")
    service = child(failing_with, first, restart="temporary")
    async with open_tree(supervisor("root", x, service), observers=[story]) as tree:
        with pytest.raises(ActorCrashedError) as crashed:
            await tree[x].call(Child.throw, second)
        assert crashed.value.__cause__ is second
        await tree[service].wait_stopped()
    ends = [event.error for event in story.of(ChildExited)]
    assert ends == [second, first, None]


def test_of_a_group_that_cannot_be_divided_what_is_no_cancellation_stays() -> None:
    boom = Boom()
    cut = trio.Cancelled._create()
    rest = uncancelled(Stops([Stops([cut]), boom]))
    assert isinstance(rest, ExceptionGroup)
    assert (rest.message, rest.exceptions) == ("stopped", (boom,))
    assert uncancelled(Stops([cut])) is None


@virtual
async def test_a_group_of_very_many_levels_is_a_crash_like_others() -> None:
    error: Exception = Boom()
    for _ in range(5000):  # one for each nursery inside a task of another
        error = ExceptionGroup("", [error])
    story = Story()
    x = child(Child, story, name="x", restart="temporary")
    async with open_tree(supervisor("root", x), observers=[story]) as tree:
        with pytest.raises(ActorCrashedError) as crashed:
            await tree[x].call(Child.throw, error)
        assert crashed.value.__cause__ is error
    assert [event.error for event in story.of(ChildExited)] == [error, None]


@virtual
async def test_an_error_of_the_second_half_after_a_clean_end_is_a_crash() -> None:
    class Failing(Child):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            yield
            raise Boom

    story = Story()
    x = child(Failing, story, name="x")
    async with open_tree(supervisor("root", x), observers=[story]) as tree:
        await tree[x].call(Child.end)
        await tree[x].call(Child.ping)
    assert story.lines[2:] == [
        "root/x 1 crashed: Boom",
        "root/x 1 restarting",
        "root/x 2 up",
        "root/x 2 crashed when told: Boom",
        "root 1 shutdown when told",
    ]


@virtual
async def test_a_crash_is_cut_short_in_the_second_half_by_the_whole_tree() -> None:
    story = Story()
    x = child(partial(Child, cleanup=9), story, name="x", shutdown=100)
    async with open_tree(supervisor("root", x), observers=[story], shutdown=3) as tree:
        story.forget()
        await tree[x].cast(Child.boom)
        await trio.sleep(1)
    assert story.timed == [
        "0 root/x 1 dead letter boom: crashed the actor (Boom)",
        "0 root/x cleans up",
        "4 root/x 1 crashed when told: Boom",
        "4 root 1 killed when told, unexpected",
    ]


@virtual
async def test_a_scope_of_the_lifespan_may_end_the_actor() -> None:
    """Its own cancellation is the one thing that a lifespan may swallow."""

    class Limited(Child):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            with trio.move_on_after(2):
                yield
            self.story.note("time is over")

    story = Story()
    x = child(Limited, story, name="x", restart="temporary")
    async with open_tree(supervisor("root", x), observers=[story]) as tree:
        with pytest.raises(ActorInterruptedError) as interrupted:
            await tree[x].call(Child.sleep, 5)
        assert "ended before it had answered 'sleep'" in str(interrupted.value)
        await tree[x].wait_stopped()
    assert story.timed == [
        "0 root/x 1 up",
        "0 root 1 up",
        "2 time is over",
        "2 root/x 1 normal",
        "2 root 1 shutdown when told",
    ]


@virtual
async def test_a_crash_beside_the_lifespans_own_cancellation_is_not_swallowed() -> None:
    """A handler that answers a cancellation with an error of its own has crashed."""

    class Limited(Child):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            end = trio.current_time() + 2
            with trio.CancelScope(deadline=end), suppress(BaseException):
                yield  # as bad as it gets

        async def cleaning(self) -> None:
            async def failing() -> None:
                try:
                    await trio.sleep_forever()
                finally:
                    raise Boom

            async with trio.open_nursery() as nursery:
                nursery.start_soon(failing)
                nursery.start_soon(trio.sleep_forever)

    story = Story()
    x = child(Limited, story, name="x", restart="temporary")
    async with open_tree(supervisor("root", x), observers=[story]) as tree:
        with pytest.raises(ActorCrashedError):
            await tree[x].call(Limited.cleaning)
        await tree[x].wait_stopped()
    assert story.timed[2:] == [
        "2 root/x 1 crashed: ExceptionGroup",
        "2 root 1 shutdown when told",
    ]


# ------------------------------------------------------------------- escalation's history


@virtual
async def test_a_spent_limit_comes_out_with_its_history() -> None:
    x = child(Child, Story(), name="x")
    inner = supervisor("inner", x, intensity=1, period=10)
    with pytest.raises(RestartLimitExceededError) as spent:
        async with open_tree(supervisor("root", inner, intensity=0)) as tree:
            for number in range(4):
                await tree[x].cast(Child.throw, Boom(number))
                await trio.sleep(1)
    error = spent.value
    assert (error.path, error.child_id, error.levels) == (
        "root",
        "inner",
        ("root/inner", "root"),
    )
    below = error.__cause__
    assert isinstance(below, RestartLimitExceededError)
    assert (below.path, below.child_id, below.levels) == (
        "root/inner",
        "x",
        ("root/inner",),
    )
    assert [(f.path, f.at, str(f.error)) for f in below.failures] == [
        ("root/inner/x", 0, "0"),
        ("root/inner/x", 1, "1"),
    ]
    assert below.__cause__ is below.failures[-1].error
    assert str(below) == (
        "supervisor 'root/inner' gave up: 2 restarts in 1 s, its intensity is 1 in 10 s; "
        "the last child to fail was 'x' (Boom: 1). Fix the child, give it a backoff, or "
        "raise intensity or period."
    )
    assert str(error).startswith(
        "supervisor 'root' gave up: 1 restart in 0 s, its intensity is 0 in 5 s; the last "
        "child to fail was 'inner' (RestartLimitExceededError: supervisor 'root/inner' gave "
        "up: 2 restarts in 1 s"
    )


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@virtual
async def test_which_clean_ends_restart(restart: RestartType) -> None:
    story = Story()
    x = child(Child, story, name="x", restart=restart)
    y = child(Child, story, name="y", restart=restart)
    async with open_tree(supervisor("root", x, y), observers=[story]) as tree:
        story.forget()
        await tree[x].cast(Child.end)
        await trio.testing.wait_all_tasks_blocked()
        await tree[y].cast(Child.throw, Shutdown())
        await trio.testing.wait_all_tasks_blocked()
        again = restart == "permanent"
        counts = await tree.supervisor("root").count_children()
        assert counts.active == (2 if again else 0)
        assert counts.specs == (0 if restart == "temporary" else 2)
    assert "root/x 1 normal" in story.lines
    assert "root/y 1 shutdown" in story.lines
    assert ("root/x 1 restarting" in story.lines) is again
    assert ("root/y 1 restarting" in story.lines) is again


LATER_THAN_ANY_DATE = 1e12  # seconds


def test_a_spent_limit_comes_out_when_virtual_time_is_later_than_any_date() -> None:
    story = Story()

    async def main() -> None:
        x = child(Child, story, name="x")
        spec = supervisor("root", x, intensity=0)
        async with open_tree(spec, observers=[story]) as tree:
            await trio.sleep(LATER_THAN_ANY_DATE)
            story.forget()
            await tree[x].cast(Child.boom)
            await tree.wait_stopped()

    with pytest.raises(RestartLimitExceededError) as spent:
        play(main, horizon=1e13)
    assert story.lines == [
        "root/x 1 dead letter boom: crashed the actor (Boom)",
        "root/x cleans up",
        "root/x is clean",
        "root/x 1 crashed: Boom",
        "root 1 gives up",
        "root 1 crashed: RestartLimitExceededError",
    ]
    assert "9999-12-31" in spent.value.__notes__[0]
