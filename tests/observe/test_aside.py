"""What is printed under a picture is kept, in its order, and printed afterwards."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from regrow.observe._aside import Aside


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """A file that stands for the terminal: for what is seen there, and for writing."""
    path = tmp_path / "terminal"
    write = os.open(path, os.O_WRONLY | os.O_CREAT)
    read = os.open(path, os.O_RDONLY)
    yield read, write
    os.close(read)
    os.close(write)


def rest(read: int) -> bytes:
    return os.read(read, 10**7)


def test_lines_come_afterwards_and_in_their_order(ends: tuple[int, int]) -> None:
    read, write = ends
    second = os.dup(write)
    aside = Aside((write, second))
    os.write(write, b"one\n")
    os.write(second, b"two\nthr")
    os.write(write, b"ee")
    subprocess.run(["echo", " and a child"], stdout=write, check=True)  # noqa: S607
    assert rest(read) == b""
    aside.close()
    aside.close()
    assert rest(read) == b"one\ntwo\nthree and a child\n"
    os.write(second, b"direct\n")
    assert rest(read) == b"direct\n"
    os.close(second)


def test_it_counts_and_gives_the_last_line(ends: tuple[int, int]) -> None:
    _, write = ends
    aside = Aside((write,))
    assert (aside.seen, aside.last) == (0, "")
    os.write(write, b"one\n\xfftwo\nbegun")
    while aside.seen < 2:
        os.sched_yield()
    assert aside.last == "\ufffdtwo"
    aside.close()


def test_only_the_latest_are_kept(ends: tuple[int, int]) -> None:
    read, write = ends
    aside = Aside((write,))
    for number in range(2500):
        os.write(write, b"line %d\n" % number)
    aside.close()
    lines = rest(read).splitlines()
    assert lines[:2] == [b"(500 earlier lines left out)", b"line 500"]
    assert (len(lines), lines[-1]) == (2001, b"line 2499")


def test_lines_without_an_end_do_not_grow_for_ever(ends: tuple[int, int]) -> None:
    read, write = ends
    aside = Aside((write,))
    for _ in range(300):
        os.write(write, b"x" * 40_000)  # it would wait here, were nobody to read
    aside.close()
    text = rest(read)
    note, _, lines = text.partition(b"\n")
    assert note.endswith(b" earlier lines left out)")
    assert 900_000 < lines.count(b"x") == len(lines) <= 1024 * 1024


CHILD_THAT_LIVES_ON = """
import os, subprocess, sys, threading
from regrow.observe._aside import Aside
aside = Aside((1,))
print("kept")
child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
aside.close()
print("after")
sys.stdout.flush()
child.stdin.write(b"late\\n")
child.stdin.close()
child.wait()
for thread in threading.enumerate():
    if thread.name == "regrow output":
        thread.join()
print("end")
"""


def test_a_program_started_meanwhile_still_has_its_output() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD_THAT_LIVES_ON],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("kept\nafter\nlate\nend\n", "")
