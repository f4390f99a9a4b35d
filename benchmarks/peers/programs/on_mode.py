"""mode: services over asyncio, with supervisors, and without messages."""

from __future__ import annotations

import asyncio
from typing import Any

from mode import OneForOneSupervisor, Service

from .timing import BrokenError, Figures, Times, main, rate

NO_MESSAGES = "a service has no mailbox"


class Waits(Service):
    """Waits until it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = asyncio.Event()
        self.breaks = asyncio.Event()

    @Service.task
    async def _wait(self) -> None:
        self.runs.set()
        await self.breaks.wait()
        self.breaks.clear()
        raise BrokenError


async def spawn(count: int) -> Figures:
    """Start supervised services and stop them."""
    with rate(count) as figures:
        supervisor = OneForOneSupervisor()
        supervisor.add(*[Waits() for _ in range(count)])
        await supervisor.start()
        await asyncio.sleep(0)
        await supervisor.stop()
    return figures


async def spawn_bare(count: int) -> Figures:
    """Start services that nobody supervises and stop them."""
    with rate(count) as figures:
        services = [Waits() for _ in range(count)]
        for service in services:
            await service.start()
        await asyncio.sleep(0)
        for service in services:
            await service.stop()
    return figures


async def restart(count: int) -> Figures:
    """Let a service crash, until it runs again; there is nothing that it could answer."""
    service, times = Waits(), Times()
    supervisor = OneForOneSupervisor(max_restarts=1_000_000, over=1.0)
    supervisor.add(service)
    await supervisor.start()
    await service.runs.wait()
    for _ in range(count):
        service.runs.clear()
        with times:
            service.breaks.set()
            await service.runs.wait()
    await supervisor.stop()
    return times.figures()


def run(workload: Any, count: int) -> Any:
    """Run *workload* on asyncio."""
    return asyncio.run(workload(count))


if __name__ == "__main__":
    main(
        ["mode-streaming"],
        {"spawn": spawn, "spawn-bare": spawn_bare, "restart": restart},
        dict.fromkeys(["call", "cast", "fan"], NO_MESSAGES),
        run,
    )
