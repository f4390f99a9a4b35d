"""The page as it is sent: whole by itself, and with nothing in it that runs by mistake."""

import base64
import hashlib
import re
from importlib.resources import files

import trio

from regrow import child, supervisor
from regrow.observe.web import app
from tests.runtime.trees import open_tree, virtual

from .client import Client

TEXT = files("regrow.observe.web").joinpath("page.html").read_text("utf-8")


async def idle() -> None:
    await trio.sleep_forever()


@virtual
async def test_the_policy_allows_the_pages_own_script_and_styles_alone() -> None:
    async with open_tree(supervisor("shop", child(idle))) as tree:
        answer = await Client(app(tree)).get("/")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text == TEXT
    policy = dict(
        part.partition(" ")[::2]
        for part in answer.headers["content-security-policy"].split("; ")
    )
    for tag in ("script", "style"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", TEXT, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert policy.pop(f"{tag}-src") == f"'sha256-{digest}'"
    assert policy == {
        "default-src": "'none'",
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


def test_it_needs_nothing_from_elsewhere() -> None:
    links = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"'\s)>]+)""", TEXT)
    assert [link[:5] for link in links] == ["data:", "`stee", "#"]  # icon, itself
    assert "import" not in TEXT.replace("!important", "")


def test_nothing_makes_markup_or_code_of_data() -> None:
    for way in (
        "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
        "Function(", "createContextualFragment", "DOMParser", "srcdoc", "javascript:",
    ):  # fmt: skip
        assert way not in TEXT, way
    assert not re.search(r"\son\w+\s*=\s*[\"']", TEXT)
    assert not re.search(r"style\s*=\s*[\"']", TEXT)
