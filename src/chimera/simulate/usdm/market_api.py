"""Public calls: time, rules, book, mark price."""

from typing import Any, Final

from chimera.simulate.door.params import Params
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import payloads
from chimera.simulate.usdm.accounts import ASSET
from chimera.simulate.usdm.call import FuturesCall
from chimera.simulate.usdm.perpetual import Perpetual
from chimera.simulate.venue import print_rows
from chimera.simulate.venue.streams import rows
from chimera.trading.money import ZERO

KLINES_MAX: Final = 1_500
DEPTHS: Final = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}  # levels, and the weight of asking for them


def exchange_info(call: FuturesCall) -> dict[str, Any]:
    """GET exchangeInfo."""
    budget = call.limits.budget
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [limit.row() for limit in (budget.weight, *reversed(budget.orders))],
        "exchangeFilters": [],
        "assets": [{"asset": ASSET, "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [payloads.symbol_info(listing) for listing in call.chosen()],
    }


def depth_weight(params: Params) -> int:
    """What a book of this depth costs."""
    return DEPTHS.get(int(params.text("limit", "500")) if params.text("limit", "500").isdecimal() else 0, 2)


def depth(call: FuturesCall) -> dict[str, Any]:
    """GET depth."""
    listing, limit = call.listing, call.params.integer_or("limit", 500)
    if limit not in DEPTHS:
        raise Refusal(-4021, limit)
    book = listing.book
    return {
        "lastUpdateId": book.update_id,
        "E": call.now_ms,
        "T": call.now_ms,
        "bids": rows(listing, book.bids.top(limit)),
        "asks": rows(listing, book.asks.top(limit)),
    }


def premium_index(call: FuturesCall) -> Any:
    """GET premiumIndex: an object for a symbol, else an array."""
    found = [_premium(listing, call.now_ms) for listing in call.chosen()]
    return found[0] if call.params.has("symbol") else found


def _premium(listing: Perpetual, now_ms: int) -> dict[str, Any]:
    mark = listing.mark if listing.mark is not None else ZERO
    index = listing.index if listing.index is not None else mark
    return {
        "symbol": listing.symbol,
        "markPrice": f"{mark:.8f}",
        "indexPrice": f"{index:.8f}",
        "estimatedSettlePrice": f"{index:.8f}",
        "lastFundingRate": f"{listing.funding_rate:.8f}",
        "interestRate": "0.00010000",
        "nextFundingTime": listing.funding_at(now_ms),
        "time": now_ms,
    }


def book_ticker(call: FuturesCall) -> Any:
    """GET ticker/bookTicker: an object for a symbol, else an array."""
    found = [_ticker(listing, call.now_ms) for listing in call.chosen()]
    return found[0] if call.params.has("symbol") else found


def price_ticker(call: FuturesCall) -> Any:
    """GET ticker/price: an object for a symbol, else an array; symbols without a trade yet are left out."""
    found = [
        {"symbol": listing.symbol, "price": listing.p(listing.last), "time": call.now_ms}
        for listing in call.chosen()
        if listing.last is not None
    ]
    return found[0] if call.params.has("symbol") and found else found


def klines(call: FuturesCall) -> list[list[Any]]:
    """GET klines."""
    return print_rows.klines(call, call.listing, KLINES_MAX)


def continuous_klines(call: FuturesCall) -> list[list[Any]]:
    """GET continuousKlines: of perpetuals, for there are no others."""
    if call.params.need("contractType") != "PERPETUAL":
        raise Refusal(-1130, "contractType")
    return print_rows.klines(call, call.floor.listing(call.params.need("pair")), KLINES_MAX)


def klines_weight(params: Params) -> int:
    """By how many candles are asked for."""
    text = params.text("limit", "500")
    limit = int(text) if text.isdecimal() else 0
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1_000 else 10


def trades(call: FuturesCall) -> list[dict[str, Any]]:
    """GET trades and historicalTrades."""
    return [row | {"isRPITrade": False} for row in print_rows.trades(call, call.listing)]


def aggregates(call: FuturesCall) -> list[dict[str, Any]]:
    """GET aggTrades."""
    return [row | {"nq": row["q"]} for row in print_rows.aggregates(call, call.listing)]


def day_ticker(call: FuturesCall) -> Any:
    """GET ticker/24hr: an object for a symbol, else an array."""
    found = [print_rows.Day(listing, call.now_ms).whole() for listing in call.chosen()]
    return found[0] if call.params.has("symbol") else found


def funding_rates(call: FuturesCall) -> list[dict[str, Any]]:
    """GET fundingRate: settlements by time, from ``startTime`` on, else the newest."""
    params = call.params
    start, end = params.maybe_integer("startTime"), params.integer_or("endTime", call.now_ms)
    found = sorted(
        (
            (settled.at_ms, listing.symbol, settled)
            for listing in call.chosen()
            for settled in listing.settled
            if (start or 0) <= settled.at_ms <= end
        ),
        key=lambda row: row[:2],
    )
    limit = call.limit(100)
    return [
        {
            "symbol": symbol,
            "fundingTime": at_ms,
            "fundingRate": f"{settled.rate:.8f}",
            "markPrice": f"{settled.mark:.8f}",
        }
        for at_ms, symbol, settled in (found[-limit:] if start is None else found[:limit])
    ]


def funding_adjustments(call: FuturesCall) -> list[dict[str, Any]]:
    """GET fundingInfo: contracts whose interval or bounds were adjusted; none ever is."""
    return []


def open_interest(call: FuturesCall) -> dict[str, Any]:
    """GET openInterest: what the accounts here hold, long or short, whichever is more."""
    listing = call.listing
    held = [each.qty for account in call.floor.accounts.values() for each in account.held_now(listing.symbol)]
    long, short = sum((qty for qty in held if qty > 0), ZERO), sum((-qty for qty in held if qty < 0), ZERO)
    return {"symbol": listing.symbol, "openInterest": listing.q(max(long, short)), "time": call.now_ms}


def _ticker(listing: Perpetual, now_ms: int) -> dict[str, Any]:
    bid, bid_qty, ask, ask_qty = listing.book.touch or (ZERO, ZERO, ZERO, ZERO)
    return {
        "symbol": listing.symbol,
        "bidPrice": listing.p(bid),
        "bidQty": listing.q(bid_qty),
        "askPrice": listing.p(ask),
        "askQty": listing.q(ask_qty),
        "lastUpdateId": listing.book.update_id,
        "time": now_ms,
    }
