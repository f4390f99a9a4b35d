from collections import Counter
from io import StringIO

from rich.console import Console

from regrow.cli.demo._progress import Account
from regrow.cli.demo._show import (
    show_account,
    show_crashes,
    showing_progress,
)
from regrow.cli.demo._source import DeadLetter
from regrow.cli.demo._store import Settled


def test_progress_is_a_line_for_each_tenth_where_nobody_watches() -> None:
    text = StringIO()
    with showing_progress(Console(file=text)) as show:
        for settled in range(31):
            show(Account(30, settled))
    lines = text.getvalue().splitlines()
    assert lines[0] == "0 of 30 files"
    assert lines[-1] == "30 of 30 files"
    assert len(lines) == 11


def test_no_files_are_all_files() -> None:
    text = StringIO()
    with showing_progress(Console(file=text)) as show:
        show(Account(0))
    assert text.getvalue() == "0 of 0 files\n"


def test_progress_is_a_bar_on_a_terminal() -> None:
    text = StringIO()
    console = Console(file=text, force_terminal=True, width=100)
    with showing_progress(console) as show:
        for settled in range(31):
            show(Account(30, settled, dead_letters=0))
        show(Account(30, 28, dead_letters=2))
    assert "30/30" in text.getvalue()
    assert "2 dead letters" in text.getvalue()


def test_the_account_is_printed_as_it_is() -> None:
    text = StringIO()
    dead = DeadLetter("[bold]\udcff.py", "SyntaxError: " + "x" * 200)
    account = Account(3, 2, 1)
    show_account(Console(file=text), account, Settled(frozenset({"a", "b"}), (dead,)))
    assert text.getvalue().splitlines() == [
        "found 3 = indexed 2 + dead letters 1",
        f"  [bold]\\udcff.py: SyntaxError: {'x' * 200}",
    ]


def test_crashes_are_listed_by_path() -> None:
    text = StringIO()
    show_crashes(
        Console(file=text),
        crashes=Counter({"demo/writer": 3, "demo/a": 1}),
        kills=Counter({"demo/writer": 2}),
        restarts=Counter({"demo/writer": 3, "demo/scanner": 4}),
    )
    assert text.getvalue().splitlines() == [
        "              crashes  of these kills  restarts",
        "in all              4               2         7",
        "demo/a              1               0         0",
        "demo/scanner        0               0         4",
        "demo/writer         3               2         3",
    ]
