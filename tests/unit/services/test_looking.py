"""How often the background asks the venue for prices and fees: what it costs does not grow with the symbols."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from chimera.adapters.binance.raw import BOOK_TICKER, COMMISSION_RATE, PREMIUM_INDEX
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.services.router.market import REFRESH_MS, STALE_MS, MarketView
from chimera.services.router.watching import FUNDS_EVERY_S, Watch
from chimera.services.stage.clock import VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.trading.errors import NotSent
from chimera.trading.ids import Symbol
from chimera.trading.market import Touch
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.venue import FeeRates
from support.grounds import a_ground

ONE = Decimal(1)
TOUCH = Touch(bid=Price(ONE), bid_qty=Qty(ONE), ask=Price(ONE * 2), ask_qty=Qty(ONE), at_ms=Millis(0))


def names(number: int) -> list[Symbol]:
    return [Symbol(f"C{each:03}USDT") for each in range(number)]


class Venue:
    """Counts the weight of what it is asked."""

    def __init__(self) -> None:
        self.weight = 0
        self.away = False
        self.fees_of: Counter[Symbol] = Counter()

    def _take(self, weight: int) -> None:
        if self.away:
            raise NotSent("held back", Millis(1_000), held=True)
        self.weight += weight

    async def touch(self, _: Symbol) -> Touch:
        self._take(BOOK_TICKER.weight)
        return TOUCH

    async def mark(self, _: Symbol) -> Price:
        self._take(PREMIUM_INDEX.weight)
        return Price(ONE)

    async def prices(self) -> Mapping[Symbol, tuple[Touch, Price]]:
        self._take((BOOK_TICKER.weight_all or 0) + (PREMIUM_INDEX.weight_all or 0))
        return dict.fromkeys(names(200), (TOUCH, Price(ONE)))

    async def fee_rates(self, symbol: Symbol) -> FeeRates:
        self._take(COMMISSION_RATE.weight)
        self.fees_of[symbol] += 1
        return FeeRates(maker=ONE, taker=ONE)


class Feed:
    """The snapshots, there or not."""

    def __init__(self, document: bytes | None = None) -> None:
        self._document = document

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        return [self._document] * len(keys)


def a_minute_of(symbols: list[Symbol], venue: Venue, feed: Feed, *, stale: list[Symbol] | None = None) -> None:
    loop = DetLoop(1)
    clock = VirtualClock(loop)
    market = MarketView(cast("Any", feed), cast("Any", venue), clock)

    async def watch() -> None:
        while loop.time() < 60:
            await market.refresh_all(symbols)
            if stale is not None:
                stale.extend(
                    symbol for symbol in symbols if market.touch(symbol) is None or market.mark(symbol) is None
                )
            await asyncio.sleep(REFRESH_MS / 1000)

    loop.run_until_complete(watch())


def test_prices_of_a_hundred_symbols_cost_as_much_as_those_of_six() -> None:
    spent = []
    for number in (1, 5, 6, 100):
        venue, stale = Venue(), list[Symbol]()
        a_minute_of(names(number), venue, Feed(), stale=stale)
        spent.append(venue.weight)
        assert stale == []  # each look finds a price that counts
    assert spent == [180, 900, 900, 900]
    assert STALE_MS >= 3_000


def test_what_the_feed_tells_costs_nothing() -> None:
    venue = Venue()
    at_ms = VirtualClock(DetLoop(1)).now_ms() + 1_000
    a_minute_of(
        names(20), venue, Feed(b'{"bid":"1","bid_qty":"1","ask":"2","ask_qty":"1","mark":"1","at_ms":%d}' % at_ms)
    )
    assert venue.weight == (60 - 4) * 15  # the feed died after a second; its last word counted for three more


def test_a_venue_that_is_not_asked_is_no_error() -> None:
    venue, stale = Venue(), list[Symbol]()
    venue.away = True
    a_minute_of(names(20), venue, Feed(), stale=stale)
    assert set(stale) == set(names(20))


def fees_after(seconds: float, symbols: list[Symbol], venue: Venue, *, away_s: float = 0) -> Watch:
    loop = DetLoop(1)
    ground, asked, nobody = a_ground(clock=VirtualClock(loop)), cast("Any", venue), cast("Any", None)
    ground.owners.update({ground.key(symbol): nobody for symbol in symbols})
    watch = Watch(ground, asked, asked, nobody, nobody, nobody, nobody, nobody, MemoryLedger())

    async def story() -> None:
        while loop.time() < seconds:
            venue.away = loop.time() < away_s
            await quietly(watch._read_fees())
            await asyncio.sleep(FUNDS_EVERY_S)

    loop.run_until_complete(story())
    return watch


async def quietly(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except NotSent:
        return


def test_the_fees_of_a_hundred_symbols_are_read_in_turn() -> None:
    """Each once in ten minutes, and never more than a fifth of the venue's minute for all of them."""
    venue = Venue()
    watch = fees_after(60, names(100), venue)
    assert venue.weight <= 480
    assert len(watch.fees) == 24
    venue = Venue()
    watch = fees_after(1_200, names(100), venue)
    assert len(watch.fees) == 100
    assert set(venue.fees_of.values()) <= {2, 3}


def test_a_refusal_does_not_begin_the_round_anew() -> None:
    venue = Venue()
    fees_after(300, names(100), venue, away_s=40)
    assert set(venue.fees_of.values()) == {1}
