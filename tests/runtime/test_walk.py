"""A walk over all places while the tree changes under it."""

from random import Random

import pytest
import trio

from regrow import Actor, Supervisor, Tree, child, dynamic, supervisor
from regrow._runtime.place import Place, SupervisorPlace
from regrow._runtime.tree import running_of
from regrow._runtime.walk import LONGEST, runs

from .trees import open_tree, virtual


class Worker(Actor):
    def boom(self) -> None:
        raise ValueError


def shop() -> Supervisor:
    return supervisor(
        "shop",
        child(Worker, name="a"),
        supervisor("back", child(Worker, name="b"), supervisor("empty")),
        child(Worker, name="c"),
        dynamic("pool"),
        child(Worker, name="d", restart="temporary"),
    )


async def fill(tree: Tree, names: range) -> None:
    for number in names:
        await tree.supervisor("shop/pool").start_child(
            child(Worker, name=f"w{number}", restart="transient")
        )


def paths(run: list[Place]) -> list[str]:
    return [place.path for place in run]


@virtual
async def test_a_run_is_some_siblings_of_which_the_last_may_be_a_supervisor() -> None:
    async with open_tree(shop()) as tree:
        root = running_of(tree).root
        assert [paths(run) for run in runs(root)] == [
            ["shop"],
            ["shop/a", "shop/back"],
            ["shop/back/b", "shop/back/empty"],
            ["shop/c", "shop/pool"],
            ["shop/d"],
        ]
        await fill(tree, range(2 * LONGEST))
        assert [len(run) for run in runs(root)] == [1, 2, 2, 2, LONGEST, LONGEST, 1]


@virtual
async def test_what_has_gone_is_left_out_and_a_name_is_given_once() -> None:
    async with open_tree(shop()) as tree:
        await fill(tree, range(LONGEST + 2))
        pool = tree.supervisor("shop/pool")
        walk = runs(running_of(tree).root)
        given = [path for _ in range(5) for path in paths(next(walk))]
        assert given[-1] == f"shop/pool/w{LONGEST - 1}"
        await pool.terminate_child("w0")
        await pool.terminate_child(f"w{LONGEST}")
        await fill(tree, range(1))
        await tree.supervisor("shop").terminate_child("d")
        rest = [path for run in walk for path in paths(run)]
        assert rest == [f"shop/pool/w{LONGEST + 1}"]


@virtual
async def test_nothing_below_a_supervisor_that_has_gone_is_given() -> None:
    spec = supervisor("shop", dynamic("pool"), child(Worker, name="a"))
    async with open_tree(spec) as tree:
        pool = tree.supervisor("shop/pool")
        many = (child(Worker, name=f"w{n}") for n in range(2 * LONGEST))
        await pool.start_child(supervisor("much", *many))
        walk = runs(running_of(tree).root)
        given = [paths(next(walk))[0] for _ in range(4)]
        assert given[-1] == "shop/pool/much/w0"
        await pool.terminate_child("much")
        assert [paths(run) for run in walk] == [["shop/a"]]


@virtual
async def test_all_are_given_of_a_tree_that_has_ended() -> None:
    async with open_tree(shop()) as tree:
        await tree.stop()
        given = [path for run in runs(running_of(tree).root) for path in paths(run)]
        assert given == [place.path for place in tree.snapshot().walk()]


@pytest.mark.parametrize("seed", range(10))
@virtual
async def test_whatever_happens_each_is_there_and_no_path_comes_twice(
    seed: int,
) -> None:
    random = Random(seed)
    async with open_tree(shop()) as tree:
        await fill(tree, range(LONGEST))
        root = running_of(tree).root
        pool = tree.supervisor("shop/pool")
        given: list[str] = []
        for number, run in enumerate(runs(root)):
            for place in run:
                assert root.host.find(place.path) is place
                assert place.parent is run[0].parent
            assert not any(isinstance(place, SupervisorPlace) for place in run[:-1])
            given += paths(run)
            match random.randrange(4):
                case 0:
                    await tree.ref("shop/a", Worker).cast(Worker.boom)
                    await trio.testing.wait_all_tasks_blocked()
                case 1:
                    await fill(tree, range((number + 2) * 100, (number + 3) * 100))
                case 2:
                    names = [each.name for each in tree.snapshot("shop/pool").children]
                    for name in random.sample(names, len(names) // 2):
                        await pool.terminate_child(name)
                case _:
                    await tree.supervisor("shop").terminate_child("pool")
                    await tree.supervisor("shop").restart_child("pool")
                    await fill(tree, range(LONGEST))
        assert len(given) == len({*given})
