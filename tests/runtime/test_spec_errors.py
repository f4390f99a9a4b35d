"""What is refused when a tree is declared, and in what words (D2, S1-S4, S48)."""

import json
import math
import re
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import define, evolve
from attrs.exceptions import FrozenInstanceError

import regrow
from regrow import (
    Actor,
    Backoff,
    Finding,
    Heartbeat,
    Mailbox,
    NotAnActorError,
    Ref,
    RegrowError,
    SpecError,
    StartFailedError,
    Supervisor,
    child,
    dynamic,
    supervisor,
)
from regrow._core.check import MOST_LEVELS

from .trees import Story, open_tree, virtual


@define
class Account(Actor):
    balance: int = 0


class HTTPServer(Actor):
    pass


class Plain:
    pass


async def plain_service(number: int) -> None: ...


async def says_when_up(
    number: int, *, task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED
) -> None: ...


def make_account(balance: int) -> Account:
    return Account(balance)


class Callable:
    async def __call__(self) -> None: ...


def found(*children: Any, **options: Any) -> list[Finding]:
    """Give the findings for a supervisor called root over *children*."""
    with pytest.raises(SpecError) as caught:
        supervisor("root", *children, **options)
    return list(caught.value.findings)


SECONDS = "Write a number of seconds of 0 or more, or math.inf, as {}."
ABOVE = "Write a number of seconds above 0, or math.inf, as {}."
RESTART = "Write one of 'permanent', 'transient', 'temporary' as restart."
NAME = "Give name=, a text that is not empty and has no '/'."
BACKOFF = "Write {} as {}."


@pytest.mark.parametrize(
    ("options", "code", "message", "remedy"),
    [
        ({"restart": "always"}, "invalid_restart_type", "restart is 'always'", RESTART),
        ({"restart": None}, "invalid_restart_type", "restart is None", RESTART),
        ({"restart": []}, "invalid_restart_type", "restart is []", RESTART),
        ({"shutdown": -1}, "invalid_shutdown", "shutdown is -1", SECONDS),
        ({"shutdown": "5"}, "invalid_shutdown", "shutdown is '5'", SECONDS),
        ({"shutdown": None}, "invalid_shutdown", "shutdown is None", SECONDS),
        ({"shutdown": True}, "invalid_shutdown", "shutdown is True", SECONDS),
        ({"shutdown": math.nan}, "invalid_shutdown", "shutdown is nan", SECONDS),
        ({"start_timeout": 0}, "invalid_start_timeout", "start_timeout is 0", ABOVE),
        (
            {"start_timeout": -3.5},
            "invalid_start_timeout",
            "start_timeout is -3.5",
            ABOVE,
        ),
        (
            {"significant": 1},
            "invalid_significant",
            "significant is 1",
            "Write True or False as significant.",
        ),
        (
            {"backoff": 3},
            "invalid_backoff",
            "backoff is 3",
            "Write Backoff(...) or None as backoff.",
        ),
        (
            {"backoff": Backoff(initial=-1)},
            "invalid_backoff",
            "initial of the backoff is -1",
            "Write 0 or more as initial.",
        ),
        (
            {"backoff": Backoff(factor=0.5)},
            "invalid_backoff",
            "factor of the backoff is 0.5",
            "Write 1 or more as factor.",
        ),
        (
            {"backoff": Backoff(initial=60)},
            "invalid_backoff",
            "maximum of the backoff is 30.0",
            "Write initial, 60, or more as maximum.",
        ),
        (
            {"backoff": Backoff(jitter=2)},
            "invalid_backoff",
            "jitter of the backoff is 2",
            "Write from 0 to 1 as jitter.",
        ),
        (
            {"backoff": Backoff(reset_after=-1)},
            "invalid_backoff",
            "reset_after of the backoff is -1",
            "Write 0 or more as reset_after.",
        ),
        (
            {"backoff": Backoff(max_attempts=0)},
            "invalid_backoff",
            "max_attempts of the backoff is 0",
            "Write a whole number from 1, or math.inf as max_attempts.",
        ),
        (
            {"backoff": Backoff(max_attempts=2.5)},
            "invalid_backoff",
            "max_attempts of the backoff is 2.5",
            "Write a whole number from 1, or math.inf as max_attempts.",
        ),
        (
            {"start": "later"},
            "invalid_start",
            "start is 'later'",
            "Write one of 'fail', 'retry' as start.",
        ),
        (
            {"mailbox": 10},
            "invalid_mailbox",
            "mailbox is 10",
            "Write Mailbox(...) as mailbox.",
        ),
        (
            {"mailbox": Mailbox(-1)},
            "invalid_mailbox",
            "the mailbox's capacity is -1",
            "Write a whole number from 0, or math.inf, as capacity.",
        ),
        (
            {"mailbox": Mailbox(1.5)},
            "invalid_mailbox",
            "the mailbox's capacity is 1.5",
            "Write a whole number from 0, or math.inf, as capacity.",
        ),
        (
            {"mailbox": Mailbox(on_full="block")},  # type: ignore[arg-type]
            "invalid_mailbox",
            "on_full is 'block'",
            "Write one of 'wait', 'raise', 'drop_oldest', 'drop_newest' as on_full.",
        ),
        (
            {"mailbox": Mailbox(on_restart="drop")},  # type: ignore[arg-type]
            "invalid_mailbox",
            "on_restart is 'drop'",
            "Write one of 'keep', 'clear' as on_restart.",
        ),
        (
            {"mailbox": Mailbox(0, on_full="drop_oldest")},
            "invalid_mailbox",
            "a mailbox of capacity 0 holds no oldest message to drop",
            "Give it a capacity, or another on_full.",
        ),
    ],
)
def test_a_wrong_option_of_a_child(
    options: dict[str, Any], code: str, message: str, remedy: str
) -> None:
    option = next(iter(options))
    assert found(child(Account, **options)) == [
        Finding(code, "root/account", message, remedy.format(option))
    ]


@pytest.mark.parametrize("name", ["", "a/b", 3, None, "<lambda>", ["a"]])
def test_a_wrong_name(name: Any) -> None:
    given = "account" if name is None else name
    if name is None:
        assert child(Account, name=name).name == "account"
        return
    assert found(child(Account, name=name)) == [
        Finding("invalid_name", f"root/{given}", f"the name is {name!r}", NAME)
    ]
    with pytest.raises(SpecError) as caught:
        supervisor(name)
    assert [finding.code for finding in caught.value.findings] == ["invalid_name"]


@pytest.mark.parametrize(
    ("options", "code", "message", "remedy"),
    [
        (
            {"strategy": "all_for_one"},
            "invalid_strategy",
            "strategy is 'all_for_one'",
            "Write one of 'one_for_one', 'one_for_all', 'rest_for_one' as strategy.",
        ),
        (
            {"strategy": "simple_one_for_one"},
            "bad_start_spec",
            "strategy is 'simple_one_for_one'",
            "Write dynamic(name): its children are given to start_child.",
        ),
        (
            {"intensity": -1},
            "invalid_intensity",
            "intensity is -1",
            "Write a whole number of restarts, from 0, as intensity.",
        ),
        (
            {"intensity": math.inf},
            "invalid_intensity",
            "intensity is inf",
            "Write a whole number of restarts, from 0, as intensity.",
        ),
        (
            {"intensity": True},
            "invalid_intensity",
            "intensity is True",
            "Write a whole number of restarts, from 0, as intensity.",
        ),
        (
            {"period": 0},
            "invalid_period",
            "period is 0",
            "Write a number of seconds above 0, and not math.inf, as period.",
        ),
        (
            {"period": math.inf},
            "invalid_period",
            "period is inf",
            "Write a number of seconds above 0, and not math.inf, as period.",
        ),
        (
            {"auto_shutdown": "any"},
            "invalid_auto_shutdown",
            "auto_shutdown is 'any'",
            "Write one of 'never', 'any_significant', 'all_significant' as auto_shutdown.",
        ),
    ],
)
def test_a_wrong_flag_of_a_supervisor(
    options: dict[str, Any], code: str, message: str, remedy: str
) -> None:
    assert found(**options) == [Finding(code, "root", message, remedy)]


@pytest.mark.parametrize("value", [-1, 1.5, "3", None])
def test_a_wrong_max_children(value: Any) -> None:
    with pytest.raises(SpecError) as caught:
        dynamic("pool", max_children=value)
    assert list(caught.value.findings) == [
        Finding(
            "invalid_max_children",
            "pool",
            f"max_children is {value!r}",
            "Write a whole number from 0, or math.inf, as max_children.",
        )
    ]


def test_significant_children() -> None:
    assert found(child(Account, significant=True), auto_shutdown="any_significant") == [
        Finding(
            "bad_combination",
            "root/account",
            "significant=True with restart='permanent', which never ends for good",
            "Write restart='transient' or 'temporary', or leave significant out.",
        )
    ]
    assert found(child(Account, significant=True, restart="transient")) == [
        Finding(
            "bad_combination",
            "root/account",
            "significant=True below a supervisor with auto_shutdown='never'",
            "Give the supervisor auto_shutdown, or leave significant out.",
        )
    ]


WHAT = (
    "Pass a class derived from Actor, a function that gives one, or an async function."
)


@pytest.mark.parametrize(
    ("factory", "place", "message"),
    [
        (Plain, "root/plain", "Plain is no Actor class"),
        (int, "root/int", "int is no Actor class"),
        (partial(Plain), "root/plain", "Plain is no Actor class"),
        (3, "root/x", "3 cannot be called"),
        (None, "root/x", "None cannot be called"),
    ],
)
def test_a_factory_that_is_none(factory: Any, place: str, message: str) -> None:
    name = "x" if place == "root/x" else None
    assert found(child(factory, name=name)) == [
        Finding("invalid_child_type", place, message, WHAT)
    ]


def test_what_was_called_already() -> None:
    wrong: Any = child
    made = Account(5)
    started = plain_service(1)
    assert found(wrong(made), wrong(started)) == [
        Finding(
            "invalid_child_type",
            "root/account",
            f"{made!r} cannot be called",
            "Pass the class and its arguments: child(Account, ...).",
        ),
        Finding(
            "invalid_child_type",
            "root/plain_service",
            f"{started!r} cannot be called",
            "Pass the function and its arguments: child(plain_service, ...), not "
            "plain_service(...).",
        ),
    ]
    started.close()


def test_arguments_that_do_not_fit() -> None:
    wrong: Any = child
    assert found(wrong(make_account)) == [
        Finding(
            "invalid_arguments",
            "root/make_account",
            "its arguments do not fit: missing a required argument: 'balance'",
            "It is called as make_account(balance: int).",
        )
    ]
    assert found(wrong(Account, 1, 2)) == [
        Finding(
            "invalid_arguments",
            "root/account",
            "its arguments do not fit: too many positional arguments",
            "It is called as Account(balance: int = 0).",
        )
    ]
    for spec in (
        wrong(make_account),
        wrong(Account, 1, 2),
        wrong(plain_service),
        wrong(says_when_up),
        wrong(partial(make_account, 1), 2),
    ):
        (finding,) = found(spec)
        assert finding.code == "invalid_arguments"
        assert finding.message.startswith("its arguments do not fit: ")
    supervisor("root", child(says_when_up, 1), child(plain_service, 1))


def test_what_is_no_spec() -> None:
    remedy = "Write child(...), supervisor(...) or dynamic(...)."
    assert found(Account, 3, child(Account).ref) == [
        Finding("invalid_child_spec", "root", f"a child is {Account!r}", remedy),
        Finding("invalid_child_spec", "root", "a child is 3", remedy),
        Finding(
            "invalid_child_spec", "root", "a child is <late Ref of 'account'>", remedy
        ),
    ]
    assert found([child(Account)], (child(Account),)) == [
        Finding(
            "invalid_child_spec",
            "root",
            f"a child is {kind}",
            "Pass the children one by one, as in supervisor(name, *children).",
        )
        for kind in ("a list", "a tuple")
    ]


@pytest.mark.parametrize("declare", [supervisor, dynamic])
def test_a_child_in_place_of_the_name(declare: Any) -> None:
    for first, words in (
        (child(Account), "the child 'account'"),
        (dynamic("pool"), "the supervisor 'pool'"),
    ):
        with pytest.raises(SpecError) as caught:
            declare(first)
        assert list(caught.value.findings) == [
            Finding(
                "invalid_name",
                "supervisor",
                f"the name is {words}",
                "Give the name first, as in supervisor('app', child(...)).",
            )
        ]


def test_a_service_has_no_mailbox() -> None:
    wrong: Any = child
    assert found(wrong(plain_service, 1, mailbox=Mailbox(1))) == [
        Finding(
            "invalid_mailbox",
            "root/plain_service",
            "a service takes no messages",
            "Leave mailbox out, or make it an Actor.",
        )
    ]


def test_a_service_is_not_asked_for_its_health() -> None:
    wrong: Any = child
    assert found(wrong(plain_service, 1, heartbeat=Heartbeat(1, 1))) == [
        Finding(
            "invalid_heartbeat",
            "root/plain_service",
            "a service takes no messages, so it cannot be asked for its health",
            "Leave heartbeat out, or make it an Actor.",
        )
    ]


def test_a_heartbeat_is_checked_with_the_check_that_the_class_has() -> None:
    class NotAsync(Actor):
        def check_health(self) -> None: ...

    class Curious(Actor):
        async def check_health(self, how: str) -> None: ...

    class Good(Actor):
        async def check_health(self, how: str = "well") -> None: ...

    def made() -> NotAsync:
        return NotAsync()

    heartbeat = Heartbeat(1, 1)
    for factory in (NotAsync, Curious):
        wrong: Any = child(partial(factory), name="a", heartbeat=heartbeat)
        assert found(wrong) == [
            Finding(
                "invalid_heartbeat",
                "root/a",
                f"check_health of {factory.__qualname__} is no async method without "
                "arguments",
                "Write async def check_health(self) -> None, or leave heartbeat out.",
            )
        ]
    assert [
        finding.message for finding in found(child(Good, heartbeat=Heartbeat(0, 1)))
    ] == ["every of the heartbeat is 0"]
    # Where nobody is to ask, and where the class is not known, it may be anything.
    supervisor(
        "root",
        child(Good, heartbeat=heartbeat),
        child(NotAsync),
        child(made, heartbeat=heartbeat),
    )


def test_a_watchdog_needs_seconds() -> None:
    with pytest.raises(SpecError) as caught:
        open_tree(supervisor("root"), watchdog=0)
    assert caught.value.findings == (
        Finding(
            "invalid_watchdog",
            "root",
            "watchdog is 0",
            "Write a number of seconds above 0, and not math.inf, or None as watchdog.",
        ),
    )


def test_names_that_stand_twice() -> None:
    assert found(child(Account), child(Account)) == [
        Finding(
            "duplicate_child_name",
            "root/account",
            "two children are called 'account'",
            "Give one of them another name=.",
        )
    ]
    # In different supervisors they may.
    supervisor("root", child(Account), supervisor("inner", child(Account)))


def test_a_spec_that_stands_twice() -> None:
    account = child(Account)
    inner = supervisor("inner", account)
    text = "Make a spec of its own for each place."
    assert found(account, inner) == [
        Finding(
            "same_spec_twice",
            "root/inner/account",
            "the same spec stands at 'root/account' too",
            text,
        )
    ]
    assert [finding.code for finding in found(inner, inner)] == [
        "duplicate_child_name",
        "same_spec_twice",
    ]
    renamed = evolve(inner, name="other")
    assert [finding.place for finding in found(inner, renamed)] == [
        "root/other/account"
    ]


# ------------------------------------------------------------------------------- depth


def nested(levels: int) -> Supervisor:
    """Give so many supervisors, one in the other."""
    spec = supervisor("s", child(Account))
    for _ in range(levels - 1):
        spec = supervisor("s", spec)
    return spec


def too_deep(place: str, levels: int) -> Finding:
    return Finding(
        "too_deep",
        place,
        f"with it the tree is {levels} supervisors deep, and {MOST_LEVELS} are the most",
        "Take out supervisors that have only one child, or let a service open a tree of its "
        "own.",
    )


def test_a_tree_that_is_too_deep_is_refused_when_it_is_declared() -> None:
    assert found(nested(MOST_LEVELS)) == [too_deep("root", MOST_LEVELS + 1)]


@virtual
async def test_as_deep_as_it_may_be_a_tree_can_be_looked_at() -> None:
    spec = nested(MOST_LEVELS)
    async with open_tree(spec) as tree:
        seen = tree.snapshot()
        assert [place.path for place in seen.walk()][-1].endswith("s/s/account")
        assert json.loads(json.dumps(seen.as_json()))["path"] == "s"
        assert "account" in repr(spec)
        assert "account" in repr(seen)
        assert tree.health().status == "ok"


def deep(levels: int) -> Supervisor:
    """Give what nobody has checked while it was made."""
    spec = Supervisor(name="s", children=(child(Account),))
    for _ in range(levels - 1):
        spec = Supervisor(name="s", children=(spec,))
    return spec


@virtual
async def test_one_that_was_made_past_the_checks_is_refused_before_it_starts() -> None:
    with pytest.raises(SpecError) as caught:
        async with open_tree(deep(3000)):
            raise AssertionError
    assert caught.value.findings == (too_deep("s", 3000),)
    assert found(deep(3000)) == [too_deep("root", 3001)]


@virtual
async def test_what_is_added_counts_with_those_above_it() -> None:
    pool = dynamic("pool")
    async with open_tree(supervisor("root", supervisor("mid", pool))) as tree:
        await tree[pool].start_child(nested(MOST_LEVELS - 3))
        for spec, levels in (
            (nested(MOST_LEVELS - 2), MOST_LEVELS + 1),
            (deep(3000), 3003),
        ):
            with pytest.raises(SpecError) as caught:
                await tree[pool].start_child(evolve(spec, name="t"))
            assert caught.value.findings == (too_deep("root/mid/pool/t", levels),)


# ------------------------------------------------------------------- all of it, at once


def test_one_error_lists_every_finding() -> None:
    wrong: Any = child
    twice = wrong(Account, name="twice")
    findings = found(
        wrong(Plain, restart="sometimes", shutdown=-1),
        wrong(Account, "a", "b", name="a/b", start_timeout=0),
        twice,
        wrong(Account, name="twice", significant=True, mailbox=Mailbox(-3)),
        twice,
        "nothing",
        strategy="best",
        intensity=-1,
        period=0,
        shutdown=-1,
    )
    assert [(finding.code, finding.place) for finding in findings] == [
        ("invalid_shutdown", "root"),
        ("invalid_strategy", "root"),
        ("invalid_intensity", "root"),
        ("invalid_period", "root"),
        ("invalid_child_type", "root/plain"),
        ("invalid_restart_type", "root/plain"),
        ("invalid_shutdown", "root/plain"),
        ("invalid_name", "root/a/b"),
        ("invalid_start_timeout", "root/a/b"),
        ("invalid_arguments", "root/a/b"),
        ("bad_combination", "root/twice"),
        ("invalid_mailbox", "root/twice"),
        ("bad_combination", "root/twice"),
        ("duplicate_child_name", "root/twice"),
        ("duplicate_child_name", "root/twice"),
        ("invalid_child_spec", "root"),
        ("same_spec_twice", "root/twice"),
    ]


def test_the_whole_text() -> None:
    with pytest.raises(SpecError) as caught:
        supervisor("bank", child(Account, shutdown=-1), intensity=-1)
    error = caught.value
    assert str(error) == (
        "2 faults in the declared tree:\n"
        "  bank: intensity is -1 [invalid_intensity]. "
        "Write a whole number of restarts, from 0, as intensity.\n"
        "  bank/account: shutdown is -1 [invalid_shutdown]. "
        "Write a number of seconds of 0 or more, or math.inf, as shutdown."
    )
    assert isinstance(error, RegrowError)
    assert isinstance(error, ValueError)
    with pytest.raises(SpecError, match="1 fault in the declared tree:"):
        supervisor("bank", intensity=-1)


def test_the_path_of_a_fault_below_a_nested_supervisor_is_that_of_what_was_seen() -> (
    None
):
    with pytest.raises(SpecError) as caught:
        supervisor("root", supervisor("inner", child(Account, shutdown=-1)))
    assert [finding.place for finding in caught.value.findings] == ["inner/account"]


def test_an_unknown_option_is_pythons_own_error() -> None:
    wrong: Any = (
        (child, Account),
        (supervisor, "root"),
        (dynamic, "pool"),
    )
    for function, first in wrong:
        with pytest.raises(TypeError, match="unexpected keyword argument 'restrat'"):
            function(first, restrat="permanent")
    for options in ({"heartbeats": 1}, {"timeout": 1}):
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            wrong[0][0](Account, **options)
    with pytest.raises(TypeError, match="unexpected keyword argument 'auto_shutdown'"):
        wrong[2][0]("pool", auto_shutdown="any_significant")


# ---------------------------------------------------------------------- at open_tree


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (3, "3"),
        (None, "None"),
        (Account, repr(Account)),
        (child(Account), "the child 'account'"),
    ],
)
@virtual
async def test_a_root_that_is_no_supervisor(wrong: Any, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        open_tree(wrong)
    assert list(caught.value.findings) == [
        Finding(
            "invalid_root",
            "root",
            f"the root is {words}",
            "Pass what supervisor(...) or dynamic(...) gave.",
        )
    ]


@pytest.mark.parametrize("shutdown", [-1, math.nan, "5", None])
@virtual
async def test_a_wrong_shutdown_of_the_tree(shutdown: Any) -> None:
    with pytest.raises(SpecError) as caught:
        open_tree(supervisor("root"), shutdown=shutdown)
    assert list(caught.value.findings) == [
        Finding(
            "invalid_shutdown",
            "root",
            f"shutdown is {shutdown!r}",
            "Write a number of seconds of 0 or more, or math.inf, as shutdown.",
        )
    ]


@virtual
async def test_wrong_observers_and_a_wrong_random_of_the_tree() -> None:
    wrong: Any = open_tree
    with pytest.raises(SpecError) as caught:
        wrong(supervisor("root"), observers=[print, 3], random=4)
    assert list(caught.value.findings) == [
        Finding(
            "invalid_observer",
            "root",
            "an observer is 3",
            "Give functions that take an event.",
        ),
        Finding(
            "invalid_random",
            "root",
            "random is 4",
            "Write random.Random(seed), or None, as random.",
        ),
    ]


async def test_observers_that_could_not_hear_of_anything() -> None:
    async def observer(event: object) -> None: ...

    class Observer:
        async def __call__(self, event: object) -> None: ...

    wrong: Any = open_tree

    async def stream(event: object) -> AsyncGenerator[None]:
        yield

    for each in (observer, partial(observer, 1), Observer(), stream):
        with pytest.raises(SpecError) as caught:
            wrong(supervisor("root"), observers=(one for one in [print, each]))
        assert list(caught.value.findings) == [
            Finding(
                "invalid_observer",
                "root",
                f"an observer is {each!r}, and nobody would wait for it",
                "Give functions that are not async. One may send events on, by cast_nowait "
                "or the send_nowait of a memory channel; tree.events() is a stream of them.",
            )
        ]
    with pytest.raises(SpecError) as caught:
        wrong(supervisor("root"), observers=print)
    assert list(caught.value.findings) == [
        Finding(
            "invalid_observer",
            "root",
            "observers is <built-in function print>",
            "Write a list of functions that take an event.",
        )
    ]


@pytest.mark.parametrize("rate", [0, 0.5, -1, math.nan, "5", None, True])
@virtual
async def test_a_wrong_restart_rate_of_the_tree(rate: Any) -> None:
    with pytest.raises(SpecError) as caught:
        open_tree(supervisor("root"), restart_rate=rate)
    assert list(caught.value.findings) == [
        Finding(
            "invalid_restart_rate",
            "root",
            f"restart_rate is {rate!r}",
            "Write a number of restarts a minute of 1 or more, or math.inf.",
        )
    ]


class Wired(Actor):
    def __init__(self, *others: object) -> None:
        self.others = others


@virtual
async def test_refs_that_lead_out_of_the_tree_are_all_found_before_anything_starts() -> (
    None
):
    story = Story()
    outside, inside = child(Account, name="outside"), child(Account, name="inside")
    far = supervisor("far", child(Account, name="below"))
    wired: Any = child
    spec = supervisor(
        "root",
        inside,
        wired(Wired, outside.ref, inside.ref, name="a"),
        supervisor(
            "inner", wired(Wired, [1, (far.ref,)], {"k": outside.ref}, name="b")
        ),
    )
    with pytest.raises(SpecError) as caught:
        async with open_tree(spec, observers=[story]):
            pass
    assert [str(finding) for finding in caught.value.findings] == [
        (
            "root/a: it is given the ref of 'outside', which is not in this tree "
            "[unknown_ref]. Put 'outside' into the tree, or pass a live ref."
        ),
        (
            "root/inner/b: it is given the ref of 'far', which is not in this tree "
            "[unknown_ref]. Put 'far' into the tree, or pass a live ref."
        ),
        (
            "root/inner/b: it is given the ref of 'outside', which is not in this tree "
            "[unknown_ref]. Put 'outside' into the tree, or pass a live ref."
        ),
    ]
    assert story.events == []


@virtual
async def test_an_argument_may_hold_itself() -> None:
    account = child(Account)
    endless: list[object] = [account.ref]
    endless.append(endless)
    table: dict[str, object] = {"all": endless}
    table["self"] = table
    wired: Any = child
    spec = supervisor("root", account, wired(Given, table, name="given"))
    async with open_tree(spec) as tree:
        ref = await tree.ref("root/given", Given).call(Given.first)
        assert ref == tree[account]


class Given(Actor):
    def __init__(self, table: dict[str, list[Ref[Account]]]) -> None:
        self.table = table

    def first(self) -> Ref[Account]:
        return self.table["all"][0]


@virtual
async def test_a_live_ref_of_another_tree_may_be_given() -> None:
    account = child(Account)
    wired: Any = child
    async with open_tree(supervisor("one", account)) as one:
        spec = supervisor("two", wired(Wired, one[account]))
        async with open_tree(spec):
            pass


@virtual
async def test_a_factory_that_gives_no_actor_fails_the_start() -> None:
    def make() -> Any:
        return "an account"

    with pytest.raises(StartFailedError) as caught:
        async with open_tree(supervisor("root", child(make))):
            pass
    error = caught.value.__cause__
    assert isinstance(error, NotAnActorError)
    assert isinstance(error, TypeError)
    assert str(error) == (
        "the factory of 'root/make' gave 'an account', which is no Actor. Let it return an "
        "instance of an Actor class, or pass an async function for a service."
    )


# ------------------------------------------------------------------------------ values


def test_names_are_made_of_the_factorys() -> None:
    class CSVWriter2(Actor):
        pass

    specs: dict[str, Any] = {
        "account": child(Account),
        "http_server": child(HTTPServer),
        "csv_writer2": child(CSVWriter2),
        "make_account": child(make_account, 1),
        "plain_service": child(plain_service, 1),
    }
    assert {name: spec.name for name, spec in specs.items()} == {n: n for n in specs}
    assert child(partial(partial(Account, 1))).name == "account"
    assert child(Account, name="other").name == "other"
    anything: Any = child
    assert found(anything(lambda: Account())) == [
        Finding("invalid_name", "root/<lambda>", "the name is '<lambda>'", NAME)
    ]
    assert [finding.code for finding in found(anything(Callable()))] == ["invalid_name"]
    supervisor("root", anything(Callable(), name="callable"))


def test_specs_are_frozen_and_the_same_only_as_one_object() -> None:
    spec: Any = child(Account, 1, restart="transient")
    with pytest.raises(FrozenInstanceError):
        spec.name = "other"
    assert spec != child(Account, 1, restart="transient")
    assert spec == spec
    assert {spec: 1}[spec] == 1


def test_specs_can_be_printed() -> None:
    text = repr(supervisor("bank", child(Account, 100, restart="transient")))
    assert text.startswith("Supervisor(name='bank', restart='permanent', shutdown=inf,")
    assert "ActorSpec(name='account', restart='transient', shutdown=5.0," in text
    assert "args=(100,)" in text


def test_the_defaults() -> None:
    spec = supervisor("root", child(Account), child(plain_service, 1), dynamic("pool"))
    assert (spec.strategy, spec.intensity, spec.period) == ("one_for_one", 3, 5.0)
    assert (spec.auto_shutdown, spec.restart) == ("never", "permanent")
    assert spec.shutdown == math.inf
    account, plain, pool = spec.children
    for each in (account, plain):
        assert (each.restart, each.shutdown) == ("permanent", 5.0)
        assert (each.start, each.backoff) == ("fail", None)
        assert each.start_timeout == math.inf
        assert not each.significant
    assert pool.shutdown == math.inf
    assert child(Account).mailbox == Mailbox(1024, on_full="wait", on_restart="keep")


def test_every_code_has_a_test() -> None:
    """The codes that the sources give are those asserted here."""
    root = Path(regrow.__file__).parent
    codes: set[str] = set()
    for path in (*root.glob("_*/**/*.py"), *root.glob("errors/*.py")):
        text = path.read_text(encoding="utf-8")
        codes |= set(
            re.findall(r'"((?:too|invalid|bad|duplicate|same|unknown)_[a-z_]+)"', text)
        )
    here = Path(__file__).read_text(encoding="utf-8")
    assert {
        code for code in codes if f'"{code}"' not in here and code not in here
    } == set()
