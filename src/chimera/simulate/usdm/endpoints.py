"""The routing table of the futures face: which path and method is which handler, and what a call costs and needs."""

from collections.abc import Callable
from typing import Any, Final

from chimera.simulate.door import clock_api
from chimera.simulate.door.auth import Security
from chimera.simulate.door.call import Endpoint, Weight, endpoint
from chimera.simulate.door.keyring import Permission
from chimera.simulate.usdm import (
    account_api,
    algo_api,
    batch_api,
    history_api,
    income_api,
    market_api,
    orders_api,
    settings_api,
)
from chimera.simulate.usdm.call import FuturesCall
from chimera.simulate.usdm.tickets import ALGO_OPTIONS, CHANGE_OPTIONS, ORDER_OPTIONS

_TRADE: Final = Permission.FUTURES
_KEY, _SIGNED = Security.KEY, Security.SIGNED
_ORDER_REF = "orderId origClientOrderId"
_WINDOW = "startTime endTime limit"


def _public(
    handler: Callable[[FuturesCall], Any],
    weight: Weight,
    mandatory: str = "",
    optional: str = "",
    *,
    without_symbol: int | None = None,
) -> Endpoint[FuturesCall]:
    """A call without a key. Who signs it all the same is not refused, other than on spot (pybotters lives by it)."""
    optional += " timestamp recvWindow signature"
    return endpoint(handler, Security.NONE, weight, mandatory, optional, without_symbol=without_symbol)


ENDPOINTS: Final[dict[tuple[str, str], Endpoint[FuturesCall]]] = {
    ("GET", "/fapi/v1/ping"): _public(clock_api.ping, 1),
    ("GET", "/fapi/v1/time"): _public(clock_api.time, 1),
    ("GET", "/fapi/v1/exchangeInfo"): _public(market_api.exchange_info, 1, "", "symbol"),
    ("GET", "/fapi/v1/depth"): _public(market_api.depth, market_api.depth_weight, "symbol", "limit"),
    ("GET", "/fapi/v1/premiumIndex"): _public(market_api.premium_index, 1, "", "symbol", without_symbol=10),
    ("GET", "/fapi/v1/ticker/price"): _public(market_api.price_ticker, 1, "", "symbol", without_symbol=2),
    ("GET", "/fapi/v2/ticker/price"): _public(market_api.price_ticker, 1, "", "symbol", without_symbol=2),
    ("GET", "/fapi/v1/ticker/bookTicker"): _public(market_api.book_ticker, 2, "", "symbol", without_symbol=5),
    ("GET", "/fapi/v1/ticker/24hr"): _public(market_api.day_ticker, 1, "", "symbol", without_symbol=40),
    ("GET", "/fapi/v1/klines"): _public(market_api.klines, market_api.klines_weight, "symbol interval", _WINDOW),
    ("GET", "/fapi/v1/continuousKlines"): _public(
        market_api.continuous_klines, market_api.klines_weight, "pair contractType interval", _WINDOW
    ),
    ("GET", "/fapi/v1/trades"): _public(market_api.trades, 5, "symbol", "limit"),
    ("GET", "/fapi/v1/historicalTrades"): endpoint(market_api.trades, _KEY, 20, "symbol", "limit fromId"),
    ("GET", "/fapi/v1/fundingRate"): _public(market_api.funding_rates, 1, "", f"symbol {_WINDOW}"),
    ("GET", "/fapi/v1/fundingInfo"): _public(market_api.funding_adjustments, 1),
    ("GET", "/fapi/v1/openInterest"): _public(market_api.open_interest, 1, "symbol"),
    ("GET", "/fapi/v1/aggTrades"): _public(market_api.aggregates, 20, "symbol", f"fromId {_WINDOW}"),
    ("POST", "/fapi/v1/order"): endpoint(
        orders_api.place, _SIGNED, 0, "symbol side type", ORDER_OPTIONS, permission=_TRADE, orders=1
    ),
    ("POST", "/fapi/v1/order/test"): endpoint(
        orders_api.test, _SIGNED, 1, "symbol side type", ORDER_OPTIONS, permission=_TRADE
    ),
    ("PUT", "/fapi/v1/order"): endpoint(
        orders_api.modify,
        _SIGNED,
        0,
        "symbol side quantity",
        CHANGE_OPTIONS,
        permission=_TRADE,
        orders=1,
    ),
    ("GET", "/fapi/v1/orderAmendment"): endpoint(
        orders_api.amendments, _SIGNED, 1, "symbol", f"{_ORDER_REF} {_WINDOW}"
    ),
    ("POST", "/fapi/v1/batchOrders"): endpoint(
        batch_api.place, _SIGNED, 5, "batchOrders", permission=_TRADE, orders=(5, 1)
    ),
    ("PUT", "/fapi/v1/batchOrders"): endpoint(
        batch_api.modify, _SIGNED, 5, "batchOrders", permission=_TRADE, orders=(5, 1)
    ),
    ("DELETE", "/fapi/v1/batchOrders"): endpoint(
        batch_api.cancel, _SIGNED, 1, "symbol", batch_api.CANCEL_LISTS, permission=_TRADE
    ),
    ("POST", "/fapi/v1/countdownCancelAll"): endpoint(
        orders_api.countdown, _SIGNED, 10, "symbol countdownTime", permission=_TRADE
    ),
    ("DELETE", "/fapi/v1/order"): endpoint(orders_api.cancel, _SIGNED, 1, "symbol", _ORDER_REF, permission=_TRADE),
    ("GET", "/fapi/v1/order"): endpoint(orders_api.query, _SIGNED, 1, "symbol", _ORDER_REF),
    ("GET", "/fapi/v1/openOrder"): endpoint(orders_api.query_open, _SIGNED, 1, "symbol", _ORDER_REF),
    ("GET", "/fapi/v1/openOrders"): endpoint(orders_api.list_open, _SIGNED, 1, "", "symbol", without_symbol=40),
    ("GET", "/fapi/v1/allOrders"): endpoint(history_api.orders, _SIGNED, 5, "", f"symbol orderId {_WINDOW}"),
    ("GET", "/fapi/v1/userTrades"): endpoint(history_api.trades, _SIGNED, 5, "symbol", f"orderId fromId {_WINDOW}"),
    ("DELETE", "/fapi/v1/allOpenOrders"): endpoint(orders_api.cancel_all, _SIGNED, 1, "symbol", permission=_TRADE),
    ("POST", "/fapi/v1/algoOrder"): endpoint(
        algo_api.place, _SIGNED, 0, "algoType symbol side type", ALGO_OPTIONS, permission=_TRADE, orders=1
    ),
    ("DELETE", "/fapi/v1/algoOrder"): endpoint(
        algo_api.cancel, _SIGNED, 1, "", "algoId clientAlgoId symbol", permission=_TRADE
    ),
    ("GET", "/fapi/v1/algoOrder"): endpoint(algo_api.query, _SIGNED, 1, "", "algoId clientAlgoId symbol"),
    ("GET", "/fapi/v1/openAlgoOrders"): endpoint(
        algo_api.list_open, _SIGNED, 1, "", "algoType symbol algoId", without_symbol=40
    ),
    ("GET", "/fapi/v1/allAlgoOrders"): endpoint(history_api.algos, _SIGNED, 5, "symbol", f"algoId page {_WINDOW}"),
    ("DELETE", "/fapi/v1/algoOpenOrders"): endpoint(algo_api.cancel_all, _SIGNED, 1, "symbol", permission=_TRADE),
    ("POST", "/fapi/v1/leverage"): endpoint(
        settings_api.set_leverage, _SIGNED, 1, "symbol leverage", permission=_TRADE
    ),
    ("POST", "/fapi/v1/marginType"): endpoint(
        settings_api.set_margin_type, _SIGNED, 1, "symbol marginType", permission=_TRADE
    ),
    ("GET", "/fapi/v3/positionRisk"): endpoint(account_api.position_risk, _SIGNED, 5, "", "symbol"),
    ("GET", "/fapi/v2/positionRisk"): endpoint(account_api.position_risk_v2, _SIGNED, 5, "", "symbol"),
    ("GET", "/fapi/v2/account"): endpoint(account_api.account_v2, _SIGNED, 5),
    ("GET", "/fapi/v2/balance"): endpoint(account_api.balance, _SIGNED, 5),
    ("GET", "/fapi/v3/account"): endpoint(account_api.account, _SIGNED, 5),
    ("GET", "/fapi/v3/balance"): endpoint(account_api.balance, _SIGNED, 5),
    ("GET", "/fapi/v1/commissionRate"): endpoint(settings_api.commission_rate, _SIGNED, 20, "symbol"),
    ("GET", "/fapi/v1/symbolConfig"): endpoint(settings_api.symbol_config, _SIGNED, 5, "", "symbol"),
    ("GET", "/fapi/v1/accountConfig"): endpoint(account_api.account_config, _SIGNED, 5),
    ("GET", "/fapi/v1/positionSide/dual"): endpoint(settings_api.dual_side, _SIGNED, 30),
    ("POST", "/fapi/v1/positionSide/dual"): endpoint(
        settings_api.set_dual_side, _SIGNED, 1, "dualSidePosition", permission=_TRADE
    ),
    ("GET", "/fapi/v1/multiAssetsMargin"): endpoint(settings_api.multi_assets, _SIGNED, 30),
    ("POST", "/fapi/v1/multiAssetsMargin"): endpoint(
        settings_api.set_multi_assets, _SIGNED, 1, "multiAssetsMargin", permission=_TRADE
    ),
    ("GET", "/fapi/v1/feeBurn"): endpoint(settings_api.fee_burn, _SIGNED, 30),
    ("POST", "/fapi/v1/feeBurn"): endpoint(settings_api.set_fee_burn, _SIGNED, 1, "feeBurn", permission=_TRADE),
    ("POST", "/fapi/v1/positionMargin"): endpoint(
        settings_api.set_position_margin, _SIGNED, 1, "symbol amount type", "positionSide", permission=_TRADE
    ),
    ("GET", "/fapi/v1/positionMargin/history"): endpoint(
        income_api.margin_history, _SIGNED, 1, "symbol", f"type {_WINDOW}"
    ),
    ("GET", "/fapi/v1/forceOrders"): endpoint(
        income_api.force_orders, _SIGNED, 20, "", f"symbol autoCloseType {_WINDOW}", without_symbol=50
    ),
    ("GET", "/fapi/v1/apiTradingStatus"): endpoint(
        account_api.api_trading_status, _SIGNED, 1, "", "symbol", without_symbol=10
    ),
    ("GET", "/fapi/v1/adlQuantile"): endpoint(account_api.adl_quantile, _SIGNED, 5, "", "symbol"),
    ("GET", "/fapi/v1/leverageBracket"): endpoint(settings_api.leverage_bracket, _SIGNED, 1, "", "symbol"),
    ("GET", "/fapi/v1/income"): endpoint(income_api.income, _SIGNED, 30, "", f"symbol incomeType page {_WINDOW}"),
    ("GET", "/fapi/v1/rateLimit/order"): endpoint(account_api.rate_limits, _SIGNED, 1),
    # Not strict: ccxt sends ``subType=None``, and Binance minds it as little.
    ("POST", "/fapi/v1/listenKey"): endpoint(account_api.create_listen_key, _KEY, 1, strict=False),
    ("PUT", "/fapi/v1/listenKey"): endpoint(account_api.extend_listen_key, _KEY, 1, "", "listenKey", strict=False),
    ("DELETE", "/fapi/v1/listenKey"): endpoint(account_api.close_listen_key, _KEY, 1, "", "listenKey", strict=False),
}
