"""What traded in public: candles of every interval, the day's ticker, trades from an id on, and their streams."""

from decimal import Decimal

import pytest
from trading_desk import START_MS, Desk

from chimera.simulate.venue.candles import INTERVALS
from chimera.simulate.venue.prints import MINUTES, TRADES
from chimera.trading.money import DAY_MS, HOUR_MS, MINUTE_MS

D = Decimal
MIDNIGHT = 1_763_596_800_000  # Thursday, 20 November 2025
SYMBOL = {"symbol": "BTCUSDT"}

pytestmark = pytest.mark.req("TW-1")


@pytest.fixture
def traded(new_desk) -> Desk:
    """Two trades in the first minute, one two minutes later, and it is half a minute past that."""
    desk = new_desk()
    desk.top("65799.9", "65800.0")
    desk.now = MIDNIGHT
    desk.trade("65800.0", "0.5", "BUY")
    desk.trade("65790.0", "0.25", "SELL")
    desk.now += 2 * MINUTE_MS
    desk.trade("65810.0", "0.1", "BUY")
    desk.now += MINUTE_MS // 2
    return desk


def klines(desk: Desk, interval: str = "1m", **more: int):
    return desk.ok("GET", "v1/klines", **SYMBOL, interval=interval, **more)


@pytest.mark.parametrize(
    ("interval", "opened", "next_one"),
    [
        ("1m", MIDNIGHT, MIDNIGHT + MINUTE_MS),
        ("4h", MIDNIGHT, MIDNIGHT + 4 * HOUR_MS),
        ("1d", MIDNIGHT, MIDNIGHT + DAY_MS),
        ("1w", MIDNIGHT - 3 * DAY_MS, MIDNIGHT + 4 * DAY_MS),  # Monday to Monday
        ("1M", MIDNIGHT - 19 * DAY_MS, MIDNIGHT + 11 * DAY_MS),  # of November
    ],
)
def test_an_interval_opens_where_binances_does(interval: str, opened: int, next_one: int) -> None:
    found = INTERVALS[interval]
    assert {found.opening(MIDNIGHT), found.opening(MIDNIGHT + 59_999)} == {opened}
    assert (found.after(opened), found.opening(next_one - 1)) == (next_one, opened)


def test_candles_leave_no_minute_out(traded: Desk) -> None:
    """A minute without a trade has the close before it and no volume; the last one is not over."""
    first, quiet, last = klines(traded)

    assert first == [
        MIDNIGHT, "65800.00", "65800.00", "65790.00", "65790.00", "0.750", MIDNIGHT + 59_999, "49347.50000", 2,
        "0.500", "32900.00000", "0",
    ]  # fmt: skip
    assert quiet == [MIDNIGHT + MINUTE_MS, *["65790.00"] * 4, "0.000", MIDNIGHT + 119_999, "0.00000", 0,
                     "0.000", "0.00000", "0"]  # fmt: skip
    assert last[:6] == [MIDNIGHT + 2 * MINUTE_MS, *["65810.00"] * 4, "0.100"]


def test_candles_are_asked_for_by_time_and_number(traded: Desk) -> None:
    opened = [row[0] for row in klines(traded)]
    assert [row[0] for row in klines(traded, limit=1)] == opened[-1:]
    assert [row[0] for row in klines(traded, startTime=opened[1], limit=1)] == opened[1:2]
    assert [row[0] for row in klines(traded, endTime=opened[1])] == opened[:2]
    assert [row[5] for row in klines(traded, "1d")] == ["0.850"]


def test_what_is_long_past_is_forgotten_and_a_long_silence_costs_no_more(traded: Desk) -> None:
    traded.now += 100 * DAY_MS
    assert [row[0] for row in klines(traded, limit=2)] == [
        traded.now // MINUTE_MS * MINUTE_MS - MINUTE_MS * k for k in (1, 0)
    ]
    assert len(traded.twin.usdm.floor.listings["BTCUSDT"].prints.candles(INTERVALS["1m"], traded.now)) <= 2 * MINUTES
    for _ in range(TRADES):
        traded.trade("65810.0", "0.001", "BUY")
    assert len(traded.ok("GET", "v1/trades", **SYMBOL, limit=1000)) == TRADES


def test_trades_are_the_newest_or_from_an_id_on(traded: Desk) -> None:
    rows = traded.ok("GET", "v1/trades", **SYMBOL)
    assert [(row["price"], row["qty"], row["isBuyerMaker"]) for row in rows] == [
        ("65800.00", "0.500", False), ("65790.00", "0.250", True), ("65810.00", "0.100", False),
    ]  # fmt: skip
    assert traded.ok("GET", "v1/trades", **SYMBOL, limit=1) == rows[-1:]
    second = rows[1]["id"]
    assert traded.ok("GET", "v1/historicalTrades", **SYMBOL, fromId=second, limit=1) == rows[1:2]
    assert [row["a"] for row in traded.ok("GET", "v1/aggTrades", **SYMBOL, fromId=second)] == [second, second + 1]
    assert [row["a"] for row in traded.ok("GET", "v1/aggTrades", **SYMBOL, endTime=MIDNIGHT)] == [second - 1, second]
    assert traded.code("GET", "v1/aggTrades", **SYMBOL, startTime=2, endTime=1) == -1023


def test_the_days_ticker_forgets_what_is_a_day_old(traded: Desk) -> None:
    day = traded.ok("GET", "v1/ticker/24hr", **SYMBOL)
    assert (day["openPrice"], day["highPrice"], day["lowPrice"], day["lastPrice"], day["volume"], day["count"]) == (
        "65800.00", "65810.00", "65790.00", "65810.00", "0.850", 3,
    )  # fmt: skip
    assert (day["priceChange"], day["priceChangePercent"], day["lastQty"]) == ("10.00", "0.015", "0.100")
    traded.now = MIDNIGHT + DAY_MS + MINUTE_MS
    assert traded.ok("GET", "v1/ticker/24hr", **SYMBOL)["volume"] == "0.100"
    traded.now += DAY_MS
    late = traded.ok("GET", "v1/ticker/24hr", **SYMBOL)
    assert (late["lastPrice"], late["volume"], late["priceChange"], late["firstId"]) == (
        "65810.00",
        "0.000",
        "0.00",
        -1,
    )


def test_before_anything_traded_there_are_no_candles_and_the_ticker_has_the_mid(new_desk) -> None:
    desk = new_desk()
    desk.top("65799.9", "65800.1")
    assert klines(desk) == desk.ok("GET", "v1/trades", **SYMBOL) == []
    assert desk.ok("GET", "v1/ticker/24hr", **SYMBOL)["lastPrice"] == "65800.00"


def test_a_candle_is_told_while_it_lasts_and_once_when_it_is_over(new_desk) -> None:
    desk = new_desk()
    desk.top("65799.9", "65800.0")
    desk.now = START_MS // MINUTE_MS * MINUTE_MS
    desk.twin.subscribe("market", "btcusdt@kline_1m")
    for wait_ms in (0, 100, 250, MINUTE_MS, 250):
        desk.now += wait_ms
        desk.trade("65800.0", "0.1", "BUY")
        desk.twin.tick(desk.now)
    told = [
        (event["k"]["t"] - START_MS // MINUTE_MS * MINUTE_MS, event["k"]["v"], event["k"]["x"])
        for event in desk.events()
    ]
    assert told == [
        (0, "0.100", False),  # the second came within a quarter of a second
        (0, "0.300", False),
        (0, "0.300", True),
        (MINUTE_MS, "0.100", False),
        (MINUTE_MS, "0.200", False),
    ]


@pytest.mark.parametrize(
    ("stream", "event"),
    [("btcusdt@ticker", "24hrTicker"), ("btcusdt@miniTicker", "24hrMiniTicker")],
)
def test_tickers_are_told_once_a_second_where_something_traded(traded: Desk, stream: str, event: str) -> None:
    traded.twin.subscribe("market", stream)
    for wait_ms in (0, 500, 500, 1_000):
        traded.now += wait_ms
        if wait_ms < 1_000:
            traded.trade("65820.0", "0.1", "BUY")
        traded.twin.tick(traded.now)
    assert [(each["e"], each["c"], each["v"]) for each in traded.events()] == [
        (event, "65820.00", "0.950"), (event, "65820.00", "1.150"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stream", "names"),
    [
        ("!ticker@arr", ["24hrTicker"]),
        ("!miniTicker@arr", ["24hrMiniTicker"]),
        ("!markPrice@arr@1s", ["markPriceUpdate"]),
        ("!markPrice@arr", ["markPriceUpdate"]),
    ],
)
def test_a_stream_of_all_symbols_is_an_array(traded: Desk, stream: str, names: list[str]) -> None:
    assert not traded.twin.subscribe("public", stream)
    assert traded.twin.subscribe("market", stream)
    traded.twin.tick(traded.now)
    (frame,) = [frame for frame in traded.twin.drain() if frame.channel == stream]
    assert [(each["e"], each["s"]) for each in frame.json()] == [(name, "BTCUSDT") for name in names]
    traded.twin.unsubscribe("market", stream)
    traded.now += 5_000
    traded.trade("65820.0", "0.1", "BUY")
    traded.twin.tick(traded.now)
    assert not traded.twin.drain()


def test_a_continuous_contract_is_its_perpetual(traded: Desk) -> None:
    """python-binance's futures candles are of this stream alone."""
    assert traded.twin.subscribe("market", "btcusdt_perpetual@continuousKline_1m")
    assert not traded.twin.subscribe("market", "btcusdt@continuousKline_1m")
    assert not traded.twin.subscribe("market", "btcusdt_perpetual@kline_1m")
    traded.twin.tick(traded.now)
    (frame,) = traded.twin.drain()
    event = frame.json()
    assert (frame.channel, event["e"]) == ("btcusdt_perpetual@continuousKline_1m", "continuous_kline")
    assert (event["ps"], event["ct"], event["k"]["v"]) == ("BTCUSDT", "PERPETUAL", "0.100")
    assert "s" not in event["k"]
    traded.twin.unsubscribe("market", "btcusdt_perpetual@continuousKline_1m")
    traded.trade("65800.0", "1", "BUY")
    traded.now += 1_000
    traded.twin.tick(traded.now)
    assert not traded.twin.drain()


def test_every_touch_is_told_each_five_seconds(traded: Desk) -> None:
    traded.twin.subscribe("public", "!bookTicker")
    for _ in range(2):
        traded.twin.tick(traded.now)
        assert [(frame.route, frame.json()["s"], frame.json()["b"]) for frame in traded.twin.drain()] == [
            ("public", "BTCUSDT", "65799.90")
        ]
        traded.now += 4_999
        traded.twin.tick(traded.now)
        assert not traded.twin.drain()
        traded.now += 1


def test_a_diff_says_nothing_of_what_was_before_its_reader(traded: Desk) -> None:
    """Who took a snapshot first and subscribed then must see that it does not join: it began at update 1 before."""
    snapshot = traded.ok("GET", "v1/depth", **SYMBOL)["lastUpdateId"]
    traded.top("65799.8", "65800.0")
    traded.twin.subscribe("public", "btcusdt@depth@0ms")
    traded.top("65799.7", "65800.0")
    (diff,) = traded.events("depthUpdate")
    assert snapshot < diff["pu"] == diff["U"] - 1
