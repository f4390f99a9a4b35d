"""Links lead somewhere, paths exist, and rules that are named are explained."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .pages import PAGES, ROOT, name_of, without_code

SOURCES = (ROOT / "src").is_dir()
EVERYWHERE = (*PAGES, ROOT / "docs" / "newsfragments" / "README.md")


def anchors(page: Path) -> set[str]:
    """Give the anchors of the headings, as they are made from their texts."""
    titles = re.findall(r"^#+ (.+)$", without_code(page), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles
    }


def links(page: Path) -> list[str]:
    return re.findall(r"\[[^\]]+\]\(([^)]+)\)", without_code(page))


@pytest.mark.parametrize("page", EVERYWHERE, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    broken: list[str] = []
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if target.name == "LICENSE" and not SOURCES:
            continue  # the tests run beside an installed package
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.skipif(not SOURCES, reason="there is no whole checkout here")
@pytest.mark.parametrize("page", EVERYWHERE, ids=name_of)
def test_paths_in_code_spans_exist(page: Path) -> None:
    spans = re.findall(r"`([\w./-]+)`", without_code(page))
    tops = ("src/", "tests/", "docs/", "examples/", "benchmarks/", ".ci/")
    paths = [span for span in spans if span.startswith(tops)]
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached = {ROOT / "README.md"}
    ahead = list(reached)
    while ahead:
        page = ahead.pop()
        for link in links(page):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target not in reached:
                reached.add(target)
                ahead.append(target)
    assert {page for page in PAGES if page not in reached} == set()


RULE = re.compile(r"\b(?:[SGTDP][1-9]\d?|E[1-4]|promise [1-9])\b")


def mentions() -> Iterator[str]:
    for folder in ("src", "tests", "examples", "docs"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".md"} and path.name != "rules.md":
                yield from RULE.findall(path.read_text("utf-8"))


def test_every_rule_that_is_named_is_explained() -> None:
    explained: set[str] = set()
    for page in ("rules.md", "semantics.md"):
        text = (ROOT / "docs" / page).read_text("utf-8")
        explained |= set(
            re.findall(r"^\| ([A-Z]\d+|promise \d) \|", text, re.MULTILINE)
        )
    assert set(mentions()) - explained == set()
