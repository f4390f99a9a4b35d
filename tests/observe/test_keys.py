"""Bytes from a terminal become keys, however they are cut into pieces."""

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import pytest
import trio
from hypothesis import given, strategies as st

from regrow.observe._keys import Decoded, Keyboard, decode
from tests.runtime.trees import virtual

SENT = [
    (b"a", "a"),
    (b" ", " "),
    (b"/", "/"),
    ("é".encode(), "é"),
    ("漢".encode(), "漢"),
    ("🌱".encode(), "🌱"),
    (b"\r", "enter"),
    (b"\n", "enter"),
    (b"\t", "tab"),
    (b"\x7f", "backspace"),
    (b"\x08", "backspace"),
    (b"\x03", "ctrl-c"),
    (b"\x06", "ctrl-f"),
    (b"\x1b[A", "up"),
    (b"\x1b[B", "down"),
    (b"\x1b[C", "right"),
    (b"\x1b[D", "left"),
    (b"\x1bOA", "up"),
    (b"\x1bOM", "enter"),
    (b"\x1b[1;5A", "up"),
    (b"\x1b[5~", "page_up"),
    (b"\x1b[6~", "page_down"),
    (b"\x1b[6;2~", "page_down"),
    (b"\x1b[H", "home"),
    (b"\x1b[1~", "home"),
    (b"\x1bOH", "home"),
    (b"\x1b[F", "end"),
    (b"\x1b[4~", "end"),
    (b"\x1b[3~", "delete"),
]
SWALLOWED = [
    b"\x1b[2~",  # insert
    b"\x1b[15~",  # F5
    b"\x1b[?1;2c",  # the answer to a question
    b"\x1b[<0;12;9m",  # a mouse
    b"\x1bx",  # Alt and a letter
    "\x1bé".encode(),
    b"\x1bOP",  # F1
    b"\xff",
    b"\xc3",  # half a character
    "\u202e".encode(),  # it has no shape
]


@pytest.mark.parametrize(("sent", "key"), SENT)
def test_each_key_has_its_name(sent: bytes, key: str) -> None:
    assert decode(sent) == Decoded((key,), b"")


@pytest.mark.parametrize("sent", SWALLOWED)
def test_what_is_no_key_is_swallowed_whole(sent: bytes) -> None:
    assert decode(sent + b"\x1b[A", complete=True) == Decoded(("up",), b"")


def test_an_escape_may_begin_a_sequence_until_nothing_follows_it() -> None:
    assert decode(b"q\x1b") == Decoded(("q",), b"\x1b")
    assert decode(b"\x1b", complete=True) == Decoded(("escape",), b"")
    assert decode(b"\x1b\x1b", complete=True) == Decoded(("escape", "escape"), b"")


def test_a_sequence_that_never_ends_is_given_up() -> None:
    assert decode(b"\x1b[1;", complete=True) == Decoded((), b"")
    assert decode(b"\x1b[" + b"1" * 20) == Decoded((), b"\x1b[" + b"1" * 20)
    assert decode(b"\x1b[" + b"1" * 200) == Decoded((), b"")
    assert decode("é".encode()[:1], complete=True) == Decoded((), b"")


def test_a_sequence_that_is_cut_short_by_another_leaves_nothing() -> None:
    assert decode(b"\x1b[1;\x1b[B") == Decoded(("down",), b"")
    assert decode(b"\x1b[1;\rq") == Decoded(("enter", "q"), b"")


def in_pieces(data: bytes, cuts: list[int]) -> Iterator[str]:
    rest = b""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for begin, end in pairwise(places):
        decoded = decode(rest + data[begin:end])
        rest = decoded.rest
        yield from decoded.keys
    yield from decode(rest, complete=True).keys


@given(st.lists(st.sampled_from(SENT)), st.lists(st.integers(0, 500)))
def test_keys_are_the_same_in_any_pieces(
    sent: list[tuple[bytes, str]], cuts: list[int]
) -> None:
    data = b"".join(each for each, _ in sent)
    assert list(in_pieces(data, cuts)) == [key for _, key in sent]


@given(st.binary(), st.lists(st.integers(0, 500)))
def test_any_bytes_at_all_are_the_same_in_any_pieces(
    data: bytes, cuts: list[int]
) -> None:
    keys = list(in_pieces(data, cuts))
    # Cut at a place where it is given up, the rest of an overlong one may become letters.
    if len(data) <= 64:
        assert keys == list(in_pieces(data, []))
    assert all(key and key.isprintable() for key in keys)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        with suppress(OSError):
            os.close(end)


@virtual
async def test_a_keyboard_gives_what_was_pressed_in_one_go(
    pipe: tuple[int, int],
) -> None:
    read, write = pipe
    keyboard = Keyboard(read)
    os.write(write, b"ab\x1b[A")
    assert await keyboard.wait_keys() == ("a", "b", "up")
    os.write(write, b"\xc3")
    with trio.move_on_after(0.01):
        await keyboard.wait_keys()
    os.write(write, b"\xa9")
    assert await keyboard.wait_keys() == ("é",)


@virtual
async def test_an_escape_alone_is_a_key_after_a_twentieth_of_a_second(
    pipe: tuple[int, int],
) -> None:
    read, write = pipe
    keyboard = Keyboard(read)
    os.write(write, b"\x1b")
    begun_at = trio.current_time()
    assert await keyboard.wait_keys() == ("escape",)
    assert trio.current_time() - begun_at == pytest.approx(0.05)


@virtual
async def test_a_keyboard_that_is_gone_says_so(pipe: tuple[int, int]) -> None:
    read, write = pipe
    os.close(write)
    with pytest.raises(EOFError):
        await Keyboard(read).wait_keys()


async def test_a_terminal_that_was_hung_up_is_gone() -> None:
    controller, terminal = os.openpty()
    os.close(controller)
    try:
        with pytest.raises(EOFError):
            await Keyboard(terminal).wait_keys()
    finally:
        os.close(terminal)
