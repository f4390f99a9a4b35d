"""What the errors share: their base, the line about an exception, the timeline."""

from collections.abc import Callable
from typing import cast

from attrs import field, frozen

__all__ = ["RegrowError", "TimelineEntry", "members_of", "summary"]


class RegrowError(Exception):
    """What every exception of regrow is."""


# Not `error.exceptions`: a class of somebody's may have something else there.
members_of: Callable[[BaseException], tuple[BaseException, ...]] = cast(
    "Callable[[BaseException], tuple[BaseException, ...]]",
    BaseExceptionGroup.__dict__["exceptions"].__get__,
)


def summary(error: BaseException | None) -> str:
    """Give one line for *error*: its type and, when there is one, its text.

    Of a group, the first exception in it too: trio's own text says only how many there are.
    """
    if error is None:
        return "no exception"
    first = error
    while issubclass(type(first), BaseExceptionGroup):
        first = members_of(first)[0]
    line = _line(error)
    return line if first is error else f"{line}, first {_line(first)}"


def _line(error: BaseException) -> str:
    try:
        text = str(error).strip()
    except Exception:  # noqa: BLE001 - it must not hide the error that it is about
        text = "its text cannot be made"
    first = text.splitlines()[0] if text else ""
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


@frozen
class TimelineEntry:
    """One of the things that led to the end of a supervisor.

    Attributes:
        at: When, in seconds of the run's clock.
        path: The place it happened at.
        incarnation: Which life of that place.
        what: In words, such as `crashed` or `restarts now (attempt 2)`.
        error: The exception, if there was one. Of failures long ago it has no traceback.
    """

    at: float
    path: str
    incarnation: int
    what: str
    error: BaseException | None = field(repr=summary)
