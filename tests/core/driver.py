"""Drives one machine as a tree would, without a loop: a clock that is a number.

Children do what they are told at once, unless a test has said otherwise; all that the
machine asks for is noted as short lines of text.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, assert_never

from regrow._core import steps
from regrow._core.exits import Exit, ExitReason
from regrow._core.machine import SupervisorMachine
from regrow._core.specs import ChildSpec, DynamicSpec, SupervisorSpec
from regrow.errors import RegrowError

__all__ = ["Boom", "Driver", "dynamic", "spec", "sup"]


class Boom(Exception):
    """What children crash of."""


def spec(name: str, restart: Any = "permanent", **options: Any) -> ChildSpec:
    return ChildSpec(name=name, restart=restart, **options)


def sup(
    *children: ChildSpec | str, name: str = "top", **options: Any
) -> SupervisorSpec:
    """Make a supervisor; a child given as a text is a plain permanent one."""
    made = tuple(spec(each) if isinstance(each, str) else each for each in children)
    return SupervisorSpec(name=name, children=made, **options)


def dynamic(**options: Any) -> DynamicSpec:
    return DynamicSpec(name="top", **options)


class Driver:
    """A machine, its clock and its children.

    Attributes:
        log: What the machine asked for, in order.
        plans: For each child, what its next starts come to: `ok`, `fail`, `ignore`, or
            `hang`: nothing until `come_up`, `fail` or `ignore` is called. `ok` afterwards.
        slow: Children that do not end when they are told to, until `end` is called.
        running: The run of each child that is up.
        replies: The answers given, by ticket.
    """

    def __init__(
        self,
        declared: SupervisorSpec,
        *,
        draw: Callable[[], float] = lambda: 0.0,
        root: bool = True,
        begin: bool = True,
        **plans: str,
    ) -> None:
        self.machine = SupervisorMachine(declared, declared.name, draw=draw, root=root)
        self.now = 0.0
        self.log: list[str] = []
        self.plans = {name: deque(plan.split()) for name, plan in plans.items()}
        self.slow: set[str] = set()
        self.running: dict[str, int] = {}
        self.starting: dict[str, int] = {}
        self.stopping: dict[str, int] = {}
        self.timers: dict[str, tuple[int, float]] = {}
        self.replies: dict[int, steps.Answer] = {}
        self.decisions: list[steps.RestartDecided] = []
        self.ending: steps.Ending | None = None
        self.finished: steps.Finished | None = None
        self._events: deque[steps.Event] = deque()
        self._tickets = 0
        if begin:
            self.send(steps.Begin())

    # ---------------------------------------------------------------------- the machine

    def send(self, *events: steps.Event) -> list[str]:
        """Report *events*, all before anything is done; give the lines that came of it."""
        before = len(self.log)
        for event in events:
            self._do(self.machine.handle(event, self.now))
        while self._events:
            self._do(self.machine.handle(self._events.popleft(), self.now))
        return self.log[before:]

    def _do(self, asked: Iterable[steps.Step]) -> None:
        for step in asked:
            self._note(step)

    def _note(self, step: steps.Step) -> None:
        match step:
            case steps.StartChild(name=name, run=run):
                self.log.append(f"start {name}")
                self._start(name, run)
            case steps.CancelStart(name=name, run=run):
                self.log.append(f"cancel {name}")
                if name not in self.slow:
                    del self.starting[name]
                    self._events.append(steps.StartFailed(name, run, Boom()))
            case steps.StopChild(name=name, run=run, final=final):
                self.log.append(f"stop {name}{' for good' if final else ''}")
                if self.running.pop(name, None) is not None:
                    self.stopping[name] = run
                    if name not in self.slow:
                        self._events.append(self._ended(name, ExitReason.SHUTDOWN))
            case steps.ClosePlace(name=name):
                self.log.append(f"close {name}")
            case steps.RemovePlace(name=name):
                self.log.append(f"remove {name}")
            case steps.StartTimer(name=name, token=token, delay=delay):
                assert name not in self.timers
                self.log.append(f"wait {name} {delay:g}")
                self.timers[name] = token, self.now + delay
            case steps.CancelTimer(name=name, token=token):
                self.log.append(f"wait {name} no more")
                if self.timers.get(name, (0, 0.0))[0] == token:  # it may have gone off
                    del self.timers[name]
            case steps.Reply(ticket=ticket, answer=answer):
                assert ticket not in self.replies, "answered twice"
                self.log.append(f"reply {ticket}")
                self.replies[ticket] = answer
            case steps.Up():
                self.log.append("up")
            case steps.RestartDecided():
                self.decisions.append(step)
            case steps.Ending(outcome=outcome):
                assert self.ending is None
                self.ending = step
                self.log.append(f"ending: {outcome.value}")
            case steps.Finished(outcome=outcome):
                assert self.finished is None
                self.finished = step
                self.log.append(f"finished: {outcome.value}")
            case _:
                assert_never(step)

    def _start(self, name: str, run: int) -> None:
        plan = self.plans.get(name)
        self.starting[name] = run
        match plan.popleft() if plan else "ok":
            case "ok":
                self._events.append(self._came_up(name))
            case "fail":
                self._events.append(self._failed(name))
            case "ignore":
                self._events.append(self._ignored(name))
            case "hang":
                pass
            case other:
                raise ValueError(other)

    def _came_up(self, name: str) -> steps.Event:
        self.running[name] = run = self.starting.pop(name)
        return steps.Started(name, run)

    def _failed(self, name: str) -> steps.Event:
        return steps.StartFailed(name, self.starting.pop(name), Boom(name))

    def _ignored(self, name: str) -> steps.Event:
        return steps.Ignored(name, self.starting.pop(name))

    def _ended(self, name: str, reason: ExitReason) -> steps.Event:
        return steps.Exited(name, self.stopping.pop(name), Exit(reason))

    # --------------------------------------------------------------------- the children

    def come_up(self, name: str) -> list[str]:
        """End a start that hangs well."""
        return self.send(self._came_up(name))

    def fail(self, name: str) -> list[str]:
        """End a start that hangs badly."""
        return self.send(self._failed(name))

    def ignore(self, name: str) -> list[str]:
        """End a start that hangs with an ignore."""
        return self.send(self._ignored(name))

    def end(self, name: str, reason: ExitReason = ExitReason.KILLED) -> list[str]:
        """Let a slow child end, which has been told to stop."""
        return self.send(self._ended(name, reason))

    def exits(self, name: str, how: Exit) -> steps.Event:
        """Let a child that runs end by itself; give the event, for `send`."""
        return steps.Exited(name, self.running.pop(name), how)

    def crashes(self, name: str) -> steps.Event:
        return self.exits(name, Exit(ExitReason.CRASHED, Boom(name)))

    def crash(self, name: str) -> list[str]:
        return self.send(self.crashes(name))

    def leave(self, name: str, reason: ExitReason = ExitReason.NORMAL) -> list[str]:
        """Let a child that runs end by itself, cleanly unless told otherwise."""
        return self.send(self.exits(name, Exit(reason)))

    # ------------------------------------------------------------------ clock and callers

    def advance(self, seconds: float) -> list[str]:
        """Let time pass; timers go off at their times."""
        before = len(self.log)
        until = self.now + seconds
        while due := [
            (at, name) for name, (_, at) in self.timers.items() if at <= until
        ]:
            self.now, name = min(due)
            self.send(steps.TimerDue(name, self.timers.pop(name)[0]))
        self.now = until
        return self.log[before:]

    def asks(self, request: steps.Request) -> steps.Ask:
        """Give the event of a new request, for `send`."""
        self._tickets += 1
        return steps.Ask(self._tickets, request)

    def ask(self, request: steps.Request) -> steps.Answer:
        """Make a request and give its answer, which must come at once."""
        ask = self.asks(request)
        self.send(ask)
        return self.replies[ask.ticket]

    def ask_code(self, request: steps.Request) -> str:
        """Make a request that is refused, and give OTP's word for it."""
        answer = self.ask(request)
        assert isinstance(answer, RegrowError)
        code: str = getattr(answer, "code", type(answer).__name__)
        return code

    def stop(self, *, final: bool = True) -> list[str]:
        return self.send(steps.StopRequested(final))

    @property
    def statuses(self) -> dict[str, str]:
        return {child.name: child.status for child in self.machine.which_children()}

    @property
    def up(self) -> list[str]:
        """The children that run, sorted."""
        return sorted(self.running)
