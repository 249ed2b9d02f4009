"""L0: may we trade at all? Every gate is judged and every verdict told, not only the first that failed.

The budget is judged three times by the same function: before the rules with what a plain entry would use, after sizing
with what this one will, and again (``decision.still``) when the entry was announced. What of our own intents S4's
figures do not hold is counted against it. Whether all gates are open is asked first (``market_open``, ``Room.fits``);
the verdicts, which take longer, are written for a gate that is shut and for the explanation.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from chimera.decide.features import DEPTH, FUNDING, SPREAD, Features
from chimera.decide.promises import is_ahead, is_held, is_in_flight, is_settling
from chimera.trading.budget import Reserve, RiskBudget
from chimera.trading.decision import Code, Verdict
from chimera.trading.market import Market
from chimera.trading.members import FUT
from chimera.trading.money import ZERO, Millis, text, told
from chimera.trading.value import Value

ROOM: Final = {  # the budget gates' names, and what each judges of ``Room``
    "risk.budget.age_ms": "age_ms",
    "risk.budget.loss_usdt": "loss",
    "risk.budget.margin_usdt": "margin",
    "risk.budget.notional_usdt": "notional",
    "concurrent_entries": "entries",
}


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
    words = f"{name} {told(value)} {op} {told(limit)}"
    if margin < ZERO:
        shown = text if told(value) == told(limit) else told  # a difference that rounding would hide is shown whole
        words = f"{name} {shown(value)} is not {op} {shown(limit)}: off by {told(-margin)}"
    return Verdict(
        code=code, passed=margin >= ZERO, name=name, value=value, op=op, limit=limit, margin=margin, text=words
    )


def market_open(market: Market, features: Features, limits: GateLimits) -> bool:
    """Whether ``market_gates`` would all pass."""
    spread, depth = features.usable(SPREAD), features.usable(DEPTH)
    if spread is None or depth is None or spread > limits.spread_bp_limit or depth < limits.depth_top1_usdt_min:
        return False
    if market is not FUT:
        return True
    funding = features.usable(FUNDING)
    return funding is not None and abs(funding) <= limits.max_funding_abs  # a producer may leave its sign on


def market_gates(market: Market, features: Features, limits: GateLimits) -> tuple[Verdict, ...]:
    """Funding (FUT alone pays it), spread and depth."""
    verdicts = []
    if market is FUT:
        verdicts.append(_judge(features, Code.FUNDING, FUNDING, at_most, limits.max_funding_abs))
    verdicts.append(_judge(features, Code.SPREAD, SPREAD, at_most, limits.spread_bp_limit))
    verdicts.append(_judge(features, Code.DEPTH, DEPTH, at_least, limits.depth_top1_usdt_min))
    return tuple(verdicts)


def _judge(features: Features, code: Code, name: str, compare: Compare, limit: Decimal) -> Verdict:
    value = features.need(name)
    if isinstance(value, Verdict):
        return value
    return compare(code, name, abs(value) if name == FUNDING else value, limit)


class Room(Value):
    """What a market's budget has left for one more entry, our own that S4 has not counted yet taken off.

    ``entries`` is how many there would be.
    """

    age_ms: Millis
    loss: Decimal
    margin: Decimal
    notional: Decimal
    entries: int

    def supposing(self, given: Mapping[str, Decimal]) -> "Room":
        """With what a caller supposes, by the gates' names."""
        fields = {ROOM[name]: value for name, value in given.items()}
        return self.but(
            **{name: int(value) if name in ("age_ms", "entries") else value for name, value in fields.items()}
        )

    def fits(self, needs: Needs, limits: GateLimits) -> bool:
        """Whether ``budget_gates`` would all pass."""
        return (
            self.age_ms <= limits.budget_max_age_ms
            and self.entries <= limits.concurrent_entries
            and needs.loss_usdt <= self.loss
            and needs.margin_usdt <= self.margin
            and needs.notional_usdt <= self.notional
        )


def room(market: Market, budget: RiskBudget | None, reserved: Sequence[Reserve], now_ms: Millis) -> Room | None:
    """None: S4 has published nothing for this market."""
    share = budget.markets.get(market) if budget is not None else None
    if budget is None or share is None:
        return None
    loss: Decimal = budget.remaining_loss_usdt
    margin: Decimal = share.remaining_margin_usdt
    notional: Decimal = share.remaining_notional_usdt
    entries = share.entries + 1
    for promise in reserved:
        ahead = is_ahead(promise, budget)
        working = ahead or is_in_flight(promise, budget)
        if working or is_held(promise, budget):
            loss -= promise.loss_usdt
        if promise.market is not market:
            continue
        if working or is_settling(promise, budget):
            margin -= promise.margin_usdt
        if working:
            notional -= promise.notional_usdt
        entries += ahead
    age_ms = Millis(abs(now_ms - budget.at_ms))
    return Room(age_ms=age_ms, loss=loss, margin=margin, notional=notional, entries=entries)


def budget_gates(market: Market, left: Room | None, needs: Needs, limits: GateLimits) -> tuple[Verdict, ...]:
    """Loss, margin and notional that are left, and how many entries the market already has."""
    if left is None:
        words = f"S4 has published no risk budget for {market}"
        return (Verdict(code=Code.BUDGET_MISSING, passed=False, name="risk.budget", text=words),)
    age, entries = Decimal(left.age_ms), Decimal(left.entries)
    fresh = at_most(Code.BUDGET_STALE, "risk.budget.age_ms", age, Decimal(limits.budget_max_age_ms))
    if not fresh.passed:
        return (fresh,)
    return (
        fresh,
        at_least(Code.BUDGET_LOSS, "risk.budget.loss_usdt", left.loss, needs.loss_usdt),
        at_least(Code.BUDGET_MARGIN, "risk.budget.margin_usdt", left.margin, needs.margin_usdt),
        at_least(Code.BUDGET_NOTIONAL, "risk.budget.notional_usdt", left.notional, needs.notional_usdt),
        at_most(Code.CONCURRENT_ENTRIES, "concurrent_entries", entries, Decimal(limits.concurrent_entries)),
    )


def failed(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    return tuple(verdict for verdict in verdicts if not verdict.passed)
