"""Implementation shortfall of one intent, and its parts.

Source: A. F. Perold, "The Implementation Shortfall: Paper versus Reality", Journal of Portfolio Management 14 (1988):
the value of a paper portfolio that traded all of it at the moment of decision, less that of the real one.

With s = +1 for BUY and -1 for SELL, Q the quantity wanted (base asset), F what filled, p and q of each fill, and mids
D (of the decision), A (arrival: when the first child was sent), m (when the fill's own child was sent), E (when the
intent ended), and t the touch that a taker of this side met when its child was sent:

    delay        s F (A - D)                      the market moved between decision and first sending
    spread       s sum q (t - m)    of a taker    half of the spread was paid
                 s sum q (p - m)    of a maker    half of it was earned (below 0)
    impact       s sum q (m - A)    drift         the market moved while the intent was worked, by us or by itself
               + s sum q (p - t)    walk          a taker went beyond the touch, or it moved on the way to the venue
    fees         sum of fees, in quote asset
    opportunity  s (Q - F) (E - D)                what never traded, at the mid when it was given up

    shortfall  = delay + spread + impact + fees + opportunity
               = s (sum p q - F D) + fees + s (Q - F) (E - D)

The second line does not use A, m or t: they divide the cost and do not change it. ``since_arrival`` is the same
against A instead of D, without delay: what S4 answers for, whatever S3 did.
Quantities and prices are exact decimals and nothing is rounded; a result that would need rounding raises ``Inexact``.
"""

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal, DivisionByZero, FloatOperation, Inexact, InvalidOperation, Overflow, localcontext
from fractions import Fraction
from typing import Final

from chimera.tca.worked import Traded, Worked
from chimera.trading.market import Side
from chimera.trading.money import ZERO
from chimera.trading.value import Value

# Sixty digits on either side of the point would do; a hundred and sixty never have to be thought of again.
EXACT: Final = Context(prec=160, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow, FloatOperation])
PARTS: Final = ("delay", "spread", "impact", "fees", "opportunity")
PARTS_SINCE_ARRIVAL: Final = ("spread", "impact", "fees", "opportunity")
_TEN_THOUSANDTHS: Final = 4  # digits of a basis point that are kept
_BPS: Final = 10_000 * 10**_TEN_THOUSANDTHS


class Cost(Value, tag=False):
    """Parts and their sum, quote asset, > 0 a cost; None: not known. ``basis``: the notional that bps are of."""

    delay: Decimal | None
    spread: Decimal | None
    impact: Decimal | None
    fees: Decimal | None
    opportunity: Decimal | None
    total: Decimal | None
    basis: Decimal | None

    def parts(self, names: Sequence[str] = PARTS) -> tuple[Decimal | None, ...]:
        return tuple(getattr(self, name) for name in names)


class Shortfall(Value, tag=False):
    """``drift`` and ``walk`` are the two halves of ``impact``."""

    decided: Cost  # against the mid of the decision
    arrived: Cost  # against the arrival mid; its delay is 0 by definition
    drift: Decimal | None
    walk: Decimal | None


def shortfall(work: Worked) -> Shortfall:
    """Of one intent that is over. Mids that are not known make None of the parts that need them, and of no others."""
    with localcontext(EXACT):
        spread = _sum(_spread(fill, work.side) for fill in work.fills)
        drift = _sum(_drift(fill, work) for fill in work.fills)
        walk = _sum(_walk(fill, work.side) for fill in work.fills)
        fees = _sum(fill.fee_quote for fill in work.fills)
        delay = _moved(work.side.sign * work.filled, work.decision_mid, work.arrival_mid)
        return Shortfall(
            decided=_cost(work, delay, (spread, _sum((drift, walk)), fees), work.decision_mid),
            arrived=_cost(work, ZERO, (spread, _sum((drift, walk)), fees), work.arrival_mid),
            drift=drift,
            walk=walk,
        )


def _cost(work: Worked, delay: Decimal | None, trading: tuple[Decimal | None, ...], against: Decimal | None) -> Cost:
    opportunity = _moved(work.side.sign * work.rest, against, work.end_mid)
    spread, impact, fees = trading
    return Cost(
        delay=delay,
        spread=spread,
        impact=impact,
        fees=fees,
        opportunity=opportunity,
        total=_total(work, fees, opportunity, against),
        basis=None if against is None else (work.filled + work.rest) * against,
    )


def _total(work: Worked, fees: Decimal | None, opportunity: Decimal | None, against: Decimal | None) -> Decimal | None:
    """From prices and ``against`` alone: it is known where only the division into parts is not."""
    if fees is None or opportunity is None or (work.fills and against is None):
        return None
    paid = sum((fill.price * fill.qty for fill in work.fills), ZERO)
    paper = work.filled * against if against is not None else ZERO
    return work.side.sign * (paid - paper) + fees + opportunity


def _moved(signed_qty: Decimal, before: Decimal | None, after: Decimal | None) -> Decimal | None:
    """What a move of the mid cost this quantity; none of it, nothing, whatever the mids."""
    if not signed_qty:
        return ZERO
    return None if before is None or after is None else signed_qty * (after - before)


def _spread(fill: Traded, side: Side) -> Decimal | None:
    met = fill.price if fill.maker else fill.touch
    return None if met is None or fill.mid is None else side.sign * fill.qty * (met - fill.mid)


def _drift(fill: Traded, work: Worked) -> Decimal | None:
    return _moved(work.side.sign * fill.qty, work.arrival_mid, fill.mid)


def _walk(fill: Traded, side: Side) -> Decimal | None:
    if fill.maker:
        return ZERO
    return _moved(side.sign * fill.qty, fill.touch, fill.price)


def _sum(parts: Iterable[Decimal | None]) -> Decimal | None:
    """None where one of them is."""
    total = ZERO
    for part in parts:
        if part is None:
            return None
        total += part
    return total


def in_bps(parts: Sequence[Decimal | None], basis: Decimal | None) -> tuple[Decimal | None, ...]:
    """Each part in bps of ``basis`` (> 0), to 1e-4; where all are known they add up to their sum in bps exactly.

    The running total is rounded (half to even), not each part, so no part strays by more than 1e-4.
    """
    if basis is None or basis <= 0:
        return (None,) * len(parts)
    if any(part is None for part in parts):
        return tuple(None if part is None else bps(part, basis) for part in parts)
    told, before, running = [], ZERO, Fraction(0)
    for part in parts:
        running += Fraction(part or 0)
        after = _rounded(running, basis)
        told.append(after - before)
        before = after
    return tuple(told)


def bps(amount: Decimal, basis: Decimal) -> Decimal:
    """``amount`` in basis points of ``basis`` (> 0), to 1e-4, half to even."""
    return _rounded(Fraction(amount), basis)


def _rounded(amount: Fraction, basis: Decimal) -> Decimal:
    return Decimal(round(amount / Fraction(basis) * _BPS)).scaleb(-_TEN_THOUSANDTHS)
