"""What a plan may be expected to cost, before anything is sent (S4-PREV-1). Estimates; nothing here decides.

Every slice is judged against the book as it is now. Costs are basis points of the mid, positive when they cost; a maker
that fills earns half the spread and pays the maker fee, a taker pays its way through the book and the taker fee:

    cost = p (maker fee - spread / 2) + (1 - p) (slippage + taker fee)

The model of p, the chance that a maker fills in its wait, is plain and fitted to nothing: the queue ahead and the order
itself are worked off at the rate at which takers use up the other touch, once in ``TURNOVER_MS``, and more slowly where
the spread is wider than in the last hour. The time until then is taken for exponential:

    p = 1 - exp(-wait / tau),  tau = TURNOVER_MS x (queue + q) / other touch x max(1, spread / mean spread)
"""

from decimal import Decimal
from typing import Final

from chimera.route.probe import slippage_bps
from chimera.trading.execution import Plan
from chimera.trading.liquidity import Book, Hour
from chimera.trading.market import Side
from chimera.trading.money import BPS, ZERO, Price, Qty
from chimera.trading.value import Value
from chimera.trading.venue import FeeRates

TURNOVER_MS: Final = 2_000
MODEL: Final = "touch turnover, unfitted"
_SHOWN: Final = Decimal("0.0001")


class Expected(Value):
    """Shares from 0 to 1; costs in bps of the mid, to four places."""

    mid: Price
    fill_probability: Decimal  # of the maker leg; 0 where nothing rests
    maker_share: Decimal
    taker_share: Decimal
    maker_bps: Decimal  # of what the maker fills: fee less half the spread
    taker_bps: Decimal  # of what is taken: slippage and fee
    spread_bps: Decimal
    slippage_bps: Decimal  # of what is taken, without the fee
    fees_bps: Decimal  # both shares' fees
    cost_bps: Decimal
    avg_price: Price  # fees left out


def expected(plan: Plan, side: Side, book: Book, hour: Hour | None, fees: FeeRates) -> Expected:
    """Of a whole plan; the shares are by quantity."""
    total = plan.total
    chances = [fill_probability(side, part.qty, plan.maker.wait_ms, book, hour) for part in plan.slices]
    made = sum((part.qty * chance for part, chance in zip(plan.slices, chances, strict=True)), ZERO)
    slipped = sum(
        (
            part.qty * (1 - chance) * slippage_bps(book, side, part.qty)
            for part, chance in zip(plan.slices, chances, strict=True)
        ),
        ZERO,
    )
    share = made / total
    slip = slipped / (total - made) if made < total else ZERO
    half, fee_in, fee_out = book.spread_bps / 2, fees.maker * BPS, fees.taker * BPS
    moved = (1 - share) * slip - share * half
    paid = share * fee_in + (1 - share) * fee_out
    return Expected(
        mid=book.mid,
        fill_probability=_shown(share),
        maker_share=_shown(share),
        taker_share=_shown(1 - share),
        maker_bps=_shown(fee_in - half),
        taker_bps=_shown(slip + fee_out),
        spread_bps=_shown(book.spread_bps),
        slippage_bps=_shown(slip),
        fees_bps=_shown(paid),
        cost_bps=_shown(moved + paid),
        avg_price=Price(book.mid * (1 + side.sign * moved / BPS)),
    )


def fill_probability(side: Side, qty: Qty, wait_ms: int, book: Book, hour: Hour | None) -> Decimal:
    """The model of the module's head, for one slice; 0 without a wait or without anybody on the other side."""
    other = book.taken_by(side)[0].qty
    if not wait_ms or not other:
        return ZERO
    ahead = book.joined_by(side)[0].qty
    wider = max(Decimal(1), book.spread_bps / hour.spread_bps) if hour is not None and hour.spread_bps else Decimal(1)
    tau_ms = TURNOVER_MS * (ahead + qty) / other * wider
    return 1 - (-Decimal(wait_ms) / tau_ms).exp()


def _shown(amount: Decimal) -> Decimal:
    return amount.quantize(_SHOWN)
