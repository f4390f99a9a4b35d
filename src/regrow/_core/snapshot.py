"""A frozen picture of a running tree, as values.

A picture of a large tree holds the program up while it is taken, and most of that time goes
into making these objects. A frozen attrs class fills its fields one call each; one that is
not frozen stores them in less than half the time. So a picture is made as a `sketch`, which
has the very same slots, and is given the frozen class when it is done.
"""

from __future__ import annotations

import math
import traceback
from typing import TYPE_CHECKING, Literal

import attrs
from attrs import frozen

from regrow.errors import summary

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FailureSnapshot", "PlaceKind", "PlaceSnapshot", "PlaceStatus", "sketch"]

PlaceKind = Literal["actor", "service", "supervisor", "dynamic"]
PlaceStatus = Literal[
    "starting", "running", "restarting", "stopping", "stopped", "stuck"
]


@frozen
class FailureSnapshot:
    """How an incarnation has failed, or a start.

    Attributes:
        at: When, in seconds on the run's clock.
        incarnation: Which one.
        cause: The exception; `None` if it was cut off.
    """

    at: float
    incarnation: int
    cause: BaseException | None

    @property
    def error(self) -> str:
        """The exception in one line."""
        if self.cause is None:
            return "was cut off: its time to stop had run out"
        return summary(self.cause)

    @property
    def traceback(self) -> str:
        """The traceback as it would be printed; made when asked for."""
        if self.cause is None:
            return self.error
        try:
            return "".join(traceback.format_exception(self.cause))
        except Exception:  # noqa: BLE001 - the text of somebody's exception may fail
            return self.error

    def as_json(self) -> dict[str, object]:
        """Give it as JSON knows it, without the traceback."""
        return {
            "at": self.at,
            "incarnation": self.incarnation,
            "error": self.error,
        }


@frozen(weakref_slot=False)  # with one, two classes are never of the same layout
class PlaceSnapshot:
    """One place and what is below it, as it was at one moment.

    Attributes:
        path: From the root.
        name: Its last part.
        kind: `actor`, `service`, `supervisor` or `dynamic`.
        status: `restarting` is every pause between two incarnations; `stopped` is closed;
            `stuck` was cut off and is still there after a second, when `ChildStuck` is
            told for the first time.
        incarnation: Number of the latest one; 0 before the first.
        restarts: Incarnations that came up after the first.
        waiting: Messages in the mailbox; 0 where there is none.
        capacity: Messages that the mailbox holds; 0 where there is none.
        children: What is below it, in the order of starts.
        due: While it waits for a delayed restart: when that is, on the run's clock.
        uptime: Seconds since the incarnation came up; `None` if there is none that did.
        peak: Most messages that have waited in the mailbox at once.
        handling: The message in hand, such as `deposit(20)`, at most 200 characters.
        handling_since: When an async handler began with it, on the run's clock; `None` where
            nothing is in hand, and for other handlers, beside which nothing else runs.
        suspended: Whether `Ref.suspend` holds it.
        last_failure: How it failed the last time.
        strategy: Of a supervisor.
        intensity: Failures allowed: of a supervisor, restarts within `period` seconds; of a
            child with a `Backoff`, failures in a row with less than `period` seconds of
            uptime between them, `None` where they have no limit.
        period: See `intensity`; `None` where neither is.
        used: How many of these count now; `None` where nothing is counted.
        failures: Of a supervisor with a `Backoff`, which has both: its own failures in a row
            that count now; `None` elsewhere.
        failures_allowed: How many of those are; `None` where they have no limit.
        missing: Whether it is down for good though it should be there: a permanent child,
            or a significant one that has not ended cleanly by itself.
        starting_since: When a start began that has to be waited for, on the run's clock.
    """

    path: str
    name: str
    kind: PlaceKind
    status: PlaceStatus
    incarnation: int
    restarts: int
    waiting: int
    capacity: float
    children: tuple[PlaceSnapshot, ...] = ()
    due: float | None = None
    uptime: float | None = None
    peak: int = 0
    handling: str | None = None
    handling_since: float | None = None
    suspended: bool = False
    last_failure: FailureSnapshot | None = None
    strategy: str | None = None
    intensity: int | None = None
    period: float | None = None
    used: int | None = None
    failures: int | None = None
    failures_allowed: int | None = None
    missing: bool = False
    starting_since: float | None = None

    def walk(self) -> Iterator[PlaceSnapshot]:
        """Give it and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def find(self, path: str) -> PlaceSnapshot:
        """Give the place at *path*.

        Raises:
            KeyError: There is no such place.
        """
        if path == self.path:
            return self
        for child in self.children:
            if f"{path}/".startswith(f"{child.path}/"):
                return child.find(path)
        raise KeyError(path)

    def as_json(self) -> dict[str, object]:
        """Give it and all below it as JSON knows it; what is endless is null."""
        found: dict[str, object] = {name: getattr(self, name) for name in _PLAIN}
        for name in _ENDLESS:
            if found[name] == math.inf:
                found[name] = None
        failure = self.last_failure
        found["last_failure"] = None if failure is None else failure.as_json()
        found["children"] = [child.as_json() for child in self.children]
        return found


_ENDLESS = ("capacity", "period")  # as they may be
_PLAIN = tuple(
    field.name
    for field in attrs.fields(PlaceSnapshot)
    if field.name not in {"children", "last_failure"}
)


def _unfrozen(frozen_class: type) -> type:
    """Make a class with the same slots, whose fields can be stored into."""
    fields = {
        field.name: attrs.field(default=field.default)
        for field in attrs.fields(frozen_class)
    }
    return attrs.make_class(
        f"_{frozen_class.__name__}", fields, slots=True, weakref_slot=False
    )


# To be filled like the class itself, and given it when done: see the top.
if TYPE_CHECKING:
    sketch = PlaceSnapshot
else:
    sketch = _unfrozen(PlaceSnapshot)
