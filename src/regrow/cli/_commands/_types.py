"""What arguments may be."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["number_from", "number_of_seconds"]


def number_from(least: int) -> Callable[[str], int]:
    """Give what reads a whole number of at least *least*."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            message = f"{text!r} is no whole number"
            raise argparse.ArgumentTypeError(message) from None
        if value < least:
            message = f"{value} is less than {least}"
            raise argparse.ArgumentTypeError(message)
        return value

    return number


def number_of_seconds(text: str) -> float:
    """Read a number of seconds, of 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value >= 0:
        message = f"{text!r} is no number of seconds of 0 or more; write 90, not 1m30s"
        raise argparse.ArgumentTypeError(message)
    return value
