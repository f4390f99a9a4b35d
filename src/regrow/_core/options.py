"""The static checks of single options: numbers, words, backoffs, mailboxes (S3)."""

import math
from collections.abc import Iterator
from typing import get_args

from regrow.errors import Finding

from .backoff import Backoff
from .heartbeat import Heartbeat
from .specs import ChildSpec, Mailbox, OnFull, OnRestart, RestartType, StartType

__all__ = [
    "check_heartbeat",
    "check_mailbox",
    "check_options",
    "check_seconds",
    "check_watchdog",
    "choice",
    "number",
    "place_of",
    "whole",
    "worded",
]


ON_FULL: tuple[str, ...] = get_args(OnFull)
ON_RESTART: tuple[str, ...] = get_args(OnRestart)
RESTARTS: tuple[str, ...] = get_args(RestartType)
STARTS: tuple[str, ...] = get_args(StartType)


def number(value: object) -> bool:
    """Whether *value* is a number that can be seconds: real, and neither bool nor NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return not math.isnan(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def whole(value: object, *, least: int, endless: bool = False) -> bool:
    """Whether *value* is a whole number of at least *least*, or `math.inf` if *endless*."""
    if endless and value == math.inf:
        return True
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def worded(value: object) -> str:
    """Give the words for what was passed in place of something else; a spec is short."""
    if isinstance(value, ChildSpec):
        kind = "supervisor" if value.kind == "supervisor" else "child"
        return f"the {kind} {value.name!r}"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__}"  # pyright: ignore[reportUnknownArgumentType]
    return repr(value)


def place_of(spec: ChildSpec) -> str:
    """Give the place of *spec* for a finding; a spec in place of the name is not shown."""
    name: object = spec.name
    return "supervisor" if isinstance(name, ChildSpec) else str(name)


def choice(
    place: str, code: str, option: str, value: object, allowed: tuple[str, ...]
) -> Iterator[Finding]:
    """Find what is wrong with one of several words."""
    if not isinstance(value, str) or value not in allowed:
        every = ", ".join(repr(choice) for choice in allowed)
        yield Finding(
            code, place, f"{option} is {value!r}", f"Write one of {every} as {option}."
        )


def check_seconds(
    place: str, option: str, value: object, *, zero: bool = True
) -> Iterator[Finding]:
    """Find what is wrong with a number of seconds, which may be endless."""
    if not isinstance(value, int | float) or not number(value):
        good = False
    else:
        good = value > 0 or (zero and value == 0)
    if not good:
        bound = "of 0 or more" if zero else "above 0"
        yield Finding(
            f"invalid_{option}",
            place,
            f"{option} is {value!r}",
            f"Write a number of seconds {bound}, or math.inf, as {option}.",
        )


def _name(place: str, name: object) -> Iterator[Finding]:
    if isinstance(name, ChildSpec):
        yield Finding(
            "invalid_name",
            place,
            f"the name is {worded(name)}",
            "Give the name first, as in supervisor('app', child(...)).",
        )
    elif not isinstance(name, str) or not name or "/" in name or name.startswith("<"):
        yield Finding(
            "invalid_name",
            place,
            f"the name is {name!r}",
            "Give name=, a text that is not empty and has no '/'.",
        )


def _backoff(place: str, backoff: object) -> Iterator[Finding]:
    if backoff is None:
        return
    if not isinstance(backoff, Backoff):
        yield Finding(
            "invalid_backoff",
            place,
            f"backoff is {backoff!r}",
            "Write Backoff(...) or None as backoff.",
        )
        return
    rules = (
        (
            number(backoff.initial) and 0 <= backoff.initial < math.inf,
            "initial",
            "0 or more",
        ),
        (
            number(backoff.factor) and 1 <= backoff.factor < math.inf,
            "factor",
            "1 or more",
        ),
        (
            number(backoff.maximum)
            and number(backoff.initial)
            and backoff.initial <= backoff.maximum < math.inf,
            "maximum",
            f"initial, {backoff.initial!r}, or more",
        ),
        (number(backoff.jitter) and 0 <= backoff.jitter <= 1, "jitter", "from 0 to 1"),
        (
            number(backoff.reset_after) and backoff.reset_after >= 0,
            "reset_after",
            "0 or more",
        ),
        (
            whole(backoff.max_attempts, least=1, endless=True),
            "max_attempts",
            "a whole number from 1, or math.inf",
        ),
    )
    for good, field, bound in rules:
        if not good:
            yield Finding(
                "invalid_backoff",
                place,
                f"{field} of the backoff is {getattr(backoff, field)!r}",
                f"Write {bound} as {field}.",
            )


def check_mailbox(place: str, mailbox: object) -> Iterator[Finding]:
    """Find what is wrong with the mailbox of the child at *place*."""
    if not isinstance(mailbox, Mailbox):
        yield Finding(
            "invalid_mailbox",
            place,
            f"mailbox is {mailbox!r}",
            "Write Mailbox(...) as mailbox.",
        )
        return
    code = "invalid_mailbox"
    if not whole(mailbox.capacity, least=0, endless=True):
        yield Finding(
            code,
            place,
            f"the mailbox's capacity is {mailbox.capacity!r}",
            "Write a whole number from 0, or math.inf, as capacity.",
        )
    yield from choice(place, code, "on_full", mailbox.on_full, ON_FULL)
    yield from choice(place, code, "on_restart", mailbox.on_restart, ON_RESTART)
    if mailbox.capacity == 0 and mailbox.on_full == "drop_oldest":
        yield Finding(
            code,
            place,
            "a mailbox of capacity 0 holds no oldest message to drop",
            "Give it a capacity, or another on_full.",
        )


def check_heartbeat(place: str, heartbeat: object) -> Iterator[Finding]:
    """Find what is wrong with the health checks of the actor at *place*."""
    code = "invalid_heartbeat"
    if heartbeat is None:
        return
    if not isinstance(heartbeat, Heartbeat):
        yield Finding(
            code,
            place,
            f"heartbeat is {heartbeat!r}",
            "Write Heartbeat(every, timeout) or None as heartbeat.",
        )
        return
    seconds = "a number of seconds above 0, and not math.inf,"
    rules = (
        (_some_seconds(heartbeat.every), "every", seconds),
        (_some_seconds(heartbeat.timeout), "timeout", seconds),
        (whole(heartbeat.misses, least=1), "misses", "a whole number from 1"),
    )
    for good, field, bound in rules:
        if not good:
            yield Finding(
                code,
                place,
                f"{field} of the heartbeat is {getattr(heartbeat, field)!r}",
                f"Write {bound} as {field}.",
            )


def check_watchdog(place: str, watchdog: object) -> Iterator[Finding]:
    """Find what is wrong with the limit of a watchdog."""
    if watchdog is not None and not _some_seconds(watchdog):
        yield Finding(
            "invalid_watchdog",
            place,
            f"watchdog is {watchdog!r}",
            "Write a number of seconds above 0, and not math.inf, or None as watchdog.",
        )


def _some_seconds(value: object) -> bool:
    """Whether *value* is a number of seconds that can pass."""
    return number(value) and isinstance(value, int | float) and 0 < value < math.inf


def check_options(spec: ChildSpec) -> Iterator[Finding]:
    """Find what is wrong with the options that every child has (S3)."""
    place = place_of(spec)
    yield from _name(place, spec.name)
    yield from choice(place, "invalid_restart_type", "restart", spec.restart, RESTARTS)
    if not isinstance(spec.significant, bool):
        yield Finding(
            "invalid_significant",
            place,
            f"significant is {spec.significant!r}",
            "Write True or False as significant.",
        )
    elif spec.significant and spec.restart == "permanent":  # S48
        yield Finding(
            "bad_combination",
            place,
            "significant=True with restart='permanent', which never ends for good",
            "Write restart='transient' or 'temporary', or leave significant out.",
        )
    yield from check_seconds(place, "shutdown", spec.shutdown)
    yield from check_seconds(place, "start_timeout", spec.start_timeout, zero=False)
    yield from _backoff(place, spec.backoff)
    yield from choice(place, "invalid_start", "start", spec.start, STARTS)
