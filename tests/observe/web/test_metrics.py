"""What Prometheus reads: by its own parser, of trees that were made to fail."""

import math

import pytest
import trio
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse

from regrow import Actor, Mailbox, Supervisor, Tree, child, dynamic, supervisor
from regrow.observe.web import Metrics, app
from tests.runtime.trees import open_tree, virtual

from .client import Client

Samples = dict[tuple[str, ...], float]


class Worker(Actor):
    def fail(self, error: Exception) -> None:
        raise error

    async def wait(self, seconds: float) -> None:
        await trio.sleep(seconds)


async def idle() -> None:
    await trio.sleep_forever()


def shop() -> Supervisor:
    return supervisor(
        "shop",
        child(Worker, name="a", mailbox=Mailbox(capacity=5)),
        child(Worker, name="b", mailbox=Mailbox(capacity=math.inf)),
        child(idle),
        strategy="rest_for_one",
        intensity=7,
        period=60,
    )


def samples(text: str) -> Samples:
    """Give the samples by their names and the values of their labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in parse(text)
        for sample in family.samples
    }


async def scraped(tree: Tree, metrics: Metrics | None = None) -> Samples:
    answer = await Client(app(tree, metrics=metrics)).get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return samples(answer.text)


@virtual
async def test_all_of_a_tree_at_rest() -> None:
    async with open_tree(shop()) as tree:
        await trio.sleep(5)
        assert await scraped(tree) == {
            ("regrow_places", "running"): 4,
            ("regrow_health", "ok"): 1,
            ("regrow_health", "degraded"): 0,
            ("regrow_health", "failing"): 0,
            ("regrow_messages_waiting",): 0,
            ("regrow_places_omitted",): 0,
            ("regrow_place_status", "supervisor", "shop", "running"): 1,
            ("regrow_place_status", "actor", "shop/a", "running"): 1,
            ("regrow_place_status", "actor", "shop/b", "running"): 1,
            ("regrow_place_status", "service", "shop/idle", "running"): 1,
            ("regrow_incarnation", "shop"): 1,
            ("regrow_incarnation", "shop/a"): 1,
            ("regrow_incarnation", "shop/b"): 1,
            ("regrow_incarnation", "shop/idle"): 1,
            ("regrow_uptime_seconds", "shop"): 5,
            ("regrow_uptime_seconds", "shop/a"): 5,
            ("regrow_uptime_seconds", "shop/b"): 5,
            ("regrow_uptime_seconds", "shop/idle"): 5,
            ("regrow_mailbox_messages", "shop/a"): 0,
            ("regrow_mailbox_messages", "shop/b"): 0,
            ("regrow_mailbox_capacity", "shop/a"): 5,
            ("regrow_mailbox_capacity", "shop/b"): math.inf,
            ("regrow_mailbox_peak", "shop/a"): 0,
            ("regrow_mailbox_peak", "shop/b"): 0,
            ("regrow_intensity_used", "shop"): 0,
            ("regrow_intensity_limit", "shop"): 7,
        }


@virtual
async def test_restarts_have_their_reasons() -> None:
    async with open_tree(shop()) as tree:
        first = tree.ref("shop/b", Worker)
        await first.cast(Worker.fail, OSError("before anybody looked"))
        await trio.sleep(1)
        client = Client(app(tree))
        for path, error in [
            ("b", ValueError()),
            ("b", ValueError()),
            ("a", KeyError()),
        ]:
            await tree.ref(f"shop/{path}", Worker).cast(Worker.fail, error)
            await trio.sleep(1)
        await tree.supervisor("shop").terminate_child("b")
        await tree.supervisor("shop").restart_child("b")
        found = samples((await client.get("/metrics")).text)
        counted = {
            key: value for key, value in found.items() if "restarts_total" in key[0]
        }
        assert counted == {
            ("regrow_tree_restarts_total", "ValueError"): 2,
            ("regrow_tree_restarts_total", "KeyError"): 1,
            # b and idle along with a, idle along with b, b on request
            ("regrow_tree_restarts_total", "stopped"): 5,
            ("regrow_restarts_total", "shop/a", "KeyError"): 1,
            ("regrow_restarts_total", "shop/b", "before"): 1,
            ("regrow_restarts_total", "shop/b", "ValueError"): 2,
            ("regrow_restarts_total", "shop/b", "stopped"): 2,
            ("regrow_restarts_total", "shop/idle", "before"): 1,
            ("regrow_restarts_total", "shop/idle", "stopped"): 3,
        }
        for place in tree.snapshot().walk():
            of_place = [
                value
                for key, value in counted.items()
                if key[0] == "regrow_restarts_total" and key[1] == place.path
            ]
            assert sum(of_place) == place.restarts
        assert found["regrow_intensity_used", "shop"] == 4


@virtual
async def test_a_start_that_failed_is_the_reason_of_the_restart_that_worked() -> None:
    fails = iter([False, True, True, False])

    class Picky(Worker):
        def __init__(self) -> None:
            if next(fails):
                raise ConnectionError

    async with open_tree(supervisor("app", child(Picky))) as tree:
        client = Client(app(tree))
        await tree.ref("app/picky", Picky).cast(Picky.fail, OSError())
        await trio.sleep(1)
        found = samples((await client.get("/metrics")).text)
        assert found[RESTARTS, "app/picky", "ConnectionError"] == 1


@virtual
async def test_reasons_are_told_apart_up_to_a_number() -> None:
    async with open_tree(supervisor("app", child(Worker), intensity=99)) as tree:
        client = Client(app(tree))
        worker = tree.ref("app/worker", Worker)
        for number in range(30):
            await worker.cast(Worker.fail, type(f"E{number}", (Exception,), {})())
        await trio.sleep(1)
        found = samples((await client.get("/metrics")).text)
        reasons = {key[2]: n for key, n in found.items() if key[0] == RESTARTS}
        assert len(reasons) == 21
        assert reasons["other"] == 10
        assert sum(reasons.values()) == 30


RESTARTS = "regrow_restarts_total"


@virtual
async def test_a_mailbox_that_fills() -> None:
    async with open_tree(shop()) as tree:
        worker = tree.ref("shop/a", Worker)
        for _ in range(4):
            worker.cast_nowait(Worker.wait, 10)
        await trio.sleep(1)
        found = await scraped(tree)
        assert found["regrow_mailbox_messages", "shop/a"] == 3
        assert found["regrow_mailbox_peak", "shop/a"] == 4
        assert found["regrow_messages_waiting",] == 3
        await trio.sleep(100)


HOSTILE = 'a"b\\c\nd{e="f"} 1\u2028é'


@virtual
async def test_a_hostile_name_comes_back_as_it_is() -> None:
    async with open_tree(supervisor("app", child(Worker, name=HOSTILE))) as tree:
        await tree.ref(f"app/{HOSTILE}", Worker).cast(Worker.fail, ValueError())
        await trio.sleep(1)
        found = await scraped(tree)
        assert found["regrow_incarnation", f"app/{HOSTILE}"] == 2
        assert found[RESTARTS, f"app/{HOSTILE}", "before"] == 1


@virtual
async def test_many_places_get_a_bounded_number_of_lines() -> None:
    async with open_tree(supervisor("app", dynamic("pool"), child(Worker))) as tree:
        pool = tree.supervisor("app/pool")
        for _ in range(1500):
            await pool.start_child(child(idle))
        await tree.ref("app/worker", Worker).cast(Worker.fail, ValueError())
        await trio.sleep(1)
        found = await scraped(tree, Metrics(places=10))
        lines = {key[1] for key in found if key[0] == "regrow_incarnation"}
        assert len(lines) == 10
        assert {"app", "app/pool", "app/worker"} <= lines
        assert found["regrow_places_omitted",] == 1493
        assert found["regrow_places", "running"] == 1503
        shallow = await scraped(tree, Metrics(depth=1))
        lines = {key[1] for key in shallow if key[0] == "regrow_incarnation"}
        assert lines == {"app", "app/pool", "app/worker"}
        none = await scraped(tree, Metrics(places=0))
        assert not any(key[0] == "regrow_incarnation" for key in none)


@virtual
async def test_others_run_while_a_large_tree_is_scraped() -> None:
    async with open_tree(supervisor("app", dynamic("pool"))) as tree:
        pool = tree.supervisor("app/pool")
        for _ in range(2000):
            await pool.start_child(child(idle))
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            await scraped(tree)
            nursery.cancel_scope.cancel()
        assert turns > 10


@virtual
async def test_the_other_format_is_read_too() -> None:
    async with open_tree(shop()) as tree:
        answer = await Client(app(tree)).get(
            "/metrics", accept="application/openmetrics-text; version=1.0.0"
        )
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.text.count("# EOF") == 1
        names = {family.name for family in parse_openmetrics(answer.text)}  # type: ignore[no-untyped-call]
        assert {"regrow_places", "regrow_restarts", "regrow_uptime_seconds"} <= names


@virtual
async def test_the_collector_can_be_registered_elsewhere() -> None:
    async with open_tree(shop()) as tree:
        registry = CollectorRegistry()
        registry.register(app(tree).collector)
        assert registry.get_sample_value("regrow_places", {"status": "running"}) == 4


@virtual
async def test_calls_are_timed_where_that_is_asked_for() -> None:
    async with open_tree(shop()) as tree:
        web = app(tree, metrics=Metrics(latency=True))
        worker = tree.ref("shop/a", Worker)
        for seconds in (0.0, 0.3, 3.0, 300.0):
            await worker.call(Worker.wait, seconds)
        await worker.cast(Worker.wait, 2)
        await worker.call(Worker.wait, 0.3)  # it waits for the cast: 2.3 in all
        text = (await Client(web).get("/metrics")).text
        found = samples(text)
        assert found["regrow_call_seconds_count", "shop/a"] == 5
        assert found["regrow_call_seconds_sum", "shop/a"] == pytest.approx(305.6)
        buckets = {
            float(key[1]): value
            for key, value in found.items()
            if key[0] == "regrow_call_seconds_bucket"
        }
        assert buckets == {
            **dict.fromkeys((0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1), 1),
            0.5: 2,
            1.0: 2,
            5.0: 4,
            10.0: 4,
            60.0: 4,
            math.inf: 5,
        }
        web.close()
        await worker.call(Worker.wait, 1.0)
        again = samples((await Client(web).get("/metrics")).text)
        assert again["regrow_call_seconds_count", "shop/a"] == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"places": -1}, "places is -1: write a whole number of 0 or more"),
        ({"depth": 1.5}, "depth is 1.5: write a whole number, or None for all"),
    ],
)
def test_a_wrong_limit_is_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text follows
        Metrics(**options)  # type: ignore[arg-type]
    assert str(caught.value) == message
