"""Addresses to listen at: read from text, and taken before anything is started."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import frozen

from regrow.errors import AddressError

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Address", "listen"]

BACKLOG = 100


@frozen
class Address:
    """A host and a port.

    Attributes:
        host: A name or an address, without brackets.
        port: 0 is any free one.
    """

    host: str
    port: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `HOST:PORT`, `[ADDRESS]:PORT` or `PORT`; a port alone is on loopback.

        Raises:
            AddressError: It is none of these.
        """
        host, colon, port = text.rpartition(":")
        if not colon:
            host = "127.0.0.1"
        bracketed = host.startswith("[") and host.endswith("]")
        if bracketed:
            host = host[1:-1]
        digits = port.isascii() and port.isdigit() and len(port) <= 5
        if not host or not digits or int(port) > 65535 or (":" in host) != bracketed:
            raise AddressError(
                text, "is no address: write PORT, HOST:PORT or [ADDRESS]:PORT"
            )
        return cls(host, int(port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def listen(address: Address) -> socket.socket:
    """Give a socket that listens at *address*; whoever gets it closes it.

    Raises:
        AddressError: There is no such host here, or the port is taken.
    """
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise AddressError(str(address), f"is nowhere to be found ({error})") from error
    # `localhost` may be several: IPv4 first, which every client tries.
    family, kind, protocol, _, name = min(found, key=lambda each: each[0])
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with suppress(OSError):  # it may be so already, or not to be changed
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(name)
        sock.listen(BACKLOG)
        sock.setblocking(False)  # noqa: FBT003 - it has no other form
    except OSError as error:
        sock.close()
        why = error.strerror or str(error)
        raise AddressError(
            str(address), f"cannot be listened at: {why}. Use another one, or port 0"
        ) from error
    return sock
