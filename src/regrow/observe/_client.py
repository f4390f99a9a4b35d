"""A client of a control socket: what `regrow ctl` and `regrow top` ask through.

It asks one thing at a time. A call that was cancelled leaves an answer on the way, which
the next one skips; one that was cancelled while it was still sending leaves a client that
can no longer be used.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar, cast

import trio

from regrow.errors import ControlSocketError, RegrowError

from ._lines import VERSION, Lines, ask
from ._protocol import Op
from ._rows_json import details_from_json, page_from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from ._row import Details, Page, Query

__all__ = ["ControlClient", "EventLines", "RequestRefusedError"]

T = TypeVar("T")

LARGEST = (
    4 * 1024 * 1024
)  # bytes of a line; a server sends no more than a quarter of it
CHUNK: Final = 65536  # bytes read at once
GREET_WITHIN: Final = 3.0  # seconds; whoever runs at all greets at once
NO_REGROW: Final = "what listens there is no regrow program"


class RequestRefusedError(RegrowError):
    """The program did not do what was asked for.

    Attributes:
        code: Why, for programs: see `docs/control.md`.
        text: Why, for people.
    """

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        self.text = text
        super().__init__(f"{text} [{code}]")


class ControlClient:
    """A connection to the control socket at *path*: `async with ControlClient(path) as client:`.

    Every method raises `RequestRefusedError` when the program does not do it, and
    `ControlSocketError` when it has gone, or is no regrow program.

    Attributes:
        tree: The path of the tree's root, once it is connected.
        pid: The number of the program's process.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._stream: trio.abc.Stream | None = None
        self._lines = Lines(LARGEST)
        self._ready: list[bytes] = []
        self._asking = trio.Lock()
        self._number = 0
        self._broken = False
        self.tree: str = ""
        self.pid: int = 0

    async def __aenter__(self) -> ControlClient:
        try:
            self._stream = await trio.open_unix_socket(self._path)
        except FileNotFoundError as error:
            self._gone(
                "nothing is there. Start the program, or name another file", error
            )
        except ConnectionRefusedError as error:
            self._gone("nobody listens there: the program has ended", error)
        except (OSError, ValueError) as error:
            self._gone(f"it cannot be opened ({error})", error)
        try:
            with trio.move_on_after(GREET_WITHIN) as waiting:
                await self._greet()
            if waiting.cancelled_caught:
                self._gone(
                    f"the program has not answered for {GREET_WITHIN:g} s. It stands "
                    "still, or is held up by code that is not async"
                )
        except BaseException:
            await trio.aclose_forcefully(self._stream)
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        stream = self._stream
        assert stream is not None  # noqa: S101 - it was entered
        await stream.aclose()

    async def _greet(self) -> None:
        hello = await self._read()
        version = hello.get("regrow")
        if version is None and "error" in hello:
            self._refuse(hello)
        if version is None:
            self._gone(NO_REGROW)
        if version != VERSION:
            text = (
                f"the program speaks version {version} of the protocol, not {VERSION}"
            )
            self._gone(text)
        self.tree = str(hello.get("tree", ""))
        pid = hello.get("pid", 0)
        self.pid = pid if isinstance(pid, int) else 0

    # ------------------------------------------------------------------------ looking

    async def page(self, query: Query) -> Page:
        """Give the rows of *query*."""
        arguments = {
            "offset": query.offset,
            "limit": query.limit,
            "folded": sorted(query.folded),
            "filter": query.filter,
            "sort": query.sort,
            **_maybe(query.path),
        }
        return self._made(page_from_json, await self._ask(Op.ROWS, arguments))

    async def details(self, path: str) -> Details:
        """Give what is known of one place."""
        found = await self._ask(Op.DETAILS, {"path": path})
        return self._made(details_from_json, found)

    async def snapshot(self, path: str = "") -> dict[str, object]:
        """Give the picture of the tree, or of a part of it, as `as_json` gives it."""
        return self._made(_object, await self._ask(Op.TREE, _maybe(path)))

    async def history(self, path: str = "") -> list[dict[str, object]]:
        """Give the last events, oldest first."""
        found = await self._ask(Op.HISTORY, _maybe(path))
        return cast("list[dict[str, object]]", found)

    async def health(self) -> dict[str, object]:
        """Give `status`, `reasons`, and how many more of these there are."""
        return self._made(_object, await self._ask(Op.HEALTH))

    async def stacks(self, path: str = "") -> dict[str, list[str]]:
        """Give where the tasks of places wait, by path."""
        found = await self._ask(Op.STACKS, _maybe(path))
        return cast("dict[str, list[str]]", found)

    async def state(self, path: str) -> dict[str, str]:
        """Give the fields of an actor, shortened, by name."""
        found = await self._ask(Op.STATE, {"path": path})
        return cast("dict[str, str]", found)

    async def events(self, path: str = "") -> EventLines:
        """Give the events from now on, until the client is closed or the tree has ended.

        Nothing else can be asked through this client any more.
        """
        async with self._asking:
            number = await self._send(Op.EVENTS, _maybe(path))
            self._broken = True
            await self.next_event(number)  # that it has begun
        return EventLines(self, number)

    # ------------------------------------------------------------------------ steering

    async def restart(self, path: str) -> dict[str, object]:
        """Have a child stopped and started by its supervisor; give its row."""
        return self._made(_object, await self._ask(Op.RESTART, {"path": path}))

    async def terminate(self, path: str) -> None:
        """Have a child stopped and kept down."""
        await self._ask(Op.TERMINATE, {"path": path})

    async def start(self, path: str) -> dict[str, object]:
        """Have a child started that is down; give its row."""
        return self._made(_object, await self._ask(Op.START, {"path": path}))

    async def suspend(self, path: str) -> None:
        """Let an actor begin no message."""
        await self._ask(Op.SUSPEND, {"path": path})

    async def resume(self, path: str) -> None:
        """Let it begin messages again."""
        await self._ask(Op.RESUME, {"path": path})

    async def stop(self) -> None:
        """Have the whole tree stopped in order; it is answered before that is done."""
        await self._ask(Op.STOP)

    # ----------------------------------------------------------------------- the lines

    async def _ask(
        self, op: Op, arguments: Mapping[str, object] | None = None
    ) -> object:
        async with self._asking:
            number = await self._send(op, arguments or {})
            found = await self._of(number)
        if "error" in found:
            self._refuse(found)
        return found.get("ok")

    async def _send(self, op: Op, arguments: Mapping[str, object]) -> int:
        stream = self._stream
        if stream is None or self._broken:
            text = "this client cannot be used any more. Open another one"
            raise trio.ClosedResourceError(text)
        self._number += 1
        self._broken = True  # unless it is sent to the end
        try:
            await stream.send_all(ask(self._number, op, arguments))
        except trio.BrokenResourceError as error:
            self._gone("the program has gone", error)
        self._broken = False
        return self._number  # noqa: ASYNC910 - sending was one

    async def _read(self) -> dict[str, object]:  # noqa: ASYNC910 - a line may be there
        stream = self._stream
        assert stream is not None  # noqa: S101 - it is connected
        while not self._ready:
            try:
                chunk = await stream.receive_some(CHUNK)
            except trio.BrokenResourceError as error:
                self._gone("the program has gone", error)
            if not chunk:
                self._gone("the program has gone")
            self._ready = self._lines.feed(bytes(chunk))
        line = self._ready.pop(0)
        try:
            return _object(json.loads(line))  # noqa: ASYNC910 - as above
        except (ValueError, RecursionError) as error:
            self._gone(NO_REGROW, error)

    async def _of(self, number: int) -> dict[str, object]:  # noqa: ASYNC910 - see _read
        """Give the next line about the request of that number, or about none."""
        while True:
            found = await self._read()
            if found.get("id") is None or found["id"] == number:
                return found

    async def next_event(self, number: int) -> dict[str, object] | None:
        """Give the next event of a stream; `None` when it begins and when it ends."""
        found = await self._of(number)
        if "error" in found:
            self._refuse(found)
        event = found.get("event")
        return None if event is None else self._made(_object, event)

    def _made(self, make: Callable[[object], T], found: object) -> T:
        try:
            return make(found)
        except ValueError as error:
            self._gone(f"its answer cannot be read ({error})", error)

    def _gone(self, text: str, cause: Exception | None = None) -> NoReturn:
        self._broken = True
        raise ControlSocketError(self._path, text) from cause

    def _refuse(self, found: Mapping[str, object]) -> NoReturn:
        error = self._made(_object, found["error"])
        raise RequestRefusedError(str(error.get("code")), str(error.get("text")))


class EventLines:
    """The events of a tree as they come: `async for event in await client.events():`."""

    def __init__(self, client: ControlClient, number: int) -> None:
        self._client = client
        self._number = number

    def __aiter__(self) -> EventLines:
        return self

    async def __anext__(self) -> dict[str, object]:
        event = await self._client.next_event(self._number)
        if event is None:
            raise StopAsyncIteration
        return event


def _maybe(path: str) -> dict[str, object]:
    return {"path": path} if path else {}


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        message = f"not an object: {value!r:.80}"
        raise ValueError(message)  # noqa: TRY004 - what was read is wrong, no argument
    return cast("dict[str, object]", value)
