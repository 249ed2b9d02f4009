"""Where an ``ArangoLedger`` of a test lives: on our stub, or on the server that ``CHIMERA_TEST_ARANGO_URL`` names."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from copy import deepcopy
from typing import Any, Final

import pytest
from arango_stub import PASSWORD, USER, ArangoStub

from chimera.adapters.arango import layout
from chimera.adapters.arango.address import Address, address_of
from chimera.adapters.arango.ledger import ArangoLedger
from chimera.adapters.arango.link import Link
from chimera.trading.money import Millis

REAL: Final = "CHIMERA_TEST_ARANGO_URL"  # http[s]://host:8529/database; its rows are REMOVED. With _USER and _PASS
_template: dict[str, Any] = {}


@asynccontextmanager
async def bare_stub(tls: Any = None) -> AsyncIterator[ArangoStub]:
    stub = await ArangoStub().start(tls=tls)
    try:
        yield stub
    finally:
        await stub.stop()


@asynccontextmanager
async def stub_with_layout(tls: Any = None) -> AsyncIterator[ArangoStub]:
    """As ``chimera init`` leaves it, at its database ``chimera``."""
    if not _template:
        async with bare_stub() as first:
            await layout.init(address_at(first), layout.Copies(), only_look=False)
            _template.update(first.databases)
    async with bare_stub(tls) as stub:
        stub.databases = deepcopy(_template)
        yield stub


def address_at(stub: ArangoStub, options: str = "") -> Address:
    return address_of(f"{stub.url}/chimera{options}", USER, PASSWORD)


@asynccontextmanager
async def arango_home() -> AsyncIterator[Address]:
    async with stub_with_layout() as stub:
        yield address_at(stub)


@asynccontextmanager
async def arango_server() -> AsyncIterator[Address]:
    """Empty, on a real server; skips where none is named."""
    uri = os.environ.get(REAL)
    if not uri:
        pytest.skip(f"no real ArangoDB: {REAL} is not set")
    address = address_of(uri, os.environ.get(f"{REAL}_USER"), os.environ.get(f"{REAL}_PASS"))
    if not _real_is_made:
        await layout.init(address, layout.Copies(), only_look=False)
        _real_is_made.append(True)
    link = Link(address, deadline_ms=Millis(60_000), try_ms=Millis(60_000))
    try:
        for each in layout.COLLECTIONS[1:]:
            await link.run(f"FOR d IN {each.name} REMOVE d IN {each.name}")
    finally:
        await link.close()
    yield address


_real_is_made: list[bool] = []


@asynccontextmanager
async def arango_shelf(*, real: bool) -> AsyncIterator[tuple[ArangoLedger, Callable[[], Awaitable[ArangoLedger]]]]:
    """A ledger, and how another process opens it."""
    async with arango_server() if real else arango_home() as address, AsyncExitStack() as opened:

        async def once() -> ArangoLedger:
            ledger = await ArangoLedger.open(address)
            opened.push_async_callback(ledger.close)
            return ledger

        yield await once(), once
