"""Public trades, candles and 24 h tickers as the wire of both markets writes them."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from chimera.simulate.door.call import Call
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.venue.candles import Candle, Interval, Print, flat, interval_named
from chimera.simulate.venue.listing import Listing
from chimera.trading.market import Side
from chimera.trading.money import DAY_MS, ZERO

Row = dict[str, Any]


def klines(call: Call, listing: Listing[Any], most: int) -> list[list[Any]]:
    """GET klines: from ``startTime`` on, else the newest."""
    interval = interval_named(call.params.need("interval"))
    if call.params.text("timeZone", "0") != "0":
        raise Refusal(-1130, "timeZone")
    start, end = _period(call)
    found = [
        each
        for each in listing.prints.candles(interval, call.now_ms)
        if (start is None or each.opening_ms >= start) and (end is None or each.opening_ms <= end)
    ]
    limit = call.limit(500, most)
    chosen = found[-limit:] if start is None else found[:limit]
    return [_kline(listing, each, interval) for each in chosen]


def _kline(listing: Listing[Any], candle: Candle, interval: Interval) -> list[Any]:
    prices = [listing.p(each) for each in (candle.open, candle.high, candle.low, candle.close)]
    return [
        candle.opening_ms, *prices, listing.q(candle.base), interval.after(candle.opening_ms) - 1,
        listing.worth(candle.quote), candle.count, listing.q(candle.bought_base), listing.worth(candle.bought_quote),
        "0",
    ]  # fmt: skip


def trades(call: Call, listing: Listing[Any]) -> list[Row]:
    """GET trades and historicalTrades: from the id ``fromId`` on, else the newest."""
    found, limit = list(listing.prints.trades), call.limit(500)
    from_id = call.params.maybe_integer("fromId")
    if from_id is not None:
        found = [each for each in found if each.number >= from_id][:limit]
    return [
        {
            "id": each.number,
            "price": listing.p(each.price),
            "qty": listing.q(each.qty),
            "quoteQty": listing.worth(each.price * each.qty),
            "time": each.at_ms,
            "isBuyerMaker": each.taker is Side.SELL,
        }
        for each in found[-limit:]
    ]


def aggregates(call: Call, listing: Listing[Any]) -> list[Row]:
    """GET aggTrades: from ``fromId`` or ``startTime`` on, else the newest. Each print is one aggregate."""
    start, end = _period(call)
    from_id = call.params.maybe_integer("fromId")
    found = [
        each
        for each in listing.prints.trades
        if each.number >= (from_id or 0)
        and (start is None or each.at_ms >= start)
        and (end is None or each.at_ms <= end)
    ]
    limit = call.limit(500)
    chosen = found[-limit:] if from_id is None and start is None else found[:limit]
    return [aggregate(listing, each) for each in chosen]


def aggregate(listing: Listing[Any], trade: Print) -> Row:
    """An aggregate of one."""
    return {
        "a": trade.number,
        "p": listing.p(trade.price),
        "q": listing.q(trade.qty),
        "f": trade.number,
        "l": trade.number,
        "T": trade.at_ms,
        "m": trade.taker is Side.SELL,
    }


class Day:
    """What the last 24 hours of a listing come to; where nothing traded yet, the price it has and no volume."""

    def __init__(self, listing: Listing[Any], now_ms: int) -> None:
        self.listing, self.now_ms = listing, now_ms
        found = listing.prints.over(DAY_MS, now_ms)
        self.candle = found if found is not None else flat(now_ms - DAY_MS, listing.last or ZERO)
        newest = listing.prints.trades[-1] if listing.prints.trades else None
        self.last_qty = newest.qty if newest is not None else ZERO

    @property
    def change(self) -> Decimal:
        return self.candle.close - self.candle.open

    @property
    def change_percent(self) -> Decimal:
        return self.change / self.candle.open * 100 if self.candle.open else ZERO

    @property
    def mean(self) -> Decimal:
        """Weighted by volume."""
        return self.candle.quote / self.candle.base if self.candle.base else self.candle.close

    def mini(self) -> Row:
        """What both forms of a ticker begin with."""
        candle, listing = self.candle, self.listing
        return {
            "symbol": listing.symbol,
            "openPrice": listing.p(candle.open),
            "highPrice": listing.p(candle.high),
            "lowPrice": listing.p(candle.low),
            "lastPrice": listing.p(candle.close),
            "volume": listing.q(candle.base),
            "quoteVolume": listing.worth(candle.quote),
            "openTime": candle.opening_ms,
            "closeTime": self.now_ms,
            "firstId": candle.first,
            "lastId": candle.last,
            "count": candle.count,
        }

    def whole(self) -> Row:
        """All that both markets tell."""
        return self.mini() | {
            "priceChange": self.listing.p(self.change),
            "priceChangePercent": f"{self.change_percent:.3f}",
            "weightedAvgPrice": self.listing.p(self.mean),
            "lastQty": self.listing.q(self.last_qty),
        }


def _period(call: Call) -> tuple[int | None, int | None]:
    start, end = call.params.maybe_integer("startTime"), call.params.maybe_integer("endTime")
    if start is not None and end is not None and start > end:
        raise Refusal(-1023)
    return start, end


# ── streams ──


def kline_event(listing: Listing[Any], candle: Candle, interval: Interval, now_ms: int, *, closed: bool) -> Row:
    """An update of ``<symbol>@kline_<interval>``."""
    return {
        "e": "kline",
        "E": now_ms,
        "s": listing.symbol,
        "k": {
            "t": candle.opening_ms,
            "T": interval.after(candle.opening_ms) - 1,
            "s": listing.symbol,
            "i": interval.name,
            "f": candle.first,
            "L": candle.last,
            "o": listing.p(candle.open),
            "c": listing.p(candle.close),
            "h": listing.p(candle.high),
            "l": listing.p(candle.low),
            "v": listing.q(candle.base),
            "n": candle.count,
            "x": closed,
            "q": listing.worth(candle.quote),
            "V": listing.q(candle.bought_base),
            "Q": listing.worth(candle.bought_quote),
            "B": "0",
        },
    }


def continuous_event(event: Row) -> Row:
    """The same of ``<pair>_perpetual@continuousKline_<interval>``."""
    candle = {name: value for name, value in event["k"].items() if name != "s"}
    return {"e": "continuous_kline", "E": event["E"], "ps": event["s"], "ct": "PERPETUAL", "k": candle}


_MINI = {"c": "lastPrice", "o": "openPrice", "h": "highPrice", "l": "lowPrice", "v": "volume", "q": "quoteVolume"}
_WHOLE = {
    **{"p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice", "Q": "lastQty"},
    **{"O": "openTime", "C": "closeTime", "F": "firstId", "L": "lastId", "n": "count"},
}  # fmt: skip
_SPOTS = {"x": "prevClosePrice", "b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty"}


def ticker_event(kind: str, row: Row, now_ms: int) -> Row:
    """An update of ``<symbol>@ticker`` or ``<symbol>@miniTicker`` from the row that REST would answer."""
    names: Iterable[tuple[str, str]] = _MINI.items()
    if kind == "ticker":
        names = (_WHOLE | _MINI | _SPOTS).items()
    event = "24hrTicker" if kind == "ticker" else "24hrMiniTicker"
    told = {"e": event, "E": now_ms, "s": row["symbol"]}
    return told | {short: row[name] for short, name in names if name in row}
