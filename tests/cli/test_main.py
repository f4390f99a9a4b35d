import subprocess
import sys

import pytest

from regrow.cli import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["walk"], "invalid choice: 'walk'"),
        (["run"], "the following arguments are required: MODULE:TREE"),
        (["demo", "--kill", "-1"], "argument --kill: -1 is less than 0"),
        (["demo", "--workers", "0"], "argument --workers: 0 is less than 1"),
        (
            ["demo", "--workers", "many"],
            "argument --workers: 'many' is no whole number",
        ),
        (
            ["run", "--watchdog", "1s", "a:b"],
            "argument --watchdog: '1s' is no number of seconds of 0 or more",
        ),
    ],
)
def test_bad_arguments_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "usage", "unknown"),
    [
        (["ctl", "s", "health", "shop"], "regrow ctl SOCKET health", "shop"),
        (["ctl", "s", "--json", "tree"], "regrow ctl", "--json"),
        (["check", "a:b", "--fast"], "regrow check", "--fast"),
    ],
)
def test_a_command_refuses_what_it_does_not_know_by_its_own_usage(
    arguments: list[str], usage: str, unknown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"usage: {usage} [-h]")
    assert f"{usage}: error: unrecognized arguments: {unknown}; " in err


def test_ctrl_c_where_nothing_runs_ends_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("regrow.cli.demo._command.run_demo", interrupt)
    assert main(["demo"]) == 130
    assert capsys.readouterr() == ("", "")


def test_help_needs_no_heavy_import() -> None:
    script = (
        "import sys\n"
        "from regrow.cli import main\n"
        "before = set(sys.modules)\n"
        "try: main(['demo', '--help'])\n"
        "except SystemExit: pass\n"
        "new = set(sys.modules) - before\n"
        "assert not new & {'rich', 'rich.console', 'sqlite3'}, new\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
