"""What is wrong with a tree as it was declared, and is to be mended there."""

from collections.abc import Sequence

from attrs import frozen

from ._base import RegrowError

__all__ = ["Finding", "NotAnActorError", "SpecError"]


@frozen
class Finding:
    """One fault in a declared tree.

    Attributes:
        code: Stable short name of the kind of fault, such as `duplicate_child_name`.
        place: Path of the spec at fault, from the outermost supervisor seen.
        message: What was expected and what came.
        remedy: What to write instead.
    """

    code: str
    place: str
    message: str
    remedy: str

    def __str__(self) -> str:
        """Give the finding as one line."""
        return f"{self.place}: {self.message} [{self.code}]. {self.remedy}"


class SpecError(RegrowError, ValueError):
    """A tree is declared wrongly; nothing of it was started.

    Attributes:
        findings: Every fault found, in the order of the declaration.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(findings)
        count = len(self.findings)
        head = "1 fault" if count == 1 else f"{count} faults"
        lines = "".join(f"\n  {finding}" for finding in self.findings)
        super().__init__(f"{head} in the declared tree:{lines}")


class NotAnActorError(RegrowError, TypeError):
    """A child's factory gave something that is no actor."""

    def __init__(self, path: str, got: object) -> None:
        self.path = path
        super().__init__(
            f"the factory of {path!r} gave {got!r}, which is no Actor. Let it return an "
            "instance of an Actor class, or pass an async function for a service."
        )
