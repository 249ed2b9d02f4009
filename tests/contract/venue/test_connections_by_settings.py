"""Which way S4's requests take, by its settings: real connections to the simulated exchange, made as S4 makes them."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any

import pytest
from relay import relay

from chimera.adapters.binance.http import AiohttpTransport
from chimera.ports.venue import StreamUp
from chimera.services.clock import SteadyClock, SystemClock
from chimera.services.router.connecting import Account, account_of
from chimera.services.router.hosting import keys_of
from chimera.services.router.settings import load
from chimera.services.simulator.server import SimulatorServer
from chimera.services.simulator.settings import SimulatorSettings
from chimera.simulate.venue.audit import Kind
from chimera.trading.errors import VenueRejected
from chimera.trading.ids import ClientOrderId, Symbol
from chimera.trading.market import Market, Side
from chimera.trading.money import Qty
from chimera.trading.order import NewOrder, OrderType
from chimera.trading.rates import Lane

pytestmark = pytest.mark.req("CONF-1")

PATIENCE_S = 5.0
ORDER = "/fapi/v1/order"


@pytest.fixture
async def exchange() -> AsyncIterator[SimulatorServer]:
    server = SimulatorServer(SimulatorSettings(port=0, spot_port=0, speed=math.inf), ())
    await server.start()
    yield server
    await server.stop()


@asynccontextmanager
async def connected(exchange: SimulatorServer, market: Market, **more: str) -> AsyncIterator[Account]:
    """With its user stream up."""
    futures, spot = (f"http://127.0.0.1:{each[1]}" for each in (exchange.address, exchange.spot_address))
    settings = load({"S4_FUT_URL": futures, "S4_SPOT_URL": spot, "S4_SPOT_SYMBOLS": "BTCUSDT", **more})
    account = account_of(settings, market, keys_of(settings), SteadyClock(SystemClock()))
    up = asyncio.Event()

    async def listen() -> None:
        async for report in account.venue.reports():
            if report == StreamUp():
                up.set()

    listening = asyncio.create_task(listen())
    try:
        await account.rulebook.server_offset_ms()
        async with asyncio.timeout(PATIENCE_S):
            await up.wait()
        yield account
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await account.close()


@pytest.mark.parametrize("named", [True, False])
async def test_spot_s_websocket_api_is_where_s4_spot_ws_url_says(exchange: SimulatorServer, named: bool) -> None:
    async with relay(lambda: exchange.spot_address[1]) as door:
        given = {"S4_SPOT_WS_URL": f"ws://127.0.0.1:{door.port}"} if named else {}
        async with connected(exchange, Market.SPOT, **given):
            assert bool(door.came) is named


def by_socket(account: Account) -> bool:
    return account.raw.socket is not None and account.raw.socket.takes("POST", ORDER)


@pytest.mark.parametrize(("by", "http"), [("rest", 1), ("socket", 0)])
async def test_orders_go_out_as_s4_orders_by_says(
    exchange: SimulatorServer, by: str, http: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted: list[str] = []
    request = AiohttpTransport.request

    async def heard(self: AiohttpTransport, method: str, target: str, **more: Any) -> Any:
        posted.append(f"{method} {target.partition('?')[0]}")
        return await request(self, method, target, **more)

    monkeypatch.setattr(AiohttpTransport, "request", heard)
    async with connected(exchange, Market.FUT, S4_ORDERS_BY=by) as account:
        order = NewOrder(
            ref=ClientOrderId("a-t1"),
            symbol=Symbol("BTCUSDT"),
            side=Side.BUY,
            type=OrderType.MARKET,
            qty=Qty(Decimal("0.01")),
        )
        async with asyncio.timeout(PATIENCE_S):
            while by == "socket" and not by_socket(account):  # noqa: ASYNC110 - it tells nobody when it is up
                await asyncio.sleep(0)
        with suppress(VenueRejected):  # there is no market here: what counts is the way
            await account.venue.place(order, timeout_ms=2_000)

    asked = [each for each in exchange.twin.audit if each.kind is Kind.REQUEST and each.path == ORDER]
    assert (len(asked), posted.count(f"POST {ORDER}")) == (1, http)


async def test_of_the_venue_s_limits_s4_rate_share_is_used() -> None:
    """But for protection, which may use all of them."""
    ceilings = []
    for given in ({}, {"S4_RATE_SHARE": "0.5"}):
        settings = load({"S4_FUT_URL": "http://127.0.0.1:9", **given})
        account = account_of(settings, Market.FUT, keys_of(settings), SteadyClock(SystemClock()))
        ceilings.append([(use.ceiling[Lane.OPEN], use.ceiling[Lane.PROTECT]) for use in account.raw.uses()])
        await account.close()

    assert ceilings[1] == [(whole // 2, protection) for whole, protection in ceilings[0]]
