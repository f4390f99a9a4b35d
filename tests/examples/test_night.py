"""The program of `docs/operating.md` does what is told there."""

from __future__ import annotations

import trio.testing

from examples.night import Prices, shop
from regrow import ChildExited, Event, check, open_tree


async def test_one_supplier_crashes_the_parser_and_the_others_are_served(
    autojump_clock: trio.testing.MockClock,
) -> None:
    crashes: list[tuple[float, str, str]] = []

    def note(event: Event) -> None:
        if isinstance(event, ChildExited) and event.error is not None:
            crashes.append((round(event.at), event.path, event.message))

    async with open_tree(shop(), observers=[note]) as tree:
        await trio.sleep(25)
        health = tree.health()
        known = await tree.ref("shop/prices", Prices).call(Prices.get, "smith nails")
        state = tree.state("shop/parser")
    message = "read('jones', 'pliers;12,50')"
    assert crashes == [(10, "shop/parser", message), (20, "shop/parser", message)]
    assert known == 250
    assert state["prices"] == "<Ref 'shop/prices'>"
    assert [(reason.path, reason.text) for reason in health.reasons] == [
        ("shop", "has used 2 of 8 restarts in 60 s")
    ]


def test_nothing_is_to_be_said_against_it() -> None:
    assert check(shop()) == ()
