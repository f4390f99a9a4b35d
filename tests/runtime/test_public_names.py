"""What `import regrow` gives, and that all of it is documented."""

import importlib
import inspect
import re
from pathlib import Path

import regrow

# The names of the design, one by one: what a user writes, what comes back, what is raised.
WRITTEN = """
    Actor raises Deferred Shutdown IgnoreStart grace Timer
    child supervisor dynamic Mailbox Backoff Heartbeat check Advice
    open_tree serve_tree run_tree
"""
LIVING = """
    Tree Ref ServiceRef SupervisorRef Monitor Down PlaceSnapshot
    ChildInfo ChildCounts ExitReason EventStream PathFilter current_path
    FailureSnapshot Health HealthReason
"""
SPECS = "ActorSpec ServiceSpec Supervisor Dynamic AnySpec AnyRef"
EVENTS = """
    Event ChildStarted ChildStartFailed ChildIgnored ChildExited ChildRestarting
    RestartLimitExceeded AutoShutdown ChildStuck DeadLetter AnswerDiscarded
    MessagesDropped PlaceClosed RestartRate EventsLost ActorSuspended ActorResumed
    HeartbeatMissed LoopBlocked
"""
ERRORS = """
    RegrowError SpecError Finding StartFailedError StartTimeoutError StartCancelledError
    RestartLimitExceededError HeartbeatMissedError Failure TimelineEntry
    CallError ActorCrashedError ActorInterruptedError ActorStoppedError MailboxFullError
    MailboxClearedError CallCycleError
    SupervisorCallError ChildExistsError ChildNotFoundError ChildActiveError
    ChildForgottenError MaxChildrenError
    MessageError NotAnActorError UnboundRefError PlaceNotFoundError NotInTreeError
    NotRunningError ControlSocketError AddressError MissingExtraError
"""
MEMBERS = {
    "Actor": "lifespan ref stop send_after send_every",
    "Ref": """
        call cast cast_nowait suspend resume suspended wait_stopped monitor path
    """,
    "ServiceRef": "wait_stopped monitor path",
    "SupervisorRef": """
        start_child terminate_child restart_child delete_child which_children
        count_children get_child_spec wait_stopped monitor path
    """,
    "Tree": """
        ref supervisor snapshot health stacks state events history stop kill wait_stopped
        path
    """,
    "EventStream": "receive aclose",
    "Deferred": "reply fail done",
    "Timer": "cancel",
    "Monitor": "receive aclose",
    "PlaceSnapshot": "walk find as_json",
    "FailureSnapshot": "error traceback as_json",
    "Health": "as_json",
    "ExitReason": "NORMAL SHUTDOWN CRASHED KILLED clean",
}


def test_all_is_what_is_documented() -> None:
    named = f"{WRITTEN} {LIVING} {SPECS} {EVENTS} {ERRORS}".split()
    assert len(named) == len(set(named))
    assert sorted(named) == list(regrow.__all__)


def test_all_is_sorted_and_is_what_a_star_gives() -> None:
    assert list(regrow.__all__) == sorted(regrow.__all__)
    given: dict[str, object] = {}
    exec("from regrow import *", given)  # noqa: S102 - that is the question
    assert sorted(set(given) - {"__builtins__"}) == list(regrow.__all__)


def test_nothing_else_is_public() -> None:
    modules = {"cli", "errors", "observe"}  # and private ones
    seen = {name for name in vars(regrow) if not name.startswith("_")}
    assert seen - modules == set(regrow.__all__)


def test_every_error_is_public() -> None:
    errors = importlib.import_module("regrow.errors")
    assert set(errors.__all__) <= set(regrow.__all__)


def test_the_members_are_there() -> None:
    for owner, members in MEMBERS.items():
        given = getattr(regrow, owner)
        missing = {name for name in members.split() if not hasattr(given, name)}
        assert missing == set(), (owner, missing)


def test_everything_public_has_a_docstring() -> None:
    bare: list[str] = []
    for name in regrow.__all__:
        value = getattr(regrow, name)
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue  # a union of types
        if not inspect.getdoc(value):
            bare.append(name)
        if not inspect.isclass(value):
            continue
        for member, function in vars(value).items():
            public = not member.startswith("_")
            if public and inspect.isfunction(function) and not inspect.getdoc(function):
                bare.append(f"{name}.{member}")
    assert bare == []


def test_names_come_back_under_the_name_they_have() -> None:
    """Each is imported as itself, so that type checkers take it as public."""
    path = Path(inspect.getfile(regrow))
    text = path.read_text(encoding="utf-8")
    imported = re.findall(r"(\w+) as (\w+)", text)
    assert all(name == again for name, again in imported)
    assert sorted(name for name, _ in imported) == list(regrow.__all__)
    assert (path.parent / "py.typed").exists()
