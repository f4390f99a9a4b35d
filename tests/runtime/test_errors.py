"""The texts of errors, whole, and what hangs together in them."""

import pickle
import re
import traceback
from functools import partial
from typing import Any

import pytest
import trio

import regrow
from regrow import (
    Actor,
    ActorCrashedError,
    ActorInterruptedError,
    ActorStoppedError,
    AddressError,
    CallCycleError,
    CallError,
    ChildActiveError,
    ChildExistsError,
    ChildForgottenError,
    ChildNotFoundError,
    ControlSocketError,
    Failure,
    Finding,
    HeartbeatMissedError,
    MailboxClearedError,
    MailboxFullError,
    MaxChildrenError,
    MessageError,
    MissingExtraError,
    NotAnActorError,
    NotInTreeError,
    NotRunningError,
    PlaceNotFoundError,
    RegrowError,
    RestartLimitExceededError,
    SpecError,
    StartCancelledError,
    StartFailedError,
    StartTimeoutError,
    SupervisorCallError,
    TimelineEntry,
    UnboundRefError,
    child,
    supervisor,
)

from .trees import Boom, Child, Story, open_tree, service, virtual

CAUSE = ValueError("bad header")


def limit(**changes: Any) -> RestartLimitExceededError:
    failures = [
        Failure("app/ingest/lexer", 1.0, KeyError("x")),
        Failure("app/ingest/parser", 2.0, CAUSE),
    ]
    fields: dict[str, Any] = {
        "path": "app/ingest",
        "child_id": "parser",
        "intensity": 3,
        "period": 5.0,
        "failures": failures,
        "span": 3.2,
        "count": 4,
    }
    return RestartLimitExceededError(**(fields | changes))


AGAIN = "send it anew if that is safe"
TEXTS: list[tuple[RegrowError, str]] = [
    (
        limit(),
        (
            "supervisor 'app/ingest' gave up: 4 restarts in 3.2 s, its intensity is 3 in 5 s; "
            "the last child to fail was 'parser' (ValueError: bad header). Fix the child, give "
            "it a backoff, or raise intensity or period."
        ),
    ),
    (
        limit(count=1, span=0.0, intensity=0, period=0.25),
        (
            "supervisor 'app/ingest' gave up: 1 restart in 0 s, its intensity is 0 in 0.25 s; "
            "the last child to fail was 'parser' (ValueError: bad header). Fix the child, give "
            "it a backoff, or raise intensity or period."
        ),
    ),
    (
        limit(failures=[Failure("app/ingest/parser", 2.0, None)], count=None),
        (
            "supervisor 'app/ingest' gave up: 1 restart in 3.2 s, its intensity is 3 in 5 s; "
            "the last child to fail was 'parser' (no exception). Fix the child, give it a "
            "backoff, or raise intensity or period."
        ),
    ),
    (
        limit(intensity=None),
        (
            "supervisor 'app/ingest' gave up: 'parser' failed 4 times in a row, all that its "
            "backoff allows (ValueError: bad header). Fix the child, or raise max_attempts or "
            "lower reset_after of its backoff."
        ),
    ),
    (
        StartFailedError("app/store", OSError("no space")),
        (
            "'app/store' did not start (OSError: no space). Mend the cause, or declare the "
            "child with start='retry' if it may come later."
        ),
    ),
    (
        StartFailedError("app", StartFailedError("app/store", OSError())),
        (
            "'app' did not start because 'app/store' did not (OSError). Mend the cause, or "
            "declare the child with start='retry' if it may come later."
        ),
    ),
    (
        StartTimeoutError("app/store", 1.5),
        (
            "'app/store' was not up within its start_timeout of 1.5 s. Raise start_timeout, do "
            "less before the child is up, or see that a service calls task_status.started()."
        ),
    ),
    (
        StartCancelledError("app/store"),
        (
            "the start of 'app/store' was given up: its supervisor is stopping, or the caller "
            "of start_child gave up. Nothing of it is left."
        ),
    ),
    (
        HeartbeatMissedError(
            "app/a", 2, 15.5, ("a.py:3 in work", "trio.py:9 in sleep"), "a.py:3 in work"
        ),
        (
            "'app/a' hung: it did not answer 2 health checks in a row, for 15.5 s, waiting in "
            "a.py:3 in work. Give what it waits for a deadline, move it to a background task, "
            "or raise timeout or misses of its Heartbeat."
        ),
    ),
    (
        HeartbeatMissedError("app/a", 1, 5.0, ()),
        (
            "'app/a' hung: it did not answer 1 health check, for 5 s. Give what it waits for "
            "a deadline, move it to a background task, or raise timeout or misses of its "
            "Heartbeat."
        ),
    ),
    (
        ActorCrashedError("app/a", "work", 2, CAUSE),
        (
            "'app/a' (incarnation 2) crashed on 'work' (ValueError: bad header). The message "
            f"is not handled again: {AGAIN}, or name the exception with @raises if it is an "
            "answer."
        ),
    ),
    (
        ActorInterruptedError("app/a", "work", 2, "was cut off"),
        (
            "'app/a' (incarnation 2) was cut off before it had answered 'work'. It may have "
            f"been handled in part: {AGAIN}."
        ),
    ),
    (
        ActorInterruptedError("app", "", 0, "was stopped"),
        (
            "'app' was stopped before it had answered the request. It may have been handled in "
            f"part: {AGAIN}."
        ),
    ),
    (
        ActorStoppedError("app/a", "work", "was told to stop"),
        (
            "'app/a' was told to stop; 'work' was not handled. Only restart_child, or a "
            "restart of its group, brings it back."
        ),
    ),
    (
        ActorStoppedError("app", "", "is closed: its tree has ended", gone=True),
        "'app' is closed: its tree has ended. It does not come back.",
    ),
    (
        MailboxFullError("app/a", "work", 1024, "raise"),
        (
            "the mailbox of 'app/a' is full (capacity 1024, policy 'raise'): 'work' was not "
            "taken. Send less, await room with cast(), or give it a larger Mailbox."
        ),
    ),
    (
        MailboxClearedError("app/a", "work"),
        (
            "'app/a' was restarted and its mailbox was cleared (on_restart='clear'): 'work' was "
            "not handled. Send it anew."
        ),
    ),
    (
        CallCycleError("app/b", "work", ["app/a", "app/b"]),
        (
            "'work' to 'app/b' can never be answered: 'app/a' -> 'app/b' -> 'app/a'. Use cast, "
            "return a Deferred, or call from a background task."
        ),
    ),
    (
        CallCycleError("app", "", ["app/a", "app"]),
        (
            "the request to 'app' can never be answered: 'app/a' -> 'app' -> 'app/a'. Use cast, "
            "return a Deferred, or call from a background task."
        ),
    ),
    (
        CallCycleError("app/b", "work", ["app/a", "app/b", "app"]),
        (
            "'work' to 'app/b' can never be answered: 'app/a' -> 'app/b' -> 'app' -> 'app/a'. "
            "'app/b' is down, and 'app' starts it only when others have started or stopped. "
            "In a lifespan, ask what is declared before; if a crash came in between, send it "
            "anew after the restart."
        ),
    ),
    (
        CallCycleError("app/a", "work", ["app/a"], full=True),
        (
            "'work' to 'app/a' can never be answered (the mailbox is full and it waits for "
            "room): 'app/a' -> 'app/a'. Use cast, return a Deferred, or call from a background "
            "task."
        ),
    ),
    (
        ChildExistsError("app", "a", started=True),
        "'a' of 'app' runs already. Use another name.",
    ),
    (
        ChildExistsError("app", "a", started=False),
        (
            "'a' of 'app' is known already, though it does not run. Use restart_child, or "
            "delete_child before start_child."
        ),
    ),
    (
        ChildNotFoundError("app", "a"),
        (
            "supervisor 'app' has no child 'a'. Pass a name, the last part of a path; "
            "which_children() lists those it has."
        ),
    ),
    (
        ChildActiveError("app", "a", restarting=False),
        "'a' of 'app' is running. Use terminate_child first.",
    ),
    (
        ChildActiveError("app", "a", restarting=True),
        "'a' of 'app' is restarting. Use terminate_child first.",
    ),
    (
        ChildForgottenError("app/pool", "a"),
        (
            "dynamic supervisor 'app/pool' forgets its children when they end: 'a' cannot be "
            "restarted or deleted. Use start_child with a spec."
        ),
    ),
    (
        MaxChildrenError("app/pool", "a", 10),
        (
            "dynamic supervisor 'app/pool' has its 10 children: 'a' was not started. Wait until "
            "one ends, or raise max_children."
        ),
    ),
    (MessageError("app/a", "3 is no message."), "message to 'app/a': 3 is no message."),
    (
        NotAnActorError("app/a", 3),
        (
            "the factory of 'app/a' gave 3, which is no Actor. Let it return an instance of an "
            "Actor class, or pass an async function for a service."
        ),
    ),
    (
        UnboundRefError("a"),
        (
            "the ref of 'a' belongs to a declaration, not to a running tree. Pass it to a "
            "child, which gets the live one, or use tree[spec]."
        ),
    ),
    (
        SpecError([Finding("invalid_name", "app", "the name is ''", "Give name=.")]),
        "1 fault in the declared tree:\n  app: the name is '' [invalid_name]. Give name=.",
    ),
    (PlaceNotFoundError("app/x", "nothing stands there"), "nothing stands there"),
    (NotInTreeError("not in a tree"), "not in a tree"),
    (
        AddressError("shop:http", "is no HOST:PORT"),
        "'shop:http' is no HOST:PORT.",
    ),
    (
        ControlSocketError("s.sock", "nothing is there. Start the program"),
        "control socket 's.sock': nothing is there. Start the program.",
    ),
    (
        MissingExtraError("web", "starlette"),
        (
            "'starlette' is not installed, which regrow.observe.web needs. Run: "
            "pip install 'regrow[web]'"
        ),
    ),
    (
        NotRunningError("app/x", "stopped", "nothing to suspend"),
        (
            "'app/x' is stopped, so there is nothing to suspend. Nobody will start it but by "
            "restart_child of its supervisor."
        ),
    ),
    (
        NotRunningError("app/x", "restarting", "no state to see"),
        (
            "'app/x' is restarting, so there is no state to see. Try again when "
            "tree.snapshot(path) says that it is running."
        ),
    ),
]


@pytest.mark.parametrize(("error", "text"), TEXTS, ids=[t[:40] for _, t in TEXTS])
def test_the_whole_text(error: RegrowError, text: str) -> None:
    assert str(error) == text


def all_errors(base: type[RegrowError]) -> set[type[RegrowError]]:
    """Give *base* and all below it that are defined there, forgotten ones too."""
    return {base}.union(
        *(
            all_errors(below)
            for below in base.__subclasses__()
            if below.__module__.startswith("regrow.errors")
        )
    )


def test_the_stack_that_an_actor_hung_in_is_a_note() -> None:
    stack = ("a.py:3 in work", "trio.py:9 in sleep")
    error = HeartbeatMissedError("app/a", 1, 5.0, stack)
    assert error.__notes__ == ["It hung in\n  a.py:3 in work\n  trio.py:9 in sleep"]
    assert error.where == "trio.py:9 in sleep"
    assert not hasattr(HeartbeatMissedError("app/a", 1, 5.0, ()), "__notes__")


def test_every_error_has_its_text_here() -> None:
    abstract = {RegrowError, CallError, SupervisorCallError}
    assert {type(error) for error, _ in TEXTS} == all_errors(RegrowError) - abstract


def test_the_tree_of_errors_is_as_drawn() -> None:
    """The drawing at the top of `regrow.errors` against the classes."""
    text = regrow.errors.__doc__
    assert text is not None
    drawn: dict[str, str] = {"RegrowError": "Exception"}
    above = ""
    for line in text.splitlines():
        match = re.match(r"    (│   )?[├└]── (\w+)", line)
        if match is None:
            continue
        nested, name = match.groups()
        drawn[name] = above if nested else "RegrowError"
        above = above if nested else name
    found = {
        error.__name__: error.__bases__[0].__name__ for error in all_errors(RegrowError)
    }
    assert found == drawn


def test_a_traceback_names_the_module_that_users_import_from() -> None:
    error = ActorCrashedError("app/x", "Worker.work", 2, CAUSE)
    assert traceback.format_exception(error) == [
        "ValueError: bad header\n",
        ("\nThe above exception was the direct cause of the following exception:\n\n"),
        f"regrow.errors.ActorCrashedError: {error}\n",
    ]
    assert repr(RegrowError) == "<class 'regrow.errors.RegrowError'>"
    assert {getattr(regrow, name).__module__ for name in regrow.errors.__all__} == {
        "regrow.errors"
    }


@pytest.mark.parametrize("name", regrow.errors.__all__)
def test_a_pickle_names_the_module_that_users_import_from(name: str) -> None:
    kind = getattr(regrow.errors, name)
    # Protocol 0 is readable: module and name, with nothing of ours between them.
    assert pickle.dumps(kind, protocol=0) == f"cregrow.errors\n{name}\np0\n.".encode()
    assert pickle.loads(pickle.dumps(kind)) is kind  # noqa: S301 - our own


def test_what_is_told_of_failures_survives_a_pickle() -> None:
    finding = Finding("bad_name", "app", "a name has no '/'", "Write another.")
    failure = Failure("app/x", 1.5, None, while_starting=True)
    entry = TimelineEntry(1.5, "app/x", 2, "crashed", None)
    for value in (finding, failure, entry):
        assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - our own


def test_misuse_is_also_the_builtin_that_callers_expect() -> None:
    assert issubclass(SpecError, ValueError)
    assert issubclass(ChildNotFoundError, LookupError)
    assert issubclass(PlaceNotFoundError, LookupError)
    assert issubclass(MessageError, TypeError)
    assert issubclass(NotAnActorError, TypeError)
    assert issubclass(NotInTreeError, RuntimeError)


# ------------------------------------------------------------------- from living trees


@virtual
async def test_a_limit_that_passes_two_levels() -> None:
    class Parser(Actor):
        def parse(self) -> None:
            raise ValueError("bad header")

    parser = child(Parser)
    ingest = supervisor("ingest", parser, intensity=3, period=5)
    with pytest.raises(RestartLimitExceededError) as caught:
        async with open_tree(supervisor("app", ingest, intensity=0)) as tree:
            for _ in range(4):
                await tree[parser].cast(Parser.parse)
                await trio.sleep(0.8)
            await trio.sleep_forever()
    error = caught.value
    assert str(error) == (
        "supervisor 'app' gave up: 1 restart in 0 s, its intensity is 0 in 5 s; the last "
        "child to fail was 'ingest' (RestartLimitExceededError: supervisor 'app/ingest' "
        "gave up: 4 restarts in 2.4 s, its intensity is 3 in 5 s; the last child to fail "
        "was 'parser' (ValueError: bad header). Fix the child, give it a backoff, or raise "
        "intensity or period.). Fix the child, give it a backoff, or raise intensity or "
        "period."
    )
    assert error.levels == ("app/ingest", "app")
    below = error.__cause__
    assert isinstance(below, RestartLimitExceededError)
    assert [(f.path, round(f.at, 6), str(f.error)) for f in below.failures] == [
        ("app/ingest/parser", at, "bad header") for at in (0, 0.8, 1.6, 2.4)
    ]
    assert repr(below.failures[0]) == (
        "Failure(path='app/ingest/parser', at=0.0, error=ValueError: bad header, "
        "while_starting=False)"
    )


@virtual
async def test_a_start_that_fails_three_levels_down() -> None:
    def make() -> Actor:
        raise OSError("no space")

    inner = supervisor("inner", child(Child, Story()), child(make))
    with pytest.raises(StartFailedError) as caught:
        async with open_tree(supervisor("root", supervisor("middle", inner))):
            pass
    error = caught.value
    assert str(error) == (
        "'root/middle' did not start because 'root/middle/inner/make' did not "
        "(OSError: no space). Mend the cause, or declare the child with start='retry' if it "
        "may come later."
    )
    chain: list[str] = []
    step: BaseException | None = error
    while step is not None:
        chain.append(getattr(step, "path", repr(step)))
        step = step.__cause__
    assert chain == [
        "root/middle",
        "root/middle/inner",
        "root/middle/inner/make",
        "OSError('no space')",
    ]
    assert repr(error.root_cause) == "OSError('no space')"
    assert error.failed_path == "root/middle/inner/make"
    assert error.child_id == "middle"


@virtual
async def test_paths_that_lead_nowhere_or_somewhere_else() -> None:
    story = Story()
    actor = child(Child, story, name="actor")
    plain = child(service, story, "s", name="plain")
    spec = supervisor("root", actor, plain, supervisor("inner"))
    async with open_tree(spec) as tree:
        wrong: Any = tree  # for what a checker would see
        nothing = (
            "nothing stands at {!r} in the tree 'root'. A path starts at the root, as in "
            "'root/child'; tree.snapshot() shows them all."
        )
        cases: list[tuple[Any, str]] = [
            (partial(tree.ref, "root/x", Child), nothing.format("root/x")),
            (partial(tree.ref, "actor", Child), nothing.format("actor")),
            (partial(tree.ref, "", Child), nothing.format("")),
            (partial(tree.ref, "root/actor/x", Child), nothing.format("root/actor/x")),
            (partial(tree.supervisor, "root/x"), nothing.format("root/x")),
            (
                partial(tree.ref, "root/plain", Child),
                (
                    "'root/plain' is a service, not an actor. Use tree[spec] or "
                    "tree.supervisor."
                ),
            ),
            (
                partial(tree.ref, "root/inner", Child),
                (
                    "'root/inner' is a supervisor, not an actor. Use tree[spec] or "
                    "tree.supervisor."
                ),
            ),
            (
                partial(tree.supervisor, "root/actor"),
                "'root/actor' is no supervisor. Use tree.ref(path, cls).",
            ),
            (
                partial(tree.__getitem__, child(Child, story, name="other")),
                (
                    "the spec 'other' does not stand in the tree 'root'. Use the very value "
                    "that the tree was declared with, or tree.ref(path, cls)."
                ),
            ),
            (
                partial(wrong.__getitem__, "root/actor"),
                (
                    "'root/actor' is no spec of the tree 'root'. Use the very value that the "
                    "tree was declared with, or tree.ref(path, cls)."
                ),
            ),
            (
                partial(wrong.ref, Child, "root/actor"),
                (
                    f"{Child!r} is no path. Write one from the root, as in 'root/child'; "
                    "tree[spec] gives the ref of a spec."
                ),
            ),
            (
                partial(wrong.snapshot, actor),
                (
                    "the child 'actor' is no path. Write one from the root, as in "
                    "'root/child'; tree[spec] gives the ref of a spec."
                ),
            ),
        ]
        for ask, text in cases:
            with pytest.raises(PlaceNotFoundError) as caught:
                ask()
            assert str(caught.value) == text

        class Unrelated(Actor):
            pass

        with pytest.raises(PlaceNotFoundError) as caught:
            tree.ref("root/actor", Unrelated)
        assert "is an actor of class Child, not " in str(caught.value)
        assert tree.ref("root/actor", Actor).path == "root/actor"


@virtual
async def test_a_text_of_many_lines_is_told_by_its_first() -> None:
    actor = child(Child, Story(), name="a")
    async with open_tree(supervisor("root", actor)) as tree:
        with pytest.raises(ActorCrashedError) as caught:
            await tree[actor].call(Child.throw, Boom("first\nsecond"))
    assert "(Boom: first)" in str(caught.value)
    assert "second" not in str(caught.value)
