"""What callers may ask of a supervisor, each request when its turn in the line comes."""

from typing import TypeAlias, assert_never

from regrow.errors import (
    ChildActiveError,
    ChildExistsError,
    ChildForgottenError,
    ChildNotFoundError,
    MaxChildrenError,
)

from . import steps as out
from .child import DOWN, RESTARTING, RUNNING, Child, count, covered, info, kept_down
from .restarts import Restarts
from .specs import ChildSpec
from .work import Kind, Work

__all__ = ["Requests"]

_AboutChild: TypeAlias = (
    out.TerminateChild | out.RestartChild | out.DeleteChild | out.GetChildSpec
)


class Requests(Restarts):
    """The rules of requests; all of them go by the child's name."""

    def spec_of(self, name: str) -> ChildSpec:
        """Give the spec of the child called *name*, as `StartChild` names it."""
        return self._children[name].spec

    def which_children(self) -> tuple[out.ChildInfo, ...]:
        """Give the children in start order (S19; OTP gives the reverse)."""
        return tuple(info(child) for child in self._children.values())

    def count_children(self) -> out.ChildCounts:
        """Count the children (S20); a dynamic supervisor counts them as specs (D9)."""
        return count(self._children.values())

    def _answer(self, ask: out.Ask) -> None:
        """Carry out a request whose turn has come."""
        ticket = ask.ticket
        match ask.request:
            case out.StartNewChild(spec=spec):
                self._start_child(ticket, spec)
            case out.WhichChildren():
                self._reply(ticket, self.which_children())
            case out.CountChildren():
                self._reply(ticket, self.count_children())
            case (
                out.TerminateChild(name=name)
                | out.RestartChild(name=name)
                | out.DeleteChild(name=name)
                | out.GetChildSpec(name=name)
            ) as request:
                child = self._children.get(name)
                forgets = self.spec.forgets
                if forgets and isinstance(request, out.RestartChild | out.DeleteChild):
                    self._reply(ticket, ChildForgottenError(self.path, name))
                elif child is None:
                    self._reply(ticket, ChildNotFoundError(self.path, name))
                else:
                    self._answer_about(ticket, child, request)
            case _:
                assert_never(ask.request)

    def _answer_about(self, ticket: int, child: Child, request: _AboutChild) -> None:
        if isinstance(request, out.GetChildSpec):
            self._reply(ticket, child.spec)
        elif isinstance(request, out.TerminateChild):
            self._terminate(ticket, child)
        elif child.status is not DOWN:  # S16, S17: only from `undefined`
            restarting = child.status is RESTARTING
            error = ChildActiveError(self.path, request.name, restarting=restarting)
            self._reply(ticket, error)
        elif isinstance(request, out.DeleteChild):
            self._forget(child)
            self._reply(ticket, None)
        else:
            self._start_for(Kind.RESTART_CHILD, ticket, child)

    def _start_child(self, ticket: int, spec: ChildSpec) -> None:
        """S14, D9: its spec has been checked."""
        other = self._children.get(spec.name)
        if other is not None:
            started = other.status is RUNNING or self.spec.forgets
            error = ChildExistsError(self.path, spec.name, started=started)
            self._reply(ticket, error)
        elif len(self._children) >= self.spec.max_children:
            most = self.spec.max_children
            self._reply(ticket, MaxChildrenError(self.path, spec.name, most))
        else:
            self._start_for(Kind.START_CHILD, ticket, Child(spec, added=True))

    def _start_for(self, kind: Kind, ticket: int, child: Child) -> None:
        if self._draining:
            self._reply(ticket, self._stopped_error())
            return
        name = child.spec.name
        self._children[name] = child
        work = Work(kind, subject=child, ticket=ticket, answer=out.ChildUp(name))
        work.starts.append(child)
        self._begin(work)

    def _terminate(self, ticket: int, child: Child) -> None:
        """S15; of a child that waits, it cancels the wait for good (T8)."""
        if child.status is RUNNING:
            work = Work(Kind.TERMINATE, subject=child, ticket=ticket)
            work.stops.append(child)
            self._begin(work)
        elif child.delayed:
            self._terminate_delayed(ticket, child)
        else:
            over = [child]
            if child.status is RESTARTING:  # S34: its round is over
                over = covered(self.spec.strategy, self._children.values(), child)
            self._unschedule(child)
            for other in over:
                if other.status is DOWN:
                    self._drop(other)
            self._reply(ticket, None)

    def _terminate_delayed(self, ticket: int, child: Child) -> None:
        """D5: what is down for this child alone need not stay down for it."""
        children = self._children.values()
        before = kept_down(self.spec.strategy, children)
        self._unschedule(child)
        self._drop(child)
        freed = before - kept_down(self.spec.strategy, children)
        work = Work(Kind.ROUND, ticket=ticket)
        work.starts.extend(other for other in children if other in freed)
        self._begin(work)
