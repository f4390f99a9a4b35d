"""What one message more does, row by row of the table in docs/semantics.md."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from regrow import Event, Mailbox, MessagesDropped, child, open_tree, supervisor

from .pages import rows, section
from .workers import SEMANTICS, Worker, first_cells, state_of

MAILBOXES = {
    "`wait`": Mailbox(1, on_full="wait"),
    "`raise`": Mailbox(1, on_full="raise"),
    "`drop_oldest`": Mailbox(1, on_full="drop_oldest"),
    "`drop_newest`": Mailbox(1, on_full="drop_newest"),
}


def test_every_policy_is_tried() -> None:
    assert first_cells("Bounds") == list(MAILBOXES)


@pytest.mark.parametrize("row", rows(section(SEMANTICS, "Bounds")), ids=lambda r: r[0])
@pytest.mark.parametrize("how", range(3), ids=["call", "cast", "cast_nowait"])
async def test_one_message_more(
    row: list[str], how: int, autojump_clock: MockClock
) -> None:
    mailbox = MAILBOXES[row[0]]
    spec = child(Worker, mailbox=mailbox)
    events: list[Event] = []
    states: list[str] = []
    async with (
        open_tree(supervisor("app", spec), observers=[events.append]) as tree,
        trio.open_nursery() as nursery,
    ):
        ref = tree[spec]

        async def cast_nowait() -> None:
            ref.cast_nowait(Worker.add, "new")

        senders: tuple[Callable[[], Awaitable[object]], ...] = (
            lambda: ref.call(Worker.add, "new"),
            lambda: ref.cast(Worker.add, "new"),
            cast_nowait,
        )
        for send in (
            lambda: ref.call(Worker.work, 1),
            lambda: ref.call(Worker.add, "old"),
            senders[how],
        ):
            nursery.start_soon(state_of, send, states)
            await wait_all_tasks_blocked()
        _, old, new = states
        await trio.sleep(3)  # until all is handled, and drops are told
        handled = await ref.call(Worker.add, "last")
    drops = [event.count for event in events if isinstance(event, MessagesDropped)]
    assert drops == [1] * mailbox.on_full.startswith("drop")
    if old == "`MailboxFullError`":
        assert handled == ["new", "last"]
        new = "is taken; the oldest is dropped"
    else:
        assert handled == ["old", *["new"] * (new == "waits"), "last"]
    assert new.replace("returned", "is dropped") == row[1 + how]
