"""The file of a control socket: made for its owner alone, replaced when it is dead.

Between two programs that start with the same path, the folder is locked: while one looks
whether somebody listens, and puts its own socket there, the other waits.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import struct
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakSet

from regrow.errors import ControlSocketError

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["ControlSocket", "peer_uid"]

OWNER_ONLY: Final = 0o600
LONGEST: Final = 107  # bytes of a path in `sockaddr_un`, without the zero at its end
BACKLOG: Final = 64
TRIES: Final = 50  # for the lock of the folder, 10 ms apart
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid


class ControlSocket:
    """A listening Unix socket, and the file by which it is found.

    Args:
        path: Where it is to be. Something that is there already is replaced only if it is a
            socket on which nobody listens.

    Raises:
        ControlSocketError: It cannot be made there; nothing was changed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = _checked(path)
        self.socket: socket.socket | None = None
        self._identity: tuple[int, int] = (0, 0)
        self._file: Path = self.path
        try:
            # To be removed also when the program has gone to another folder meanwhile.
            self._file = self.path.absolute()
            with _locked(self.path):
                self._listen()
        except OSError as error:
            if isinstance(error, ControlSocketError):
                raise
            why = error.strerror or str(error)
            text = f"it cannot be made ({why}). Name a file in a folder that is yours"
            raise ControlSocketError(str(path), text) from error

    def _listen(self) -> None:
        _clear_away(self.path)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # The umask belongs to the whole program. On Linux the file gets the mode of
            # the socket itself; elsewhere it gets it below, before anybody can connect.
            os.fchmod(made.fileno(), OWNER_ONLY)
            made.bind(str(self.path))
            self._identity = _identity(self.path)
            self.path.chmod(OWNER_ONLY)
            made.listen(BACKLOG)
        except BaseException:
            made.close()
            self._remove()
            raise
        made.settimeout(0)
        self.socket = made
        _LISTENING.add(self)

    def forget(self) -> None:
        """Listen no more in a process that was forked; the file is not its own."""
        made, self.socket = self.socket, None
        if made is not None:
            made.close()

    def close(self) -> None:
        """Remove the file if it is still ours, and listen no more; again does nothing."""
        made, self.socket = self.socket, None
        if made is not None:
            # In this order: the file's number is not given to another while it is open.
            self._remove()
            made.close()

    def _remove(self) -> None:
        try:
            if _identity(self._file) == self._identity:
                self._file.unlink()
        except OSError:
            pass  # somebody has removed it, or its folder: nothing is left to do


_LISTENING: Final[WeakSet[ControlSocket]] = WeakSet()


def _forget_all() -> None:
    """A child that lives on would keep the socket open after its program has died."""
    for each in list(_LISTENING):
        each.forget()


os.register_at_fork(after_in_child=_forget_all)


class HasOptions(Protocol):
    """A connected socket, trio's or Python's own."""

    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes:
        """Give an option of it."""
        ...


def peer_uid(connection: HasOptions) -> int | None:
    """Give the number of the user at the other end; `None` where it cannot be known."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:  # pragma: no cover - not on Linux, where the mode alone must do
        return None
    raw = connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(raw)
    return int(uid)


def _checked(path: str | os.PathLike[str]) -> Path:
    given: object = path  # not all users run a type checker
    name = os.fspath(path) if isinstance(given, str | os.PathLike) else repr(given)
    if not isinstance(given, str | os.PathLike) or not name or "\0" in name:
        text = "it is no path. Name a file, such as '/run/shop/control'"
        raise ControlSocketError(name, text)
    try:
        length = len(os.fsencode(name))
    except UnicodeEncodeError:
        text = "no file can be called that. Name a file, such as '/run/shop/control'"
        raise ControlSocketError(name, text) from None
    if length > LONGEST:
        text = f"a socket's path has at most {LONGEST} bytes, and it has {length}"
        raise ControlSocketError(name, f"{text}. Name a shorter one")
    return Path(name)


def _clear_away(path: Path) -> None:
    """Remove a socket that nobody listens on."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        text = "there is something else than a socket. Name another file, or remove it"
        raise ControlSocketError(str(path), text)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0)
        try:
            probe.connect(str(path))
        except BlockingIOError:
            pass  # somebody listens, and has no time now
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:
                raise
            path.unlink()
            return
    text = "a program is listening there. Stop it, or name another file"
    raise ControlSocketError(str(path), text)


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """Keep others away who do the same in the same folder; they hold it for a moment."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for tries in range(TRIES):
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if tries == TRIES - 1:
                    text = "its folder is locked by another program. Name another one"
                    raise ControlSocketError(str(path), text) from None
                time.sleep(0.01)
        yield
    finally:
        os.close(folder)  # which unlocks it
