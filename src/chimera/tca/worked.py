"""One intent that was worked, as transaction cost analysis sees it. Times UTC ms, prices quote per base asset."""

from decimal import Decimal
from fractions import Fraction

from chimera.trading.ids import AccountId, ClientOrderId, IntentId, StrategyId, Symbol, TradeId
from chimera.trading.market import Market, Side
from chimera.trading.money import ZERO, Millis, Price, Qty
from chimera.trading.value import Value


class Traded(Value, tag=False):
    """A fill. ``fee`` > 0 when we paid; ``fee_quote`` is it in quote asset, None where nobody priced ``fee_asset``."""

    trade_id: TradeId
    ref: ClientOrderId
    price: Price
    qty: Qty
    maker: bool
    at_ms: Millis
    fee: Decimal
    fee_asset: str
    fee_quote: Decimal | None = None
    mid: Price | None = None  # when its own child was sent
    touch: Price | None = None  # what a taker of this side met at that moment: the best ask of a BUY


class Worked(Value, tag=False):
    """``qty`` is what was asked; mids are None where nobody saw them."""

    intent_id: IntentId
    client_order_id: ClientOrderId
    account_id: AccountId
    strategy_id: StrategyId
    market: Market
    symbol: Symbol
    quote: str  # empty: not known
    kind: str  # ENTRY or EXIT
    side: Side
    status: str
    qty: Qty
    accepted_ms: Millis
    done_ms: Millis | None
    decided_ms: Millis | None = None
    decision_mid: Price | None = None
    arrival_mid: Price | None = None
    end_mid: Price | None = None
    fills: tuple[Traded, ...] = ()

    @property
    def filled(self) -> Qty:
        return Qty(sum((fill.qty for fill in self.fills), ZERO))

    @property
    def rest(self) -> Qty:
        """What was given up. Of a FILLED intent nothing: a rest below the venue's step never was an order."""
        return Qty(ZERO if self.status == "FILLED" else max(self.qty - self.filled, ZERO))

    @property
    def vwap(self) -> Fraction | None:
        """Mean price of all fills, exact; None before the first."""
        if not self.fills:
            return None
        return sum((Fraction(fill.price) * Fraction(fill.qty) for fill in self.fills), Fraction(0)) / Fraction(
            self.filled
        )
