"""The risk budget under ``risk:budget:{account}``: S4 writes it, S3 reads it; and the lines beside it, one for
each promise of every S3 on the account. The nouns are in ``trading.budget``.
"""

from decimal import Decimal
from typing import Final

from chimera.trading.budget import Reserve, RiskBudget
from chimera.trading.money import sound
from chimera.wire.codec import seal, unseal

FEE_MAX: Final = Decimal("0.1")  # a fraction; no venue takes a tenth


def budget_document(budget: RiskBudget) -> bytes:
    return seal(budget)


def read_budget(document: bytes | str) -> RiskBudget:
    """Raises ``ValueError`` (``msgspec.ValidationError`` is one) or ``NewerSchema``."""
    budget = unseal(document, RiskBudget)
    figures = {"remaining_loss_usdt": budget.remaining_loss_usdt}
    for market, share in budget.markets.items():
        figures[f"{market}.remaining_margin_usdt"] = share.remaining_margin_usdt
        figures[f"{market}.remaining_notional_usdt"] = share.remaining_notional_usdt
        for rates in (share.fees, *share.fees_of.values()):
            if not (sound(rates.maker) and sound(rates.taker) and max(abs(rates.maker), abs(rates.taker)) < FEE_MAX):
                raise ValueError(f"{market}: fees {rates.maker} and {rates.taker} are none")
    for name, figure in figures.items():
        if not sound(figure):
            raise ValueError(f"{name} {figure} is no amount")
    return budget


def promise_line(promise: Reserve) -> bytes:
    return seal(promise)


def read_promise(line: bytes) -> Reserve:
    """Raises ``ValueError`` or ``NewerSchema``."""
    promise = unseal(line, Reserve)
    for figure in (promise.margin_usdt, promise.notional_usdt, promise.loss_usdt):
        if not sound(figure) or figure < 0:
            raise ValueError(f"promise {promise.intent_id}: {figure} is no amount")
    return promise
