"""pykka: actors that are threads."""

from __future__ import annotations

import threading
from typing import Any

import pykka

from .timing import CALLERS, Figures, main, rate


class Echo(pykka.ThreadingActor):
    """Answers what it is sent."""

    def on_receive(self, message: Any) -> Any:
        """Answer."""
        return message


def call(count: int) -> Figures:
    """Ask one actor."""
    ref = Echo.start()
    with rate(count) as figures:
        for number in range(count):
            ref.ask(number)
    ref.stop()
    return figures


def cast(count: int) -> Figures:
    """Tell one actor, until all is handled."""
    ref = Echo.start()
    with rate(count) as figures:
        for number in range(count):
            ref.tell(number)
        ref.ask(0)
    ref.stop()
    return figures


def fan(count: int) -> Figures:
    """Ask one actor from many threads."""

    def ask() -> None:
        for number in range(count // CALLERS):
            ref.ask(number)

    ref = Echo.start()
    threads = [threading.Thread(target=ask) for _ in range(CALLERS)]
    with rate(count) as figures:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    ref.stop()
    return figures


def spawn(count: int) -> Figures:
    """Start actors and stop them."""
    with rate(count) as figures:
        for _ in range(count):
            Echo.start()
        pykka.ActorRegistry.stop_all()
    return figures


if __name__ == "__main__":
    main(
        ["pykka"],
        {"call": call, "cast": cast, "fan": fan, "spawn-bare": spawn},
        dict.fromkeys(["spawn", "restart"], "it has no supervisors"),
    )
