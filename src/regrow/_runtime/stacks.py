"""Finding in a stack the line that its reader can do something about."""

from __future__ import annotations

import os
import sysconfig
from typing import TYPE_CHECKING

import outcome
import trio

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

__all__ = ["TRIO", "theirs", "where"]


def _folder_of(file: str | None) -> str:
    return os.path.dirname(file or "") + os.sep


TRIO = _folder_of(trio.__file__)
"""How the names of trio's own files begin."""

_OURS = _folder_of(_folder_of(__file__).rstrip(os.sep))
_NOT_THEIRS = (TRIO, _OURS, _folder_of(outcome.__file__), "<")
_STANDARD = sysconfig.get_paths()["stdlib"] + os.sep
_INSTALLED = (
    "-packages" + os.sep
)  # inside the folder of the standard library, in places


def where(stack: Sequence[str]) -> str:
    """Give the innermost line of *stack* that is the user's, else the innermost one.

    Args:
        stack: Lines `file:line in name` of one task, the innermost last.
    """
    for line in reversed(stack):
        standard = line.startswith(_STANDARD) and _INSTALLED not in line
        if not standard and not line.startswith(_NOT_THEIRS):
            return line
    return stack[-1] if stack else ""


def theirs(traceback: TracebackType | None) -> TracebackType | None:
    """Give *traceback* from the first frame on that is not of this package.

    Those before it say nothing but that something of the user's was called, and to write
    them into a log takes as long as a restart. Where there are no others it is given whole.
    """
    first = traceback
    while first is not None:
        if not first.tb_frame.f_code.co_filename.startswith(_OURS):
            return first
        first = first.tb_next
    return traceback
