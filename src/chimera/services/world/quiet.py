"""When the world is quiet: does the ledger say what the venue says, and is nothing left undone?

Reads the ledger's content, the venue's log and the callers' answers; never the router's memory.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from chimera.adapters.memory.faults import NoFaults
from chimera.ports.ledger import Stored
from chimera.services.world import oracle
from chimera.services.world.clock import EPOCH_MS
from chimera.services.world.composed import INSTRUMENT, World
from chimera.services.world.oracle import Violation
from chimera.simulate.audit import AuditRecord, Kind
from chimera.trading.execution import Phase
from chimera.trading.money import ZERO, text
from chimera.trading.order import Status
from chimera.wire import keys

EPOCH_US: Final = EPOCH_MS * 1000
_ALL: Final = 1_000_000


def judge(world: World, audit: Sequence[AuditRecord]) -> list[Violation]:
    """I6, I7, I2 and I14 at quiesce."""
    world.s4.power_off()
    stored, fills = world.loop.run_until_complete(_read(world))
    ledger = {} if stored is None else {str(INSTRUMENT.symbol): stored.holding.position.qty}
    return [
        *oracle.fills_agree(audit, fills),
        *oracle.positions_agree(audit, ledger),
        *_undone(world, stored),
        *_left_over(audit),
    ]


async def _read(world: World) -> tuple[Stored | None, list[oracle.FillKey]]:
    ledger = world.ledger
    ledger.faults = NoFaults()
    stored = [await ledger.load(key) for key in await ledger.keys()]
    rows = await ledger.find(keys.FILLS, newest=_ALL)
    fills = [(str(row["symbol"]), str(row["trade_id"])) for row in rows]
    return next((each for each in stored if each is not None), None), fills


def _undone(world: World, stored: Stored | None) -> list[Violation]:
    """I2: no intent is still being worked, no order in doubt, nothing untold."""
    if stored is None:
        return []
    holding, now_us = stored.holding, world.loop.now_us
    texts = [f"{intent} is still {work.phase}" for intent, work in holding.intents.items() if work.phase != Phase.DONE]
    texts += [
        f"{ref} is {order.status}"
        for ref, order in holding.orders.items()
        if order.status in (Status.IN_DOUBT, Status.PENDING_NEW, Status.PENDING_CANCEL)
    ]
    if holding.outbox:
        texts.append(f"{len(holding.outbox)} events were never told")
    return [Violation(invariant="I2", at_us=now_us, text=story) for story in texts]


def _left_over(audit: Sequence[AuditRecord]) -> list[Violation]:
    """I14: every intent had its end, so the account is flat and no stop or target waits for nothing."""
    live: dict[tuple[str, int], str] = {}
    position: Decimal = ZERO
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
                position += (record.qty or ZERO) * (1 if record.side == "BUY" else -1)
                if record.status == "FILLED":
                    live.pop(key, None)
            case _:
                pass
    texts = [f"{name} {ref} is still live" for (name, _), ref in live.items()]
    if position:
        texts.append(f"a position of {text(position)} is left")
    return [Violation(invariant="I14", at_us=at_us, text=story) for story in texts]
