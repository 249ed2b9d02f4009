"""A pair as ``exchangeInfo`` describes it: status, permissions, what it allows, every filter with its value."""

from decimal import Decimal
from typing import Any, Final

from chimera.simulate.spot.orders import OrderType
from chimera.simulate.spot.pair import PRECISION, Pair
from chimera.simulate.spot.payloads import NOTHING, Payload, eight
from chimera.simulate.venue.orders import Stp

EXCHANGE_FILTERS: Final[list[Payload]] = []  # the twin counts per pair
PERMISSION_SETS: Final = (("SPOT",),)
MARKET_STEP: Final = NOTHING  # LOT_SIZE decides it


def symbol_info(pair: Pair, *, with_permissions: bool) -> Payload:
    """A symbol of ``exchangeInfo``."""
    return {
        "symbol": pair.symbol,
        "status": pair.status,
        "baseAsset": pair.base,
        "baseAssetPrecision": PRECISION,
        "quoteAsset": pair.quote,
        "quotePrecision": PRECISION,
        "quoteAssetPrecision": PRECISION,
        "baseCommissionPrecision": PRECISION,
        "quoteCommissionPrecision": PRECISION,
        "orderTypes": list(OrderType),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": symbol_filters(pair),
        "permissions": [],
        "permissionSets": [list(each) for each in PERMISSION_SETS] if with_permissions else [],
        "defaultSelfTradePreventionMode": Stp.EXPIRE_MAKER,
        "allowedSelfTradePreventionModes": list(Stp),
    }


def symbol_filters(pair: Pair) -> list[Payload]:
    """Every filter of the pair."""
    rules, more = pair.instrument, pair.rules
    found: list[Payload] = [
        _filter(
            "PRICE_FILTER",
            minPrice=eight(rules.min_price),
            maxPrice=eight(rules.max_price),
            tickSize=eight(rules.tick),
        ),
        _filter("LOT_SIZE", minQty=eight(rules.min_qty), maxQty=eight(rules.max_qty), stepSize=eight(rules.step)),
        _filter("ICEBERG_PARTS", limit=more.iceberg_parts),
        _filter("MARKET_LOT_SIZE", minQty=NOTHING, maxQty=eight(rules.market_max_qty), stepSize=MARKET_STEP),
        _filter(
            "TRAILING_DELTA",
            minTrailingAboveDelta=more.min_trailing_above,
            maxTrailingAboveDelta=more.max_trailing_above,
            minTrailingBelowDelta=more.min_trailing_below,
            maxTrailingBelowDelta=more.max_trailing_below,
        ),
        _filter(
            "PERCENT_PRICE_BY_SIDE",
            bidMultiplierUp=_plain(more.bid_up),
            bidMultiplierDown=_plain(more.bid_down),
            askMultiplierUp=_plain(more.ask_up),
            askMultiplierDown=_plain(more.ask_down),
            avgPriceMins=more.avg_price_mins,
        ),
        _filter(
            "NOTIONAL",
            minNotional=eight(rules.min_notional),
            applyMinToMarket=more.min_to_market,
            maxNotional=eight(more.max_notional),
            applyMaxToMarket=more.max_to_market,
            avgPriceMins=more.avg_price_mins,
        ),
        _filter("MAX_NUM_ORDERS", maxNumOrders=more.max_orders),
        _filter("MAX_NUM_ORDER_LISTS", maxNumOrderLists=more.max_order_lists),
        _filter("MAX_NUM_ALGO_ORDERS", maxNumAlgoOrders=more.max_algo_orders),
        _filter("MAX_NUM_ORDER_AMENDS", maxNumOrderAmends=more.max_order_amends),
    ]
    if more.max_iceberg_orders is not None:
        found.append(_filter("MAX_NUM_ICEBERG_ORDERS", maxNumIcebergOrders=more.max_iceberg_orders))
    if more.max_position is not None:
        found.append(_filter("MAX_POSITION", maxPosition=eight(more.max_position)))
    return found


def _filter(name: str, **fields: Any) -> Payload:
    return {"filterType": name, **fields}


def _plain(multiplier: Decimal) -> str:
    return format(multiplier.normalize(), "f")
