"""Where learning begins on a market that the table has no row for: what the fees say, written down as rows.

The rows differ in nothing yet. They are there so that sizes can learn apart: each needs orders of its own. Terms are
what the fees say, too, so that a row that was never moved trades as it did before it was written down; a table that
has rows of another market keeps its terms, which both share.
"""

from decimal import Decimal
from typing import Final

from chimera.route.by_fees import by_fees
from chimera.trading.market import Market
from chimera.trading.money import Quote
from chimera.trading.routes import RouteTable, Row, Twap
from chimera.trading.venue import FeeRates

NOTIONALS: Final = tuple(Quote(Decimal(most)) for most in (200, 1_000, 5_000))


def laid_out(table: RouteTable, market: Market, fees: FeeRates, most_ms: int) -> RouteTable:
    """The same table, with rows of this market; its revision is the table's."""
    if table.of(market):
        return table
    said = by_fees(fees, most_ms, table.terms)
    rows = tuple(
        Row(notional_usdt_max=most, maker_wait_ms=said.wait_ms, twap=Twap(slices=1, gap_ms=0), market=market)
        for most in NOTIONALS
    )
    return table.but(rows=(*table.rows, *rows), terms=table.terms if table.rows else said.terms)
