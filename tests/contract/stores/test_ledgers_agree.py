"""Ledgers, one history: SQLite, ArangoDB (on a stub) and memory answer any sequence of calls alike, also across a
restart.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.ports.ledger import Claim, Ledger
from chimera.trading.errors import ChimeraError
from chimera.trading.holding import Holding
from chimera.trading.ids import AccountId, IntentId, PositionKey, Symbol
from chimera.trading.market import Market
from chimera.trading.money import Millis

Call = tuple[str, dict[str, Any]]

symbols = st.sampled_from(["BTCUSDT", "ETHUSDT"])
positions = symbols.map(
    lambda symbol: PositionKey(venue="binance", account=AccountId("main"), market=Market.FUT, symbol=Symbol(symbol))
)
small = st.integers(0, 3)
names = st.sampled_from(["a", "b", "c"])
collections = st.sampled_from(["orders", "strategy_events", "cash"])
scalars = st.one_of(st.integers(-2, 2), st.sampled_from(["", "x", "1"]), st.none(), st.booleans(), st.just(0.5))
documents = st.builds(
    lambda document, at_ms: document | {"at_ms": at_ms},
    st.dictionaries(st.sampled_from(["symbol", "status", "n"]), scalars),
    small,
)
filters = st.dictionaries(
    st.sampled_from(["symbol", "status", "n"]), st.one_of(st.integers(-2, 2), st.sampled_from(["", "x", "1"]))
)
claims = st.builds(
    lambda name, at_ms, body: Claim(id=name, intent_id=IntentId("i"), body_hash=body, at_ms=Millis(at_ms)),
    names,
    small,
    names,
)


def call(method: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    return st.tuples(st.just(method), st.fixed_dictionaries(arguments))


holdings = st.builds(lambda key, seq: Holding(key=key, event_seq=seq), positions, st.integers(0, 1))
calls = st.one_of(
    call("fence", key=positions, owner=names),
    call("save", holding=holdings, rev=small, fence=small),
    call("save", holding=holdings, rev=st.just(0), fence=st.just(1)),
    call("load", key=positions),
    call("keys"),
    call("put", collection=collections, key=names, document=documents),
    call("put_newer", collection=collections, key=names, document=documents, seq=small),
    call("insert", collection=collections, key=names, document=documents),
    call("get", collection=collections, key=names),
    call("find", collection=collections, where=filters, newest=small),
    call("page", collection=collections, after=st.just(0), limit=small),
    call(
        "span",
        collection=collections,
        since_ms=small,
        until_ms=small,
        where=filters,
        limit=small,
        backwards=st.booleans(),
    ),
    call("claim", claim=claims),
    st.just(("reopen", {})),
)


async def _answer(ledger: Ledger, method: str, arguments: dict[str, Any]) -> object:
    try:
        answer = await getattr(ledger, method)(**arguments)
        return [row.document for row in answer] if method in ("page", "span") else answer  # numbers are each one's own
    except ChimeraError as error:
        return type(error)


async def _compare(history: list[Call], opens: Callable[[], Awaitable[Ledger]]) -> None:
    memory, other = MemoryLedger(), await opens()
    try:
        for method, arguments in history:
            if method == "reopen":
                await other.close()
                other = await opens()
                continue
            expected, told = await _answer(memory, method, arguments), await _answer(other, method, arguments)
            assert told == expected, (method, arguments)
    finally:
        await other.close()


async def _compare_arango(history: list[Call]) -> None:
    from arango_homes import arango_home  # noqa: PLC0415 - the driver is an extra

    from chimera.adapters.arango.ledger import ArangoLedger  # noqa: PLC0415 - likewise

    async with arango_home() as address:
        await _compare(history, partial(ArangoLedger.open, address))


@pytest.mark.req("DB-2")
@settings(max_examples=60, deadline=None)
@given(st.lists(calls, max_size=30))
def test_both_ledgers_tell_the_same_story(history: list[Call]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_compare(history, partial(SqliteLedger.open, Path(directory) / "ledger.db")))


@pytest.mark.req("DB-1", "DB-2")
@settings(max_examples=60, deadline=None)
@given(st.lists(calls, max_size=30))
def test_the_ledger_on_arango_tells_it_too(history: list[Call]) -> None:
    pytest.importorskip("arangoasync", reason="ArangoDB's driver is not installed (chimera[arango])")
    asyncio.run(_compare_arango(history))
