"""What S3 must have kept, judged when the world is quiet by its own durable signals (reliability I2, I4, I26).

Reads S3's ``signals``, the answers that whoever asked heard, and which intents S4's ledger knows; never S3's memory.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from chimera.services.strategy.signals import Delivery, Track
from chimera.trading.ids import ClientOrderId, stem_of
from chimera.wire.decisions import DecisionAnswer
from world.oracle import Violation

Signal = Mapping[str, Any]
_ENDS: Final = frozenset({Delivery.DONE, Delivery.REFUSED, Delivery.FAILED, Delivery.VOID})


def opens(signals: Iterable[Signal]) -> list[Signal]:
    """Those that carry an intent."""
    return [signal for signal in signals if signal["decision"] == "open"]


def intended(signals: Iterable[Signal]) -> dict[ClientOrderId, Decimal]:
    """Base asset by the stem of the parent's children; what was taken back was never intended (I4)."""
    return {
        stem_of(ClientOrderId(signal["client_order_id"])): Decimal(str(signal["intent"]["qty"]))
        for signal in opens(signals)
        if signal["delivery"] != Delivery.VOID
    }


def judge(
    signals: Sequence[Signal], heard: Iterable[DecisionAnswer], known_to_s4: Collection[str], at_us: int
) -> list[Violation]:
    """I2 of S3: each durable intent was delivered, refused or given up, and the two ledgers say so alike."""
    rows = {str(signal["signal_id"]): signal for signal in signals}
    texts = [text for signal in opens(signals) if (text := _undelivered(signal, known_to_s4))]
    texts += [text for answer in heard if (text := _forgotten(answer, rows))]
    texts += _twice(signals)
    return [Violation(invariant="I2", at_us=at_us, text=text) for text in texts]


def _undelivered(signal: Signal, known_to_s4: Collection[str]) -> str | None:
    intent, delivery, rest = signal["intent_id"], Delivery(signal["delivery"]), Track(signal["tracks"]["rest"])
    if delivery not in _ENDS:
        return f"S3's intent {intent} is still {delivery} ({rest} by REST)"
    if delivery is Delivery.VOID and intent in known_to_s4:
        return f"S3's intent {intent} was taken back, and S4 has it"
    if rest is Track.ANSWERED and intent not in known_to_s4:
        return f"S3's intent {intent} was answered {signal['tracks'].get('status')}, and S4 does not know it"
    return None


def _forgotten(answer: DecisionAnswer, rows: Mapping[str, Signal]) -> str | None:
    """An answer is given when it is durable, and stands."""
    row = rows.get(answer.signal_id or "")
    if row is None:
        return f"S3 answered {answer.decision} under {answer.signal_id}, and its ledger has no such signal"
    if row["decision"] != answer.decision or (answer.decision == "open" and row["delivery"] == Delivery.VOID):
        return (
            f"S3 answered {answer.decision} under {answer.signal_id}; its ledger: {row['decision']} {row['delivery']}"
        )
    return None


def _twice(signals: Iterable[Signal]) -> list[str]:
    """Two decisions never share an intent's name, in this life or the next."""
    seen: set[str] = set()
    found = []
    for signal in opens(signals):
        if signal["intent_id"] in seen:
            found.append(f"S3 used {signal['intent_id']} for two signals")
        seen.add(str(signal["intent_id"]))
    return found
