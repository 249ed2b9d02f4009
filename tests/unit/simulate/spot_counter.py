"""A client at the spot face alone: signs REST requests, moves the market, reads user events and public frames."""

import json
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from chimera.simulate.door.auth import signature
from chimera.simulate.door.face import Face
from chimera.simulate.door.keyring import Keyring
from chimera.simulate.door.limits import SPOT_BUDGET, Budget, Limits
from chimera.simulate.door.messages import SPOT_PRIVATE, Frame, WireRequest, WireResponse
from chimera.simulate.spot.call import SpotCall
from chimera.simulate.spot.endpoints import ENDPOINTS
from chimera.simulate.spot.exchange import SpotExchange
from chimera.simulate.spot.pair import SPOT_DEMO, Pair
from chimera.simulate.spot.reports import SpotWire
from chimera.simulate.spot.time_unit import answer_in_micros, wants_micros
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.simulate.venue.audit import Audit
from chimera.trading.ids import Symbol
from chimera.trading.market import Side, TopOfBook, Traded

D = Decimal
START_MS = 1_763_635_200_000
RICH = READY_ACCOUNT.but(spot={"USDT": D(100_000), "BTC": D(1), "BNB": D(0)})


class Counter:
    """One spot market and its face; the caller has 100,000 USDT and 1 BTC. The market stands at 59,999.99 / 60,000."""

    def __init__(self, budget: Budget = SPOT_BUDGET, **spec: Any) -> None:
        self.now = START_MS
        self.wire, self.audit, self.limits = SpotWire(), Audit(), Limits(budget)
        self.exchange = SpotExchange(SPOT_DEMO, 7, self.audit, self.wire)
        self.wire.floor = self.floor = self.exchange.floor
        self.floor.now_ms = self.now
        self.floor.on_first_fill = lambda owner, maker: self.limits.count_orders(
            owner, (-5, -5) if maker else (-1, -1), self.now
        )
        self.account = RICH.but(**spec)
        keyring = Keyring()
        keyring.add(self.account.key())
        self.floor.admit(self.account)
        self.face = Face(
            ENDPOINTS,
            lambda asked, now_ms, key: SpotCall(asked.params, now_ms, key, self.limits, self.exchange),
            keyring=keyring,
            limits=self.limits,
            audit=self.audit,
            market="SPOT",
            time_units=lambda unit: answer_in_micros if wants_micros(unit) else None,
        )
        self.top("59999.99", "60000.00")

    # ── the market ──────────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def pair(self) -> Pair:
        return self.floor.listings["BTCUSDT"]

    def top(self, bid: str, ask: str, size: str = "5") -> None:
        event = TopOfBook(
            symbol=Symbol("BTCUSDT"), at_us=self.now * 1_000, bid=D(bid), bid_qty=D(size), ask=D(ask), ask_qty=D(size)
        )
        self.exchange.market(event)
        self.wire.publisher.quoted(self.pair, self.now)

    def trade(self, price: str, qty: str = "0.001", taker: Side = Side.BUY) -> None:
        event = Traded(symbol=Symbol("BTCUSDT"), at_us=self.now * 1_000, price=D(price), qty=D(qty), taker=taker)
        self.exchange.market(event)
        self.wire.publisher.trade(self.pair, event.price, event.qty, event.taker, self.now)

    def later(self, ms: int) -> None:
        self.now += ms
        self.floor.now_ms = self.now

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────
    def send(self, method: str, path: str, headers: dict[str, str] | None = None, **params: Any) -> WireResponse:
        """A signed request under ``/api/v3/``."""
        query = urlencode(params | {"timestamp": self.now})
        query += "&signature=" + signature(self.account.secret.encode(), query)
        return self.raw(method, path, query, headers)

    def raw(self, method: str, path: str, query: str = "", headers: dict[str, str] | None = None) -> WireResponse:
        request = WireRequest(
            method=method,
            path=f"/api/v3/{path}",
            query=query,
            headers={"X-MBX-APIKEY": self.account.api_key} | (headers or {}),
        )
        return self.face.answer(request, self.now)

    def ok(self, method: str, path: str, **params: Any) -> Any:
        answer = self.send(method, path, **params)
        assert answer.status == 200, answer.body
        return answer.json()

    def public(self, path: str, **params: Any) -> Any:
        answer = self.raw("GET", path, urlencode(params))
        assert answer.status == 200, answer.body
        return answer.json()

    def refused(self, method: str, path: str, **params: Any) -> tuple[int, str]:
        answer = self.send(method, path, **params)
        assert answer.status != 200, answer.body
        body = answer.json()
        return body["code"], body["msg"]

    def code(self, method: str, path: str, **params: Any) -> int:
        return self.refused(method, path, **params)[0]

    def market(self, side: str, qty: str, **more: Any) -> Any:
        return self.ok("POST", "order", symbol="BTCUSDT", side=side, type="MARKET", quantity=qty, **more)

    def limit(self, side: str, qty: str, price: str, **more: Any) -> Any:
        return self.ok("POST", "order", **LIMIT | {"side": side, "quantity": qty, "price": price} | more)

    def order(self, client_id: str) -> Any:
        return self.ok("GET", "order", symbol="BTCUSDT", origClientOrderId=client_id)

    def counts(self) -> list[int]:
        return [row["count"] for row in self.ok("GET", "rateLimit/order")]

    def balance(self, asset: str) -> tuple[str, str]:
        rows = {row["asset"]: row for row in self.ok("GET", "account")["balances"]}
        return rows[asset]["free"], rows[asset]["locked"]

    # ── frames ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def frames(self) -> list[Frame]:
        return self.wire.drain()

    def events(self, kind: str | None = None) -> list[Any]:
        """User events since the last look."""
        told = [json.loads(frame.payload) for frame in self.frames() if frame.route == SPOT_PRIVATE]
        return [event for event in told if kind in (None, event["e"])]


LIMIT = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC"}
OCO = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "quantity": "0.1",
    "aboveType": "LIMIT_MAKER",
    "abovePrice": "61000",
    "belowType": "STOP_LOSS_LIMIT",
    "belowStopPrice": "59000",
    "belowPrice": "58900",
    "belowTimeInForce": "GTC",
}
OTO = {
    "symbol": "BTCUSDT",
    "workingType": "LIMIT",
    "workingSide": "BUY",
    "workingPrice": "59000",
    "workingQuantity": "0.1",
    "workingTimeInForce": "GTC",
    "pendingType": "MARKET",
    "pendingSide": "SELL",
    "pendingQuantity": "0.09",
}
OTOCO = {name: value for name, value in OTO.items() if name != "pendingType"} | {
    "pendingAboveType": "LIMIT_MAKER",
    "pendingAbovePrice": "61000",
    "pendingBelowType": "STOP_LOSS",
    "pendingBelowStopPrice": "58000",
}
