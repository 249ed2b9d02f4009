"""The route table: how long to wait as a maker and into how many slices to cut, by notional.

Rows ascend by ``notional_usdt_max``; the first that covers an order decides, the last holds for every larger one.
"""

from chimera.trading.money import Quote
from chimera.trading.value import Value


class Twap(Value, tag=False):
    slices: int
    gap_ms: int


class Row(Value, tag=False):
    notional_usdt_max: Quote
    maker_wait_ms: int
    twap: Twap


class RouteTable(Value, tag=False):
    """A revision of the table; ``rev`` appears in every plan's reasons."""

    rev: int
    rows: tuple[Row, ...]

    def row_for(self, notional: Quote) -> Row:
        return next((row for row in self.rows if notional <= row.notional_usdt_max), self.rows[-1])

    def __post_init__(self) -> None:
        if not self.rows:
            raise ValueError("rows: the route table needs at least one row")
        limits = [row.notional_usdt_max for row in self.rows]
        if limits != sorted(set(limits)):
            raise ValueError(f"rows: notional_usdt_max must ascend, got {[str(limit) for limit in limits]}")
        for number, row in enumerate(self.rows):
            if row.maker_wait_ms < 0 or row.twap.slices < 1 or row.twap.gap_ms < 0:
                raise ValueError(
                    f"rows[{number}]: maker_wait_ms >= 0, twap.slices >= 1 and twap.gap_ms >= 0 are accepted"
                )
