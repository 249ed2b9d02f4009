"""A stored decision, read back: everything that led to it, what became of its intent, and the case to decide it again.

Plain functions over a ``signals`` row; they ask nobody, so a trace is the same after a restart. A row of an earlier
version has less and is shown with what it has.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from chimera.decide.decision import Case
from chimera.decide.features import BUILT_IN, Ages, built_in
from chimera.decide.outcome import Outcome, opened, skipped
from chimera.services.strategy.signals import Delivery, Track
from chimera.trading.decision import Feature, Verdict
from chimera.trading.errors import NewerSchema
from chimera.trading.intent import Intent
from chimera.trading.market import Market
from chimera.wire.codec import SCHEMA_VERSION, check_version, plain

Row = Mapping[str, Any]
AS_STORED: Final = (
    "signal_id", "t0", "account_id", "strategy_id", "symbol", "market", "decision", "reason", "reasons", "config_rev",
    "bundle_id", "experiment", "asked", "rules_fired", "explanation", "intent_id", "client_order_id",
    "trace_id", "intent",
)  # fmt: skip
SAYS: Final = {
    Delivery.NONE: "nothing to deliver",
    Delivery.PENDING: "on its way",
    Delivery.DONE: "S4 has answered for it",
    Delivery.REFUSED: "S4 said no",
    Delivery.FAILED: "nothing is known to have got through while it was valid",
    Delivery.VOID: "the caller was told that it did not stand; nothing was sent",
}


def read_case(row: Row) -> Case | None:
    """None where it was not made of one. Raises ``NewerSchema``, or ``ValueError`` for one that cannot be read."""
    check_version(int(row.get("schema_version", SCHEMA_VERSION)))
    document = row.get("case")
    return None if document is None else msgspec.convert(document, Case, strict=False)


def decided(row: Row) -> Outcome:
    """What it came to. Raises ``ValueError`` where that cannot be read."""
    market, fired = Market(str(row["market"])), tuple(row.get("rules_fired", ()))
    if row["decision"] == "skip":
        return skipped(market, msgspec.convert(row["reasons"], tuple[Verdict, ...], strict=False), fired)
    intent = msgspec.convert(row["intent"], Intent, strict=False)
    return opened(market, intent.side, intent.qty, intent.stop, intent.target, intent.policy, intent.leverage, fired)


def shown(row: Row) -> dict[str, Any]:
    """A row as lists have it: without what only deciding again needs."""
    return {name: value for name, value in row.items() if name != "case"}


def traced(row: Row) -> dict[str, Any]:
    """All of it. ``replayable``: it can be decided again."""
    try:
        case = read_case(row)
    except (ValueError, NewerSchema):
        case = None
    return {
        **{name: row.get(name) for name in AS_STORED},
        "features": _features(row, case),
        "touch": _touch(row, case),
        "budget": None if case is None else plain(case.budget),
        "reserved": [] if case is None else plain(case.reserved),
        "dispatch": dispatch(row),
        "replayable": case is not None,
    }


def dispatch(row: Row) -> dict[str, Any]:
    """What became of the intent: both tracks, and what S4 said, its code with it."""
    state = Delivery(str(row.get("delivery", Delivery.NONE)))
    tracks = row.get("tracks") or {}
    return {
        "state": state.value,
        "says": SAYS[state],
        "rest": tracks.get("rest", Track.OFF.value),
        "stream": tracks.get("stream", Track.OFF.value),
        "tries": tracks.get("tries", 0),
        "answered_ms": tracks.get("answered_ms"),
        "status": tracks.get("status") or None,
        "code": tracks.get("code") or None,
        "message": tracks.get("message") or None,
        "said": list(tracks.get("said", ())),
    }


def _features(row: Row, case: Case | None) -> dict[str, Any]:
    """Each with its age when it was judged; ``usable`` None where the limit is not known any more."""
    if case is None:
        ages, at_ms = None, int(row["t0"])
        features = msgspec.convert(row.get("features", {}), dict[str, Feature], strict=False)
    else:
        ages, at_ms = case.features.ages, case.now_ms
        touch = case.touches.get(Market(str(row["market"])))
        features = case.features.values | built_in(touch, case.side_hint, case.now_ms)
    return {name: _feature(name, feature, at_ms, ages) for name, feature in sorted(features.items())}


def _feature(name: str, feature: Feature, at_ms: int, ages: Ages | None) -> dict[str, Any]:
    age_ms, limit_ms = abs(at_ms - feature.at_ms), None if ages is None else ages.limit(name)
    return {
        **plain(feature),
        "age_ms": age_ms,
        "limit_ms": limit_ms,
        "usable": None if limit_ms is None else age_ms <= limit_ms and feature.value.is_finite(),
        "seen_by_us": name in BUILT_IN,
    }


def _touch(row: Row, case: Case | None) -> dict[str, Any] | None:
    """Of the market that it was about."""
    touch = None if case is None else case.touches.get(Market(str(row["market"])))
    if case is None or touch is None:
        return None
    figures = {name: plain(getattr(touch, name)) for name in ("bid", "bid_qty", "ask", "ask_qty", "at_ms")}
    return {**figures, "age_ms": abs(case.now_ms - touch.at_ms)}
