"""Spot as a foreign process sees it: whole lives of orders and lists over HTTP, user data over the WebSocket API."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from yarl import URL

from chimera.services.simulator.server import SimulatorServer, wall_ms
from chimera.services.simulator.settings import SimulatorSettings
from chimera.simulate.door.auth import signature
from chimera.simulate.spot.endpoints import ENDPOINTS, METHODS
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.trading.ids import Symbol
from chimera.trading.market import Market, Side, TopOfBook, Traded
from chimera.trading.money import Millis, Price, Qty

D = Decimal
WAIT_S = 5
BTC = Symbol("BTCUSDT")
OTOCO = {
    "symbol": "BTCUSDT",
    "workingType": "LIMIT",
    "workingSide": "BUY",
    "workingPrice": "60000",
    "workingQuantity": "0.1",
    "workingTimeInForce": "GTC",
    "pendingSide": "SELL",
    "pendingAboveType": "LIMIT_MAKER",
    "pendingAbovePrice": "61000",
    "pendingBelowType": "STOP_LOSS_LIMIT",
    "pendingBelowStopPrice": "59000",
    "pendingBelowPrice": "58900",
    "pendingBelowTimeInForce": "GTC",
}
Socket = aiohttp.ClientWebSocketResponse


class Line:
    """One WebSocket API connection: asks, and keeps the user events that come meanwhile."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.events: list[Any] = []
        self.asked = 0

    async def _next(self) -> Any:
        async with asyncio.timeout(WAIT_S):
            return json.loads(await self.socket.receive_str())

    async def ask(self, method: str, **params: Any) -> Any:
        """A signed request; its answer."""
        self.asked += 1
        params |= {"apiKey": READY_ACCOUNT.api_key, "timestamp": wall_ms()}
        text = "&".join(f"{name}={params[name]}" for name in sorted(params))
        params["signature"] = signature(READY_ACCOUNT.secret.encode(), text)
        await self.socket.send_str(json.dumps({"id": self.asked, "method": method, "params": params}))
        while (message := await self._next()).get("id") != self.asked:
            self.events.append(message)
        return message

    async def hear(self, **wanted: Any) -> Any:
        """The next user event that has these values."""
        while True:
            message = self.events.pop(0) if self.events else await self._next()
            event = message["event"]
            if wanted.items() <= event.items():
                assert message["subscriptionId"] == 0
                return event


class Client:
    """A plain spot client of a running venue."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.server = SimulatorServer(SimulatorSettings(port=0, speed=math.inf), [])

    def top(self, bid: str, ask: str) -> None:
        size = Qty(D(5))
        event = TopOfBook(symbol=BTC, at_us=0, bid=Price(D(bid)), bid_qty=size, ask=Price(D(ask)), ask_qty=size)
        self.server.twin.market(event, Millis(wall_ms()), Market.SPOT)
        self.server.hub.pump()

    def trade(self, price: str, qty: str, taker: Side) -> None:
        event = Traded(symbol=BTC, at_us=0, price=Price(D(price)), qty=Qty(D(qty)), taker=taker)
        self.server.twin.market(event, Millis(wall_ms()), Market.SPOT)
        self.server.hub.pump()

    def url(self, path: str) -> str:
        host, port = self.server.spot_address
        return f"http://{host}:{port}{path}"

    async def call(self, method: str, path: str, **params: Any) -> tuple[int, Any]:
        """A signed call; POST and PUT in the body, the others in the query."""
        query = urlencode(params | {"timestamp": wall_ms()})
        query += "&signature=" + signature(READY_ACCOUNT.secret.encode(), query)
        headers = {"X-MBX-APIKEY": READY_ACCOUNT.api_key}
        in_body = method in ("POST", "PUT")
        if in_body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        url = self.url(path if in_body else f"{path}?{query}")
        data = query if in_body else None
        async with self.session.request(method, url, headers=headers, data=data) as answer:
            return answer.status, await answer.json()

    async def ok(self, method: str, path: str, **params: Any) -> Any:
        status, body = await self.call(method, f"/api/v3/{path}", **params)
        assert status == 200, body
        return body

    async def line(self) -> Line:
        """A connection that hears the account's events."""
        line = Line(await self.session.ws_connect(self.url("/ws-api/v3")))
        heard = await line.ask("userDataStream.subscribe.signature")
        assert heard["result"] == {"subscriptionId": 0}
        return line


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        client = Client(session)
        await client.server.start()
        client.top("60000.00", "60000.01")
        yield client
        await client.server.stop()


@pytest.mark.req("TW-1")
async def test_an_order_from_placement_to_its_last_fill(client: Client) -> None:
    """It rests, is filled in two parts as maker, and every voice says the same."""
    line = await client.line()
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.02", "price": "59999"}
    ack = await client.ok("POST", "order", **order, newClientOrderId="mine")
    assert set(ack) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
    new = await line.hear(x="NEW", c="mine")
    assert (new["w"], new["i"]) == (True, ack["orderId"])
    assert (await line.hear(e="outboundAccountPosition"))["B"] == [
        {"a": "USDT", "f": "8800.02000000", "l": "1199.98000000"}
    ]
    client.top("59999.50", "59999.60")
    client.trade("59998", "0.01", Side.SELL)
    fill = await line.hear(x="TRADE")
    assert (fill["X"], fill["z"], fill["m"], fill["N"]) == ("FILLED", "0.02000000", True, "BTC")
    found = await client.ok("GET", "order", symbol="BTCUSDT", origClientOrderId="mine")
    assert (found["status"], found["cummulativeQuoteQty"]) == ("FILLED", "1199.98000000")
    (trade,) = await client.ok("GET", "myTrades", symbol="BTCUSDT", orderId=ack["orderId"])
    assert (trade["id"], trade["commission"]) == (fill["t"], fill["n"])
    account = await client.ok("GET", "account", omitZeroBalances="true")
    assert account["balances"] == [
        {"asset": "USDT", "free": "8800.02000000", "locked": "0.00000000"},
        {"asset": "BTC", "free": "0.11998000", "locked": "0.00000000"},
    ]


@pytest.mark.req("TW-1")
async def test_a_protected_position_that_is_stopped_out(client: Client) -> None:
    """An OPOCO buys and protects what it bought; the stop triggers, the target expires, the list is done."""
    line = await client.line()
    group = await client.ok("POST", "orderList/opoco", **OTOCO, listClientOrderId="bracket")
    assert (await line.hear(e="listStatus"))["l"] == "EXEC_STARTED"
    working, stop, target = (leg["orderId"] for leg in group["orders"])
    client.top("59998.00", "59999.00")
    assert (await line.hear(i=working, x="TRADE"))["X"] == "FILLED"
    assert (await line.hear(i=stop, X="NEW"))["w"] is False
    assert (await line.hear(i=target, X="NEW"))["w"] is True
    opened = await client.ok("GET", "openOrders", symbol="BTCUSDT")
    assert sorted(order["orderId"] for order in opened) == sorted((stop, target))

    client.top("58990.00", "58990.01")
    client.trade("58990", "0.001", Side.SELL)
    gone = await line.hear(i=target)
    assert (gone["x"], gone["eR"]) == ("EXPIRED", "OCO_TRIGGER")
    assert (await line.hear(i=stop, x="TRADE"))["X"] == "FILLED"
    assert (await line.hear(e="listStatus", C="bracket"))["L"] == "ALL_DONE"
    done = await client.ok("GET", "orderList", origClientOrderId="bracket")
    assert (done["listStatusType"], done["listOrderStatus"]) == ("ALL_DONE", "ALL_DONE")
    assert await client.ok("GET", "openOrderList") == []


@pytest.mark.req("TW-1")
async def test_the_same_life_on_the_websocket_api(client: Client) -> None:
    line = await client.line()
    terms = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.05"}
    limit = terms | {"type": "LIMIT", "timeInForce": "GTC", "price": "61000", "newClientOrderId": "mine"}
    placed = await line.ask("order.place", **limit)
    assert (placed["status"], placed["result"]["status"]) == (200, "NEW")
    assert {row["rateLimitType"] for row in placed["rateLimits"]} == {"ORDERS", "REQUEST_WEIGHT"}
    which = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
    assert (await line.ask("order.status", **which))["result"]["isWorking"] is True
    less = await line.ask("order.amend.keepPriority", **which, newQty="0.04", newClientOrderId="less")
    assert less["result"]["amendedOrder"]["qty"] == "0.04000000"
    assert (await line.hear(x="REPLACED"))["C"] == "mine"

    new = terms | {"type": "LIMIT", "timeInForce": "GTC", "price": "62000", "cancelReplaceMode": "STOP_ON_FAILURE"}
    both = await line.ask("order.cancelReplace", **new, cancelOrigClientOrderId="less", newClientOrderId="next")
    assert both["result"]["newOrderResponse"]["clientOrderId"] == "next"
    half = await line.ask("order.cancelReplace", **new, cancelOrigClientOrderId="less")
    assert (half["status"], half["error"]["code"]) == (400, -2022)
    assert half["error"]["data"]["newOrderResult"] == "NOT_ATTEMPTED"

    listed = await line.ask(
        "orderList.place.oco",
        **terms | {"quantity": "0.01"},
        aboveType="LIMIT_MAKER",
        abovePrice="61000",
        belowType="STOP_LOSS",
        belowStopPrice="59000",
        listClientOrderId="pair",
    )
    assert listed["result"]["contingencyType"] == "OCO"
    assert (await line.ask("orderList.status", origClientOrderId="pair"))["result"]["listOrderStatus"] == "EXECUTING"
    assert len((await line.ask("openOrders.status", symbol="BTCUSDT"))["result"]) == 3
    assert len((await line.ask("openOrderLists.status"))["result"]) == 1
    gone = await line.ask("openOrders.cancelAll", symbol="BTCUSDT")
    assert [each.get("status", each.get("listOrderStatus")) for each in gone["result"]] == ["CANCELED", "ALL_DONE"]
    refused = await line.ask("order.cancel", symbol="BTCUSDT", origClientOrderId="next")
    assert (refused["status"], refused["error"]) == (400, {"code": -2011, "msg": "Unknown order sent."})
    assert [row["count"] for row in (await line.ask("account.rateLimits.orders"))["result"]] == [5, 5]
    balances = (await line.ask("account.status"))["result"]["balances"]
    assert {row["locked"] for row in balances} == {"0.00000000"}


@pytest.mark.req("TW-1")
async def test_every_method_of_the_table_answers(client: Client) -> None:
    """Bare, each finds its endpoint: an answer, or a refusal for what it lacks; never an unknown method."""
    line = await client.line()
    assert set(METHODS.values()) <= set(ENDPOINTS)
    public = {"ping", "time", "exchangeInfo", "ticker.price", "ticker.book"}
    for method in METHODS:
        if method in public:
            answer = json.loads(await _bare(line, method))
            assert answer["status"] == 200, method
        else:
            answer = await line.ask(method)
            assert answer["status"] == 200 or answer["error"]["code"] in (-1102, -1104), (method, answer)


async def _bare(line: Line, method: str) -> str:
    await line.socket.send_str(json.dumps({"id": method, "method": method}))
    async with asyncio.timeout(WAIT_S):
        return await line.socket.receive_str()


async def test_percent_encoding_reaches_the_signature_check_as_sent(client: Client) -> None:
    query = f"symbol=BTC%55SDT&timestamp={wall_ms()}"
    sign = signature(READY_ACCOUNT.secret.encode(), query)
    for given, status in ((sign, 200), ("0" * 64, 400)):
        url = URL(client.url(f"/api/v3/openOrders?{query}&signature={given}"), encoded=True)
        async with client.session.get(url, headers={"X-MBX-APIKEY": READY_ACCOUNT.api_key}) as answer:
            assert answer.status == status


async def test_money_crosses_between_the_markets_and_both_are_told(client: Client) -> None:
    line = await client.line()
    terms = {"type": "MAIN_UMFUTURE", "asset": "USDT", "amount": "250"}
    status, sent = await client.call("POST", "/sapi/v1/asset/transfer", **terms)
    assert status == 200
    assert (await line.hear(e="balanceUpdate"))["d"] == "-250.00000000"
    assert (await line.hear(e="outboundAccountPosition"))["B"][0]["f"] == "9750.00000000"
    _, found = await client.call("GET", "/sapi/v1/asset/transfer", type="MAIN_UMFUTURE")
    assert [row["tranId"] for row in found["rows"]] == [sent["tranId"]]
    _, futures = await client.call("GET", "/fapi/v3/account")
    assert D(futures["totalWalletBalance"]) == 10_250


async def test_the_listen_key_is_gone(client: Client) -> None:
    status, _ = await client.call("POST", "/api/v3/userDataStream")
    assert status == 410
