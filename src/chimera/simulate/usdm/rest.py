"""The routing table of the futures REST face, and how one request becomes one answer.

A path the twin does not implement gets the venue's own refusal for an unknown path. Weight is counted in fixed minutes
and shown in the headers; this floor refuses nobody for it.
"""

from typing import Any, Final

import msgspec

from chimera.simulate.door.auth import KEY_HEADER, Security, authenticate
from chimera.simulate.door.call import Call, Endpoint, endpoint
from chimera.simulate.door.messages import WireRequest, WireResponse
from chimera.simulate.door.params import Params
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import account_api, algo_api, market_api, orders_api
from chimera.simulate.usdm.accounts import Account
from chimera.simulate.usdm.exchange import Exchange
from chimera.simulate.usdm.reports import Wire
from chimera.simulate.venue.audit import Kind

_encode = msgspec.json.Encoder().encode
_NONE, _KEY, _SIGNED = Security.NONE, Security.KEY, Security.SIGNED
_ORDER_REF = "orderId origClientOrderId"
_WINDOW = "startTime endTime limit"
_ORDER_OPTIONS = (
    "positionSide timeInForce quantity price reduceOnly newClientOrderId newOrderRespType priceMatch "
    "selfTradePreventionMode stopPrice closePosition workingType priceProtect activationPrice callbackRate"
)
_ALGO_OPTIONS = (
    "positionSide timeInForce quantity price triggerPrice workingType priceMatch closePosition priceProtect reduceOnly "
    "activatePrice callbackRate clientAlgoId newOrderRespType selfTradePreventionMode"
)

ENDPOINTS: Final[dict[tuple[str, str], Endpoint]] = {
    ("GET", "/fapi/v1/ping"): endpoint(market_api.ping, _NONE, 1),
    ("GET", "/fapi/v1/time"): endpoint(market_api.time, _NONE, 1),
    ("GET", "/fapi/v1/exchangeInfo"): endpoint(market_api.exchange_info, _NONE, 1, "", "symbol"),
    ("GET", "/fapi/v1/depth"): endpoint(market_api.depth, _NONE, 10, "symbol", "limit"),
    ("GET", "/fapi/v1/premiumIndex"): endpoint(market_api.premium_index, _NONE, 1, "", "symbol", without_symbol=10),
    ("GET", "/fapi/v1/ticker/bookTicker"): endpoint(market_api.book_ticker, _NONE, 2, "", "symbol", without_symbol=5),
    ("POST", "/fapi/v1/order"): endpoint(
        orders_api.place, _SIGNED, 0, "symbol side type", _ORDER_OPTIONS, counts_order=True
    ),
    ("DELETE", "/fapi/v1/order"): endpoint(orders_api.cancel, _SIGNED, 1, "symbol", _ORDER_REF),
    ("GET", "/fapi/v1/order"): endpoint(orders_api.query, _SIGNED, 1, "symbol", _ORDER_REF),
    ("GET", "/fapi/v1/openOrder"): endpoint(orders_api.query_open, _SIGNED, 1, "symbol", _ORDER_REF),
    ("GET", "/fapi/v1/openOrders"): endpoint(orders_api.list_open, _SIGNED, 1, "", "symbol", without_symbol=40),
    ("GET", "/fapi/v1/allOrders"): endpoint(orders_api.list_all, _SIGNED, 5, "", f"symbol orderId {_WINDOW}"),
    ("GET", "/fapi/v1/userTrades"): endpoint(orders_api.list_trades, _SIGNED, 5, "symbol", f"orderId fromId {_WINDOW}"),
    ("DELETE", "/fapi/v1/allOpenOrders"): endpoint(orders_api.cancel_all, _SIGNED, 1, "symbol"),
    ("POST", "/fapi/v1/algoOrder"): endpoint(
        algo_api.place, _SIGNED, 0, "algoType symbol side type", _ALGO_OPTIONS, counts_order=True
    ),
    ("DELETE", "/fapi/v1/algoOrder"): endpoint(algo_api.cancel, _SIGNED, 1, "", "algoId clientAlgoId symbol"),
    ("GET", "/fapi/v1/algoOrder"): endpoint(algo_api.query, _SIGNED, 1, "", "algoId clientAlgoId"),
    ("GET", "/fapi/v1/openAlgoOrders"): endpoint(
        algo_api.list_open, _SIGNED, 1, "", "algoType symbol algoId", without_symbol=40
    ),
    ("GET", "/fapi/v1/allAlgoOrders"): endpoint(algo_api.list_all, _SIGNED, 5, "symbol", f"algoId page {_WINDOW}"),
    ("DELETE", "/fapi/v1/algoOpenOrders"): endpoint(algo_api.cancel_all, _SIGNED, 1, "symbol"),
    ("POST", "/fapi/v1/leverage"): endpoint(account_api.set_leverage, _SIGNED, 1, "symbol leverage"),
    ("POST", "/fapi/v1/marginType"): endpoint(account_api.set_margin_type, _SIGNED, 1, "symbol marginType"),
    ("GET", "/fapi/v3/positionRisk"): endpoint(account_api.position_risk, _SIGNED, 5, "", "symbol"),
    ("GET", "/fapi/v3/account"): endpoint(account_api.account, _SIGNED, 5),
    ("GET", "/fapi/v3/balance"): endpoint(account_api.balance, _SIGNED, 5),
    ("GET", "/fapi/v1/commissionRate"): endpoint(account_api.commission_rate, _SIGNED, 20, "symbol"),
    ("GET", "/fapi/v1/symbolConfig"): endpoint(account_api.symbol_config, _SIGNED, 5, "", "symbol"),
    ("GET", "/fapi/v1/accountConfig"): endpoint(account_api.account_config, _SIGNED, 5),
    ("GET", "/fapi/v1/positionSide/dual"): endpoint(account_api.dual_side, _SIGNED, 30),
    ("POST", "/fapi/v1/positionSide/dual"): endpoint(account_api.set_dual_side, _SIGNED, 1, "dualSidePosition"),
    ("GET", "/fapi/v1/multiAssetsMargin"): endpoint(account_api.multi_assets, _SIGNED, 30),
    ("GET", "/fapi/v1/leverageBracket"): endpoint(account_api.leverage_bracket, _SIGNED, 1, "", "symbol"),
    ("GET", "/fapi/v1/income"): endpoint(account_api.income, _SIGNED, 30, "", f"symbol incomeType page {_WINDOW}"),
    ("GET", "/fapi/v1/rateLimit/order"): endpoint(account_api.rate_limits, _SIGNED, 1),
    ("POST", "/fapi/v1/listenKey"): endpoint(account_api.create_listen_key, _KEY, 1),
    ("PUT", "/fapi/v1/listenKey"): endpoint(account_api.extend_listen_key, _KEY, 1, "", "listenKey"),
    ("DELETE", "/fapi/v1/listenKey"): endpoint(account_api.close_listen_key, _KEY, 1, "", "listenKey"),
}


class RestFace:
    """Answers futures REST requests from one exchange."""

    def __init__(self, exchange: Exchange, wire: Wire) -> None:
        self.exchange = exchange
        self.wire = wire
        self.weight = (0, 0)  # minute, weight used in it

    def answer(self, request: WireRequest, now_ms: int) -> WireResponse:
        """Execute one request; a refusal is an answer too."""
        params = Params(request)
        found = ENDPOINTS.get((request.method, request.path))
        account: Account | None = None
        self._log(Kind.REQUEST, request, params)
        try:
            if found is None:
                raise Refusal(-5000, request.path, request.method)
            account = authenticate(request, params, found.security, self.exchange.floor.by_key, now_ms)
            params.expect(found.mandatory, found.optional, found.unwanted)
            body = found.handler(Call(self.exchange, self.wire, params, now_ms, account))
            if found.counts_order and account is not None:
                account.count_order(now_ms)
            status = 200
        except Refusal as refusal:
            status, body = refusal.status, {"code": refusal.code, "msg": refusal.msg}
            self._log(Kind.REFUSE, request, params, code=refusal.code, reason=refusal.msg)
        weight = found.weigh(params) if found is not None else 1
        return WireResponse(
            status=status, headers=self._headers(found, account, status, weight, now_ms), body=_encode(body)
        )

    def _headers(
        self, found: Endpoint | None, account: Account | None, status: int, weight: int, now_ms: int
    ) -> dict[str, str]:
        minute, used = self.weight
        used = weight + (used if minute == now_ms // 60_000 else 0)
        self.weight = (now_ms // 60_000, used)
        headers = {"Content-Type": "application/json", "X-MBX-USED-WEIGHT-1M": str(used)}
        if found is not None and found.counts_order and account is not None and status == 200:
            headers["X-MBX-ORDER-COUNT-10S"] = str(account.orders_in("10S", 10_000, now_ms))
            headers["X-MBX-ORDER-COUNT-1M"] = str(account.orders_in("1M", 60_000, now_ms))
        return headers

    def _log(self, kind: Kind, request: WireRequest, params: Params, **more: Any) -> None:
        claimed = self.exchange.floor.by_key.get(request.header(KEY_HEADER) or "")
        client_id = next((params.text(name) for name in _CLIENT_IDS if params.has(name)), "")
        self.exchange.floor.audit.add(
            kind,
            self.exchange.floor.now_ms,
            account="" if claimed is None else claimed.name,
            symbol=params.text("symbol"),
            client_order_id=client_id,
            side=params.text("side"),
            type=params.text("type"),
            method=request.method,
            path=request.path,
            **more,
        )


_CLIENT_IDS = ("newClientOrderId", "clientAlgoId", "origClientOrderId")
