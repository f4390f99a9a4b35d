"""mypy and pyright, both strict, over what must pass and over what users get wrong."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = ("should_pass.py", "mistakes.py")

Place = tuple[str, int]
"""A file's name and a line in it."""

pytestmark = pytest.mark.tools


def output_of(*command: str) -> str:
    """Run a module of this environment; checkers exit with 1 where they find errors."""
    # pyright looks for packages beside the `python` that it finds first.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return done.stdout


def mypy_errors(_: Path) -> dict[Place, str]:
    text = output_of(
        "mypy", "--strict", "--no-pretty", *(str(HERE / name) for name in FILES)
    )
    found = re.finditer(r"^(.+?):(\d+): error: (.*)$", text, re.MULTILINE)
    return {(Path(m[1]).name, int(m[2])): m[3] for m in found}


def pyright_errors(folder: Path) -> dict[Place, str]:
    # In a project of their own: that of regrow leaves the mistakes out.
    for name in FILES:
        shutil.copy(HERE / name, folder)
    config = {"pythonVersion": "3.11", "typeCheckingMode": "strict"}
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    text = output_of(
        "pyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(folder)
    )
    report = json.loads(text)
    assert report["summary"]["filesAnalyzed"] == len(FILES)
    return {
        (Path(d["file"]).name, d["range"]["start"]["line"] + 1): d["message"]
        for d in report["generalDiagnostics"]
    }


def planted() -> set[Place]:
    return {
        (name, number)
        for name in FILES
        for number, line in enumerate((HERE / name).read_text().splitlines(), 1)
        if line.endswith("  # E")
    }


@pytest.mark.parametrize("errors", [mypy_errors, pyright_errors])
def test_checker_finds_each_planted_mistake_and_nothing_else(
    errors: Callable[[Path], dict[Place, str]], tmp_path: Path
) -> None:
    found = errors(tmp_path)
    missed = planted() - found.keys()
    surplus = {place: found[place] for place in found.keys() - planted()}
    assert (sorted(missed), surplus) == ([], {})


def test_mistakes_are_many_and_stand_in_their_own_file() -> None:
    assert {name for name, _ in planted()} == {"mistakes.py"}
    assert len(planted()) >= 90


def test_every_public_name_has_a_complete_type() -> None:
    text = output_of(
        "pyright", "--outputjson", "--ignoreexternal", "--verifytypes", "regrow"
    )
    report = json.loads(text)["typeCompleteness"]
    unknown = [each["name"] for each in report["symbols"] if not each["isTypeKnown"]]
    assert (unknown, report["completenessScore"]) == ([], 1)
