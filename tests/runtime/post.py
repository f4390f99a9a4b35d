"""What a place does with its messages, written down from its promises alone.

A model to hold a living place against: it knows nothing of tasks, channels or husks. Its
actor begins a message when `settle` is called, as nothing else does anything by itself.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Literal, TypeAlias

from attrs import define, field, frozen

from regrow._core.specs import OnFull, OnRestart, RestartType

__all__ = ["Kind", "Message", "Place", "Rules", "What"]

Kind: TypeAlias = Literal["call", "cast", "cast_nowait", "tick"]
What: TypeAlias = Literal[
    "return", "refuse", "defer", "timer", "misfit", "crash", "shut down", "stop", "hold"
]
"""What the handler of a message does; *hold*: it waits to be told one of the others."""

TICK_AFTER = 1.75
BACKOFF = 2.25


@frozen
class Rules:
    """How the child is declared."""

    capacity: float
    on_full: OnFull
    on_restart: OnRestart
    restart: RestartType
    shutdown: float
    backoff: bool
    lifespan: bool
    slow_start: bool
    slow_end: bool


@define(eq=False)
class Message:
    """One of them; *told* is what became of it for its sender, once that is known."""

    number: int
    kind: Kind
    what: What
    told: str = ""


@define(eq=False)
class Place:
    """A place, the actor that stands there, and as much of its supervisor as it takes.

    Attributes:
        hand: The message that is handled.
        owed: Those whose answer is deferred, or will never be given.
        waits: Whether the actor waits for a message, so that it takes one at once.
        stops: Whether it has stopped itself.
        told: Whether it was told to stop.
        cut_at: When it is cut off.
        start_at: When it is started again.
        timers: When its ticks are due, in order.
        held_up: Whether its lifespan waits for the test.
        again: Whether it is started again once it has stopped, as it was told.
        forgotten: Whether its supervisor has it no more.
        begun: Numbers of those whose handler was called; that of a tick is -1.
    """

    rules: Rules
    now: float = 0.0
    open: bool = True
    inside: list[Message] = field(factory=list)
    line: list[Message] = field(factory=list)
    hand: Message | None = None
    owed: list[Message] = field(factory=list)
    status: Literal["down", "starting", "up", "leaving"] = "starting"
    incarnation: int = 1
    waits: bool = False
    stops: bool = False
    told: bool = False
    suspended: bool = False
    crashed: bool = False
    killed: bool = False
    cut_at: float = math.inf
    start_at: float = math.inf
    timers: list[float] = field(factory=list)
    held_up: bool = False
    again: bool = False
    forgotten: bool = False
    begun: list[int] = field(factory=list)
    letters: list[int] = field(factory=list)
    discarded: list[int] = field(factory=list)
    drops: Counter[str] = field(factory=Counter)

    # ------------------------------------------------------------------------- senders

    def send(self, message: Message) -> None:
        """Take it, or not, as the mailbox's policy says."""
        if not self.open:
            self.refuse(message, "ActorStoppedError")
        elif self.has_room():
            self.put(message)
        elif message.kind == "tick":
            self.drops["tick"] += 1
        elif self.rules.on_full == "wait" and message.kind != "cast_nowait":
            self.line.append(message)
        elif self.rules.on_full in {"wait", "raise"}:
            message.told = "MailboxFullError"
        elif self.rules.on_full == "drop_newest":
            self.drop(message)
        else:
            self.drop(self.inside.pop(0))
            self.put(message)

    def has_room(self) -> bool:
        """Whether one more is taken: in a rendezvous by an actor that waits."""
        return not self.line and (self.waits or len(self.inside) < self.rules.capacity)

    def put(self, message: Message) -> None:
        """Let it in."""
        self.waits = False
        self.inside.append(message)
        if message.kind != "call":
            message.told = "sent"

    def admit(self) -> None:
        """Let those in who stand in line, while there is room."""
        while self.line and len(self.inside) < self.rules.capacity:
            self.put(self.line.pop(0))

    def drop(self, message: Message) -> None:
        """It goes, by the policy."""
        self.drops[self.rules.on_full] += 1
        message.told = message.told or (
            "MailboxFullError" if message.kind == "call" else "sent"
        )

    def refuse(self, message: Message, error: str) -> None:
        """Nobody will handle it."""
        if message.kind == "call":
            message.told = message.told or error
        elif message.kind != "tick":
            message.told = "sent"
            self.letters.append(message.number)

    def give_up(self, message: Message) -> None:
        """Its sender is cancelled."""
        if not message.told:
            message.told = "cancelled"
            self.take_out([message])

    def take_out(self, messages: list[Message]) -> None:
        """They take no room any more."""
        self.inside = [each for each in self.inside if each not in messages]
        self.line = [each for each in self.line if each not in messages]
        self.admit()

    def refuse_all(self, error: str) -> None:
        """Empty it."""
        everything = [*self.inside, *self.line]
        self.inside, self.line = [], []
        for message in everything:
            self.refuse(message, error)

    def close(self) -> None:
        """Take no more."""
        if self.open:
            self.open = False
            self.refuse_all("ActorStoppedError")

    # ----------------------------------------------------------------------- the actor

    def settle(self) -> None:
        """Let the actor, and its supervisor, do all that they can."""
        while self.step():
            pass

    def step(self) -> bool:
        """Let it do one thing; tell whether there was one."""
        match self.status:
            case "starting":
                if not self.held_up:
                    self.status = "up"
                    return True
            case "up" if self.hand is not None:
                if self.hand.what != "hold":
                    self.finish(self.hand, self.hand.what)
                    return True
            case "up" if self.told or self.stops:
                self.leave()
                return True
            case "up" if not self.suspended:
                for waiting in (self.inside, self.line):
                    if waiting:
                        self.begin(waiting.pop(0))
                        return True
                self.waits = True
            case "leaving" if not self.held_up:
                self.over()
                return True
        return False

    def begin(self, message: Message) -> None:
        """Take it in hand."""
        self.hand = message
        if message.kind != "call":
            message.told = "sent"
        if message.what != "misfit":
            self.begun.append(message.number)
        self.admit()

    def finish(self, message: Message, what: What) -> None:
        """The handler comes to its end."""
        self.hand = None
        call = message.kind == "call"
        match what:
            case "return" | "timer" | "stop":
                if what == "timer":
                    self.timers.append(self.now + TICK_AFTER)
                self.stops = self.stops or what == "stop"
                message.told = message.told or "answer"
            case "defer":
                if call and not message.told:
                    self.owed.append(message)
            case "refuse" if call:
                message.told = message.told or "Refused"
            case "refuse":
                self.discarded.append(message.number)
            case "misfit":
                self.refuse(message, "MessageError")
            case "shut down":
                if call:
                    self.owed.append(message)
                self.leave()
            case _:
                self.crashed = True
                self.give_no_answer(message)
                self.leave()

    def give_no_answer(self, message: Message) -> None:
        """It was begun, and will not be handled to the end."""
        if message.kind != "call":
            self.letters.append(message.number)
        elif not message.told:
            how = "Crashed" if self.crashed else "Interrupted"
            message.told = f"Actor{how}Error"

    def leave(self) -> None:
        """The second half of its lifespan begins, within the seconds it has to stop."""
        self.status = "leaving"
        self.suspended = self.waits = False
        self.held_up = self.rules.slow_end
        self.count_seconds()

    def tell_stop(self) -> None:
        """It is to finish."""
        if not self.told:
            self.told = True
            self.waits = False
            if self.status == "starting":
                self.over()
            else:
                self.count_seconds()

    def count_seconds(self) -> None:
        """Cut it off when its time is over."""
        self.cut_at = min(self.cut_at, self.now + self.rules.shutdown)
        if self.rules.shutdown == 0:
            self.cut()

    def cut(self) -> None:
        """It is cut off."""
        if self.hand is not None:
            self.owed.append(self.hand)
            self.hand = None
        # Cut off while it ends by itself is a failure, too, where there was a second half.
        self.killed = not self.told and self.rules.slow_end
        self.over()

    def over(self) -> None:
        """Nothing is left of the actor: what its supervisor makes of it."""
        for message in self.owed:
            self.give_no_answer(message)
        self.owed = []
        self.status = "down"
        self.timers = []
        self.suspended = self.stops = False
        self.cut_at = math.inf
        self.take_out([each for each in self.inside if each.kind == "tick"])
        if self.told:
            if self.again:
                self.start()
            return
        abnormal = self.crashed or self.killed
        permanent = self.rules.restart == "permanent"
        if permanent or (self.rules.restart == "transient" and abnormal):
            self.start_at = self.now + BACKOFF
            if not self.rules.backoff:
                self.start()
        else:
            self.forgotten = self.rules.restart == "temporary"
            self.close()

    def start(self) -> None:
        """Begin the next incarnation, in a mailbox that was reopened or is what it was."""
        if self.open and self.rules.on_restart == "clear":
            self.refuse_all("MailboxClearedError")
        self.open = True
        self.again = self.told = self.forgotten = self.crashed = self.killed = False
        self.start_at = math.inf
        self.incarnation += 1
        self.status = "starting"
        self.held_up = self.rules.slow_start

    # ------------------------------------------------------------- what others do to it

    @property
    def busy(self) -> bool:
        """Whether its supervisor waits for it to start, or to stop as it was told."""
        return self.status == "starting" or (self.told and self.status != "down")

    def cycle(self, *, by_ancestor: bool) -> None:
        """It is restarted because something else is."""
        if self.forgotten and not by_ancestor:
            return
        if self.status == "down":
            self.start()
            return
        self.again = True
        if self.rules.restart == "temporary" and not by_ancestor:
            self.again = False
            self.forgotten = True
            self.close()
        self.tell_stop()

    def terminate(self) -> str:
        """It is asked to be stopped for good."""
        if self.forgotten:
            return "ChildNotFoundError"
        self.start_at = math.inf
        self.forgotten = self.rules.restart == "temporary"
        self.close()
        if self.status != "down":
            self.tell_stop()
        return "done"

    def restart(self) -> str:
        """It is asked to be started again."""
        if self.forgotten:
            return "ChildNotFoundError"
        if self.status != "down" or self.start_at < math.inf:
            return "ChildActiveError"
        self.start()
        return "done"

    def suspend(self) -> str:
        """It is to begin nothing."""
        if self.status == "down":
            return "NotRunningError"
        if self.status in {"starting", "up"} and not (self.told or self.stops):
            self.suspended = True
            self.waits = False
        return "done"

    # ---------------------------------------------------------------------------- time

    def next_due(self) -> float:
        """When something happens by itself."""
        return min([self.cut_at, self.start_at, *self.timers])

    def pass_to(self, now: float) -> None:
        """Let the time be *now*, before which nothing is due."""
        self.now = now
        while self.timers and self.timers[0] <= now:
            self.timers.pop(0)
            self.send(Message(-1, "tick", "return"))
        if self.cut_at <= now:
            self.cut()
        if self.start_at <= now:
            self.start()
