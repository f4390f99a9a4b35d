"""The file of a control socket: whose it is, and what happens to one that is there."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import trio

import regrow
from regrow import ControlSocketError, StartFailedError, child, supervisor
from regrow.observe._client import GREET_WITHIN, ControlClient, RequestRefusedError
from regrow.observe._socket import LONGEST, ControlSocket
from tests.runtime.trees import open_tree, virtual


async def idle() -> None:
    await trio.sleep_forever()


TREE = supervisor("root", child(idle))


async def refused_at(path: Any) -> str:
    """Give why a tree cannot have its socket at *path*; nothing of it is started."""
    events: list[object] = []
    with pytest.raises(ControlSocketError) as caught:
        async with open_tree(TREE, observers=[events.append], control=path):
            raise AssertionError
    assert events == []
    assert isinstance(caught.value, OSError)
    assert caught.value.path == str(path)
    text = str(caught.value)
    head = f"control socket {str(path)!r}: "
    assert text.startswith(head)
    return text.removeprefix(head)


@virtual
async def test_it_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "s"
    for mask in (0o000, 0o077, 0o777):
        before = os.umask(mask)
        try:
            async with open_tree(TREE, control=path):
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
                assert stat.S_ISSOCK(path.stat().st_mode)
        finally:
            os.umask(before)
    assert not path.exists()


@virtual
async def test_no_file_is_left_where_there_can_be_no_watchdog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match=r"^can't start new thread$"):
        async with open_tree(TREE, control=tmp_path / "s", watchdog=1):
            raise AssertionError
    assert os.listdir(tmp_path) == []


def test_it_has_its_mode_from_the_first_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(
        Path,
        "chmod",
        lambda self, mode: seen.append(stat.S_IMODE(os.stat(self).st_mode)),
    )
    before = os.umask(0)
    try:
        ControlSocket(tmp_path / "s").close()
    finally:
        os.umask(before)
    if sys.platform == "linux":
        assert seen == [0o600]


@virtual
async def test_that_of_a_dead_program_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with open_tree(TREE, control=path), ControlClient(str(path)) as client:
        assert client.tree == "root"
        assert client.pid == os.getpid()
    assert not path.exists()


@virtual
async def test_that_of_a_living_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with open_tree(TREE, control=str(path)):
        why = "a program is listening there. Stop it, or name another file."
        assert await refused_at(path) == why
        async with ControlClient(str(path)) as client:
            assert client.tree == "root"
    # Also one that has no time to answer.
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as one:
        busy.bind(str(path))
        busy.listen(0)
        one.settimeout(0)
        one.connect(str(path))
        assert await refused_at(path) == why


@virtual
async def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    why = "there is something else than a socket. Name another file, or remove it."
    assert await refused_at(path) == why
    assert path.read_text() == "precious"
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    assert await refused_at(link) == why
    assert await refused_at(tmp_path) == why


@virtual
async def test_a_path_that_cannot_be_is_refused(tmp_path: Path) -> None:
    remedy = "Name a file in a folder that is yours."
    found = await refused_at(tmp_path / "no" / "s")
    assert found == f"it cannot be made (No such file or directory). {remedy}"
    (tmp_path / "file").write_text("")
    found = await refused_at(tmp_path / "file" / "s")
    assert found == f"it cannot be made (Not a directory). {remedy}"
    long = "x" * 300
    found = await refused_at(long)
    assert found == (
        f"a socket's path has at most {LONGEST} bytes, and it has 300. Name a shorter one."
    )
    for name in ("", "a\0b", 7):
        found = await refused_at(name)
        assert found == "it is no path. Name a file, such as '/run/shop/control'."


@virtual
async def test_the_longest_path_is_not_too_long(tmp_path: Path) -> None:
    path = tmp_path / ("x" * (LONGEST - len(bytes(tmp_path)) - 1))
    async with open_tree(TREE, control=path), ControlClient(str(path)) as client:
        assert client.tree == "root"


@virtual
async def test_it_is_removed_however_the_tree_ends(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def fails() -> None:
        assert path.exists()
        raise ValueError

    async def failing(task_status: trio.TaskStatus[None]) -> None:
        await fails()

    with pytest.raises(StartFailedError):
        async with open_tree(supervisor("root", child(failing)), control=path):
            pass
    assert not path.exists()
    with trio.move_on_after(1):
        async with open_tree(TREE, control=path):
            await trio.sleep_forever()
    assert not path.exists()
    async with open_tree(TREE, control=path) as tree:
        tree.kill()
        await tree.wait_stopped()
        assert not path.exists()
    scope = trio.CancelScope()
    scope.cancel()
    with scope:
        async with open_tree(TREE, control=path):
            raise AssertionError
    assert scope.cancelled_caught
    assert not path.exists()


@virtual
async def test_what_has_taken_its_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with open_tree(TREE, control=path):
        path.unlink()
        path.write_text("another's")
    assert path.read_text() == "another's"
    path.unlink()
    async with open_tree(TREE, control=path):
        path.unlink()
    assert not path.exists()


@virtual
async def test_serve_tree_and_run_tree_have_one_too(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with trio.open_nursery() as nursery:
        tree = await nursery.start(
            lambda task_status: regrow.serve_tree(
                TREE, control=path, task_status=task_status
            )
        )
        async with ControlClient(str(path)) as client:
            await client.stop()
        await tree.wait_stopped()

    async def stop(task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async with ControlClient(str(path)) as client:
            await client.stop()

    await regrow.run_tree(supervisor("root", child(stop)), control=path)
    assert not path.exists()


AS_ANOTHER_USER = """\
import os, socket, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
connection = socket.socket(socket.AF_UNIX)
try:
    connection.connect(sys.argv[1])
except PermissionError:
    print("no permission")
else:
    try:
        connection.sendall(b'{"id": 1, "op": "stop"}\\n')
    except BrokenPipeError:
        pass
    try:
        while found := connection.recv(4096):
            print(found.decode(), end="")
    except ConnectionResetError:
        pass
"""


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_another_user_is_turned_away(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # By the mode of the file; and where somebody has changed that, by who connects.
    path = f"/tmp/regrow-test-{os.getpid()}"  # noqa: S108 - the others are for root alone
    async with regrow.open_tree(TREE, control=path) as tree:

        async def as_another_user() -> str:
            done = await trio.run_process(
                ["/usr/bin/env", "python3", "-c", AS_ANOTHER_USER, path],
                capture_stdout=True,
                stderr=subprocess.STDOUT,
            )
            return done.stdout.decode()

        assert await as_another_user() == "no permission\n"
        os.chmod(path, 0o666)  # noqa: S103 - as somebody might
        found = await as_another_user()
        assert re.fullmatch(
            r'\{"id":null,"error":\{"code":"forbidden",'
            r'"text":"this tree takes requests of the user 0 and of root only"\}\}\n',
            found,
        )
        async with ControlClient(path) as client:
            assert (await client.details("root/idle")).row.incarnation == 1
        assert tree.snapshot().find("root/idle").status == "running"


@virtual
async def test_a_client_says_what_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def told() -> str:
        with pytest.raises(ControlSocketError) as caught:
            async with ControlClient(str(path)):
                raise AssertionError
        return caught.value.text

    assert await told() == "nothing is there. Start the program, or name another file"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert await told() == "nobody listens there: the program has ended"
    path.unlink()
    path.write_text("")
    assert await told() == "nobody listens there: the program has ended"


@pytest.mark.parametrize(
    ("hello", "text"),
    [
        (b"", "the program has gone"),
        (b"220 mail ready\r\n", "what listens there is no regrow program"),
        (b"{}\n", "what listens there is no regrow program"),
        (b"[]\n", "what listens there is no regrow program"),
        (b'{"regrow": 2}\n', "the program speaks version 2 of the protocol, not 1"),
    ],
)
@virtual
async def test_a_client_says_what_is_no_regrow_program(
    tmp_path: Path, hello: bytes, text: str
) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "s"))
        other.listen()
        async with trio.open_nursery() as nursery:

            async def serve() -> None:
                listener = trio.SocketListener(trio.socket.from_stdlib_socket(other))
                async with await listener.accept() as stream:
                    await stream.send_all(hello)

            nursery.start_soon(serve)
            with pytest.raises(ControlSocketError) as caught:
                async with ControlClient(str(tmp_path / "s")):
                    raise AssertionError
            assert caught.value.text == text


@virtual
async def test_a_client_says_that_a_program_stands_still(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as still:
        still.bind(str(tmp_path / "s"))
        still.listen()  # and nobody accepts
        with pytest.raises(ControlSocketError) as caught:
            async with ControlClient(str(tmp_path / "s")):
                raise AssertionError
    assert trio.current_time() == GREET_WITHIN
    assert caught.value.text == (
        "the program has not answered for 3 s. It stands still, or is held up by code "
        "that is not async"
    )


def test_a_refusal_is_no_error_of_the_socket() -> None:
    error = RequestRefusedError("busy", "try later")
    assert (error.code, error.text, str(error)) == (
        "busy",
        "try later",
        "try later [busy]",
    )
    assert not isinstance(error, OSError)


@virtual
async def test_what_no_file_can_be_called_is_refused() -> None:
    text = "no file can be called that. Name a file, such as '/run/shop/control'"
    assert await refused_at("/tmp/\ud800") == f"{text}."  # noqa: S108 - it is never made


@virtual
async def test_its_file_goes_also_when_the_program_has_gone_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    async with open_tree(TREE, control="s"):
        assert (tmp_path / "s").is_socket()
        os.chdir("elsewhere")
    assert not (tmp_path / "s").exists()


FORKS = """
import os, sys, time
from regrow.observe._socket import ControlSocket
made = ControlSocket(sys.argv[1])
if not (child := os.fork()):
    os.close(1)
    os.close(2)
    made.close()  # of the program, not of its child
    time.sleep(60)
print(child, flush=True)
os._exit(0)
"""


def test_the_socket_of_a_dead_program_is_replaced_though_a_child_of_it_lives(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s"
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS, str(path)],
        capture_output=True,
        check=True,
    )
    try:
        assert path.is_socket()
        made = ControlSocket(path)
        made.close()
    finally:
        os.kill(int(found.stdout), signal.SIGKILL)
