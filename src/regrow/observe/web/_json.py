"""Answers in JSON."""

from __future__ import annotations

import json

from starlette.responses import JSONResponse

__all__ = ["Json"]


class Json(JSONResponse):
    """JSON in ASCII.

    Texts of a tree may have halves of a surrogate pair, as names of files that are not
    UTF-8 do. In UTF-8 these cannot be written, and the answer would fail.
    """

    def render(self, content: object) -> bytes:
        """Give *content* as JSON."""
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
