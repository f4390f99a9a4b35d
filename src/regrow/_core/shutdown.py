"""How a supervisor ends, for whatever reason: all children first, in reverse (S40)."""

from regrow.errors import ActorInterruptedError, ActorStoppedError

from . import steps as out
from .child import DOWN
from .specs import SupervisorSpec
from .work import Kind, Work, Workbench

__all__ = ["Shutdown"]


class Shutdown(Workbench):
    """The last piece of work of a machine."""

    def __init__(self, spec: SupervisorSpec, path: str, *, root: bool) -> None:
        super().__init__(spec, path)
        self._root = root
        self._waiting: set[int] = set()
        """Tickets of the requests in line whose callers have not given up."""
        self._ending: out.Ending | None = None
        self._closing = False
        """Whether it is not coming back, so that nobody will carry out what waits."""
        self._finished = False

    def _shut_down(self, ending: out.Ending, *, final: bool) -> None:
        """Drop what is in hand, stop all children in reverse start order, and finish."""
        self._ending = ending
        self._steps.append(ending)
        previous = self._work
        work = self._work = Work(Kind.SHUTDOWN)
        if previous is not None:
            self._cancel_starts(previous)
            work.awaited = previous.awaited
            if previous.kind.over_with_start:
                self._reply(previous.ticket, self._interrupted_error())
            else:
                work.ticket = previous.ticket  # a terminate goes on (D6)
        for child in self._children.values():
            self._unschedule(child)
            if child.exit is not None:  # found dead, and it is not restarted (S40)
                child.status = DOWN
                child.run = 0
                child.exit = None
        self._leave_idle(work, final=final)
        work.stops.extend(self._running(self._children.values()))
        self._advance()

    def _make_final(self) -> None:
        """It has been ending, and now it is known not to come back."""
        if not self._closing:
            self._leave_idle(self._in_hand(), final=True)

    def _leave_idle(self, work: Work, *, final: bool) -> None:
        work.final = final
        for child in list(self._children.values()):
            if child.status is DOWN:
                self._leave(child, final=final)
        if final:
            self._closing = True
            for ask in self._take_waiting():
                self._reply(ask.ticket, self._stopped_error())

    def _finish(self, work: Work) -> None:
        ending = self._ending
        assert ending is not None  # noqa: S101 - the shutdown began with it
        self._finished = True
        self._reply(work.ticket, None)
        busy = self._clock.busy(self._now)
        waiting = self._take_waiting()
        self._steps.append(out.Finished(ending.outcome, ending.error, busy, waiting))

    def _take_waiting(self) -> tuple[out.Ask, ...]:
        """Give the requests in line, which are not waiting there any more."""
        waiting = tuple(
            item
            for item in self._line
            if isinstance(item, out.Ask) and item.ticket in self._waiting
        )
        self._line.clear()
        return waiting

    def _stopped_error(self) -> ActorStoppedError:
        return ActorStoppedError(self.path, "", "is stopping")

    def _interrupted_error(self) -> ActorInterruptedError:
        return ActorInterruptedError(self.path, "", 0, "was stopped")
