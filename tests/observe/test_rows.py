"""The rows of a view: those asked for, in the order asked for, at a bounded price."""

import math
from collections.abc import Awaitable, Callable, Generator, Iterable
from functools import partial

import pytest
import trio

from regrow import (
    Actor,
    PlaceNotFoundError,
    PlaceSnapshot,
    Supervisor,
    SupervisorRef,
    Tree,
    child,
    dynamic,
    supervisor,
)
from regrow._runtime.place import Place, SupervisorPlace
from regrow._runtime.snapshot import shallow
from regrow.observe._row import Details, Page, Query, Row, Sort
from regrow.observe._rows import ORDERS, REST, Rows
from regrow.observe._survey import Order, Survey, survey
from tests.runtime.trees import open_tree, virtual


class Worker(Actor):
    async def wait(self) -> None:
        await trio.sleep_forever()

    def boom(self) -> None:
        raise ValueError


async def idle() -> None:
    await trio.sleep_forever()


def shop() -> Supervisor:
    return supervisor(
        "shop",
        child(idle, name="door"),
        supervisor("back", child(Worker, name="a"), child(Worker, name="b")),
        dynamic("pool"),
        supervisor("office", supervisor("desk", child(Worker, name="c"))),
    )


ALL = [
    "shop",
    "shop/door",
    "shop/back",
    "shop/back/a",
    "shop/back/b",
    "shop/pool",
    "shop/office",
    "shop/office/desk",
    "shop/office/desk/c",
]


class Clock:
    """A clock by which every look at all places takes a second."""

    def __init__(self) -> None:
        self.now = 0.0
        self.looks = 0

    def __call__(self) -> float:
        return self.now


def measured(rows: Rows, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:

    def slow(
        root: SupervisorPlace, orders: Iterable[Order]
    ) -> Generator[None, None, Survey]:
        clock.now += 1.0
        clock.looks += 1
        return (yield from survey(root, orders))

    monkeypatch.setattr("regrow.observe._rows.survey", slow)


def paths(page: Page) -> list[str]:
    return [row.path for row in page.rows]


@virtual
async def test_a_page_has_the_rows_and_the_totals() -> None:
    async with open_tree(shop()) as tree:
        page = await Rows(tree).latest_page(Query())
        assert paths(page) == ALL
        assert [row.depth for row in page.rows] == [0, 1, 1, 2, 2, 1, 1, 2, 3]
        assert (page.total, page.places, page.offset) == (9, 9, 0)
        assert (page.restarts, page.health, page.pending) == (0, "ok", False)
        assert page.at == trio.current_time()


@virtual
async def test_a_row_says_what_a_snapshot_says() -> None:
    async with open_tree(shop()) as tree:
        first, door, _, a, *_ = (
            await Rows(tree, clock=Clock()).latest_page(Query())
        ).rows
        uptime = door.uptime
        assert door == Row(
            "shop/door", "door", 1, "service", "running", 1, 0, uptime, 0, 0.0, None, 0,
            folded=False,
        )  # fmt: skip
        assert (a.kind, a.capacity, a.waiting) == ("actor", 1024, 0)
        assert (first.kind, first.children) == ("supervisor", 4)


@virtual
async def test_a_row_says_that_its_actor_is_suspended() -> None:
    one = child(Worker, name="one")
    async with open_tree(supervisor("shop", one)) as tree:
        rows = Rows(tree, clock=Clock())
        assert [row.state for row in (await rows.latest_page(Query())).rows] == [
            "running",
            "running",
        ]
        tree[one].suspend()
        _, row = (await rows.latest_page(Query())).rows
        assert (row.status, row.suspended, row.state) == ("running", True, "suspended")
        tree[one].resume()
        assert (await rows.latest_page(Query())).rows[1].state == "running"


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("offset", range(11))
@pytest.mark.parametrize(
    "folded",
    [
        [],
        ["shop/back"],
        ["shop/office"],
        ["shop/office", "shop/office/desk"],
        ["shop/back", "shop/office/desk"],
        ["shop"],
        ["shop/pool", "shop/door", "shop/no"],
    ],
)
@virtual
async def test_pages_are_cut_from_the_tree_that_is_left_unfolded(
    folded: list[str], offset: int, limit: int
) -> None:
    shown = [
        path
        for path in ALL
        if not any(path.startswith(f"{above}/") for above in folded)
    ]
    async with open_tree(shop()) as tree:
        query = Query(offset, limit, frozenset(folded))
        page = await Rows(tree).latest_page(query)
        assert paths(page) == shown[offset : offset + limit]
        assert page.total == len(shown)
        assert page.places == 9
        hiding = {"shop", "shop/back", "shop/office", "shop/office/desk"}
        assert [row.path for row in page.rows if row.folded] == [
            path for path in paths(page) if path in folded and path in hiding
        ]


@virtual
async def test_what_is_folded_above_a_part_of_the_tree_hides_nothing_in_it() -> None:
    async with open_tree(shop()) as tree:
        rows = Rows(tree)
        folded = frozenset({"shop", "shop/office/desk"})
        page = await rows.latest_page(Query(path="shop/office", folded=folded))
        assert (paths(page), page.total) == (ALL[6:8], 2)


@virtual
async def test_a_page_may_be_of_a_part_of_the_tree() -> None:
    async with open_tree(shop()) as tree:
        rows = Rows(tree)
        page = await rows.latest_page(Query(path="shop/office"))
        assert paths(page) == ALL[6:]
        assert [row.depth for row in page.rows] == [1, 2, 3]
        assert (page.total, page.places) == (3, 9)
        page = await rows.latest_page(Query(path="shop/office", offset=1, limit=1))
        assert (paths(page), page.total) == (ALL[7:8], 3)
        page = await rows.latest_page(Query(path="shop/door"))
        assert (paths(page), page.total) == (ALL[1:2], 1)
        page = await rows.latest_page(Query(path="shop/no"))
        assert (page.rows, page.total, page.pending) == ((), 0, False)


@virtual
async def test_a_filter_looks_everywhere_whatever_the_case() -> None:
    async with open_tree(shop()) as tree:
        query = Query(filter="OFF", folded=frozenset({"shop"}))
        page = await Rows(tree).latest_page(query)
        assert paths(page) == ALL[6:]
        assert (page.total, page.places) == (3, 9)
        page = await Rows(tree).latest_page(Query(offset=1, limit=1, filter="OFF"))
        assert paths(page) == ["shop/office/desk"]
        assert page.total == 3


@virtual
async def test_sorting_puts_first_what_needs_a_look() -> None:
    async with open_tree(shop()) as tree:
        for name, count in (("back/b", 2), ("office/desk/c", 1)):
            for _ in range(count):
                await tree.ref(f"shop/{name}", Worker).cast(Worker.boom)
                await trio.sleep(100)
        a = tree.ref("shop/back/a", Worker)
        for _ in range(3):
            await a.cast(Worker.wait)
        await trio.testing.wait_all_tasks_blocked()
        rows = Rows(tree)
        rest = [path for path in ALL if path[-2:] not in {"/b", "/c"}]
        assert paths(await rows.latest_page(Query(sort="restarts"))) == [
            ALL[4],
            ALL[8],
            *rest,
        ]
        assert (await rows.latest_page(Query())).restarts == 3
        page = await Rows(tree).latest_page(Query(sort="mailbox", limit=2))
        assert paths(page) == ["shop/back/a", "shop"]
        assert page.rows[0].waiting == 2
        page = await Rows(tree).latest_page(Query(sort="uptime", filter="/"))
        assert paths(page) == [
            ALL[8],
            ALL[4],
            *rest[1:],
        ]  # that which came up last first
        assert page.rows[0].uptime == 100
        await tree.supervisor("shop/office/desk").terminate_child("c")
        page = await Rows(tree).latest_page(Query(sort="uptime", filter="/"))
        assert paths(page) == [ALL[4], *rest[1:], ALL[8]]
        page = await Rows(tree).latest_page(Query(sort="restarts", filter="desk"))
        assert paths(page) == [ALL[8], ALL[7]]


@virtual
async def test_rows_are_as_of_now_and_totals_as_of_the_latest_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    async with open_tree(shop()) as tree:
        rows = Rows(tree, clock=clock)
        measured(rows, clock, monkeypatch)
        assert rows.due() == 0
        assert (await rows.latest_page(Query())).places == 9
        pool = tree.supervisor("shop/pool")
        await pool.start_child(child(Worker, name="x"))
        for _ in range(5):
            page = await rows.latest_page(Query())
            assert "shop/pool/x" in paths(page)
            assert page.places == page.total == 9
        assert rows.due() == REST
        clock.now += REST
        assert rows.due() == 0
        page = await rows.latest_page(Query())
        assert page.places == page.total == 10
        assert clock.looks == 2


@virtual
async def test_looking_at_all_places_takes_at_most_a_twentieth_of_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    async with open_tree(shop()) as tree:
        rows = Rows(tree, clock=clock)
        measured(rows, clock, monkeypatch)
        queries = [
            Query(),
            Query(sort="restarts"),
            Query(filter="a"),
            Query(filter="b"),
        ]
        for frame in range(2000):
            clock.now += 0.1
            await rows.latest_page(queries[frame % 4])
        assert clock.looks > 5
        assert clock.looks / clock.now < 0.05


@virtual
async def test_the_rows_of_a_new_filter_are_told_to_be_pending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    async with open_tree(shop()) as tree:
        rows = Rows(tree, clock=clock)
        measured(rows, clock, monkeypatch)
        await rows.latest_page(Query())
        page = await rows.latest_page(Query(filter="back"))
        assert (page.rows, page.total, page.places, page.pending) == ((), 0, 9, True)
        clock.now += rows.due()
        page = await rows.latest_page(Query(filter="back"))
        assert (paths(page), page.pending) == (ALL[2:5], False)
        # From now on it is made again with every look, as long as it is asked for.
        for _ in range(3):
            clock.now += REST + 1
            assert not (await rows.latest_page(Query(filter="back", limit=1))).pending
            assert not (await rows.latest_page(Query(filter="back", offset=1))).pending


@virtual
async def test_the_orders_that_are_kept_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    async with open_tree(shop()) as tree:
        rows = Rows(tree, clock=clock)
        measured(rows, clock, monkeypatch)
        await rows.latest_page(Query())
        for number in range(1000):
            await rows.latest_page(Query(filter=f"{number}"))
        assert len(rows._asked) <= ORDERS
        clock.now += REST
        await rows.latest_page(Query(filter="back"))
        survey = rows._survey
        assert survey is not None
        assert len(survey.orders) <= ORDERS
        assert ("back", "tree") in survey.orders


@virtual
async def test_a_place_that_has_gone_since_is_left_out_of_a_sorted_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    async with open_tree(shop()) as tree:
        pool = tree.supervisor("shop/pool")
        await pool.start_child(child(Worker, name="x", restart="temporary"))
        rows = Rows(tree, clock=clock)
        measured(rows, clock, monkeypatch)
        assert paths(await rows.latest_page(Query(filter="pool"))) == [
            "shop/pool",
            "shop/pool/x",
        ]
        await pool.terminate_child("x")
        assert paths(await rows.latest_page(Query(filter="pool"))) == ["shop/pool"]


@virtual
async def test_details_are_of_one_place() -> None:
    async with open_tree(shop()) as tree:
        await tree.ref("shop/back/a", Worker).cast(Worker.wait)
        await trio.testing.wait_all_tasks_blocked()
        details = Rows(tree).details("shop/back/a")
        assert isinstance(details, Details)
        assert (details.row.path, details.row.depth) == ("shop/back/a", 2)
        assert any(line.endswith(" in wait") for line in details.stack)
        with pytest.raises(PlaceNotFoundError, match="nothing stands at 'shop/no'"):
            Rows(tree).details("shop/no")


# ---------------------------------------------------------------- a tree that changes


class Meanwhile:
    """Turns before each of which the next of some things is done."""

    def __init__(self, *things: Callable[[], Awaitable[object]]) -> None:
        self.things = [*things]

    async def turn(self) -> float:
        if self.things:
            await self.things.pop(0)()
        return 0.0

    def spent(self, begun_at: float, /) -> None:
        pass


class Ticking:
    """A clock by which each slice has one step."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.mark.parametrize("sort", ["tree", "restarts", "mailbox", "uptime"])
@virtual
async def test_a_look_passes_each_place_once_while_the_tree_changes(
    sort: Sort,
) -> None:
    async with open_tree(shop()) as tree:
        pool = tree.supervisor("shop/pool")
        await fill(pool, 200)
        rows = Rows(tree, clock=Ticking())
        query = Query(limit=1000, filter="/w", sort=sort)
        rows.page(query)
        changes = Meanwhile(
            *[trio.lowlevel.checkpoint] * 5,
            partial(pool.terminate_child, "w0"),  # which was passed already
            partial(fill, pool, 1),
            partial(pool.terminate_child, "w199"),  # which was not
        )
        await rows.look(changes)
        page = rows.page(query)
        assert sorted(paths(page)) == sorted(f"shop/pool/w{n}" for n in range(199))
        assert (page.places, page.total, page.pending) == (208, 199, False)


@virtual
async def test_there_is_one_look_at_a_time_and_others_wait_for_it() -> None:
    async with open_tree(shop()) as tree:
        rows = Rows(tree, clock=Ticking())
        goes_on = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(rows.look, Meanwhile(goes_on.wait))
            await trio.testing.wait_all_tasks_blocked()
            assert rows.looking
            assert rows.page(Query()).pending
            nursery.start_soon(rows.look, Meanwhile(trio.sleep_forever))
            await trio.testing.wait_all_tasks_blocked()
            goes_on.set()
        assert not rows.looking
        assert rows.page(Query()).places == 9


@virtual
async def test_a_look_that_is_cancelled_is_taken_by_who_waits_for_it() -> None:
    async with open_tree(shop()) as tree:
        rows = Rows(tree, clock=Ticking())
        assert rows.page(Query(filter="desk")).pending
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as first:
                    first.start_soon(rows.look, Meanwhile(trio.sleep_forever))
                    await trio.testing.wait_all_tasks_blocked()
                    nursery.start_soon(rows.look, Meanwhile())
                    await trio.testing.wait_all_tasks_blocked()
                    scope.cancel()
        assert rows.page(Query()).places == 9
        assert paths(rows.page(Query(filter="desk"))) == ALL[7:]


# ------------------------------------------------------------------------- many places


async def fill(pool: SupervisorRef, count: int) -> None:
    for number in range(count):
        await pool.start_child(child(Worker, name=f"w{number}"))


@virtual
async def test_only_the_rows_that_are_seen_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = 0

    def counted(place: Place) -> PlaceSnapshot:
        nonlocal made
        made += 1
        return shallow(place)

    monkeypatch.setattr("regrow.observe._walk.shallow", counted)
    pool = dynamic("pool")
    async with open_tree(supervisor("root", pool, child(idle))) as tree:
        await fill(tree[pool], 2000)
        rows = Rows(tree)
        for offset in (0, 1, 2, 1000, 1990, 2001, 2002, 5000):
            made = 0
            page = await rows.latest_page(Query(offset=offset, limit=10))
            assert len(page.rows) == min(10, max(0, 2003 - offset))
            assert made == len(page.rows)
            assert page.total == 2003
        assert paths(await rows.latest_page(Query(offset=2001))) == [
            "root/pool/w1999",
            "root/idle",
        ]


async def rows_of(tree: Tree) -> int:
    return (await Rows(tree).latest_page(Query(limit=0))).total


@virtual
async def test_a_page_without_rows_still_has_the_totals() -> None:
    async with open_tree(shop()) as tree:
        assert await rows_of(tree) == 9
        assert math.isfinite((await Rows(tree).latest_page(Query(limit=0))).at)
