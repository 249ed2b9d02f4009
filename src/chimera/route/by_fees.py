"""How an order rests where no row of the route table says it: decided by what this account pays.

    gain = taker fee - maker fee          bps of notional

**Whether.** Before a market has been measured nobody knows where its price goes, so waiting costs nothing on average,
and a maker's fill is worth the gain. Above 0 an order rests as long as it may, otherwise it takes at once. The spread
does not decide: on average it is what the other side's knowledge costs (Glosten and Milgrom, Journal of Financial
Economics 14, 1985), so earning it is no reason to wait.

**Where.** Who comes first is filled first. Where the spread is wider than a tick, the best price that still rests, a
tick short of the far touch, has no queue. It is dearer than the touch by the rest of the spread. Up to a tenth of the
gain that is worth it, if one fill in ten is owed to it; beyond, the order joins the touch. From either place it follows
a touch that moves away, since a tick costs less than the fees differ by.

**In one piece.** Each slice would queue anew, and nothing measured says that waiting between slices that take is paid
for (a market too thin for an order cuts it all the same, ``route.probe``). No chase: who rests a tick short of the far
touch has nothing left to come nearer by.
"""

from decimal import Decimal
from typing import Final

from chimera.trading.market import Side, Touch
from chimera.trading.money import BPS, ZERO, Price, text
from chimera.trading.routes import REPRICES_MAX, Terms
from chimera.trading.value import Value
from chimera.trading.venue import FeeRates

INSIDE: Final = Decimal("0.1")  # of the gain


class Ruling(Value):
    """What the fees say: ``wait_ms`` 0 is to take at once; ``terms`` are the table's, as far as fees do not decide."""

    wait_ms: int
    terms: Terms
    why: str


def gain_bps(fees: FeeRates) -> Decimal:
    """What a maker's fill saves in fees, bps of notional; below 0 where it costs."""
    return (fees.taker - fees.maker) * BPS


def by_fees(fees: FeeRates, most_ms: int, terms: Terms) -> Ruling:
    """``most_ms``: the longest wait allowed. Equal fees take."""
    gain = gain_bps(fees)
    told = f"the fees decide: a maker pays {_bps(fees.maker)} bps, a taker {_bps(fees.taker)}"
    if gain <= ZERO:
        return Ruling(wait_ms=0, terms=terms, why=f"{told}: nothing is saved by waiting, take at once")
    inside = gain * INSIDE
    return Ruling(
        wait_ms=most_ms,
        terms=terms.but(inside_bps=inside, reprices=REPRICES_MAX, chase_ms=0),
        why=f"{told}: rest up to {most_ms} ms to save {_shown(gain)}, up to {_shown(inside)} inside the spread",
    )


def resting_price(touch: Touch, side: Side, tick: Decimal, inside_bps: Decimal) -> Price:
    """The touch, or a tick short of the far touch where that is at most ``inside_bps`` of the mid dearer."""
    joined = touch.passive(side)
    first = Price(touch.aggressive(side) - side.sign * tick)
    dearer = (first - joined) * side.sign / touch.mid * BPS
    return first if ZERO < dearer <= inside_bps else joined


def _shown(bps: Decimal) -> str:
    return text(bps.normalize())


def _bps(rate: Decimal) -> str:
    return _shown(rate * BPS)
