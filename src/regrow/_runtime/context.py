"""Whose code is running: the path of its place, for the user's own log lines."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

__all__ = ["PathFilter", "current_path", "enter_place"]

# Children, and the tasks that they start, inherit it from the task that starts them.
_PATH: ContextVar[str] = ContextVar("regrow_path", default="")


def current_path() -> str:
    """Give the path of the place whose code is running; empty outside of every tree.

    In an actor's constructor, lifespan, handlers and the tasks that it starts, in a service
    and its tasks, and in what they call.
    """
    return _PATH.get()


def enter_place(path: str) -> None:
    """From here on, this context is that of the place at *path*. For the runtime."""
    _PATH.set(path)


class PathFilter:
    """A logging filter that lets every record pass and gives it `path`: `current_path()`.

    `handler.addFilter(PathFilter())`, and `%(path)s` in the format of that handler. What
    regrow logs itself has a `path` already, which stays.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let *record* pass."""
        if not hasattr(record, "path"):
            record.path = current_path()
        return True
