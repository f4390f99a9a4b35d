"""A tree of another program, which may not answer."""

from typing import cast

import pytest
import trio
from attrs import define, field

from regrow import ControlSocketError, PlaceNotFoundError
from regrow.observe._attached import AttachedSource
from regrow.observe._client import ControlClient, RequestRefusedError
from regrow.observe._row import Details, Page, Query
from tests.runtime.trees import virtual

from .test_model import PAGE, TREE

ANSWER = Details(TREE[4], (), None, ("log.py:7 in write",))


@define
class Program:
    """Stands for a client: what the program at its other end answers, and when."""

    after: float = 0.1
    error: Exception | None = None
    asked: list[object] = field(factory=list[object])

    async def page(self, query: Query) -> Page:
        self.asked.append(query)
        await self._wait()
        return PAGE

    async def details(self, path: str) -> Details:
        self.asked.append(path)
        await self._wait()
        return ANSWER

    async def _wait(self) -> None:
        await trio.sleep(self.after)
        if self.error is not None:
            raise self.error

    @property
    def source(self) -> AttachedSource:
        return AttachedSource(cast("ControlClient", self))


@virtual
async def test_what_is_answered_is_given() -> None:
    program = Program()
    source = program.source
    assert await source.page(Query(limit=5)) == PAGE
    assert await source.details("app/log") == ANSWER
    assert program.asked == [Query(limit=5), "app/log"]
    assert (source.note, trio.current_time()) == ("", 0.2)


@virtual
async def test_the_first_page_is_waited_for() -> None:
    program = Program(after=30)
    assert await program.source.page(Query()) == PAGE
    assert trio.current_time() == 30


@virtual
async def test_without_an_answer_what_was_known_stays_and_its_age_is_told() -> None:
    program = Program()
    source = program.source
    page, details = await source.page(Query()), await source.details("app/log")
    program.after = 1000
    assert await source.page(Query(offset=3)) == page
    assert source.note == (
        "no answer for 1 s: the program is stopped, or its loop blocked"
    )
    assert await source.details("app/log") == details
    assert await source.details("app/pool") == Details(
        TREE[1], (), None, ("(the program does not answer)",)
    )
    assert source.note.startswith("no answer for 3 s")
    program.after = 0.1
    assert await source.page(Query()) == PAGE
    assert source.note == ""


@virtual
async def test_of_a_place_that_was_never_seen_nothing_is_known() -> None:
    program = Program(after=1000)
    with pytest.raises(PlaceNotFoundError) as raised:
        await program.source.details("app/x")
    assert str(raised.value) == (
        "nothing is known of 'app/x': the program does not answer"
    )


@virtual
async def test_a_place_that_is_gone_and_other_refusals() -> None:
    program = Program(error=RequestRefusedError("not_found", "nothing stands there"))
    with pytest.raises(PlaceNotFoundError, match="nothing stands there"):
        await program.source.details("app/x")
    program.error = RequestRefusedError("busy", "too many requests")
    with pytest.raises(RequestRefusedError, match="too many requests"):
        await program.source.details("app/x")
    program.error = ControlSocketError("a.sock", "the program has gone")
    with pytest.raises(ControlSocketError):
        await program.source.page(Query())
