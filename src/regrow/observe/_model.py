"""The state of the live view, as a value, and what each key makes of it. Pure.

The tree changes under the view, so what a state says of it is brought in line again with
every page: `fitted` after a page has come, before anything is drawn or a key is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import evolve, frozen

from ._row import Page, Query, Row

if TYPE_CHECKING:
    from ._row import Sort

__all__ = [
    "KEYS",
    "PANEL_KEYS",
    "TYPING_KEYS",
    "State",
    "fitted",
    "in_tree_order",
    "press",
    "query",
    "row",
]

_LONGEST_FILTER: Final = 200  # characters; no path that somebody types is longer

Keys: TypeAlias = tuple[tuple[str, str], ...]
"""What is pressed, and what that does."""

SORTS: Final[tuple[Sort, ...]] = ("tree", "restarts", "mailbox", "uptime")

KEYS: Final[Keys] = (
    ("↑↓", "move"),
    ("enter", "open"),
    ("space", "fold"),
    ("e", "unfold all"),
    ("/", "filter"),
    ("s", "sort"),
    ("p", "pause"),
    ("q", "close"),
)
"""The keys of the table, for its last line: the most needed are at both ends."""

PANEL_KEYS: Final[Keys] = (
    ("↑↓", "scroll"),
    ("escape", "back"),
    ("p", "pause"),
    ("q", "close"),
)
"""The keys while a place is open."""

TYPING_KEYS: Final[Keys] = (("enter", "keep"), ("escape", "as before"))
"""The keys while a filter is typed."""


@frozen
class State:
    """What the view shows.

    Attributes:
        height: Rows that there is room for, at least 1.
        total: Rows that there are.
        cursor: The marked one, counted from 0.
        offset: The topmost that is shown.
        folded: Paths of the places whose children are hidden.
        filter: What the paths that are shown contain; empty for all.
        typing: The filter while it is typed, which is in force already; None if it is not.
        sort: The order.
        paused: Whether the picture stands still unless it is moved.
        opened: The path of the place whose details are shown.
        lines: How many lines these have.
        scroll: The topmost of them that is shown.
        closed: Whether the view is to end.
    """

    height: int = 1
    total: int = 0
    cursor: int = 0
    offset: int = 0
    folded: frozenset[str] = frozenset()
    filter: str = ""
    typing: str | None = None
    sort: Sort = "tree"
    paused: bool = False
    opened: str | None = None
    lines: int = 0
    scroll: int = 0
    closed: bool = False


def query(state: State) -> Query:
    """Give what the view needs to know next."""
    wanted = state.filter if state.typing is None else state.typing
    return Query(state.offset, state.height, state.folded, wanted, state.sort)


def in_tree_order(state: State) -> bool:
    """Whether the rows are a tree; else they are a list, and nothing in it is folded."""
    return state.sort == "tree" and not query(state).filter


def row(state: State, page: Page) -> Row | None:
    """Give the row under the cursor, if *page* has it."""
    index = state.cursor - page.offset
    return page.rows[index] if 0 <= index < len(page.rows) else None


def fitted(state: State, *, total: int, height: int, lines: int = 0) -> State:
    """Give *state* for *total* rows, of which *height* are shown; the cursor is shown.

    Args:
        state: That of before.
        total: How many rows there are.
        height: How many rows of the table, or lines of the panel, the screen has.
        lines: How many lines the panel of the opened place has.
    """
    height = max(height, 1)
    cursor = max(0, min(state.cursor, total - 1))
    # The cursor stays where it is on the screen, as far as there are rows.
    offset = max(0, min(state.offset, total - height))
    offset = min(max(offset, cursor - height + 1), cursor)
    scroll = max(0, min(state.scroll, lines - height))
    return evolve(
        state,
        height=height,
        total=total,
        cursor=cursor,
        offset=offset,
        lines=lines,
        scroll=scroll,
    )


def press(state: State, key: str, page: Page) -> State:
    """Give the state after *key*, which is one of `_keys`; any other changes nothing.

    Args:
        state: Fitted to *page*.
        key: What was pressed.
        page: What is shown.
    """
    if key == "ctrl-c":
        return evolve(state, closed=True)
    if state.typing is not None:
        return _typed(state, state.typing, key)
    if key == "q":
        return evolve(state, closed=True)
    if key == "p":
        return evolve(state, paused=not state.paused)
    if state.opened is not None:
        return _in_panel(state, key)
    return _in_table(state, key, page)


def _typed(state: State, typing: str, key: str) -> State:
    match key:
        case "enter":
            return evolve(state, typing=None, filter=typing)
        case "escape":
            changed = evolve(state, typing=None)
        case "backspace":
            changed = evolve(state, typing=typing[:-1])
        case "ctrl-u":
            changed = evolve(state, typing="")
        case _ if len(key) == 1 and len(typing) < _LONGEST_FILTER:
            changed = evolve(state, typing=typing + key)
        case _:
            return state
    # Other rows: what was marked among the old ones means nothing among these.
    return evolve(changed, cursor=0, offset=0)


def _in_panel(state: State, key: str) -> State:
    if key in ("escape", "enter", "left", "backspace"):
        return evolve(state, opened=None, lines=0, scroll=0)
    moved = _moved(state.scroll, key, state.height, state.lines)
    if moved is None:
        return state
    return fitted(
        evolve(state, scroll=moved),
        total=state.total,
        height=state.height,
        lines=state.lines,
    )


def _in_table(state: State, key: str, page: Page) -> State:
    moved = _moved(state.cursor, key, state.height, state.total)
    if moved is not None:
        return _at(state, moved)
    match key:
        case "enter":
            here = row(state, page)
            opened = None if here is None else here.path
            return evolve(state, opened=opened, scroll=0)
        case " " | "left" | "right":
            return _folded(state, key, page)
        case "e":
            return evolve(state, folded=frozenset())
        case "/":
            return evolve(state, typing=state.filter)
        case "escape":
            return evolve(state, filter="")
        case "s":
            after = (SORTS.index(state.sort) + 1) % len(SORTS)
            return evolve(state, sort=SORTS[after], cursor=0, offset=0)
        case _:
            return state


def _folded(state: State, key: str, page: Page) -> State:
    here = row(state, page)
    if here is None or not in_tree_order(state):
        return state
    is_folded = here.path in state.folded
    if is_folded and key in (" ", "right"):
        return evolve(state, folded=state.folded - {here.path})
    if here.children and not is_folded and key in (" ", "left"):
        return evolve(state, folded=state.folded | {here.path})
    if key == "left":
        return _to_parent(state, here, page)
    return state


def _to_parent(state: State, here: Row, page: Page) -> State:
    parent, slash, _ = here.path.rpartition("/")
    if not slash:
        return state
    for index, other in enumerate(page.rows):
        if other.path == parent:
            return _at(state, page.offset + index)
    # It is above the screen; where, only another page can say.
    return _at(state, state.offset - state.height)


def _at(state: State, cursor: int) -> State:
    return fitted(evolve(state, cursor=cursor), total=state.total, height=state.height)


def _moved(position: int, key: str, height: int, total: int) -> int | None:
    """Give where *key* leads from *position*; None if it leads nowhere."""
    match key:
        case "up" | "k":
            return position - 1
        case "down" | "j":
            return position + 1
        case "page_up" | "ctrl-b":
            return position - height
        case "page_down" | "ctrl-f":
            return position + height
        case "home" | "g":
            return 0
        case "end" | "G":
            return total
        case _:
            return None
