"""The checks of what is valid and will still not do what was meant."""

import inspect
import math
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
from attrs import define
from hypothesis import given, settings, strategies as st

from regrow import (
    Actor,
    Advice,
    AnySpec,
    Backoff,
    Finding,
    Heartbeat,
    Mailbox,
    Ref,
    SpecError,
    Supervisor,
    check,
    child,
    dynamic,
    supervisor,
)
from regrow._core.advice import rules
from regrow._core.advice.figures import paces, start_failures, stop_times
from regrow._core.advice.limits import _time_to_hang
from regrow._core.advice.model import nodes_of
from regrow._core.exits import Exit, ExitReason
from regrow._core.specs import Late, SupervisorSpec
from tests.core.driver import Driver, spec, sup


@define(eq=False)
class Worker(Actor):
    """Holds whatever it is given."""

    held: object = None
    more: object = None


@define(eq=False)
class Spanned(Worker):
    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        yield


async def serve(*held: object) -> None:
    await trio.sleep_forever()


async def connect(*, task_status: trio.TaskStatus[None]) -> None:
    task_status.started()


def worker(name: str, *held: Any, **options: Any) -> Any:
    return child(Worker, *held, name=name, **options)


def service(name: str, *held: Any, **options: Any) -> Any:
    return child(serve, *held, name=name, **options)


def found(*children: AnySpec, grace: float = math.inf, **options: Any) -> list[str]:
    """Give `path code` of what is found in a tree of *children*."""
    tree = supervisor("top", *children, **options)
    return [f"{each.path} {each.code}" for each in check(tree, grace=grace)]


def said(tree: Supervisor, grace: float = math.inf) -> list[str]:
    return [str(each) for each in check(tree, grace=grace)]


# ------------------------------------------------------------------------------ limits

SLOW = Backoff(initial=1, factor=2, maximum=30, jitter=0, max_attempts=4)  # 7 seconds


def inner(*children: AnySpec, **options: Any) -> Supervisor:
    return supervisor("inner", *children, **options)


def test_a_supervisor_that_fails_too_slowly_for_the_limit_above_it() -> None:
    assert said(supervisor("top", inner(service("a", backoff=SLOW)), period=20.9)) == [
        (
            "top/inner: error: the backoffs below it let it fail once in 7 s at the most, so it "
            "is restarted for ever: the limit of 'top' (3 in 20.9 s) is never reached by it "
            "[limit_never_reached]. Write a period of 21 or more, or lower intensity, or lower "
            "max_attempts of the backoffs below."
        )
    ]


SLOWER = Backoff(initial=10, factor=1, jitter=0, max_attempts=2)  # 10 seconds
THRICE = Backoff(initial=0.5, factor=1, jitter=0.5, max_attempts=4)  # 0.75 at the least


@pytest.mark.parametrize(
    ("below", "limit", "slow"),
    [
        ([service("a", backoff=SLOW)], {"period": 20.9}, True),
        ([service("a", backoff=SLOW)], {"period": 21}, False),
        ([service("a", backoff=SLOW)], {"period": 7, "intensity": 1}, False),
        ([service("a", backoff=SLOW)], {"period": 6.9, "intensity": 1}, True),
        ([service("a", backoff=SLOW)], {"intensity": 0}, False),
        ([service("a", backoff=THRICE)], {"period": 2.2}, True),
        ([service("a", backoff=THRICE)], {"period": 2.3}, False),
        # Another child may fail at once, or the start of this one.
        ([service("a", backoff=SLOW), service("b")], {}, False),
        ([worker("a", backoff=SLOW)], {}, False),
        ([worker("a", backoff=SLOW, start="retry")], {}, True),
        ([child(connect, backoff=SLOW)], {}, False),
        # One that never fails is no matter, and one that never gives up is meant.
        ([service("a", backoff=SLOW), service("b", restart="temporary")], {}, True),
        ([service("a", backoff=Backoff())], {}, False),
        # The faster of two; in a group they end each other's waits.
        ([service("a", backoff=SLOW), service("b", backoff=SLOWER)], {}, True),
        ([dynamic("a", max_children=9)], {}, False),
    ],
)
def test_failures_that_are_too_slow(
    below: list[AnySpec], limit: dict[str, Any], slow: bool
) -> None:
    told = [each for each in found(inner(*below), **limit) if "limit_never" in each]
    assert told == (["top/inner limit_never_reached"] if slow else [])


@pytest.mark.parametrize(
    ("options", "slow"),
    [
        ({}, True),
        ({"strategy": "one_for_all"}, False),
        ({"restart": "temporary"}, False),
        ({"backoff": Backoff()}, False),
        ({"start_timeout": 9}, False),
    ],
)
def test_what_makes_a_supervisor_fail_sooner_or_never(
    options: dict[str, Any], slow: bool
) -> None:
    below = [service("a", backoff=SLOW), service("b", backoff=SLOWER)]
    told = found(inner(*below, **options))
    assert told == (["top/inner limit_never_reached"] if slow else [])


def test_significant_children_may_end_it_at_once() -> None:
    ends = service("a", backoff=SLOW, restart="transient", significant=True)
    assert found(inner(ends, auto_shutdown="any_significant")) == []


def test_slowness_is_seen_over_several_levels() -> None:
    low = supervisor("low", service("a", backoff=SLOW))
    # 7 s for each failure of `low`, and the fourth makes `mid` fail.
    mid = supervisor("mid", low, period=21)
    assert found(mid, period=83) == ["top/mid limit_never_reached"]
    low = supervisor("low", service("a", backoff=SLOW))
    mid = supervisor("mid", low, period=21)
    assert found(mid, period=84) == []


@pytest.mark.parametrize(("reset_after", "told"), [(7, True), (7.1, False)])
def test_what_never_gives_up_is_no_failure_for_those_above(
    reset_after: float, told: bool
) -> None:
    backoff = Backoff(jitter=0, max_attempts=2, reset_after=reset_after)
    low = supervisor("low", service("a", backoff=SLOW), backoff=backoff)
    code = "attempts_never_counted" if told else "limit_never_reached"
    path = "top/mid/low" if told else "top/mid"
    assert found(supervisor("mid", low)) == [f"{path} {code}"]


def beating(**options: Any) -> Supervisor:
    limit = {key: options.pop(key) for key in ("intensity", "period") if key in options}
    return supervisor(
        "top", worker("a", heartbeat=Heartbeat(10, 5, 3), **options), **limit
    )


@pytest.mark.parametrize(
    ("options", "hangs"),
    [
        ({}, True),  # 35 seconds, and 3 in 5
        ({"period": 105}, False),
        ({"period": 104.9}, True),
        ({"intensity": 0}, False),
        ({"restart": "temporary"}, False),
        ({"backoff": Backoff(max_attempts=5)}, False),
        ({"backoff": Backoff(max_attempts=5, reset_after=35)}, True),
        ({"backoff": Backoff(max_attempts=5, reset_after=35.1)}, False),
        ({"backoff": Backoff(reset_after=1)}, False),
    ],
)
def test_hangs_that_are_found_too_slowly(options: dict[str, Any], hangs: bool) -> None:
    told = [each.code for each in check(beating(**options))]
    assert ("hang_never_escalates" in told) is hangs


@pytest.mark.parametrize(
    ("heartbeat", "seconds"),
    [
        (Heartbeat(10, 5, 3), 35),
        (Heartbeat(10, 5), 15),
        (Heartbeat(5, 8, 2), 21),
        (Heartbeat(5, 8), 13),
    ],
)
def test_when_a_hang_is_found(heartbeat: Heartbeat, seconds: float) -> None:
    assert _time_to_hang(heartbeat) == seconds


def test_both_ways_in_which_a_hang_never_escalates() -> None:
    backoff = Backoff(max_attempts=5, reset_after=20)
    assert [
        str(each)
        for tree in (beating(), beating(backoff=backoff))
        for each in check(tree)
        if each.code == "hang_never_escalates"
    ] == [
        (
            "top/a: warning: its heartbeat finds it hanging after 35 s at the earliest: if it "
            "hangs each time, it is restarted for ever, and the limit of 'top' (3 in 5 s) is "
            "never reached [hang_never_escalates]. Write a period of 105 or more, or lower "
            "intensity, or lower every or misses of the heartbeat."
        ),
        (
            "top/a: warning: its heartbeat finds it hanging after 35 s at the earliest, and "
            "after reset_after, 20 s, a failure is the first again: if it hangs each time, it is "
            "restarted for ever [hang_never_escalates]. Write a reset_after above 35, or a "
            "faster heartbeat."
        ),
    ]


@pytest.mark.parametrize(
    ("backoff", "lost"),
    [
        (
            Backoff(reset_after=0, max_attempts=5),
            "max_attempts, 5, is never reached, and the delay never grows",
        ),
        (
            Backoff(reset_after=0, max_attempts=5, factor=1),
            "max_attempts, 5, is never reached",
        ),
        (Backoff(reset_after=0), "the delay never grows"),
        (Backoff(reset_after=0, factor=1), None),
        (Backoff(0.5, maximum=0.5, reset_after=0), None),
        (Backoff(reset_after=0.001, max_attempts=5), None),
    ],
)
def test_a_row_of_failures_that_is_always_over(
    backoff: Backoff, lost: str | None
) -> None:
    told = said(supervisor("top", service("a", backoff=backoff)))
    assert told == (
        [
            (
                "top/a: error: reset_after is 0, so every failure is the first in its row: "
                f"{lost} [attempts_never_counted]. Write the seconds of uptime after which it "
                "counts as healthy as reset_after."
            )
        ]
        if lost
        else []
    )


@pytest.mark.parametrize(("reset_after", "never"), [(7, True), (7.1, False)])
def test_a_supervisor_that_is_healthy_before_it_fails(
    reset_after: float, never: bool
) -> None:
    backoff = Backoff(max_attempts=3, reset_after=reset_after)
    told = said(supervisor("top", inner(service("a", backoff=SLOW), backoff=backoff)))
    assert told == (
        [
            (
                "top/inner: error: the backoffs below it keep it up for 7 s at least, and after "
                "reset_after, 7 s, a failure is the first again: max_attempts, 3, is never "
                "reached [attempts_never_counted]. Write a reset_after above 7."
            )
        ]
        if never
        else []
    )


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"backoff": Backoff(initial=0)}, "restarts_spin"),
        ({"backoff": Backoff(initial=0, max_attempts=5)}, None),
        ({"backoff": Backoff(initial=0.001)}, None),
        ({"backoff": Backoff(initial=0), "restart": "temporary"}, "unused_backoff"),
        ({"backoff": Backoff(), "restart": "temporary"}, "unused_backoff"),
        ({"backoff": Backoff(max_attempts=1)}, "unused_backoff"),
        ({"backoff": Backoff(max_attempts=2)}, None),
    ],
)
def test_backoffs_that_delay_nothing(options: dict[str, Any], code: str | None) -> None:
    assert found(service("a", **options)) == ([f"top/a {code}"] if code else [])


@pytest.mark.parametrize(
    ("retried", "spins"),
    [
        (worker("a", start="retry"), True),
        (worker("a", start="retry", restart="transient"), True),
        (worker("a", start="retry", backoff=Backoff()), False),
        (service("a", start="retry"), False),  # its start cannot fail
        (child(connect, name="a", start="retry"), True),
        (supervisor("a", worker("b"), start="retry"), True),
        (supervisor("a", service("b"), start="retry"), False),
        (supervisor("a", service("b"), start="retry", start_timeout=1), True),
    ],
)
def test_a_first_start_that_is_tried_again_at_once(
    retried: AnySpec, spins: bool
) -> None:
    assert found(retried) == (["top/a retry_without_backoff"] if spins else [])


def test_a_temporary_one_with_a_retried_start_uses_its_backoff() -> None:
    options: dict[str, Any] = {"start": "retry", "backoff": Backoff()}
    assert found(worker("a", restart="temporary", **options)) == []


@pytest.mark.parametrize(
    ("children", "none"),
    [
        ([worker("a")], True),
        ([worker("a", restart="transient"), worker("b")], True),
        ([worker("a", restart="temporary")], False),
        ([worker("a", backoff=Backoff())], False),
        ([], False),
    ],
)
def test_a_limit_without_any_restart(children: list[AnySpec], none: bool) -> None:
    assert found(*children, intensity=0) == (["top nothing_restarted"] if none else [])


def tower(*intensities: int, **options: Any) -> Supervisor:
    """Give supervisors above each other, the outermost first, over one worker."""
    *outer, last = intensities
    tree = supervisor(f"s{len(outer)}", worker("a"), intensity=last, **options)
    for level, intensity in reversed(list(enumerate(outer))):
        tree = supervisor(f"s{level}", tree, intensity=intensity)
    return tree


@pytest.mark.parametrize(
    ("tree", "crashes"),
    [
        (tower(3, 3, 3, 3), None),  # 256
        (tower(3, 3, 3, 3, 3), "1,024 crashes of a child of it, 4 * 4 * 4 * 4 * 4"),
        (tower(1, 166), "334 crashes of a child of it, 2 * 167"),
        (tower(2, 110), None),  # 333
        (tower(999), None),  # one level multiplies nothing
        (tower(1, 999, backoff=Backoff()), None),
        (tower(1, 999, restart="temporary"), None),
        (
            tower(1, *[9] * 30),
            (
                "at least 1,000,000,000 crashes of a child of it, "
                "2 * 10 * 10 * 10 * 10 * 26 more"
            ),
        ),
    ],
)
def test_limits_that_multiply(tree: Supervisor, crashes: str | None) -> None:
    told = [each for each in check(tree) if each.code == "restart_amplification"]
    if crashes is None:
        assert told == []
        return
    [advice] = told
    assert advice.path == nodes_of(tree)[-2].path
    assert advice.reason == (
        f"{crashes}, must come before the tree gives up: 333 fill its history, so what "
        "began it is lost by then"
    )


def test_only_the_worst_way_is_told() -> None:
    one = supervisor("one", worker("a"), intensity=499)
    two = supervisor("two", worker("a"), dynamic("many", max_children=1, intensity=2))
    assert found(one, two, intensity=99) == ["top/one restart_amplification"]
    tree = supervisor("many", dynamic("d", max_children=1, intensity=99))
    assert found(tree) == ["top/many/d restart_amplification"]


# ---------------------------------------------------------------------------- stopping


def stop_time(tree: AnySpec) -> float:
    nodes = nodes_of(tree)
    return stop_times(nodes)[nodes[0]]


@pytest.mark.parametrize(
    ("tree", "seconds"),
    [
        (supervisor("a"), 0),
        (supervisor("a", worker("b"), worker("c", shutdown=7)), 12),
        (supervisor("a", worker("b"), worker("c", shutdown=7), shutdown=10), 10),
        (supervisor("a", worker("b", shutdown=math.inf)), math.inf),
        (supervisor("a", supervisor("b", worker("c", shutdown=9), shutdown=2)), 2),
        (supervisor("a", dynamic("b"), dynamic("c", shutdown=1)), 6),
    ],
)
def test_how_long_a_tree_may_take_to_stop(tree: AnySpec, seconds: float) -> None:
    assert stop_time(tree) == seconds


def test_a_tree_that_takes_longer_than_its_grace() -> None:
    children = [worker(f"w{n}", shutdown=n) for n in (1, 2, 3, 4)]
    tree = supervisor("top", *children)
    assert said(tree, grace=10) == []
    assert said(tree, grace=9.5) == [
        (
            "top: error: it may take 10 s to stop, since children stop one after the other, and "
            "has 9.5 s: what has not stopped by then is killed with the program. The longest are "
            "'top/w4' (4 s), 'top/w3' (3 s), 'top/w2' (2 s) [shutdown_over_grace]. Lower shutdown "
            "of those, put what may stop side by side under a dynamic(), or give the program "
            "more time."
        )
    ]


def test_a_supervisor_that_cuts_its_children_short() -> None:
    def tree(**options: Any) -> list[str]:
        return found(inner(worker("a"), worker("b"), **options))

    assert tree(shutdown=9.9) == ["top/inner shutdown_cut_short"]
    assert tree(shutdown=10) == tree() == []
    assert found(worker("a"), shutdown=0) == ["top shutdown_cut_short"]
    assert found(dynamic("d", max_children=1, shutdown=0)) == []


def test_a_worker_that_nothing_cuts_off() -> None:
    def tree(**options: Any) -> list[str]:
        return found(inner(worker("a", shutdown=math.inf), **options))

    assert tree() == ["top/inner/a endless_shutdown"]
    assert tree(shutdown=60) == ["top/inner shutdown_cut_short"]


def test_a_lifespan_that_has_no_time_to_end() -> None:
    def of(factory: Callable[..., Actor], **options: Any) -> list[str]:
        return found(child(factory, name="a", **options))

    assert of(Spanned, shutdown=0) == ["top/a lifespan_cut"]
    assert of(partial(Spanned, 1), shutdown=0) == ["top/a lifespan_cut"]
    assert of(Worker, shutdown=0) == of(Spanned) == []
    assert of(lambda: Spanned(), shutdown=0) == []  # nobody can know


@define(eq=False)
class Examined(Worker):
    async def check_health(self) -> None:
        """Be well."""


def test_a_health_that_nothing_asks_for() -> None:
    def of(factory: Callable[..., Actor], **options: Any) -> list[str]:
        return found(child(factory, name="a", **options))

    assert of(Examined) == ["top/a health_never_asked"]
    assert of(partial(Examined, 1)) == ["top/a health_never_asked"]
    assert "health_never_asked" not in str(of(Examined, heartbeat=Heartbeat(10, 5, 3)))
    assert of(Worker) == of(lambda: Examined()) == []  # the second, nobody can know


@define(eq=False)
class Motor(Worker):
    ref: str = ""  # type: ignore[assignment]

    def stop(self) -> None:
        """Halt."""


def test_names_that_hide_what_every_actor_has() -> None:
    def of(factory: Callable[..., Actor]) -> list[str]:
        return [
            str(advice) for advice in check(supervisor("top", child(factory, name="a")))
        ]

    (told,) = of(Motor)
    assert told.startswith(
        "top/a: warning: its class has 'ref' and 'stop' of its own, "
    )
    assert of(Worker) == of(lambda: Motor()) == []  # the second, nobody can know


# ------------------------------------------------------------------------------ wiring


def pair(one_way: str, **options: Any) -> list[str]:
    """Declare `a` before `b`; `one_way` says who holds whose ref."""
    lists: dict[str, list[Ref[Worker]]] = {"a": [], "b": []}
    a, b = (child(Worker, lists[name], name=name) for name in "ab")
    if ">" in one_way:
        lists["a"].append(b.ref)
    if "<" in one_way:
        lists["b"].append(a.ref)
    return [each for each in found(a, b, **options) if "kept_argument" not in each]


@pytest.mark.parametrize(
    ("strategy", "forwards", "both"),
    [
        ("one_for_one", "top/a ref_to_later", "top wired_in_a_circle"),
        ("one_for_all", "top/a ref_to_later", None),
        ("rest_for_one", "top/a order_against_wiring", "top wired_in_a_circle"),
    ],
)
def test_who_holds_whose_ref(strategy: Any, forwards: str, both: str | None) -> None:
    assert pair("", strategy=strategy) == []
    assert pair("<", strategy=strategy) == []
    assert pair(">", strategy=strategy) == [forwards]
    assert pair("<>", strategy=strategy) == ([both] if both else [])


def test_texts_about_refs() -> None:
    later = [worker(f"l{n}") for n in range(5)]
    early = worker("early", [each.ref for each in later])
    assert said(supervisor("top", early, *later)) == [
        (
            "top/early: warning: it is given the ref of 'top/l0', 'top/l1', 'top/l2' and 2 more, "
            "which starts after it and stops before it: what it asks there while it starts or "
            "cleans up has nobody to answer it [ref_to_later]. Declare it after 'top/l0', "
            "'top/l1', 'top/l2' and 2 more, or ask there only while both run."
        )
    ]


def test_refs_between_subtrees_are_judged_where_the_ways_part() -> None:
    store = worker("store")
    front = supervisor("front", service("web", {"store": (store.ref,)}))
    back = supervisor("back", supervisor("data", store))
    assert found(front, back) == ["top/front/web ref_to_later"]
    assert found(back, front) == []
    assert found(front, back, strategy="rest_for_one") == [
        "top/front/web order_against_wiring"
    ]


def test_a_circle_over_several_siblings_is_told_once() -> None:
    last: list[Ref[Worker]] = []
    a = child(Worker, last, name="a")
    b = child(Worker, a.ref, name="b")
    c = child(Worker, b.ref, name="c")
    last.append(c.ref)
    outside = child(Worker, c.ref, name="d")
    assert said(supervisor("top", a, b, c, outside)) == [
        (
            "top: warning: 'a', 'b' and 'c' hold refs of each other, and under one_for_one one "
            "is restarted while another stays, with what it knew of the one before "
            "[wired_in_a_circle]. Write strategy='one_for_all', or take out one of the refs."
        )
    ]


def test_the_ref_of_the_own_supervisor_has_no_order() -> None:
    boss: list[Any] = []
    below = inner(worker("a", boss))
    boss.append(below.ref)
    assert found(below) == []


def test_a_ref_to_what_may_be_gone() -> None:
    gone = worker("gone", restart="temporary")
    assert found(gone, worker("a", gone.ref)) == ["top/a ref_to_temporary"]
    task = service("gone", restart="temporary")
    assert found(task, worker("a", task.ref)) == []  # to wait for its end


def test_a_ref_where_no_live_one_takes_its_place() -> None:
    target = worker("b")
    ref = target.ref

    def holding(value: object) -> list[str]:
        codes = {"mutable_argument", "shared_argument"}
        told = found(target, worker("a", value))
        return [each for each in told if each.split()[1] not in codes]

    lost = ["top/a ref_not_bound"]
    for value in ({ref}, frozenset([ref]), deque([ref]), {ref: 1}, [{(ref,)}]):
        assert holding(value) == lost
    assert holding(partial(print, {ref})) == holding(partial(print, end={ref})) == lost
    assert holding(({1: [ref]}, ref)) == []
    made = child(partial(Worker, held=frozenset([ref])), name="a")
    assert found(target, made) == lost
    # No order is asked of what cannot be used.
    assert found(made, target) == lost


def test_a_ref_in_a_partial_is_a_ref() -> None:
    target = worker("b")
    for value in (partial(print, target.ref), [partial(print, end=[target.ref])]):
        assert found(target, worker("a", value)) == []
        assert found(worker("a", value), target) == ["top/a ref_to_later"]
    made = child(partial(Worker, more=[target.ref]), name="a")
    assert found(target, made) == []
    assert found(made, target) == ["top/a ref_to_later"]


def test_a_declaration_where_its_ref_was_meant() -> None:
    target = worker("b")
    below = inner(target)
    for value in (target, [target], {"b": (target,)}, {target}, partial(print, target)):
        codes = [each.split()[1] for each in found(below, worker("a", value))]
        assert "spec_for_ref" in codes
    assert said(supervisor("top", below, service("a", target, below))) == [
        (
            "top/a: warning: it is given the declaration of 'top/inner/b' and 'top/inner' "
            "itself, which nothing can be sent to, and no live ref takes its place "
            "[spec_for_ref]. Pass its .ref."
        )
    ]
    # One that stands nowhere in the tree may be started by its holder.
    assert found(service("a", target)) == []


def test_a_live_ref_is_no_matter() -> None:
    assert found(worker("a", Late(None))) == []


def test_a_ref_that_leads_out_of_the_tree_is_what_open_tree_refuses() -> None:
    stranger = worker("stranger")
    assert said(supervisor("top", worker("a", stranger.ref))) == [
        (
            "top/a: error: it is given the ref of 'stranger', which is not in this tree "
            "[unknown_ref]. Put 'stranger' into the tree, or pass a live ref."
        )
    ]


# --------------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([], "kept_argument"),
        ({}, "kept_argument"),
        (set[int](), "kept_argument"),
        (bytearray(), "kept_argument"),
        (([],), "kept_argument"),
        ([1], "mutable_argument"),
        ({"a": [1]}, "mutable_argument"),
        ((), None),
        ("", None),
        (frozenset[int](), None),
        (Worker(), None),
    ],
)
def test_arguments_that_outlive_an_incarnation(value: Any, code: str | None) -> None:
    expected = [f"top/a {code}"] if code else []
    assert found(worker("a", value)) == expected
    assert found(service("a", value)) == expected
    assert found(child(partial(Worker, more=value), name="a")) == expected
    assert found(worker("a", value, restart="temporary")) == []


def test_wiring_is_no_state() -> None:
    target = worker("b")
    for wired in ([target.ref], {"x": (target.ref,)}, [[target.ref], []]):
        told = found(target, worker("a", wired))
        assert "top/a mutable_argument" not in told
        assert told == ([] if len(wired) == 1 else ["top/a kept_argument"])


def test_an_argument_in_several_hands_is_told_of_the_first() -> None:
    board: list[int] = [1]
    below = inner(worker("c", (board,)))
    assert said(
        supervisor("top", worker("a", board), worker("b", board, board), below)
    ) == [
        (
            "top/a: warning: the same list is given to 'top/b' and 'top/inner/c' as well: each "
            "sees what the others do to it at any await, and what a crashed one left in it "
            "[shared_argument]. Give it to one actor and the others the ref of that, or pass a "
            "tuple, a frozenset or a MappingProxyType."
        )
    ]


def test_a_list_that_holds_itself() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert found(worker("a", endless)) == ["top/a mutable_argument"]


# ------------------------------------------------------------- significance and bounds


@pytest.mark.parametrize(
    ("options", "never"),
    [
        ({"restart": "transient"}, True),
        ({"restart": "temporary"}, False),
        ({"restart": "transient", "auto_shutdown": "any_significant"}, False),
    ],
)
def test_a_significant_supervisor_that_can_never_end(
    options: dict[str, Any], never: bool
) -> None:
    ends = service("a", restart="transient", significant="auto_shutdown" in options)
    below = inner(ends, significant=True, **options)
    told = found(below, auto_shutdown="all_significant")
    assert told == (["top/inner never_ends"] if never else [])


def test_a_worker_may_end() -> None:
    ends = worker("a", restart="transient", significant=True)
    assert found(ends, auto_shutdown="any_significant") == []


def test_nobody_whose_end_could_end_it() -> None:
    assert found(worker("a"), auto_shutdown="any_significant") == [
        "top no_significant_child"
    ]
    assert found(auto_shutdown="any_significant") == []  # they come at run time


def test_what_has_no_bound() -> None:
    assert found(worker("a", mailbox=Mailbox(math.inf)), dynamic("b")) == [
        "top/a unbounded_mailbox",
        "top/b unbounded_children",
    ]
    assert (
        found(worker("a", mailbox=Mailbox(10**6)), dynamic("b", max_children=9)) == []
    )


# -------------------------------------------------------------------------- in general


def test_what_is_no_tree_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        check("top")  # type: ignore[arg-type]
    assert [finding.code for finding in caught.value.findings] == ["invalid_root"]


@pytest.mark.parametrize("grace", [-1, math.nan, "30", None])
def test_a_grace_that_is_no_number_of_seconds_is_refused(grace: Any) -> None:
    with pytest.raises(SpecError) as caught:
        check(supervisor("top"), grace=grace)
    assert [finding.code for finding in caught.value.findings] == ["invalid_grace"]


def test_a_fault_of_a_declaration_is_an_error() -> None:
    finding = Finding("code", "a/b", "it is so", "Write it otherwise.")
    advice = Advice.of(finding)
    assert advice == Advice("code", "error", "a/b", "it is so", "Write it otherwise.")


def test_a_name_cannot_break_the_line() -> None:
    [line] = said(supervisor("to\np\x1b[31m", worker("a"), intensity=0))
    assert line.startswith("to\\np\\x1b[31m: hint: ")


def test_every_rule_has_a_name_of_its_own_and_says_what_it_is_about() -> None:
    codes = [rule.code for rule in rules.RULES]
    assert len(codes) == len(set(codes))
    assert all(inspect.getdoc(rule.find) for rule in rules.RULES)


def test_a_tree_may_be_deeper_than_python_is() -> None:
    tree = supervisor("s", worker("a"))
    for _ in range(2000):
        tree = Supervisor(name="s", children=(tree,))
    assert [each.code for each in check(tree)] == ["restart_amplification"]


HUGE = 10**5000
seconds = st.sampled_from([0.1, 1, 5.0, 60, 1e300])
backoffs = st.builds(
    Backoff,
    initial=st.sampled_from([0, 0.1, 1, 1e-300]),
    factor=st.sampled_from([1, 2, 2.0, 1e300]),
    maximum=st.sampled_from([1, 30.0, 1e300]),
    jitter=st.sampled_from([0, 0.1, 1]),
    reset_after=st.sampled_from([0, 1, 60.0, math.inf]),
    max_attempts=st.sampled_from([1, 2, 5, HUGE, math.inf]),
)
supervised = st.fixed_dictionaries(
    {
        "restart": st.sampled_from(["permanent", "transient", "temporary"]),
        "start": st.sampled_from(["fail", "retry"]),
        "backoff": st.none() | backoffs,
        "shutdown": st.sampled_from([0, 1, 5.0, 1e300, math.inf]),
        "start_timeout": st.sampled_from([0.5, math.inf]),
    }
)
strategies = st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"])
limits: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"intensity": st.sampled_from([0, 1, 3, 50, HUGE]), "period": seconds}
)


@st.composite
def trees(draw: st.DrawFn) -> Supervisor:
    """Draw any valid tree: kinds, options, and arguments that hold any refs."""
    lists: list[list[Any]] = []
    specs: list[Any] = []

    def draw_one(name: str, depth: int) -> Any:
        options: dict[str, Any] = draw(supervised)
        kind = draw(st.sampled_from("wwscd" if depth < 3 else "wwsc"))
        match kind:
            case "w" | "s":
                lists.append([])
                factory = draw(st.sampled_from([Worker, Spanned]))
                made: Any = child(
                    factory if kind == "w" else serve, lists[-1], name=name, **options
                )
            case "c":
                made = child(connect, name=name, **options)
            case _ if draw(st.booleans()):
                made = dynamic(name, **(draw(limits) | options))
            case _:
                made = draw_supervisor(name, depth, options)
        specs.append(made)
        return made

    def draw_supervisor(name: str, depth: int, options: dict[str, Any]) -> Supervisor:
        options = options | draw(limits)
        options["strategy"] = draw(strategies)
        below = [draw_one(f"c{n}", depth + 1) for n in range(draw(st.integers(0, 3)))]
        return supervisor(name, *below, **options)

    tree = draw_supervisor("top", 0, {})
    if specs and lists:
        for _ in range(draw(st.integers(0, 6))):
            draw(st.sampled_from(lists)).append(draw(st.sampled_from(specs)).ref)
    return tree


@given(tree=trees(), grace=st.sampled_from([0, 30, math.inf]))
def test_it_never_raises_and_goes_by_the_order_of_the_tree(
    tree: Supervisor, grace: float
) -> None:
    told = check(tree, grace=grace)
    order = {node.path: number for number, node in enumerate(nodes_of(tree))}
    severities = ["error", "warning", "hint"]
    places = [(order[each.path], severities.index(each.severity)) for each in told]
    assert places == sorted(places)
    known = {rule.code: rule.severity for rule in rules.RULES}
    for each in told:
        assert known[each.code] == each.severity
        assert each.remedy.endswith(".")
        assert "\n" not in str(each)
    assert told == check(tree, grace=grace)


# ---------------------------------------------- a limit that is said to be out of reach


def crash_at_once(driver: Driver, choose: Callable[[list[str]], str]) -> float:
    """Crash whatever runs, as fast as it goes; give when the supervisor gives up."""
    for _ in range(200):
        if driver.finished is not None:
            return driver.now
        if driver.up:
            driver.crash(choose(driver.up))
        elif driver.timers:
            driver.advance(min(at for _, at in driver.timers.values()) - driver.now)
        else:
            return math.inf
    return math.inf


few = st.builds(
    Backoff,
    initial=st.sampled_from([0.5, 1.0, 3.0]),
    factor=st.sampled_from([1.0, 2.0]),
    maximum=st.just(4.0),
    jitter=st.sampled_from([0.0, 0.5]),
    reset_after=st.sampled_from([0.0, 2.0]),
    max_attempts=st.integers(1, 5),
)


@settings(deadline=None)
@given(
    backoffs=st.lists(st.none() | few, min_size=1, max_size=3),
    strategy=st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]),
    data=st.data(),
)
def test_no_supervisor_fails_sooner_than_is_said(
    backoffs: list[Backoff | None], strategy: Any, data: st.DataObject
) -> None:
    children = [
        spec(f"c{n}", backoff=backoff, start="retry")
        for n, backoff in enumerate(backoffs)
    ]
    tree = sup(*children, strategy=strategy)
    nodes = nodes_of(tree)
    pace = paces(nodes, start_failures(nodes))[nodes[0]]

    def choose(names: list[str]) -> str:
        return data.draw(st.sampled_from(names))

    driver = Driver(tree, draw=lambda: 1 - 1e-12)
    assert crash_at_once(driver, choose) >= pace - 1e-6


@settings(deadline=None)
@given(backoff=few.filter(lambda each: each.reset_after > 0))
def test_alone_it_fails_just_then(backoff: Backoff) -> None:
    tree = sup(spec("c", backoff=backoff, start="retry"))
    nodes = nodes_of(tree)
    pace = paces(nodes, start_failures(nodes))[nodes[0]]
    driver = Driver(tree, draw=lambda: 1 - 1e-12)
    assert crash_at_once(driver, lambda names: names[0]) == pytest.approx(pace)


@given(
    backoff=few.filter(lambda each: each.max_attempts > 1),
    intensity=st.integers(1, 4),
    period=st.floats(0.1, 60),
)
def test_a_limit_that_is_said_to_be_out_of_reach_is_never_reached(
    backoff: Backoff, intensity: int, period: float
) -> None:
    low = sup(spec("c", backoff=backoff, start="retry"), name="low")
    tree = sup(low, intensity=intensity, period=period)
    nodes = nodes_of(tree)
    pace = paces(nodes, start_failures(nodes))[nodes[1]]
    out_of_reach = "limit_never_reached" in [each.code for each in check(tree)]
    if math.isinf(pace):
        assert not out_of_reach
        return
    driver = Driver(tree)
    for _ in range(50):
        driver.advance(pace)
        driver.crash("low")
        if driver.finished:
            break
    # Near the edge nothing is said, since rounding decides there.
    assert (driver.finished is None) is out_of_reach or intensity * pace == (
        pytest.approx(period)
    )


def test_a_child_that_counts_as_healthy_is_restarted_for_ever() -> None:
    backoff = Backoff(initial=1, jitter=0, reset_after=0, max_attempts=3)
    driver = Driver(sup(spec("a", backoff=backoff)))
    for _ in range(100):
        driver.crash("a")
        driver.advance(1)
    assert driver.finished is None
    assert driver.up == ["a"]


def test_a_significant_supervisor_is_restarted_when_it_gives_up() -> None:
    below = SupervisorSpec(name="low", restart="transient", significant=True)
    tree = sup(below, auto_shutdown="all_significant")
    assert [each.code for each in check(tree)] == ["never_ends"]
    driver = Driver(tree)
    driver.send(driver.exits("low", Exit(ExitReason.CRASHED)))
    assert (driver.up, driver.finished) == (["low"], None)
