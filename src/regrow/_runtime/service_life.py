"""One incarnation of a service: a plain async function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from .life import Life
from .user import await_user, call_user

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Never

__all__ = ["ServiceLife"]


class _Status:
    """What a service with a `task_status` parameter calls `started()` on."""

    def __init__(self, life: ServiceLife) -> None:
        self._life = life

    def started(self, value: object = None) -> None:
        """The service is up; *value* is of no use to a supervisor."""
        del value
        if self._life.up:
            message = "called 'started' twice on the same task status"
            raise RuntimeError(message)
        self._life.is_up()


class ServiceLife(Life):
    """One incarnation of a service."""

    __slots__ = ()

    @enable_ki_protection
    async def live(  # noqa: ASYNC910 - a task, no one awaits it
        self,
        service: Callable[..., Coroutine[object, Never, object]],
        args: tuple[object, ...],
    ) -> None:
        """Be the service's task."""
        self._enter()
        error: BaseException | None = None
        kwargs: dict[str, object] = {} if self.up else {"task_status": _Status(self)}
        try:
            with self.scope:
                await await_user(call_user(service, args, kwargs))
        except trio.Cancelled:  # not ours: the run itself is coming down
            self.end(None, cut=True)
            raise
        except BaseException as caught:  # noqa: BLE001 - it is reported, see Life.end
            error = caught
        try:
            self.end(error, cut=self.scope.cancelled_caught)
        finally:
            del error  # its traceback holds this frame
