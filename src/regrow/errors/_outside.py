"""What the machine did not give: a socket, an address, a library."""

from ._base import RegrowError

__all__ = ["AddressError", "ControlSocketError", "MissingExtraError"]


class ControlSocketError(RegrowError, OSError):
    """A control socket cannot be made at a path, or nobody answers there.

    Attributes:
        path: The path.
        text: Why not, and what to do.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        super().__init__(f"control socket {path!r}: {text}.")


class AddressError(RegrowError, ValueError):
    """An address to listen at is none, or cannot be had; nothing was started.

    Attributes:
        address: What was given.
    """

    def __init__(self, address: str, why: str) -> None:
        self.address = address
        super().__init__(f"{address!r} {why}.")


class MissingExtraError(RegrowError, ImportError):
    """A part of regrow needs libraries that its own installation does not bring.

    Attributes:
        extra: What brings them.
        missing: The one that was looked for.
    """

    def __init__(self, extra: str, missing: str) -> None:
        self.extra = extra
        self.missing = missing
        super().__init__(
            f"{missing!r} is not installed, which regrow.observe.{extra} needs. "
            f"Run: pip install 'regrow[{extra}]'"
        )
