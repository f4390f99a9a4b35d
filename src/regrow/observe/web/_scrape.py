"""`/metrics`: the tree, walked when it is scraped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import trio
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.responses import Response

from ._families import families
from ._measure import measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric
    from starlette.requests import Request

    from regrow._runtime.running import Running
    from regrow._runtime.tree import Tree

    from ._feed import Feed
    from ._latency import Latency
    from ._measure import Measured, Metrics

__all__ = ["TreeCollector"]

END: Final = b"# EOF\n"  # of a text in the format of OpenMetrics


class TreeCollector(Collector):
    """A collector that walks the tree whenever it is asked.

    In a registry of somebody's own it has to be asked in the thread of the tree's run.

    Args:
        tree: The tree.
        running: Its run.
        feed: Where the reasons of its restarts are counted.
        latency: How long its calls take; `None` if they are not timed.
        metrics: What is wanted.
    """

    def __init__(
        self,
        tree: Tree,
        running: Running,
        feed: Feed,
        latency: Latency | None,
        metrics: Metrics,
    ) -> None:
        self._tree = tree
        self._running = running
        self._feed = feed
        self._latency = latency
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Give all families, after one walk at a stretch."""
        walk = measure(self._running, self._metrics)
        while True:
            try:
                next(walk)
            except StopIteration as end:
                yield from self._families(end.value)
                return

    def _families(self, measured: Measured) -> list[Metric]:
        health = self._tree.health().status
        return list(families(measured, self._feed, health, self._latency))

    async def scrape(self, request: Request) -> Response:
        """Answer a scrape; the program runs on meanwhile."""
        await trio.lowlevel.checkpoint()
        walk = measure(self._running, self._metrics)
        measured: Measured | None = None
        while measured is None:
            try:
                next(walk)
                await trio.lowlevel.checkpoint()
            except StopIteration as end:
                measured = cast("Measured", end.value)
        found = self._families(measured)
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        text = b""
        for family in found:  # one at a time: text for a thousand places takes a while
            registry = CollectorRegistry(auto_describe=False)
            registry.register(_Found(family))
            text = text.removesuffix(END) + encode(registry)
            await trio.lowlevel.checkpoint()
        return Response(text, headers={"Content-Type": media_type})


class _Found(Collector):
    """What was collected before."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        """Give it."""
        return [self._family]
