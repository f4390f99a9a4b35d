"""What a workload is: sides that are run by turns, and the figures that come of them.

A machine is never quiet, and two figures from two hours cannot be compared. So every side
of a comparison runs once in each repetition, in turn, each time beginning with another one,
and what is reported is the median of the ratios within repetitions.

Where a side only computes, the processor time of its thread is the better measure, because
what else the machine does is not in it; that is the clock `cpu`. Where something is held up,
the time that passes is meant: `wall`.
"""

from __future__ import annotations

import gc
import logging
import statistics
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import ClassVar, Literal, Self, TypeAlias

from attrs import frozen

__all__ = [
    "MIB",
    "Clock",
    "Figures",
    "Line",
    "Pick",
    "Repetition",
    "Row",
    "Scale",
    "Side",
    "SkippedError",
    "Spread",
    "Stopwatch",
    "Target",
    "Workload",
    "at_least",
    "at_most",
    "measure",
    "per_second",
    "pick",
    "quiet",
]

MIB = 1024 * 1024

Clock: TypeAlias = Literal["cpu", "wall", ""]
Figures: TypeAlias = Mapping[str, float]
Side: TypeAlias = Callable[[], Figures]
Repetition: TypeAlias = Mapping[str, Figures]
Pick: TypeAlias = Callable[[Repetition, Clock], float]


class SkippedError(Exception):
    """This machine cannot run that side; the text says why."""


class Scale(Enum):
    """How large the sizes are."""

    FULL = "full"
    QUICK = "quick"

    def size(self, full: int, quick: int) -> int:
        """Give the size for this scale."""
        return full if self is Scale.FULL else quick


class Stopwatch:
    """How long a block took: `with Stopwatch() as watch:`.

    Attributes:
        cpu: Seconds that this thread computed.
        wall: Seconds that passed.
    """

    def __init__(self) -> None:
        self.cpu: float = 0.0
        self.wall: float = 0.0

    def __enter__(self) -> Self:
        self._wall = time.perf_counter()
        self._cpu = time.thread_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.cpu = time.thread_time() - self._cpu
        self.wall = time.perf_counter() - self._wall

    def rate(self, count: int, figure: str = "rate") -> Figures:
        """Give how many of *count* things were done in a second, by both clocks."""
        return {
            f"{figure} cpu": per_second(count, self.cpu),
            f"{figure} wall": per_second(count, self.wall),
        }

    def each(self, count: int, figure: str = "each") -> Figures:
        """Give the microseconds for each of *count* things, by both clocks."""
        return {
            f"{figure} cpu": self.cpu / count * 1e6,
            f"{figure} wall": self.wall / count * 1e6,
        }


def per_second(count: int, seconds: float) -> float:
    """Give the rate; the clock may not have moved at tiny sizes."""
    return count / max(seconds, 1e-9)


@frozen
class Target:
    """What a figure has to reach.

    Attributes:
        limit: The least, or the most.
        least: Whether it is the least.
        of_ratio: Whether it is for the ratio, not for regrow's own value.
    """

    limit: float
    least: bool
    of_ratio: bool = True

    def met(self, line: Line) -> bool | None:
        """Tell whether *line* reaches it; `None` if that cannot be said."""
        spread = line.ratio if self.of_ratio else line.value
        if spread is None:
            return None
        if self.least:
            return spread.median >= self.limit
        return spread.median <= self.limit

    def __str__(self) -> str:
        sign = "≥" if self.least else "≤"
        return f"{'ratio ' if self.of_ratio else ''}{sign} {self.limit:g}"


def at_least(limit: float) -> Target:
    """Make a target for a ratio that should be high."""
    return Target(limit, least=True)


def at_most(limit: float, *, of_ratio: bool = True) -> Target:
    """Make a target for a ratio, or a value, that should be low."""
    return Target(limit, least=False, of_ratio=of_ratio)


def pick(side: str, figure: str) -> Pick:
    """Give what picks *figure* of *side* out of a repetition."""

    def picked(repetition: Repetition, clock: Clock) -> float:
        return repetition[side][f"{figure} {clock}".rstrip()]

    return picked


@frozen
class Row:
    """One line of the report.

    Attributes:
        label: What is measured.
        unit: In what.
        value: Where the value of regrow is.
        against: Where what it is compared with is; `None` where there is no such thing.
        clock: By which clock; empty for what is no time. `cpu` can be overruled.
        targets: What it should reach: one of them is enough.
        in_ratio: Whether their ratio says something: not where both are next to nothing.
    """

    label: str
    unit: str
    value: Pick
    against: Pick | None
    clock: Clock = "cpu"
    targets: tuple[Target, ...] = ()
    in_ratio: bool = True


@frozen
class Spread:
    """What the repetitions gave."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The least."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The most."""
        return max(self.values)

    @property
    def percent(self) -> float:
        """Half the distance from the least to the most, in percent of the median."""
        if not self.median:
            return 0.0
        return (self.high - self.low) / 2 / self.median * 100


@frozen
class Line:
    """A row with its figures.

    Attributes:
        workload: Its name.
        label: What was measured.
        unit: In what.
        clock: By which clock; empty for what is no time.
        value: What regrow gave.
        against: What the baseline gave.
        ratio: The first by the second, repetition by repetition.
        targets: What it should reach: one of them is enough.
        note: Why there are no figures.
    """

    workload: str
    label: str
    unit: str
    clock: Clock
    value: Spread | None
    against: Spread | None
    ratio: Spread | None
    targets: tuple[Target, ...] = ()
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether it reaches a target; `None` where there is none."""
        found = [target.met(self) for target in self.targets]
        if any(found):
            return True
        return False if False in found else None


class Workload(ABC):
    """Something to measure.

    The docstring of each states its question, unit, sizes and baseline.

    Attributes:
        name: For `--only`.
        repetitions: How often each side runs.
        scale: How large.
        warms_up: Whether the sides run once at tiny sizes before they count.
    """

    name: ClassVar[str]
    repetitions: ClassVar[int] = 9
    warms_up: ClassVar[bool] = True

    def __init__(self, scale: Scale) -> None:
        self.scale = scale

    @abstractmethod
    def sides(self) -> Mapping[str, Side]:
        """Give what is run by turns, by name."""

    @abstractmethod
    def rows(self) -> Sequence[Row]:
        """Give the lines of the report, in order."""


def measure(
    workload: Workload,
    *,
    repetitions: int | None = None,
    clock: Clock = "cpu",
) -> list[Line]:
    """Run *workload*.

    Args:
        workload: What to run.
        repetitions: How often, if not as often as it wants.
        clock: The clock for rows that are by `cpu` of their own.
    """
    with quiet():
        if workload.warms_up and workload.scale is not Scale.QUICK:
            for run in type(workload)(Scale.QUICK).sides().values():
                run()
        done, skipped = _by_turns(workload.sides(), repetitions or workload.repetitions)
    return [_line(workload, row, done, skipped, clock) for row in workload.rows()]


def _by_turns(
    sides: Mapping[str, Side], repetitions: int
) -> tuple[list[Repetition], dict[str, str]]:
    """Run each side once in each repetition; give the figures, and why some are missing."""
    names = list(sides)
    skipped: dict[str, str] = {}
    done: list[Repetition] = []
    for turn in range(repetitions):
        figures: dict[str, Figures] = {}
        for index in range(len(names)):
            name = names[(index + turn) % len(names)]
            if name in skipped:
                continue
            gc.collect()
            try:
                figures[name] = sides[name]()
            except SkippedError as reason:
                skipped[name] = str(reason)
        done.append(figures)
    return done, skipped


def _line(
    workload: Workload,
    row: Row,
    done: Sequence[Repetition],
    skipped: Mapping[str, str],
    clock: Clock,
) -> Line:
    used: Clock = clock if row.clock == "cpu" else row.clock
    against, ratio = None, None
    try:
        values = [row.value(repetition, used) for repetition in done]
    except KeyError:
        if not skipped:
            raise
        why = "; ".join(dict.fromkeys(skipped.values()))
        return Line(
            workload.name, row.label, row.unit, used, None, None, None, note=why
        )
    if row.against is not None:
        floor = [row.against(repetition, used) for repetition in done]
        against = Spread(tuple(floor))
        if row.in_ratio:
            pairs = zip(values, floor, strict=True)
            ratio = Spread(tuple(a / b for a, b in pairs))
    return Line(
        workload.name,
        row.label,
        row.unit,
        used,
        Spread(tuple(values)),
        against,
        ratio,
        row.targets,
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Let every record of the log end in a handler that throws it away, for all sides."""
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, [logging.NullHandler()]
    try:
        yield
    finally:
        root.handlers = handlers
