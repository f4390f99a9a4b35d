"""Why a child did not come up."""

from ._base import RegrowError, TimelineEntry, summary

__all__ = ["StartCancelledError", "StartFailedError", "StartTimeoutError"]


class StartFailedError(RegrowError):
    """A child did not come up. `__cause__` is why.

    There is one of these for each level of the tree between the supervisor that was being
    started and the child that failed, so that the path and the cause can both be read.

    Attributes:
        path: The child that did not come up.
        child_id: Its name among its siblings.
        timeline: What happened before, oldest first, where it comes out of `open_tree`;
            else empty.
    """

    def __init__(self, path: str, cause: BaseException) -> None:
        self.path = path
        self.timeline: tuple[TimelineEntry, ...] = ()
        self.child_id: str = path.rpartition("/")[2]
        self.__cause__: BaseException | None = cause
        root = self.root_cause
        last = self.failed_path
        via = "" if last == path else f" because {last!r} did not"
        super().__init__(
            f"{path!r} did not start{via} ({summary(root)}). "
            "Mend the cause, or declare the child with start='retry' if it may come later."
        )

    @property
    def root_cause(self) -> BaseException:
        """The child's own exception, below every level of the tree."""
        error: BaseException = self
        while isinstance(error, StartFailedError) and error.__cause__ is not None:
            error = error.__cause__
        return error

    @property
    def failed_path(self) -> str:
        """Path of the child at the bottom whose own start failed."""
        error: StartFailedError = self
        while isinstance(error.__cause__, StartFailedError):
            error = error.__cause__
        return error.path


class StartTimeoutError(RegrowError):
    """A child was not up within its `start_timeout`; its start was cancelled."""

    def __init__(self, path: str, seconds: float) -> None:
        self.path = path
        self.seconds = seconds
        super().__init__(
            f"{path!r} was not up within its start_timeout of {seconds:g} s. "
            "Raise start_timeout, do less before the child is up, or see that a service "
            "calls task_status.started()."
        )


class StartCancelledError(RegrowError):
    """The start was given up: its supervisor was stopped, or its caller gave up."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"the start of {path!r} was given up: its supervisor is stopping, or the caller "
            "of start_child gave up. Nothing of it is left."
        )
