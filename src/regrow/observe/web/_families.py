"""What was measured, as families of Prometheus' metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from regrow._runtime.snapshot import PlaceSnapshot

    from ._feed import Feed
    from ._latency import Latency
    from ._measure import Measured

__all__ = ["families"]

STATES = ("ok", "degraded", "failing")


def families(
    measured: Measured, feed: Feed, latency: Latency | None
) -> Iterator[Metric]:
    """Give the families, of the whole tree first."""
    yield _gauge(
        "regrow_places", "Places of the tree, by status.", "status", measured.statuses
    )
    yield _gauge(
        "regrow_health",
        "1 for what the tree's health is, 0 for what it is not.",
        "status",
        {state: int(state == measured.health) for state in STATES},
    )
    yield _gauge(
        "regrow_messages_waiting",
        "Messages that wait in all mailboxes.",
        "",
        {"": measured.waiting},
    )
    yield _gauge(
        "regrow_places_omitted",
        "Places without lines of their own: there are more than the limit.",
        "",
        {"": measured.omitted},
    )
    whole = CounterMetricFamily(
        "regrow_tree_restarts",
        "Restarts in the whole tree since it is watched, by reason.",
        labels=["reason"],
    )
    for reason, count in sorted(feed.restarts.items()):
        whole.add_metric([reason], count)
    yield whole
    yield _restarts(measured, feed)
    yield from _of_places(measured)
    if latency is not None:
        yield _latency(measured, latency)


def _label(path: str) -> str:
    """Give *path* as UTF-8 can have it: a name may have half of a surrogate pair."""
    return path.encode("utf-8", "backslashreplace").decode()


def _gauge(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    found = GaugeMetricFamily(name, text, labels=[label] if label else [])
    for value, count in values.items():
        found.add_metric([value] if label else [], count)
    return found


def _restarts(measured: Measured, feed: Feed) -> Metric:
    found = CounterMetricFamily(
        "regrow_restarts", "Restarts of a place, by reason.", labels=["path", "reason"]
    )
    for place, seen in measured.places:
        for reason, count in sorted(feed.reasons(place).items()):
            found.add_metric([_label(seen.path), reason], count)
    return found


def _of_places(measured: Measured) -> Iterator[Metric]:
    status = GaugeMetricFamily(
        "regrow_place_status",
        "1 for the status that a place has.",
        labels=["path", "kind", "status"],
    )
    suspended = GaugeMetricFamily(
        "regrow_suspended", "1 for an actor that is suspended.", labels=["path"]
    )
    for _, seen in measured.places:
        status.add_metric([_label(seen.path), seen.kind, seen.status], 1)
        if seen.suspended:
            suspended.add_metric([_label(seen.path)], 1)
    yield status
    yield suspended
    for name, text, value in _NUMBERS:
        family = GaugeMetricFamily(name, text, labels=["path"])
        for _, seen in measured.places:
            number = value(seen)
            if number is not None:
                family.add_metric([_label(seen.path)], number)
        yield family


def _of_mailbox(seen: PlaceSnapshot, value: float) -> float | None:
    return value if seen.kind == "actor" else None


def _incarnation(seen: PlaceSnapshot) -> float | None:
    return seen.incarnation


def _uptime(seen: PlaceSnapshot) -> float | None:
    return seen.uptime


def _waiting(seen: PlaceSnapshot) -> float | None:
    return _of_mailbox(seen, seen.waiting)


def _capacity(seen: PlaceSnapshot) -> float | None:
    return _of_mailbox(seen, seen.capacity)


def _peak(seen: PlaceSnapshot) -> float | None:
    return _of_mailbox(seen, seen.peak)


def _used(seen: PlaceSnapshot) -> float | None:
    return seen.used


def _limit(seen: PlaceSnapshot) -> float | None:
    return seen.intensity


_NUMBERS: tuple[tuple[str, str, Callable[[PlaceSnapshot], float | None]], ...] = (
    ("regrow_incarnation", "Number of the latest incarnation.", _incarnation),
    ("regrow_uptime_seconds", "Seconds since the incarnation was up.", _uptime),
    ("regrow_mailbox_messages", "Messages in the mailbox.", _waiting),
    ("regrow_mailbox_capacity", "Messages that the mailbox holds.", _capacity),
    ("regrow_mailbox_peak", "Most messages that were in it at once.", _peak),
    ("regrow_intensity_used", "Restarts that count within the period now.", _used),
    ("regrow_intensity_limit", "Restarts that the period may have.", _limit),
)


def _latency(measured: Measured, latency: Latency) -> Metric:
    found = HistogramMetricFamily(
        "regrow_call_seconds",
        "Seconds from sending a call to the end of its handler.",
        labels=["path"],
    )
    for place, seen in measured.places:
        times = latency.of(place)
        if times is not None:
            found.add_metric([_label(seen.path)], times.buckets(), times.total)
    return found
