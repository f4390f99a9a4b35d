"""From `MODULE:TREE` to the tree that it names."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path

from regrow import Dynamic, Supervisor
from regrow._core.options import worded

Tree = Supervisor | Dynamic


class BadTargetError(Exception):
    """The target names no tree. The text says why and what to write."""


def load_tree(target: str) -> Tree:
    """Import the module and give the tree, calling what gives one.

    The current folder comes first on the path of imports, as under `python -m`.

    Raises:
        BadTargetError: *target* is no `MODULE:TREE`, or there is no such module or
            attribute, or it gives no tree.
        SpecError: The tree is declared wrongly.
        Exception: Whatever the module or the function raised itself.
    """
    module_name, colon, attribute = target.partition(":")
    if not (module_name and colon and attribute):
        message = f"{target!r} is no MODULE:TREE, such as 'shop.trees:orders'"
        raise BadTargetError(message)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    found = _attribute(_module(module_name), attribute, target)
    if callable(found):
        found = _call(found, target)
    if not isinstance(found, Tree):
        message = (
            f"{target} is {worded(found)}, which is no tree. "
            "Name what supervisor() or dynamic() gave, or a function that returns it"
        )
        raise BadTargetError(message)
    return found


def _module(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # The module may well exist and miss another one, which is its own failure.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        message = (
            f"there is no module {error.name!r} in {Path.cwd()} or where Python looks"
        )
        raise BadTargetError(message) from error


def _attribute(module: object, attribute: str, target: str) -> object:
    found = module
    for name in attribute.split("."):
        if not hasattr(found, name):
            known = ", ".join(
                n for n in vars(module) if isinstance(vars(module)[n], Tree)
            )
            hint = f"; trees in it: {known}" if known else ""
            called = getattr(found, "__name__", repr(found))
            message = f"{target} is not there: {called} has no {name!r}{hint}"
            raise BadTargetError(message)
        found = getattr(found, name)
    return found


def _call(function: Callable[[], object], target: str) -> object:
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        message = (
            f"{target} needs arguments ({error}). "
            "Name a function without any, such as a lambda that passes them"
        )
        raise BadTargetError(message) from error
    if inspect.iscoroutinefunction(function):
        message = f"{target} is an async function; a tree is declared by a plain one"
        raise BadTargetError(message)
    return function()
