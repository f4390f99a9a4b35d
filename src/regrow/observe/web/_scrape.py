"""`/metrics`: the tree, walked when it is scraped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.responses import Response

from regrow._runtime.walk import at_a_stretch
from regrow.observe._slices import in_slices

from ._families import families
from ._measure import measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric
    from starlette.requests import Request

    from regrow._runtime.running import Running

    from ._feed import Feed
    from ._latency import Latency
    from ._measure import Metrics

__all__ = ["TreeCollector"]

END: Final = b"# EOF\n"  # of a text in the format of OpenMetrics


class TreeCollector(Collector):
    """A collector that walks the tree whenever it is asked.

    In a registry of somebody's own it has to be asked in the thread of the tree's run.

    Args:
        running: The tree's run.
        feed: Where the reasons of its restarts are counted.
        latency: How long its calls take; `None` if they are not timed.
        metrics: What is wanted.
    """

    def __init__(
        self,
        running: Running,
        feed: Feed,
        latency: Latency | None,
        metrics: Metrics,
    ) -> None:
        self._running = running
        self._feed = feed
        self._latency = latency
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Give all families, after one walk at a stretch: nothing else runs meanwhile."""
        measured = at_a_stretch(measure(self._running, self._metrics))
        yield from families(measured, self._feed, self._latency)

    async def scrape(self, request: Request) -> Response:
        """Answer a scrape; the program runs on meanwhile."""
        measured, _ = await in_slices(measure(self._running, self._metrics))
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        text = b""
        # One at a time: text for a thousand places takes a while.
        for family in families(measured, self._feed, self._latency):
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
