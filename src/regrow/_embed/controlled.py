"""The control socket of a tree: imported only where there is to be one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from regrow.errors import ControlSocketError

if TYPE_CHECKING:
    from pathlib import Path

    from regrow._runtime.running import Beside
    from regrow._runtime.tree import Tree
    from regrow.observe._socket import ControlSocket

__all__ = ["control_server", "control_socket"]


def control_socket(path: str | Path) -> ControlSocket:
    """Make the socket.

    Raises:
        ControlSocketError: It cannot be made.
    """
    if sys.platform == "win32":  # pragma: no cover - nothing here runs there
        text = "there are no Unix sockets on this system. Leave control= out"
        raise ControlSocketError(str(path), text)
    from regrow.observe._socket import ControlSocket

    return ControlSocket(path)


def control_server(socket: ControlSocket, tree: Tree) -> Beside:
    """Make what serves *tree* at *socket*, to be run beside it."""
    from regrow.observe._control import ControlServer

    return ControlServer(socket, tree)
