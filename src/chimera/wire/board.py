"""The market's documents on the board: ``mkt:tick:{symbol}``, ``mkt:depth:{symbol}``, ``feat:last:{symbol}``.

Chimera's feed writes them; in the wider system others may, so unknown fields are let through and what may be missing is
optional. Amounts are decimal strings on the wire. ``at_ms`` is the time of the market event that made the value.
"""

from decimal import Decimal

import msgspec

from chimera.trading.decision import Feature
from chimera.trading.market import Level, Touch
from chimera.trading.money import Millis, Price, Qty, sound
from chimera.trading.value import Value


class TickBoard(Value, tag=False, forbid_unknown_fields=False):
    """``mkt:tick:{symbol}``."""

    symbol: str
    at_ms: Millis
    bid: Price
    bid_qty: Qty
    ask: Price
    ask_qty: Qty
    mid: Price
    spread_bps: Decimal
    last: Price | None = None
    mark: Price | None = None
    index: Price | None = None


class Tick(Value, tag=False, forbid_unknown_fields=False):
    """The part of ``mkt:tick:{symbol}`` that is traded by; the rest may be missing where another system writes it."""

    bid: Price
    bid_qty: Qty
    ask: Price
    ask_qty: Qty
    at_ms: Millis
    mark: Price | None = None

    def touch(self) -> Touch:
        """Raises ``ValueError`` where it is none. Whether its sides are apart is not judged here."""
        figures = (self.bid, self.ask, self.bid_qty, self.ask_qty)
        if not all(map(sound, figures)) or min(figures) < 0 or not self.bid:
            raise ValueError(f"bid {self.bid} x {self.bid_qty}, ask {self.ask} x {self.ask_qty} is no touch")
        return Touch(bid=self.bid, bid_qty=self.bid_qty, ask=self.ask, ask_qty=self.ask_qty, at_ms=self.at_ms)


def read_tick(document: bytes) -> Tick:
    """Raises ``msgspec.DecodeError``. Numbers may come as text and text as numbers."""
    return msgspec.json.decode(document, type=Tick, strict=False)


class DepthBoard(Value, tag=False, forbid_unknown_fields=False):
    """``mkt:depth:{symbol}``: levels best first; ``depth_top1_usdt`` is the smaller notional of the two touches."""

    symbol: str
    at_ms: Millis
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    depth_top1_usdt: Decimal


class FeatureBoard(Value, tag=False, forbid_unknown_fields=False):
    """``feat:last:{symbol}``: factors by name; ``about`` names the periods and bars behind them."""

    symbol: str
    at_ms: Millis
    features: dict[str, Feature]
    about: dict[str, int] = {}
