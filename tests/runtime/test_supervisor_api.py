"""What can be asked of a supervisor while it runs (S14-S22, D6, D9)."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
from attrs.exceptions import FrozenInstanceError
from trio.testing import wait_all_tasks_blocked

from regrow import (
    Actor,
    ActorInterruptedError,
    ActorStoppedError,
    AnySpec,
    Backoff,
    ChildActiveError,
    ChildCounts,
    ChildExistsError,
    ChildForgottenError,
    ChildInfo,
    ChildNotFoundError,
    IgnoreStart,
    MaxChildrenError,
    Ref,
    ServiceRef,
    SpecError,
    StartFailedError,
    SupervisorCallError,
    SupervisorRef,
    Tree,
    child,
    dynamic,
    supervisor,
)

from .trees import Boom, Child, Story, open_tree, play, service, virtual


class Plan(Actor):
    """Comes up as its plan says: a number of seconds each, or an exception."""

    def __init__(self, plan: list[float | Exception], *others: object) -> None:
        self.plan = plan
        self.others = others

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        step = self.plan.pop(0) if self.plan else 0.0
        if isinstance(step, Exception):
            raise step
        await trio.sleep(step)
        yield

    def given(self) -> tuple[object, ...]:
        return self.others

    def boom(self) -> None:
        raise Boom

    def quit(self) -> None:
        self.stop()


def planned(name: str, *plan: float | Exception, **options: Any) -> Any:
    return child(Plan, list(plan), name=name, **options)


def names(children: tuple[ChildInfo, ...]) -> list[str]:
    return [f"{each.name} {each.status}" for each in children]


# -------------------------------------------------------------------------- start_child


@virtual
async def test_start_child_gives_a_typed_ref_and_puts_the_child_last() -> None:
    story = Story()
    first = planned("first")
    async with open_tree(supervisor("root", first)) as tree:
        root = tree.supervisor("root")
        actor = await root.start_child(child(Child, story, name="actor"))
        plain = await root.start_child(child(service, story, "plain"))
        inner = await root.start_child(supervisor("inner", planned("below")))
        assert type(actor) is Ref
        assert type(plain) is ServiceRef
        assert type(inner) is SupervisorRef
        assert await actor.call(Child.ping) == "pong"
        assert names(await inner.which_children()) == ["below running"]
        assert [actor.path, plain.path, inner.path] == [
            "root/actor",
            "root/service",
            "root/inner",
        ]
        assert names(await root.which_children()) == [
            "first running",
            "actor running",
            "service running",
            "inner running",
        ]
        assert tree.ref("root/actor", Child) == actor
        assert tree.supervisor("root/inner") == inner


@virtual
async def test_what_is_told_of_children_is_frozen_and_can_be_put_into_sets() -> None:
    async with open_tree(supervisor("root", planned("a"))) as tree:
        root = tree.supervisor("root")
        (info,) = await root.which_children()
        counts = await root.count_children()
        with pytest.raises(FrozenInstanceError):
            info.status = "stopped"  # type: ignore[misc]
        with pytest.raises(FrozenInstanceError):
            counts.active = 0  # type: ignore[misc]
        assert {info, counts} == {*await root.which_children(), ChildCounts(1, 1, 0, 1)}


@virtual
async def test_a_failed_start_child_is_forgotten_and_not_counted() -> None:
    story = Story()
    async with open_tree(supervisor("root", intensity=0), observers=[story]) as tree:
        root = tree.supervisor("root")
        story.forget()
        with pytest.raises(StartFailedError) as caught:
            await root.start_child(planned("a", Boom("no")))
        assert str(caught.value) == (
            "'root/a' did not start (Boom: no). Mend the cause, or declare the child with "
            "start='retry' if it may come later."
        )
        assert isinstance(caught.value.__cause__, Boom)
        assert await root.which_children() == ()
        assert story.lines == ["root/a 1 not started: Boom"]
        # It may be tried again under the same name.
        await root.start_child(planned("a"))
        assert names(await root.which_children()) == ["a running"]


@virtual
async def test_start_child_with_start_retry_is_answered_when_the_child_is_up() -> None:
    # D5: its first start is treated as a restart, and so is that of an added child.
    async with open_tree(supervisor("root")) as tree:
        root = tree.supervisor("root")
        spec = planned("a", Boom(), 1.0, start="retry", backoff=Backoff(2, jitter=0))
        ref = await root.start_child(spec)
        assert trio.current_time() == 0
        assert names(await root.which_children()) == ["a restarting"]
        assert await ref.call(Plan.given) == ()
        assert trio.current_time() == 3


@virtual
async def test_an_ignored_start_child() -> None:
    async with open_tree(supervisor("root")) as tree:
        root = tree.supervisor("root")
        kept = await root.start_child(planned("kept", IgnoreStart()))
        gone = await root.start_child(
            planned("gone", IgnoreStart(), restart="temporary")
        )
        assert names(await root.which_children()) == ["kept stopped"]
        for ref in (kept, gone):
            with pytest.raises(ActorStoppedError):
                await ref.call(Plan.given)
        await root.restart_child("kept")
        assert await kept.call(Plan.given) == ()


@virtual
async def test_names_that_are_taken() -> None:
    story = Story()
    running = planned("running")
    down = planned("down", restart="transient")
    waits = planned("waits", backoff=Backoff(9))
    async with open_tree(
        supervisor("root", running, down, waits), observers=[story]
    ) as tree:
        await tree[down].cast(Plan.quit)
        await tree[waits].cast(Plan.boom)
        await wait_all_tasks_blocked()
        root = tree.supervisor("root")
        story.forget()
        for name, code, text in (
            ("running", "already_started", "runs already. Use another name."),
            (
                "down",
                "already_present",
                (
                    "is known already, though it does not run. Use restart_child, or "
                    "delete_child before start_child."
                ),
            ),
            (
                "waits",
                "already_present",
                (
                    "is known already, though it does not run. Use restart_child, or "
                    "delete_child before start_child."
                ),
            ),
        ):
            with pytest.raises(ChildExistsError) as caught:
                await root.start_child(planned(name))
            assert caught.value.code == code
            assert (caught.value.path, caught.value.child_id) == ("root", name)
            assert str(caught.value) == f"{name!r} of 'root' {text}"
        with pytest.raises(ChildExistsError):
            await root.start_child(running)  # the very one that stands there
        assert story.lines == []


@virtual
async def test_a_wrong_spec_is_refused_before_anything_is_done() -> None:
    story = Story()
    stands = planned("stands")
    outside = planned("outside")
    async with open_tree(supervisor("root", stands), observers=[story]) as tree:
        root = tree.supervisor("root")
        story.forget()
        options: Any = {"restart": "sometimes", "significant": True}
        wrong = child(Plan, [], outside.ref, name="a/b", **options)
        with pytest.raises(SpecError) as caught:
            await root.start_child(wrong)
        assert [(f.code, f.place) for f in caught.value.findings] == [
            ("invalid_name", "root/a/b"),
            ("invalid_restart_type", "root/a/b"),
            ("bad_combination", "root/a/b"),
            ("unknown_ref", "root/a/b"),
        ]
        again = supervisor("again", stands)
        with pytest.raises(SpecError) as caught:
            await root.start_child(again)
        assert [str(f) for f in caught.value.findings] == [
            (
                "root/again/stands: the same spec stands at 'root/stands' "
                "[same_spec_twice]. Make a spec of its own for each place."
            )
        ]
        with pytest.raises(SpecError) as caught:
            await root.start_child(Plan)  # type: ignore[call-overload]
        assert [f.code for f in caught.value.findings] == ["invalid_child_spec"]
        assert story.lines == []


@virtual
async def test_late_refs_to_anything_that_stands_in_the_tree() -> None:
    stands = planned("stands")
    inner = supervisor("inner", planned("below"))
    plain = child(service, Story(), "plain")
    async with open_tree(supervisor("root", stands, inner, plain)) as tree:
        root = tree.supervisor("root")
        given = stands.ref, [inner.ref, plain.ref], {"k": (stands.ref, 1)}
        spec = child(Plan, [], *given, name="wired")
        ref = await root.start_child(spec)
        assert await ref.call(Plan.given) == (
            tree[stands],
            [tree[inner], tree[plain]],
            {"k": (tree[stands], 1)},
        )
        # One that was added itself can be referred to as well, and among themselves.
        a = child(Plan, [], spec.ref, name="a")
        b = child(Plan, [], a.ref, name="b")
        await root.start_child(supervisor("both", a, b))
        assert await tree[a].call(Plan.given) == (ref,)
        assert await tree[b].call(Plan.given) == (tree[a],)


@pytest.mark.parametrize("kind", ["actor", "service"])
@virtual
async def test_a_late_ref_to_one_that_went_while_the_request_was_in_line(
    kind: str,
) -> None:
    pool = dynamic("pool")
    async with open_tree(supervisor("root", pool)) as tree:
        target = planned("target")
        target_ref = await tree[pool].start_child(target)

        async def plain(ref: Ref[Plan]) -> None:
            await trio.sleep_forever()

        spec: Any = (
            child(Plan, [], target.ref, name="wired")
            if kind == "actor"
            else child(plain, target.ref, name="wired")
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tree[pool].start_child, planned("slow", 5.0))
            await wait_all_tasks_blocked()
            got: list[str] = []

            async def start() -> None:
                with pytest.raises(StartFailedError) as caught:
                    await tree[pool].start_child(spec)
                got.append(str(caught.value.__cause__))

            nursery.start_soon(tree[pool].terminate_child, "target")
            await wait_all_tasks_blocked()
            nursery.start_soon(start)
        assert got == [
            (
                "the ref of 'target' belongs to a declaration, not to a running tree. "
                "Pass it to a child, which gets the live one, or use tree[spec]."
            )
        ]
        with pytest.raises(ActorStoppedError):
            await target_ref.call(Plan.given)
        assert await tree[pool].which_children() != ()


@virtual
async def test_what_was_forgotten_can_be_started_again_with_the_same_spec() -> None:
    temporary = planned("temporary", restart="temporary")
    deleted = planned("deleted")
    below = planned("below", restart="temporary")
    inner = supervisor("inner", below)
    spec = supervisor("root", temporary, deleted, inner)
    async with open_tree(spec) as tree:
        root = tree.supervisor("root")
        refs = tree[temporary], tree[deleted]
        await refs[0].cast(Plan.boom)
        await refs[0].wait_stopped()
        for name in ("deleted", "inner"):
            await root.terminate_child(name)
            await root.delete_child(name)
        assert await root.which_children() == ()
        assert await root.start_child(temporary) == refs[0]
        assert await root.start_child(deleted) == refs[1]
        await root.start_child(inner)
        for each in (temporary, deleted, below):
            assert await tree[each].call(Plan.given) == ()
        assert names(await root.which_children()) == [
            "temporary running",
            "deleted running",
            "inner running",
        ]


# -------------------------------------------------- terminate, restart, delete and look


@virtual
async def test_a_child_through_all_its_states() -> None:
    story = Story()
    a = planned("a", 0.0, Boom(), 0.0)
    async with open_tree(supervisor("root", a), observers=[story]) as tree:
        root = tree.supervisor("root")
        story.forget()
        assert names(await root.which_children()) == ["a running"]
        for use in (root.restart_child, root.delete_child):
            with pytest.raises(ChildActiveError) as caught:
                await use("a")
            assert (
                str(caught.value)
                == "'a' of 'root' is running. Use terminate_child first."
            )
            assert caught.value.code == "running"
        await root.terminate_child("a")
        await root.terminate_child("a")  # once more is no mistake
        assert names(await root.which_children()) == ["a stopped"]
        assert await root.count_children() == ChildCounts(1, 0, 0, 1)
        with pytest.raises(StartFailedError):
            await root.restart_child("a")
        assert names(await root.which_children()) == ["a stopped"]
        await root.restart_child("a")
        assert names(await root.which_children()) == ["a running"]
        assert await root.get_child_spec("a") is a
        await root.terminate_child("a")
        await root.delete_child("a")
        assert await root.which_children() == ()
        for refused in (
            root.terminate_child,
            root.restart_child,
            root.delete_child,
            root.get_child_spec,
        ):
            with pytest.raises(ChildNotFoundError) as missing:
                await refused("a")
            assert str(missing.value) == (
                "supervisor 'root' has no child 'a'. Pass a name, the last part of a path; "
                "which_children() lists those it has."
            )
            assert isinstance(missing.value, LookupError)
        assert story.lines == [
            "root/a 1 shutdown when told",
            "root/a 2 not started: Boom",
            "root/a 3 up",
            "root/a 3 shutdown when told",
        ]


@virtual
async def test_of_a_child_that_waits_to_be_restarted() -> None:
    story = Story()
    a = planned("a", backoff=Backoff(5, jitter=0))
    async with open_tree(supervisor("root", a), observers=[story]) as tree:
        root = tree.supervisor("root")
        await tree[a].cast(Plan.boom)
        await wait_all_tasks_blocked()
        assert names(await root.which_children()) == ["a restarting"]
        assert await root.count_children() == ChildCounts(1, 0, 0, 1)
        for use in (root.restart_child, root.delete_child):
            with pytest.raises(ChildActiveError) as caught:
                await use("a")
            assert str(caught.value) == (
                "'a' of 'root' is restarting. Use terminate_child first."
            )
            assert caught.value.code == "restarting"
        await root.terminate_child("a")
        await root.delete_child("a")
        story.forget()
        await trio.sleep(99)
        assert story.lines == []


@virtual
async def test_counts() -> None:
    story = Story()
    spec = supervisor(
        "root",
        planned("a"),
        planned("b", IgnoreStart()),
        child(service, story, "plain"),
        supervisor("inner", planned("c")),
        dynamic("pool"),
    )
    async with open_tree(spec) as tree:
        root = tree.supervisor("root")
        assert await root.count_children() == ChildCounts(
            specs=5, active=4, supervisors=2, workers=3
        )
        assert await root.which_children() == (
            ChildInfo("a", "running", "worker"),
            ChildInfo("b", "stopped", "worker"),
            ChildInfo("service", "running", "worker"),
            ChildInfo("inner", "running", "supervisor"),
            ChildInfo("pool", "running", "supervisor"),
        )


@virtual
async def test_terminating_and_restarting_is_not_counted() -> None:
    a = planned("a")
    async with open_tree(supervisor("root", a, intensity=0)) as tree:
        root = tree.supervisor("root")
        for _ in range(20):
            await root.terminate_child("a")
            await root.restart_child("a")
        assert tree.snapshot().find("root/a").incarnation == 21


# ------------------------------------------------------------------------------ in line


@virtual
async def test_requests_wait_behind_a_slow_start_in_the_order_they_were_made() -> None:
    story = Story()
    a = child(Child, story, name="a")
    async with open_tree(supervisor("root", a)) as tree:
        root = tree.supervisor("root")
        done: list[str] = []

        async def ask(name: str, request: Callable[[], Awaitable[object]]) -> None:
            try:
                await request()
            except SupervisorCallError as error:
                name = f"{name}: {error.code}"
            done.append(f"{trio.current_time():g} {name}")

        async with trio.open_nursery() as nursery:
            for name, request in (
                ("start slow", partial(root.start_child, planned("slow", 5.0))),
                ("terminate a", partial(root.terminate_child, "a")),
                ("start slower", partial(root.start_child, planned("slower", 2.0))),
                ("restart a", partial(root.restart_child, "a")),
                ("delete a", partial(root.delete_child, "a")),
                ("count", root.count_children),
            ):
                nursery.start_soon(ask, name, request)
                await wait_all_tasks_blocked()
        assert done[:2] == ["5 start slow", "5 terminate a"]
        assert done[2] == "7 start slower"
        assert sorted(done[3:]) == ["7 count", "7 delete a: running", "7 restart a"]


@virtual
async def test_a_crash_during_a_slow_start_is_dealt_with_after_it() -> None:
    story = Story()
    a = child(Child, story, name="a")
    async with open_tree(supervisor("root", a), observers=[story]) as tree:
        root = tree.supervisor("root")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(root.start_child, planned("slow", 5.0))
            await trio.sleep(1)
            story.forget()
            await tree[a].cast(Child.boom)
        await wait_all_tasks_blocked()
        assert [line for line in story.timed if " root/" in line] == [
            "1 root/a 1 dead letter boom: crashed the actor (Boom)",
            "1 root/a cleans up",
            "1 root/a is clean",
            "1 root/a 1 crashed: Boom",
            "5 root/slow 1 up",
            "5 root/a 1 restarting",
            "5 root/a sets up",
            "5 root/a 2 up",
        ]


@virtual
async def test_an_abandoned_request_is_skipped() -> None:
    story = Story()
    a = child(Child, story, name="a")
    async with open_tree(supervisor("root", a), observers=[story]) as tree:
        root = tree.supervisor("root")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(root.start_child, planned("slow", 5.0))
            await wait_all_tasks_blocked()
            with trio.move_on_after(1) as scope:
                await root.terminate_child("a")
            assert scope.cancelled_caught
            with trio.move_on_after(1) as scope:
                await root.start_child(planned("b"))
            assert scope.cancelled_caught
        assert names(await root.which_children()) == ["a running", "slow running"]


@virtual
async def test_an_abandoned_start_is_cancelled_and_undone() -> None:
    story = Story()
    async with open_tree(supervisor("root"), observers=[story]) as tree:
        root = tree.supervisor("root")
        story.forget()
        with trio.move_on_after(1) as scope:
            await root.start_child(planned("a", 5.0))
        assert scope.cancelled_caught
        assert await root.which_children() == ()
        assert story.timed == ["1 root/a 1 not started: StartCancelledError"]
        await root.start_child(planned("a"))


@virtual
async def test_an_abandoned_restart_is_cancelled_and_the_child_stays_down() -> None:
    a = planned("a", 0.0, 5.0, 0.0)
    async with open_tree(supervisor("root", a)) as tree:
        root = tree.supervisor("root")
        await root.terminate_child("a")
        with trio.move_on_after(1) as scope:
            await root.restart_child("a")
        assert scope.cancelled_caught
        assert names(await root.which_children()) == ["a stopped"]
        assert trio.current_time() == 1
        await root.restart_child("a")
        assert names(await root.which_children()) == ["a running"]


@virtual
async def test_an_abandoned_terminate_goes_on() -> None:
    story = Story()
    a = child(partial(Child, cleanup=3), story, name="a")
    async with open_tree(supervisor("root", a), observers=[story]) as tree:
        root = tree.supervisor("root")
        with trio.move_on_after(1) as scope:
            await root.terminate_child("a")
        assert scope.cancelled_caught
        assert names(await root.which_children()) == ["a stopped"]
        assert trio.current_time() == 3


# ------------------------------------------------------ while the supervisor restarts


def inner_tree(story: Story, plan: list[float | Exception]) -> Any:
    """A tree whose `inner` gives up with the first crash, and takes its time."""
    bomb = child(Child, story, name="bomb")
    slow = child(Plan, plan, name="slow")
    inner = supervisor("inner", bomb, slow, intensity=0)
    return bomb, inner, supervisor("root", inner)


@virtual
async def test_requests_wait_while_the_supervisor_itself_is_restarted() -> None:
    story = Story()
    bomb, inner, spec = inner_tree(story, [0.0, 5.0])
    async with open_tree(spec, observers=[story]) as tree:
        await tree[bomb].cast(Child.boom)
        await trio.sleep(1)
        ref = await tree[inner].start_child(child(Child, story, name="new"))
        assert trio.current_time() == 5
        assert await ref.call(Child.ping) == "pong"
        assert names(await tree[inner].which_children()) == [
            "bomb running",
            "slow running",
            "new running",
        ]


@virtual
async def test_a_request_in_line_of_the_old_life_is_carried_out_once_by_the_new() -> (
    None
):
    made: list[str] = []

    def make() -> Plan:
        made.append(f"{trio.current_time():g}")
        return Plan([])

    bomb = child(Child, Story(), name="bomb")
    inner = supervisor("inner")
    spec = supervisor("root", bomb, inner, strategy="one_for_all")
    async with open_tree(spec) as tree, trio.open_nursery() as nursery:
        # In line behind a start that is cancelled when inner is stopped.
        nursery.start_soon(_interrupted, tree[inner], planned("slow", 9.0))
        await wait_all_tasks_blocked()
        once = child(make, name="once")
        nursery.start_soon(tree[inner].start_child, once)
        await trio.sleep(1)
        await tree[bomb].cast(Child.boom)
        await trio.sleep(1)
        assert made == ["1"]
        assert names(await tree[inner].which_children()) == ["once running"]


async def _interrupted(ref: SupervisorRef, spec: AnySpec) -> None:
    with pytest.raises(ActorInterruptedError) as caught:
        await ref.start_child(spec)
    assert str(caught.value) == (
        "'root/inner' was stopped before it had answered the request. "
        "It may have been handled in part: send it anew if that is safe."
    )


class Spawned(trio.abc.Instrument):
    """Sets an event when a task of some name comes into being."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.event: trio.Event | None = None

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        if task.name == self.name and self.event is not None:
            self.event.set()


def test_a_request_made_before_the_first_step_of_a_new_life_is_made_once() -> None:
    """The place has its new life a moment before that life's task runs."""
    made: list[str] = []
    bomb = child(Child, Story(), name="bomb")
    inner = supervisor("inner", bomb, intensity=0)
    spawned = Spawned("root/inner")

    def make() -> Plan:
        made.append("made")
        return Plan([])

    async def main() -> None:
        spawned.event = None
        async with open_tree(supervisor("root", inner)) as tree:
            spawned.event = trio.Event()
            await tree[bomb].cast(Child.boom)
            await spawned.event.wait()
            new = child(make, name="new", restart="temporary")
            await tree[inner].start_child(new)
            await tree[inner].terminate_child("new")
            await tree[inner].count_children()
            made.append("terminated")

    for _ in range(10):  # which of the two runs first, is drawn
        play(main, instruments=[spawned])
    assert made == ["made", "terminated"] * 10


@pytest.mark.parametrize("how", ["terminated", "tree stops", "gives up"])
@virtual
async def test_requests_in_line_of_a_supervisor_that_is_not_coming_back(
    how: str,
) -> None:
    story = Story()
    bomb = child(Child, story, name="bomb")
    restart: Any = "temporary" if how == "gives up" else "permanent"
    inner = supervisor("inner", bomb, intensity=0, restart=restart)
    async with open_tree(supervisor("root", inner), observers=[story]) as tree:
        ref = tree[inner]
        got: list[str] = []

        async def ask(request: Callable[[], Awaitable[object]]) -> None:
            try:
                await request()
            except (ActorStoppedError, ActorInterruptedError) as error:
                got.append(str(error))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, partial(ref.start_child, planned("slow", 9.0)))
            await wait_all_tasks_blocked()
            nursery.start_soon(ask, ref.which_children)
            await wait_all_tasks_blocked()
            match how:
                case "terminated":
                    await tree.supervisor("root").terminate_child("inner")
                case "tree stops":
                    await tree.stop()
                case _:
                    await tree[bomb].cast(Child.boom)
                    await trio.sleep(99)
        # The crash has waited behind the start, so those who asked before have answers.
        assert len(got) == (0 if how == "gives up" else 2)
        with pytest.raises(ActorStoppedError):
            await ref.count_children()


# ----------------------------------------------------------------------------- dynamic


@virtual
async def test_generated_names_count_up_and_avoid_the_taken() -> None:
    story = Story()
    pool = dynamic("pool")
    async with open_tree(supervisor("root", pool)) as tree:
        ref = tree[pool]
        await ref.start_child(planned("plan-2"))
        made = [(await ref.start_child(child(Plan, []))).path for _ in range(3)]
        assert made == ["root/pool/plan-1", "root/pool/plan-3", "root/pool/plan-4"]
        services = [
            (await ref.start_child(child(service, story, "x"))).path for _ in range(2)
        ]
        assert services == ["root/pool/service-5", "root/pool/service-6"]
        await ref.terminate_child("plan-4")
        assert (await ref.start_child(child(Plan, []))).path == "root/pool/plan-7"


@virtual
async def test_the_spec_of_a_child_with_a_generated_name_finds_it() -> None:
    pool = dynamic("pool")
    async with open_tree(supervisor("root", pool)) as tree:
        spec = child(Plan, [])
        ref = await tree[pool].start_child(spec)
        assert tree[spec] == ref
        with pytest.raises(SpecError) as caught:
            await tree[pool].start_child(spec)
        assert [f.code for f in caught.value.findings] == ["same_spec_twice"]
        await tree[pool].terminate_child("plan-1")
        again = await tree[pool].start_child(spec)
        assert again.path == "root/pool/plan-2"
        assert tree[spec] == again
        assert (await tree[pool].get_child_spec("plan-2")).name == "plan-2"


@virtual
async def test_children_of_a_dynamic_supervisor_are_forgotten_when_they_end() -> None:
    story = Story()
    pool = dynamic("pool")
    async with open_tree(supervisor("root", pool)) as tree:
        ref = tree[pool]
        ended = await ref.start_child(planned("ended", restart="transient"))
        crashed = await ref.start_child(planned("crashed", restart="temporary"))
        permanent = await ref.start_child(planned("permanent"))
        await ended.cast(Plan.quit)
        await crashed.cast(Plan.boom)
        await permanent.cast(Plan.boom)
        await permanent.call(Plan.given)
        assert names(await ref.which_children()) == ["permanent running"]
        await ref.start_child(planned("ended"))
        await ref.terminate_child("permanent")
        assert names(await ref.which_children()) == ["ended running"]
        with pytest.raises(ChildNotFoundError):
            await ref.terminate_child("permanent")
        for use in (ref.restart_child, ref.delete_child):
            with pytest.raises(ChildForgottenError) as caught:
                await use("ended")
            assert str(caught.value) == (
                "dynamic supervisor 'root/pool' forgets its children when they end: "
                "'ended' cannot be restarted or deleted. Use start_child with a spec."
            )
        ignored = await ref.start_child(planned("ignored", IgnoreStart()))
        assert names(await ref.which_children()) == ["ended running"]
        await ignored.wait_stopped()
        assert story.lines == []


@virtual
async def test_max_children_counts_those_that_wait_to_be_restarted() -> None:
    pool = dynamic("pool", max_children=2)
    async with open_tree(supervisor("root", pool)) as tree:
        ref = tree[pool]
        waits = await ref.start_child(planned("waits", backoff=Backoff(9)))
        await ref.start_child(planned("runs"))
        await waits.cast(Plan.boom)
        await wait_all_tasks_blocked()
        with pytest.raises(MaxChildrenError) as caught:
            await ref.start_child(planned("more"))
        assert str(caught.value) == (
            "dynamic supervisor 'root/pool' has its 2 children: 'more' was not started. "
            "Wait until one ends, or raise max_children."
        )
        assert caught.value.max_children == 2
        assert names(await ref.which_children()) == ["waits restarting", "runs running"]
        assert await ref.count_children() == ChildCounts(2, 1, 0, 2)
        await ref.terminate_child("waits")
        await ref.start_child(planned("more"))
        none = await tree.supervisor("root").start_child(
            dynamic("none", max_children=0)
        )
        with pytest.raises(MaxChildrenError):
            await none.start_child(planned("x"))


@pytest.mark.parametrize("how", ["stopped", "terminated", "restarted"])
@virtual
async def test_dynamic_children_stop_in_parallel_within_the_longest_shutdown(
    how: str,
) -> None:
    story = Story()
    pool = dynamic("pool")
    spec = supervisor("root", pool, planned("bomb"), strategy="one_for_all")
    async with open_tree(spec, observers=[story]) as tree:
        for number in range(20):
            overruns = child(
                partial(Child, cleanup=9), story, name=f"overruns-{number}", shutdown=2
            )
            await tree[pool].start_child(overruns)
            cleans = child(partial(Child, cleanup=1), story, name=f"cleans-{number}")
            await tree[pool].start_child(cleans)
        story.forget()
        match how:
            case "stopped":
                await tree.stop()
            case "terminated":
                await tree.supervisor("root").terminate_child("pool")
            case _:
                await tree.ref("root/bomb", Plan).cast(Plan.boom)
                await trio.sleep(9)
                assert await tree[pool].which_children() == ()
    ends = [line for line in story.timed if "when told" in line and "pool/" in line]
    assert sorted(line.split()[0] for line in ends) == ["1"] * 20 + ["2"] * 20
    assert sum("killed" in line for line in ends) == 20


@virtual
async def test_dynamic_children_stop_in_parallel_and_each_is_stopped_by_name() -> None:
    story = Story()
    pool = dynamic("pool")
    async with open_tree(supervisor("root", pool), observers=[story]) as tree:
        ref = tree[pool]
        for name in ("a", "b"):
            await ref.start_child(child(partial(Child, cleanup=2), story, name=name))
        async with trio.open_nursery() as nursery:
            for name in ("a", "b"):
                nursery.start_soon(ref.terminate_child, name)
        # Requests are carried out one at a time all the same (S22).
        assert trio.current_time() == 4


@virtual
async def test_a_dynamic_supervisor_gives_up_for_all_its_children_together() -> None:
    story = Story()
    pool = dynamic("pool", intensity=2)
    async with open_tree(supervisor("root", pool), observers=[story]) as tree:
        refs = [await tree[pool].start_child(planned(name)) for name in "abc"]
        for ref in refs:
            await ref.cast(Plan.boom)
        await wait_all_tasks_blocked()
        assert "root/pool 1 gives up" in story.lines
        assert await tree[pool].which_children() == ()
        assert tree.snapshot().find("root/pool").incarnation == 2


# ------------------------------------------------------------------------------- others


@virtual
async def test_a_tree_may_be_one_dynamic_supervisor() -> None:
    async with open_tree(dynamic("root")) as tree:
        ref = await tree.supervisor("root").start_child(child(Plan, []))
        assert ref.path == "root/plan-1"
        assert await ref.call(Plan.given) == ()


@virtual
async def test_a_late_supervisor_ref_can_be_given_to_children() -> None:
    pool = dynamic("pool")

    class Boss(Actor):
        def __init__(self, pool: SupervisorRef) -> None:
            self.pool = pool

        async def hire(self) -> str:
            return (await self.pool.start_child(child(Plan, []))).path

    boss = child(Boss, pool.ref)
    async with open_tree(supervisor("root", pool, boss)) as tree:
        assert await tree[boss].call(Boss.hire) == "root/pool/plan-1"


@virtual
async def test_children_may_start_siblings_while_they_start_below_another() -> None:
    """A child that asks another supervisor than its own during its start is answered."""
    pool = dynamic("pool")

    class Boss(Actor):
        def __init__(self, pool: SupervisorRef) -> None:
            self.pool = pool

        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            await self.pool.start_child(planned("helper"))
            yield

    async with open_tree(supervisor("root", pool, child(Boss, pool.ref))) as tree:
        assert names(await tree[pool].which_children()) == ["helper running"]


def test_a_tree_is_a_value_that_may_run_twice() -> None:
    a = planned("a")
    spec = supervisor("root", a)
    seen: list[Tree] = []

    @virtual
    async def run() -> None:
        async with open_tree(spec) as tree, open_tree(spec) as other:
            seen.extend((tree, other))
            assert tree[a] != other[a]
            for each in (tree, other):
                assert await each[a].call(Plan.given) == ()

    run()
    run()
    assert len(seen) == 4
