"""Every fault of the faulty tree is found where it is, and nothing in the good ones."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from trio.testing import MockClock

from examples import (
    bank,
    embed,
    failing_worker,
    faulty_tree,
    kv_server,
    late_dependency,
    night,
)
from regrow import Backoff, Supervisor, check, open_tree
from regrow._core.advice.rules import RULES
from regrow.cli.demo._tree import indexer

# Code, place, and what the remedy begins with.
PLANTED = """
shutdown_over_grace     shop                       Lower shutdown of those
ref_to_later            shop/wiring/desk/earlier   Declare it after 'shop/wiring/desk/later'
ref_not_bound           shop/wiring/desk/blind     Pass it as an argument of child()
spec_for_ref            shop/wiring/desk/sign      Pass its .ref
ref_to_temporary        shop/wiring/desk/host      Write restart='permanent' or 'transient'
order_against_wiring    shop/wiring/stairs/user    Declare it after 'shop/wiring/stairs/base'
wired_in_a_circle       shop/wiring/pair           Write strategy='one_for_all'
shared_argument         shop/arguments/one         Give it to one actor
mutable_argument        shop/arguments/three       Pass a tuple
kept_argument           shop/arguments/four        Make it where the child is made
unbounded_mailbox       shop/arguments/five        Write a capacity
hidden_name             shop/arguments/belt        Take another name
unbounded_children      shop/arguments/visitors    Write as many as there may be at once
limit_never_reached     shop/limits/street         Write a period of 138 or more
attempts_never_counted  shop/limits/front          Write the seconds of uptime
restarts_spin           shop/limits/back           Write an initial above 0
unused_backoff          shop/limits/side           Leave backoff out
hang_never_escalates    shop/limits/sleepy         Write a period of 105 or more
health_never_asked      shop/limits/guard          Write heartbeat=Heartbeat(
retry_without_backoff   shop/limits/connect        Give it a backoff
nothing_restarted       shop/limits/strict         Write an intensity of 1 or more
restart_amplification   shop/limits/patient        Lower intensity on the way
lifespan_cut            shop/ends/torn             Write the seconds that cleaning up needs
endless_shutdown        shop/ends/slow             Write the seconds that it needs
shutdown_cut_short      shop/ends/quick            Leave shutdown of the supervisor out
no_significant_child    shop/ends/day              Write significant=True
never_ends              shop/ends/week/night       Give it auto_shutdown
"""
# A tree with this one does not run.
NOT_PLANTED = {"unknown_ref"}


def planted() -> Iterator[tuple[str, str, str]]:
    for line in PLANTED.strip().splitlines():
        code, path, remedy = re.split(r" {2,}", line)
        yield code, path, remedy


def test_every_planted_fault_is_found_and_nothing_else() -> None:
    told = check(faulty_tree.shop(), grace=faulty_tree.GRACE)
    begins = {(code, path): remedy for code, path, remedy in planted()}
    assert [(each.code, each.path) for each in told] == list(begins)
    for each in told:
        assert each.remedy.startswith(begins[each.code, each.path])


def test_each_is_marked_in_the_source() -> None:
    source = Path(faulty_tree.__file__).read_text("utf-8")
    marked = re.findall(r"# fault: (\w+)$", source, re.MULTILINE)
    assert sorted(marked) == sorted(code for code, _, _ in planted())


def test_there_is_one_for_every_rule() -> None:
    assert len(list(planted())) >= 12
    codes = {rule.code for rule in RULES}
    assert {code for code, _, _ in planted()} == codes - NOT_PLANTED


async def test_it_is_valid_and_starts(autojump_clock: MockClock) -> None:
    async with open_tree(faulty_tree.shop()) as tree:
        declared = {"wiring", "arguments", "limits", "ends"}
        assert {place.name for place in tree.snapshot().children} == declared


def test_run_as_a_program_it_prints_a_line_for_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    faulty_tree.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        path for _, path, _ in planted()
    ]


SOMETHING: Any = object()
DELAYS = Backoff(initial=0.05, maximum=0.4, jitter=0, reset_after=0.075)
KILLER: Any = SimpleNamespace(plan=range(200))
GOOD = {
    "bank": bank.bank(Path("ledger.txt")),
    "embed": embed.workers(1.0, print),
    "failing_worker": failing_worker.lab(Random(1), 0.05),
    "failing_worker with delays": failing_worker.lab(Random(1), 0.05, DELAYS),
    "kv_server": kv_server.kv_server(SOMETHING),
    "late_dependency": late_dependency.desk(SOMETHING, 0.1),
    "night": night.shop(),
    "the demo": indexer(SOMETHING, Path("index"), 4, SOMETHING, KILLER),
}


@pytest.mark.parametrize("tree", GOOD.values(), ids=GOOD)
def test_there_is_nothing_to_say_of_the_others(tree: Supervisor) -> None:
    assert check(tree, grace=60) == ()


def test_no_example_is_left_out() -> None:
    folder = Path(faulty_tree.__file__).parent
    names = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    modules = {name for name in sys.modules if name.startswith("examples.")}
    assert {f"examples.{name}" for name in names} <= modules
