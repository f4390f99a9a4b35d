"""The static checks of what a tree is run with (D2)."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import isasyncgenfunction
from random import Random
from typing import TYPE_CHECKING, cast

from regrow._core.check import check_root, check_supervisor, check_tree
from regrow._core.options import check_seconds, check_watchdog, number
from regrow._core.specs import SupervisorSpec
from regrow._runtime.factories import is_service
from regrow.errors import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_run"]


def check_run(
    spec: object,
    observers: object,
    shutdown: float,
    random: object,
    restart_rate: float,
    watchdog: float | None,
) -> Iterator[Finding]:
    """Find what is wrong with a tree, and with the options of its run."""
    yield from check_root(spec)
    if not isinstance(spec, SupervisorSpec):
        return
    place = str(spec.name)
    yield from check_supervisor(spec)
    yield from check_tree(spec)
    yield from _check_observers(place, observers)
    yield from check_seconds(place, "shutdown", shutdown)
    if random is not None and not isinstance(random, Random):
        yield Finding(
            "invalid_random",
            place,
            f"random is {random!r}",
            "Write random.Random(seed), or None, as random.",
        )
    yield from check_watchdog(place, watchdog)
    if not number(restart_rate) or restart_rate < 1:
        yield Finding(
            "invalid_restart_rate",
            place,
            f"restart_rate is {restart_rate!r}",
            "Write a number of restarts a minute of 1 or more, or math.inf.",
        )


def _check_observers(place: str, observers: object) -> Iterator[Finding]:
    if not isinstance(observers, Iterable):
        yield Finding(
            "invalid_observer",
            place,
            f"observers is {observers!r}",
            "Write a list of functions that take an event.",
        )
        return
    for observer in cast("Iterable[object]", observers):
        if not callable(observer):
            yield Finding(
                "invalid_observer",
                place,
                f"an observer is {observer!r}",
                "Give functions that take an event.",
            )
        elif is_service(observer) or isasyncgenfunction(observer):
            yield Finding(
                "invalid_observer",
                place,
                f"an observer is {observer!r}, and nobody would wait for it",
                "Give functions that are not async. One may send events on, by cast_nowait "
                "or the send_nowait of a memory channel; tree.events() is a stream of them.",
            )
