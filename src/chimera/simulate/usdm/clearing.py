"""What a trade on a perpetual does to money: fees, positions, margin behind resting orders; and who hears of it.

Invariant: a reduce-only order never fills past its position, whatever else filled meanwhile.
"""

from decimal import Decimal
from typing import Final

from chimera.simulate.usdm.accounts import ASSET, Position, money
from chimera.simulate.usdm.algos import AlgoStatus
from chimera.simulate.usdm.floor import Fill, FuturesFloor, cleared
from chimera.simulate.usdm.orders import Forced, FuturesOrder
from chimera.simulate.usdm.perpetual import Perpetual
from chimera.simulate.venue.audit import Kind
from chimera.simulate.venue.floor import Execution
from chimera.simulate.venue.orders import Status, Step
from chimera.trading.market import Side
from chimera.trading.money import ZERO

IOC_REMAINDER, REDUCE_ONLY_KNOCKED_OUT, MARKET_REMAINDER, SELF_TRADE = "2", "4", "9", "1"  # Binance ``er``

FREE: Final = frozenset({Forced.ADL, Forced.SETTLEMENT})  # of commission (an assumption; no page tells)


def position_of(order: FuturesOrder) -> Position:
    """The position the order opens or closes."""
    return order.account.position(order.listing.symbol, order.position_side)


class FuturesClearing:
    """The futures side of matching. Positions that moved are settled by the exchange."""

    def __init__(self, floor: FuturesFloor) -> None:
        self.floor = floor

    def accepted(self, order: FuturesOrder) -> None:
        self.floor.log_order(Kind.ACCEPT, order)
        if order.algo is not None:
            order.algo.child = order
            order.algo.move(AlgoStatus.TRIGGERED, self.floor.now_ms)
            self.floor.reports.algo(order.algo)
        self.floor.reports.order(order, "NEW")

    def allowed(self, order: FuturesOrder, price: Decimal) -> Decimal:
        return min(order.leaves, position_of(order).room_to_reduce(order.side)) if order.reduces else order.leaves

    def bound(self, order: FuturesOrder) -> Decimal | None:
        if not order.takes_any:
            return order.price
        return order.listing.band(order.side) if order.listing.mark is not None else None

    def reserve(self, order: FuturesOrder, qty: Decimal) -> None:
        if order.reduces:
            return
        held = position_of(order)
        if order.side is Side.BUY:
            held.bids += qty * order.price
        else:
            held.asks += qty * order.price

    def executed(self, order: FuturesOrder, execution: Execution) -> None:
        floor, account, symbol = self.floor, order.account, order.listing.symbol
        rate = account.maker_rate if execution.maker else account.taker_rate
        if order.forced in FREE:
            rate = ZERO
        fee = money(execution.qty * execution.price * rate)
        held = position_of(order)
        realized = held.apply(order.side, execution.qty, execution.price, fee)
        held.updated_ms = floor.now_ms
        account.wallet += realized - fee
        if held.isolated and account.cross_wallet < ZERO:  # the wallet is short of the fee: its own margin pays
            held.set_aside = max(ZERO, held.set_aside + account.cross_wallet)
        fill = cleared(execution, fee, realized)
        self._log_fill(order, fill)
        floor.moved[account.name, symbol] = None
        floor.reports.order(order, "TRADE" if order.forced is None else "CALCULATED", fill)
        if not order.is_open:
            self._finish(order)

    def _log_fill(self, order: FuturesOrder, fill: Fill) -> None:
        account, held = order.account, position_of(order)
        self.floor.log_order(
            Kind.FILL,
            order,
            price=fill.price,
            qty=fill.qty,
            trade_id=fill.trade_id,
            maker=fill.maker,
            fee=fill.fee,
            fee_asset=ASSET,
            realized_pnl=fill.realized,
            position_after=held.qty,
            entry_price=held.entry,
            wallet_after=account.wallet,
        )

    def prevented(
        self, taker: FuturesOrder, maker: FuturesOrder, price: Decimal, lost: tuple[Decimal, Decimal]
    ) -> None:
        """Futures report nothing but that an order ended."""

    def ended(self, order: FuturesOrder) -> None:
        canceled = order.status is Status.CANCELED
        reason = "" if canceled else f"er={order.expiry}"
        self.floor.log_order(Kind.CANCEL if canceled else Kind.EXPIRE, order, reason=reason)
        self.floor.reports.order(order, "CANCELED" if canceled else "EXPIRED")
        self._finish(order)

    def _finish(self, order: FuturesOrder) -> None:
        if order.algo is None:
            return
        order.algo.move(AlgoStatus.FINISHED, self.floor.now_ms)
        self.floor.algos.close(order.algo)
        self.floor.log_algo(Kind.FINISH, order.algo, order_id=order.order_id, cum_qty=order.cum_qty)
        self.floor.reports.algo(order.algo)

    def printed(self, listing: Perpetual, price: Decimal, qty: Decimal, taker: Side) -> None:
        self.floor.reports.printed(listing, price, qty, taker)

    def expiry(self, step: Step, order: FuturesOrder) -> str:
        if step is Step.PREVENT:
            return SELF_TRADE
        return MARKET_REMAINDER if order.takes_any else IOC_REMAINDER
