"""`/health/live` and `/health/ready`: what an orchestrator asks.

*Live* is a program whose loop turns and whose tree has not ended: nothing else restarts it.
*Ready* is one in which every required place runs. Required is what is permanent, below
supervisors that run: what may end, or has been ended along with its supervisor, is not.
So a tree is not ready before it is up, and the answer names what that waits for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from regrow._runtime.health import check_up
from regrow._runtime.place import SupervisorPlace
from regrow._runtime.snapshot import shallow
from regrow._runtime.supervisor import SupervisorLife
from regrow.observe._slices import in_slices

from ._json import Json

if TYPE_CHECKING:
    from collections.abc import Generator

    from starlette.requests import Request

    from regrow._runtime.place import Place
    from regrow._runtime.running import Running

__all__ = ["Health"]

MOST: Final = 100  # reasons in one answer
STEP: Final = 64  # places looked at before others may run


class Health:
    """The two answers about one tree.

    Args:
        running: The tree's run.
    """

    def __init__(self, running: Running) -> None:
        self._running = running

    async def live(self, _: Request) -> Json:
        """200 while the tree has not ended; to get an answer at all says the rest."""
        await trio.lowlevel.checkpoint()
        alive = not self._running.over.is_set()
        return Json({"live": alive}, 200 if alive else 503)

    async def ready(self, _: Request) -> Json:
        """200 while every required place runs, and the health is not failing.

        The program runs on meanwhile: of what changes, either state may be seen.
        """
        down, _seconds = await in_slices(_down(self._running.root))
        health, _seconds = await in_slices(check_up(self._running.root))
        reasons = [
            {"path": path, "status": status, "text": f"{path!r} is {status}"}
            for path, status in down[:MOST]
        ]
        failing = [
            {"path": reason.path, "status": reason.status, "text": reason.text}
            for reason in health.reasons
            if reason.status == "failing"
        ]
        reasons += failing
        ready = not reasons and health.status != "failing"
        answer = {
            "ready": ready,
            "health": health.status,
            "reasons": reasons[:MOST],
            "more": max(0, len(down) + len(failing) - MOST),
        }
        return Json(answer, 200 if ready else 503)


def _down(root: Place) -> Generator[None, None, list[tuple[str, str]]]:
    """Give the required places that do not run, and what they do instead.

    Of what is starting, with what it waits for, whether that is required or not. Yields
    now and then, for others to run.
    """
    found: list[tuple[str, str]] = []
    ahead = [root]
    awaited: list[Place] = []
    looked = 0
    while ahead:
        place = ahead.pop()
        looked += 1
        if not looked % STEP:
            yield
        status = "running" if _runs(place) else str(shallow(place).status)
        if status == "running":
            if isinstance(place, SupervisorPlace):
                ahead.extend(reversed(place.children.values()))
            continue
        if place.parent is None or _required(place) or place in awaited:
            found.append((place.path, status))
        life = place.life
        if status == "starting" and isinstance(life, SupervisorLife):
            awaited = [*life.busy_with.values()]
            ahead += awaited
    return found


def _runs(place: Place) -> bool:
    """Whether it simply runs, as nearly all do: told without a picture of it."""
    life = place.life
    return life is not None and life.up and not life.told


def _required(place: Place) -> bool:
    return place.spec.restart == "permanent" and not place.removed
