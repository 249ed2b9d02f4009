"""The simulator's process: a market from a file or a seed, a venue on one port, its audit in a file."""

import asyncio
import errno
from typing import Final

from chimera.services.serving import PortInUse, Ready
from chimera.services.simulator.market import OpenedMarket
from chimera.services.simulator.server import SimulatorServer
from chimera.services.simulator.settings import SimulatorSettings
from chimera.simulate.trouble.scenario import Scenario

SERVICE: Final = "simulator"


async def serve(
    settings: SimulatorSettings,
    market: OpenedMarket,
    *,
    stop: asyncio.Event,
    ready: Ready | None = None,
    market_ended: asyncio.Event | None = None,
    scenario: Scenario | None = None,
) -> None:
    """Until ``stop``; ``market_ended`` is set when the last event is out, and the venue stays open.

    ``scenario`` begins with the venue.
    """
    server = SimulatorServer(settings.but(instruments=market.instruments, spot=market.spot), market.events)
    try:
        await server.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(SERVICE, settings.host, settings.port) from error
        raise
    waits = [asyncio.create_task(server.wait()), asyncio.create_task(stop.wait())]
    tell = asyncio.create_task(_tell(server, market_ended)) if market_ended is not None else None
    try:
        if scenario is not None:
            server.twin.begin(scenario)
        if ready is not None:
            ready(f"http://{server.address[0]}:{server.address[1]}")
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if waits[0].done():
            waits[0].result()
    finally:
        for task in (*waits, tell):
            if task is not None:
                task.cancel()
        await server.stop()


async def _tell(server: SimulatorServer, market_ended: asyncio.Event) -> None:
    await server.market_ended.wait()
    market_ended.set()
