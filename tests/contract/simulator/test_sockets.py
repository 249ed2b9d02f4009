"""Connections over real sockets: both ports, both WebSocket APIs, pings, the day's end, and who says too much."""

import asyncio
import json
import math
from base64 import b64encode
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chimera.services.simulator.server import SimulatorServer, wall_ms
from chimera.services.simulator.settings import SimulatorSettings
from chimera.services.simulator.vitals import LIFE_MS, End
from chimera.simulate.door.auth import signature
from chimera.simulate.venue.account_spec import READY_ACCOUNT, AccountSpec
from chimera.trading.ids import Symbol
from chimera.trading.market import Market, MarketEvent, TopOfBook
from chimera.trading.money import Millis, Price, Qty

pytestmark = pytest.mark.slow

WAIT_S = 5
BTC = Symbol("BTCUSDT")
PRIVATE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PEM = PRIVATE_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
SIGNER = AccountSpec(name="signer", api_key="ed25519-key", public_key=PEM, spot={"USDT": Decimal(1_000)})
Socket = aiohttp.ClientWebSocketResponse


def quote(bid: str = "65799.90", ask: str = "65800.00") -> TopOfBook:
    deep = Qty(Decimal(50))
    return TopOfBook(symbol=BTC, at_us=0, bid=Price(Decimal(bid)), bid_qty=deep, ask=Price(Decimal(ask)), ask_qty=deep)


class Venue:
    """A running server whose clock can be set ahead, and a client of it."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.ahead_ms = 0
        settings = SimulatorSettings(port=0, speed=math.inf, accounts=(READY_ACCOUNT, SIGNER))
        events: list[MarketEvent] = []
        self.server = SimulatorServer(settings, events, clock=lambda: wall_ms() + self.ahead_ms)

    def move(self, event: MarketEvent, market: Market) -> None:
        self.server.twin.market(event, Millis(wall_ms() + self.ahead_ms), market)
        self.server.hub.pump()

    def url(self, path: str, *, spot: bool = False) -> str:
        host, port = self.server.spot_address if spot else self.server.address
        return f"http://{host}:{port}{path}"

    async def join(self, path: str, *, spot: bool = False, autoping: bool = True) -> Socket:
        return await self.session.ws_connect(self.url(path, spot=spot), autoping=autoping)

    def signed(self, account: AccountSpec = READY_ACCOUNT, **params: Any) -> dict[str, Any]:
        params = {"apiKey": account.api_key, "timestamp": wall_ms() + self.ahead_ms} | params
        text = "&".join(f"{name}={params[name]}" for name in sorted(params))
        if account.secret:
            return params | {"signature": signature(account.secret.encode(), text)}
        return params | {"signature": b64encode(PRIVATE_KEY.sign(text.encode())).decode()}

    async def post(self, path: str, **params: Any) -> Any:
        query = urlencode(params | {"timestamp": wall_ms() + self.ahead_ms})
        query += "&signature=" + signature(READY_ACCOUNT.secret.encode(), query)
        headers = {"X-MBX-APIKEY": READY_ACCOUNT.api_key}
        async with self.session.post(self.url(f"{path}?{query}"), headers=headers) as answer:
            return await answer.json()


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    async with aiohttp.ClientSession() as session:
        venue = Venue(session)
        await venue.server.start()
        for market in (Market.FUT, Market.SPOT):
            venue.move(quote(), market)
        yield venue
        await venue.server.stop()


async def said(socket: Socket) -> Any:
    async with asyncio.timeout(WAIT_S):
        return json.loads(await socket.receive_str())


async def asked(socket: Socket, method: str, params: Any = None, number: Any = 1) -> Any:
    await socket.send_str(json.dumps({"id": number, "method": method, "params": params}))
    return await said(socket)


async def ended(socket: Socket) -> str:
    """Read until the venue closes; its reason."""
    async with asyncio.timeout(WAIT_S):
        while True:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.CLOSE:
                return str(message.extra)
            if message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING):
                return ""


class TestTwoPorts:
    async def test_rest_of_both_markets_answers_on_both(self, venue: Venue) -> None:
        for spot in (False, True):
            for path in ("/api/v3/time", "/fapi/v1/time"):
                async with venue.session.get(venue.url(path, spot=spot)) as answer:
                    assert answer.status == 200
                    assert abs((await answer.json())["serverTime"] - wall_ms()) < 10_000

    async def test_one_stream_name_is_of_the_port_s_market(self, venue: Venue) -> None:
        futures, spot = (
            await venue.join("/ws/btcusdt@bookTicker"),
            await venue.join("/ws/btcusdt@bookTicker", spot=True),
        )
        venue.move(quote("64000.00", "64000.10"), Market.FUT)
        venue.move(quote("63000.00", "63000.10"), Market.SPOT)
        assert (await said(futures))["b"] == "64000.00"
        ticker = await said(spot)
        assert ticker["b"] == "63000.00000000"
        assert "e" not in ticker

    async def test_combined_and_in_microseconds(self, venue: Venue) -> None:
        socket = await venue.join("/stream?streams=btcusdt@depth@100ms&timeUnit=MICROSECOND", spot=True)
        venue.move(quote("63000.00", "63000.10"), Market.SPOT)
        event = await said(socket)
        assert event["stream"] == "btcusdt@depth@100ms"
        assert event["data"]["E"] > 10**15

    async def test_a_unit_nobody_knows_is_refused(self, venue: Venue) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await venue.join("/stream?streams=btcusdt@trade&timeUnit=HOUR", spot=True)
        assert caught.value.status == 400


class TestFuturesApi:
    async def test_an_order_and_its_events(self, venue: Venue) -> None:
        api = await venue.join("/ws-fapi/v1")
        key = (await asked(api, "userDataStream.start", {"apiKey": READY_ACCOUNT.api_key}))["result"]["listenKey"]
        user = await venue.join(f"/private/ws?listenKey={key}")
        order = venue.signed(symbol=BTC, side="BUY", type="MARKET", quantity="0.010", newOrderRespType="RESULT")
        placed = await asked(api, "order.place", order, "mine")
        assert (placed["id"], placed["status"], placed["result"]["status"]) == ("mine", 200, "FILLED")
        kinds = [(await said(user))["e"] for _ in range(4)]
        assert sorted(kinds) == ["ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE", "ORDER_TRADE_UPDATE", "TRADE_LITE"]

    async def test_limits_hidden_by_the_address(self, venue: Venue) -> None:
        api = await venue.join("/ws-fapi/v1?returnRateLimits=false")
        assert "rateLimits" not in await asked(api, "ticker.book", {"symbol": BTC})

    async def test_nonsense_leaves_the_connection_open(self, venue: Venue) -> None:
        api = await venue.join("/ws-fapi/v1")
        await api.send_str("{")
        assert (await said(api))["error"]["code"] == -1135
        assert (await asked(api, "nonsense"))["error"]["code"] == -1020
        assert (await asked(api, "session.status"))["status"] == 200

    async def test_connecting_weighs_five_of_its_own_pool(self, venue: Venue) -> None:
        await venue.join("/ws-fapi/v1")
        api = await venue.join("/ws-fapi/v1")
        row = (await asked(api, "ticker.book", {"symbol": BTC}))["rateLimits"][-1]
        assert (row["rateLimitType"], row["limit"], row["count"]) == ("REQUEST_WEIGHT", 2_400, 12)
        async with venue.session.get(venue.url("/fapi/v1/time")) as answer:
            assert answer.headers["X-MBX-USED-WEIGHT-1M"] == "1"

    async def test_who_is_banned_may_not_connect(self, venue: Venue) -> None:
        api = await venue.join("/ws-fapi/v1")
        for number in range(300):
            await api.send_str(json.dumps({"id": number, "method": "depth", "params": {"symbol": BTC}}))
        assert await ended(api) is not None
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await venue.join("/ws-fapi/v1")
        assert caught.value.status == 418
        assert caught.value.headers is not None
        assert 0 < int(caught.value.headers["Retry-After"]) <= 120


class TestSpotApi:
    ORDER = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": "0.01"}  # read only

    async def test_events_by_signature_come_wrapped(self, venue: Venue) -> None:
        api = await venue.join("/ws-api/v3", spot=True)
        assert (await asked(api, "userDataStream.subscribe.signature", venue.signed()))["result"] == {
            "subscriptionId": 0
        }
        again = await asked(api, "userDataStream.subscribe.signature", venue.signed())
        assert (again["status"], again["error"]["code"]) == (400, -2035)
        placed = await asked(api, "v3/order.place", venue.signed(**self.ORDER), None)
        assert (placed["id"], placed["result"]["status"]) == (None, "FILLED")
        events = [await said(api) for _ in range(3)]
        assert {event["subscriptionId"] for event in events} == {0}
        assert [event["event"]["e"] for event in events] == [
            "executionReport",
            "executionReport",
            "outboundAccountPosition",
        ]
        assert (await asked(api, "session.subscriptions"))["result"] == [{"subscriptionId": 0}]
        assert (await asked(api, "userDataStream.unsubscribe", {"subscriptionId": 7}))["error"]["code"] == -2036
        assert (await asked(api, "userDataStream.unsubscribe", {"subscriptionId": 0}))["result"] == {}
        assert (await said(api))["event"]["e"] == "eventStreamTerminated"
        assert (await asked(api, "session.status"))["result"]["userDataStream"] is False

    async def test_events_by_logon_end_with_it(self, venue: Venue) -> None:
        api = await venue.join("/ws-api/v3")
        assert (await asked(api, "userDataStream.subscribe"))["error"]["code"] == -1002
        assert (await asked(api, "session.logon", venue.signed()))["error"]["code"] == -4056
        assert (await asked(api, "session.logon", venue.signed(SIGNER)))["status"] == 200
        assert (await asked(api, "userDataStream.subscribe"))["result"] == {"subscriptionId": 0}
        assert (await asked(api, "userDataStream.subscribe.signature", venue.signed()))["result"]["subscriptionId"] == 1
        order = self.ORDER | {"timestamp": wall_ms()}
        assert (await asked(api, "order.place", order))["result"]["status"] == "FILLED"
        assert [(await said(api))["subscriptionId"] for _ in range(3)] == [0, 0, 0], "the other account is quiet"
        assert (await asked(api, "session.logout"))["result"]["userDataStream"] is True
        ending = await said(api)
        assert (ending["subscriptionId"], ending["event"]["e"]) == (0, "eventStreamTerminated")
        assert (await asked(api, "session.subscriptions"))["result"] == [{"subscriptionId": 1}]

    async def test_the_listen_key_is_gone(self, venue: Venue) -> None:
        api = await venue.join("/ws-api/v3")
        assert (await asked(api, "userDataStream.start", {"apiKey": READY_ACCOUNT.api_key}))["status"] == 410

    async def test_unfilled_orders_are_given_back(self, venue: Venue) -> None:
        api = await venue.join("/ws-api/v3?returnRateLimits=true")
        resting = self.ORDER | {"type": "LIMIT", "timeInForce": "GTC", "price": "60000"}
        rows = (await asked(api, "order.place", venue.signed(**resting)))["rateLimits"]
        assert [(row["interval"], row["count"]) for row in rows][:2] == [("SECOND", 1), ("DAY", 1)]
        filled = (await asked(api, "order.place", venue.signed(**self.ORDER)))["rateLimits"]
        assert [row["count"] for row in filled][:2] == [1, 1]

    async def test_the_venue_says_when_it_goes(self, venue: Venue) -> None:
        api, stream = await venue.join("/ws-api/v3"), await venue.join("/stream?streams=btcusdt@trade", spot=True)
        futures = await venue.join("/ws/btcusdt@bookTicker")
        stopping = asyncio.create_task(venue.server.stop())
        assert (await said(api))["event"]["e"] == "serverShutdown"
        assert await said(stream) == {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": ANY_TIME}}
        assert (await futures.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        for socket in (api, stream, futures):
            await ended(socket)
        await stopping


class _AnyTime:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, int) and abs(other - wall_ms()) < 60_000

    __hash__ = None  # type: ignore[assignment]  # equal to many, so it cannot be hashed


ANY_TIME = _AnyTime()
PATHS = pytest.mark.parametrize(
    ("path", "spot", "ping_ms", "pong_ms"),
    [
        ("/public/ws/btcusdt@bookTicker", False, 180_000, 600_000),
        ("/ws-fapi/v1", False, 180_000, 600_000),
        ("/ws/btcusdt@trade", True, 20_000, 60_000),
        ("/ws-api/v3", True, 20_000, 60_000),
    ],
)


class TestLife:
    @PATHS
    async def test_it_is_pinged_with_a_payload_and_must_repeat_it(
        self, venue: Venue, path: str, spot: bool, ping_ms: int, pong_ms: int
    ) -> None:
        socket = await venue.join(path, spot=spot, autoping=False)
        async with asyncio.timeout(WAIT_S):
            venue.ahead_ms += ping_ms
            ping = await socket.receive()
            assert ping.type is aiohttp.WSMsgType.PING
            assert ping.data
            await socket.pong(ping.data)
            venue.ahead_ms += ping_ms
            again = await socket.receive()
            assert again.type is aiohttp.WSMsgType.PING
            assert again.data != ping.data
        await socket.pong(b"not that")
        venue.ahead_ms += pong_ms
        assert await ended(socket) == End.NO_PONG

    @PATHS
    async def test_after_a_day_it_ends(self, venue: Venue, path: str, spot: bool, ping_ms: int, pong_ms: int) -> None:
        socket = await venue.join(path, spot=spot)
        venue.ahead_ms += LIFE_MS
        assert await ended(socket) == End.AGE

    @pytest.mark.parametrize(("spot", "most"), [(False, 10), (True, 5)])
    async def test_who_says_too_much_in_a_second_is_cut_off(self, venue: Venue, spot: bool, most: int) -> None:
        socket = await venue.join("/ws", spot=spot)
        for number in range(2 * most + 2):  # however the seconds fall, more than allowed in one of them
            await socket.send_str(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        assert await ended(socket) == End.TOO_MANY


class TestControl:
    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("{", 3),
            ("[]", 3),
            ('{"id":1}', 2),
            ('{"id":1.5,"method":"SUBSCRIBE"}', 2),
            ('{"id":1,"method":"SUBSCRIBE","params":{}}', 2),
            ('{"id":1,"method":"SUBSCRIBE","params":[1]}', 2),
            ('{"id":1,"method":"SUBSCRIB","params":[]}', 2),
            ('{"id":1,"method":"SET_PROPERTY","params":["other",true]}', 0),
            ('{"id":1,"method":"SET_PROPERTY","params":["combined",1]}', 1),
            ('{"id":1,"method":"GET_PROPERTY","params":[]}', 2),
            ('{"id":1,"method":"GET_PROPERTY","params":["combined",1]}', 2),
        ],
    )
    async def test_what_is_wrong_is_said_and_the_connection_stays(self, venue: Venue, text: str, code: int) -> None:
        socket = await venue.join("/ws")
        await socket.send_str(text)
        assert (await said(socket))["code"] == code
        assert await asked(socket, "LIST_SUBSCRIPTIONS") == {"result": [], "id": 1}

    async def test_no_more_than_1024_streams(self, venue: Venue) -> None:
        socket = await venue.join("/ws")
        names = [f"s{number}usdt@trade" for number in range(1_024)]
        assert (await asked(socket, "SUBSCRIBE", names))["result"] is None
        assert (await asked(socket, "SUBSCRIBE", ["one@trade"]))["code"] == 2
        assert (await asked(socket, "SUBSCRIBE", names[:3]))["result"] is None, "those are heard already"

    async def test_combined_can_be_changed(self, venue: Venue) -> None:
        socket = await venue.join("/ws/btcusdt@bookTicker")
        assert (await asked(socket, "GET_PROPERTY", ["combined"]))["result"] is False
        assert (await asked(socket, "SET_PROPERTY", ["combined", True]))["result"] is None
        venue.move(quote("64000.00", "64000.10"), Market.FUT)
        assert (await said(socket))["stream"] == "btcusdt@bookTicker"
