"""How much: margin times leverage on futures, a quote budget on spot; whole steps inside the venue's bounds.

Sizes are figured at the touch we would take, so that a maker fill is never worse than planned.
"""

from decimal import Decimal

from chimera.trading.decision import Code, Sizing, Verdict
from chimera.trading.instrument import Instrument
from chimera.trading.members import SPOT
from chimera.trading.money import ONE, ZERO, Price, Qty, Quote, told
from chimera.trading.value import Value


class SizePolicy(Value):
    """Quote asset; ``leverage`` is of FUT alone."""

    margin_base_usdt: Decimal
    leverage: int
    spot_quote_budget_usdt: Decimal


def size(instrument: Instrument, policy: SizePolicy, price: Price, size_mult: Decimal) -> Sizing | Verdict:
    """``size_mult`` is the rules' clamped product times the score's; SPOT spends its budget whatever it says."""
    if instrument.market is SPOT:
        return _checked(
            instrument,
            price,
            instrument.floor_to_step(policy.spot_quote_budget_usdt / price),
            leverage=1,
            size_mult=ONE,
            planned=ZERO,
        )
    margin = policy.margin_base_usdt * size_mult
    return _checked(
        instrument,
        price,
        instrument.round_to_step(margin * policy.leverage / price),
        leverage=policy.leverage,
        size_mult=size_mult,
        planned=margin,
    )


def _checked(
    instrument: Instrument, price: Price, qty: Qty, *, leverage: int, size_mult: Decimal, planned: Decimal
) -> Sizing | Verdict:
    notional = qty * price
    smallest = instrument.min_qty if instrument.step < instrument.min_qty else instrument.step
    largest = instrument.max_qty if instrument.max_qty < instrument.market_max_qty else instrument.market_max_qty
    if qty < smallest:
        return _no(Code.BELOW_STEP, "qty", qty, ">=", smallest, qty - smallest)
    if notional < instrument.min_notional:
        short = notional - instrument.min_notional
        return _no(Code.MIN_NOTIONAL, "notional_usdt", notional, ">=", instrument.min_notional, short)
    if qty > largest:
        return _no(Code.MAX_QTY, "qty", qty, "<=", largest, largest - qty)
    return Sizing(
        price=price,
        qty=qty,
        notional_usdt=Quote(notional),
        margin_usdt=Quote(max(planned, notional / leverage)),
        leverage=leverage,
        size_mult=size_mult,
    )


def _no(code: Code, name: str, value: Decimal, op: str, limit: Decimal, margin: Decimal) -> Verdict:
    words = f"{name} {told(value)} is not {op} {told(limit)}"
    return Verdict(code=code, passed=False, name=name, value=value, op=op, limit=limit, margin=margin, text=words)
