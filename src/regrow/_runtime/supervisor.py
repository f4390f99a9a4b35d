"""One incarnation of a supervisor: the shell around its step machine.

Its task waits for nothing but its inbox, so it always hears a stop. Children run in its
nursery; what becomes of them comes back as events. An actor without a lifespan of its own
is up as soon as it is made, which costs no switch of tasks.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, ClassVar, Literal, assert_never, cast

import trio
from trio.lowlevel import enable_ki_protection

from regrow._core import steps
from regrow._core.exits import Exit, ExitReason
from regrow._core.machine import SupervisorMachine
from regrow._core.specs import SupervisorSpec
from regrow.errors import CallError, members_of

from .actor_place import ActorPlace
from .context import enter_place
from .inbox import Inbox
from .life import Life
from .place import TOLD_TO_STOP, Place, SupervisorPlace
from .starting import start_actor, start_service
from .telling import tell_ending, tell_restart
from .user import uncancelled
from .waits import break_circle
from .wiring import place_for, remove_child, why_closed

if TYPE_CHECKING:
    from collections.abc import Callable

    from .timers import TimerEntry

__all__ = ["SupervisorLife"]

REPORTS = (steps.Started, steps.Exited, steps.StartFailed, steps.Ignored)
"""What children tell of themselves."""

TURN = 64  # events taken up without letting others run


class SupervisorLife(Life):
    """One incarnation of a supervisor.

    Attributes:
        busy_with: The children that it is starting or stopping.
        final: Whether it is not coming back when it has been told to stop.
        inbox: What it has to hear.
    """

    kind: ClassVar[Literal["worker", "supervisor"]] = "supervisor"

    __slots__ = (
        "_finished",
        "_last_started",
        "_machine",
        "_nursery",
        "_timers",
        "busy_with",
        "final",
        "inbox",
    )

    def __init__(
        self, place: SupervisorPlace, run: int, report: Callable[[steps.Event], None]
    ) -> None:
        super().__init__(place, run, report)
        host = place.host
        self.busy_with: dict[str, Place] = {}
        self.final: bool = False
        self._machine = SupervisorMachine(
            cast("SupervisorSpec", place.spec),
            place.path,
            draw=host.random.random,
            root=place.parent is None,
        )
        self.inbox: Inbox = Inbox()
        self._nursery: trio.Nursery | None = None
        self._timers: dict[int, TimerEntry | None] = {}
        self._last_started: Place | None = None
        self._finished: steps.Finished | None = None

    @property
    def supervisor_place(self) -> SupervisorPlace:
        """Its place."""
        return cast("SupervisorPlace", self.place)

    @property
    def last_started(self) -> Place | None:
        """The child whose start was begun last; for looking at it."""
        return self._last_started

    @property
    def machine(self) -> SupervisorMachine:
        """What decides; for looking at it."""
        return self._machine

    def due(self, name: str) -> float | None:
        """Give when the delay of a child is over, on the run's clock, if it waits for one."""
        entry = self._timers.get(self._machine.token_of(name))
        return None if entry is None else entry.due

    # ---------------------------------------------------------------------- its task

    @enable_ki_protection
    async def live(self) -> None:  # noqa: ASYNC910 - a task, no one awaits it
        """Be the supervisor's task."""
        self.task: trio.lowlevel.Task | None = trio.lowlevel.current_task()
        place = self.supervisor_place
        enter_place(place.path)
        host = place.host
        host.supervisors[id(self)] = self
        place.begin_life()
        if not self.told:  # else nothing is started
            self.inbox.begin()
        for asked in place.asked.values():
            if asked.request is not None:
                self.inbox.put(steps.Ask(asked.ticket, asked.request))
        broken: BaseException | None = None
        try:
            async with trio.open_nursery(strict_exception_groups=True) as nursery:
                self._nursery = nursery
                await self._serve()
        except BaseExceptionGroup as group:  # noqa: ASYNC103 - it crashes of it
            broken = uncancelled(group)  # as trio puts it where a child leaves one open
            if broken is not None and len(members_of(broken)) == 1:
                broken = members_of(broken)[0]
        finally:
            del host.supervisors[id(self)]
        finished = self._finished
        if finished is None:
            self._close_places()
        failed = finished is not None and finished.error is not None
        if broken is not None and not (failed and isinstance(broken, Exception)):
            if place.parent is None:
                host.on_failure()
            self.end(broken, cut=True)
        elif finished is None:  # its nursery was cancelled: only a child can reach it
            self.end(None, cut=True)
        else:
            cut = finished.outcome is steps.Outcome.STOPPED
            if place.parent is None and finished.error is not None:
                self.told = False  # the tree stops because of that, and not before
            self.end(finished.error, cut=cut, busy=finished.busy)

    def _close_places(self) -> None:
        """Close what its machine would have closed, which was cut short with its nursery."""
        place = self.supervisor_place
        for name, child in list(place.children.items()):
            if place.declared.get(name) is not child:  # S39
                remove_child(place, name)
            elif not place.open:
                child.close(why_closed(child))

    async def _serve(self) -> None:  # noqa: ASYNC910 - see TURN
        handled = 0
        while self._finished is None:
            if not self._take_up():
                handled = 0
                await self.inbox.wait()
                continue
            handled += 1
            if handled == TURN:
                handled = 0
                await trio.lowlevel.cancel_shielded_checkpoint()

    def _take_up(self) -> bool:
        # Not in the loop: the names of its task's frame would hold what has ended.
        event = self.inbox.take()
        if event is None:
            return False
        for step in self._machine.handle(event, trio.current_time()):
            self._carry_out(step)
        return True

    def post(self, event: steps.Event) -> None:
        """Let it hear of *event*."""
        if self.busy_with and isinstance(event, REPORTS):
            self.busy_with.pop(event.name, None)
        self.inbox.put(event)

    # ------------------------------------------------------------------------- steps

    def _carry_out(self, step: steps.Step) -> None:
        match step:
            case steps.StartChild(name=name, run=run):
                self._start_child(name, run)
            case steps.StopChild():
                self._stop_child(step)
            case steps.RestartDecided():
                tell_restart(self.supervisor_place, step)
            case steps.CancelStart(name=name, run=run):
                self._cancel_start(name, run)
            case steps.ClosePlace(name=name):
                place = self.supervisor_place.children[name]
                place.close(why_closed(place))
            case steps.RemovePlace(name=name):
                remove_child(self.supervisor_place, name)
            case steps.StartTimer(name=name, token=token, delay=delay):
                due = steps.TimerDue(name, token)
                timers = self.place.host.timers
                self._timers[token] = timers.after(delay, lambda: self._timer_due(due))
            case steps.CancelTimer(token=token):
                self.place.host.timers.cancel(self._timers.pop(token, None))
            case steps.Reply(ticket=ticket, answer=answer):
                self._reply(ticket, answer)
            case steps.Up():
                self.is_up()
            case steps.Ending():
                tell_ending(self, step)
            case steps.Finished():
                self._finished = step
            case _:
                assert_never(step)

    def _timer_due(self, due: steps.TimerDue) -> None:
        self._timers.pop(due.token, None)
        self.post(due)

    def _start_child(self, name: str, run: int) -> None:
        place = place_for(self.supervisor_place, self._machine.spec_of(name))
        self._last_started = place
        if (
            isinstance(place, ActorPlace)
            and place.open
            and place.incarnation
            and place.box.rules.on_restart == "clear"
        ):
            place.clear()
        place.reopen()
        nursery = self._nursery
        assert nursery is not None  # noqa: S101 - steps are carried out inside it
        if isinstance(place, ActorPlace):
            # Its task inherits the context, and what the constructor changes there.
            copy_context().run(start_actor, place, run, self.post, nursery)
        elif isinstance(place, SupervisorPlace):
            supervisor = SupervisorLife(place, run, self.post)
            supervisor.limit_start()
            nursery.start_soon(supervisor.live, name=place.path)
        else:
            copy_context().run(start_service, place, run, self.post, nursery)
        life = place.life
        if life is not None and not life.up:
            self.busy_with[name] = place
            if place.host.lives.waiting:
                break_circle(self.place, place)

    def _stop_child(self, step: steps.StopChild) -> None:
        place = self.supervisor_place.children[step.name]
        life = place.life
        if step.final:
            place.close(TOLD_TO_STOP)
        if life is None or life.run != step.run:
            return  # it has ended by itself, and the event of it is in the inbox
        self.busy_with[step.name] = place
        if isinstance(life, SupervisorLife):
            life.final = step.final
        life.tell_stop()
        if self.killed:
            life.kill()
        if place.host.lives.waiting and step.name in self.busy_with:
            break_circle(self.place, place)

    def _cancel_start(self, name: str, run: int) -> None:
        life = self.supervisor_place.children[name].life
        if life is None or life.run != run:
            return
        if isinstance(life, SupervisorLife):
            life.final = self.place.host.stopping
        if not life.up:  # else the inbox says so, and it is stopped for that
            life.cancel_start()
        if self.killed:
            life.kill()

    def _reply(self, ticket: int, answer: steps.Answer) -> None:
        asked = self.supervisor_place.asked.pop(ticket, None)
        started, self._last_started = self._last_started, None
        if asked is None:
            return
        if isinstance(answer, steps.ChildUp):
            asked.answer(started)
            return
        if isinstance(answer, CallError):
            answer.origin = self.place.host
        asked.answer(answer)

    # ------------------------------------------------------------------------- stops

    def tree_stops(self) -> None:
        """The whole tree is stopping: restart nothing more (T17)."""
        if self.place.parent is None:
            self.final = True
            self.tell_stop()
        else:
            self.post(steps.Drain())

    def _wind_up(self) -> None:
        self.post(steps.StopRequested(self.final, tuple(self.inbox.ended())))

    def _wind_up_start(self) -> None:
        self._wind_up()

    def _cut(self) -> None:
        """Cut its children off; it ends by itself when they have."""
        self.post(steps.StopRequested(self.final))
        for place in self.supervisor_place.children.values():
            if place.life is not None:
                place.life.kill()

    def _watch(self) -> None:
        """It is never stuck itself: those below it are, and tell so."""

    def judge(self, error: BaseException | None, *, cut: bool, busy: float) -> Exit:
        finished = self._finished
        if finished is not None and finished.outcome is steps.Outcome.AUTO_SHUTDOWN:
            return Exit(ExitReason.SHUTDOWN, busy=busy)
        return super().judge(error, cut=cut, busy=busy)
