"""A close under its caller's name, as a row: what was asked by it, so that the same again is known as such."""

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from chimera.trading.errors import Refused
from chimera.trading.events import CloseTaken
from chimera.trading.execution import CloseName
from chimera.trading.money import text
from chimera.wire.codec import plain

_ALL: Final = "all"


def named(close_id: str, *, market: str, symbol: str, qty: Decimal | None, reason: str) -> CloseName:
    """The name, with the hash of what is asked by it: the same request hashes alike however its number is written."""
    asked = "\n".join((market, symbol, _ALL if qty is None else text(qty), reason))
    return CloseName(id=close_id, body_hash=hashlib.sha256(asked.encode()).hexdigest())


def row_key(account: str, close_id: str) -> str:
    """A name is an account's, whatever the market."""
    return f"{account}:{close_id}"


def document(taken: CloseTaken) -> dict[str, Any]:
    """Of the row beside what all rows carry."""
    return {
        "close_id": taken.name.id,
        "body_hash": taken.name.body_hash,
        "held": plain(taken.held),
        "qty": plain(taken.qty),
        "reason": taken.reason,
    }


def held_by(row: Mapping[str, object]) -> tuple[CloseName, Decimal]:
    """Who took the name, and the position at that moment."""
    return CloseName(id=str(row["close_id"]), body_hash=str(row["body_hash"])), Decimal(str(row["held"]))


def other_body(name: CloseName) -> Refused:
    told = "this close_id was used for another close"
    return Refused("DUPLICATE_ID", told, field="close_id", value=name.id, accepted="the same body, or a new id")
