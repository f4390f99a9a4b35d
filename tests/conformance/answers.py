"""regrow's words in those of the traces (section 6 of README.md)."""

from collections.abc import Sequence

from regrow._core.steps import ChildCounts, ChildInfo
from regrow.errors import SpecError, StartFailedError, SupervisorCallError

from .model import Json, Refused

__all__ = ["OK", "counts", "error_result", "failure", "start_error", "which"]

OK: Json = {"ok": True}


def failure(error: str) -> Json:
    """Give a result that is nothing but an error."""
    return {"ok": False, "error": error}


def start_error(error: BaseException, *, top: bool) -> Json:
    """Give the result of a start that failed.

    Args:
        error: The `StartFailedError` of the child that was started, or, of the whole
            tree, that of the first child below.
        top: Whether it was the whole tree.
    """
    failed: list[Json] = []
    level: BaseException | None = error
    while isinstance(level, StartFailedError):
        failed.append(level.child_id)
        level = level.__cause__
    if not top:
        del failed[0]
    return {
        "ok": False,
        "error": "start_error",
        "failed": failed,
        "cause": "init_error",
    }


def error_result(error: BaseException) -> Json:
    """Give the result of a request that a supervisor answered with *error*.

    Raises:
        BaseException: *error* itself, if no trace has such an answer.
    """
    match error:
        case SpecError():
            return Refused(tuple(finding.code for finding in error.findings))
        case StartFailedError():
            return start_error(error, top=False)
        case SupervisorCallError():
            return failure(error.code)
        case _:
            raise error


def which(children: Sequence[ChildInfo], *, dynamic: bool) -> Json:
    """Give the rows of `which_children`.

    Those of a dynamic supervisor are sorted; restarting ones are first and nameless.
    """
    words = {"running": "running", "restarting": "restarting", "stopped": "undefined"}
    if dynamic:
        children = sorted(children, key=lambda c: (c.status != "restarting", c.name))
    rows: list[Json] = [
        {
            "id": None if dynamic and child.status == "restarting" else child.name,
            "status": words[child.status],
            "type": child.kind,
        }
        for child in children
    ]
    return {"ok": True, "children": rows}


def counts(numbers: ChildCounts, *, dynamic: bool) -> Json:
    """Give the answer of `count_children`; OTP counts the one template as the specs."""
    return {
        "ok": True,
        "counts": {
            "specs": 1 if dynamic else numbers.specs,
            "active": numbers.active,
            "supervisors": numbers.supervisors,
            "workers": numbers.workers,
        },
    }
