"""Other people's Binance clients trade on the simulated exchange; only their base URLs were changed.

One test per client and operation, each with a venue of its own. What they find is the table of ``docs/conformance.md``.
"""

import asyncio
import importlib
import warnings
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import spot_life  # noqa: F401
import usdm_life  # noqa: F401  # its operations register themselves
from keys import key_for
from operations import NO_METHOD, SPOT, USDM, Operation
from page import Verdict
from told import Client, NoSuchMethod
from venue import open_venue

from chimera.trading.instrument import Market

pytestmark = [
    pytest.mark.req("TW-1"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # what other people's code still calls
]

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
async def test_client(client: str, operation: Operation, verdicts: dict[tuple[str, str], Verdict]) -> None:
    kind = library(client, operation.market)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(TEST_S))
        venue = await stack.enter_async_context(open_venue(MARKETS[operation.market]))
        opened = await stack.enter_async_context(kind.opened(venue, key_for(venue, operation.key)))
        assert isinstance(opened, Client)
        try:
            await operation.scenario(venue, opened)
            found = Verdict(operation.verdict)
        except NoSuchMethod as reason:
            found = Verdict(NO_METHOD, str(reason))
        assert opened.complaints == []
    verdicts[operation.name, client] = found


def test_the_page_says_what_this_run_found(request: pytest.FixtureRequest) -> None:
    """The committed table is this run's. ``tools/conformance_page.py`` draws it anew."""
    verdicts = request.getfixturevalue("verdicts")
    if len(verdicts) < len(ROWS):
        pytest.skip(f"{len(ROWS) - len(verdicts)} of {len(ROWS)} conformance tests found nothing in this run")
    drawn = request.getfixturevalue("draw")
    assert request.getfixturevalue("page") == drawn


def test_no_excuse_is_idle(request: pytest.FixtureRequest) -> None:
    """Every reason why a library cannot was given in this run, by an operation that asked."""
    verdicts = request.getfixturevalue("verdicts")
    if len(verdicts) < len(ROWS):
        pytest.skip(f"{len(ROWS) - len(verdicts)} of {len(ROWS)} conformance tests found nothing in this run")
    reasons = {reason for markets in CLIENTS.items() for reason in _excuses(*markets)}
    assert {found.note for found in verdicts.values() if found.note} == reasons


def _excuses(client: str, markets: dict[str, str]) -> Iterator[str]:
    for market in markets:
        yield from library(client, market).lacks.values()
