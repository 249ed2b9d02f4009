"""The route table where nothing has been learned yet: what the fee rates alone say.

Before it is measured, a price has no drift that anybody knows of, so waiting costs nothing on average and a maker's
fill is worth the difference of the fees. Where that is above what a fill is known to lose by adverse selection
(``adverse_bps``, 0 until it is measured), every row rests as long as it may; otherwise every row takes. The spread is
left out: on average it is what the other side's knowledge costs (Glosten and Milgrom, Journal of Financial Economics
14, 1985).

Nothing is cut into slices: each that rests would queue anew, and nothing measured says that waiting between those that
take is paid for (a market too thin for an order cuts it all the same, ``route.probe``). What rests follows the touch as
often as a table may say, since a tick costs less than the fees differ by.
"""

from decimal import Decimal
from typing import Final

from chimera.trading.money import BPS, ZERO
from chimera.trading.routes import RouteTable, Twap
from chimera.trading.venue import FeeRates

REPRICES_MAX: Final = 20


def gain_bps(fees: FeeRates) -> Decimal:
    """What a maker's fill saves in fees, bps of notional; below 0 where it costs."""
    return (fees.taker - fees.maker) * BPS


def pays(fees: FeeRates, adverse_bps: Decimal = ZERO) -> bool:
    """Whether a fill that was waited for is worth more than one that is taken. Equal is no."""
    return gain_bps(fees) > max(adverse_bps, ZERO)


def by_fees(table: RouteTable, fees: FeeRates, wait_ms: int, adverse_bps: Decimal = ZERO) -> RouteTable:
    """The same rows and terms with waits of ``wait_ms`` or 0; its revision is the table's."""
    rests = pays(fees, adverse_bps)
    rows = tuple(row.but(maker_wait_ms=wait_ms if rests else 0, twap=Twap(slices=1, gap_ms=0)) for row in table.rows)
    return table.but(rows=rows, terms=table.terms.but(reprices=REPRICES_MAX))
