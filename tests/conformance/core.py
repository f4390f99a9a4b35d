"""Plays scenarios against the pure machine: one for each supervisor, no event loop.

Machines are put together by hand. What one of them asks for is done at once where that
is a worker's affair; what another machine must hear stands in one queue, so that a step
is over when the queue is empty and no timer is left. The clock is a number.
"""

import heapq
from collections import deque
from collections.abc import Sequence
from itertools import count
from typing import assert_never

from attrs import define, field, frozen

from regrow._core import steps as core
from regrow._core.check import check_added, refuse
from regrow._core.exits import Exit, ExitReason
from regrow._core.machine import SupervisorMachine
from regrow._core.specs import ChildSpec, SupervisorSpec
from regrow.errors import ChildNotFoundError, SpecError

from .answers import OK, counts, error_result, failure, start_error, which
from .declaring import Specs, seconds
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
    """What a worker crashes of, or its init fails of."""


class _UnforeseenError(Exception):
    """The machine did what no trace can hold."""


def play(script: Script) -> Played:
    """Do all steps of *script*, as far as they can be done."""
    world = _World(script.tree)
    entries: list[Entry] = []
    for step in script.steps:
        try:
            entries.append(world.play(step))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a difference
            return Played(entries, f"{type(error).__name__}: {error}")
    return Played(entries)


# ---------------------------------------------------------------------------- the world


@define(eq=False)
class _Worker:
    """One life of a worker."""

    node: Node
    path: Path
    n: int
    boss: "_Life"
    run: int
    up: bool = False


@define(eq=False)
class _Life:
    """One life of a supervisor."""

    node: Node
    path: Path
    n: int
    boss: "_Life | None"
    run: int
    machine: SupervisorMachine
    children: "dict[str, _Worker | _Life]" = field(factory=dict)
    up: bool = False
    finished: core.Finished | None = None

    @property
    def dynamic(self) -> bool:
        return self.node.template is not None

    def below(self, name: str, run: int) -> "_Worker | _Life | None":
        child = self.children.get(name)
        return child if child is not None and child.run == run else None


@frozen
class _Ticket:
    """Stands for an answer that is still to come.

    Attributes:
        number: Tells it from others.
        dynamic: Whether a dynamic supervisor was asked: it may end before all is quiet.
    """

    number: int
    dynamic: bool


class _World:
    """The tree, its queue and its clock."""

    def __init__(self, tree: Node) -> None:
        self._tree = tree
        self._specs = Specs()
        self._attempts = Attempts()
        self._now = 0.0
        self._queue: deque[tuple[_Life, core.Event]] = deque()
        self._timers: list[tuple[float, int, _Worker]] = []
        self._tickets = count(1)
        self._answers: dict[int, core.Answer] = {}
        self._events: list[Json] = []
        self._top: _Life | None = None
        self._status = "start_failed"
        self._ever: set[Path] = set()
        self._hold: Path | None = None
        self._held: _Worker | None = None

    def play(self, step: Step) -> Entry:
        self._events = []
        result = self._do(step)
        self._settle()
        tree: Json = None
        if self._top is not None and self._status == "running":
            tree = self._rows(self._top)
        return Entry(self._events, result, self._status, tree)

    def _do(self, step: Step) -> Json:
        match step:
            case StartTree():
                return self._start_tree()
            case StopTree():
                if self._top is None or self._status != "running":
                    return NOT_RUNNING
                self._queue.append((self._top, core.StopRequested(final=True)))
                return OK
            case Sleep(seconds=seconds):
                self._now += seconds
                return OK
            case EndWorker():
                return self._end(step)
            case EndMany(exits=exits):
                return self._end_many(exits)
            case _:
                if self._supervisor(step.sup) is None:
                    return NOT_RUNNING
                asked = self._ask(step)
                self._settle()
                return self._answer(step, asked)

    # ------------------------------------------------------------------- looking around

    def _supervisor(self, path: Path) -> _Life | None:
        """The supervisor that runs at *path*."""
        life = self._top if self._status == "running" else None
        for name in path:
            below = None if life is None else life.children.get(name)
            life = below if isinstance(below, _Life) and below.up else None
        return life

    def _worker(self, path: Path) -> _Worker | None:
        """The worker that runs at *path*."""
        life = self._supervisor(path[:-1]) if path else None
        below = None if life is None else life.children.get(path[-1])
        return below if isinstance(below, _Worker) and below.up else None

    def _rows(self, life: _Life) -> Json:
        rows: list[Json] = []
        for child in life.machine.which_children():
            below = life.children.get(child.name)
            if child.status == "running" and below is not None:
                row: dict[str, Json] = {
                    "id": child.name,
                    "status": "running",
                    "n": below.n,
                }
                if isinstance(below, _Life):
                    row["children"] = self._rows(below)
                rows.append(row)
            elif not life.dynamic:
                rows.append({"id": child.name, "status": "undefined"})
        if life.dynamic:
            rows.sort(key=lambda row: str(row["id"]) if isinstance(row, dict) else "")
        return rows

    def _tell(
        self, event: str, what: _Worker | _Life, reason: str | None = None
    ) -> None:
        told: dict[str, Json] = {"event": event, "path": list(what.path), "n": what.n}
        if reason is not None:
            told["reason"] = reason
        self._events.append(told)

    # ------------------------------------------------------------------------ the steps

    def _start_tree(self) -> Json:
        try:
            spec = self._specs.make(self._tree, top=True)
        except SpecError as error:
            return error_result(error)
        self._top = top = self._begin(spec, (), None, 0)
        self._settle()
        if top.finished is None:
            return OK
        if top.finished.error is None:
            msg = "the tree ended without an error while it was starting"
            raise _UnforeseenError(msg)
        return start_error(top.finished.error, top=True)

    def _end(self, step: EndWorker) -> Json:
        worker = self._worker(step.path)
        if worker is None:
            return NOT_RUNNING
        self._hold = step.hold
        self._exit(worker, step.reason)
        self._settle()
        if step.hold is None:
            return OK
        held, self._held = self._held, None
        if held is None:
            msg = f"no start of {step.hold} was made"
            raise _UnforeseenError(msg)
        asked = [self._ask(call, held) for call in step.calls]
        self._settle()
        self._init(held)
        self._settle()
        results = [self._answer(*pair) for pair in zip(step.calls, asked, strict=True)]
        return {"ok": True, "results": results}

    def _end_many(self, exits: Sequence[tuple[Path, Reason]]) -> Json:
        workers = [self._worker(path) for path, _ in exits]
        if None in workers:
            return NOT_RUNNING
        for worker, (_, reason) in zip(workers, exits, strict=True):
            if worker is not None:
                self._exit(worker, reason)
        return OK

    def _exit(self, worker: _Worker, reason: Reason) -> None:
        """Let *worker* end by itself."""
        match reason:
            case "crash":
                self._tell("crashed", worker)
                end = Exit(ExitReason.CRASHED, _CrashError())
            case "normal":
                self._tell("exited", worker, "normal")
                end = Exit(ExitReason.NORMAL)
            case "shutdown":
                self._tell("exited", worker, "shutdown")
                end = Exit(ExitReason.SHUTDOWN)
            case _:
                assert_never(reason)
        self._gone(worker, end)

    # --------------------------------------------------------------- asking and telling

    def _ask(self, call: Call, held: _Worker | None = None) -> "_Ticket | Json":
        """Ask; give a ticket, or the result where regrow need not be asked."""
        life = self._supervisor(call.sup)
        if life is None:
            return NOT_RUNNING
        request: core.Request
        match call:
            case StartChild(node=node):
                try:
                    spec = self._specs.make(node)
                    refuse(check_added(life.machine.spec, life.machine.path, spec))
                except SpecError as error:
                    return error_result(error)
                request = core.StartNewChild(spec)
            case StartInstance():
                template = life.node.template
                if template is None:
                    msg = f"{call.sup} starts no instances"
                    raise _UnforeseenError(msg)
                node = template.instance(call.key, call.init, stubborn=call.stubborn)
                request = core.StartNewChild(self._specs.make(node))
            case TerminateChild(id=name):
                if life.dynamic:  # regrow's own is OTP's by process
                    return failure("simple_one_for_one")
                request = core.TerminateChild(name)
            case TerminateInstance(target=target):
                answer = self._gone_or_foreign(life, target, held)
                if answer is not None:
                    return answer
                request = core.TerminateChild(target[-1])
            case RestartChild(id=name):
                request = core.RestartChild(name)
            case DeleteChild(id=name):
                request = core.DeleteChild(name)
            case WhichChildren():
                request = core.WhichChildren()
            case CountChildren():
                request = core.CountChildren()
            case _:
                assert_never(call)
        ticket = _Ticket(next(self._tickets), life.dynamic)
        self._queue.append((life, core.Ask(ticket.number, request)))
        return ticket

    def _gone_or_foreign(self, life: _Life, target: Path, held: _Worker | None) -> Json:
        """Answer a `terminate_instance` that is about no instance of *life* (4.1)."""
        if target not in self._ever:
            return NOT_RUNNING
        if not life.dynamic or target[:-1] != life.path:
            return OK if self._worker(target) is None else failure("not_found")
        if held is not None and held.path == target:
            # The process that is meant is dead. The supervisor knows it as long as its
            # restart has not come to anything.
            return OK if self._attempts.outcome(held.node) == "ok" else None
        return None

    def _answer(self, call: Call, asked: "_Ticket | Json") -> Json:
        if not isinstance(asked, _Ticket):
            return asked
        if asked.number not in self._answers:
            msg = f"no answer to {call}"
            raise _UnforeseenError(msg)
        answer = self._answers.pop(asked.number)
        match answer:
            case ChildNotFoundError() if isinstance(call, TerminateInstance):
                return OK
            case core.ChildUp(ignored=ignored):
                return {"ok": True, "ignored": True} if ignored else OK
            case core.ChildCounts():
                return counts(answer, dynamic=asked.dynamic)
            case tuple():
                return which(answer, dynamic=asked.dynamic)
            case BaseException():
                return error_result(answer)
            case None:
                return OK
            case _:
                msg = f"{answer} as the answer to {call}"
                raise _UnforeseenError(msg)

    # --------------------------------------------------------------- queue and machines

    def _settle(self) -> None:
        """Go on until all is quiet."""
        while self._queue or self._timers:
            if self._queue:
                life, event = self._queue.popleft()
                for step in life.machine.handle(event, self._now):
                    self._carry_out(life, step)
            else:
                self._now, _, worker = heapq.heappop(self._timers)
                self._kill(worker)

    def _carry_out(self, life: _Life, step: core.Step) -> None:
        match step:
            case core.StartChild(name=name, run=run):
                self._start(life, name, run)
            case core.StopChild(name=name, run=run, final=final):
                below = life.below(name, run)
                if isinstance(below, _Life):
                    self._queue.append((below, core.StopRequested(final)))
                elif below is not None:
                    self._stop(below)
            case core.Reply(ticket=ticket, answer=answer):
                self._answers[ticket] = answer
            case core.Up():
                life.up = True
                self._tell("started", life)
                if life.boss is None:
                    self._status = "running"
                else:
                    self._report(life.boss, core.Started(life.path[-1], life.run))
            case core.Ending(outcome=outcome):
                if outcome is core.Outcome.GAVE_UP:
                    self._tell("escalated", life)
                elif outcome is core.Outcome.AUTO_SHUTDOWN:
                    self._tell("auto_shutdown", life)
            case core.Finished():
                self._finish(life, step)
            case core.ClosePlace() | core.RemovePlace() | core.RestartDecided():
                pass
            case core.CancelStart() | core.StartTimer() | core.CancelTimer():
                msg = f"{step} at {life.path}"
                raise _UnforeseenError(msg)
            case _:
                assert_never(step)

    def _report(self, life: _Life, event: core.Event) -> None:
        self._queue.append((life, event))

    def _start(self, boss: _Life, name: str, run: int) -> None:
        spec = boss.machine.spec_of(name)
        path = (*boss.path, name)
        if isinstance(spec, SupervisorSpec):
            boss.children[name] = self._begin(spec, path, boss, run)
            return
        node = self._specs.node(spec)
        worker = _Worker(node, path, self._attempts.next(node), boss, run)
        boss.children[name] = worker
        if path == self._hold:
            self._hold = None
            self._held = worker
        else:
            self._init(worker)

    def _begin(
        self, spec: ChildSpec, path: Path, boss: _Life | None, run: int
    ) -> _Life:
        if not isinstance(spec, SupervisorSpec):
            msg = f"{path} is no supervisor"
            raise _UnforeseenError(msg)
        machine = SupervisorMachine(
            spec, "/".join(("top", *path)), draw=lambda: 0.0, root=boss is None
        )
        node = self._specs.node(spec)
        life = _Life(node, path, self._attempts.next(node), boss, run, machine)
        self._report(life, core.Begin())
        return life

    def _init(self, worker: _Worker) -> None:
        name, run = worker.path[-1], worker.run
        match self._attempts.outcome(worker.node):
            case "ok":
                worker.up = True
                self._ever.add(worker.path)
                self._tell("started", worker)
                self._report(worker.boss, core.Started(name, run))
            case "error":
                del worker.boss.children[name]
                self._tell("start_failed", worker)
                self._report(worker.boss, core.StartFailed(name, run, _CrashError()))
            case _:
                del worker.boss.children[name]
                self._tell("ignored", worker)
                self._report(worker.boss, core.Ignored(name, run))

    def _stop(self, worker: _Worker) -> None:
        """Tell it to stop; a stubborn one makes its supervisor wait."""
        if worker.node.shutdown == "brutal_kill":
            self._kill(worker)
        elif worker.node.stubborn:
            due = self._now + seconds(worker.node.shutdown)
            heapq.heappush(self._timers, (due, worker.run, worker))
        else:
            self._tell("stopped", worker)
            self._gone(worker, Exit(ExitReason.SHUTDOWN))

    def _kill(self, worker: _Worker) -> None:
        self._tell("killed", worker)
        self._gone(worker, Exit(ExitReason.KILLED))

    def _gone(self, what: _Worker | _Life, end: Exit) -> None:
        boss, name = what.boss, what.path[-1]
        if boss is not None:
            del boss.children[name]
            self._report(boss, core.Exited(name, what.run, end))

    def _finish(self, life: _Life, end: core.Finished) -> None:
        life.finished = end
        if end.waiting:
            msg = f"{life.path} has left requests unanswered"
            raise _UnforeseenError(msg)
        if not life.up:
            self._tell("start_failed", life)
            if life.boss is not None:
                del life.boss.children[life.path[-1]]
                failed = core.StartFailed(
                    life.path[-1], life.run, end.error or _CrashError()
                )
                self._report(life.boss, failed)
            return
        if end.outcome is core.Outcome.STOPPED:
            self._tell("stopped", life)
        else:
            self._tell("exited", life, "shutdown")
        if life.boss is None:
            self._status = "exited:shutdown"
        elif end.outcome is core.Outcome.GAVE_UP:  # D1
            self._gone(life, Exit(ExitReason.CRASHED, end.error, end.busy))
        else:
            self._gone(life, Exit(ExitReason.SHUTDOWN))
