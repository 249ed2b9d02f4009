"""The simulator's process: a market from a file or a seed, a venue on two ports, its audit in a file."""

import asyncio
from collections.abc import Callable

from chimera.services.simulator.market import OpenedMarket
from chimera.services.simulator.server import SimulatorServer
from chimera.services.simulator.server import serve as serve_market
from chimera.services.simulator.settings import SimulatorSettings
from chimera.simulate.trouble.scenario import Scenario

Ready = Callable[[str, str], None]  # told both addresses, futures' first, once they answer


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
    telling: list[asyncio.Task[None]] = []

    def listens(server: SimulatorServer) -> None:
        if scenario is not None:
            server.twin.begin(scenario)
        if market_ended is not None:
            telling.append(asyncio.create_task(_tell(server, market_ended)))
        if ready is not None:
            ready(*(f"http://{host}:{port}" for host, port in (server.address, server.spot_address)))

    told = settings.but(instruments=market.instruments, spot=market.spot)
    try:
        await serve_market(told, market.events, stop=stop, ready=listens, hands=market.hands)
    finally:
        for task in telling:
            task.cancel()


async def _tell(server: SimulatorServer, market_ended: asyncio.Event) -> None:
    await server.market_ended.wait()
    market_ended.set()
