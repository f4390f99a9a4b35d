"""The live view on a terminal: what is seen, what keys do, what it costs."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal

import pytest
import trio
from attrs import define, evolve, field
from rich.console import Console

import regrow
from regrow import PlaceNotFoundError
from regrow.observe import _live
from regrow.observe._live import RowsSource, View
from regrow.observe._model import State, fitted
from regrow.observe._row import Details, Page, Query
from regrow.observe._rows import Rows
from regrow.observe._terminal import Terminal
from regrow.observe._view import Shown, frame, panel_lines
from tests.runtime.trees import Child, Story, open_tree, virtual

from .screens import Screen, a_screen
from .test_model import TREE


@pytest.fixture(autouse=True)
def kind_of_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")


Colors = Literal["standard", "256", "truecolor"] | None


@define
class Fake:
    """A source whose tree a test changes."""

    page_now: Page = field(
        factory=lambda: Page(TREE, len(TREE), 0, 7.0, len(TREE), 3, "ok")
    )
    asked: list[Query] = field(factory=list[Query])
    opened: int = 0

    async def page(self, query: Query, /) -> Page:
        await trio.lowlevel.checkpoint()
        self.asked.append(query)
        page = self.page_now
        rows = page.rows[query.offset : query.offset + query.limit]
        return evolve(page, rows=rows, offset=query.offset, at=trio.current_time())

    async def details(self, path: str, /) -> Details:
        await trio.lowlevel.checkpoint()
        self.opened += 1
        for row in self.page_now.rows:
            if row.path == path:
                return Details(row, (), f"ValueError: {self.opened}", ())
        raise PlaceNotFoundError(path, f"nothing stands at {path!r}")


@asynccontextmanager
async def viewing(
    screen: Screen, source: _live.Source, colors: Colors = "256"
) -> AsyncGenerator[tuple[View, trio.Event]]:
    """Show *source*; give the view and the event of its being closed by a key."""
    with Terminal(screen.keys, screen.fd, others=()) as terminal:
        console = Console(force_terminal=True, color_system=colors)
        view = View(source, terminal, console, "app", lambda: "a note")
        closed = trio.Event()

        async def run() -> None:
            await view.run()
            closed.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            yield view, closed
            nursery.cancel_scope.cancel()


@virtual
async def test_it_shows_the_tree_and_closes_by_a_key() -> None:
    with a_screen() as screen:
        async with viewing(screen, Fake()) as (view, closed):
            text = await screen.until("a note", "q close")
            assert text.splitlines()[0].startswith(" app   ok  5 places  3 restarts")
            screen.press(b"q")
            await closed.wait()
            assert view.summary.startswith("app: 5 places, 3 restarts, up ")
        assert screen.is_as_before


@pytest.mark.parametrize(
    ("colors", "green"), [("standard", b"[32m"), ("256", b"[32m"), (None, b"[32m")]
)
@virtual
async def test_the_colours_are_those_of_the_terminal(
    colors: Colors, green: bytes
) -> None:
    with a_screen() as screen:
        async with viewing(screen, Fake(), colors):
            await screen.until("running")
            assert green in screen.raw


@virtual
async def test_what_changes_is_shown() -> None:
    source = Fake()
    with a_screen() as screen:
        async with viewing(screen, source):
            await screen.until("3 restarts")
            source.page_now = evolve(source.page_now, restarts=4, health="failing")
            await screen.until("failing", "4 restarts")


@virtual
async def test_what_does_not_change_is_not_drawn_again() -> None:
    source = Fake(page_now=evolve(Fake().page_now, rows=()))
    with a_screen() as screen:
        async with viewing(screen, source):
            await screen.until("q close")
            before = screen.raw
            await trio.sleep(60)
            screen.take()
            assert screen.raw == before
            assert 60 / 0.2 <= len(source.asked) <= 60 / 0.1


@virtual
async def test_keys_move_fold_filter_and_sort() -> None:
    source = Fake()
    with a_screen() as screen:
        async with viewing(screen, source):
            await screen.until("1 of 5")
            screen.press(b"\x1b[B\x1b[B")
            await screen.until("3 of 5")
            screen.press(b"\x1b[D ")  # to its parent, and fold that
            await screen.until("2 of 5")
            screen.press(b"/lo")
            await screen.until("filter: lo▏")
            wanted = source.asked[-1]
            assert (wanted.folded, wanted.filter) == (frozenset({"app/pool"}), "lo")
            screen.press(b"\x1b")
            await screen.until("space fold")
            screen.press(b"s")
            await screen.until("by restarts", "app/pool/a")


@virtual
async def test_a_place_is_opened_and_kept_fresh_and_left_with_escape() -> None:
    source = Fake()
    with a_screen() as screen:
        async with viewing(screen, source):
            await screen.until("q close")
            screen.press(b"\x1b[F\r")
            await screen.until("app/log", "last failure", "ValueError:")
            first = source.opened
            await screen.until(f"ValueError: {first + 3}")
            source.page_now = evolve(source.page_now, rows=TREE[:1])
            await screen.until("app/log is gone")
            screen.press(b"\x1b")
            await screen.until("space fold")


@virtual
async def test_a_paused_picture_changes_only_when_it_is_moved() -> None:
    source = Fake()
    with a_screen(100, 6) as screen:
        async with viewing(screen, source):
            await screen.until("q close")
            screen.press(b"p")
            await screen.until("paused")
            asked = len(source.asked)
            await trio.sleep(10)
            assert len(source.asked) == asked
            screen.press(b"\x1b[F")
            await screen.until("5 of 5")
            assert source.asked[asked:] == [Query(3, 2)]


@virtual
async def test_it_follows_the_size_of_the_screen() -> None:
    with a_screen(100, 24) as screen:
        async with viewing(screen, Fake()):
            await screen.until("mailbox handling")
            screen.resize(60, 6)
            await screen.without("handling", "q close")
            await screen.until(" app   ok", "place", "pool", "enter open")
            assert len([line for line in screen.lines if line]) == 6
            screen.resize(120, 30)
            await screen.until("mailbox handling", "q close")


@virtual
async def test_fewer_places_than_before_leave_the_view_among_them() -> None:
    source = Fake()
    with a_screen(100, 6) as screen:
        async with viewing(screen, source):
            await screen.until("q close")
            screen.press(b"\x1b[F")
            await screen.until("5 of 5", "log")
            source.page_now = evolve(source.page_now, rows=TREE[:1], total=1)
            await screen.until("1 of 1", "app")


@virtual
async def test_a_terminal_that_is_stopped_delays_nothing_but_the_view() -> None:
    source = Fake()
    with a_screen() as screen:
        async with viewing(screen, source):
            await screen.until("q close")
            for restarts in range(2000):  # nobody reads meanwhile
                rows = tuple(evolve(row, restarts=restarts) for row in TREE)
                source.page_now = evolve(source.page_now, restarts=restarts, rows=rows)
                await trio.sleep(1)
            await screen.until("1,999 restarts")


@virtual
async def test_a_view_that_has_shown_nothing_says_so() -> None:
    with a_screen() as screen, Terminal(screen.keys, screen.fd, others=()) as terminal:
        view = View(Fake(), terminal, Console(), "app")
        assert view.summary == "app: not seen"


@virtual
async def test_until_a_tree_is_up_the_view_says_that_it_is_not() -> None:
    source = Fake()
    up = evolve(TREE[0], status="starting", uptime=None)
    source.page_now = evolve(source.page_now, rows=(up, *TREE[1:]))
    with a_screen() as screen:
        async with viewing(screen, source) as (view, _):
            await screen.until("3 restarts  not up")
            assert view.summary.endswith("3 restarts, not up")
            source.page_now = evolve(source.page_now, rows=TREE)
            await screen.until("3 restarts  up ")
            assert ", up " in view.summary


@virtual
async def test_a_tree_of_this_program() -> None:
    story = Story()
    child = regrow.child(Child, story)
    spec = regrow.supervisor("app", child)
    with a_screen() as screen:
        async with open_tree(spec) as tree:
            source = RowsSource(Rows(tree))
            async with viewing(screen, source):
                await screen.until("2 places", "0 restarts")
                with pytest.raises(regrow.ActorCrashedError):
                    await tree[child].call(Child.boom)
                await trio.sleep(
                    5
                )  # how many there are in all is looked at now and then
                text = await screen.until("1 restarts")
                rows = [line.split()[:5] for line in text.splitlines()[3:5]]
                assert rows[0][:4] == ["▾", "app", "running", "1"]
                assert rows[1][:4] == ["child", "running", "2", "1"]


@pytest.mark.parametrize("opened", [None, "app/0"])
def test_a_picture_takes_less_than_20_ms(opened: str | None) -> None:
    rows = tuple(
        evolve(TREE[2], path=f"app/{n}", name=f"{n}", waiting=n, handling=f"f({n!r})")
        for n in range(50)
    )
    page = Page(rows, 100_000, 0, 7.0, 100_000, 3, "ok")
    event: dict[str, object] = {"event": "ChildExited", "error": {"text": "bad " * 99}}
    trace = "Traceback\n" + "  File x\n" * 300
    details = Details(rows[0], (event,) * 50, trace, ("work.py:1 in f",) * 20)
    console = Console(force_terminal=True, color_system="truecolor", width=120)
    costs: list[float] = []
    for cursor in range(10):
        state = State(opened=opened, cursor=cursor)
        shown = Shown("app", page, state, details, 1.0, "", 120, 54)
        begun_at = time.process_time()
        lines = panel_lines(shown)
        state = fitted(state, total=10**5, height=50, lines=lines)
        with console.capture() as capture:
            console.print(frame(evolve(shown, state=state)), end="", crop=False)
        costs.append(time.process_time() - begun_at)
        assert capture.get().count("\n") == 54
    assert min(costs) < 0.020
