"""What a sweep does to a program, and what may come of it."""

import signal
from collections.abc import Callable
from typing import Literal

import trio
from attrs import frozen

import regrow

__all__ = [
    "CANCEL",
    "CANCEL_POINT",
    "CRASH",
    "CRASH_AGAIN",
    "EXIT",
    "GROUP",
    "KILL",
    "OURS",
    "SHUT_DOWN",
    "SIGINT_POINT",
    "SIGINT_STEP",
    "STOP",
    "TOO_SLOW",
    "Action",
    "Crash",
    "Moment",
]

OURS = "a task of the harness"


class Crash(Exception):
    """What a child is made to die of."""


@frozen
class Moment:
    """What an action may take hold of.

    Attributes:
        scope: Is around the whole scenario.
        trees: Those that are open, in the order in which they were opened.
        stopping: To be called when every supervisor has heard that it is to stop.
    """

    scope: trio.CancelScope
    trees: list[regrow.Tree]
    stopping: Callable[[], None]


@frozen
class Action:
    """What is done at a moment.

    Attributes:
        name: For people.
        where: Whether moments are steps or points.
        do: What is done.
        sticky: Whether it is done as well whenever the same point is passed again.
        everywhere: Whether points outside the tree count as well.
        crashes: Whether the tree, and what the body asks of it, may fail of it.
        must: The exception that has to come out.
        orderly: Whether children still stop in order.
        needs_trees: Whether it takes hold of the open trees.
    """

    name: str
    where: Literal["step", "point"]
    do: Callable[[Moment], object]
    sticky: bool = False
    everywhere: bool = False
    crashes: bool = False
    must: type[BaseException] | None = None
    orderly: bool = True
    needs_trees: bool = False

    def __str__(self) -> str:
        return self.name


def _crash(moment: Moment) -> None:
    raise Crash("at this point")


def _exit(moment: Moment) -> None:
    raise SystemExit(7)


def _shut_down(moment: Moment) -> None:
    raise regrow.Shutdown


def _too_slow(moment: Moment) -> None:
    raise trio.TooSlowError


def _group(moment: Moment) -> None:
    raise ExceptionGroup("both", [Crash("one"), regrow.Shutdown()])


def _sigint(moment: Moment) -> None:
    signal.raise_signal(signal.SIGINT)


def _cancel(moment: Moment) -> None:
    moment.scope.cancel()


def _kill(moment: Moment) -> None:
    for tree in moment.trees:
        tree.kill()
        trio.lowlevel.spawn_system_task(_heard, moment, name=OURS)


def _stop(moment: Moment) -> None:
    for tree in moment.trees:
        trio.lowlevel.spawn_system_task(tree.stop, name=OURS)
        trio.lowlevel.spawn_system_task(_heard, moment, name=OURS)


async def _heard(moment: Moment) -> None:
    # A turn for the news, and one in which every supervisor takes it up.
    for _ in range(3):
        await trio.lowlevel.checkpoint()
    moment.stopping()


CANCEL = Action("cancelled", "step", _cancel)
CANCEL_POINT = Action("cancelled in its text", "point", _cancel, everywhere=True)
KILL = Action(
    "tree.kill()", "step", _kill, crashes=True, orderly=False, needs_trees=True
)
STOP = Action("tree.stop()", "step", _stop, crashes=True, needs_trees=True)
CRASH = Action("crashed", "point", _crash, crashes=True)
CRASH_AGAIN = Action("crashed again", "point", _crash, crashes=True, sticky=True)
SHUT_DOWN = Action("shut down", "point", _shut_down, crashes=True)
TOO_SLOW = Action("too slow", "point", _too_slow, crashes=True)
GROUP = Action("mixed group", "point", _group, crashes=True)
EXIT = Action("exit", "point", _exit, must=SystemExit)
SIGINT_STEP = Action("SIGINT", "step", _sigint, must=KeyboardInterrupt)
SIGINT_POINT = Action(
    "SIGINT in its text", "point", _sigint, everywhere=True, must=KeyboardInterrupt
)
