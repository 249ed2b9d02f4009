"""The limits at the last hop before the wire, reserved in the same step that checks them.

One ``LimitBook`` per account and market; what the day has brought is the account's, over all its markets, and so is
what its other positions may come to, which comes with the exposure. ``reserve`` is called by the sender immediately
before an order leaves; nothing can come between check and reservation because there is no wait between them. What is in
doubt counts in full. The limits bind orders that can increase exposure and hold against a hostile caller; reduce-only
orders always pass.
"""

from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId, Symbol
from chimera.trading.market import Market, Side
from chimera.trading.money import BPS, ZERO, Millis, Price, Qty, Quote
from chimera.trading.order import NewOrder
from chimera.trading.value import Value

ORDER_WINDOW_MS = 10_000
PROTECTIVE_RESERVE = Decimal("0.25")  # of the order budget stays for stops and exits (I23)
_NOTHING: Final = Quote(ZERO)


def _none(symbol: Symbol, side: Side) -> Decimal:
    return ZERO


class Limits(Value):
    """Ceilings, quote asset unless said otherwise."""

    max_order_notional: Quote
    max_position_notional: Quote
    max_gross_notional: Quote  # over all symbols and markets of the account
    max_daily_loss: Quote
    price_collar_bps: Decimal
    max_orders_per_10s: int


class Exposure(Value):
    """What the sender knows of a symbol at the moment of sending: signed position, and entries that may still fill."""

    position_qty: Decimal  # signed, with fills that are known by the venue's word only
    open_buy_qty: Decimal  # leaves of live and doubtful entries, without the one being sent
    open_sell_qty: Decimal
    near: Price  # mark, or mid
    elsewhere: Quote = _NOTHING  # what the account's other positions may come to, over all symbols and markets

    @classmethod
    def of(
        cls,
        holding: Holding,
        near: Price,
        of_others: Callable[[Symbol, Side], Decimal] = _none,
        elsewhere: Quote = _NOTHING,
    ) -> "Exposure":
        """With what may still be added, by us or by others."""
        symbol = holding.key.symbol
        return cls(
            position_qty=holding.exposure,
            open_buy_qty=holding.open_qty(Side.BUY) + of_others(symbol, Side.BUY),
            open_sell_qty=holding.open_qty(Side.SELL) + of_others(symbol, Side.SELL),
            near=near,
            elsewhere=elsewhere,
        )

    def and_open(self, side: Side, qty: Decimal) -> "Exposure":
        """With that much more that may still fill (< 0: less)."""
        if side is Side.BUY:
            return self.but(open_buy_qty=self.open_buy_qty + qty)
        return self.but(open_sell_qty=self.open_sell_qty + qty)

    def reach(self, side: Side) -> Decimal:
        """Base asset of the position, whichever way, once all of this side has filled and nothing of the other."""
        return abs(self.position_qty + (self.open_buy_qty if side is Side.BUY else -self.open_sell_qty))

    @property
    def worst_notional(self) -> Decimal:
        """Of the largest position that may come of it: one side may fill and the other not."""
        return max(self.reach(Side.BUY), self.reach(Side.SELL)) * self.near


class LimitBook:
    """Counts what was sent and what was lost; single-threaded by design."""

    def __init__(self, limits: Limits, day_pnl: dict[tuple[Market, Symbol], Quote] | None = None) -> None:
        """``day_pnl``: realised, fees, funding and what is open, since UTC midnight; shared by an account's books."""
        self.limits = limits
        self._sent: deque[tuple[Millis, ClientOrderId]] = deque()
        self.day_pnl = {} if day_pnl is None else day_pnl

    def reserve(self, order: NewOrder, exposure: Exposure, now_ms: Millis) -> str | None:
        """None: it may leave and is counted. Otherwise ``CODE: sentence`` with the numbers, and nothing is counted."""
        refusal = self.refusal(order.side, order.qty, order.price or exposure.near, exposure, now_ms)
        if refusal is None:
            self.count(order, now_ms)
        return refusal

    def count(self, order: NewOrder, now_ms: Millis) -> None:
        """An order that may always leave uses the budget all the same."""
        self._forget(now_ms)
        self._sent.append((now_ms, order.ref))

    def release(self, order: NewOrder) -> None:
        """It was counted and did not leave."""
        place = next((at for at in reversed(range(len(self._sent))) if self._sent[at][1] == order.ref), None)
        if place is not None:
            del self._sent[place]

    def _forget(self, now_ms: Millis) -> None:
        while self._sent and self._sent[0][0] <= now_ms - ORDER_WINDOW_MS:
            self._sent.popleft()

    def refusal(self, side: Side, qty: Qty, price: Price, exposure: Exposure, now_ms: Millis) -> str | None:
        """What ``reserve`` would say of such an order; counts nothing."""
        limits = self.limits
        notional = qty * price
        if notional > limits.max_order_notional:
            return f"LIMIT_ORDER_NOTIONAL: {notional:.2f} > S4_MAX_ORDER_NOTIONAL_USDT {limits.max_order_notional}"
        after = exposure.and_open(side, qty).worst_notional
        if after > limits.max_position_notional:
            return (
                f"LIMIT_POSITION_NOTIONAL: {after:.2f} > S4_MAX_POSITION_NOTIONAL_USDT {limits.max_position_notional}"
            )
        gross = exposure.elsewhere + after
        if gross > limits.max_gross_notional:
            return f"LIMIT_GROSS_NOTIONAL: {gross:.2f} > S4_MAX_GROSS_NOTIONAL_USDT {limits.max_gross_notional}"
        loss = self.loss_today()
        if loss >= limits.max_daily_loss:
            return f"LIMIT_DAILY_LOSS: {loss:.2f} lost today >= S4_MAX_DAILY_LOSS_USDT {limits.max_daily_loss}"
        apart = abs(price - exposure.near) / exposure.near * BPS
        if apart > limits.price_collar_bps:
            collar = limits.price_collar_bps
            return f"LIMIT_PRICE_COLLAR: {apart:.1f} bps from {exposure.near} > S4_PRICE_COLLAR_BPS {collar}"
        self._forget(now_ms)
        budget = int(limits.max_orders_per_10s * (1 - PROTECTIVE_RESERVE))
        if len(self._sent) >= budget:
            return (
                f"LIMIT_ORDER_RATE: {len(self._sent)} orders in 10 s, {budget} of S4_MAX_ORDERS_PER_10S are for entries"
            )
        return None

    def notional_left(self, exposures: Iterable[Exposure], gross: Quote) -> Quote:
        """What any one symbol may still take: by the one that is nearest to its limit, and by all of the account's."""
        largest = max((exposure.worst_notional for exposure in exposures), default=ZERO)
        of_all = self.limits.max_gross_notional - gross
        return Quote(max(min(self.limits.max_position_notional - largest, of_all), ZERO))

    def loss_today(self) -> Quote:
        """Quote asset, > 0 when losing."""
        return Quote(-sum(self.day_pnl.values(), ZERO))
