"""Public calls: time, rules, book, touch, prices."""

import re
from enum import StrEnum
from typing import Any, Final

import msgspec

from chimera.simulate.door.params import Params
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.spot.call import SpotCall
from chimera.simulate.spot.pair import Pair, PairStatus
from chimera.simulate.spot.payloads import Payload
from chimera.simulate.spot.rules import EXCHANGE_FILTERS, PERMISSION_SETS, symbol_info
from chimera.simulate.spot.streams import day_of
from chimera.simulate.venue import print_rows
from chimera.simulate.venue.streams import rows
from chimera.trading.money import ZERO

DEPTH_MAX: Final = 5_000
KLINES_MAX: Final = 1_000
_MANY: Final = 1_000  # as many as Binance lists, where all are asked for
SYMBOLS_RANGE: Final = r'^\[("[\w\-._&&[^a-z]]{1,50}"(,"[\w\-._&&[^a-z]]{1,50}"){0,}){0,1}\]$'
_SYMBOLS: Final = re.compile(r'\[("((?![a-z])[\w\-.]){1,50}"(,"((?![a-z])[\w\-.]){1,50}")*)?\]')
_LISTED: Final = {"SPOT", "MARGIN", "LEVERAGED"}  # what ``permissions`` means where it is not given


def exchange_info(call: SpotCall) -> Payload:
    """GET exchangeInfo: all pairs, or those named, permitted or of one status."""
    params = call.params
    named = params.has("symbol") or params.has("symbols")
    if named and (params.has("permissions") or params.has("symbolStatus")):
        raise Refusal(-1128)
    with_permissions = params.text("showPermissionSets", "true").lower() != "false"
    pairs = _chosen(call) if named or _permitted(params) else []
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms,
        "rateLimits": [limit.row() for limit in call.limits.budget.limits()],
        "exchangeFilters": EXCHANGE_FILTERS,
        "symbols": [symbol_info(pair, with_permissions=with_permissions) for pair in pairs],
    }


def _permitted(params: Params) -> bool:
    """Whether pairs of the only permission set here are asked for."""
    text = params.text("permissions")
    wanted = set(_names(params, "permissions")) if text.startswith("[") else {text} if text else _LISTED
    return any(wanted & set(each) for each in PERMISSION_SETS)


def _names(params: Params, name: str) -> list[str]:
    """A JSON array of names."""
    text = params.text(name)
    if _SYMBOLS.fullmatch(text) is None:
        raise Refusal(-1100, name, SYMBOLS_RANGE)
    return msgspec.json.decode(text, type=list[str])


def _chosen(call: SpotCall) -> list[Pair]:
    """The pairs of ``symbol`` or ``symbols``, else all; of those, if ``symbolStatus`` says so, the ones of a status."""
    params, floor = call.params, call.floor
    status = _status(params)
    if params.has("symbol"):
        if params.has("symbols"):
            raise Refusal(-1128)
        pair = call.pair
        if status not in (None, pair.status):
            raise Refusal(-1220)
        return [pair]
    if not params.has("symbols"):
        found = list(floor.listings.values())
    else:
        names = _names(params, "symbols")
        if len(set(names)) < len(names):
            raise Refusal(-1151)
        found = [floor.listing(name) for name in names]
    return [pair for pair in found if status in (None, pair.status)]


def _status(params: Params) -> StrEnum | None:
    text = params.text("symbolStatus")
    if not text:
        return None
    if text not in PairStatus.__members__:
        raise Refusal(-1122, text="Invalid symbolStatus.")
    return PairStatus(text)


def depth_weight(params: Params) -> int:
    """By how many levels are asked for."""
    text = params.text("limit", "100")
    limit = int(text) if text.isdecimal() else 0
    return 5 if limit <= 100 else 25 if limit <= 500 else 50 if limit <= 1_000 else 250


def depth(call: SpotCall) -> Payload:
    """GET depth."""
    (pair,), limit = _chosen(call), min(call.params.integer_or("limit", 100), DEPTH_MAX)
    if not limit:
        raise Refusal(-1130, "limit")
    book = pair.book
    return {
        "lastUpdateId": book.update_id,
        "bids": rows(pair, book.bids.top(limit)),
        "asks": rows(pair, book.asks.top(limit)),
    }


def book_ticker(call: SpotCall) -> Payload | list[Payload]:
    """GET ticker/bookTicker: an object for a symbol, else an array."""
    found = [_touch(pair) for pair in _chosen(call)]
    return found[0] if call.params.has("symbol") else found


def _touch(pair: Pair) -> Payload:
    bid, bid_qty, ask, ask_qty = pair.book.touch or (ZERO, ZERO, ZERO, ZERO)
    prices = {"bidPrice": pair.p(bid), "bidQty": pair.q(bid_qty), "askPrice": pair.p(ask), "askQty": pair.q(ask_qty)}
    return {"symbol": pair.symbol, **prices}


def price(call: SpotCall) -> Payload | list[Payload]:
    """GET ticker/price: the last price, an object for a symbol, else an array."""
    found = [{"symbol": pair.symbol, "price": pair.p(pair.last or ZERO)} for pair in _chosen(call)]
    return found[0] if call.params.has("symbol") else found


def klines(call: SpotCall) -> list[list[Any]]:
    """GET klines and uiKlines."""
    return print_rows.klines(call, call.pair, KLINES_MAX)


def trades(call: SpotCall) -> list[Payload]:
    """GET trades and historicalTrades."""
    return [row | {"isBestMatch": True} for row in print_rows.trades(call, call.pair)]


def aggregates(call: SpotCall) -> list[Payload]:
    """GET aggTrades."""
    return [row | {"M": True} for row in print_rows.aggregates(call, call.pair)]


def day_ticker(call: SpotCall) -> Payload | list[Payload]:
    """GET ticker/24hr: an object for a symbol, else an array; ``type`` MINI leaves half of it out."""
    kind = call.params.text("type", "FULL")
    if kind not in ("FULL", "MINI"):
        raise Refusal(-1130, "type")
    found = [
        print_rows.Day(pair, call.now_ms).mini() if kind == "MINI" else day_of(pair, call.now_ms)
        for pair in _chosen(call)
    ]
    return found[0] if call.params.has("symbol") else found


def day_weight(params: Params) -> int:
    """By how many pairs are asked for."""
    named = 1 if params.has("symbol") else params.text("symbols").count(",") + 1 if params.has("symbols") else _MANY
    return 2 if named <= 20 else 40 if named <= 100 else 80


def average(call: SpotCall) -> Payload:
    """GET avgPrice: what filters measure by."""
    pair = call.pair
    mean = pair.average(call.now_ms) or ZERO
    return {"mins": pair.rules.avg_price_mins, "price": pair.p(mean), "closeTime": call.now_ms}
