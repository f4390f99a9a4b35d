"""Who may ask: names of the host, origins, the token; and headers on every answer."""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders

from ._json import Json

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard", "bears", "check_token", "host_of", "is_loopback"]

HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
SHORTEST: Final = 8  # characters of a token
LOOPBACK_NAMES: Final = ("localhost", "localhost.")


class Guard:
    """Refuses what comes from a page of somebody else's, and adds headers.

    A page that somebody visits can have its own name lead to 127.0.0.1 (DNS rebinding), and
    its scripts then read what is meant for this machine alone. They cannot change the
    `Host` that the browser sends: on a loopback address only names of it are answered.

    Args:
        app: What is guarded.
        hosts: Other names that are answered on a loopback address, for a proxy before it.
        token: With it a request is answered whatever its `Host` is.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Collection[str] = (), token: str | None = None
    ) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be the ASGI app."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wrong = self._wrong(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        app: ASGIApp = self._app
        if wrong:
            app = Json({"error": wrong}, 403)
        await app(scope, receive, send_with_headers)

    def _wrong(self, scope: Scope) -> str:
        headers = Headers(scope=scope)
        if self._token is not None and bears(headers, self._token):
            return ""
        host = headers.get("host", "")
        name = host_of(host)
        server: tuple[str, int | None] | None = scope.get("server")
        if server is not None and is_loopback(server[0]):
            known = name in self._hosts or is_loopback(name)
            if not known:
                return (
                    f"the Host {host!r} is no name of this machine's own address. "
                    "Ask for localhost, or name it in hosts="
                )
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            return f"the Origin {origin!r} is not this page's"
        return ""


def check_token(token: str | None) -> str | None:
    """Give *token* as it is.

    Raises:
        ValueError: It is too short to be one, or no header can have it.
    """
    if token is not None and len(token) < SHORTEST:
        message = (
            f"the token has {len(token)} characters: "
            f"use {SHORTEST} or more that nobody guesses"
        )
        raise ValueError(message)
    if token is not None and not _sendable(token):
        message = (
            "the token has characters that a header cannot have: use letters and digits "
            "of ASCII, with no blank or line break around them"
        )
        raise ValueError(message)
    return token


def _sendable(token: str) -> bool:
    return token.isascii() and token.isprintable() and token == token.strip()


def bears(headers: Headers, token: str) -> bool:
    """Whether the request has the token, compared in the same time whatever it has."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), token.encode())
    return scheme.lower() == "bearer" and same


def host_of(text: str) -> str:
    """Give the name in a `Host` header, without its port."""
    if text.startswith("["):
        return text[1:].partition("]")[0].lower()
    return text.partition(":")[0].lower()


def is_loopback(host: str) -> bool:
    """Whether *host* names this machine to itself alone."""
    if host in LOOPBACK_NAMES or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # A socket for both versions gives the older one's addresses like that.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
