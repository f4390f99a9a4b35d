"""Following the messages of a tree, one by one, for those who ask for it.

A message's handler is looked up once for each method and place, and kept. While somebody
follows, it is not kept: every message gets one of its own, which carries what was noted
where the message was sent, and calls the method inside what the followers open around it.
So nothing is asked, and nothing carried along, while nobody follows.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Protocol
from weakref import WeakKeyDictionary

from attrs import frozen
from trio.lowlevel import enable_ki_protection

from .actor_place import NO_HANDLERS, ActorPlace
from .handlers import Handler
from .log import log_observer_failed
from .place import SupervisorPlace
from .user import COROUTINE, await_user, call_method

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from contextlib import AbstractContextManager

    from .host import Host
    from .place import Place

__all__ = ["Follower", "Handled", "follow", "unfollow"]


@frozen
class Handled:
    """A message that an actor begins to handle.

    Attributes:
        place: Where.
        incarnation: Which life of that place.
        method: The method, as `Class.name`.
        is_call: Whether its sender waits for the answer.
        from_timer: Whether the actor has sent it to itself with `send_after` or
            `send_every`.
        raises: The exceptions that it answers with.
    """

    place: ActorPlace
    incarnation: int
    method: str
    is_call: bool
    from_timer: bool
    raises: tuple[type[Exception], ...]


class Follower(Protocol):
    """One who follows the messages of a tree. One that raises follows no longer."""

    def sent(self) -> object:
        """Note whatever is wanted of the sender, in whose task it is called."""
        ...

    def handling(
        self, message: Handled, note: object
    ) -> AbstractContextManager[object]:
        """Give what surrounds the handling of *message*; *note* is what `sent` gave.

        What comes out of the method goes through it: it must swallow nothing.
        """
        ...


class Followers:
    """Those who follow the messages of one tree."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._known: WeakKeyDictionary[ActorPlace, dict[object, Handler]] = (
            WeakKeyDictionary()
        )
        self.all: tuple[Follower, ...] = ()

    def handler(self, place: ActorPlace, method: object) -> Handler:
        """Give a handler for one message.

        Raises:
            MessageError: It is no message of that actor.
        """
        known = self._known.get(place)
        if known is None:
            known = self._known[place] = {}
        found = known.get(method)
        if found is None:
            found = place.resolved(method)
            if found.function is not None:
                known[method] = found
        return FollowedHandler(self, place, found, self._notes())

    def forget(self, place: ActorPlace) -> None:
        """The class of the actor at *place* is another one now."""
        self._known.pop(place, None)

    def _notes(self) -> list[tuple[Follower, object]]:
        notes: list[tuple[Follower, object]] = []
        for follower in self.all:
            try:
                notes.append((follower, follower.sent()))
            except Exception as error:  # noqa: BLE001 - it is not the tree's
                self.drop(follower, error)
        return notes

    def drop(self, follower: Follower, error: Exception) -> None:
        """*follower* has failed: what happens in a tree does not depend on it."""
        if follower in self.all:
            unfollow(self._host, follower)
            with suppress(Exception):  # a logging handler may raise too
                log_observer_failed(follower, error)


class FollowedHandler(Handler):
    """How one message is taken while somebody follows."""

    frames: ClassVar[int] = 3

    __slots__ = ("_followers", "_inner", "_notes", "_place")

    def __init__(
        self,
        followers: Followers,
        place: ActorPlace,
        inner: Handler,
        notes: list[tuple[Follower, object]],
    ) -> None:
        function = None if inner.function is None else self._handle
        super().__init__(inner.method, inner.name, function, inner.raises)
        self.wrong: str = inner.wrong
        self._followers = followers
        self._place = place
        self._inner = inner
        self._notes = notes

    def renewed(self, found: Handler) -> Handler:
        """Give the same message with another way to take it."""
        return FollowedHandler(self._followers, self._place, found, self._notes)

    @enable_ki_protection
    def _handle(self, actor: object, /, *args: object, **kwargs: object) -> object:
        method = self._inner.function
        assert method is not None  # noqa: S101 - else this is not its function
        opened = self._open()
        try:
            result = call_method(method, actor, args, kwargs)
        except BaseException as error:
            self._close(opened, error)
            raise
        if type(result) is COROUTINE:
            return self._rest(result, opened)
        self._close(opened, None)
        return result

    @enable_ki_protection
    async def _rest(
        self, rest: Coroutine[object, object, object], opened: list[Opened]
    ) -> object:
        try:
            result = await await_user(rest)
        except BaseException as error:
            self._close(opened, error)
            raise
        self._close(opened, None)
        return result

    def _open(self) -> list[Opened]:
        life = self._place.actor_life
        request = None if life is None else life.in_hand
        if life is None or request is None:  # pragma: no cover - it is being handled
            return []
        message = Handled(
            self._place,
            life.number,
            f"{type(life.actor).__name__}.{self.name}",
            request.is_call,
            bool(request.life),
            self.raises,
        )
        opened: list[Opened] = []
        for follower, note in self._notes:
            if follower in self._followers.all:
                try:
                    manager = follower.handling(message, note)
                    manager.__enter__()
                except Exception as error:  # noqa: BLE001 - it is not the actor's
                    self._followers.drop(follower, error)
                else:
                    opened.append((follower, manager))
        return opened

    def _close(self, opened: list[Opened], error: BaseException | None) -> None:
        kind = None if error is None else type(error)
        trace = None if error is None else error.__traceback__
        for follower, manager in reversed(opened):
            try:
                manager.__exit__(kind, error, trace)
            except BaseException as failed:  # noqa: ASYNC103 - not the actor's
                if failed is not error:  # a generator lets the actor's own pass
                    if not isinstance(failed, Exception):
                        raise
                    self._followers.drop(follower, failed)


if TYPE_CHECKING:
    from typing import TypeAlias

    Opened: TypeAlias = tuple[Follower, AbstractContextManager[object]]


def follow(host: Host, follower: Follower) -> None:
    """Let *follower* follow the messages that are sent from now on."""
    followers = host.followers
    if followers is None:
        followers = host.followers = Followers(host)
        for place in _actors(host):
            place.handlers = NO_HANDLERS
    followers.all = (*followers.all, follower)


def unfollow(host: Host, follower: Follower) -> None:
    """Let *follower* go; nothing if it does not follow."""
    followers = host.followers
    if followers is None or follower not in followers.all:
        return
    followers.all = tuple(each for each in followers.all if each is not follower)
    if not followers.all:
        host.followers = None


def _actors(host: Host) -> Iterator[ActorPlace]:
    ahead: list[Place] = [] if host.root is None else [host.root]
    while ahead:
        place = ahead.pop()
        if isinstance(place, SupervisorPlace):
            ahead.extend(place.children.values())
            # A declared child that is down now comes back with the same place, also where
            # another one has its name meanwhile.
            ahead.extend(
                below
                for name, below in place.declared.items()
                if place.children.get(name) is not below
            )
        elif isinstance(place, ActorPlace):
            yield place
