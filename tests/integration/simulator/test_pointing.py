"""What the simulator prints for a user of ccxt is enough: typed as it stands, one exchange trades both markets."""

import asyncio
import textwrap
from typing import Any

import ccxt.pro
import pytest

from chimera.services.simulator.market import open_synthetic
from chimera.services.simulator.pointing import pointed_at
from chimera.services.simulator.server import SimulatorServer
from chimera.services.simulator.settings import SimulatorSettings

pytestmark = pytest.mark.slow

PATIENCE_S = 20


def _typed(http: str, spot: str) -> Any:
    """The exchange object that the printed lines make."""
    block = pointed_at(http, spot).split("ccxt (async or pro)\n")[1].split("\nofficial SDKs")[0]
    names: dict[str, Any] = {"ccxt": ccxt}
    exec(textwrap.dedent(block), names)  # noqa: S102 - our own text, as a user types it
    names["exchange"].options["timeout_on_exit"] = 0  # a pause for TLS connections, which there are none of
    return names["exchange"]


async def test_the_printed_lines_trade_spot_and_futures_and_tell_their_streams_apart() -> None:
    market = open_synthetic(["BTCUSDT"], seed=1)
    settings = SimulatorSettings(port=0, seed=1, speed=20.0, instruments=market.instruments, spot=market.spot)
    server = SimulatorServer(settings, market.events)
    await server.start()
    (host, port), (spot_host, spot_port) = server.address, server.spot_address
    exchange = _typed(f"http://{host}:{port}", f"http://{spot_host}:{spot_port}")
    try:
        async with asyncio.timeout(PATIENCE_S):
            await exchange.load_markets()
            for pair in ("BTC/USDT", "BTC/USDT:USDT"):
                trade = (await exchange.watch_trades(pair))[-1]
                touch = await exchange.fetch_order_book(pair, 5)
                bought = await exchange.create_order(pair, "market", "buy", 0.01)
                assert trade["symbol"] == pair
                assert trade["info"].get("X") == ("MARKET" if ":" in pair else None)  # the futures' mark
                assert touch["bids"][0][0] < touch["asks"][0][0]
                assert (bought["symbol"], bought["amount"]) == (pair, 0.01)
    finally:
        await exchange.close()
        await server.stop()
