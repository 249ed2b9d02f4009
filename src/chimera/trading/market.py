"""What a market shows: its kind, the touch, trades, depth and mark price.

``MarketEvent`` is what every market source yields (capture replay, synthetic, live streams) and what the simulated
exchange and the feed consume. Times are UTC **microseconds** of the event, because captures are that fine.
"""

from decimal import Decimal
from enum import StrEnum

from chimera.trading.money import BPS, TWO, Millis, Price, Qty
from chimera.trading.value import Value

FUNDING_MS = 8 * 3_600_000  # 00:00, 08:00, 16:00 UTC


class Market(StrEnum):
    """Where an order trades. Wire words of the requirements."""

    FUT = "FUT"  # Binance USD-M perpetual futures
    SPOT = "SPOT"  # Binance spot

    @property
    def reduces_only(self) -> bool:
        """Whether the venue itself refuses to close more than is held, so that a close may be sent again in doubt.

        Spot knows no such order: a second sale takes the coins that are the user's own.
        """
        return self is Market.FUT


class Side(StrEnum):
    """An order's side; a position is long or short."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL."""
        return 1 if self is Side.BUY else -1


class Touch(Value):
    """Best bid and ask with their sizes (base asset), and when they were seen."""

    bid: Price
    bid_qty: Qty
    ask: Price
    ask_qty: Qty
    at_ms: Millis

    @property
    def mid(self) -> Price:
        return Price((self.bid + self.ask) / TWO)

    @property
    def spread_bps(self) -> Decimal:
        """Spread over mid, in basis points."""
        return (self.ask - self.bid) / self.mid * BPS

    def passive(self, side: Side) -> Price:
        """The touch on our own side: where a maker joins."""
        return self.bid if side is Side.BUY else self.ask

    def aggressive(self, side: Side) -> Price:
        """The touch on the other side: where a taker pays."""
        return self.ask if side is Side.BUY else self.bid


class Level(Value, tag=False, array_like=True):
    """One price level: absolute quantity resting there (base asset), 0 removes it."""

    price: Price
    qty: Qty


class TopOfBook(Value):
    """The touch changed (Binance ``bookTicker``)."""

    symbol: str
    at_us: int
    bid: Price
    bid_qty: Qty
    ask: Price
    ask_qty: Qty


class DepthChanged(Value):
    """Absolute quantities of changed levels (Binance diff depth); ``snapshot`` replaces the whole book."""

    symbol: str
    at_us: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    snapshot: bool = False


class Traded(Value):
    """A public trade; ``taker`` is the aggressor's side."""

    symbol: str
    at_us: int
    price: Price
    qty: Qty
    taker: Side


class Marked(Value):
    """Mark and index price and the running funding estimate (Binance ``markPrice``)."""

    symbol: str
    at_us: int
    mark: Price
    index: Price
    funding_rate: Decimal
    next_funding_ms: Millis


MarketEvent = TopOfBook | DepthChanged | Traded | Marked


def next_funding_ms(now_ms: int) -> Millis:
    """The next funding moment after ``now_ms``: every 8 h from midnight UTC."""
    return Millis((now_ms // FUNDING_MS + 1) * FUNDING_MS)
