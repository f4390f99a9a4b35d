"""What a child raises to say how it ends."""

__all__ = ["IgnoreStart", "Shutdown"]


class Shutdown(Exception):  # noqa: N818 - no error, and OTP's word
    """Raised by a child of any kind to end with the clean reason `shutdown` (S23)."""


class IgnoreStart(Exception):  # noqa: N818 - no error, and OTP's word
    """Raised in a constructor or lifespan: the child does not run, and that is fine (S9)."""
