"""The simulator as a foreign process sees it: real HTTP, real WebSockets, a free port of its own."""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chimera.services.simulator.server import SimulatorServer, serve
from chimera.services.simulator.settings import SimulatorSettings
from chimera.simulate.trouble.faults import NoFaults, RequestFault, Trouble
from chimera.trading.market import Marked, MarketEvent, TopOfBook
from support.sim_client import KEY, SimClient, signature_of

D = Decimal
WAIT_S = 5


class Feed:
    """A market source the test drives."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[MarketEvent] = asyncio.Queue()
        self.taken = asyncio.Event()  # the simulator asked for the event after the first

    async def __aiter__(self) -> AsyncIterator[MarketEvent]:
        while True:
            yield await self.queue.get()
            self.taken.set()

    def top(self, bid: str, ask: str) -> None:
        size = D(5)
        self.queue.put_nowait(TopOfBook(symbol="BTCUSDT", at_us=1, bid=D(bid), bid_qty=size, ask=D(ask), ask_qty=size))

    def mark(self, price: str) -> None:
        self.queue.put_nowait(
            Marked(symbol="BTCUSDT", at_us=1, mark=D(price), index=D(price), funding_rate=D(0), next_funding_ms=0)
        )


async def hear(socket: aiohttp.ClientWebSocketResponse, kind: str) -> Any:
    """The next message of one event type (or answer with ``result``)."""
    async with asyncio.timeout(WAIT_S):
        while True:
            message = await socket.receive_json()
            if message.get("e") == kind or kind in message:
                return message


def written(path: Path) -> list[str]:
    return path.read_text().splitlines()


@pytest.fixture
def audit_file(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
async def feed() -> Feed:
    return Feed()


@pytest.fixture
async def client(feed: Feed, audit_file: Path) -> AsyncIterator[SimClient]:
    stop = asyncio.Event()
    started: asyncio.Future[SimulatorServer] = asyncio.get_running_loop().create_future()
    settings = SimulatorSettings(port=0, audit_file=audit_file, speed=math.inf)
    running = asyncio.create_task(serve(settings, feed, stop=stop, ready=started.set_result))
    async with asyncio.timeout(WAIT_S):
        server = await started
    async with aiohttp.ClientSession() as session:
        client = SimClient(session, server)
        feed.top("65799.9", "65800.0")
        async with asyncio.timeout(WAIT_S):
            await feed.taken.wait()
        yield client
        stop.set()
        async with asyncio.timeout(1):
            await running


async def test_a_whole_order_life_over_the_wire(client: SimClient, feed: Feed, audit_file: Path) -> None:
    """Enter, protect, be stopped out; every step told on the user stream and written in the audit."""
    _, key = await client.send("POST", "/fapi/v1/listenKey")
    user = await client.listen(f"/private/ws?listenKey={key['listenKey']}")
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.002", "newClientOrderId": "e1"}
    status, answer = await client.signed("POST", "/fapi/v1/order", **order)
    assert (status, answer["status"]) == (200, "NEW")
    while (event := await hear(user, "ORDER_TRADE_UPDATE"))["o"]["X"] != "FILLED":
        assert event["o"]["c"] == "e1"

    stop = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}
    stop |= {"triggerPrice": "65700", "closePosition": "true", "workingType": "MARK_PRICE", "clientAlgoId": "s1"}
    status, answer = await client.signed("POST", "/fapi/v1/algoOrder", **stop)
    assert (status, answer["algoStatus"]) == (200, "NEW")
    feed.mark("65699")
    while (await hear(user, "ALGO_UPDATE"))["o"]["X"] != "FINISHED":
        pass
    assert await client.signed("GET", "/fapi/v3/positionRisk") == (200, [])

    records = [json.loads(line) for line in written(audit_file)]
    fills = [record for record in records if record["kind"] == "fill"]
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    assert [(f["client_order_id"], f["side"], D(f["qty"])) for f in fills] == [
        ("e1", "BUY", D("0.002")),
        ("s1", "SELL", D("0.002")),
    ]
    wallet = 10_000 + sum(D(f["realized_pnl"]) - D(f["fee"]) for f in fills)
    _, account = await client.signed("GET", "/fapi/v3/account")
    assert D(account["totalWalletBalance"]) == wallet


async def test_percent_encoding_reaches_the_signature_check_as_sent(client: SimClient) -> None:
    query = f"symbol=BTC%55SDT&timestamp={time.time_ns() // 1_000_000}"
    sign = signature_of(query)
    assert await client.send("GET", f"/fapi/v1/openOrders?{query}&signature={sign}") == (200, [])
    status, body = await client.send("GET", f"/fapi/v1/openOrders?{query}&signature={'0' * 64}")
    assert (status, body["code"]) == (400, -1022)


async def test_a_form_body_is_signed_too(client: SimClient) -> None:
    body = f"symbol=BTCUSDT&leverage=5&timestamp={time.time_ns() // 1_000_000}"
    body += "&signature=" + signature_of(body)
    form = {"Content-Type": "application/x-www-form-urlencoded", "X-MBX-APIKEY": KEY}
    async with client.session.post(client.base + "/fapi/v1/leverage", data=body, headers=form) as response:
        assert (response.status, (await response.json())["leverage"]) == (200, 5)


async def test_public_streams_subscribe_list_unsubscribe(client: SimClient, feed: Feed) -> None:
    socket = await client.listen("/public/ws")
    await socket.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 1})
    assert await hear(socket, "result") == {"result": None, "id": 1}
    feed.top("65799.8", "65800.1")
    assert (await hear(socket, "bookTicker"))["b"] == "65799.80"
    await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 2})
    assert (await hear(socket, "result"))["result"] == ["btcusdt@bookTicker"]
    await socket.send_json({"method": "UNSUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 3})
    await hear(socket, "result")
    feed.top("65799.7", "65800.1")
    await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 4})
    assert await socket.receive_json() == {"result": [], "id": 4}
    await socket.send_str("not json")
    assert (await hear(socket, "code"))["code"] == 3


async def test_combined_streams_are_wrapped_and_routes_are_kept_apart(client: SimClient, feed: Feed) -> None:
    both = "btcusdt@bookTicker/btcusdt@markPrice@1s"
    public = await client.listen(f"/public/stream?streams={both}")
    market = await client.listen(f"/market/stream?streams={both}")
    unrouted = await client.listen(f"/ws/{both}")
    feed.top("65799.8", "65800.1")
    feed.mark("65800")
    for socket, stream in ((public, "btcusdt@bookTicker"), (market, "btcusdt@markPrice@1s")):
        async with asyncio.timeout(WAIT_S):
            message = await socket.receive_json()
        assert (message["stream"], message["data"]["s"]) == (stream, "BTCUSDT")
    assert (await hear(unrouted, "bookTicker"))["s"] == "BTCUSDT"
    for socket in (public, unrouted):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.15):
                await hear(socket, "markPriceUpdate")


async def test_user_stream_paths_and_the_events_selection(client: SimClient) -> None:
    _, key = await client.send("POST", "/fapi/v1/listenKey")
    token = key["listenKey"]
    plain = await client.listen(f"/private/ws/{token}")
    wrapped = await client.listen(f"/private/stream?listenKey={token}")
    chosen = await client.listen(f"/private/ws?listenKey={token}&events=ACCOUNT_UPDATE/TRADE_LITE")
    stranger = await client.listen("/private/ws?listenKey=unknown")
    await client.signed("POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.002")
    assert (await hear(plain, "ORDER_TRADE_UPDATE"))["o"]["x"] == "NEW"
    async with asyncio.timeout(WAIT_S):
        message = await wrapped.receive_json()
        assert (message["stream"], message["data"]["e"]) == (token, "ORDER_TRADE_UPDATE")
        assert [(await chosen.receive_json())["e"] for _ in range(2)] == ["TRADE_LITE", "ACCOUNT_UPDATE"]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.15):
            await stranger.receive()


async def test_a_dropped_reply_ends_the_connection_though_it_was_executed(client: SimClient) -> None:
    class DropOrders(NoFaults):
        def on_request(self, request, now_ms):
            return RequestFault(trouble=Trouble.DROP, executed=True) if request.method == "POST" else None

    client.server.twin.faults = DropOrders()
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.signed("POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.002")
    client.server.twin.faults = NoFaults()
    _, rows = await client.signed("GET", "/fapi/v3/positionRisk")
    assert rows[0]["positionAmt"] == "0.002"


async def test_control_api(client: SimClient) -> None:
    account = {"name": "second", "api_key": "second-key", "secret": "second-secret", "balance": "500"}
    assert (await client.send("POST", "/sim/accounts", json=account))[0] == 200
    assert (await client.send("POST", "/sim/accounts", json=account))[0] == 400
    assert (await client.send("POST", "/sim/accounts", json={"name": 1}))[1]["code"] == -1130
    _, state = await client.send("GET", "/sim/state")
    assert state["accounts"]["second"]["wallet"] == "500"
    async with client.session.get(client.base + "/sim/audit?since=1") as response:
        lines = [json.loads(line) for line in (await response.text()).splitlines()]
    assert lines[0]["seq"] == 2
    assert (await client.send("GET", "/sim/nothing"))[0] == 404


async def test_it_stops_within_a_second_with_readers_connected(feed: Feed) -> None:
    stop = asyncio.Event()
    started: asyncio.Future[SimulatorServer] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(serve(SimulatorSettings(port=0), feed, stop=stop, ready=started.set_result))
    server = await started
    async with aiohttp.ClientSession() as session:
        client = SimClient(session, server)
        sockets = [await client.listen("/public/ws/btcusdt@bookTicker") for _ in range(5)]
        stop.set()
        async with asyncio.timeout(1):
            await running
        for socket in sockets:
            assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


async def test_a_market_source_that_fails_ends_the_service_with_its_error() -> None:
    def broken():
        yield TopOfBook(symbol="BTCUSDT", at_us=1, bid=D(1), bid_qty=D(1), ask=D(2), ask_qty=D(1))
        raise ValueError("line 2 is not a capture")

    with pytest.raises(ValueError, match="line 2"):
        await serve(SimulatorSettings(port=0), broken(), stop=asyncio.Event())


async def test_events_are_released_in_their_own_time() -> None:
    """Two hours of market at a speed that makes them a moment; all of it arrives, in order."""
    stop = asyncio.Event()
    started: asyncio.Future[SimulatorServer] = asyncio.get_running_loop().create_future()
    top = TopOfBook(symbol="BTCUSDT", at_us=0, bid=D(65799), bid_qty=D(1), ask=D(65800), ask_qty=D(1))
    events = [top.but(at_us=minute * 60_000_000, bid=D(65000 + minute)) for minute in range(121)]
    settings = SimulatorSettings(port=0, speed=72_000)
    running = asyncio.create_task(serve(settings, events, stop=stop, ready=started.set_result))
    server = await started
    async with asyncio.timeout(WAIT_S), aiohttp.ClientSession() as session:
        await server.market_ended.wait()
        _, ticker = await SimClient(session, server).send("GET", "/fapi/v1/ticker/bookTicker?symbol=BTCUSDT")
        assert ticker["bidPrice"] == "65120.00"
        stop.set()
        await running


async def test_a_market_that_ends_leaves_the_venue_open() -> None:
    stop = asyncio.Event()
    started: asyncio.Future[SimulatorServer] = asyncio.get_running_loop().create_future()
    event = TopOfBook(symbol="BTCUSDT", at_us=1, bid=D(65799), bid_qty=D(1), ask=D(65800), ask_qty=D(1))
    running = asyncio.create_task(serve(SimulatorSettings(port=0), [event], stop=stop, ready=started.set_result))
    server = await started
    async with asyncio.timeout(WAIT_S), aiohttp.ClientSession() as session:
        await server.market_ended.wait()
        assert (await SimClient(session, server).send("GET", "/fapi/v1/ping")) == (200, {})
        stop.set()
        await running
