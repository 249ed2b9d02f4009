"""The market's documents on the board: ``mkt:tick:{symbol}``, ``mkt:depth:{symbol}``, ``feat:last:{symbol}``.

Chimera's feed writes them; in the wider system others may, so unknown fields are let through and what may be missing is
optional. Amounts are decimal strings on the wire. ``at_ms`` is the time of the market event that made the value.
"""

from decimal import Decimal

from chimera.trading.decision import Feature
from chimera.trading.market import Level
from chimera.trading.money import Millis, Price, Qty
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
