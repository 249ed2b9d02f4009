"""RT-5: a thousand intents of all kinds over real HTTP, on futures and spot; the venue's audit and the ledger decide.

The venue enforces Binance's limits. Placed: S4 took it, the venue accepted it, it came to its end. Unprotected: longer
than a healthy house may leave a position bare. Twice: an id the venue accepted once more. The ledger's trades are the
venue's, each with price, quantity, fee and asset of the fee, and what is still held is the same.
"""

import asyncio
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from chimera.services.simulator.listings import rules_of
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.market import Market
from chimera.wire import keys
from proofs.lanes import Lanes
from proofs.measured import Measured
from proofs.real import Document, Stage, ledger_of, stage
from world import oracle, spot_oracle

BAR: Final = (
    "1000 intents of all kinds: >= 99.9 % placed, none unprotected, none twice, ledger equals exchange to the last"
    " digit, request -> first venue ack P95 < 500 ms"
)
INTENTS: Final = 1_000
SHARE: Final = 0.999
ACK_MS: Final = 500.0
BARE_US: Final = 1_500_000
SYMBOLS: Final = ("BTCUSDT", "ETHUSDT")
SETTLE_S: Final = 3.0
_ALL: Final = 1_000_000


def prove(intents: int = INTENTS) -> Measured:
    measured = asyncio.run(_staged(intents))
    share, ack = measured["placed"] / measured["intents"], measured["ack_p95_ms"]
    good = share >= SHARE and ack < ACK_MS and measured["longest_bare_ms"] * 1_000 <= BARE_US
    return Measured(measured, BAR, passed=good and not measured["twice"] and not measured["differences"])


async def _staged(intents: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="chimera-rt5-") as folder:
        return await of_intents(Path(folder), intents, SYMBOLS)


async def of_intents(folder: Path, count: int, symbols: Sequence[str], more: Sequence[str] = ()) -> dict[str, Any]:
    """So many intents on these symbols of both markets, and what the venue and the ledger say of them."""
    async with stage(folder, symbols, spot=symbols, more=more) as house:
        for service in (house.feed, house.s4):
            await (await service.start()).wait_ready()
        await house.until_open()
        lanes = Lanes(house, count)
        await lanes.run()
        await asyncio.sleep(SETTLE_S)
        await house.s4.stop()
        audit = house.audit()
        dust = await _dust(house)
        differences = await _differences(house, audit, dust)
    return _told(lanes, audit) | _of_audit(audit, symbols, dust) | {"differences": differences[:10]}


async def _dust(house: Stage) -> list[Document]:
    """What the ledger has written off, each with its symbol, quantity and moment."""
    async with ledger_of(house.ledger_path("s4")) as ledger:
        return [dict(row) for row in await ledger.find(keys.STRATEGY_EVENTS, where={"kind": "DUST"}, newest=_ALL)]


def _told(lanes: Lanes, audit: Sequence[AuditRecord]) -> dict[str, Any]:
    taken = {record.client_order_id: record.at_us / 1_000 for record in audit if record.kind is Kind.ACCEPT}
    for ref, (kind, sent_ms) in lanes.stops.items():
        lanes.ack_ms[kind].append(taken[ref] - sent_ms)
    acks = statistics.quantiles([each for found in lanes.ack_ms.values() for each in found], n=100)
    return {
        "intents": lanes.asked,
        "placed": lanes.placed,
        "not_placed": lanes.broken[:10],
        "kinds": dict(sorted(lanes.kinds.items())),
        "asked_later": lanes.later,
        "ack_p50_ms": round(acks[49], 1),
        "ack_p95_ms": round(acks[94], 1),
        "ack_p99_ms": round(acks[98], 1),
        "ack_worst_ms": {kind: round(max(found), 1) for kind, found in sorted(lanes.ack_ms.items())},
    }


def _of_audit(audit: Sequence[AuditRecord], symbols: Sequence[str], dust: Sequence[Document]) -> dict[str, Any]:
    until_us = audit[-1].at_us
    futures = [record for record in audit if record.market != spot_oracle.SPOT]
    spans = list(oracle.uncovered_spans(futures, until_us))
    twice = list(oracle.entered_once(futures))
    for symbol in symbols:
        ours = [record for record in spot_oracle.of_ours(audit) if record.symbol == symbol]
        rules = rules_of(symbol, Market.SPOT)
        gone = [(int(row["at_ms"]) * 1_000, Decimal(str(row["qty"]))) for row in dust if row["symbol"] == symbol]
        spans += spot_oracle.uncovered_spans(ours, until_us, rules, gone)
        twice += [*spot_oracle.taken_once(ours), *spot_oracle.never_oversold(ours, str(rules.base))]
        twice += spot_oracle.one_leg(ours)
    return {
        "fills": sum(record.kind is Kind.FILL for record in audit),
        "longest_bare_ms": oracle.longest_us(spans) // 1_000,
        "twice": [f"{each.invariant}: {each.text}" for each in twice][:10],
    }


Trade = tuple[str, str, str]


async def _differences(house: Stage, audit: Sequence[AuditRecord], dust: Sequence[Document]) -> list[str]:
    """Between the venue and the ledger, to the last digit: trades, fees by asset, what is held."""
    async with ledger_of(house.ledger_path("s4")) as ledger:
        rows = await ledger.find(keys.FILLS, newest=_ALL)
    venue = {
        (record.market or "FUT", record.symbol, str(record.trade_id)): _terms(
            record.side, record.price, record.qty, record.fee, record.fee_asset
        )
        for record in audit
        if record.kind is Kind.FILL
    }
    ours = {
        (str(row["market"]), str(row["symbol"]), str(row["trade_id"])): _terms(
            row["side"], row["price"], row["qty"], row["fee"], row["fee_asset"]
        )
        for row in rows
    }
    found = [f"{where}: venue {venue.get(where)}, ledger {ours.get(where)}" for where in _unlike(venue, ours)]
    found += [f"fees in {asset}: venue {one}, ledger {other}" for asset, one, other in _fees(venue, ours)]
    found += [f"{row['symbol']}: {row['qty']} written off, and could be sold" for row in dust if _sellable(row, audit)]
    found += await _unlike_held(house, audit, dust)
    return found


def _sellable(row: Document, audit: Sequence[AuditRecord]) -> bool:
    """At the last price before it was written off."""
    rules, qty = rules_of(str(row["symbol"]), Market.SPOT), Decimal(str(row["qty"]))
    prices = [
        record.price
        for record in audit
        if record.kind is Kind.FILL and record.symbol == row["symbol"] and record.at_us <= int(row["at_ms"]) * 1_000
    ]
    floored = rules.floor_to_step(qty)
    return floored >= rules.min_qty and floored * (prices[-1] or Decimal(0)) >= rules.min_notional


async def _unlike_held(house: Stage, audit: Sequence[AuditRecord], dust: Sequence[Document]) -> list[str]:
    """What each position is: on futures the venue's word, on spot what our trades left and was not written off."""
    async with ledger_of(house.ledger_path("s4")) as ledger:
        stored = [await ledger.load(key) for key in await ledger.keys()]
    venue: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for record in audit:
        if record.market != spot_oracle.SPOT and record.position_after is not None:
            venue["FUT", record.symbol] = record.position_after
    for symbol in house.spot_symbols:
        ours = [record for record in spot_oracle.of_ours(audit) if record.symbol == symbol]
        venue["SPOT", symbol] = spot_oracle.net(ours, str(rules_of(symbol, Market.SPOT).base))
    for row in dust:
        venue["SPOT", str(row["symbol"])] -= Decimal(str(row["qty"]))
    holdings = [each.holding for each in stored if each is not None]
    return [
        f"{key.market} {key.symbol}: venue {venue[str(key.market), str(key.symbol)]}, ledger {holding.position.qty}"
        for holding in holdings
        if venue[str((key := holding.key).market), str(key.symbol)] != holding.position.qty
    ]


def _terms(side: object, price: object, qty: object, fee: object, asset: object) -> tuple[object, ...]:
    return str(side), *(Decimal(str(each)) for each in (price, qty, fee)), str(asset)


def _unlike(one: Mapping[Trade, object], other: Mapping[Trade, object]) -> list[Trade]:
    return sorted(where for where in {*one, *other} if one.get(where) != other.get(where))


def _fees(venue: Mapping[Trade, Any], ours: Mapping[Trade, Any]) -> list[tuple[str, Decimal, Decimal]]:
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for place, trades in enumerate((venue, ours)):
        for *_, fee, asset in trades.values():
            sums[asset][place] += fee
    return [(asset, one, other) for asset, (one, other) in sorted(sums.items()) if one != other]
