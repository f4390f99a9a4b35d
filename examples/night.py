"""A shop that keeps prices, and a supplier who sends what its parser does not understand.

It is the program of `docs/operating.md`: something crashes now and then at night, and what
it is can be found out from outside, while it runs.

Run it: `regrow run --control shop.sock examples.night:shop`
"""

from itertools import cycle

import trio
from attrs import define, field

from regrow import Actor, Ref, Supervisor, child, supervisor


@define
class Prices(Actor):
    """What things cost, in cents."""

    _known: dict[str, int] = field(factory=dict[str, int])

    def put(self, name: str, cents: int) -> None:
        """Enter a price."""
        self._known[name] = cents

    def get(self, name: str) -> int:
        """Give a price; 0 for what is not known."""
        return self._known.get(name, 0)


@define
class Parser(Actor):
    """Reads the lines that suppliers send."""

    prices: Ref[Prices]
    lines: int = 0

    async def read(self, supplier: str, line: str) -> None:
        """Read a line such as `nails;250`."""
        name, _, cents = line.partition(";")
        await self.prices.cast(Prices.put, f"{supplier} {name}", int(cents))
        self.lines += 1


async def supply(supplier: str, lines: tuple[str, ...], parser: Ref[Parser]) -> None:
    """Send a few lines every second, for ever."""
    for line in cycle(lines):
        await parser.cast(Parser.read, supplier, line)
        await trio.sleep(0.2)


def shop() -> Supervisor:
    """Declare the shop."""
    prices = child(Prices)
    parser = child(Parser, prices.ref)
    good = ("nails;250", "screws;310")
    bad = ("hammers;1900",) * 49 + ("pliers;12,50",)
    suppliers = supervisor(
        "suppliers",
        child(supply, "smith", good, parser.ref, name="smith"),
        child(supply, "jones", bad, parser.ref, name="jones"),
    )
    return supervisor(
        "shop",
        prices,
        parser,
        suppliers,
        strategy="rest_for_one",
        intensity=8,
        period=60,
    )
