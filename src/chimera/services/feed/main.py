"""The feed's process: public market streams in, the board out. It needs no key and sends no order."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Final

import structlog

from chimera.adapters.binance.hosts import Hosts
from chimera.adapters.binance.http import AiohttpTransport
from chimera.adapters.binance.market_streams import MarketStreams, StreamFault
from chimera.services.clock import SystemClock
from chimera.services.feed.face import build_app
from chimera.services.feed.feed import Feed
from chimera.services.feed.settings import SERVED, FeedSettings
from chimera.services.serving import listen, run_until, serve_app
from chimera.services.stores import open_bus
from chimera.trading.market import Market
from chimera.trading.value import Value

SERVICE: Final = "feed"
HOST: Final = "127.0.0.1"
FIRST_EVENT_POLL_S: Final = 0.05

log = structlog.get_logger(__name__)


class Spot(Value):
    """Where spot's public streams are, and which symbols of them are read."""

    hosts: Hosts
    symbols: tuple[str, ...]


async def serve(
    hosts: Hosts,
    symbols: Sequence[str],
    redis_addresses: Sequence[str],
    *,
    stop: asyncio.Event,
    embedded_dir: Path,
    settings: FeedSettings = SERVED,
    ready: asyncio.Event | None = None,
    spot: Spot | None = None,
    port: int | None = None,
) -> None:
    """Until ``stop``. ``ready`` is set with futures' first event.

    ``port``: of a face on loopback with ``/health`` and ``/metrics``; None: none. Raises ``PortInUse``.
    """
    with ExitStack() as held:
        bound = None if port is None else listen(SERVICE, HOST, port)
        if bound is not None:
            held.callback(bound.close)
        async with open_bus(redis_addresses, embedded_dir) as bus:
            feeds = {Market.FUT: (feed := Feed(bus, SystemClock(), settings))}
            work = [_read(feed, hosts, symbols, Market.FUT)]
            if spot is not None:
                beside = feeds[Market.SPOT] = Feed(bus, SystemClock(), settings, market=Market.SPOT)
                work.append(_read(beside, spot.hosts, spot.symbols, Market.SPOT))
            watch = asyncio.create_task(_watch_first(feed, ready)) if ready is not None else None
            try:
                if bound is None:
                    await run_until(stop, _all(work))
                else:
                    await serve_app(build_app(feeds), bound, _all(work), stop=stop)
            finally:
                if watch is not None:
                    watch.cancel()


async def _all(work: Sequence[Coroutine[None, None, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for each in work:
            group.create_task(each)


async def _read(feed: Feed, hosts: Hosts, symbols: Sequence[str], market: Market) -> None:
    transport = AiohttpTransport(hosts)
    try:
        async with aclosing(MarketStreams(transport, symbols, market, on_fault=_tell).events()) as events:
            await feed.run(events)
    finally:
        await transport.close()


async def _watch_first(feed: Feed, ready: asyncio.Event) -> None:
    while not feed.status().events:  # noqa: ASYNC110 - the feed tells its readers through the board alone
        await asyncio.sleep(FIRST_EVENT_POLL_S)
    ready.set()


def _tell(fault: StreamFault) -> None:
    log.warning("market_stream", kind=str(fault.kind), where=fault.where, detail=fault.detail)
