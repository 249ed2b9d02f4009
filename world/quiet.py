"""When the world is quiet: does the ledger say what the venue says, and is nothing left undone?

Reads what the ledgers hold, the venue's log and the callers' answers; never the router's memory.
"""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from chimera.adapters.memory.faults import NoFaults
from chimera.ports.ledger import Stored
from chimera.services.stage.clock import EPOCH_MS
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.execution import Phase
from chimera.trading.holding import Holding
from chimera.trading.instrument import Instrument
from chimera.trading.money import ZERO, text
from chimera.trading.order import Status
from chimera.wire import keys
from world import decided, oracle
from world.composed import INSTRUMENT, World
from world.oracle import Violation

EPOCH_US: Final = EPOCH_MS * 1000
_ALL: Final = 1_000_000


class Kept(NamedTuple):
    """What the ledgers of S4 and S3 hold in the end."""

    stored: Stored | None
    fills: list[oracle.FillKey]
    intents: frozenset[str]  # known to S4
    signals: list[dict[str, Any]]


async def read(world: World, instrument: Instrument | None = None) -> Kept:
    """Everything of one market, in good weather; the world's own unless it says which."""
    ledger, rules = world.ledger, instrument or world.instrument
    ledger.faults = NoFaults()
    here = [key for key in await ledger.keys() if (key.market, key.symbol) == (rules.market, rules.symbol)]
    stored = [await ledger.load(key) for key in here]
    rows = await ledger.find(keys.FILLS, where={"market": str(rules.market)}, newest=_ALL)
    orders = await ledger.find(keys.ORDERS, where={"kind": "PARENT"}, newest=_ALL)
    return Kept(
        stored=next((each for each in stored if each is not None), None),
        fills=[(str(row["symbol"]), str(row["trade_id"])) for row in rows],
        intents=frozenset(str(row["intent_id"]) for row in orders),
        signals=await world.s3.signals(),
    )


def judge(world: World, kept: Kept, audit: Sequence[AuditRecord]) -> list[Violation]:
    """I6, I7, I2 and I14 at quiesce."""
    held = {} if kept.stored is None else {str(INSTRUMENT.symbol): kept.stored.holding.position.qty}
    now_us = world.loop.now_us
    return [
        *oracle.fills_agree(audit, kept.fills),
        *oracle.positions_agree(audit, held),
        *(() if kept.stored is None else undone(kept.stored.holding, now_us)),
        *left_over(audit),
        *decided.judge(kept.signals, world.s3.heard, kept.intents, now_us),
        *_deaf(world.s3.last_ask, now_us),
    ]


def _deaf(last_ask: str, at_us: int) -> list[Violation]:
    """I26 for S3: the newest question was asked of a healed world, so it has an answer."""
    if last_ask in ("", "answered"):
        return []
    return [Violation(invariant="I26", at_us=at_us, text=f"S3 still does not decide: {last_ask}")]


def undone(holding: Holding, at_us: int) -> list[Violation]:
    """I2: no intent is still being worked, no order in doubt, nothing untold."""
    texts = [f"{intent} is still {work.phase}" for intent, work in holding.intents.items() if work.phase != Phase.DONE]
    texts += [
        f"{ref} is {order.status}"
        for ref, order in holding.orders.items()
        if order.status in (Status.IN_DOUBT, Status.PENDING_NEW, Status.PENDING_CANCEL)
    ]
    if holding.outbox:
        texts.append(f"{len(holding.outbox)} events were never told")
    return [Violation(invariant="I2", at_us=at_us, text=story) for story in texts]


def left_over(audit: Sequence[AuditRecord]) -> list[Violation]:
    """I14: every intent had its end, so the account is flat and no stop or target waits for nothing."""
    live: dict[tuple[str, int], str] = {}
    positions: dict[str, Decimal] = defaultdict(Decimal)
    at_us = 0
    for record in audit:
        at_us = record.at_us
        key = ("order", record.order_id or 0) if record.order_id is not None else ("algo", record.algo_id or 0)
        match record.kind:
            case Kind.ACCEPT:
                live[key] = record.client_order_id
            case Kind.CANCEL | Kind.EXPIRE | Kind.TRIGGER | Kind.REJECT:
                live.pop(key, None)
            case Kind.FILL:
                positions[record.symbol] += (record.qty or ZERO) * (1 if record.side == "BUY" else -1)
                if record.status == "FILLED":
                    live.pop(key, None)
            case _:
                pass
    texts = [f"{name} {ref} is still live" for (name, _), ref in live.items()]
    texts += [f"a position of {text(qty)} {symbol} is left" for symbol, qty in positions.items() if qty]
    return [Violation(invariant="I14", at_us=at_us, text=story) for story in texts]
