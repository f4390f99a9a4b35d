"""How a child ended, as a value."""

from enum import Enum

from attrs import frozen

__all__ = ["Exit", "ExitReason"]


class ExitReason(Enum):
    """Why a child's life ended; the first two are clean, the others abnormal."""

    NORMAL = "normal"
    """It returned, or stopped itself."""
    SHUTDOWN = "shutdown"
    """It raised `Shutdown`, or its supervisor told it to stop and it was done in time."""
    CRASHED = "crashed"
    """An exception came out of it."""
    KILLED = "killed"
    """It was cut off: its time to stop had run out."""

    def __init__(self, value: str) -> None:
        self._clean: bool = value in {"normal", "shutdown"}

    @property
    def clean(self) -> bool:
        """Whether a transient child stays down after such an end (S23)."""
        return self._clean


@frozen
class Exit:
    """The end of one life of a child.

    Attributes:
        reason: How it ended.
        error: What came out of it; `None` unless it crashed.
        busy: Of a supervisor: seconds of this life that restarts took, which its parent
            takes off its own clock when the supervisor gave up (D3).
        fatal: Whether *error* is no `Exception`, such as `KeyboardInterrupt`: the whole
            tree stops for it and nothing is restarted.
    """

    reason: ExitReason
    error: BaseException | None = None
    busy: float = 0.0
    fatal: bool = False
