"""A trader at the twin: signs requests, moves the market, reads frames and audit."""

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from chimera.simulate.door.auth import signature
from chimera.simulate.door.messages import Frame, WireRequest, WireResponse
from chimera.simulate.twin import Twin
from chimera.simulate.venue.account_spec import READY_ACCOUNT, AccountSpec
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.market import DepthChanged, Level, Marked, Side, TopOfBook, Traded

D = Decimal
RICH = READY_ACCOUNT.but(balance=D(100_000))
START_MS = 1_763_635_200_000


class Desk:
    """One twin and one account's credentials."""

    def __init__(self, twin: Twin | None = None, account: AccountSpec = RICH, **options: Any) -> None:
        self.now = START_MS
        self.twin = twin if twin is not None else Twin(now_ms=self.now, **{"accounts": (account,)} | options)
        self.account = account
        self.frames: list[Frame] = []

    # requests
    def raw(self, method: str, path: str, query: str = "", body: str = "", key: str | None = None) -> tuple[int, Any]:
        response = self.send(method, path, query, body, key)
        return response.status, response.json()

    def send(self, method: str, path: str, query: str = "", body: str = "", key: str | None = None) -> WireResponse:
        headers = {"X-MBX-APIKEY": self.account.api_key if key is None else key}
        request = WireRequest(
            method=method, path=path, query=query, body=body, headers={k: v for k, v in headers.items() if v}
        )
        return self.twin.handle(request, self.now)

    def signed(self, **params: Any) -> str:
        """A query in the order given, with time and signature."""
        query = urlencode(params | {"timestamp": params.get("timestamp", self.now)})
        return query + "&signature=" + signature(self.account.secret.encode(), query)

    def call(self, method: str, path: str, **params: Any) -> tuple[int, Any]:
        """A signed call under ``/fapi/``."""
        return self.raw(method, "/fapi/" + path, self.signed(**params))

    def raw_response(self, method: str, path: str, **params: Any) -> WireResponse:
        """The whole answer to a signed call, headers too."""
        return self.send(method, "/fapi/" + path, self.signed(**params))

    def ok(self, method: str, path: str, **params: Any) -> Any:
        status, body = self.call(method, path, **params)
        assert status == 200, body
        return body

    def code(self, method: str, path: str, **params: Any) -> int:
        """The refusal's code."""
        status, body = self.call(method, path, **params)
        assert status != 200, body
        return int(body["code"])

    def limit(self, side: str, qty: str, price: str, **more: Any) -> Any:
        return self.ok("POST", "v1/order", **self.limit_terms(side, qty, price) | more)

    def limit_terms(self, side: str, qty: str, price: str) -> dict[str, Any]:
        terms = {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC"}
        return terms | {"quantity": qty, "price": price, "newOrderRespType": "RESULT"}

    def market(self, side: str, qty: str, **more: Any) -> Any:
        return self.ok("POST", "v1/order", **self.market_terms(side, qty) | more)

    def market_terms(self, side: str, qty: str) -> dict[str, Any]:
        return {"symbol": "BTCUSDT", "side": side, "type": "MARKET", "quantity": qty, "newOrderRespType": "RESULT"}

    def stop_terms(self, side: str, trigger: str, **more: Any) -> dict[str, Any]:
        terms = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": side, "type": "STOP_MARKET"}
        return terms | {"triggerPrice": trigger} | more

    def stop(self, side: str, trigger: str, **more: Any) -> Any:
        return self.ok("POST", "v1/algoOrder", **self.stop_terms(side, trigger, **more))

    def order(self, client_id: str) -> Any:
        return self.ok("GET", "v1/order", symbol="BTCUSDT", origClientOrderId=client_id)

    def algo(self, client_id: str) -> Any:
        return self.ok("GET", "v1/algoOrder", clientAlgoId=client_id)

    @property
    def position(self) -> Decimal:
        rows = self.ok("GET", "v3/positionRisk", symbol="BTCUSDT")
        return D(rows[0]["positionAmt"]) if rows else D(0)

    @property
    def wallet(self) -> Decimal:
        return D(self.ok("GET", "v3/account")["totalWalletBalance"])

    # the market
    def at_us(self) -> int:
        return self.now * 1000

    def top(
        self, bid: str, ask: str, bid_qty: str = "5", ask_qty: str = "5", later_ms: int = 0, symbol: str = "BTCUSDT"
    ) -> None:
        self.now += later_ms
        event = TopOfBook(
            symbol=symbol, at_us=self.at_us(), bid=D(bid), bid_qty=D(bid_qty), ask=D(ask), ask_qty=D(ask_qty)
        )
        self.twin.market(event, self.now)

    def depth(self, bids: dict[str, str], asks: dict[str, str], snapshot: bool = False) -> None:
        levels = [tuple(Level(price=D(p), qty=D(q)) for p, q in side.items()) for side in (bids, asks)]
        event = DepthChanged(symbol="BTCUSDT", at_us=self.at_us(), bids=levels[0], asks=levels[1], snapshot=snapshot)
        self.twin.market(event, self.now)

    def trade(self, price: str, qty: str, taker: str) -> None:
        event = Traded(symbol="BTCUSDT", at_us=self.at_us(), price=D(price), qty=D(qty), taker=Side(taker))
        self.twin.market(event, self.now)

    def mark(self, price: str, symbol: str = "BTCUSDT") -> None:
        event = Marked(
            symbol=symbol,
            at_us=self.at_us(),
            mark=D(price),
            index=D(price),
            funding_rate=D("0.0001"),
            next_funding_ms=self.now + 1_000,
        )
        self.twin.market(event, self.now)

    # what it says
    def listen(self) -> str:
        status, body = self.raw("POST", "/fapi/v1/listenKey")
        assert status == 200
        return str(body["listenKey"])

    def events(self, kind: str | None = None) -> list[Any]:
        """Frames drained now, of one type."""
        return [frame.json() for frame in self.twin.drain() if kind is None or frame.event == kind]

    def log(self, *kinds: Kind) -> list[AuditRecord]:
        return [record for record in self.twin.audit if not kinds or record.kind in kinds]
