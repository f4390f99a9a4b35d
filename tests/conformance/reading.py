"""Scenarios out of a file. Whatever is not of the format is refused, with its place."""

import json
from pathlib import Path as FilePath
from typing import cast

from .model import (
    Call,
    CountChildren,
    DeleteChild,
    EndMany,
    EndWorker,
    Json,
    Node,
    Path,
    Reason,
    RestartChild,
    Scenario,
    Script,
    Sleep,
    StartChild,
    StartInstance,
    StartTree,
    Step,
    StopTree,
    TerminateChild,
    TerminateInstance,
    WhichChildren,
)

__all__ = ["UnusableFileError", "read_scenarios"]

REASONS: dict[str, Reason] = {
    "crash": "crash",
    "exit_normal": "normal",
    "exit_shutdown": "shutdown",
}
"""The steps that end one worker, and how it ends."""


class UnusableFileError(Exception):
    """A file cannot be read, or is not of the format."""


class _FormatError(Exception):
    """What is wrong, in words."""


def read_scenarios(path: FilePath) -> list[Scenario]:
    """Read a file of scenarios.

    Raises:
        UnusableFileError: It cannot be read, has none, or one is not of the format; the
            message names the file and the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise UnusableFileError(msg) from error
    scenarios: list[Scenario] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            scenarios.append(_scenario(json.loads(line)))
        except json.JSONDecodeError as error:
            msg = f"{path}:{number}: not JSON: {error}"
            raise UnusableFileError(msg) from error
        except _FormatError as error:
            msg = f"{path}:{number}: {error}"
            raise UnusableFileError(msg) from error
    if not scenarios:
        msg = f"{path}: holds no scenario"
        raise UnusableFileError(msg)
    return scenarios


class _Fields:
    """The fields of one object, each taken once; `close` refuses what is left."""

    def __init__(self, value: Json, what: str) -> None:
        if not isinstance(value, dict):
            msg = f"{what} is {value!r}, not an object"
            raise _FormatError(msg)
        self._left = dict(value)
        self.what = what

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def wrong(self, name: str, value: Json, wanted: str) -> _FormatError:
        return _FormatError(f"{name!r} of {self.what} is {value!r}, not {wanted}")

    def take(self, name: str, default: Json = None) -> Json:
        """Give a field's value; one without a default must be there."""
        if name not in self._left and default is None:
            msg = f"{self.what} has no {name!r}"
            raise _FormatError(msg)
        return self._left.pop(name, default)

    def text(self, name: str, default: str | None = None) -> str:
        value = self.take(name, default)
        if not isinstance(value, str):
            raise self.wrong(name, value, "a string")
        return value

    def number(self, name: str, default: int | None = None) -> int:
        value = self.take(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(name, value, "an integer")
        return value

    def flag(self, name: str) -> bool:
        value = self.take(name, default=False)
        if not isinstance(value, bool):
            raise self.wrong(name, value, "true or false")
        return value

    def items(self, name: str, default: list[Json] | None = None) -> list[Json]:
        value = self.take(name, cast("Json", default))
        if not isinstance(value, list):
            raise self.wrong(name, value, "a list")
        return value

    def texts(self, name: str, default: list[Json] | None = None) -> tuple[str, ...]:
        texts: list[str] = []
        for item in self.items(name, default):
            if not isinstance(item, str):
                raise self.wrong(name, item, "a list of strings")
            texts.append(item)
        return tuple(texts)

    def close(self) -> None:
        if self._left:
            unknown = ", ".join(repr(name) for name in self._left)
            msg = f"{self.what} has {unknown}, which the format does not know"
            raise _FormatError(msg)


def _plan(fields: _Fields) -> tuple[str, ...]:
    plan = fields.texts("init", [])
    for outcome in plan:
        if outcome not in {"ok", "error", "ignore"}:
            raise fields.wrong("init", outcome, "ok, error or ignore")
    return plan


def _node(value: Json, *, top: bool = False) -> Node:
    fields = _Fields(value, "the tree" if top else "a node")
    kind = fields.text("type")
    supervises = kind == "supervisor"
    if top and not supervises:
        raise fields.wrong("type", kind, "supervisor")
    name = "" if top else fields.text("id")
    if not top:
        fields.what = f"node {name!r}"
    usual: int | str = "infinity" if supervises else 5000
    shutdown = usual if top else fields.take("shutdown", usual)
    if not isinstance(shutdown, int | str) or isinstance(shutdown, bool):
        raise fields.wrong("shutdown", shutdown, "an integer or a string")
    node = Node(
        id=name,
        type=kind,
        restart="permanent" if top else fields.text("restart", "permanent"),
        significant=False if top else fields.flag("significant"),
        shutdown=shutdown,
        init=() if supervises else _plan(fields),
        stubborn=False if supervises else fields.flag("stubborn"),
        strategy=fields.text("strategy") if supervises else "",
        intensity=fields.number("intensity") if supervises else 0,
        period=fields.number("period", 3600) if supervises else 0,
        auto_shutdown=fields.text("auto_shutdown", "never") if supervises else "",
        children=tuple(_node(child) for child in fields.items("children"))
        if supervises
        else (),
    )
    fields.close()
    return node


def _call(op: str, fields: _Fields) -> Call | None:
    """Give a request to a supervisor; `None` if *op* is none."""
    match op:
        case "start_child" if "instance" in fields:
            sup = fields.texts("sup")
            instance = _Fields(
                fields.take("instance"), f"the instance of {fields.what}"
            )
            made = StartInstance(
                sup, instance.text("key"), _plan(instance), instance.flag("stubborn")
            )
            instance.close()
            return made
        case "start_child":
            return StartChild(fields.texts("sup"), _node(fields.take("spec")))
        case "terminate_instance":
            return TerminateInstance(fields.texts("sup"), fields.texts("target"))
        case "terminate_child":
            return TerminateChild(fields.texts("sup"), fields.text("id"))
        case "restart_child":
            return RestartChild(fields.texts("sup"), fields.text("id"))
        case "delete_child":
            return DeleteChild(fields.texts("sup"), fields.text("id"))
        case "which_children":
            return WhichChildren(fields.texts("sup"))
        case "count_children":
            return CountChildren(fields.texts("sup"))
        case _:
            return None


def _end(op: str, fields: _Fields) -> EndWorker:
    path = fields.texts("path")
    if op != "crash" or ("hold" not in fields and "calls" not in fields):
        return EndWorker(path, REASONS[op])
    hold = fields.texts("hold")
    calls: list[Call] = []
    for value in fields.items("calls"):
        inner = _Fields(value, f"a call of {fields.what}")
        name = inner.text("op")
        call = _call(name, inner)
        if call is None:
            raise inner.wrong("op", name, "a request to a supervisor")
        if call.sup != hold[:-1]:
            raise inner.wrong("sup", list(call.sup), "the supervisor of 'hold'")
        inner.close()
        calls.append(call)
    return EndWorker(path, "crash", hold, tuple(calls))


def _end_many(fields: _Fields) -> EndMany:
    exits: list[tuple[Path, Reason]] = []
    for value in fields.items("exits"):
        inner = _Fields(value, f"an exit of {fields.what}")
        path, reason = inner.texts("path"), inner.text("reason")
        if reason not in REASONS.values():
            raise inner.wrong("reason", reason, "crash, normal or shutdown")
        exits.append((path, cast("Reason", reason)))
        inner.close()
    return EndMany(tuple(exits))


def _step(value: Json, number: int) -> Step:
    fields = _Fields(value, f"step {number}")
    op = fields.text("op")
    if (op == "start_tree") is not (number == 0):
        msg = "'start_tree' must be the first step, and the only one of its kind"
        raise _FormatError(msg)
    step: Step
    match op:
        case "start_tree":
            step = StartTree()
        case "stop_tree":
            step = StopTree()
        case "crash" | "exit_normal" | "exit_shutdown":
            step = _end(op, fields)
        case "exit_many":
            step = _end_many(fields)
        case "sleep":
            step = Sleep(fields.number("ms") / 1000)
        case _:
            call = _call(op, fields)
            if call is None:
                raise fields.wrong("op", op, "a step that the format knows")
            step = call
    fields.close()
    return step


def _entry(value: Json, number: int) -> dict[str, Json]:
    fields = _Fields(value, f"trace entry {number}")
    entry: dict[str, Json] = {
        "events": cast("Json", fields.items("events")),
        "result": fields.take("result"),
        "top": fields.text("top"),
    }
    if "tree" not in fields:
        msg = f"{fields.what} has no 'tree'"
        raise _FormatError(msg)
    entry["tree"] = cast("dict[str, Json]", value)["tree"]
    return entry


def _scenario(value: Json) -> Scenario:
    fields = _Fields(value, "a scenario")
    name = fields.text("id")
    fields.what = f"scenario {name!r}"
    try:
        steps = fields.items("steps")
        trace = fields.items("trace")
        script = Script(
            _node(fields.take("tree"), top=True),
            tuple(_step(step, number) for number, step in enumerate(steps)),
        )
        if not steps or len(steps) != len(trace):
            msg = f"{len(steps)} steps, {len(trace)} trace entries"
            raise _FormatError(msg)
        entries = tuple(_entry(entry, number) for number, entry in enumerate(trace))
        return Scenario(
            id=name,
            family=fields.text("family", "none"),
            departs=frozenset(fields.texts("departs", [])),
            script=script,
            steps=tuple(cast("dict[str, Json]", step) for step in steps),
            trace=entries,
        )
    except _FormatError as error:
        msg = f"scenario {name!r}: {error}"
        raise _FormatError(msg) from None
