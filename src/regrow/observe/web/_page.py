"""`/`: the page, one file with its styles and its script in it."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import trio
from starlette.responses import HTMLResponse

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["page"]


async def page(_: Request) -> HTMLResponse:
    """Answer with the page; a browser runs nothing in it but its own script."""
    await trio.lowlevel.checkpoint()
    text, policy = _read()
    return HTMLResponse(text, headers={"Content-Security-Policy": policy})


@cache
def _read() -> tuple[str, str]:
    """Read the page from the package; give it and its content security policy."""
    text = files("regrow.observe.web").joinpath("page.html").read_text("utf-8")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hashes(text, 'script')}",
            f"style-src {_hashes(text, 'style')}",
            "img-src data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
    return text, policy


def _hashes(text: str, tag: str) -> str:
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digests = (hashlib.sha256(part.encode()).digest() for part in found)
    return " ".join(f"'sha256-{base64.b64encode(d).decode()}'" for d in digests)
