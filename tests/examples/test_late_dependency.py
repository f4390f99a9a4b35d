import pytest
import trio.testing

from examples import late_dependency
from regrow import StartFailedError, child, open_tree, supervisor


async def test_the_desk_is_there_before_the_feed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    said: list[str] = []
    await late_dependency.main(unit=1.0, report=said.append)
    assert said == [
        " 0.0 feed: the exchange is down",
        " 0.5 desk: no price of tin yet",
        " 1.0 feed: the exchange is down",
        " 3.0 feed: the exchange is down",
        " 7.0 feed: the exchange is down",
        "10.5 exchange: up",
        "15.0 feed: up",
        "15.0 zinc at 2.9",
        "15.0 desk: tin at 31.5",
    ]


async def test_without_retry_the_tree_does_not_start() -> None:
    exchange = late_dependency.Exchange()
    feed = child(late_dependency.Feed, exchange.connect)
    with pytest.raises(StartFailedError) as caught:
        async with open_tree(supervisor("market", feed)):
            pytest.fail("it started")
    assert isinstance(caught.value.root_cause, ConnectionRefusedError)
