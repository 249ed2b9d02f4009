"""What ``idem:order:{client_order_id}`` says: whoever sends reserves the id for one body, and S4 moves it on.

A fast path of an hour (S3-IDEM-1); the ledger's claim is for ever. Others may write keys, too: what does not read as a
record says nothing.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from chimera.wire.codec import SCHEMA_VERSION

CLAIMED_MS: Final = 3_600_000


class Claim(StrEnum):
    """How far an order has come."""

    RESERVED = "RESERVED"  # S3's: it is about to be sent
    IN_PROGRESS = "IN_PROGRESS"  # S4 has it on disk
    DONE = "DONE"


def claim(state: Claim, body_hash: object, **more: object) -> dict[str, object]:
    """The record. ``body_hash``: of the one body that it is about; ``more``: whose, and when."""
    return {"schema_version": SCHEMA_VERSION, "state": state.value, "body_hash": body_hash} | more


def shows_taken(document: bytes | None, body_hash: str) -> bool:
    """Whether S4 has an order of this body on disk."""
    try:
        record = json.loads(document or b"{}")
    except ValueError:
        return False
    if not isinstance(record, Mapping):
        return False
    return record.get("state") in (Claim.IN_PROGRESS, Claim.DONE) and record.get("body_hash") == body_hash
