"""What a request asks for by its query."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["argument"]


def argument(request: Request, name: str) -> str:
    """Give the last argument called *name*; empty if there is none.

    Halves of surrogate pairs, which names in a tree may have, are there as the three bytes
    that UTF-8 would give them. Starlette's own reading of a query has no way to name them.
    """
    text: str = request.scope["query_string"].decode("latin-1")
    try:
        found = parse_qs(text, errors="surrogatepass")
    except UnicodeDecodeError:  # not those: nothing in a tree is called so
        found = parse_qs(text, errors="replace")
    return found.get(name, [""])[-1]
