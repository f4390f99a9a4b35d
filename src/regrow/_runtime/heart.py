"""Asking one incarnation of an actor whether it is healthy, on the timers of its tree.

There is no task for it. An actor with `check_health` is asked by raising the flag that its
loop reads once for each message, and the check runs in the actor's own task. For any other
the message in hand is compared with the one that was there when it was asked, so that
nothing has to be noted for each message. What takes time is counted only while the loop
comes round: one that is blocked is the watchdog's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from regrow._core.events import HeartbeatMissed
from regrow._core.heartbeat import Heartbeat, Pulse
from regrow.errors import HeartbeatMissedError

from .stacks import where
from .stuck import frames_of, stack_of
from .user import COROUTINE, await_user, call_method

if TYPE_CHECKING:
    from collections.abc import Callable

    from .actor_life import ActorLife
    from .messages import Request
    from .timers import TimerEntry

__all__ = ["Heart"]


class Heart:
    """The health checks of one incarnation, from when it is up until it ends.

    Attributes:
        wanted: Whether the actor is to run its own check before its next message.
    """

    __slots__ = (
        "_check",
        "_life",
        "_pulse",
        "_rules",
        "_seen",
        "_timer",
        "wanted",
    )

    def __init__(self, life: ActorLife, rules: Heartbeat) -> None:
        self._life = life
        self._rules = rules
        # Its class's: what an object happens to hold under that name is no method.
        self._check: Callable[[object], object] | None = getattr(
            type(life.actor), "check_health", None
        )
        self._pulse = Pulse(rules, life.place.host.now())
        self._seen: Request | None = None
        self._timer: TimerEntry | None = None
        self.wanted: bool = False
        self._wait_to_ask()

    def stop(self) -> None:
        """Ask no more."""
        self._life.place.host.timers.cancel(self._timer)
        self._timer = self._seen = None
        self.wanted = False

    # ------------------------------------------------------------------- in the timers

    def _wait_to_ask(self) -> None:
        host = self._life.place.host
        now = host.now()
        self._timer = host.timers.after(self._pulse.next_at(now) - now, self._ask)

    def _wait_for_answer(self, seconds: float) -> None:
        self._timer = self._life.place.host.timers.after(seconds, self._look)

    def _ask(self) -> None:
        life = self._life
        if not life.answers:
            self._pulse.moves()
            self._seen = None
            self._wait_to_ask()
            return
        if self._check is None:
            seen, self._seen = self._seen, life.in_hand
            if self._seen is None or self._seen is not seen:
                self._pulse.moves()
            if self._seen is None:  # it waits for messages, or is between two
                self._wait_to_ask()
                return
        else:
            self.wanted = True
            life.look_up()
        self._pulse.ask(life.place.host.now())
        self._wait_for_answer(self._rules.timeout)

    def _look(self) -> None:
        """The time to answer is over."""
        life = self._life
        moved = self._check is None and life.in_hand is not self._seen
        if moved or not life.answers:
            self._seen = None
            self._pulse.moves()
            self._wait_to_ask()
            return
        now = life.place.host.now()
        more = self._pulse.more_time(now)
        if more:
            self._wait_for_answer(more)
            return
        self._miss(now)

    def _miss(self, now: float) -> None:
        life = self._life
        pulse = self._pulse
        place = life.place
        hung = pulse.missed()
        task = life.task
        stack = () if task is None else tuple(stack_of(task))
        place.host.emit(
            HeartbeatMissed(
                place.path, life.number, now, pulse.misses, self._rules.misses, stack
            )
        )
        if self._timer is None or life.over:  # an observer has stopped it
            return
        if not hung:
            self._wait_to_ask()
            return
        own = "" if task is None else where(tuple(frames_of(task)))
        seconds = now - pulse.since
        life.hang(HeartbeatMissedError(place.path, pulse.misses, seconds, stack, own))

    # ----------------------------------------------------------------- in the actor's task

    async def check(self) -> None:
        """Run the actor's own check.

        Raises:
            TypeError: It is not async, or says by `False` what it has to raise.
            Exception: What the check raises: the actor is not healthy.
        """
        self.wanted = False
        check = self._check
        assert check is not None  # noqa: S101 - else it is never wanted
        question = self._pulse.question
        coroutine = call_method(check, self._life.actor, (), {})
        if type(coroutine) is not COROUTINE:
            raise TypeError(self._wrong("is not async: write async def check_health"))
        if await await_user(coroutine) is False:
            raise TypeError(
                self._wrong(
                    "gave False: let it raise an exception that says what is wrong"
                )
            )
        if self._pulse.answered(question) and self._timer is not None:
            self._life.place.host.timers.cancel(self._timer)
            self._wait_to_ask()

    def _wrong(self, what: str) -> str:
        return f"check_health of {type(self._life.actor).__qualname__} {what}"
