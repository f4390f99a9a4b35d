"""docs/reference.md names every public thing and nothing else, with its defaults."""

import inspect
import math
import re
from collections.abc import Callable, Iterator

import pytest

import regrow
from regrow import (
    Backoff,
    Mailbox,
    child,
    dynamic,
    open_tree,
    run_tree,
    serve_tree,
    supervisor,
)

from .pages import ROOT, rows, section

PAGE = ROOT / "docs" / "reference.md"

# Public by their names alone: the runtime uses them.
INTERNAL = {
    "Advice.of",
    "ActorSpec.late_refs",
    "Backoff.delay",
    "Deferred.bind",
    "Deferred.request",
    "EventStream.end",
    "EventStream.push",
    "Monitor.end",
    "Monitor.notice",
    "ServiceSpec.late_refs",
    "open_tree.find_owner",
}
# Said once for all specs, or once for all refs.
SHARED = {
    "forgets",
    "kind",
    "late_refs",
    "monitor",
    "path",
    "ref",
    "spec",
    "traits",
    "wait_stopped",
}

CLASSES = [
    name
    for name in regrow.__all__
    if isinstance(getattr(regrow, name), type)
    and not issubclass(getattr(regrow, name), BaseException)
]


def tables(text: str) -> Iterator[list[list[str]]]:
    for part in text.split("\n\n"):
        if part.startswith("|"):
            yield rows(part)


def first_cells() -> Iterator[str]:
    for table in tables(PAGE.read_text("utf-8")):
        for row in table:
            yield row[0].strip("`")


def documented() -> list[str]:
    """Give the names in the first cells, `Class.member` included, without arguments."""
    return [
        re.split(r"[(\[]", cell)[0]
        for cell in first_cells()
        if not cell.endswith("=") and not cell.startswith(("regrow ", "Tree["))
    ]


def test_every_public_name_stands_there_once() -> None:
    named = [name for name in documented() if "." not in name]
    assert sorted(named) == sorted(regrow.__all__)


def members(name: str) -> Iterator[str]:
    """Give the methods and properties of a class, those of its bases included."""
    for base in getattr(regrow, name).__mro__:
        if not base.__module__.startswith("regrow"):
            continue
        for member, value in vars(base).items():
            if member.startswith("_"):
                continue
            if inspect.isfunction(value) or isinstance(value, property):
                yield f"{name}.{member}"


@pytest.mark.parametrize("name", CLASSES)
def test_every_member_stands_there(name: str) -> None:
    named = {entry for entry in documented() if entry.startswith(f"{name}.")}
    unknown = {e for e in named if not hasattr(getattr(regrow, name), e.split(".")[1])}
    assert unknown == set()
    missing = set(members(name)) - named - INTERNAL
    assert {entry for entry in missing if entry.split(".")[1] not in SHARED} == set()


Options = dict[str, object]


def described(text: str) -> Options:
    """Give the options and their defaults that the first table in *text* has."""
    known = {"math": math, "Mailbox": Mailbox}
    return {
        row[0].strip("`").rstrip("="): eval(row[1].strip("`"), known)  # noqa: S307 - ours
        for row in rows(text)
    }


def options(fn: Callable[..., object]) -> Options:
    parameters = inspect.signature(fn).parameters.values()
    return {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.default is not parameter.empty and parameter.name != "task_status"
    }


OF_CHILD = described(section(PAGE, "Options of child"))
OF_SUPERVISED = {
    name: math.inf if name == "shutdown" else default
    for name, default in OF_CHILD.items()
    if name not in {"heartbeat", "mailbox", "name"}
}


def test_options_of_child() -> None:
    assert options(child) == OF_CHILD


def test_options_of_supervisor() -> None:
    own = described(section(PAGE, "Options of supervisor"))
    assert options(supervisor) == own | OF_SUPERVISED


def test_options_of_dynamic() -> None:
    own = described(section(PAGE, "Options of dynamic"))
    assert options(dynamic) == own | OF_SUPERVISED


@pytest.mark.parametrize("kind", [Mailbox, Backoff])
def test_fields(kind: type) -> None:
    assert options(kind) == described(section(PAGE, f"Fields of {kind.__name__}"))


@pytest.mark.parametrize("run", [open_tree, serve_tree, run_tree])
def test_options_of_a_run(run: Callable[..., object]) -> None:
    text = section(PAGE, "Running a tree")
    assert options(run) == described(text[text.index("| option") :])
