"""Other people's Binance clients trade on the simulated exchange; only their base URLs were changed.

One test per client and operation, each with a venue of its own. What they find is the table of ``docs/conformance.md``.
"""

import asyncio
import importlib
import warnings
from contextlib import AsyncExitStack
from typing import Any

import pytest
import spot_life  # noqa: F401
import usdm_life  # noqa: F401  # its operations register themselves
from keys import key_for
from operations import NO_METHOD, SPOT, USDM, Operation
from told import Client, NoSuchMethod
from venue import open_venue

from chimera.trading.instrument import Market

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what other people's code still calls

TEST_S = 12.0  # a library that waits longer has lost its connection

CLIENTS = {
    "Binance SDK": {"USD-M": "sdk_usdm:SdkUsdm", "Spot": "sdk_spot:SdkSpot"},
    "ccxt": {"USD-M": "ccxt_usdm:CcxtUsdm", "Spot": "ccxt_spot:CcxtSpot"},
    "python-binance": {"USD-M": "pb_usdm:PythonBinanceUsdm", "Spot": "pb_spot:PythonBinanceSpot"},
}
MARKETS = {"USD-M": Market.FUT, "Spot": Market.SPOT}
ROWS = [
    pytest.param(client, operation, id=f"{client}-{operation.name}".replace(" ", "-"))
    for client, markets in CLIENTS.items()
    for register in (USDM, SPOT)
    if register.market in markets
    for operation in register.operations
]


def library(client: str, market: str) -> Any:
    """The client's class; its library is imported when first asked for, warnings of its own unheard."""
    module, _, name = CLIENTS[client][market].partition(":")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize(("client", "operation"), ROWS)
async def test_client(client: str, operation: Operation, verdicts: dict[tuple[str, str], str]) -> None:
    kind = library(client, operation.market)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(TEST_S))
        venue = await stack.enter_async_context(open_venue(MARKETS[operation.market]))
        opened = await stack.enter_async_context(kind.opened(venue, key_for(venue, operation.key)))
        assert isinstance(opened, Client)
        try:
            await operation.scenario(venue, opened)
            verdict = operation.verdict
        except NoSuchMethod:
            verdict = NO_METHOD
        assert opened.complaints == []
    verdicts[operation.name, client] = verdict
