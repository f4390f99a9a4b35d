"""What a caller gets whose request a supervisor refused, each with OTP's word for it."""

from ._base import RegrowError

__all__ = [
    "ChildActiveError",
    "ChildExistsError",
    "ChildForgottenError",
    "ChildNotFoundError",
    "MaxChildrenError",
    "SupervisorCallError",
]


class SupervisorCallError(RegrowError):
    """A supervisor refused a request; nothing was changed.

    Attributes:
        path: The supervisor.
        child_id: The child that the request was about.
        code: OTP's word for the refusal.
    """

    def __init__(self, path: str, child_id: str, code: str, text: str) -> None:
        self.path = path
        self.child_id = child_id
        self.code = code
        super().__init__(text)


class ChildExistsError(SupervisorCallError):
    """The name is taken. `code` is `already_started` or `already_present`."""

    def __init__(self, path: str, child_id: str, *, started: bool) -> None:
        code = "already_started" if started else "already_present"
        state = (
            "runs already" if started else "is known already, though it does not run"
        )
        remedy = (
            "Use another name."
            if started
            else "Use restart_child, or delete_child before start_child."
        )
        super().__init__(
            path, child_id, code, f"{child_id!r} of {path!r} {state}. {remedy}"
        )


class ChildNotFoundError(SupervisorCallError, LookupError):
    """The supervisor has no child of that name. `code` is `not_found`."""

    def __init__(self, path: str, child_id: str) -> None:
        super().__init__(
            path,
            child_id,
            "not_found",
            f"supervisor {path!r} has no child {child_id!r}. "
            "Pass a name, the last part of a path; which_children() lists those it has.",
        )


class ChildActiveError(SupervisorCallError):
    """Not possible unless the child is stopped. `code` is `running` or `restarting`."""

    def __init__(self, path: str, child_id: str, *, restarting: bool) -> None:
        code = "restarting" if restarting else "running"
        super().__init__(
            path,
            child_id,
            code,
            f"{child_id!r} of {path!r} is {code}. Use terminate_child first.",
        )


class ChildForgottenError(SupervisorCallError):
    """A dynamic supervisor keeps no stopped children to restart or delete."""

    def __init__(self, path: str, child_id: str) -> None:
        super().__init__(
            path,
            child_id,
            "simple_one_for_one",
            f"dynamic supervisor {path!r} forgets its children when they end: {child_id!r} "
            "cannot be restarted or deleted. Use start_child with a spec.",
        )


class MaxChildrenError(SupervisorCallError):
    """The dynamic supervisor has as many children as it may. `code` is `max_children`.

    Attributes:
        max_children: How many that is; restarting ones count.
    """

    def __init__(self, path: str, child_id: str, max_children: float) -> None:
        self.max_children = max_children
        super().__init__(
            path,
            child_id,
            "max_children",
            f"dynamic supervisor {path!r} has its {max_children:g} children: {child_id!r} "
            "was not started. Wait until one ends, or raise max_children.",
        )
