"""What went wrong in a tree and when, as lines of text."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, cast

from attrs import define, field
from rich.console import Console

from regrow import (
    ChildExited,
    ChildRestarting,
    ChildStartFailed,
    ChildStuck,
    Event,
    ExitReason,
    RestartLimitExceeded,
)

# A tree may live for months before it fails. What led to the end is at the end.
_KEPT: Final = 200


@define
class Timeline:
    """An observer that keeps the failures: the last 200 of them."""

    _failures: deque[tuple[float, str]] = field(
        factory=lambda: deque[tuple[float, str]](maxlen=_KEPT), init=False
    )
    _started_at: float | None = field(default=None, init=False)
    _seen: int = field(default=0, init=False)
    cut_off: bool = field(default=False, init=False)
    """Whether the root did not end in order, but was killed."""

    def __call__(self, event: Event) -> None:
        """Take note of *event* if it is a failure, or what followed from one."""
        if self._started_at is None:
            self._started_at = event.at
        match event:
            case ChildExited(path=path, reason=ExitReason.KILLED) if "/" not in path:
                self.cut_off = True
            case _:
                pass
        line = _line(event)
        if line is not None:
            self._seen += 1
            self._failures.append((event.at - self._started_at, line))

    def lines(self) -> Iterator[str]:
        """The failures, oldest first, with the seconds since the first event."""
        left_out = self._seen - len(self._failures)
        if left_out:
            yield f"({left_out} earlier ones left out)"
        for seconds, line in self._failures:
            yield f"{seconds:+10.3f} s  {line}"


def show_failure(console: Console, timeline: Timeline, end: str) -> None:
    """Print what led to the *end* of a tree, oldest first, and then the end itself."""
    console.out("timeline of failures:", highlight=False)
    for line in timeline.lines():
        console.out(line, highlight=False)
    console.out(f"regrow: {end}", highlight=False)


def _line(event: Event) -> str | None:
    match event:
        case ChildExited(reason=ExitReason.CRASHED, error=error):
            what = f"crashed: {describe(error)}"
        case ChildExited(reason=ExitReason.KILLED):
            what = "was cut off before it had stopped"
        case ChildStartFailed(error=error):
            what = f"did not start: {describe(error)}"
        case ChildRestarting(attempt=attempt, delay=delay):
            what = f"restarts in {delay:.3g} s, attempt {attempt}"
        case ChildStuck():
            what = "does not end, though it was cut off"
        case RestartLimitExceeded():
            what = "gives up"
        case _:
            return None
    return f"{event.path}  {what}"


def describe(error: BaseException | None) -> str:
    """*error* as one line: its type and its text, of each one in a group."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return ", ".join(describe(each) for each in group.exceptions)
    text = " ".join(str(error).split())
    name = type(error).__name__
    return f"{name}: {text}" if text else name
