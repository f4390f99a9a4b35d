import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from regrow import SpecError
from regrow.cli._target import BadTargetError, load_tree

TREES = """\
from functools import partial
from regrow import child, dynamic, supervisor

async def work(number: int = 0) -> None: ...

tree = supervisor("shop", child(work))
pool = dynamic("pool")
number = 3
lonely = child(work, name="lonely")

def give(name="given"):
    return supervisor(name, child(work))

def of(name):
    return supervisor(name, child(work))

async def later():
    return tree

class Trees:
    inner = supervisor("inner", child(work))

bound = partial(of, "bound")

def wrong():
    return supervisor("wrong", child(work), child(work))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("tree", "shop"),
        ("pool", "pool"),
        ("give", "given"),
        ("Trees.inner", "inner"),
        ("bound", "bound"),
    ],
)
def test_a_target_is_a_tree_or_a_function_that_gives_one(
    module: Callable[[str], str], attribute: str, name: str
) -> None:
    assert load_tree(f"{module(TREES)}:{attribute}").name == name


@pytest.mark.parametrize("target", ["shop", "shop:", ":tree", "", ":"])
def test_a_target_has_two_parts(target: str) -> None:
    with pytest.raises(BadTargetError, match="is no MODULE:TREE, such as"):
        load_tree(target)


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("nothing", " has no 'nothing'; trees in it: tree, pool"),
        ("number.real", ":number.real is 3, which is no tree"),
        ("number", ":number is 3, which is no tree"),
        ("lonely", ":lonely is the child 'lonely', which is no tree"),
        ("of", ":of needs arguments (missing a required argument: 'name')"),
        ("later", ":later is an async function"),
    ],
)
def test_what_is_no_tree_is_refused(
    module: Callable[[str], str], attribute: str, message: str
) -> None:
    with pytest.raises(BadTargetError) as caught:
        load_tree(f"{module(TREES)}:{attribute}")
    assert message in str(caught.value)


def test_a_missing_module_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadTargetError, match=r"there is no module 'no_such'"):
        load_tree("no_such.inner:tree")


def test_a_module_that_misses_another_fails_by_itself(
    module: Callable[[str], str],
) -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such"):
        load_tree(f"{module('import no_such')}:tree")


def test_an_error_in_the_declaration_comes_through(
    module: Callable[[str], str],
) -> None:
    with pytest.raises(SpecError):
        load_tree(f"{module(TREES)}:wrong")
