"""What the router sees of the market: the feed's snapshots, else the venue itself; never older than it admits.

The view is read without waiting. It refreshes in the background and before each new intent; a price older than
``STALE_MS`` is no price, and while one counts no look at an earlier moment takes its place, whoever looked and
whichever came first. Spot has no mark: there it is the mid of what was seen last.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import msgspec
import structlog

from chimera.ports.clock import Clock
from chimera.ports.streams import Snapshots
from chimera.ports.venue import Rulebook
from chimera.route.probe import LastHour
from chimera.trading.errors import ChimeraError, StoreUnavailable
from chimera.trading.ids import Symbol
from chimera.trading.liquidity import Book, Hour
from chimera.trading.market import Market, Touch
from chimera.trading.money import Millis, Price, sound
from chimera.wire.board import DepthBoard, read_tick
from chimera.wire.keys import depth_key, spot_depth_key, spot_tick_key, tick_key

STALE_MS = 3_000
MARK_STALE_MS = 10_000
REFRESH_MS = 200
WITHIN_S = 0.3  # one symbol, from feed or venue
FEED_WITHIN_S = 0.05  # a caller waits for it: an entry must be refused fast while the bus is away
VENUE_EVERY_MS = 1_000  # three looks before a price is stale
FEED_AT_ONCE = 32  # symbols in one question: what it shows is taken in at one go
ONE_BY_ONE = 5  # symbols
ALL_WITHIN_MS = 1_000

log = structlog.get_logger()


class MarketView:
    """Touch, book and mark by symbol, as last seen; and how the last hour was."""

    def __init__(self, snapshots: Snapshots, rulebook: Rulebook, clock: Clock, market: Market = Market.FUT) -> None:
        self._snapshots = snapshots
        futures = market is Market.FUT
        self._key, self._depth_key = (tick_key, depth_key) if futures else (spot_tick_key, spot_depth_key)
        self._rulebook = rulebook
        self._clock = clock
        self._mid_is_mark = not futures
        self._touches: dict[Symbol, Touch] = {}
        self._of_ms: dict[Symbol, Millis] = {}  # the moment that the touch shows, UTC
        self._marks: dict[Symbol, Price] = {}
        self._seen_ms: dict[Symbol, Millis] = {}
        self._marked_ms: dict[Symbol, Millis] = {}
        self._books: dict[Symbol, Book] = {}
        self._booked_ms: dict[Symbol, Millis] = {}  # monotonic
        self._hours: dict[Symbol, LastHour] = {}
        self._venue_due_ms = 0  # monotonic
        # They hear each look, with the mark where it is fresh; or a mark where the book shows no touch.
        self.listeners: list[Callable[[Symbol, Touch | None, Price | None], None]] = []

    def touch(self, symbol: Symbol) -> Touch | None:
        """None when nothing fresh is known."""
        seen = self._seen_ms.get(symbol)
        return self._touches[symbol] if seen is not None and self._clock.monotonic_ms() - seen <= STALE_MS else None

    def book(self, symbol: Symbol) -> Book | None:
        """What the feed shows beyond the touch; None when nothing fresh is known."""
        seen = self._booked_ms.get(symbol)
        return self._books[symbol] if seen is not None and self._clock.monotonic_ms() - seen <= STALE_MS else None

    def hour(self, symbol: Symbol) -> Hour | None:
        """Spread and depth as they were in the last hour; None until enough was seen."""
        known = self._hours.get(symbol)
        return None if known is None else known.now(self._clock.now_ms())

    def mark(self, symbol: Symbol) -> Price | None:
        """None when nothing fresh is known."""
        seen = self._marked_ms.get(symbol)
        fresh = seen is not None and self._clock.monotonic_ms() - seen <= MARK_STALE_MS
        return self._marks[symbol] if fresh else None

    def worth(self, symbol: Symbol) -> Price | None:
        """What values a position, and prices and judges no order: the mark, else the mid, else the last mark."""
        touch = self.touch(symbol)
        return self.mark(symbol) or (self._marks.get(symbol) if touch is None else touch.mid)

    def stale(self, symbol: Symbol) -> str | None:
        """Why the price that was known counts no more; None: it is fresh, or there never was one."""
        seen = self._seen_ms.get(symbol)
        age_ms = 0 if seen is None else self._clock.monotonic_ms() - seen
        return None if age_ms <= STALE_MS else f"the market has not been seen for more than {STALE_MS} ms"

    async def glance(self, symbol: Symbol) -> bool:
        """Look again from the feed's snapshot alone; whether it showed a fresh price, and a mark is known."""
        return symbol in await self._from_feed((symbol,))

    async def ask(self, symbol: Symbol) -> None:
        """Look again at the venue alone; silence is no error."""
        try:
            async with asyncio.timeout(WITHIN_S):
                await self._from_venue(symbol)
        except (TimeoutError, ChimeraError):
            return

    async def refresh(self, symbol: Symbol) -> None:
        """Look again, from the feed's snapshot or, where that is stale or away, from the venue; silence is no error."""
        try:
            async with asyncio.timeout(WITHIN_S):
                if not await self.glance(symbol):
                    await self._from_venue(symbol)
        except (TimeoutError, ChimeraError):
            return

    async def refresh_all(self, symbols: Iterable[Symbol]) -> None:
        """The background's look: at the feed each time, and for the rest at the venue, not more often than its weight.

        Up to five are asked for one by one (weight 3 each), more of them all at once (15): 900 a minute at worst.
        """
        wanted = tuple(symbols)
        seen: set[Symbol] = set()
        for first in range(0, len(wanted), FEED_AT_ONCE):
            seen |= await self._from_feed(wanted[first : first + FEED_AT_ONCE])
        missing = [symbol for symbol in wanted if symbol not in seen]
        now_ms = self._clock.monotonic_ms()
        if not missing or now_ms < self._venue_due_ms:
            return
        self._venue_due_ms = now_ms + VENUE_EVERY_MS
        if len(missing) <= ONE_BY_ONE:
            await asyncio.gather(*(self.refresh(symbol) for symbol in missing))
            return
        asked_ms = self._clock.now_ms()
        try:
            async with asyncio.timeout(ALL_WITHIN_MS / 1000):
                found = await self._rulebook.prices()
        except (TimeoutError, ChimeraError):
            return
        for symbol in missing:
            if symbol in found:
                touch, mark = found[symbol]
                self._put_alone(symbol, mark)
                if touch is not None:
                    self._put(symbol, touch, mark, of_ms=asked_ms)

    async def _from_feed(self, symbols: Sequence[Symbol]) -> set[Symbol]:
        """Those of which the feed shows a fresh price, and a mark is known. One question for all; where it finds no
        answer each is asked for by itself: of a Cluster, what is away holds up only what lives there."""
        keys = [key(symbol) for symbol in symbols for key in (self._key, self._depth_key)]
        try:
            async with asyncio.timeout(FEED_WITHIN_S):
                found = await self._snapshots.get_many(keys)
        except (TimeoutError, StoreUnavailable):
            if len(symbols) == 1:
                return set()
            alone = await asyncio.gather(*(self._from_feed((symbol,)) for symbol in symbols))
            return set().union(*alone)
        shown = zip(symbols, found[::2], found[1::2], strict=True)
        return {symbol for symbol, tick, depth in shown if self._take(symbol, tick, depth)}

    def _take(self, symbol: Symbol, document: bytes | None, depth: bytes | None) -> bool:
        """What the feed shows of it; whether that is a fresh price, and a mark is known."""
        self._take_depth(symbol, depth)
        if document is None:
            return False
        try:
            tick = read_tick(document)
            touch = tick.touch()
        except (msgspec.DecodeError, ValueError) as error:
            log.error("tick_unreadable", symbol=symbol, error=str(error))
            return False
        sane = touch.bid < touch.ask and (tick.mark is None or (sound(tick.mark) and tick.mark > 0))
        age_ms = self._clock.now_ms() - touch.at_ms
        if not sane or abs(age_ms) > STALE_MS:
            return False
        mark = touch.mid if self._mid_is_mark else tick.mark
        self._put(symbol, touch, mark, of_ms=touch.at_ms, age_ms=max(age_ms, 0))
        return self.mark(symbol) is not None

    def _take_depth(self, symbol: Symbol, document: bytes | None) -> None:
        """Without it a touch serves: what cannot be read, or makes no sense, is as good as none."""
        if document is None:
            return
        try:
            depth = msgspec.json.decode(document, type=DepthBoard, strict=False)
        except (msgspec.DecodeError, ValueError) as error:
            log.error("depth_unreadable", symbol=symbol, error=str(error))
            return
        age_ms = self._clock.now_ms() - depth.at_ms
        levels = (*depth.bids, *depth.asks)
        reckonable = all(sound(level.price) and sound(level.qty) for level in levels) and depth.bids and depth.asks
        if not reckonable or not 0 < depth.bids[0].price < depth.asks[0].price or abs(age_ms) > STALE_MS:
            return
        self._books[symbol] = Book(bids=depth.bids, asks=depth.asks, at_ms=depth.at_ms)
        self._booked_ms[symbol] = Millis(self._clock.monotonic_ms() - max(age_ms, 0))

    async def _from_venue(self, symbol: Symbol) -> None:
        """The mark first: a book with an empty side has no touch, and what is held there is worth the mark."""
        asked_ms = self._clock.now_ms()
        mark = await self._rulebook.mark(symbol)
        self._put_alone(symbol, mark)
        self._put(symbol, await self._rulebook.touch(symbol), mark, of_ms=asked_ms)

    def _put(self, symbol: Symbol, touch: Touch, mark: Price | None, *, of_ms: Millis, age_ms: int = 0) -> None:
        """Unless a newer one counts. ``of_ms``: the moment it shows; of the venue's answer that of the question, since
        a touch that stands unchanged has an old date. ``age_ms``: how old it was when we read it, so that a snapshot
        does not grow young by being read.
        """
        of_ms = max(of_ms, touch.at_ms)
        if of_ms < self._of_ms.get(symbol, of_ms) and self.touch(symbol) is not None:
            if mark is not None and self.mark(symbol) is None:  # the newer look had none
                self._put_mark(symbol, mark, age_ms=age_ms)
            return
        self._of_ms[symbol] = of_ms
        seen_ms = Millis(self._clock.monotonic_ms() - age_ms)
        self._touches[symbol] = touch
        self._seen_ms[symbol] = seen_ms
        self._hours.setdefault(symbol, LastHour()).take(self._clock.now_ms(), Book.of(touch))
        if mark is not None:
            self._put_mark(symbol, mark, age_ms=age_ms)
        for listener in self.listeners:
            listener(symbol, touch, self.mark(symbol))

    def _put_alone(self, symbol: Symbol, mark: Price) -> None:
        """By the venue, of a symbol that shows no touch, or had no mark; on spot the mid is one, and has a touch."""
        if self._mid_is_mark or (self.touch(symbol) is not None and self.mark(symbol) is not None):
            return
        self._put_mark(symbol, mark)
        for listener in self.listeners:
            listener(symbol, self.touch(symbol), mark)

    def _put_mark(self, symbol: Symbol, mark: Price, *, age_ms: int = 0) -> None:
        self._marks[symbol], self._marked_ms[symbol] = mark, Millis(self._clock.monotonic_ms() - age_ms)
