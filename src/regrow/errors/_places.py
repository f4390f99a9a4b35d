"""What comes of asking for a place that is not there: not yet, not now, or not at all."""

from ._base import RegrowError

__all__ = ["NotInTreeError", "NotRunningError", "PlaceNotFoundError", "UnboundRefError"]


class UnboundRefError(RegrowError):
    """A late ref was used outside a running tree."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the ref of {name!r} belongs to a declaration, not to a running tree. "
            "Pass it to a child, which gets the live one, or use tree[spec]."
        )


class PlaceNotFoundError(RegrowError, LookupError):
    """The tree has no such place.

    Attributes:
        path: What was asked for.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        super().__init__(text)


class NotRunningError(RegrowError):
    """The place has no incarnation just now that this could be done to.

    Attributes:
        path: The place.
        status: What it does instead: `starting`, `restarting`, `stopping` or `stopped`.
        what: What was asked for.
    """

    def __init__(self, path: str, status: str, what: str) -> None:
        self.path = path
        self.status = status
        self.what = what
        remedy = (
            "Nobody will start it but by restart_child of its supervisor"
            if status == "stopped"
            else "Try again when tree.snapshot(path) says that it is running"
        )
        super().__init__(f"{path!r} is {status}, so there is {what}. {remedy}.")


class NotInTreeError(RegrowError, RuntimeError):
    """Only a child of a running tree can do this."""
