"""What arguments may be."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["number_from", "number_of_seconds"]


def number_from(least: int) -> Callable[[str], int]:
    """Give what reads a whole number of at least *least*."""

    def number(text: str) -> int:
        # Text that is no number raises ValueError, which argparse words by itself.
        value = int(text)
        if value < least:
            message = f"{value} is less than {least}"
            raise argparse.ArgumentTypeError(message)
        return value

    return number


def number_of_seconds(text: str) -> float:
    """Read a number of seconds, of 0 or more."""
    value = float(text)
    if not value >= 0:
        message = f"{text} is no number of seconds of 0 or more"
        raise argparse.ArgumentTypeError(message)
    return value
