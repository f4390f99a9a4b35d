"""One run of the tree, from its start to the end of the work, or to a signal."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Sequence
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
from regrow.cli._beside import Beside, open_beside

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
    beside: Sequence[Beside] = ()
    """What looks at the tree meanwhile."""
    _crashes: Counter[str] = field(factory=Counter[str], init=False)

    async def run(self) -> Finished | Interrupted:
        """Index the library; SIGINT and SIGTERM stop the tree in order, also as it starts.

        Raises:
            RestartLimitExceededError, StartFailedError: The tree has failed.
        """
        spec = indexer(
            self.library, self.database, self.workers, self.progress, self.killer
        )
        opening = open_tree(spec, observers=[self.observer, self._count])
        ends: list[Finished | Interrupted] = []

        async def wait_signal(tree: Tree) -> None:
            del tree
            number = await anext(signals)
            if not ends:
                ends.append(Interrupted(number, self.progress.account))
                scope.cancel(reason="a signal came")

        async def wait_finished(tree: Tree) -> None:
            end = await self._wait_finished(tree)
            if not ends:
                ends.append(end)

        # Around the tree, so that no further signal disturbs its stop either.
        with (
            trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals,
            trio.CancelScope() as scope,
        ):
            await open_beside(opening, [*self.beside, wait_signal], wait_finished)
        return ends[0]

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
