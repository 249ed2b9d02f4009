"""How an intent of ours counts against S4's figures, from the decision until its position is gone. Pure.

S4 tells what is left now; a promise is what of ours its figures do not hold, or not yet:

    ahead      decided, and S4's figures can not show it: an entry, notional, margin and loss
    in flight  S4 lists it, in doubt included; what of it is not placed yet is in no figure: notional, margin and loss
    held       its symbol has a position: what it may still lose at its stop is in no figure: loss
    settling   S4 reads balances every few seconds: margin, until it surely has read one since

Where a part of it is in S4's figures already it counts twice for that while: too little is promised, never too much.
"""

from collections.abc import Iterable
from typing import Final

from chimera.trading.budget import Reserve, RiskBudget
from chimera.trading.intent import Intent
from chimera.trading.money import Millis

FUNDS_MS: Final = 10_000  # two of S4's looks at the account's balances
SHARE_MS: Final = 3_000  # of one document, what a market's share may be older than the whole: half a second and a write
SHOWN_MS: Final = 7_000  # that, and what the document itself may be old: two writes that overtook each other


def is_in_flight(promise: Reserve, budget: RiskBudget) -> bool:
    share = budget.markets.get(promise.market)
    return share is not None and promise.intent_id in share.inflight


def is_ended(promise: Reserve, budget: RiskBudget) -> bool:
    share = budget.markets.get(promise.market)
    return share is not None and promise.intent_id in share.ended


def is_ahead(promise: Reserve, budget: RiskBudget) -> bool:
    """Whether it may still become an entry that these figures do not list."""
    if is_in_flight(promise, budget) or is_ended(promise, budget):
        return False
    if promise.shown_ms is not None and budget.at_ms >= promise.shown_ms:
        return False
    return promise.valid_until_ms is None or budget.at_ms <= promise.valid_until_ms + SHARE_MS


def is_held(promise: Reserve, budget: RiskBudget) -> bool:
    share = budget.markets.get(promise.market)
    if share is None or promise.symbol not in share.open_symbols:
        return False
    return promise.gone_by_ms is None or budget.at_ms <= promise.gone_by_ms


def is_settling(promise: Reserve, budget: RiskBudget) -> bool:
    return promise.done_ms is None or budget.at_ms < promise.done_ms + FUNDS_MS


def is_over(promise: Reserve, budget: RiskBudget) -> bool:
    """Whether nothing of it counts any more."""
    return not (
        is_ahead(promise, budget)
        or is_in_flight(promise, budget)
        or is_held(promise, budget)
        or is_settling(promise, budget)
    )


def seen_in(promise: Reserve, budget: RiskBudget) -> Reserve:
    """The promise after these figures: listed once, it is shown; listed no more, or as ended, it is done."""
    if is_in_flight(promise, budget):
        return promise if promise.shown_ms is not None else promise.but(shown_ms=budget.at_ms)
    if promise.done_ms is not None or is_ahead(promise, budget):
        return promise
    shown_ms = min(promise.shown_ms or budget.at_ms, budget.at_ms)
    return promise.but(shown_ms=shown_ms, done_ms=budget.at_ms)


def rival(ours: Intent, others: Iterable[Reserve], budget: RiskBudget | None) -> Reserve | None:
    """The promise of another process to open the same symbol that these figures do not hold yet.

    By the lock there is none: it was lost, or ours was. Of two that announce themselves the second sees the first, so
    one goes on. A number that fences would say no more: whoever is late sees the other's promise, not its number.
    """
    same = (each for each in others if (each.market, each.symbol) == (ours.market, ours.symbol))
    unseen = (each for each in same if budget is None or is_ahead(each, budget))
    return next((each for each in unseen if each.intent_id != ours.intent_id), None)


def sighted(first_ms: Millis | None, budget: RiskBudget) -> tuple[Millis, bool]:
    """Of an answered intent that was never listed, nor its end: the first figures read after its answer, and whether
    these, read later, must hold what came of it. Compares S4's moments with each other, never two clocks.
    """
    if first_ms is None or budget.at_ms < first_ms:  # the second: S4 was started anew, with another clock
        return budget.at_ms, False
    return first_ms, budget.at_ms >= first_ms + SHOWN_MS
