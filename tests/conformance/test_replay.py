"""The traces are met, and the tester itself is tested."""

import copy
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from attrs import evolve

from tests.conformance.comparing import first_difference
from tests.conformance.model import Json, Played, Scenario
from tests.conformance.reading import UnusableFileError, read_scenarios
from tests.conformance.replay import PLAYERS, main

HERE = Path(__file__).parent
FILE = HERE / "scenarios.jsonl"
ALL = read_scenarios(FILE)
MODES = sorted(PLAYERS)


def _by_family() -> dict[str, list[Scenario]]:
    families: defaultdict[str, list[Scenario]] = defaultdict(list)
    for scenario in ALL:
        families[scenario.family].append(scenario)
    return dict(families)


FAMILIES = _by_family()
SAMPLE = [
    scenario
    for family in FAMILIES.values()
    for scenario in [s for s in family if s.departs <= {"D2"}][::7]
]
"""Every seventh of each family: some made by hand and some at random."""


@cache
def played(mode: str, name: str) -> Played:
    """Play each scenario once in a mode."""
    (scenario,) = (s for s in ALL if s.id == name)
    return PLAYERS[mode](scenario.script)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("mode", MODES)
def test_every_trace_is_met(mode: str, family: str) -> None:
    differences = [
        difference.describe(scenario)
        for scenario in FAMILIES[family]
        if scenario.comparable
        and (difference := first_difference(scenario, played(mode, scenario.id)))
    ]

    assert differences == []


# -------------------------------------------------------------------- the tester tested


def _leaves(value: Json) -> Iterator[tuple["list[Json] | dict[str, Json]", int | str]]:
    """Give every scalar below *value* as its container and its key there."""
    pairs: list[tuple[int | str, Json]] = []
    if isinstance(value, dict):
        pairs += value.items()
    elif isinstance(value, list):
        pairs += enumerate(value)
    for key, inner in pairs:
        if isinstance(inner, dict | list) and inner:
            yield from _leaves(inner)
        else:
            assert isinstance(value, dict | list)
            yield value, key


def _other(value: Json) -> Json:
    """Give something else of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return f"not {value}"
        case _:
            return ["something"]


def _refused_below(scenario: Scenario, step: int) -> bool:
    """Whether D2's rule takes the place of the trace (section 12)."""
    result = scenario.trace[step]["result"]
    return "D2" in scenario.departs and isinstance(result, dict) and "cause" in result


def alterations(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    """Give *scenario* with its trace changed in one way, for every such way."""
    for step, entry in enumerate(scenario.trace):
        if _refused_below(scenario, step):
            continue

        def altered(changed: dict[str, Json], step: int = step) -> Scenario:
            trace = list(scenario.trace)
            trace[step] = changed
            return evolve(scenario, trace=tuple(trace))

        for field in ("events", "result", "top", "tree"):
            for number, _ in enumerate(_leaves({field: entry[field]})):
                changed = copy.deepcopy(entry)
                box, key = list(_leaves({field: changed[field]}))[number]
                if isinstance(box, dict) and box.keys() == {field}:
                    box = changed  # it is the whole field
                box[key] = _other(box[key])  # type: ignore[index]
                yield f"step {step}, {field}, value {number}", altered(changed)
        events = entry["events"]
        assert isinstance(events, list)
        for place, event in enumerate(events):
            before, after = events[:place], events[place + 1 :]
            ways = {
                "left out": [*before, *after],
                "doubled": [*before, event, *events[place:]],
            }
            if after and after[0] != event:
                ways["swapped"] = [*before, after[0], event, *after[1:]]
            for way, new in ways.items():
                name = f"step {step}, event {place} {way}"
                yield name, altered({**entry, "events": new})


def test_the_sample_has_scenarios_of_all_families() -> None:
    assert len(SAMPLE) >= 60
    assert {scenario.family for scenario in SAMPLE} == FAMILIES.keys()


@pytest.mark.parametrize("mode", MODES)
def test_any_altered_event_result_or_status_is_noticed(mode: str) -> None:
    missed: list[str] = []
    tried = 0
    for scenario in SAMPLE:
        assert first_difference(scenario, played(mode, scenario.id)) is None
        for name, altered in alterations(scenario):
            tried += 1
            difference = first_difference(altered, played(mode, scenario.id))
            if difference is None:
                missed.append(f"{scenario.id}: {name}")

    assert missed == []
    assert tried > 5000


def _write(path: Path, scenarios: list[Json]) -> Path:
    path.write_text("".join(f"{json.dumps(each)}\n" for each in scenarios))
    return path


def _raw(name: str) -> dict[str, Json]:
    for line in FILE.read_text().splitlines():
        scenario: dict[str, Json] = json.loads(line)
        if scenario["id"] == name:
            return scenario
    raise LookupError(name)


def _event(event: str, *path: str, n: int = 1, **more: Json) -> Json:
    return {"event": event, "path": list(path), "n": n, **more}


@pytest.mark.parametrize("mode", MODES)
def test_what_an_answer_says_stays_when_its_supervisor_gives_up_in_the_same_step(
    mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree: Json = {
        "type": "supervisor",
        "strategy": "simple_one_for_one",
        "intensity": 1,
        "children": [{"id": "tmpl", "type": "worker"}],
    }
    steps: list[Json] = [
        {"op": "start_tree"},
        {
            "op": "start_child",
            "sup": [],
            "instance": {"key": "i", "init": ["ok", "error"]},
        },
        {
            "op": "crash",
            "path": ["i"],
            "hold": ["i"],
            "calls": [
                {"op": "which_children", "sup": []},
                {"op": "count_children", "sup": []},
            ],
        },
    ]
    up: dict[str, Json] = {"result": {"ok": True}, "top": "running"}
    row: Json = {"id": None, "status": "restarting", "type": "worker"}
    counts: Json = {"specs": 1, "active": 0, "supervisors": 0, "workers": 1}
    trace: list[Json] = [  # as OTP 25 has it
        {**up, "events": [_event("started")], "tree": []},
        {
            **up,
            "events": [_event("started", "i")],
            "tree": [{"id": "i", "status": "running", "n": 1}],
        },
        {
            "events": [
                _event("crashed", "i"),
                _event("start_failed", "i", n=2),
                _event("escalated"),
                _event("exited", reason="shutdown"),
            ],
            "result": {
                "ok": True,
                "results": [
                    {"ok": True, "children": [row]},
                    {"ok": True, "counts": counts},
                ],
            },
            "top": "exited:shutdown",
            "tree": None,
        },
    ]
    scenario: Json = {"id": "x", "tree": tree, "steps": steps, "trace": trace}
    file = _write(tmp_path / "one.jsonl", [scenario])

    code = main(["--against", mode, str(file)])

    assert capsys.readouterr().out == "0 departed\n1 passed, 0 failed\n"
    assert code == 0


@pytest.mark.parametrize("mode", MODES)
def test_command_run_as_a_file_passes_all_scenarios(mode: str) -> None:
    command = [sys.executable, str(HERE / "replay.py"), "--against", mode, str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.stderr == ""
    assert done.stdout == "20 departed\n400 passed, 0 failed\n"
    assert done.returncode == 0


def test_command_tells_what_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = _raw("restart_init_fail-0020")
    trace = scenario["trace"]
    assert isinstance(trace, list)
    last = trace[2]
    assert isinstance(last, dict)
    last["top"] = "running"
    file = _write(tmp_path / "altered.jsonl", [scenario, _raw("escalation-0004")])

    assert main(["--against", "core", str(file)]) == 1
    assert capsys.readouterr().out == (
        '[core] restart_init_fail-0020: step 2 {"op": "stop_tree"}\n'
        "  top\n"
        '    expected "running"\n'
        '    got      "exited:shutdown"\n'
        "1 departed\n"
        "0 passed, 1 failed\n"
    )


def test_command_adds_up_several_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = _write(tmp_path / "one.jsonl", [_raw("restart_order-0001")])
    two = _write(
        tmp_path / "two.jsonl", [_raw("window-0001"), _raw("invalid_spec-0014")]
    )

    assert main(["--against", "core", str(one), str(two)]) == 0
    assert capsys.readouterr().out == "0 departed\n3 passed, 0 failed\n"


def test_command_tries_both_if_not_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _write(
        tmp_path / "one.jsonl", [_raw("stubborn-0001"), _raw("escalation-0004")]
    )

    assert main([str(file)]) == 0
    assert capsys.readouterr().out == "2 departed\n2 passed, 0 failed\n"


def test_command_refuses_a_file_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none.jsonl"

    assert main([str(missing)]) == 2
    got = capsys.readouterr()
    assert got.out == ""
    assert got.err.startswith(f"replay.py: {missing}: cannot be read: ")


def test_command_refuses_an_unknown_mode() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--against", "nothing", str(FILE)])
    assert caught.value.code == 2


START: Json = {"op": "start_tree"}
ENTRY: Json = {"events": [], "result": {"ok": True}, "top": "running", "tree": []}


def _tree(**fields: Json) -> Json:
    tree: dict[str, Json] = {"type": "supervisor", "strategy": "one_for_one"}
    return {**tree, "intensity": 1, "children": [], **fields}


def _line(*steps: Json, tree: Json = None, trace: Json = None) -> str:
    entries: list[Json] = [ENTRY for _ in steps]
    return json.dumps(
        {
            "id": "x",
            "tree": _tree() if tree is None else tree,
            "steps": list(steps),
            "trace": entries if trace is None else trace,
        }
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "holds no scenario"),
        ("\n\n", "holds no scenario"),
        ("{", ":1: not JSON: "),
        ("[]", ":1: a scenario is [], not an object"),
        ("{}", ":1: a scenario has no 'id'"),
        ('{"id":3}', ":1: 'id' of a scenario is 3, not a string"),
        ('{"id":"x"}', ":1: scenario 'x': scenario 'x' has no 'steps'"),
        (f"{_line(START)}\n\n{_line()}", ":3: scenario 'x': 0 steps, 0 trace entries"),
        (_line(START, trace=[]), "1 steps, 0 trace entries"),
        (_line(START, trace=[{"events": 1}]), "'events' of trace entry 0 is 1"),
        (
            _line(START, trace=[{"events": [], "result": {}, "top": "running"}]),
            "trace entry 0 has no 'tree'",
        ),
        (
            _line({"op": "stop_tree"}),
            "'start_tree' must be the first step, and the only one of its kind",
        ),
        (
            _line({"op": "start_tree", "at": 1}),
            "step 0 has 'at', which the format does not know",
        ),
        (
            _line(START, {"op": "jump"}),
            "'op' of step 1 is 'jump', not a step that the format knows",
        ),
        (
            _line(START, {"op": "sleep", "ms": True}),
            "'ms' of step 1 is True, not an integer",
        ),
        (
            _line(START, {"op": "crash", "path": ["a", 1]}),
            "'path' of step 1 is 1, not a list of strings",
        ),
        (
            _line(START, {"op": "crash", "path": ["a"], "hold": ["a"]}),
            "step 1 has no 'calls'",
        ),
        (
            _line(
                START,
                {
                    "op": "crash",
                    "path": ["s", "a"],
                    "hold": ["s", "a"],
                    "calls": [{"op": "which_children", "sup": []}],
                },
            ),
            "'sup' of a call of step 1 is [], not the supervisor of 'hold'",
        ),
        (
            _line(
                START,
                {"op": "crash", "path": ["a"], "hold": ["a"], "calls": [START]},
            ),
            "'op' of a call of step 1 is 'start_tree', not a request to a supervisor",
        ),
        (
            _line(
                START,
                {"op": "exit_many", "exits": [{"path": ["a"], "reason": "bored"}]},
            ),
            "'reason' of an exit of step 1 is 'bored', not crash, normal or shutdown",
        ),
        (
            _line(START, tree={"type": "worker"}),
            "'type' of the tree is 'worker', not supervisor",
        ),
        (_line(START, tree={"type": "supervisor"}), "the tree has no 'strategy'"),
        (
            _line(
                START,
                tree=_tree(children=[{"id": "a", "type": "worker", "init": ["maybe"]}]),
            ),
            "'init' of node 'a' is 'maybe', not ok, error or ignore",
        ),
        (
            _line(
                START,
                tree=_tree(children=[{"id": "a", "type": "worker", "shutdown": 1.5}]),
            ),
            "'shutdown' of node 'a' is 1.5, not an integer or a string",
        ),
        (
            _line(
                START,
                tree=_tree(children=[{"id": "a", "type": "worker", "stubborn": 1}]),
            ),
            "'stubborn' of node 'a' is 1, not true or false",
        ),
    ],
)
def test_unusable_files_are_refused_with_their_fault(
    tmp_path: Path, text: str, fault: str
) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(text)

    with pytest.raises(UnusableFileError) as caught:
        read_scenarios(file)
    assert fault in str(caught.value)
    assert str(caught.value).startswith(str(file))
