"""The benchmarks at tiny sizes: they run, and what they show can be shown again."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import evolve

from benchmarks import report
from benchmarks.__main__ import WORKLOADS
from benchmarks.peers.__main__ import WORKLOADS as PEER_WORKLOADS
from benchmarks.workload import (
    Figures,
    Line,
    Row,
    Scale,
    Side,
    SkippedError,
    Spread,
    Target,
    Workload,
    at_least,
    at_most,
    measure,
    pick,
)

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)


# ------------------------------------------------------------------------- all of it runs


@pytest.mark.slow
def test_every_workload_gives_figures(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = run("benchmarks", "--quick", "--json", str(file))
    results = report.read(file)
    assert {line.workload for line in results.lines} == {w.name for w in WORKLOADS}
    assert [line for line in results.lines if line.value is None] == []
    assert all(line.workload in done.stdout for line in results.lines)
    assert done.stderr == ""


@pytest.mark.slow
def test_regrow_gives_figures_beside_its_peers(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    run("benchmarks.peers", "--quick", "--only", "regrow", "--json", str(file))
    figures = json.loads(file.read_text("utf-8"))["figures"]
    assert list(figures) == [f"{workload.name} regrow" for workload in PEER_WORKLOADS]
    assert all(len(values) == 1 for values in figures.values())


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_workload_says_what_it_measures(workload: type[Workload]) -> None:
    said = workload.__doc__ or ""
    for word in ("Question:", "Unit:", "Sizes:", "Baseline:"):
        assert word in said


# ----------------------------------------------------------------------- what is computed


class Made(Workload):
    """Figures that are known before."""

    name = "made"
    repetitions = 3
    warms_up = False

    def __init__(self) -> None:
        super().__init__(Scale.FULL)
        self.order: list[str] = []
        self.values = {"regrow": [33.0, 9.0, 20.0], "raw": [11.0, 3.0, 10.0]}
        self.skipped = ""

    def _side(self, name: str) -> Side:
        values = iter(self.values[name])

        def run() -> Figures:
            if name == self.skipped:
                raise SkippedError("too small")
            self.order.append(name)
            value = next(values)
            return {"rate cpu": value, "rate wall": value * 2, "size": value}

        return run

    def sides(self) -> dict[str, Side]:
        return {name: self._side(name) for name in self.values}

    def rows(self) -> list[Row]:
        rate, raw = pick("regrow", "rate"), pick("raw", "rate")
        return [
            Row("by cpu", "1/s", rate, raw, targets=(at_least(3),)),
            Row("by wall", "1/s", rate, None, clock="wall"),
            Row("no time", "KiB", pick("regrow", "size"), None, clock=""),
        ]


def test_sides_take_turns_and_ratios_are_within_repetitions() -> None:
    made = Made()
    lines = measure(made)
    assert made.order == ["regrow", "raw", "raw", "regrow", "regrow", "raw"]
    assert [line.value and line.value.values for line in lines] == [
        (33, 9, 20),
        (66, 18, 40),
        (33, 9, 20),
    ]
    assert lines[0].ratio == Spread((3, 3, 2))
    assert [line.met for line in lines] == [True, None, None]


def test_the_clock_can_be_overruled_where_it_is_cpu() -> None:
    lines = measure(Made(), repetitions=1, clock="wall")
    assert [line.clock for line in lines] == ["wall", "wall", ""]
    assert lines[0].value == Spread((66,))


def test_a_side_that_cannot_run_is_skipped_with_its_reason() -> None:
    made = Made()
    made.skipped = "regrow"
    lines = measure(made)
    assert [(line.value, line.note) for line in lines] == [(None, "too small")] * 3
    assert made.order == ["raw"] * 3


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (at_least(2), True),
        (at_least(2.1), False),
        (at_most(2), True),
        (at_most(1.9), False),
        (at_most(10, of_ratio=False), True),
        (at_most(9, of_ratio=False), False),
    ],
)
def test_a_target_is_for_the_median(target: Target, *, met: bool) -> None:
    value, ratio = Spread((1, 10, 30)), Spread((1, 2, 90))
    line = Line("w", "what", "ms", "cpu", value, None, ratio, (target,))
    assert line.met is met


def test_one_target_of_several_is_enough() -> None:
    line = Line("w", "", "", "", Spread((3,)), None, Spread((9,)), ())
    either = (at_most(1), at_most(3, of_ratio=False))
    assert evolve(line, targets=either).met is True


# --------------------------------------------------------------------------------- shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1_234_567.0, "1,230,000"),
        (1_000.0, "1,000"),
        (999.6, "1,000"),
        (123.4, "123"),
        (12.34, "12.3"),
        (1.234, "1.23"),
        (0.0, "0.00"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert report.number(value) == text


def test_results_survive_their_file(tmp_path: Path) -> None:
    results = report.Results({"python": "x"}, Scale.FULL, tuple(measure(Made())))
    report.write(results, tmp_path / "figures.json")
    assert report.read(tmp_path / "figures.json") == results


def test_a_table_goes_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n")
    for text in ("first\n", "| a |\n"):
        report.between_marks(page, "figures", text)
    assert page.read_text() == (
        "before\n<!-- figures -->\n\n| a |\n\n<!-- end of figures -->\nafter\n"
    )


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(ValueError, match="has no lines '<!-- figures -->' and"):
        report.between_marks(page, "figures", "text")
