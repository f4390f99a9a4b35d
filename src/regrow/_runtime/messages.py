"""A message on its way, and the answer to it.

A sender parks once, for room and answer together, and is woken with the answer itself. A
request is settled exactly once: answered, refused, or abandoned by its sender.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

import outcome
import trio
from trio.lowlevel import enable_ki_protection, reschedule

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Sequence

    from .actor_place import ActorPlace
    from .handlers import Handler
    from .waits import Waiter

__all__ = ["Answer", "Cast", "Deferred", "Request", "State"]

T = TypeVar("T")

SECOND_CALL = "this Deferred answers another call already: make one for each call"


NO_KEYWORDS: dict[
    str, object
] = {}  # stays empty: calling a method with it makes a copy


class State(IntEnum):
    """Where a request is."""

    LINE = 1
    """Its sender waits for room."""
    QUEUED = 2
    """In the mailbox."""
    BEGUN = 3
    """In hand, or its answer is deferred."""
    SETTLED = 4
    ABANDONED = 5


# A global name is found faster than a member of an enum, once for every message.
LINE = State.LINE
QUEUED = State.QUEUED
BEGUN = State.BEGUN
SETTLED = State.SETTLED
ABANDONED = State.ABANDONED


class Answer(outcome.Outcome[object]):
    """An answer on its way to the task that is parked for it.

    A fresh one for each, read once by `trio.lowlevel.wait_task_rescheduled`:
    `outcome.Value` guards itself against a second reading, which costs as much as all
    else that a call does on the way back.
    """

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value: object = value

    def unwrap(self) -> object:
        """Give the answer."""
        return self.value

    def send(self, gen: Generator[T, object, object]) -> T:
        """Send the answer into a generator."""
        return gen.send(self.value)

    async def asend(self, agen: AsyncGenerator[T, object]) -> T:
        """Send the answer into an async generator."""
        return await agen.asend(self.value)


class Request:
    """One message, with whoever waits for it.

    Attributes:
        handler: What it asks for.
        args: Positional arguments.
        kwargs: Keyword arguments.
        place: Where it was sent.
        task: The parked sender; `None` when nobody waits.
        life: For a timer's message, the only incarnation that it is for; else 0.
        waiter: The actor whose own task waits, for call cycles.
    """

    __slots__ = (
        "args",
        "handler",
        "kwargs",
        "life",
        "place",
        "state",
        "task",
        "waiter",
    )

    is_call: ClassVar[bool] = True
    """Whether an answer is wanted."""

    def __init__(
        self,
        handler: Handler,
        args: tuple[object, ...],
        kwargs: dict[str, object],
        place: ActorPlace,
        task: trio.lowlevel.Task | None,
    ) -> None:
        self.handler: Handler = handler
        self.args: tuple[object, ...] = args
        self.kwargs: dict[str, object] = kwargs or NO_KEYWORDS
        self.life: int = 0
        self.place: ActorPlace = place
        self.task = task
        self.state: State = QUEUED
        self.waiter: Waiter | None = None

    @property
    def name(self) -> str:
        """Name of the method."""
        return self.handler.name

    def no_longer_awaited(self) -> None:
        """Take away the edge of the waiting graph: the answer is given, or deferred."""
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            waiter.waits_no_more()

    def answer(self, value: object) -> None:
        """Wake the sender of a call that was begun with *value*."""
        task = self.task
        if task is not None:  # it has not given up
            self.task = None
            self.state = SETTLED
            if self.waiter is not None:
                self.no_longer_awaited()
            reschedule(task, Answer(value))

    def settle(self, result: outcome.Outcome[object]) -> bool:
        """Wake the sender with *result*; tell whether somebody waited for it."""
        if self.state >= SETTLED:
            return False
        task = self.task
        if task is not None:
            reschedule(task, result)  # first: it raises in another thread
            self.task = None
        self.state = SETTLED
        if self.waiter is not None:
            self.no_longer_awaited()
        return task is not None

    def abandon(self, _: object) -> trio.lowlevel.Abort:
        """The parked sender is cancelled: it takes its message back, unless begun."""
        self.place.give_up(self)
        return trio.lowlevel.Abort.SUCCEEDED

    def refuse(self, circle: Sequence[str]) -> None:
        """Fail it, as it closes a circle of calls."""
        self.place.refuse_cycle(self, circle)

    def admitted(self) -> None:
        """There is room now: a cast's sender need not wait any longer."""
        self.state = QUEUED
        if not self.is_call:
            if self.waiter is not None:
                self.no_longer_awaited()
            task = self.task
            if task is not None:
                self.task = None
                reschedule(task)


class Cast(Request):
    """A message whose sender wants no answer."""

    __slots__ = ()

    is_call = False

    def __init__(
        self,
        handler: Handler,
        args: tuple[object, ...],
        kwargs: dict[str, object],
        place: ActorPlace,
    ) -> None:
        # All fields here: to hand them on to the class above costs as much again.
        self.handler = handler
        self.args = args
        self.kwargs = kwargs or NO_KEYWORDS
        self.life = 0
        self.place = place
        self.task = None
        self.state = QUEUED
        self.waiter = None


class Deferred(Generic[T]):
    """An answer that a handler gives later.

    The handler makes one, keeps it, returns it, and goes on to its next message; whoever
    calls `reply` or `fail` answers the call, from any task of the same run. If the actor
    ends first, the caller gets `ActorCrashedError` or `ActorInterruptedError`. Each answers
    one call: to answer several, make one for each.
    """

    __slots__ = ("_forget", "_request", "_result")

    def __init__(self) -> None:
        self._request: Request | None = None
        self._result: outcome.Outcome[T] | None = None
        self._forget: Callable[[Request], object] | None = None

    @property
    def done(self) -> bool:
        """Whether it has been answered, or nobody waits for it any more."""
        if self._result is not None:
            return True
        return self._request is not None and self._request.state >= SETTLED

    def reply(self, value: T) -> bool:
        """Answer the call with *value*.

        Returns:
            Whether the caller gets it: not if it has given up, or had an answer before.
            Before the handler has returned, whether this is the first answer.
        """
        return self._answer(outcome.Value(value))

    def fail(self, error: BaseException) -> bool:
        """Answer the call by raising *error* in the caller; like `reply` otherwise."""
        return self._answer(outcome.Error(error))

    @enable_ki_protection
    def _answer(self, result: outcome.Outcome[T]) -> bool:
        if self._result is not None:
            return False
        request, forget = self._request, self._forget
        if request is None or forget is None:
            self._result = result
            return True
        awaited = request.settle(result)  # raises in another thread
        self._result = result
        forget(request)
        return awaited

    def bind(self, request: Request, forget: Callable[[Request], object]) -> bool:
        """Join it to the call that it answers; tell whether the answer is still to come.

        For the runtime.

        Raises:
            RuntimeError: It answers another call already.
        """
        if self._request is not None:
            raise RuntimeError(SECOND_CALL)
        self._request = request
        if self._result is not None:
            request.settle(self._result)
            return False
        self._forget = forget
        return True
