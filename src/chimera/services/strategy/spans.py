"""S3's spans: the decision (``decide``), where a trace begins, and its delivery (``intent``), from which S4 goes on."""

from chimera.services.strategy.signals import Delivery, Tracks
from chimera.services.tracing import Attribute, Tracing
from chimera.trading.decision import Open
from chimera.trading.intent import Intent
from chimera.trading.money import text
from chimera.trading.trace import DECIDE, INTENT, span_id, trace_named, trace_of
from chimera.wire.decisions import DecisionAnswer


def decided(tracing: Tracing, decision: Open, answer: DecisionAnswer, took_ms: float) -> None:
    """Of a decision that opens and stands."""
    assert answer.signal_id is not None
    assert answer.intent is not None
    trace = trace_named(answer.signal_id)
    ended_ns = tracing.now_ns()
    about: dict[str, Attribute] = {
        "signal_id": answer.signal_id,
        "intent_id": str(answer.intent["intent_id"]),
        "client_order_id": str(answer.intent["client_order_id"]),
        "market": str(decision.market),
        "symbol": decision.symbol,
        "side": str(decision.side),
        "qty": text(decision.qty),
        "rules_fired": ",".join(decision.rules_fired),
        "config_rev": answer.config_rev,
        "reason": answer.reason,
    }
    named, began_ns = span_id(trace, DECIDE, str(answer.intent["intent_id"])), ended_ns - int(took_ms * 1_000_000)
    tracing.tell(trace, named, DECIDE, began_ns, parent=None, ended_ns=ended_ns, about=about)


def delivered(tracing: Tracing, intent: Intent, tracks: Tracks, began_ns: int) -> None:
    """Once S4 has answered for it, or nobody will."""
    trace = trace_of(intent)
    fault = "" if tracks.delivery is Delivery.DONE else f"{tracks.delivery}: {tracks.code} {tracks.message}"
    about: dict[str, Attribute] = {
        "intent_id": intent.intent_id,
        "client_order_id": intent.client_order_id,
        "market": str(intent.market),
        "symbol": intent.symbol,
        "rest": str(tracks.rest),
        "stream": str(tracks.stream),
        "tries": tracks.tries,
        "status": tracks.status,
    }
    parent, named = span_id(trace, DECIDE, intent.intent_id), span_id(trace, INTENT, intent.intent_id)
    tracing.tell(trace, named, INTENT, began_ns, parent=parent, asks=True, fault=fault, about=about)
