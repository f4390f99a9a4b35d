"""What a child raises to say how it ends."""

__all__ = ["IgnoreStart", "Shutdown"]


class Shutdown(Exception):  # noqa: N818 - no error, and OTP's word
    """Raised by a child of any kind to end with the clean reason `shutdown` (S23)."""


class IgnoreStart(Exception):  # noqa: N818 - no error, and OTP's word
    """Raised by a child that is not up yet: it does not run, and that is fine (S9).

    In the constructor or the lifespan of an actor, before its `yield`; in a service with a
    `task_status`, before it calls `started()`, where returning means the same.
    """
