"""Trading rules of one symbol. The only place that rounds, and every rounding says which way."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_DOWN, Decimal
from typing import Final

from chimera.trading.ids import Symbol
from chimera.trading.market import Market, Side
from chimera.trading.members import SELL
from chimera.trading.money import ZERO, Price, Qty
from chimera.trading.value import Value

DOLLARS: Final = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD1")  # sizes and limits are in these, taken as one


class MarginStep(Value):
    """One leverage bracket: it holds for notionals up to and including ``cap`` (quote asset).

    Maintenance margin of a notional is ``notional * rate - amount``, the largest of all steps' (Binance, "How to
    calculate liquidation price").
    """

    cap: Decimal
    max_leverage: int
    rate: Decimal
    amount: Decimal = ZERO


class Instrument(Value):
    """Tick, step and bounds as the venue's ``exchangeInfo`` gives them; our registry may only tighten them.

    Prices are quote asset per base asset, quantities base asset, ``min_notional`` quote asset.
    """

    symbol: Symbol
    market: Market
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    min_price: Price
    max_price: Price
    min_qty: Qty
    max_qty: Qty
    market_max_qty: Qty
    min_notional: Decimal
    price_up: Decimal = Decimal("1.05")  # PERCENT_PRICE: a BUY at most mark x this
    price_down: Decimal = Decimal("0.95")  # a SELL at least mark x this
    maint_margin_rate: Decimal = Decimal("0.004")  # of notional, first leverage bracket
    trading: bool = True
    dated: bool = False  # a delivery contract: what is held in it is protected and closed, and nothing enters it
    steps: tuple[MarginStep, ...] = ()  # ascending; none: not known, and the first is taken for all
    max_conditional: int | None = None  # stops and targets in this symbol, where the venue names a limit
    takes_pairs: bool = False  # spot: a target and a stop as one order list

    @property
    def in_dollars(self) -> bool:
        """Whether sizes and limits mean what they say: 20 of another quote asset is another size."""
        return self.quote in DOLLARS

    def floor_to_step(self, amount: Decimal) -> Qty:
        """Toward zero; zero below one step."""
        return Qty(_snap(amount, self.step, ROUND_FLOOR))

    def ceil_to_step(self, amount: Decimal) -> Qty:
        """Away from zero: a reduce-only order that must not be too small."""
        return Qty(_snap(amount, self.step, ROUND_CEILING))

    def round_to_step(self, amount: Decimal) -> Qty:
        """To the nearest step, ties down (S3's futures sizing)."""
        return Qty(_snap(amount, self.step, ROUND_HALF_DOWN))

    def price_at_or_below(self, price: Decimal) -> Price:
        """Down to a tick: a passive bid, a short's stop."""
        return Price(_snap(price - self.min_price, self.tick, ROUND_FLOOR) + self.min_price)

    def price_at_or_above(self, price: Decimal) -> Price:
        """Up to a tick: a passive ask, a long's stop."""
        return Price(_snap(price - self.min_price, self.tick, ROUND_CEILING) + self.min_price)

    def stop_toward_entry(self, price: Decimal, exit_side: Side) -> Price:
        """A stop rounds toward the entry, away from more loss: a long's (SELL) up, a short's (BUY) down."""
        return self.price_at_or_above(price) if exit_side is SELL else self.price_at_or_below(price)

    def target_away(self, price: Decimal, exit_side: Side) -> Price:
        """A target rounds toward more profit: a long's (SELL) up, a short's (BUY) down."""
        return self.price_at_or_above(price) if exit_side is SELL else self.price_at_or_below(price)

    def step_of(self, notional: Decimal) -> MarginStep | None:
        """The bracket of a position of this notional; above them all, the last. None: no brackets are known."""
        return next((step for step in self.steps if notional <= step.cap), self.steps[-1] if self.steps else None)

    def liquidation_px(self, side: Side, qty: Decimal, entry_px: Decimal, leverage: int) -> Decimal:
        """Where the mark price ends a position in isolated margin, fees and funding aside; not rounded.

        With margin ``P Q / L``, for a long: ``P Q / L + Q (m - P) = m Q r - a``, so that
        ``m = (P (1 - 1/L) - a / Q) / (1 - r)``; maintenance is convex in the notional: the nearest price of all steps.
        """
        steps = self.steps or (MarginStep(cap=ZERO, max_leverage=leverage, rate=self.maint_margin_rate),)
        margin, sign = entry_px / leverage, side.sign
        prices = [
            (entry_px - sign * (margin + step.amount / qty)) / (1 - sign * step.rate) for step in steps if step.rate < 1
        ]
        return max(prices) if side is Side.BUY else min(prices)

    def on_tick(self, price: Decimal) -> bool:
        """Whether the venue would take this price."""
        return (price - self.min_price) % self.tick == 0

    def on_step(self, qty: Decimal) -> bool:
        """Whether the venue would take this quantity."""
        return qty % self.step == 0


def _snap(amount: Decimal, unit: Decimal, rounding: str) -> Decimal:
    if unit <= ZERO:
        raise ValueError(f"unit must be > 0, got {unit}")
    return (amount / unit).to_integral_value(rounding) * unit
