"""The feed's process: public market streams in, the board out. It needs no key and sends no order."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final

import structlog

from chimera.adapters.binance.hosts import Hosts
from chimera.adapters.binance.http import AiohttpTransport
from chimera.adapters.binance.market_streams import MarketStreams, StreamFault
from chimera.services.clock import SystemClock
from chimera.services.feed.feed import Feed
from chimera.services.feed.settings import FIXTURE_FACTORS, FeedSettings
from chimera.services.serving import run_until
from chimera.services.stores import open_bus

SERVICE: Final = "feed"
FIRST_EVENT_POLL_S: Final = 0.05

log = structlog.get_logger(__name__)


async def serve(
    hosts: Hosts,
    symbols: Sequence[str],
    redis_addresses: Sequence[str],
    *,
    stop: asyncio.Event,
    embedded_dir: Path,
    settings: FeedSettings | None = None,
    ready: asyncio.Event | None = None,
) -> None:
    """Until ``stop``. ``ready`` is set with the first market event. The fixture rule's factors are constants."""
    settings = settings or FeedSettings(constants=FIXTURE_FACTORS)
    async with open_bus(redis_addresses, embedded_dir) as bus:
        transport = AiohttpTransport(hosts)
        streams = MarketStreams(transport, symbols, on_fault=_tell)
        feed = Feed(bus, SystemClock(), settings)
        watch = asyncio.create_task(_watch_first(feed, ready)) if ready is not None else None
        try:
            async with aclosing(streams.events()) as events:
                await run_until(stop, feed.run(events))
        finally:
            if watch is not None:
                watch.cancel()
            await transport.close()


async def _watch_first(feed: Feed, ready: asyncio.Event) -> None:
    while not feed.status().events:  # noqa: ASYNC110 - the feed tells its readers through the board alone
        await asyncio.sleep(FIRST_EVENT_POLL_S)
    ready.set()


def _tell(fault: StreamFault) -> None:
    log.warning("market_stream", kind=str(fault.kind), where=fault.where, detail=fault.detail)
