"""The ASGI app of one tree: its routes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import trio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from regrow._runtime.following import follow, unfollow
from regrow._runtime.tree import running_of
from regrow.observe._answers import Answers
from regrow.observe._rows import Rows

from ._events import Streams
from ._feed import Feed
from ._guard import Guard, check_token
from ._json import Json
from ._latency import Latency
from ._measure import Metrics
from ._page import page
from ._places import Places
from ._ready import Health
from ._scrape import TreeCollector
from ._steer import ACTIONS, Steering

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from starlette.requests import Request
    from starlette.responses import Response

    from regrow._runtime.tree import Tree

__all__ = ["TreeApp", "app"]


class _Exact(Route):
    """A route that is matched by the whole path, whatever characters that has.

    Starlette's own find no place with a line break in its name, and take a line break at
    the end of a path for nothing: `restart%0a` would restart.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[[Request], Awaitable[Response]],
        *,
        methods: Collection[str] | None = None,
    ) -> None:
        super().__init__(path, endpoint, methods=methods)
        pattern = self.path_regex.pattern.removesuffix("$")
        self.path_regex = re.compile(rf"{pattern}\Z", re.DOTALL)


class TreeApp(Starlette):
    """What `app` gives: a Starlette app about one tree.

    Attributes:
        collector: What `/metrics` tells, as a collector of prometheus_client, to be
            registered elsewhere; it has to be asked in the thread of the tree's run, and
            looks at the whole tree at a stretch, which `/metrics` does not.
    """

    def __init__(
        self,
        tree: Tree,
        token: str | None,
        hosts: Collection[str],
        metrics: Metrics,
    ) -> None:
        running = running_of(tree)
        self._host = running.host
        self._feed = Feed(running.host)
        self._latency = Latency() if metrics.latency else None
        if self._latency is not None:
            follow(running.host, self._latency)
        self.collector: TreeCollector = TreeCollector(
            running, self._feed, self._latency, metrics
        )
        health = Health(running)
        rows = Rows(tree)
        places = Places(tree, running, rows, steers=token is not None)
        routes: list[BaseRoute] = [
            _Exact("/", page),
            _Exact("/health/live", health.live),
            _Exact("/health/ready", health.ready),
            _Exact("/metrics", self.collector.scrape),
            _Exact("/tree.json", places.tree),
            _Exact("/events", Streams(self._feed).open),
            _Exact("/rows", places.rows, methods=["POST"]),
            _Exact("/place", places.details),
            _Exact("/place/{path:path}", places.details),
        ]
        if token is not None:
            steering = Steering(Answers(tree, rows), token)
            # An action of its own, so that a place may be named like one.
            actions = [
                _Exact(
                    f"/place/{{path:path}}/{action}",
                    steering.action(action),
                    methods=["POST"],
                )
                for action in ACTIONS
            ]
            routes[-1:-1] = [
                *actions,
                _Exact("/steer", steering.by_query, methods=["POST"]),
            ]
        super().__init__(
            routes=routes,
            middleware=[Middleware(Guard, hosts=hosts, token=token)],
            # Starlette's own handler is sync, and so goes to a thread.
            exception_handlers={HTTPException: _refuse},
        )

    def close(self) -> None:
        """End the streams that are open, and follow the tree no longer.

        For a server that stops before the tree does: it waits for open streams. Nothing if
        it was closed before.
        """
        self._feed.close()
        if self._latency is not None:
            unfollow(self._host, self._latency)


async def _refuse(_: Request, error: Exception) -> Response:
    """Say that there is no such path, or no such method of it."""
    await trio.lowlevel.checkpoint()
    known = error if isinstance(error, HTTPException) else HTTPException(500)
    return Json({"error": known.detail}, known.status_code, known.headers)


def app(
    tree: Tree,
    *,
    token: str | None = None,
    hosts: Collection[str] = (),
    metrics: Metrics | None = None,
) -> TreeApp:
    """Give an ASGI app about *tree*, to be served on trio alone or mounted in another.

    It has `/health/live`, `/health/ready`, `/metrics`, `/tree.json`, `/place/PATH`,
    `/events`, and at `/` a page that shows all of this. Its streams of events end when the
    tree has, or when its `close` is called.

    Args:
        tree: A running tree.
        token: Who bears it may change the tree: `POST /place/PATH/restart`, and
            `terminate`, `start`, `suspend`, `resume`. Without one it can only be looked at.
        hosts: Names besides those of this machine that requests may name when they come in
            on a loopback address, as through a proxy.
        metrics: What `/metrics` tells.

    Raises:
        ValueError: *token* is too short to be one.
    """
    check_token(token)
    return TreeApp(tree, token, hosts, metrics or Metrics())
