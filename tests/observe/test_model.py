"""What keys make of the view's state; whatever is pressed, the cursor is in sight."""

from attrs import evolve
from hypothesis import given, strategies as st

from regrow.observe._model import State, fitted, press, query, row
from regrow.observe._row import Page, Query, Row


def a_row(path: str, *, children: int = 0, kind: str = "actor") -> Row:
    return Row(
        path=path,
        name=path.rpartition("/")[2],
        depth=path.count("/"),
        kind=kind,  # type: ignore[arg-type]
        status="running",
        incarnation=1,
        restarts=0,
        uptime=1.0,
        waiting=0,
        capacity=10,
        handling=None,
        children=children,
        folded=False,
    )


def a_page(*rows: Row, offset: int = 0, total: int | None = None) -> Page:
    shown = len(rows) if total is None else total
    return Page(rows, shown, offset, 0.0, shown, 0, "ok")


TREE = (
    a_row("app", children=2, kind="supervisor"),
    a_row("app/pool", children=2, kind="supervisor"),
    a_row("app/pool/a"),
    a_row("app/pool/b"),
    a_row("app/log"),
)
PAGE = a_page(*TREE)


def after(
    keys: str | list[str], state: State | None = None, page: Page = PAGE
) -> State:
    state = state or fitted(State(), total=page.total, height=5)
    for key in keys:
        state = press(state, key, page)
    return state


def test_the_cursor_moves_and_stays_among_the_rows() -> None:
    assert after(["down", "j"]).cursor == 2
    assert after(["down", "k", "up"]).cursor == 0
    assert after(["end"]).cursor == after("G").cursor == 4
    assert after(["end", "down", "home"]).cursor == after("Gg").cursor == 0


def test_the_rows_move_when_the_cursor_leaves_them() -> None:
    page = a_page(*TREE, total=100)
    shown = [
        (state.cursor, state.offset)
        for keys in (
            ["page_down"],
            ["page_down", "ctrl-f"],
            ["end"],
            ["end", "page_up"],
            ["end", "page_up", "ctrl-b"],
            ["end", *["up"] * 9],
            ["end", *["up"] * 10],
        )
        for state in [after(keys, fitted(State(), total=100, height=10), page)]
    ]
    assert shown == [
        (10, 1),
        (20, 11),
        (99, 90),
        (89, 89),
        (79, 79),
        (90, 90),
        (89, 89),
    ]


def test_what_is_asked_for_is_what_is_shown() -> None:
    state = after(["down", " ", "down"], fitted(State(), total=50, height=2))
    assert query(state) == Query(1, 2, frozenset({"app/pool"}), "", "tree")


def test_fewer_rows_than_before_bring_the_cursor_up() -> None:
    state = fitted(State(cursor=80, offset=75), total=100, height=10)
    assert (state.cursor, state.offset) == (80, 75)
    state = fitted(state, total=40, height=10)
    assert (state.cursor, state.offset) == (39, 30)
    state = fitted(state, total=0, height=10)
    assert (state.cursor, state.offset) == (0, 0)


def test_a_smaller_screen_keeps_the_cursor_in_sight() -> None:
    state = fitted(State(cursor=9), total=10, height=10)
    assert fitted(state, total=10, height=3).offset == 7
    assert fitted(state, total=10, height=0).offset == 9


def test_folding_is_for_places_that_have_children() -> None:
    assert after(["down", " "]).folded == {"app/pool"}
    assert after(["down", " ", " "]).folded == frozenset()
    assert after(["down", "left", "left"]).cursor == 0
    assert after(["down", "left", "right"]).folded == frozenset()
    assert after(["end", " ", "right"]).folded == frozenset()
    assert after(["down", " ", "home", " ", "e"]).folded == frozenset()


def test_left_leads_to_the_parent_where_there_is_nothing_to_fold() -> None:
    assert after(["down", "down", "left"]).cursor == 1
    assert after(["home", "left", "left"]).cursor == 0
    page = a_page(*TREE[3:], offset=3, total=5)
    state = fitted(State(cursor=3, offset=3), total=5, height=2)
    assert press(state, "left", page).cursor == 1  # the parent is not on the screen


def test_nothing_is_folded_in_a_list() -> None:
    listed = fitted(State(sort="restarts"), total=5, height=5)
    assert press(listed, " ", PAGE) == listed
    filtered = fitted(State(filter="o"), total=5, height=5)
    assert press(filtered, "left", PAGE) == filtered


def test_a_filter_is_in_force_while_it_is_typed() -> None:
    state = after(["down", "/", "p", "q", "backspace", "o"])
    assert (state.typing, state.filter, state.cursor) == ("po", "", 0)
    assert query(state).filter == "po"
    kept = after(["enter"], state)
    assert (kept.typing, kept.filter) == (None, "po")
    assert after(["/", "x", "escape"], kept).filter == "po"
    assert after(["/", "ctrl-u", "enter"], kept).filter == ""
    assert after(["escape"], kept).filter == ""
    assert after(["/", "up", "tab"]).typing == ""
    assert after(["/", *"x" * 500]).typing == "x" * 200


def test_sorts_come_one_after_the_other() -> None:
    orders = [after(["down", *"s" * n]) for n in range(1, 5)]
    assert [state.sort for state in orders] == ["restarts", "mailbox", "uptime", "tree"]
    assert {state.cursor for state in orders} == {0}


def test_a_place_is_opened_and_scrolled_and_left() -> None:
    opened = after(["down", "enter"])
    assert opened.opened == "app/pool"
    opened = fitted(opened, total=5, height=5, lines=8)
    assert after(["down"], opened).scroll == 1
    assert after(["end"], opened).scroll == 3
    assert after(["page_down", "up"], opened).scroll == 2
    assert after([" ", "s", "/", "x"], opened) == opened
    for key in ("escape", "enter", "left", "backspace"):
        assert after([key], opened) == after(["down"])


def test_nothing_is_opened_where_there_is_nothing() -> None:
    empty = fitted(State(), total=0, height=5)
    assert after(["enter", " ", "left"], empty, a_page()) == empty


def test_what_is_marked_is_only_known_if_the_page_has_it() -> None:
    page = a_page(*TREE[2:4], offset=2, total=5)
    assert row(State(cursor=3), page) == TREE[3]
    assert row(State(cursor=1), page) is None
    assert row(State(cursor=4), page) is None


def test_pause_and_close() -> None:
    assert after("p").paused
    assert not after("pp").paused
    assert after("q").closed
    assert after(["enter", "q"]).closed
    assert not after("/q").closed
    assert after(["/", "ctrl-c"]).closed


KEYS = st.sampled_from(
    [
        *("up", "down", "left", "right", "page_up", "page_down", "home", "end"),
        *("enter", "escape", "backspace", "tab", "delete", "ctrl-u", "ctrl-z"),
        *" /esp?xjkgGé",
    ]
)
PATHS = st.sampled_from(TREE)


@st.composite
def pages(draw: st.DrawFn) -> Page:
    rows = tuple(draw(st.lists(PATHS, max_size=6)))
    offset = draw(st.integers(0, 20))
    return a_page(*rows, offset=offset, total=draw(st.integers(0, 30)))


@given(st.lists(st.tuples(KEYS, pages(), st.integers(-1, 12), st.integers(0, 40))))
def test_any_keys_over_any_pages_leave_the_cursor_in_sight(
    steps: list[tuple[str, Page, int, int]],
) -> None:
    state = State()
    for key, page, height, lines in steps:
        state = fitted(state, total=page.total, height=height, lines=lines)
        in_sight(state)
        # Nothing is fitted between two keys that come at once.
        state = press(state, key, page)
        in_sight(state)
        assert query(state).limit == state.height
        assert fitted(state, total=state.total, height=state.height, lines=lines) in (
            state,
            evolve(state, lines=lines),
        )


def in_sight(state: State) -> None:
    assert state.height >= 1
    assert 0 <= state.cursor < max(state.total, 1)
    assert 0 <= state.offset <= state.cursor < state.offset + state.height
    assert 0 <= state.scroll <= max(state.lines - state.height, 0)
