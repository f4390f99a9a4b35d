"""One incarnation of a service: a plain async function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trio.lowlevel import enable_ki_protection

from .life import Life
from .user import await_user, uncancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Never

__all__ = ["ServiceLife"]


class _Status:
    """What a service with a `task_status` parameter calls `started()` on."""

    def __init__(self, life: ServiceLife) -> None:
        self._life = life

    @enable_ki_protection
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
        cut = False
        try:
            with self.scope:
                job = service(*args, **kwargs)  # none of it runs yet
                try:
                    await await_user(job)
                finally:
                    job.close()  # a Ctrl-C may have come before its first line
        except BaseException as caught:  # noqa: ASYNC103, BLE001 - see Life.end
            error = uncancelled(caught)
            cut = error is None  # by a scope that is not ours
        try:
            self.end(error, cut=cut or self.scope.cancelled_caught)
        finally:
            del error  # its traceback holds this frame
