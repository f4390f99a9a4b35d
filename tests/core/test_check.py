"""The static checks (D2): every fault, its code, its place and its remedy."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from attrs import evolve, frozen

from regrow._core.backoff import Backoff
from regrow._core.check import (
    check_added,
    check_supervisor,
    check_tree,
    late_refs,
    refuse,
)
from regrow._core.options import check_mailbox, check_options
from regrow._core.specs import ChildSpec, Late, Mailbox, SupervisorSpec, walk
from regrow.errors import Finding, SpecError
from tests.core.driver import dynamic, spec, sup


def declared(**options: Any) -> ChildSpec:
    """A child as `child()` gives it: with what is wrong recorded on it."""
    made = ChildSpec(name=options.pop("name", "a"), **options)
    return evolve(made, findings=tuple(check_options(made)))


def told(findings: Iterator[Finding]) -> list[str]:
    return [str(finding) for finding in findings]


def codes(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    return [(finding.code, finding.place) for finding in findings]


NUMBERS: list[Any] = [-1, -0.5, math.nan, -math.inf, "1", None, True]
HUGE = 10**400  # a whole number that no float can hold

# ------------------------------------------------------------------ options of a child


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shutdown": 0, "start_timeout": 0.1},
        {"shutdown": math.inf, "restart": "transient", "significant": True},
        {"restart": "temporary", "significant": True, "start": "retry"},
        {"backoff": Backoff()},
        {"backoff": Backoff(0.0, 1, 0.0, 0, 0, 1)},
        {"backoff": Backoff(jitter=1, reset_after=math.inf)},
        {"name": "a b-c.d"},
    ],
)
def test_nothing_is_wrong_with(options: dict[str, Any]) -> None:
    assert declared(**options).findings == ()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"restart": "sometimes"},
            (
                "a: restart is 'sometimes' [invalid_restart_type]. Write one of 'permanent', "
                "'transient', 'temporary' as restart."
            ),
        ),
        (
            {"restart": None},
            (
                "a: restart is None [invalid_restart_type]. Write one of 'permanent', "
                "'transient', 'temporary' as restart."
            ),
        ),
        (
            {"significant": 1},
            (
                "a: significant is 1 [invalid_significant]. Write True or False as "
                "significant."
            ),
        ),
        (
            {"significant": True},
            (
                "a: significant=True with restart='permanent', which never ends for good "
                "[bad_combination]. Write restart='transient' or 'temporary', or leave "
                "significant out."
            ),
        ),
        (
            {"shutdown": -1},
            (
                "a: shutdown is -1 [invalid_shutdown]. Write a number of seconds of 0 or more, "
                "or math.inf, as shutdown."
            ),
        ),
        (
            {"start_timeout": 0},
            (
                "a: start_timeout is 0 [invalid_start_timeout]. Write a number of seconds above "
                "0, or math.inf, as start_timeout."
            ),
        ),
        (
            {"start": "later"},
            "a: start is 'later' [invalid_start]. Write one of 'fail', 'retry' as start.",
        ),
        (
            {"backoff": 5},
            "a: backoff is 5 [invalid_backoff]. Write Backoff(...) or None as backoff.",
        ),
        (
            {"name": "a/b"},
            (
                "a/b: the name is 'a/b' [invalid_name]. Give name=, a text that is not empty "
                "and has no '/'."
            ),
        ),
    ],
)
def test_a_fault_says_what_came_and_what_to_write(
    options: dict[str, Any], text: str
) -> None:
    assert told(iter(declared(**options).findings)) == [text]


@pytest.mark.parametrize("name", ["", "a/b", "/", "<lambda>", None, 3])
def test_names_that_are_none(name: Any) -> None:
    assert [f.code for f in declared(name=name).findings] == ["invalid_name"]


@pytest.mark.parametrize("option", ["shutdown", "start_timeout"])
@pytest.mark.parametrize("value", [*NUMBERS, HUGE])
def test_seconds_that_are_none(option: str, value: Any) -> None:
    assert codes(iter(declared(**{option: value}).findings)) == [
        (f"invalid_{option}", "a")
    ]


@pytest.mark.parametrize(
    ("field", "values", "bound"),
    [
        ("initial", [*NUMBERS, math.inf], "0 or more"),
        ("factor", [*NUMBERS, 0.99, math.inf, HUGE], "1 or more"),
        ("maximum", [*NUMBERS, 0.09, math.inf], "initial, 0.1, or more"),
        ("jitter", [*NUMBERS, 1.01], "from 0 to 1"),
        ("reset_after", NUMBERS, "0 or more"),
        ("max_attempts", [*NUMBERS, 0, 1.5], "a whole number from 1, or math.inf"),
    ],
)
def test_every_field_of_a_backoff_has_its_bounds(
    field: str, values: list[Any], bound: str
) -> None:
    for value in values:
        wrong: Any = {field: value}
        texts = told(iter(declared(backoff=Backoff(**wrong)).findings))
        text = (
            f"a: {field} of the backoff is {value!r} [invalid_backoff]. "
            f"Write {bound} as {field}."
        )
        assert text in texts
        assert len(texts) == 1 or field == "initial"  # then the maximum has no bound


# --------------------------------------------------------------------------- mailboxes


@pytest.mark.parametrize(
    "mailbox",
    [
        Mailbox(),
        Mailbox(0, "drop_newest"),
        Mailbox(1, "drop_oldest", "clear"),
        Mailbox(math.inf, "raise"),
    ],
)
def test_nothing_is_wrong_with_a_mailbox(mailbox: Mailbox) -> None:
    assert told(check_mailbox("a", mailbox)) == []


@pytest.mark.parametrize(
    ("mailbox", "text"),
    [
        (
            1024,
            "a: mailbox is 1024 [invalid_mailbox]. Write Mailbox(...) as mailbox.",
        ),
        *[
            (
                Mailbox(capacity),
                (
                    f"a: the mailbox's capacity is {capacity!r} [invalid_mailbox]. Write a "
                    "whole number from 0, or math.inf, as capacity."
                ),
            )
            for capacity in [*NUMBERS, 1.5]
        ],
        (
            Mailbox(on_full="burst"),  # type: ignore[arg-type]
            (
                "a: on_full is 'burst' [invalid_mailbox]. Write one of 'wait', 'raise', "
                "'drop_oldest', 'drop_newest' as on_full."
            ),
        ),
        (
            Mailbox(on_restart="lose"),  # type: ignore[arg-type]
            (
                "a: on_restart is 'lose' [invalid_mailbox]. Write one of 'keep', 'clear' as "
                "on_restart."
            ),
        ),
        (
            Mailbox(0, "drop_oldest"),
            (
                "a: a mailbox of capacity 0 holds no oldest message to drop [invalid_mailbox]. "
                "Give it a capacity, or another on_full."
            ),
        ),
    ],
)
def test_faults_of_a_mailbox(mailbox: Any, text: str) -> None:
    assert told(check_mailbox("a", mailbox)) == [text]


# ------------------------------------------------------------------------- supervisors


@pytest.mark.parametrize(
    "supervisor",
    [
        sup(),
        sup("a", "b", strategy="rest_for_one", intensity=0, period=0.001),
        sup(sup("a", name="s"), sup("a", name="t"), "a"),
        sup(spec("a", "temporary", significant=True), auto_shutdown="any_significant"),
        dynamic(),
        dynamic(max_children=0),
    ],
)
def test_nothing_is_wrong_with_a_supervisor(supervisor: SupervisorSpec) -> None:
    assert told(check_supervisor(supervisor)) == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"strategy": "two_for_one"},
            (
                "top: strategy is 'two_for_one' [invalid_strategy]. Write one of 'one_for_one', "
                "'one_for_all', 'rest_for_one' as strategy."
            ),
        ),
        (
            {"strategy": "simple_one_for_one"},
            (
                "top: strategy is 'simple_one_for_one' [bad_start_spec]. Write dynamic(name): "
                "its children are given to start_child."
            ),
        ),
        *[
            (
                {"intensity": value},
                (
                    f"top: intensity is {value!r} [invalid_intensity]. Write a whole number of "
                    "restarts, from 0, as intensity."
                ),
            )
            for value in [*NUMBERS, 1.5, math.inf]
        ],
        *[
            (
                {"period": value},
                (
                    f"top: period is {value!r} [invalid_period]. Write a number of seconds "
                    "above 0, and not math.inf, as period."
                ),
            )
            for value in [*NUMBERS, 0, math.inf]
        ],
        (
            {"auto_shutdown": "sometimes"},
            (
                "top: auto_shutdown is 'sometimes' [invalid_auto_shutdown]. Write one of "
                "'never', 'any_significant', 'all_significant' as auto_shutdown."
            ),
        ),
        *[
            (
                {"max_children": value},
                (
                    f"top: max_children is {value!r} [invalid_max_children]. Write a whole "
                    "number from 0, or math.inf, as max_children."
                ),
            )
            for value in [*NUMBERS, 1.5]
        ],
        (
            {"shutdown": -1},
            (
                "top: shutdown is -1 [invalid_shutdown]. Write a number of seconds of 0 or "
                "more, or math.inf, as shutdown."
            ),
        ),
    ],
)
def test_faults_of_the_flags(options: dict[str, Any], text: str) -> None:
    assert told(check_supervisor(sup(**options))) == [text]


def test_faults_of_children_have_their_place_and_all_are_told() -> None:
    children = (
        declared(name="a", restart="x"),
        declared(name="b", significant=True, shutdown=-1),
        declared(name="a"),
        "nonsense",
        declared(name="c", restart="transient", significant=True),
    )
    supervisor: Any = SupervisorSpec(
        name="top",
        children=children,  # type: ignore[arg-type]
        intensity=-1,
    )

    assert codes(check_supervisor(supervisor)) == [
        ("invalid_intensity", "top"),
        ("invalid_restart_type", "top/a"),
        ("bad_combination", "top/b"),  # with permanent,
        ("invalid_shutdown", "top/b"),
        ("bad_combination", "top/b"),  # and with never
        ("duplicate_child_name", "top/a"),
        ("invalid_child_spec", "top"),
        ("bad_combination", "top/c"),
    ]


def test_texts_of_the_faults_of_children() -> None:
    one = spec("a", "transient", significant=True)
    wrong: Any = 7

    assert told(check_added(sup(), "top", one)) == [
        (
            "top/a: significant=True below a supervisor with auto_shutdown='never' "
            "[bad_combination]. Give the supervisor auto_shutdown, or leave significant out."
        )
    ]
    assert told(check_added(sup(), "top", wrong)) == [
        (
            "top: a child is 7 [invalid_child_spec]. Write child(...), supervisor(...) or "
            "dynamic(...)."
        )
    ]
    assert told(check_supervisor(sup("a", "b", "a"))) == [
        (
            "top/a: two children are called 'a' [duplicate_child_name]. Give one of them "
            "another name=."
        )
    ]


def test_the_same_spec_cannot_stand_in_two_places() -> None:
    child = spec("a")
    inner = sup(child, name="s")

    assert told(check_supervisor(sup(inner, child))) == [
        (
            "top/a: the same spec stands at 'top/s/a' too [same_spec_twice]. Make a spec of "
            "its own for each place."
        )
    ]
    assert codes(check_supervisor(sup(inner, "b", inner))) == [
        ("duplicate_child_name", "top/s"),
        ("same_spec_twice", "top/s"),
    ]


# ---------------------------------------------------------------------------- late refs


@frozen(eq=False, kw_only=True)
class Given(ChildSpec):
    """A child with arguments."""

    args: tuple[object, ...] = ()

    def late_refs(self) -> Iterator[Late]:
        return late_refs(self.args)


def test_late_refs_are_found_in_lists_tuples_dicts_and_partials() -> None:
    refs = [Late(spec(name)) for name in "abcd"]
    live = Late(None)
    value = (1, refs[0], [refs[1], "text", {"key": (refs[2],), refs[3]: live}])

    assert list(late_refs(value)) == refs[:3]
    made = partial(partial(print, refs[0], sep=[refs[1]]), end=partial(print, refs[2]))
    assert list(late_refs([made])) == refs[:3]
    assert list(spec("a").late_refs()) == []


def test_refs_may_lead_only_to_what_is_in_the_tree() -> None:
    inside, outside = spec("inside"), spec("outside")
    child = Given(name="c", args=(Late(inside), [Late(outside)], Late(None)))
    tree = sup(sup(child, name="s"), inside)

    assert told(check_tree(tree)) == [
        (
            "top/s/c: it is given the ref of 'outside', which is not in this tree "
            "[unknown_ref]. Put 'outside' into the tree, or pass a live ref."
        )
    ]
    assert codes(check_tree(child, known={id(inside)}, above="top")) == [
        ("unknown_ref", "top/c")
    ]
    assert codes(check_tree(child, known={id(inside), id(outside)})) == []


# ------------------------------------------------------------------------ what comes of it


def test_all_findings_are_raised_in_one_error() -> None:
    refuse([])

    with pytest.raises(SpecError) as caught:
        refuse(check_supervisor(sup("a", "a", intensity=-1)))

    assert [finding.code for finding in caught.value.findings] == [
        "invalid_intensity",
        "duplicate_child_name",
    ]
    assert str(caught.value) == (
        "2 faults in the declared tree:\n"
        "  top: intensity is -1 [invalid_intensity]. Write a whole number of restarts, "
        "from 0, as intensity.\n"
        "  top/a: two children are called 'a' [duplicate_child_name]. Give one of them "
        "another name=."
    )
    assert isinstance(caught.value, ValueError)


def test_one_finding_is_one_fault() -> None:
    with pytest.raises(SpecError, match=r"^1 fault in the declared tree:\n"):
        refuse(check_supervisor(sup(intensity=-1)))


def test_walking_gives_parents_first_and_their_paths() -> None:
    tree = sup("a", sup("b", sup(name="t"), name="s"), "c")

    paths = [path for path, _ in walk(tree)]
    assert paths == ["top", "top/a", "top/s", "top/s/b", "top/s/t", "top/c"]
    assert [below.kind for _, below in walk(tree)][:3] == [
        *["supervisor", "worker", "supervisor"],
    ]
