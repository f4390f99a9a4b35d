"""Pictures of the live view, line by line."""

import time
from io import StringIO

import pytest
from attrs import evolve
from hypothesis import given, strategies as st
from rich.console import Console

from regrow.observe._drawing import fit, width_of
from regrow.observe._model import State, fitted
from regrow.observe._panel import panel
from regrow.observe._row import Details, Page
from regrow.observe._text import count, duration, visible, visible_lines
from regrow.observe._view import CHROME, Shown, frame, panel_lines

from .test_model import a_row

ROWS = (
    evolve(a_row("app", children=3, kind="supervisor"), capacity=0),
    evolve(a_row("app/pool", children=2, kind="dynamic"), capacity=0, folded=True),
    evolve(
        a_row("app/worker"),
        incarnation=12,
        restarts=11,
        status="restarting",
        uptime=None,
        waiting=1000,
        capacity=1024,
        handling="parse('a.py')",
    ),
    evolve(a_row("app/log", kind="service"), uptime=3725.0, capacity=0),
)
PAGE = Page(ROWS, 4, 0, 12.0, 1204, 11, "degraded")
FAILURE = "Traceback:\n\traise\nValueError: \x1b[31mbad [bold]\u202e"
DETAILS = Details(
    ROWS[2],
    (
        {"event": "ChildStarted", "path": "app/worker", "incarnation": 1, "at": 0.5},
        {
            "event": "ChildExited",
            "path": "app/worker",
            "incarnation": 1,
            "at": 2.25,
            "reason": "crashed",
            "error": {"type": "ValueError", "text": "ValueError: bad"},
            "told": False,
        },
    ),
    FAILURE,
    ("work.py:3 in parse",),
)


def shown(
    state: State | None = None,
    *,
    page: Page = PAGE,
    details: Details | None = None,
    width: int = 100,
    height: int = 12,
    note: str = "",
) -> Shown:
    state = state or State(cursor=2)
    made = Shown("app", page, state, details, 65.0, note, width, height)
    rows = max(height - CHROME, 1)
    lines = panel_lines(made)
    return evolve(made, state=fitted(state, total=page.total, height=rows, lines=lines))


def drawn(what: Shown) -> list[str]:
    """Give the lines, each with all of its columns."""
    file = StringIO()
    console = Console(file=file, width=what.width, height=what.height)
    console.print(frame(what), end="", crop=False)
    return file.getvalue().split("\n")[:-1]


def seen(what: Shown) -> list[str]:
    return [line.rstrip() for line in drawn(what)]


def test_the_table() -> None:
    keys = "↑↓ move  enter open  space fold  e unfold all  / filter  s sort  p pause"
    head = "place                    status       life restarts    uptime"
    worker = "    worker               restarting     12       11"
    assert seen(shown(note="hello")) == [
        " app   degraded  1,204 places  11 restarts  up 1:05 min",
        "hello",
        f"{head}               mailbox handling",
        "▾ app                    running         1        0     1.0 s",
        "  ▸ pool (2)             running         1        0     1.0 s",
        f"{worker}         - ████████  1,000/1,024 parse('a.py')",
        "    log                  running         1        0    1:02 h",
        *[""] * 4,
        f"{keys}  q close  3 of 4",
    ]


def test_a_list_has_whole_paths_and_says_what_it_is() -> None:
    state = State(sort="restarts", filter="wo", paused=True)
    lines = seen(shown(state))
    assert lines[0].endswith("up 1:05 min  paused")
    assert lines[1] == "filter: wo  by restarts"
    assert [line.split()[0] for line in lines[3:7]] == [row.path for row in ROWS]


def test_a_filter_while_it_is_typed() -> None:
    lines = seen(shown(State(typing="[b]x")))
    assert lines[1] == "filter: [b]x▏"
    assert lines[-1] == "enter keep  escape as before  1 of 4"


@pytest.mark.parametrize(
    ("pending", "words"),
    [(False, "no place has that in its path"), (True, "looking at all places …")],
)
def test_where_there_are_no_rows_it_says_why(*, pending: bool, words: str) -> None:
    page = Page((), 0, 0, 1.0, 3, 0, "ok", pending)
    assert seen(shown(State(filter="x"), page=page))[3] == words


def test_a_page_from_before_the_last_key_is_shown_where_it_belongs() -> None:
    page = Page(ROWS[:3], 50, 10, 1.0, 50, 0, "ok")
    lines = seen(shown(State(cursor=12, offset=11), page=page, height=7))
    assert [line.split()[0] for line in lines[3:5]] == ["▸", "worker"]
    assert lines[5] == ""
    lines = seen(shown(State(cursor=9, offset=8), page=page, height=7))
    assert lines[3].startswith("▾ app")


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (100, "place status life restarts uptime mailbox handling"),
        (80, "place status life restarts uptime mailbox"),
        (60, "place status restarts mailbox"),
        (40, "place status"),
        (30, "place"),
    ],
)
def test_a_narrow_screen_has_fewer_columns(width: int, columns: str) -> None:
    assert " ".join(seen(shown(width=width))[2].split()) == columns


def test_the_panel_has_all_that_is_known() -> None:
    bad = "ValueError: bad"
    what = shown(State(opened="app/worker"), details=DETAILS, height=24)
    assert seen(what)[2:] == [
        "app/worker",
        "actor, restarting, life 12, 11 restarts, up -, mailbox 1,000/1,024, handles parse('a.py')",
        "",
        "waits in",
        "  work.py:3 in parse",
        "",
        "last failure",
        "  Traceback:",
        "      raise",
        "  ValueError: ␛[31mbad [bold]\\u202e",
        "",
        "history, the latest first",
        f"  {'9.8 s ago':>13}  life 1  ChildExited  reason crashed, told False, {bad}",
        f"  {'12 s ago':>13}  life 1  ChildStarted",
        *[""] * 7,
        "↑↓ scroll  escape back  p pause  q close",
    ]


def test_a_place_of_which_nothing_is_known() -> None:
    details = Details(ROWS[0], (), None, ())
    lines = seen(shown(State(opened="app"), details=details, height=20))
    assert lines[3] == "supervisor, running, life 1, 0 restarts, up 1.0 s, 3 children"
    assert [line for line in lines if line.startswith("  ")] == [
        "  no task of it waits",
        "  none",
        "  nothing has happened here lately",
    ]


def test_a_place_that_is_gone() -> None:
    lines = seen(shown(State(opened="app/\x07x")))
    assert lines[2] == "app/␇x is gone: there is no such place any more"


def test_long_lines_of_the_panel_are_folded_and_none_is_lost() -> None:
    details = Details(ROWS[0], (), "x" * 250 + "漢" * 60, ())
    what = shown(State(opened="app"), details=details, width=40, height=8)
    lines: list[str] = []
    for scroll in range(panel_lines(what)):
        state = fitted(evolve(what.state, scroll=scroll), total=4, height=1, lines=100)
        lines.append(seen(evolve(what, state=state))[3])
    joined = "".join(lines)
    assert (joined.count("x"), joined.count("漢")) == (250, 60)
    title = seen(what)[2]
    assert title == f"app  {panel_lines(what) - 4} more lines below"


NASTY = st.text(
    st.sampled_from("a\x1b[]m\x00\r\n\t\x7f\x9b\u202e\u200b漢é/\ud800\u0301"),
    max_size=30,
)


@given(NASTY, st.integers(1, 130), st.integers(1, 30), st.booleans(), st.booleans())
def test_whatever_a_program_says_a_picture_has_its_size_and_no_controls(
    text: str, width: int, height: int, opened: bool, marked: bool
) -> None:
    row = evolve(ROWS[2], path=text, name=text, handling=text, depth=40)
    page = Page((row, *ROWS), 5, 0, 1.0, 5, 0, "ok")
    event: dict[str, object] = {
        "event": text,
        "incarnation": text,
        "at": None,
        "why": text,
        "error": {"text": text},
    }
    details = Details(row, (event,), text, (text,))
    state = State(opened=text if opened else None, cursor=0 if marked else 1)
    what = shown(
        state, page=page, details=details, width=width, height=height, note=text
    )
    lines = drawn(what)
    assert len(lines) == height
    assert {width_of(line) for line in lines} == {width}
    assert "".join(lines).isprintable()


@given(NASTY)
def test_visible_text_is_printable_and_keeps_what_was_so(text: str) -> None:
    assert visible(text).isprintable()
    assert visible(visible(text)) == visible(text)
    assert "".join(visible_lines(text)).isprintable()


def test_what_is_not_visible_is_named() -> None:
    assert visible("plain é 漢") == "plain é 漢"
    assert visible("\x1b[2J\x07\n\x7f") == "␛[2J␇␊␡"
    assert visible("a\x9bb\u202ec\ud800") == "a\\x9bb\\u202ec\\ud800"
    assert visible_lines("a\tb\n\x1bc") == ["a   b", "␛c"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-0.1, "0.0 s"),
        (9.94, "9.9 s"),
        (12, "12 s"),
        (61, "1:01 min"),
        (3599.9, "59:59 min"),
        (3661, "1:01 h"),
        (86400 * 400 + 7200, "400 d 2 h"),
    ],
)
def test_durations_are_short(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_numbers() -> None:
    assert (count(1234567), count(float("inf"))) == ("1,234,567", "∞")


def test_text_is_made_to_fit() -> None:
    assert fit("abc", 5) == "abc  "
    assert fit("abcdef", 4) == "abc…"
    assert fit("漢漢漢", 4) == "漢 …"
    assert fit("abc", 0) == ""


@pytest.mark.parametrize("width", [2, 3, 7, 80])
def test_a_long_text_of_wide_characters_is_folded_in_time_like_its_length(
    width: int,
) -> None:
    details = evolve(DETAILS, failure="中" * 10_000, history=())
    begun_at = time.process_time()
    lines = panel(details, width, 2.0)
    assert time.process_time() - begun_at < 1  # it was more than a minute
    texts = ["".join(text for text, _ in pieces) for pieces in lines]
    assert all(width_of(text) == width for text in texts)
    assert sum(text.count("中") for text in texts) == 10_000
