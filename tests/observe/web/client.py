"""A client of an ASGI app in the same process and under the same clock."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import trio
from attrs import frozen
from starlette.types import ASGIApp, Message

__all__ = ["Answer", "Client", "Stream"]

LOCAL = {"host": "localhost:8000"}


@frozen
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Stream:
    """An answer that goes on; what is not read holds the app up, as a socket does."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Message](0)
        self.gone = trio.Event()
        self.ended = trio.Event()
        self._text = ""
        self._asked = False

    async def send(self, message: Message) -> None:
        await self._send.send(message)

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            await trio.lowlevel.checkpoint()
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def start(self) -> Message:
        return await self._receive.receive()

    async def event(self) -> dict[str, str]:
        """Give the next event, its fields by name; what is no event is left out."""
        while "\n\n" not in self._text:
            message = await self._receive.receive()
            self._text += message["body"].decode()
        block, _, self._text = self._text.partition("\n\n")
        fields = (line.partition(": ") for line in block.split("\n"))
        found = {name: value for name, _, value in fields if name}
        return found or await self.event()

    async def events(self, count: int) -> list[dict[str, str]]:
        return [await self.event() for _ in range(count)]

    async def rest(self) -> list[dict[str, str]]:
        """Give the events until the stream has ended."""
        found = []
        while True:
            message = await self._receive.receive()
            self._text += message["body"].decode()
            while "\n\n" in self._text:
                found.append(await self.event())
            if not message.get("more_body"):
                return found


class Client:
    """Asks an app as from a socket that *server* is the address of."""

    def __init__(self, app: ASGIApp, server: str = "127.0.0.1") -> None:
        self.app = app
        self.server = server

    def _scope(
        self, method: str, url: str, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        path, _, query = url.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                (name.lower().encode(), value.encode())
                for name, value in (LOCAL | dict(headers)).items()
            ],
            "client": ("127.0.0.1", 50_000),
            "server": (self.server, 8000),
        }

    async def get(self, url: str, **headers: str) -> Answer:
        return await self.ask("GET", url, b"", **headers)

    async def ask(
        self, method: str, url: str, body: bytes = b"", **headers: str
    ) -> Answer:
        parts: list[bytes] = []
        begun: list[Message] = []

        async def receive() -> Message:
            await trio.lowlevel.checkpoint()
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            await trio.lowlevel.checkpoint()
            if message["type"] == "http.response.start":
                begun.append(message)
            else:
                parts.append(message.get("body", b""))

        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await self.app(self._scope(method, url, named), receive, send)
        (start,) = begun
        found = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], found, b"".join(parts).decode())

    @asynccontextmanager
    async def stream(self, url: str, **headers: str) -> AsyncGenerator[Stream]:
        """Open a stream; at the end the client goes away, and so must the stream."""
        stream = Stream()
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        async def run() -> None:
            scope = self._scope("GET", url, named)
            await self.app(scope, stream.receive, stream.send)
            stream.ended.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            start = await stream.start()
            assert start["status"] == 200, start
            yield stream
            stream.gone.set()
