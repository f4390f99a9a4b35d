"""Plays scenarios against real trees of real actors, under a clock that we move by hand.

What happened is taken from the tree's own events: `n` is the incarnation that they tell,
and the state afterwards is the tree's own snapshot. The actors only do what their plan
and the steps say. All is quiet when every task waits; time passes only in a `sleep` step
and while a stubborn worker has to be waited for.
"""

import logging
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, assert_never

import trio
from attrs import define, evolve, field
from trio.testing import MockClock, wait_all_tasks_blocked

import regrow
from regrow import (
    Actor,
    ChildNotFoundError,
    ExitReason,
    Finding,
    IgnoreStart,
    PlaceSnapshot,
    RestartLimitExceededError,
    Shutdown,
    SpecError,
    StartFailedError,
    SupervisorCallError,
    SupervisorRef,
    Tree,
    grace,
    open_tree,
)
from regrow._core.check import check_added, refuse
from regrow._core.specs import ChildSpec
from regrow._runtime.place import Place as RunningPlace
from regrow._runtime.specs import ActorSpec, AnySpec, Dynamic, Supervisor
from regrow._runtime.supervisor import SupervisorLife

from .answers import OK, counts, error_result, failure, start_error, which
from .declaring import seconds
from .model import (
    Attempts,
    Call,
    CountChildren,
    DeleteChild,
    EndMany,
    EndWorker,
    Entry,
    Json,
    Node,
    Path,
    Played,
    Reason,
    RestartChild,
    Script,
    Sleep,
    StartChild,
    StartInstance,
    StartTree,
    Step,
    StopTree,
    TerminateChild,
    TerminateInstance,
    WhichChildren,
)

__all__ = ["play"]

NOT_RUNNING = failure("not_running")


class _CrashError(Exception):
    """What a worker crashes of, or its start fails of."""


class _UnforeseenError(Exception):
    """The tree did what no trace can hold."""


def play(script: Script) -> Played:
    """Do all steps of *script*, as far as they can be done."""
    entries: list[Entry] = []
    clock = MockClock()
    with _no_log():
        try:
            trio.run(_play, script, entries, clock, clock=clock)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a difference
            while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
                error = error.exceptions[0]
            return Played(entries, f"{type(error).__name__}: {error}")
    return Played(entries)


async def _play(script: Script, entries: list[Entry], clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        world = _World(script.tree, nursery, clock)
        try:
            for step in script.steps:
                entry = await world.play(step)
                entries.append(entry)  # kept, whatever comes of the next one
        finally:
            world.end()


@contextmanager
def _no_log() -> Iterator[None]:
    """Workers crash here by the hundred; their tracebacks would tell nothing."""
    logger = logging.getLogger("regrow")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


# --------------------------------------------------------------------------- the actors


class _Worker(Actor):
    """Does what the plan of its node says, and ends as a step says."""

    def __init__(self, world: "_World", node: Node) -> None:
        self.world = world
        self.node = node
        self.leaves = False

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        await self.world.init(self.node, _place(self.ref.path))
        yield
        if self.node.stubborn and not self.leaves:
            with self.world.stubborn(self.node), grace():
                await trio.sleep_forever()

    def leave(self, reason: Reason) -> None:
        match reason:
            case "crash":
                raise _CrashError
            case "shutdown":
                raise Shutdown
            case "normal":
                self.leaves = True
                self.stop()
            case _:
                assert_never(reason)


def _given(value: str) -> Any:
    """Give a value as it is written, which may be wrong on purpose."""
    return value


def _place(path: str) -> Path:
    """Give the path of a scenario for one of the tree, whose root has a name."""
    return tuple(path.split("/")[1:])


def _name(path: Path) -> str:
    return "/".join(("top", *path))


# ---------------------------------------------------------------------------- the world


@define(eq=False)
class _Asked:
    """A request on its way."""

    call: Call
    answer: Json = None
    answered: bool = False

    def result(self) -> Json:
        if not self.answered:
            msg = f"no answer to {self.call}"
            raise _UnforeseenError(msg)
        return self.answer


@define(eq=False)
class _Hold:
    """A start that is stopped at its beginning."""

    path: Path
    node: Node | None = None
    release: trio.Event = field(factory=trio.Event)


class _World:
    """The tree, its events and its clock."""

    def __init__(self, node: Node, nursery: trio.Nursery, clock: MockClock) -> None:
        self._node = node
        self._nursery = nursery
        self._clock = clock
        self._attempts = Attempts()
        self._templates: dict[ChildSpec, Node] = {}
        self._tree: Tree | None = None
        self._up: dict[Path, str] = {}
        self._ever: set[Path] = set()
        self._events: list[Json] = []
        self._status = "start_failed"
        self._failed: BaseException | None = None
        self._hold: _Hold | None = None
        self._due: list[float] = []

    def end(self) -> None:
        """Leave nothing running."""
        if self._tree is not None:
            self._tree.kill()
        self._nursery.cancel_scope.cancel(reason="the scenario is over")

    async def play(self, step: Step) -> Entry:
        self._events = []
        result = await self._do(step)
        await self._settle()
        tree: Json = None
        if self._tree is not None:
            tree = _rows(self._tree.snapshot())
        return Entry([*self._events], result, self._status, tree)

    async def _settle(self) -> None:
        """Wait until all is quiet; stubborn workers take their time."""
        await wait_all_tasks_blocked()
        while self._due:
            self._clock.jump(max(0.0, min(self._due) - trio.current_time()))
            await wait_all_tasks_blocked()

    async def _do(self, step: Step) -> Json:
        match step:
            case StartTree():
                return await self._start_tree()
            case StopTree():
                if self._tree is None:
                    return NOT_RUNNING
                self._nursery.start_soon(self._tree.stop)
                return OK
            case Sleep(seconds=much):
                self._clock.jump(much)
                return OK
            case EndWorker():
                return await self._end(step)
            case EndMany(exits=exits):
                return await self._end_many(exits)
            case _:
                if self._up.get(step.sup) != "supervisor":
                    return NOT_RUNNING
                asked = self._ask(step)
                await self._settle()
                return asked.result()

    # ---------------------------------------------------------------- what the tree tells

    def _observe(self, event: regrow.Event) -> None:
        path = _place(event.path)
        reason: str | None = None
        match event:
            case regrow.ChildStarted(kind=kind):
                word = "started"
                self._up[path] = kind
                if kind == "worker":
                    self._ever.add(path)
            case regrow.ChildStartFailed():
                word = "start_failed"
            case regrow.ChildIgnored():
                word = "ignored"
            case regrow.ChildExited():
                word, reason = _end_word(event)
                del self._up[path]
            case regrow.RestartLimitExceeded():
                word = "escalated"
            case regrow.AutoShutdown():
                word = "auto_shutdown"
            case _:
                return  # nothing that OTP has
        told: dict[str, Json] = {
            "event": word,
            "path": list(path),
            "n": event.incarnation,
        }
        if reason is not None:
            told["reason"] = reason
        self._events.append(told)

    # ------------------------------------------------------------------ what workers ask

    async def init(self, node: Node, path: Path) -> None:
        """Be the start of a worker."""
        self._attempts.next(node)
        hold = self._hold
        if hold is not None and hold.path == path and hold.node is None:
            hold.node = node
            await hold.release.wait()
        match self._attempts.outcome(node):
            case "error":
                raise _CrashError
            case "ignore":
                raise IgnoreStart
            case _:
                pass

    @contextmanager
    def stubborn(self, node: Node) -> Iterator[None]:
        """Tell that a worker is waiting to be cut off."""
        due = trio.current_time() + seconds(node.shutdown)
        self._due.append(due)
        try:
            yield
        finally:
            self._due.remove(due)

    # ---------------------------------------------------------------------- declarations

    def _spec(self, node: Node, path: Path) -> AnySpec:
        """Declare *node* as a user would.

        Raises:
            SpecError: As regrow has it.
        """
        if node.type != "supervisor":
            return self._worker(node)
        name = path[-1] if path else "top"
        shutdown = seconds(node.shutdown)
        if node.template is not None:
            made = regrow.dynamic(
                name,
                intensity=node.intensity,
                period=node.period,
                restart=_given(node.restart),
                shutdown=shutdown,
                significant=node.significant,
            )
            refuse(check_added(made, name, self._worker(node.template)))
            self._templates[made] = node.template
            return made
        return regrow.supervisor(
            name,
            *(self._spec(child, (*path, child.id)) for child in node.children),
            strategy=_given(node.strategy),
            intensity=node.intensity,
            period=node.period,
            auto_shutdown=_given(node.auto_shutdown),
            restart=_given(node.restart),
            shutdown=shutdown,
            significant=node.significant,
        )

    def _worker(self, node: Node) -> ActorSpec[_Worker]:
        spec = regrow.child(
            _Worker,
            self,
            node,
            name=node.id,
            restart=_given(node.restart),
            shutdown=seconds(node.shutdown),
            significant=node.significant,
        )
        if node.type == "worker":
            return spec
        # regrow has no option to write an unknown type into.
        text = f"the type is {node.type!r}"
        wrong = Finding("invalid_child_type", node.id, text, "Use a worker.")
        return evolve(spec, findings=(*spec.findings, wrong))

    # --------------------------------------------------------------------------- the steps

    async def _start_tree(self) -> Json:
        try:
            spec = self._spec(self._node, ())
        except SpecError as error:
            return error_result(error)
        assert isinstance(spec, Supervisor | Dynamic)
        self._nursery.start_soon(self._run, spec)
        await self._settle()
        if self._failed is not None:
            return start_error(self._failed, top=True)
        return OK

    async def _run(self, spec: Supervisor | Dynamic) -> None:
        try:
            async with open_tree(spec, observers=[self._observe]) as tree:
                self._tree = tree
                self._status = "running"
                await tree.wait_stopped()
        except (StartFailedError, RestartLimitExceededError) as error:
            self._failed = error
        if self._tree is not None:
            self._tree = None
            self._status = "exited:shutdown"

    def _send(self, path: Path, reason: Reason) -> bool:
        """Let the worker at *path* end by itself; tell whether one runs there."""
        if self._tree is None or self._up.get(path) != "worker":
            return False
        self._tree.ref(_name(path), _Worker).cast_nowait(_Worker.leave, reason)
        return True

    async def _end(self, step: EndWorker) -> Json:
        if step.hold is None:
            return OK if self._send(step.path, step.reason) else NOT_RUNNING
        hold = self._hold = _Hold(step.hold)
        if not self._send(step.path, step.reason):
            return NOT_RUNNING
        await self._settle()
        if hold.node is None:
            msg = f"no start of {step.hold} was made"
            raise _UnforeseenError(msg)
        asked: list[_Asked] = []
        for call in step.calls:
            asked.append(self._ask(call))
            await wait_all_tasks_blocked()  # so that they stand in line in this order
        self._hold = None
        hold.release.set()
        await self._settle()
        return {"ok": True, "results": [each.result() for each in asked]}

    async def _end_many(self, exits: Sequence[tuple[Path, Reason]]) -> Json:
        if any(self._up.get(path) != "worker" for path, _ in exits):
            return NOT_RUNNING
        lives = {path[:-1]: self._at(path[:-1]).life for path, _ in exits}
        for life in lives.values():
            assert isinstance(life, SupervisorLife)
            life.inbox.hold()
        for path, reason in exits:
            self._send(path, reason)
            await wait_all_tasks_blocked()
        for life in lives.values():
            assert isinstance(life, SupervisorLife)
            life.inbox.release()
        return OK

    def _at(self, path: Path) -> RunningPlace:
        """What runs at *path*: an inbox can be held back there and nowhere else."""
        assert self._tree is not None
        place = self._tree._running.host.find(_name(path))
        assert place is not None
        return place

    # -------------------------------------------------------------------------- requests

    def _ask(self, call: Call) -> "_Asked":
        """Make a request in a task of its own."""
        assert self._tree is not None
        asked = _Asked(call)
        supervisor = self._tree.supervisor(_name(call.sup))
        self._nursery.start_soon(self._request, asked, supervisor, self._hold)
        return asked

    async def _request(
        self, asked: "_Asked", supervisor: SupervisorRef, hold: _Hold | None
    ) -> None:
        try:
            answer = await self._answer(asked.call, supervisor, hold)
        except (SpecError, StartFailedError, SupervisorCallError) as error:
            answer = error_result(error)
        asked.answer, asked.answered = answer, True

    async def _answer(
        self, call: Call, supervisor: SupervisorRef, hold: _Hold | None
    ) -> Json:
        template = self._templates.get(self._at(call.sup).spec)
        dynamic = template is not None
        match call:
            case StartChild(sup=sup, node=node):
                path = (*sup, node.id)
                await supervisor.start_child(self._spec(node, path))
                return self._started(path)
            case StartInstance(sup=sup, key=key):
                if template is None:
                    msg = f"{sup} starts no instances"
                    raise _UnforeseenError(msg)
                node = template.instance(key, call.init, stubborn=call.stubborn)
                await supervisor.start_child(self._worker(node))
                return self._started((*sup, key))
            case TerminateChild(id=name):
                if dynamic:  # regrow's own is OTP's by process
                    return failure("simple_one_for_one")
                await supervisor.terminate_child(name)
            case TerminateInstance(target=target):
                if target not in self._ever:
                    return NOT_RUNNING
                if not dynamic or target[:-1] != call.sup:
                    return failure("not_found") if target in self._up else OK
                await self._terminate(supervisor, target, hold)
            case RestartChild(sup=sup, id=name):
                await supervisor.restart_child(name)
                return self._started((*sup, name))
            case DeleteChild(id=name):
                await supervisor.delete_child(name)
            case WhichChildren():
                return which(await supervisor.which_children(), dynamic=dynamic)
            case CountChildren():
                return counts(await supervisor.count_children(), dynamic=dynamic)
            case _:
                assert_never(call)
        return OK

    async def _terminate(
        self, supervisor: SupervisorRef, target: Path, hold: _Hold | None
    ) -> None:
        """Be OTP's `terminate_child` by process, for an instance (4.1)."""
        held = hold.node if hold is not None and hold.path == target else None
        # If it is held, the process that is meant is dead. The supervisor knows it as long
        # as its restart has not come to anything.
        if held is None or self._attempts.outcome(held) != "ok":
            with suppress(ChildNotFoundError):
                await supervisor.terminate_child(target[-1])

    def _started(self, path: Path) -> Json:
        """Give the result of a start that did not fail: it may have been ignored."""
        latest = [
            event["event"]
            for event in self._events
            if isinstance(event, dict) and event["path"] == list(path)
        ]
        return {"ok": True, "ignored": True} if latest[-1:] == ["ignored"] else OK


def _end_word(event: regrow.ChildExited) -> tuple[str, str | None]:
    """Give OTP's word for an end, and its reason if the child ended by itself."""
    if event.reason is ExitReason.KILLED:
        return "killed", None
    if event.reason is ExitReason.CRASHED:  # a supervisor gave up (D1)
        return (
            ("exited", "shutdown") if event.kind == "supervisor" else ("crashed", None)
        )
    if event.told:
        return "stopped", None
    return "exited", event.reason.value


def _rows(place: PlaceSnapshot) -> Json:
    """Give the state of the children (5.2)."""
    dynamic = place.kind == "dynamic"
    rows: list[dict[str, Json]] = []
    for child in place.children:
        if child.status == "running":
            row: dict[str, Json] = {"id": child.name, "status": "running"}
            row["n"] = child.incarnation
            if child.kind in {"supervisor", "dynamic"}:
                row["children"] = _rows(child)
            rows.append(row)
        elif not dynamic:
            rows.append({"id": child.name, "status": "undefined"})
    if dynamic:
        rows.sort(key=lambda row: str(row["id"]))
    return [*rows]
