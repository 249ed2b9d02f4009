"""What the feed puts on the board, and how often."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from itertools import takewhile

import pytest

from chimera.services.feed.feed import Feed
from chimera.services.feed.settings import FIXTURE_FACTORS, FeedSettings, served
from chimera.services.feed.symbol import SymbolFeed
from chimera.tape.depth import Depth
from chimera.tape.synthetic import START_US, Synthetic
from chimera.trading.errors import StoreUnavailable
from chimera.trading.market import DepthChanged, Marked, Market, MarketEvent, TopOfBook, Traded
from chimera.trading.money import Millis, Price, Qty
from chimera.wire import codec
from chimera.wire.board import DepthBoard, FeatureBoard, TickBoard

FACTORS = {
    "atr", "rv", "rv_pctile_30d", "rho_usdttwd_14", "spread_bps", "depth_top1_usdt", "spread_bps_mean_1h",
    "depth_top1_usdt_mean_1h", "funding_rate", "funding_next_abs",
}  # fmt: skip


class _Board:
    """Snapshots in a dictionary, counting writes; away while ``away``."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.writes: Counter[str] = Counter()
        self.away = False

    async def put(self, key: str, document: bytes, *, ttl_ms: int | None = None) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailable("away")
        self.documents[key] = document
        self.writes[key] += 1

    async def get(self, key: str) -> bytes | None:
        return self.documents.get(key)

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        return [self.documents.get(key) for key in keys]


class _Clock:
    def now_ms(self) -> Millis:
        return Millis(START_US // 1_000 + 60_250)

    def monotonic_ms(self) -> Millis:
        return Millis(0)


def a_market(seconds: int) -> list[MarketEvent]:
    return list(takewhile(lambda event: event.at_us < START_US + seconds * 1_000_000, Synthetic(4)))


@pytest.mark.req("S3-FEAT-1", "RD-1")
async def test_the_board_shows_the_market_as_it_ended() -> None:
    board, events = _Board(), a_market(60)
    feed = Feed(board, _Clock(), FeedSettings(constants=FIXTURE_FACTORS))

    await feed.run(_stream(events))

    touch = [event for event in events if isinstance(event, TopOfBook)][-1]
    marked = [event for event in events if isinstance(event, Marked)][-1]
    tick = codec.decode(board.documents["mkt:tick:BTCUSDT"], TickBoard)
    assert (tick.bid, tick.ask, tick.mid) == (touch.bid, touch.ask, (touch.bid + touch.ask) / 2)
    assert (tick.mark, tick.index) == (marked.mark, marked.index)
    assert tick.last == [event for event in events if isinstance(event, Traded)][-1].price
    assert tick.at_ms == [event for event in events if isinstance(event, TopOfBook | DepthChanged)][-1].at_us // 1_000
    assert tick.spread_bps == ((tick.ask - tick.bid) / tick.mid * 10_000).quantize(Decimal("1E-6"))

    depth = codec.decode(board.documents["mkt:depth:BTCUSDT"], DepthBoard)
    book = Depth()
    for event in events:
        if isinstance(event, TopOfBook | DepthChanged):
            book.apply(event)
    assert (depth.bids, depth.asks) == (book.bids.top(20), book.asks.top(20))
    assert depth.depth_top1_usdt == min(touch.bid * touch.bid_qty, touch.ask * touch.ask_qty)

    features = codec.decode(board.documents["feat:last:BTCUSDT"], FeatureBoard)
    assert set(features.features) == FACTORS
    assert features.features["rho_usdttwd_14"].value == Decimal("-0.40")
    assert features.features["funding_next_abs"].at_ms == marked.at_us // 1_000
    assert features.features["atr"].at_ms == START_US // 1_000 + 55_000  # when the last full bar of 5 s closed
    assert (features.about["atr_period"], features.about["atr_bar_ms"], features.about["atr_bars_seen"]) == (
        14,
        5_000,
        11,
    )
    assert feed.status().event_age_ms == Millis(_Clock().now_ms() - events[-1].at_us // 1_000)


def a_touch(at_s: float) -> TopOfBook:
    bid = Price(Decimal(65_000))
    qty = Qty(Decimal(1))
    return TopOfBook(symbol="BTCUSDT", at_us=int(at_s * 1e6), bid=bid, bid_qty=qty, ask=Price(bid + 1), ask_qty=qty)


def a_mark(at_s: float) -> Marked:
    px = Price(Decimal(65_000))
    return Marked(
        symbol="BTCUSDT", at_us=int(at_s * 1e6), mark=px, index=px, funding_rate=Decimal(0), next_funding_ms=Millis(0)
    )


@pytest.mark.req("RD-1", "I21")
@pytest.mark.fault("C10")
def test_a_book_that_is_silent_does_not_stay_young_by_the_marks_that_go_on() -> None:
    """They come over two connections; of a book that nobody had seen for a minute the tick said that it was of now."""
    feed = SymbolFeed("BTCUSDT", FeedSettings())
    feed.take(a_touch(1))
    for second in range(2, 60):
        feed.take(a_mark(second))
    tick = feed.tick()
    assert tick is not None
    assert (tick.at_ms, tick.mark) == (1_000, Decimal(65_000))
    features = feed.features().features
    assert (features["spread_bps"].at_ms, features["funding_rate"].at_ms) == (1_000, 59_000)


@pytest.mark.req("S3-FEAT-1")
def test_where_money_is_real_no_factor_is_made_up() -> None:
    """The demo rules need two that no market shows: with play money they are constants, and there they are missing."""
    assert {env: set(served(env).constants) for env in ("sim", "demo", "live")} == {
        "sim": set(FIXTURE_FACTORS), "demo": set(FIXTURE_FACTORS), "live": set(),
    }  # fmt: skip


@pytest.mark.req("RD-1", "I21")
@pytest.mark.fault("C10")
def test_a_mark_that_is_silent_does_not_stay_young_by_the_book_that_goes_on() -> None:
    feed = SymbolFeed("BTCUSDT", FeedSettings())
    feed.take(a_mark(1))
    for second in range(2, 60):
        feed.take(a_touch(second))
        tick = feed.tick()
        assert tick is not None
        assert (tick.mark is None, tick.index is None) == (second > 6, second > 6), second


@pytest.mark.req("RD-1")
async def test_spot_has_its_own_touch_and_depth_and_leaves_the_features_to_futures() -> None:
    board, events = _Board(), [event for event in a_market(5) if not isinstance(event, Marked)]

    await Feed(board, _Clock(), FeedSettings(), market=Market.SPOT).run(_stream(events))

    touch = [event for event in events if isinstance(event, TopOfBook)][-1]
    assert set(board.documents) == {"mkt:tick:spot:BTCUSDT", "mkt:depth:spot:BTCUSDT"}
    tick = codec.decode(board.documents["mkt:tick:spot:BTCUSDT"], TickBoard)
    assert (tick.bid, tick.ask, tick.mark) == (touch.bid, touch.ask, None)


@pytest.mark.req("S3-FEAT-1")
def test_a_feature_that_is_not_known_is_absent() -> None:
    symbol = SymbolFeed("BTCUSDT", FeedSettings())
    before = symbol.features()
    for event in a_market(14):
        symbol.take(event)
    early = set(symbol.features().features)
    for event in a_market(16):
        symbol.take(event)

    assert before.features == {}
    assert "atr" not in early
    assert "spread_bps" in early
    assert "atr" in symbol.features().features  # after three bars: a market of five minutes trades
    assert symbol.features().features.keys().isdisjoint(FIXTURE_FACTORS)


async def test_writes_are_conflated_and_each_is_the_newest() -> None:
    board, events = _Board(), a_market(30)
    feed = Feed(board, _Clock(), FeedSettings(write_every_ms=10_000))

    await feed.run(_stream(events, yielding=True))

    assert len(events) > 400
    assert max(board.writes.values()) <= 2  # the first state and the last
    assert codec.decode(board.documents["mkt:tick:BTCUSDT"], TickBoard).at_ms == events[-1].at_us // 1_000


async def test_a_board_that_is_away_costs_freshness_only() -> None:
    board, events = _Board(), a_market(10)
    feed = Feed(board, _Clock(), FeedSettings())
    board.away = True
    for event in events:
        feed.take(event)
    await feed.flush()
    failed = feed.status()
    board.away = False
    await feed.flush()

    assert (failed.failed_writes, failed.writes) == (1, 0)
    assert codec.decode(board.documents["mkt:tick:BTCUSDT"], TickBoard).at_ms == events[-1].at_us // 1_000


async def test_a_board_that_hangs_does_not_hold_the_feed() -> None:
    class Hanging(_Board):
        async def put(self, key: str, document: bytes, *, ttl_ms: int | None = None) -> None:
            await asyncio.Event().wait()

    feed = Feed(Hanging(), _Clock(), FeedSettings(put_timeout_ms=1))
    events = a_market(5)

    await feed.run(_stream(events, yielding=True))

    assert (feed.status().events, feed.status().writes) == (len(events), 0)
    assert feed.status().failed_writes > 0


async def _stream(events: Sequence[MarketEvent], *, yielding: bool = False) -> AsyncIterator[MarketEvent]:
    for event in events:
        if yielding:
            await asyncio.sleep(0)
        yield event
