"""One trade of ours, kept once under (market, symbol, trade id)."""

from decimal import Decimal

from chimera.trading.ids import ClientOrderId, Symbol, TradeId, VenueOrderId
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.value import Value


class Fill(Value):
    """``fee`` is > 0 when we pay, in ``fee_asset``; ``realized_pnl`` is the venue's, before fees, in quote asset."""

    trade_id: TradeId
    ref: ClientOrderId
    venue_id: VenueOrderId
    market: Market
    symbol: Symbol
    side: Side
    price: Price
    qty: Qty
    fee: Decimal
    fee_asset: str
    realized_pnl: Quote
    maker: bool
    at_ms: Millis
