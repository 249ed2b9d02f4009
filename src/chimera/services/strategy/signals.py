"""The ``signals`` row: one document with the decision, its explanation, the intent and how far its delivery is.

It is S3's only atomic unit: what was decided is sent because it stands here, and never for another reason.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from chimera.trading.budget import Reserve
from chimera.trading.decision import Feature, Open, Skip
from chimera.trading.intent import Intent
from chimera.trading.money import Millis
from chimera.trading.value import Value
from chimera.wire.codec import SCHEMA_VERSION, check_version, plain


class Delivery(StrEnum):
    """Top-level field ``delivery``, by which a restart finds what is left to do."""

    NONE = "NONE"  # nothing to deliver
    PENDING = "PENDING"
    DONE = "DONE"  # the router has answered for it; published alone proves nothing, since nobody reads that stream yet
    REFUSED = "REFUSED"  # the router said no
    FAILED = "FAILED"  # nothing is known to have got through while the intent was valid
    VOID = "VOID"  # the caller was told that the decision did not stand; nothing was sent


class Track(StrEnum):
    OFF = "OFF"
    WAITING = "WAITING"
    ANSWERED = "ANSWERED"
    REFUSED = "REFUSED"
    PUBLISHED = "PUBLISHED"
    EXPIRED = "EXPIRED"

    @property
    def settled(self) -> bool:
        return self is not Track.WAITING


class Tracks(Value, tag=False):
    """Both ways to the router. ``answered_ms`` is our clock."""

    rest: Track
    stream: Track
    tries: int = 0
    answered_ms: Millis | None = None
    status: str = ""  # the router's word
    code: str = ""
    message: str = ""

    @property
    def settled(self) -> bool:
        return self.rest.settled and self.stream.settled

    @property
    def delivery(self) -> Delivery:
        if not self.settled:
            return Delivery.PENDING
        if self.rest is Track.REFUSED:
            return Delivery.REFUSED
        return Delivery.DONE if self.rest is Track.ANSWERED else Delivery.FAILED


class Undelivered(Value, tag=False):
    """What a row says of its intent, read back after a restart."""

    intent: Intent
    tracks: Tracks
    reserve: Reserve


def row(
    signal_id: str,
    t0: Millis,
    decision: Open | Skip,
    features: Mapping[str, Feature],
    *,
    account_id: str,
    strategy_id: str,
    intent: Intent | None = None,
    tracks: Tracks | None = None,
    reserve: Reserve | None = None,
) -> dict[str, Any]:
    """A new row; ``why`` is the whole explanation."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "signal_id": signal_id,
        "t0": t0,
        "account_id": account_id,
        "strategy_id": strategy_id,
        "symbol": decision.symbol,
        "market": decision.market.value,
        "position_side": "BOTH",
        "decision": "open" if isinstance(decision, Open) else "skip",
        "reason": decision.reason,
        "reasons": [] if isinstance(decision, Open) else plain(decision.reasons),
        "config_rev": decision.config_rev,
        "rules_fired": list(decision.rules_fired),
        "features": plain(dict(features)),
        "explanation": plain(decision.why),
        "delivery": Delivery.NONE.value,
    }
    if intent is None or tracks is None or reserve is None:
        return document
    return document | {
        "intent_id": intent.intent_id,
        "client_order_id": intent.client_order_id,
        "intent": plain(intent),
        "reserve": plain(reserve),
        "tracks": plain(tracks),
        "delivery": tracks.delivery.value,
    }


def with_tracks(document: Mapping[str, Any], tracks: Tracks) -> dict[str, Any]:
    return {**document, "tracks": plain(tracks), "delivery": tracks.delivery.value}


def read_undelivered(document: Mapping[str, Any]) -> Undelivered:
    """Raises ``NewerSchema`` or ``msgspec.ValidationError``."""
    check_version(int(document.get("schema_version", SCHEMA_VERSION)))
    parts = {name: document.get(name) for name in ("intent", "tracks", "reserve")}
    return msgspec.convert(parts, Undelivered, strict=False)
