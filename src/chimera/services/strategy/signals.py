"""The ``signals`` row: one document with the decision, its explanation, the intent and how far its delivery is.

It is S3's only atomic unit: what was decided is sent because it stands here, and never for another reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Self

import msgspec

from chimera.decide.decision import Case
from chimera.services.strategy.config import Loaded, Snapshot
from chimera.services.strategy.facts import Facts
from chimera.trading.budget import Reserve
from chimera.trading.decision import Feature, Open, Skip
from chimera.trading.intent import Intent
from chimera.trading.money import Millis
from chimera.trading.trace import trace_of
from chimera.trading.value import Value
from chimera.wire.codec import SCHEMA_VERSION, check_version, plain
from chimera.wire.decisions import DecideRequest

SAID_MAX: Final = 8  # different answers of the router in a row, to one intent


class Delivery(StrEnum):
    """Top-level field ``delivery``, by which a restart finds what is left to do."""

    NONE = "NONE"  # nothing to deliver
    PENDING = "PENDING"
    DONE = "DONE"  # the router has answered for it; published alone proves nothing
    REFUSED = "REFUSED"  # the router said no
    FAILED = "FAILED"  # nothing is known to have got through while the intent was valid
    VOID = "VOID"  # the caller was told that the decision did not stand; nothing was sent


class Track(StrEnum):
    OFF = "OFF"
    WAITING = "WAITING"
    ANSWERED = "ANSWERED"
    REFUSED = "REFUSED"
    SENT = "SENT"  # published, and the router has not shown yet what came of it
    PUBLISHED = "PUBLISHED"
    TAKEN = "TAKEN"  # the router has it by this track
    EXPIRED = "EXPIRED"

    @property
    def settled(self) -> bool:
        return self not in (Track.WAITING, Track.SENT)


class Heard(StrEnum):
    """What came of one try by REST, or of the stream where that was refused."""

    ANSWERED = "ANSWERED"
    REFUSED = "REFUSED"
    NOT_SENT = "NOT_SENT"  # it took nothing: away, or a barrier
    UNKNOWN = "UNKNOWN"  # it may have taken it


class Said(Value, tag=False, omit_defaults=False):
    """The router's answer to one or several tries alike; moments are our clock. ``code`` is its own word."""

    heard: Heard
    at_ms: Millis
    last_ms: Millis
    code: str = ""
    message: str = ""
    field: str = ""
    times: int = 1

    def like(self, other: "Said") -> bool:
        return (self.heard, self.code, self.field) == (other.heard, other.code, other.field)


class Tracks(Value, tag=False):
    """Both ways to the router. ``answered_ms`` is our clock; ``said`` has its newest answers, oldest first."""

    rest: Track
    stream: Track
    tries: int = 0
    answered_ms: Millis | None = None
    status: str = ""  # the router's word
    code: str = ""
    message: str = ""
    said: tuple[Said, ...] = ()

    def saying(self, said: Said) -> Self:
        """One more answer; one like the last is that one again."""
        if self.said and self.said[-1].like(said):
            same = self.said[-1].but(last_ms=said.last_ms, message=said.message, times=self.said[-1].times + 1)
            return self.but(said=(*self.said[:-1], same))
        return self.but(said=(*self.said, said)[-SAID_MAX:])

    @property
    def settled(self) -> bool:
        return self.rest.settled and self.stream.settled

    @property
    def taken(self) -> bool:
        return self.rest is Track.ANSWERED or self.stream is Track.TAKEN

    @property
    def refused(self) -> bool:
        return not self.taken and Track.REFUSED in (self.rest, self.stream)

    def sent_is_over(self) -> Self:
        """What came by the stream needs no word of its own any more."""
        return self.but(stream=Track.PUBLISHED) if self.stream is Track.SENT else self

    @property
    def delivery(self) -> Delivery:
        if not self.settled:
            return Delivery.PENDING
        if self.taken:
            return Delivery.DONE
        return Delivery.REFUSED if self.refused else Delivery.FAILED


@dataclass(frozen=True, slots=True)
class Origin:
    """What a decision was made from. ``case`` None: it was not made of one (a lock, a market that cannot be read)."""

    bundle_id: str
    experiment: Mapping[str, Any] | None
    asked: Mapping[str, Any]
    features: Mapping[str, Feature] = field(default_factory=dict)
    case: Case | None = None

    def of(self, facts: Facts, case: Case | None) -> Self:
        return replace(self, features=facts.features, case=case)

    @property
    def otherwise(self) -> Self:
        """Of a skip that is not what the case led to."""
        return replace(self, case=None)


def origin(loaded: Loaded, by: Snapshot, request: DecideRequest) -> Origin:
    """``experiment`` None: nothing is on trial. ``by`` is whoever decides."""
    on_trial = loaded.on_trial
    experiment = None if on_trial is None else {
        "kind": "CANARY" if on_trial.trial.share else "SHADOW",
        "trial": on_trial.trial.rev,
        "bundle_id": on_trial.trial.bundle_id,
        "share": plain(on_trial.trial.share),
        "decided_by": "candidate" if by is on_trial.snapshot else "active",
    }  # fmt: skip
    asked = {
        "market": None if request.market is None else request.market.value,
        "side_hint": None if request.sideHint is None else request.sideHint.value,
    }
    return Origin(by.bundle.bundle_id, experiment, asked)


class Undelivered(Value, tag=False):
    """What a row says of its intent, read back after a restart."""

    intent: Intent
    tracks: Tracks
    reserve: Reserve


def row(
    signal_id: str,
    t0: Millis,
    decision: Open | Skip,
    origin: Origin,
    *,
    account_id: str,
    strategy_id: str,
    intent: Intent | None = None,
    tracks: Tracks | None = None,
    reserve: Reserve | None = None,
) -> dict[str, Any]:
    """A new row; ``case`` is all that was known, so that it can be decided again."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "signal_id": signal_id,
        "t0": t0,
        "at_ms": t0,  # by which collections are read
        "account_id": account_id,
        "strategy_id": strategy_id,
        "symbol": decision.symbol,
        "market": decision.market.value,
        "position_side": "BOTH",
        "decision": "open" if isinstance(decision, Open) else "skip",
        "reason": decision.reason,
        "reasons": [] if isinstance(decision, Open) else plain(decision.reasons),
        "config_rev": decision.config_rev,
        "bundle_id": origin.bundle_id,
        "experiment": origin.experiment,
        "asked": origin.asked,
        "rules_fired": list(decision.rules_fired),
        "features": plain(dict(origin.features)),
        "explanation": plain(decision.why),
        "delivery": Delivery.NONE.value,
        "case": origin.case,
    }
    if intent is None or tracks is None or reserve is None:
        return document
    return document | {
        "intent_id": intent.intent_id,
        "client_order_id": intent.client_order_id,
        "trace_id": trace_of(intent),
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
