"""A tree of another program, for the live view: what its control socket tells.

The other program may stand still, which is when somebody wants to look at it. So no answer
is waited for longer than a second: the view then goes on with what it knew, says how old
that is, and can still be closed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import trio
from attrs import define, field

from regrow.errors import PlaceNotFoundError

from ._client import RequestRefusedError
from ._protocol import Code
from ._row import Details, Page

if TYPE_CHECKING:
    from ._client import ControlClient
    from ._row import Query

__all__ = ["AttachedSource"]

_PATIENCE: Final = 1.0  # seconds


@define
class AttachedSource:
    """The tree behind a control socket.

    Args:
        client: Connected to it.
    """

    _client: ControlClient
    _page: Page | None = field(default=None, init=False)
    _details: Details | None = field(default=None, init=False)
    _heard_at: float = field(factory=trio.current_time, init=False)

    @property
    def note(self) -> str:
        """How long the program has not answered; empty if it does."""
        silent = trio.current_time() - self._heard_at
        if silent < _PATIENCE:
            return ""
        return (
            f"no answer for {silent:.0f} s: the program is stopped, or its loop blocked"
        )

    async def page(self, query: Query, /) -> Page:
        """Give the rows of *query*, or the last ones if there is no answer.

        Raises:
            ControlSocketError: The program has gone.
            RequestRefusedError: It does not do it.
        """
        with trio.move_on_after(_PATIENCE if self._page else math.inf):
            self._page = await self._client.page(query)
            self._heard_at = trio.current_time()
        assert self._page is not None  # noqa: S101 - the first one was waited for
        return self._page

    async def details(self, path: str, /) -> Details:
        """Give what is known of the place at *path*, or was known of it before.

        Raises:
            PlaceNotFoundError: There is no such place.
            ControlSocketError: The program has gone.
            RequestRefusedError: It does not do it.
        """
        known = self._details
        if known is None or known.row.path != path:
            known = self._guess(path)
        try:
            with trio.move_on_after(_PATIENCE):
                known = self._details = await self._client.details(path)
                self._heard_at = trio.current_time()
        except RequestRefusedError as error:
            if error.code != Code.NOT_FOUND.value:
                raise
            raise PlaceNotFoundError(path, error.text) from error
        if known is None:
            text = f"nothing is known of {path!r}: the program does not answer"
            raise PlaceNotFoundError(path, text)
        return known

    def _guess(self, path: str) -> Details | None:
        for row in self._page.rows if self._page else ():
            if row.path == path:
                return Details(row, (), None, ("(the program does not answer)",))
        return None
