"""L0: may we trade at all? Every gate is judged and every verdict kept, not only the first that failed.

The budget is judged twice by the same function: before the rules with what a plain entry would use, and after sizing
with what this one will. Our own intents that S4's figures do not yet include are counted against it.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

from chimera.decide.features import DEPTH, FUNDING, SPREAD, Features
from chimera.trading.budget import Reserve, RiskBudget
from chimera.trading.decision import Code, Verdict
from chimera.trading.market import Market
from chimera.trading.money import ZERO, Millis, text
from chimera.trading.value import Value


class GateLimits(Value):
    """Limits of one instrument. ``max_funding_abs`` is a fraction of notional per funding period."""

    max_funding_abs: Decimal
    spread_bp_limit: Decimal
    depth_top1_usdt_min: Decimal
    concurrent_entries: int
    budget_max_age_ms: Millis


class Needs(Value):
    """What the entry would use, quote asset."""

    margin_usdt: Decimal
    notional_usdt: Decimal
    loss_usdt: Decimal


Compare = Callable[[Code, str, Decimal, Decimal], Verdict]


def at_most(code: Code, name: str, value: Decimal, limit: Decimal) -> Verdict:
    return _verdict(code, name, value, "<=", limit, limit - value)


def at_least(code: Code, name: str, value: Decimal, limit: Decimal) -> Verdict:
    return _verdict(code, name, value, ">=", limit, value - limit)


def _verdict(code: Code, name: str, value: Decimal, op: str, limit: Decimal, margin: Decimal) -> Verdict:
    words = f"{name} {text(value)} {op} {text(limit)}"
    if margin < ZERO:
        words = f"{name} {text(value)} is not {op} {text(limit)}: off by {text(-margin)}"
    return Verdict(
        code=code, passed=margin >= ZERO, name=name, value=value, op=op, limit=limit, margin=margin, text=words
    )


def market_gates(market: Market, features: Features, limits: GateLimits) -> tuple[Verdict, ...]:
    """Funding (FUT alone pays it), spread and depth."""
    verdicts = []
    if market is Market.FUT:
        verdicts.append(_judge(features, Code.FUNDING, FUNDING, at_most, limits.max_funding_abs))
    verdicts.append(_judge(features, Code.SPREAD, SPREAD, at_most, limits.spread_bp_limit))
    verdicts.append(_judge(features, Code.DEPTH, DEPTH, at_least, limits.depth_top1_usdt_min))
    return tuple(verdicts)


def _judge(features: Features, code: Code, name: str, compare: Compare, limit: Decimal) -> Verdict:
    value = features.need(name)
    return value if isinstance(value, Verdict) else compare(code, name, value, limit)


def budget_gates(
    market: Market,
    limits: GateLimits,
    budget: RiskBudget | None,
    reserved: Sequence[Reserve],
    needs: Needs,
    now_ms: Millis,
) -> tuple[Verdict, ...]:
    """Loss, margin and notional that are left, and how many entries the market already has."""
    share = budget.markets.get(market) if budget is not None else None
    if budget is None or share is None:
        words = f"S4 has published no risk budget for {market}"
        return (Verdict(code=Code.BUDGET_MISSING, passed=False, name="risk.budget", text=words),)
    age = Decimal(abs(now_ms - budget.at_ms))
    fresh = at_most(Code.BUDGET_STALE, "risk.budget.age_ms", age, Decimal(limits.budget_max_age_ms))
    if not fresh.passed:
        return (fresh,)
    ours = [item for item in reserved if item.intent_id not in share.inflight]
    here = [item for item in ours if item.market is market]
    loss = budget.remaining_loss_usdt - sum((item.loss_usdt for item in ours), ZERO)
    margin = share.remaining_margin_usdt - sum((item.margin_usdt for item in here), ZERO)
    notional = share.remaining_notional_usdt - sum((item.notional_usdt for item in here), ZERO)
    entries = Decimal(share.entries + len(here) + 1)
    return (
        fresh,
        at_least(Code.BUDGET_LOSS, "risk.budget.loss_usdt", loss, needs.loss_usdt),
        at_least(Code.BUDGET_MARGIN, "risk.budget.margin_usdt", margin, needs.margin_usdt),
        at_least(Code.BUDGET_NOTIONAL, "risk.budget.notional_usdt", notional, needs.notional_usdt),
        at_most(Code.CONCURRENT_ENTRIES, "concurrent_entries", entries, Decimal(limits.concurrent_entries)),
    )


def failed(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    return tuple(verdict for verdict in verdicts if not verdict.passed)
