"""News fragments are named by the rules, and the names in them are real."""

import re
from pathlib import Path
from pkgutil import resolve_name

import pytest

from .pages import ROOT, name_of, rows

FOLDER = ROOT / "docs" / "newsfragments"
TYPES = [row[0].strip("`") for row in rows((FOLDER / "README.md").read_text("utf-8"))]
FRAGMENTS = sorted(path for path in FOLDER.iterdir() if path.name != "README.md")


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=name_of)
def test_fragment_is_named_by_the_rules(fragment: Path) -> None:
    assert re.fullmatch(rf"(\+[a-z-]+|\d+)\.({'|'.join(TYPES)})\.md", fragment.name)


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=name_of)
def test_fragment_is_short_and_names_what_there_is(fragment: Path) -> None:
    text = fragment.read_text("utf-8")
    assert text.endswith(".\n")
    assert "\n\n" not in text
    for name in re.findall(r"`regrow\.([\w.]+)`", text):
        assert resolve_name(f"regrow.{name}") is not None  # imports what it has to
