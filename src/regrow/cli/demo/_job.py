"""One run of the tree, from its start to the end of the work, or to a signal."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import trio
from attrs import define, field, frozen

from regrow import (
    ChildExited,
    ChildStartFailed,
    Event,
    ExitReason,
    Ref,
    Tree,
    open_tree,
)

from ._killer import Killer
from ._progress import Account, Progress
from ._source import Library
from ._tree import COORDINATOR, Coordinator, Victim, actor_paths, indexer, insist


@frozen
class Finished:
    """Every file is settled, every kill has landed, every actor is back.

    Attributes:
        account: What became of the files.
        crashes: How often, by path; kills are among them.
        kills: How often, by path.
        restarts: How often, by path, a new incarnation came up. A crash while it starts
            costs another attempt, so there can be fewer of these than crashes; and a
            place that is restarted with another has not crashed.
    """

    account: Account
    crashes: Counter[str]
    kills: Counter[str]
    restarts: Counter[str]


@frozen
class Interrupted:
    """A signal came first.

    Attributes:
        number: Of the signal.
        account: How far the work was; None if the files were not found yet.
    """

    number: int
    account: Account | None


@define
class Job:
    """What is to be done; `run` does it."""

    library: Library
    database: Path
    workers: int
    progress: Progress
    killer: Killer
    observer: Callable[[Event], None]
    beside: Sequence[Callable[[Tree], Awaitable[None]]] = ()
    """What looks at the tree meanwhile."""
    _crashes: Counter[str] = field(factory=Counter[str], init=False)

    async def run(self) -> Finished | Interrupted:
        """Index the library; SIGINT and SIGTERM stop the tree in order.

        Raises:
            RestartLimitExceededError, StartFailedError: The tree has failed.
        """
        spec = indexer(
            self.library, self.database, self.workers, self.progress, self.killer
        )
        ends: list[Finished | Interrupted] = []
        # Around the tree, so that no further signal disturbs its stop either.
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with (
                open_tree(spec, observers=[self.observer, self._count]) as tree,
                trio.open_nursery() as nursery,
            ):

                async def keep_first(
                    wait: Callable[[], Awaitable[Finished | Interrupted]],
                ) -> None:
                    ends.append(await wait())
                    nursery.cancel_scope.cancel()

                for each in self.beside:
                    nursery.start_soon(each, tree)
                nursery.start_soon(keep_first, partial(self._wait_signal, signals))
                nursery.start_soon(keep_first, partial(self._wait_finished, tree))
        return ends[0]

    async def _wait_signal(self, signals: AsyncIterator[int]) -> Interrupted:
        return Interrupted(await anext(signals), self.progress.account)

    async def _wait_finished(self, tree: Tree) -> Finished:
        coordinator = tree.ref(COORDINATOR, Coordinator)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.killer.run, self.progress)
            account = await insist(lambda: coordinator.call(Coordinator.finished))
        for path in actor_paths(self.workers):
            await _wait_up(tree.ref(path, Victim))
        places = tree.snapshot().walk()
        restarts = Counter({place.path: place.restarts for place in places})
        return Finished(account, self._crashes, self.killer.landed, +restarts)

    def _count(self, event: Event) -> None:
        match event:
            case ChildExited(reason=ExitReason.CRASHED) | ChildStartFailed():
                self._crashes[event.path] += 1
            case _:
                pass


async def _wait_up(victim: Ref[Victim]) -> None:
    await insist(lambda: victim.call(Victim.is_up))
