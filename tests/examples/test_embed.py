from collections.abc import Awaitable, Callable

import pytest
import trio.testing

from examples import embed
from regrow import Event

from .log import timed

ORDERS = [
    "order of ann@here.example",
    "1 sent",
    "order of bob",
    "0 sent",
    "order of cyd@here.example",
    "order of dan@here.example",
    "last sent to: dan@here.example",
]


async def test_orders_are_confirmed_both_ways(
    autojump_clock: trio.testing.MockClock,
) -> None:
    said: list[str] = []
    await embed.main(report=said.append)
    assert said == ["-- serve_tree", *ORDERS, "-- open_tree", *ORDERS]


@pytest.mark.parametrize("way", [embed.with_serve_tree, embed.with_open_tree])
async def test_a_bad_address_costs_one_letter(
    way: Callable[..., Awaitable[None]], autojump_clock: trio.testing.MockClock
) -> None:
    events: list[Event] = []
    await way(1.0, lambda line: None, [events.append])
    assert timed(events) == [
        "0 workers/mailer 1 up",
        "0 workers/counter 1 up",
        "0 workers 1 up",
        "1.5 workers/mailer 1 dead letter confirm",
        "1.5 workers/mailer 1 crashed",
        "1.5 workers/mailer 1 restarting",
        "1.5 workers/mailer 2 up",
        "2.9 workers/counter 1 shutdown",
        "2.9 workers/mailer 2 shutdown",
        "2.9 workers 1 shutdown",
    ]
