"""The fields of an actor in words: bounded, redacted, and never in the way."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import NoReturn

import pytest
import trio
from attrs import Factory, define, field, frozen

from regrow import (
    Actor,
    Backoff,
    NotRunningError,
    PlaceNotFoundError,
    child,
    dynamic,
    supervisor,
)
from regrow._runtime.brief import brief
from regrow._runtime.redact import shown

from .trees import Child, Story, open_tree, service, virtual


@define
class Base(Actor):
    first: int = 1
    _second: str = "two"


@define
class Derived(Base):
    third: list[int] = Factory(lambda: [3])
    unset: int = field(init=False)

    def add(self, name: str) -> None:
        self.__dict__[name] = "added"


@frozen
class Frozen(Actor):
    only: float = 1.5


class Slotted(Actor):
    __slots__ = ("__private", "shown", "unset")

    def __init__(self) -> None:
        self.shown = 1
        self.__private = 2
        self.free = 3


class OneSlot(Slotted):
    __slots__ = "alone"

    def __init__(self) -> None:
        super().__init__()
        self.alone = 4


class Plain(Actor):
    def __init__(self) -> None:
        self.z = None
        self.a = b"bytes"

    @property
    def computed(self) -> NoReturn:
        raise AssertionError

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(name)


@virtual
async def test_fields_of_all_kinds_of_classes_in_their_order() -> None:
    kinds = [Base, Derived, Frozen, Slotted, OneSlot, Plain]
    spec = supervisor("app", *[child(kind, name=kind.__name__) for kind in kinds])
    async with open_tree(spec) as tree:
        derived = tree.ref("app/Derived", Derived)
        await derived.call(Derived.add, "fourth")
        states = {kind: [*tree.state(f"app/{kind.__name__}").items()] for kind in kinds}
    slots = [("_Slotted__private", "2"), ("shown", "1")]
    base = [("first", "1"), ("_second", "'two'")]
    assert states == {
        Base: base,
        Derived: [*base, ("third", "[3]"), ("fourth", "'added'")],
        Frozen: [("only", "1.5")],
        Slotted: [*slots, ("free", "3")],
        OneSlot: [*slots, ("alone", "4"), ("free", "3")],
        Plain: [("z", "None"), ("a", "b'bytes'")],
    }


class Secretive(Actor):
    def __init__(self) -> None:
        self.password = "hunter2"  # noqa: S105 - that is what is hidden
        self.user = "ann"
        self.broken = "secret"

    def __redact__(self, name: str, value: object) -> object:
        if name == "broken":
            raise KeyError(value)
        return None if name == "password" else value


@virtual
async def test_the_class_hides_what_it_wants() -> None:
    async with open_tree(supervisor("app", child(Secretive, name="x"))) as tree:
        assert tree.state("app/x") == {
            "password": "None",
            "user": "'ann'",
            "broken": "<not shown: __redact__ raised KeyError>",
        }


def test_what_is_no_method_redacts_nothing() -> None:
    class Odd:
        __redact__ = "no method"

    assert shown(Odd(), "name", 1) == "1"
    assert shown(None, "name", 1) == "1"


class Starting(Actor):
    def __init__(self) -> None:
        self.half = "made"

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        await trio.sleep(1)
        self.half = "ready"
        yield


@virtual
async def test_where_there_is_no_actor_to_look_at() -> None:
    story = Story()
    x = child(Child, story, name="x", backoff=Backoff(initial=3, jitter=0))
    pool = dynamic("pool")
    spec = supervisor("app", x, child(service, story, "s", name="s"), pool)
    async with open_tree(spec) as tree:
        for path, text in [
            ("app/nobody", "nothing stands at 'app/nobody' in the tree 'app'."),
            ("app/s", "'app/s' is a service, not an actor."),
            ("app/pool", "'app/pool' is a supervisor, not an actor."),
        ]:
            with pytest.raises(PlaceNotFoundError) as missing:
                tree.state(path)
            assert str(missing.value).startswith(text)
        await tree[x].cast(Child.boom)
        await trio.sleep(1)
        with pytest.raises(NotRunningError) as waits:
            tree.state("app/x")
        assert str(waits.value) == (
            "'app/x' is restarting, so there is no state to see. Try again when "
            "tree.snapshot(path) says that it is running."
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tree[pool].start_child, child(Starting, name="y"))
            await trio.sleep(0.5)
            assert tree.state("app/pool/y") == {"half": "'made'"}
            await trio.sleep(1)
            assert tree.state("app/pool/y") == {"half": "'ready'"}


class BrokenRepr:
    def __repr__(self) -> str:
        raise ValueError


class NoRepr:
    __repr__ = None  # type: ignore[assignment]


class WrongRepr:
    def __repr__(self) -> str:
        return 1  # type: ignore[return-value]


class OwnText(str):
    __slots__ = ()

    def __getitem__(self, key: object) -> NoReturn:
        raise AssertionError


class OddRepr:
    def __repr__(self) -> str:
        return OwnText("odd\n\x1b[31m\udc80é")


class LongRepr:
    def __repr__(self) -> str:
        return "x" * 1_000_000


class Endless:
    """Shows itself by itself."""

    def __repr__(self) -> str:
        return f"<{self!r}>"


def holding_itself() -> list[object]:
    found: list[object] = [1]
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (1.5, "1.5"),
        ("it's", '"it\'s"'),
        ("a" * 200, f"'{'a' * 198}…"),
        ("a" * 1000, f"'{'a' * 198}…"),
        ("\x00" * 100, "'" + "\\x00" * 49 + "\\x" + "…"),
        (b"ab", "b'ab'"),
        (b"a" * 10**6, f"b'{'a' * 197}…"),
        (2**512 - 1, str(2**512 - 1)),
        (10**5000, "<an integer of 16,610 bits>"),
        ([], "[]"),
        ((), "()"),
        ((1,), "(1,)"),
        ((1, 2), "(1, 2)"),
        ({1}, "{1}"),
        (set(), "set()"),
        (frozenset(), "frozenset()"),
        (frozenset({"a"}), "frozenset({'a'})"),
        (deque([1, 2]), "deque([1, 2])"),
        ({"b": [1], "a": {}}, "{'b': [1], 'a': {}}"),
        ([*range(20)], f"[{', '.join(str(n) for n in range(20))}]"),
        (range(3), "range(0, 3)"),
        ([*range(10**6)], f"[{', '.join(str(n) for n in range(20))}, …]"),
        (
            dict.fromkeys(range(10**5)),
            f"{{{', '.join(f'{n}: None' for n in range(20))}, …}}",
        ),
        ([["a" * 150], ["b" * 150]], f"[['{'a' * 150}'], ['{'b' * 40}…"),
        (holding_itself(), "[1, [1, [1, [1, […]]]]]"),
        (BrokenRepr(), "<BrokenRepr, whose repr raised ValueError>"),
        ([BrokenRepr()], "[<BrokenRepr, whose repr raised ValueError>]"),
        (NoRepr(), "<NoRepr, whose repr raised TypeError>"),
        (WrongRepr(), "<WrongRepr, whose repr raised TypeError>"),
        (OddRepr(), "odd\\n\\x1b[31m\\udc80é"),
        (LongRepr(), "x" * 199 + "…"),
        (Endless(), "<Endless, whose repr raised RecursionError>"),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_a_value_in_few_characters(value: object, text: str) -> None:
    found = brief(value)
    assert found == text
    assert len(found) <= 200


def test_what_stops_a_program_comes_out() -> None:
    class Interrupted:
        def __repr__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shown(None, "name", [Interrupted()])
