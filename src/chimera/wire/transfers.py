"""Transfers as rows, records and answers: ``TransferRequest`` and ``TransferResponse`` in ``strategy_events``."""

from typing import Any

from chimera.trading.events import Alert
from chimera.trading.ids import AccountId
from chimera.trading.transfer import Transfer, TransferEvent, TransferRequest
from chimera.wire import keys
from chimera.wire.codec import SCHEMA_VERSION, plain
from chimera.wire.events import InsertRow, Publish, Write, fields_of


def transfer_id(account_id: AccountId, transfer: Transfer) -> str:
    return f"transfer:{account_id}:{transfer.number}"


def transfer_row(account_id: AccountId, transfer: Transfer) -> dict[str, Any]:
    """As answers and events show it; amounts as plain digits, in the asset's unit."""
    return {
        "transfer_id": transfer_id(account_id, transfer),
        "from": str(transfer.route.source),
        "to": str(transfer.route.target),
        "asset": transfer.asset,
        "amount": plain(transfer.amount),
        "status": str(transfer.stage),
        "why": transfer.why,
        "reason": transfer.reason,
        "venue_transfer_id": transfer.tran_id,
        "asked_ms": transfer.asked_ms,
        "ended_ms": transfer.ended_ms,
    }


def transfer_writes(account_id: AccountId, event: TransferEvent) -> tuple[Write, ...]:
    """Where one event lands; every write is safe to repeat."""
    name = f"transfer:{account_id}:event:{event.seq}"
    body = event.body
    common = {"schema_version": SCHEMA_VERSION, "event_id": name, "account_id": account_id, "at_ms": event.at_ms}
    if isinstance(body, Alert):
        row = common | plain(body) | {"kind": "ALERT"}
        stream = keys.ALERTS
    else:
        kind = "TransferRequest" if isinstance(body, TransferRequest) else "TransferResponse"
        row = common | {"kind": kind} | transfer_row(account_id, body.transfer)
        stream = keys.ROUTER_EVENTS
    return (
        InsertRow(collection=keys.STRATEGY_EVENTS, key=name, document=row),
        Publish(stream=stream, event_id=name, fields=fields_of(row)),
    )
