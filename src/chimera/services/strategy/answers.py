"""Between the engine's values and S3's bodies."""

from collections.abc import Sequence
from typing import Any, Final

from chimera.decide.seek import Needed
from chimera.decide.suppose import Supposed
from chimera.trading.decision import Open, Skip, Verdict
from chimera.trading.errors import Refused
from chimera.trading.ids import Symbol
from chimera.trading.intent import Intent
from chimera.trading.market import Market
from chimera.wire.codec import plain
from chimera.wire.decisions import BATCH_MAX, BatchRequest, DecideRequest, DecisionAnswer
from chimera.wire.intents import order_body

WISHES: Final = ("sideHint", "market", "dry_run", "context")  # of a batch: of each of its symbols


def answer(
    decision: Open | Skip,
    intent: Intent | None,
    *,
    dry_run: bool,
    signal_id: str | None,
    explained: Any = None,
    supposed: Sequence[Supposed] = (),
    needed: Needed | None = None,
) -> DecisionAnswer:
    """``explained``: its explanation in builtins, where the durable row has it already; writing it is what costs."""
    return DecisionAnswer(
        decision="open" if isinstance(decision, Open) else "skip",
        symbol=decision.symbol,
        market=decision.market,
        intent=None if intent is None else order_body(intent),
        reason=decision.reason,
        config_rev=decision.config_rev,
        rules_fired=list(decision.rules_fired),
        reasons=[] if isinstance(decision, Open) else plain(decision.reasons),
        explanation=plain(decision.why) if explained is None else explained,
        dry_run=dry_run,
        signal_id=signal_id,
        overridden=plain(supposed),
        needed=None if needed is None else plain(needed),
    )


def skip(rev: int, request: DecideRequest, reason: Verdict) -> Skip:
    return Skip(
        symbol=Symbol(request.symbol),
        market=request.market or Market.FUT,
        config_rev=rev,
        reasons=(reason,),
    )


def each(batch: BatchRequest) -> Sequence[DecideRequest]:
    if (batch.symbols is None) == (batch.requests is None):
        raise Refused(
            "MALFORMED", "exactly one of symbols and requests says what to decide", field="symbols",
            accepted=f"symbols or requests, at most {BATCH_MAX}",
        )  # fmt: skip
    if batch.requests is not None:
        for name in WISHES:  # a dry_run beside them that nobody reads would be orders
            if getattr(batch, name) != BatchRequest.model_fields[name].default:
                raise Refused(
                    "MALFORMED", f"{name} is each request's own where requests are given", field=name,
                    accepted=f"{name} in each of requests, or beside symbols",
                )  # fmt: skip
        return batch.requests
    return [
        DecideRequest.model_construct(
            symbol=symbol,
            sideHint=batch.sideHint,
            market=batch.market,
            dry_run=batch.dry_run,
            context=batch.context,
        )
        for symbol in batch.symbols or ()
    ]
