"""The account: balances, commission, counts, the filters that apply to it; and the listenKey, which is gone."""

from chimera.simulate.door.call import Answer
from chimera.simulate.spot import payloads
from chimera.simulate.spot.call import SpotCall
from chimera.simulate.spot.orders_api import discount
from chimera.simulate.spot.payloads import NOTHING, Payload, eight
from chimera.simulate.spot.rules import EXCHANGE_FILTERS, symbol_filters

GONE = 410


def account(call: SpotCall) -> Payload:
    """GET account."""
    return payloads.account(call.account, call.params.flag("omitZeroBalances"))


def commission(call: SpotCall) -> Payload:
    """GET account/commission: standard rates only, the twin takes no others."""
    owner, pair = call.account, call.pair
    none = dict.fromkeys(("maker", "taker", "buyer", "seller"), NOTHING)
    return {
        "symbol": pair.symbol,
        "standardCommission": none | {"maker": eight(owner.maker_rate), "taker": eight(owner.taker_rate)},
        "specialCommission": none,
        "taxCommission": none,
        "discount": discount(call),
    }


def order_counts(call: SpotCall) -> list[dict[str, str | int]]:
    """GET rateLimit/order: unfilled orders."""
    return call.limits.order_rows(call.owner, call.now_ms)


def my_filters(call: SpotCall) -> Payload:
    """GET myFilters: what bounds this account on this pair."""
    pair = call.pair
    limits = call.floor.asset_limits
    return {
        "exchangeFilters": EXCHANGE_FILTERS,
        "symbolFilters": symbol_filters(pair),
        "assetFilters": [
            {"filterType": "MAX_ASSET", "asset": asset, "limit": eight(limits[asset])}
            for asset in (pair.base, pair.quote)
            if asset in limits
        ],
    }


def no_listen_key(call: SpotCall) -> Answer:
    """POST, PUT, DELETE userDataStream: retired 2026-02-20, whoever asks. The body is of our making."""
    return Answer(
        GONE, {"code": -1000, "msg": "This endpoint has been retired. Use the WebSocket API user data stream."}
    )
