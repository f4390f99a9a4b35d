"""The demo's tree, run for real on a small folder: no clock is faked, none is waited on."""

import signal
from pathlib import Path
from random import Random
from typing import cast

import pytest
import trio

from regrow import (
    ActorCrashedError,
    ActorInterruptedError,
    ChildStarted,
    Event,
    Ref,
    open_tree,
)
from regrow.cli.demo._job import Finished, Interrupted, Job
from regrow.cli.demo._killer import KilledError, Killer, plan_strikes
from regrow.cli.demo._plain import differences, index_plainly
from regrow.cli.demo._progress import Account, Progress
from regrow.cli.demo._source import DeadLetter, Indexed, Library
from regrow.cli.demo._store import create_store, open_store
from regrow.cli.demo._tree import (
    COORDINATOR,
    WRITER,
    Coordinator,
    Parser,
    Writer,
    actor_paths,
    indexer,
)

WORKERS = 3


@pytest.fixture
def plain(tmp_path: Path, library: Library) -> Path:
    """The index of a plain loop over the same files."""
    path = tmp_path / "plain.db"
    create_store(path)
    with open_store(path) as store:
        index_plainly(library, store)
    return path


async def run(library: Library, database: Path, killer: Killer) -> Finished:
    create_store(database)
    accounts: list[Account] = []
    job = Job(
        library, database, WORKERS, Progress(accounts.append), killer, lambda _: None
    )
    end = await job.run()
    assert isinstance(end, Finished)
    assert end.account == accounts[-1]
    settled = [account.settled for account in accounts]
    assert settled == sorted(settled)
    return end


def told_apart(one: Path, other: Path) -> list[str]:
    with open_store(one) as ours, open_store(other) as theirs:
        return list(differences(ours, theirs))


async def test_every_file_is_indexed_or_a_dead_letter(
    tmp_path: Path, library: Library, plain: Path
) -> None:
    end = await run(library, tmp_path / "index.db", Killer())
    assert end.account == Account(found=8, indexed=4, dead_letters=4)
    assert told_apart(tmp_path / "index.db", plain) == []
    # A bad file crashes its parser for real, and is tried again.
    assert end.crashes.total() == end.restarts.total() == 4 * 2
    assert all(path.startswith("demo/parsers/") for path in end.restarts)
    assert end.kills.total() == 0


@pytest.mark.parametrize("seed", range(20))
async def test_kills_change_nothing_in_the_index(
    tmp_path: Path, library: Library, plain: Path, seed: int
) -> None:
    strikes = plan_strikes(actor_paths(WORKERS), 25, Random(seed))
    end = await run(library, tmp_path / "index.db", Killer(strikes))
    assert end.account == Account(found=8, indexed=4, dead_letters=4)
    assert told_apart(tmp_path / "index.db", plain) == []
    # No strike was lost, and none was taken for the fault of a file.
    assert end.kills.total() == 25
    assert end.kills[WRITER] == 5
    by_files = end.crashes - end.kills
    assert all(path.startswith("demo/parsers/") for path in by_files)
    # More only when the coordinator died between two tries of a file.
    assert by_files.total() >= 4 * 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_while_it_starts_ends_it_at_once(
    tmp_path: Path, library: Library, number: signal.Signals
) -> None:
    database = tmp_path / "index.db"
    create_store(database)
    seen: list[str] = []

    def interrupt(event: Event) -> None:
        if isinstance(event, ChildStarted) and not seen:
            seen.append(event.path)
            signal.raise_signal(number)

    job = Job(
        library, database, WORKERS, Progress(lambda _: None), Killer([]), interrupt
    )
    assert await job.run() == Interrupted(number, None)
    assert len(seen) == 1


async def test_an_empty_folder_is_finished_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    strikes = plan_strikes(actor_paths(WORKERS), 10, Random(0))
    end = await run(Library(tmp_path / "empty"), tmp_path / "index.db", Killer(strikes))
    assert end.account == Account(found=0)
    assert end.kills.total() == 10


async def test_files_told_again_change_nothing(
    tmp_path: Path, library: Library, plain: Path
) -> None:
    create_store(tmp_path / "index.db")
    spec = indexer(library, tmp_path / "index.db", WORKERS, Progress(), Killer())
    async with open_tree(spec) as tree:
        coordinator = tree.ref(COORDINATOR, Coordinator)
        account = await coordinator.call(Coordinator.finished)
        await coordinator.call(Coordinator.found, ("plain.py", "other.py"))
        assert await coordinator.call(Coordinator.finished) == account
    assert told_apart(tmp_path / "index.db", plain) == []


class FlakyRef(Ref[Parser]):
    """A parser's ref whose calls fail a few times, and each time in another way."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    async def call(self, *message: object) -> Indexed:  # type: ignore[override]
        await trio.lowlevel.checkpoint()
        if self.failures:
            raise self.failures.pop(0)
        return Indexed("a.py", "utf-8", 0, (), (), ())


CUT = ActorInterruptedError("p", "parse", 1, "was cut off")
KILLED = ActorCrashedError("p", "parse", 1, KilledError("p"))
BAD = ActorCrashedError("p", "parse", 1, SyntaxError("bad"))
WORSE = ActorCrashedError("p", "parse", 1, SyntaxError("worse"))


@pytest.mark.parametrize(
    ("failures", "reason"),
    [
        ([CUT, KILLED, CUT, KILLED, KILLED], None),
        ([KILLED, BAD, CUT], None),
        ([BAD, KILLED, CUT, WORSE], "SyntaxError: worse"),
    ],
)
async def test_only_the_files_own_crashes_count_as_tries(
    failures: list[Exception], reason: str | None
) -> None:
    parser = FlakyRef(*failures)
    nobody = cast("Ref[Writer]", parser)
    coordinator = Coordinator(Killer(), nobody, [parser], Progress())
    outcome = await coordinator._parse(parser, "a.py")
    assert parser.failures == []
    assert isinstance(outcome, Indexed if reason is None else DeadLetter)
    assert getattr(outcome, "reason", None) == reason
