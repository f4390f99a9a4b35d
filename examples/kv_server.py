"""A key-value server over TCP, with one supervised session for each connection.

Shows a `dynamic` supervisor whose temporary children are plain services, a limit on how
many there may be, and who dies of what: a line that is no command ends its own session,
nobody else's; if the store crashes, rest_for_one closes all sessions with it, because
what they were told is no longer true, and goes on accepting. The listening socket is
opened outside the tree, so that no restart ever closes it.

A line is `SET key value` or `GET key`; so is the answer, one line.

Run it: `python examples/kv_server.py` talks to itself, with a port number behind it
serves until Ctrl-C.
"""

import sys
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TypeAlias

import trio
from attrs import Factory, define

from regrow import (
    Actor,
    Event,
    MaxChildrenError,
    Ref,
    Supervisor,
    SupervisorRef,
    child,
    dynamic,
    open_tree,
    run_tree,
    supervisor,
)

Listener: TypeAlias = trio.abc.Listener[trio.abc.Stream]
Connect: TypeAlias = Callable[[], Awaitable[trio.abc.Stream]]
Observers: TypeAlias = Iterable[Callable[[Event], object]]

LONGEST_LINE = 1000


class BadRequestError(Exception):
    """The client does not speak our protocol."""


@define
class Store(Actor):
    """Keeps the values."""

    values: dict[str, str] = Factory(dict)

    def set(self, key: str, value: str) -> str:
        """Keep *value*."""
        self.values[key] = value
        return "OK"

    def get(self, key: str) -> str:
        """Look up a value."""
        value = self.values.get(key)
        return "NONE" if value is None else f"VALUE {value}"


async def session(stream: trio.abc.Stream, store: Ref[Store]) -> None:
    """Serve one client until it hangs up."""
    rest = b""
    async with stream:
        async for chunk in stream:
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > LONGEST_LINE:
                raise BadRequestError(f"{len(rest)} bytes without an end")
            for line in lines:
                answer = await answer_to(line.decode(), store)
                await stream.send_all(f"{answer}\n".encode())


async def answer_to(line: str, store: Ref[Store]) -> str:
    """Do what *line* says."""
    match line.split():
        case ["SET", key, value]:
            return await store.call(Store.set, key, value)
        case ["GET", key]:
            return await store.call(Store.get, key)
        case _:
            raise BadRequestError(line)


async def acceptor(
    listener: Listener, store: Ref[Store], sessions: SupervisorRef
) -> None:
    """Start a session for each connection."""
    while True:
        stream = await listener.accept()
        spec = child(session, stream, store, restart="temporary")
        try:
            await sessions.start_child(spec)
        except BaseException as error:
            await trio.aclose_forcefully(stream)
            if not isinstance(error, MaxChildrenError):
                raise


def kv_server(listener: Listener, max_sessions: float = 100) -> Supervisor:
    """Declare the server for a socket that listens already."""
    store = child(Store)
    sessions = dynamic("sessions", max_children=max_sessions)
    front = child(acceptor, listener, store.ref, sessions.ref)
    return supervisor("kv", store, sessions, front, strategy="rest_for_one")


async def talk(
    listener: Listener, connect: Connect, observers: Observers = ()
) -> list[str]:
    """Serve two clients of our own; give what they said and heard."""
    heard: list[str] = []

    async def say(name: str, stream: trio.abc.Stream, line: str) -> None:
        with trio.fail_after(5):
            await stream.send_all(f"{line}\n".encode())
            answer = await stream.receive_some()
        heard.append(f"{name}: {line} -> {answer.decode().strip() or 'hung up'}")

    tree = open_tree(kv_server(listener), observers=observers)
    async with tree, await connect() as ann, await connect() as bob:
        await say("ann", ann, "SET colour green")
        await say("bob", bob, "GET colour")
        await say("bob", bob, "MAKE me a sandwich")
        await say("ann", ann, "GET size")
    return heard


async def main(port: int = 0, observers: Observers = ()) -> None:
    """Serve *port* until a signal comes, or talk over any port and print it."""
    [listener] = await trio.open_tcp_listeners(port, host="127.0.0.1")
    async with listener:
        if port:
            await run_tree(kv_server(listener), observers=observers)
            return
        _, port = listener.socket.getsockname()
        connect = partial(trio.open_tcp_stream, "127.0.0.1", port)
        for line in await talk(listener, connect, observers):
            print(line)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 0)
