"""The feed: market events of one market in, the board's documents per symbol out, conflated.

Invariants: reading never waits for the board; each key is written at most once per ``write_every_ms`` and always with
the newest state, so nothing queues; a board that is away costs only freshness, and the newest state is written when it
is back. Waiting is the event loop's, so the feed runs in virtual time too. It decides nothing. Of spot it
writes touch and depth; features are of futures, one set per symbol.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from chimera.ports.clock import Clock
from chimera.ports.streams import Snapshots
from chimera.services.feed.settings import FeedSettings
from chimera.services.feed.symbol import SymbolFeed
from chimera.trading.errors import StoreUnavailable
from chimera.trading.market import Market, MarketEvent
from chimera.trading.money import Millis
from chimera.trading.value import Value
from chimera.wire import codec
from chimera.wire.keys import depth_key, features_key, spot_depth_key, spot_tick_key, tick_key

EVENTS_PER_TURN: Final = 200


class FeedStatus(Value):
    """What came and what was written so far; the feed has no face of its own that would tell it."""

    symbols: tuple[str, ...]
    events: int
    writes: int
    failed_writes: int
    event_age_ms: Millis | None  # our clock minus the newest event's time; None before the first event


class Feed:
    """Keeps the board current. ``run`` is the whole service; ``take`` and ``flush`` are its two halves."""

    def __init__(self, board: Snapshots, clock: Clock, settings: FeedSettings, *, market: Market = Market.FUT) -> None:
        self._board = board
        self._clock = clock
        self._settings = settings
        self._spot = market is Market.SPOT
        self._keys = (spot_tick_key, spot_depth_key) if self._spot else (tick_key, depth_key)
        self._symbols: dict[str, SymbolFeed] = {}
        self._changed: dict[str, None] = {}  # in the order of change: no hash order
        self._wake = asyncio.Event()
        self._events = 0
        self._writes = 0
        self._failed_writes = 0

    async def run(self, events: AsyncIterator[MarketEvent]) -> None:
        """Until the market ends; its last state is on the board then, if the board took it."""
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(self._write())
            async for event in events:
                self.take(event)
                if self._events % EVENTS_PER_TURN == 0:
                    await asyncio.sleep(0)  # a source that never waits would starve the writer
            writer.cancel()
        await self.flush()

    def take(self, event: MarketEvent) -> None:
        """Fold one event; O(1) but for the depth."""
        symbol = self._symbols.get(event.symbol)
        if symbol is None:
            symbol = self._symbols[event.symbol] = SymbolFeed(event.symbol, self._settings)
        symbol.take(event)
        self._events += 1
        self._changed[event.symbol] = None
        self._wake.set()

    async def flush(self) -> None:
        """Write every symbol that changed since it was last written."""
        for name in list(self._changed):
            del self._changed[name]
            written = False
            try:
                written = await self._put(self._symbols[name])
            finally:  # failed or cancelled: still to be written
                if not written:
                    self._changed[name] = None
                    self._wake.set()

    def status(self) -> FeedStatus:
        newest_ms = max((symbol.at_ms for symbol in self._symbols.values()), default=None)
        return FeedStatus(
            symbols=tuple(self._symbols),
            events=self._events,
            writes=self._writes,
            failed_writes=self._failed_writes,
            event_age_ms=None if newest_ms is None else Millis(self._clock.now_ms() - newest_ms),
        )

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.flush()
            await asyncio.sleep(self._settings.write_every_ms / 1_000)

    async def _put(self, symbol: SymbolFeed) -> bool:
        tick, depth = symbol.tick(), symbol.depth()
        documents = {} if self._spot else {features_key(symbol.symbol): codec.encode(symbol.features())}
        if tick is not None and depth is not None:
            of_touch, of_depth = self._keys
            documents[of_touch(symbol.symbol)] = codec.encode(tick)
            documents[of_depth(symbol.symbol)] = codec.encode(depth)
        try:
            async with asyncio.timeout(self._settings.put_timeout_ms / 1_000):
                for key, document in documents.items():
                    await self._board.put(key, document)
                    self._writes += 1
        except (StoreUnavailable, TimeoutError):
            self._failed_writes += 1
            return False
        return True
