"""`POST /place/…/restart` and its like: what changes a tree, with the token only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from regrow.errors import RegrowError
from regrow.observe._answers import STEERS, Answers, RefusedError, refusal
from regrow.observe._protocol import Code, Op, Request as Wanted

from ._guard import bears
from ._json import Json
from ._query import argument

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

__all__ = ["ACTIONS", "Steering"]

ACTIONS: Final = {op.value: op for op in Op if op in STEERS}
STATUSES: Final = {Code.NOT_FOUND: 404, Code.REFUSED: 409, Code.STOPPED: 409}
BROKEN: Final = 502
"""It was done, and the place did not come up, or does not answer."""


class Steering:
    """What is done to the places of one tree.

    Args:
        answers: Who does it.
        token: What a request has to bear.
    """

    def __init__(self, answers: Answers, token: str) -> None:
        self._answers = answers
        self._token = token

    def action(self, action: str) -> Callable[[Request], Awaitable[Json]]:
        """Give what does *action* to the place that the request's path names."""

        async def act(request: Request) -> Json:
            return await self._answer(request, action, request.path_params["path"])

        return act

    async def by_query(self, request: Request) -> Json:
        """Do `?action=` to `?path=`: a browser changes a path that has a `..` in it."""
        action = argument(request, "action")
        if action not in ACTIONS:
            await trio.lowlevel.checkpoint()
            text = f"action is none of {', '.join(ACTIONS)}"
            return Json({"error": text}, 400)
        return await self._answer(request, action, argument(request, "path"))

    async def _answer(self, request: Request, action: str, path: str) -> Json:
        """Do what is asked for and answer when it is done.

        A client that goes away stops nothing: what was begun is finished.
        """
        await trio.lowlevel.checkpoint()
        if not bears(request.headers, self._token):
            text = "write 'Authorization: Bearer TOKEN' with the token of this app"
            headers = {"WWW-Authenticate": "Bearer"}
            return Json({"error": text}, 401, headers)
        wanted = Wanted(None, ACTIONS[action], path)
        try:
            await self._answers.steer(wanted)
        except (RefusedError, RegrowError) as error:
            refused = refusal(wanted, error)
            status = STATUSES.get(refused.code, BROKEN)
            return Json({"error": refused.text}, status)
        return Json({"done": action, "path": path})
