"""Answers that are written bit by bit, by a task that ends when its client has gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import TypeAlias

    from starlette.types import Receive, Scope, Send

    Write: TypeAlias = Callable[[str], Awaitable[None]]

__all__ = ["Streamed"]


class Streamed(Response):
    """An answer whose text *produce* writes.

    Not starlette's own: that takes an async generator and leaves it unfinished when the
    client goes away.

    Args:
        produce: Is called with what writes a text; waits where the client is slow.
        media_type: What it is.
        headers: Other headers.
    """

    def __init__(
        self,
        produce: Callable[[Write], Awaitable[None]],
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(media_type=media_type, headers=headers)
        del self.headers["content-length"]
        self._produce = produce

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be the ASGI app that answers."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )

        if scope["method"] == "HEAD":
            # Nobody would read it, and what goes on for ever would not end.
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return

        async def write(text: str) -> None:
            body = text.encode()
            await send({"type": "http.response.body", "body": body, "more_body": True})

        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until_gone, receive, nursery.cancel_scope)
            await self._produce(write)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            nursery.cancel_scope.cancel()


async def _until_gone(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
