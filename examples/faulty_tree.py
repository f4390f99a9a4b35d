"""A shop in which nearly everything is declared as one had better not.

All of it is valid: it starts, and runs until something happens. `regrow check` says
beforehand what will go wrong then. Each fault is marked with its code; the page about
checks says why it is one.

Run it: `python examples/faulty_tree.py`, or
`regrow check examples.faulty_tree:shop --grace 30`.
"""

import math
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager

import trio
from attrs import Factory, define

from regrow import (
    Actor,
    Backoff,
    Heartbeat,
    Mailbox,
    Ref,
    Supervisor,
    check,
    child,
    dynamic,
    supervisor,
)

GRACE = 30.0
"""Seconds that whoever runs the program gives it to stop."""


@define
class Clerk(Actor):
    """Knows other clerks, and prices."""

    others: "Collection[Ref[Clerk]]" = ()
    prices: dict[str, int] = Factory(dict)


@define
class Ledger(Actor):
    """Has to be closed in order."""

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Write the last lines at the end."""
        yield
        await trio.sleep(1)


@define
class Guard(Actor):
    """Knows whether all is well, if it is asked."""

    async def check_health(self) -> None:
        """Look at the locks."""
        await trio.sleep(1)


@define
class Belt(Actor):
    """Carries the goods; its makers did not know that every actor can stop."""

    def stop(self) -> None:
        """Halt the motor."""


async def point(*where: object) -> None:
    """Show customers the way."""
    print("this way to", *where)
    await trio.sleep_forever()


async def listen() -> None:
    """Wait for customers, until the door is stuck."""
    await trio.sleep(1)
    raise OSError("the door is stuck")


async def connect(*, task_status: trio.TaskStatus[None]) -> None:
    """Reach the bank, which may not be open yet."""
    await trio.sleep(1)
    task_status.started()
    await trio.sleep_forever()


def wiring() -> Supervisor:
    """Declare who holds whose ref, and who is restarted with whom."""
    later = child(Clerk, name="later")
    earlier = child(Clerk, (later.ref,), name="earlier")  # fault: ref_to_later
    blind = child(  # fault: ref_not_bound
        Clerk, frozenset([later.ref]), name="blind"
    )
    sign = child(point, later, name="sign")  # fault: spec_for_ref
    guest = child(Clerk, name="guest", restart="temporary")
    host = child(Clerk, (guest.ref,), name="host")  # fault: ref_to_temporary
    base = child(Clerk, name="base")
    user = child(Clerk, (base.ref,), name="user")  # fault: order_against_wiring
    friends: list[Ref[Clerk]] = []
    ann = child(Clerk, friends, name="ann")
    bob = child(Clerk, (ann.ref,), name="bob")
    friends.append(bob.ref)
    return supervisor(
        "wiring",
        supervisor("desk", earlier, later, blind, sign, guest, host),
        supervisor("stairs", user, base, strategy="rest_for_one"),
        supervisor("pair", ann, bob),  # fault: wired_in_a_circle
    )


def arguments() -> Supervisor:
    """Declare what children are given, and what waits for them."""
    prices = {"tin": 31}
    return supervisor(
        "arguments",
        child(Clerk, (), prices, name="one"),  # fault: shared_argument
        child(Clerk, (), prices, name="two"),
        child(Clerk, (), {"zinc": 3}, name="three"),  # fault: mutable_argument
        child(Clerk, (), {}, name="four"),  # fault: kept_argument
        child(  # fault: unbounded_mailbox
            Clerk, name="five", mailbox=Mailbox(math.inf)
        ),
        child(Belt),  # fault: hidden_name
        dynamic("visitors"),  # fault: unbounded_children
    )


def limits() -> Supervisor:
    """Declare restarts that never stop, or never begin."""
    ten = Backoff(max_attempts=10)
    return supervisor(
        "limits",
        supervisor(  # fault: limit_never_reached
            "street", child(listen, backoff=ten)
        ),
        child(  # fault: attempts_never_counted
            listen, name="front", backoff=Backoff(max_attempts=5, reset_after=0)
        ),
        child(  # fault: restarts_spin
            listen, name="back", backoff=Backoff(initial=0)
        ),
        child(  # fault: unused_backoff
            listen, name="side", restart="temporary", backoff=ten
        ),
        child(  # fault: hang_never_escalates
            Clerk, name="sleepy", heartbeat=Heartbeat(every=10, timeout=5, misses=3)
        ),
        child(Guard),  # fault: health_never_asked
        child(connect, start="retry"),  # fault: retry_without_backoff
        supervisor("strict", child(Clerk), intensity=0),  # fault: nothing_restarted
        supervisor(  # fault: restart_amplification
            "patient", child(Clerk), intensity=50
        ),
    )


def ends() -> Supervisor:
    """Declare how it ends."""
    return supervisor(
        "ends",
        child(Ledger, name="torn", shutdown=0),  # fault: lifespan_cut
        child(Ledger, name="slow", shutdown=math.inf),  # fault: endless_shutdown
        supervisor(  # fault: shutdown_cut_short
            "quick", child(Ledger, shutdown=20), shutdown=10
        ),
        supervisor(  # fault: no_significant_child
            "day", child(Clerk), auto_shutdown="any_significant"
        ),
        supervisor(
            "week",
            supervisor(  # fault: never_ends
                "night", child(Clerk), restart="transient", significant=True
            ),
            auto_shutdown="all_significant",
        ),
    )


def shop() -> Supervisor:
    """Declare it all; nothing runs."""
    return supervisor(  # fault: shutdown_over_grace
        "shop", wiring(), arguments(), limits(), ends()
    )


def main() -> None:
    """Print what is wrong, a line each."""
    for advice in check(shop(), grace=GRACE):
        print(advice)


if __name__ == "__main__":
    main()
