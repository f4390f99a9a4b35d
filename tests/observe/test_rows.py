"""The rows of a view: those asked for, in the order asked for, at a bounded price."""

import math

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
from regrow._runtime.place import Place
from regrow._runtime.snapshot import shallow
from regrow.observe._rows import ORDERS, REST, Details, Page, Query, Row, Rows
from regrow.observe._survey import Survey
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

    def slow(*args: object) -> object:
        clock.now += 1.0
        clock.looks += 1
        return Survey(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("regrow.observe._rows.Survey", slow)


def paths(page: Page) -> list[str]:
    return [row.path for row in page.rows]


@virtual
async def test_a_page_has_the_rows_and_the_totals() -> None:
    async with open_tree(shop()) as tree:
        page = Rows(tree).page(Query())
        assert paths(page) == ALL
        assert [row.depth for row in page.rows] == [0, 1, 1, 2, 2, 1, 1, 2, 3]
        assert (page.total, page.places, page.offset) == (9, 9, 0)
        assert (page.restarts, page.health, page.pending) == (0, "ok", False)
        assert page.at == trio.current_time()


@virtual
async def test_a_row_says_what_a_snapshot_says() -> None:
    async with open_tree(shop()) as tree:
        first, door, _, a, *_ = Rows(tree, clock=Clock()).page(Query()).rows
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
        assert [row.state for row in rows.page(Query()).rows] == ["running", "running"]
        tree[one].suspend()
        _, row = rows.page(Query()).rows
        assert (row.status, row.suspended, row.state) == ("running", True, "suspended")
        tree[one].resume()
        assert rows.page(Query()).rows[1].state == "running"


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
        page = Rows(tree).page(query)
        assert paths(page) == shown[offset : offset + limit]
        assert page.total == len(shown)
        assert page.places == 9
        hiding = {"shop", "shop/back", "shop/office", "shop/office/desk"}
        assert [row.path for row in page.rows if row.folded] == [
            path for path in paths(page) if path in folded and path in hiding
        ]


@virtual
async def test_a_filter_looks_everywhere_whatever_the_case() -> None:
    async with open_tree(shop()) as tree:
        query = Query(filter="OFF", folded=frozenset({"shop"}))
        page = Rows(tree).page(query)
        assert paths(page) == ALL[6:]
        assert (page.total, page.places) == (3, 9)
        page = Rows(tree).page(Query(offset=1, limit=1, filter="OFF"))
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
        assert paths(rows.page(Query(sort="restarts"))) == [ALL[4], ALL[8], *rest]
        assert rows.page(Query()).restarts == 3
        page = Rows(tree).page(Query(sort="mailbox", limit=2))
        assert paths(page) == ["shop/back/a", "shop"]
        assert page.rows[0].waiting == 2
        page = Rows(tree).page(Query(sort="uptime", filter="/"))
        assert paths(page) == [
            ALL[8],
            ALL[4],
            *rest[1:],
        ]  # that which came up last first
        assert page.rows[0].uptime == 100
        await tree.supervisor("shop/office/desk").terminate_child("c")
        page = Rows(tree).page(Query(sort="uptime", filter="/"))
        assert paths(page) == [ALL[4], *rest[1:], ALL[8]]
        page = Rows(tree).page(Query(sort="restarts", filter="desk"))
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
        assert rows.page(Query()).places == 9
        pool = tree.supervisor("shop/pool")
        await pool.start_child(child(Worker, name="x"))
        for _ in range(5):
            page = rows.page(Query())
            assert "shop/pool/x" in paths(page)
            assert page.places == page.total == 9
        assert rows.due() == REST
        clock.now += REST
        assert rows.due() == 0
        page = rows.page(Query())
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
            rows.page(queries[frame % 4])
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
        rows.page(Query())
        page = rows.page(Query(filter="back"))
        assert (page.rows, page.total, page.places, page.pending) == ((), 0, 9, True)
        clock.now += rows.due()
        page = rows.page(Query(filter="back"))
        assert (paths(page), page.pending) == (ALL[2:5], False)
        # From now on it is made again with every look, as long as it is asked for.
        for _ in range(3):
            clock.now += REST + 1
            assert not rows.page(Query(filter="back", limit=1)).pending
            assert not rows.page(Query(filter="back", offset=1)).pending


@virtual
async def test_the_orders_that_are_kept_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    async with open_tree(shop()) as tree:
        rows = Rows(tree, clock=clock)
        measured(rows, clock, monkeypatch)
        rows.page(Query())
        for number in range(1000):
            rows.page(Query(filter=f"{number}"))
        assert len(rows._asked) <= ORDERS
        clock.now += REST
        rows.page(Query(filter="back"))
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
        assert paths(rows.page(Query(filter="pool"))) == ["shop/pool", "shop/pool/x"]
        await pool.terminate_child("x")
        assert paths(rows.page(Query(filter="pool"))) == ["shop/pool"]


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

    monkeypatch.setattr("regrow.observe._rows.shallow", counted)
    pool = dynamic("pool")
    async with open_tree(supervisor("root", pool, child(idle))) as tree:
        await fill(tree[pool], 2000)
        rows = Rows(tree)
        for offset in (0, 1, 2, 1000, 1990, 2001, 2002, 5000):
            made = 0
            page = rows.page(Query(offset=offset, limit=10))
            assert len(page.rows) == min(10, max(0, 2003 - offset))
            assert made == len(page.rows)
            assert page.total == 2003
        assert paths(rows.page(Query(offset=2001))) == ["root/pool/w1999", "root/idle"]


def rows_of(tree: Tree) -> int:
    return Rows(tree).page(Query(limit=0)).total


@virtual
async def test_a_page_without_rows_still_has_the_totals() -> None:
    async with open_tree(shop()) as tree:
        assert rows_of(tree) == 9
        assert math.isfinite(Rows(tree).page(Query(limit=0)).at)
