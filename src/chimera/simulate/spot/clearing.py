"""What a spot trade does to money: balances, commission, locks; and who hears of it.

Commission is charged in the asset received, or in BNB where the account pays so and has enough for the whole of it.
Invariants: no balance goes below zero; after every step each hold is exactly what its orders need.
"""

from decimal import Decimal

from chimera.simulate.spot.accounts import whole
from chimera.simulate.spot.conditional import forget
from chimera.simulate.spot.contingency import Contingency
from chimera.simulate.spot.floor import BNB, SpotFloor
from chimera.simulate.spot.holds import relock
from chimera.simulate.spot.orders import Prevention, SpotFill, SpotOrder
from chimera.simulate.spot.pair import Pair
from chimera.simulate.venue.audit import Kind
from chimera.simulate.venue.floor import Execution
from chimera.simulate.venue.matching import Matcher
from chimera.simulate.venue.orders import Status, Step, Tif
from chimera.trading.market import Side
from chimera.trading.money import ZERO

IOC_REMAINDER, FOK_UNFILLED, MARKET_REMAINDER = (  # Binance ``eR``
    "UNFILLED_IOC_QUANTITY_EXPIRED",
    "UNFILLED_FOK_ORDER_EXPIRED",
    "INSUFFICIENT_LIQUIDITY",
)


class SpotClearing:
    """The spot side of matching."""

    def __init__(self, floor: SpotFloor) -> None:
        self.floor = floor
        self.matcher: Matcher[SpotOrder] = Matcher(floor, self)
        self.contingency = Contingency(floor, self.matcher)

    def accepted(self, order: SpotOrder) -> None:
        relock(order.hold, self.floor)
        self.floor.log_order(Kind.ACCEPT, order)
        self.floor.reports.order(order, "NEW")

    def allowed(self, order: SpotOrder, price: Decimal) -> Decimal:
        if order.side is Side.SELL or not order.takes_any:
            return order.leaves
        money = order.account.free(order.hold.asset) + order.hold.amount
        return min(order.leaves, order.listing.instrument.floor_to_step(money / price))

    def bound(self, order: SpotOrder) -> Decimal | None:
        return None if order.takes_any else order.price

    def reserve(self, order: SpotOrder, qty: Decimal) -> None:
        """Spot locks at placement, whether an order rests or waits."""

    # ── a trade ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def executed(self, order: SpotOrder, execution: Execution) -> None:
        floor, pair = self.floor, order.listing
        quote = execution.qty * execution.price
        paid, got = (quote, execution.qty) if order.side is Side.BUY else (execution.qty, quote)
        self._pay(order, paid)
        fee, fee_asset = self._receive(order, got, execution)
        fill = SpotFill(execution.trade_id, execution.price, execution.qty, execution.maker, fee, fee_asset)
        order.fills.append(fill)
        self._requeue(order, execution.qty)
        self._log_fill(order, fill)
        if order.cum_qty == execution.qty:
            floor.on_first_fill(order.account.name, execution.maker)
        floor.moved[pair.symbol] = pair
        floor.reports.order(order, "TRADE", fill)
        self.contingency.traded(order)
        relock(order.hold, floor)

    def _pay(self, order: SpotOrder, paid: Decimal) -> None:
        hold, balance = order.hold, order.account.balance(order.hold.asset)
        locked = min(hold.amount, paid)
        hold.amount -= locked
        balance.locked -= locked
        balance.free -= paid - locked
        self.floor.touch(order.account, hold.asset)

    def _receive(self, order: SpotOrder, got: Decimal, execution: Execution) -> tuple[Decimal, str]:
        """Credit what was received less commission; returns the commission and its asset."""
        account, asset = order.account, order.listing.gets(order.side)
        charge = got * (account.maker_rate if execution.maker else account.taker_rate)
        fee, fee_asset = self._fee_in_bnb(order, charge, execution.price) or (whole(charge), asset)
        balance, hold = account.balance(asset), order.earmark
        if hold is None:
            balance.free += got
        else:
            hold.amount += got
            balance.locked += got
        fee_balance = account.balance(fee_asset)
        from_free = hold is None or fee_asset != asset or (asset != BNB and balance.free >= fee)
        if from_free or hold is None:
            fee_balance.free -= fee
        else:
            hold.amount -= fee
            balance.locked -= fee
        self.floor.touch(account, asset)
        self.floor.touch(account, fee_asset)
        return fee, fee_asset

    def _fee_in_bnb(self, order: SpotOrder, charge: Decimal, price: Decimal) -> tuple[Decimal, str] | None:
        """The commission in BNB, with its discount; ``None`` where the account does not pay so or has too little."""
        account, pair = order.account, order.listing
        if not account.bnb_discount:
            return None
        if pair.gets(order.side) == BNB:
            return whole(charge * self.floor.bnb_share), BNB
        rate = self.floor.bnb_price(pair.quote)
        if not rate:
            return None
        in_quote = charge * price if order.side is Side.BUY else charge
        fee = whole(in_quote / rate * self.floor.bnb_share)
        return (fee, BNB) if account.free(BNB) >= fee else None

    def _requeue(self, order: SpotOrder, qty: Decimal) -> None:
        """An iceberg shows its next slice, at the back of the queue."""
        if not order.iceberg_qty:
            return
        order.slice_left -= qty
        if order.resting and order.slice_left > ZERO:
            return
        order.slice_left = min(order.iceberg_qty, order.leaves)
        if order.resting:
            queue = order.listing.queues[order.side]
            queue.remove(order)
            order.ahead = self.floor.queue_before(order.listing, order.side, order.price)
            queue.add(order)

    def _log_fill(self, order: SpotOrder, fill: SpotFill) -> None:
        account, pair = order.account, order.listing
        self.floor.log_order(
            Kind.FILL,
            order,
            price=fill.price,
            qty=fill.qty,
            trade_id=fill.trade_id,
            maker=fill.maker,
            fee=fill.fee,
            fee_asset=fill.fee_asset,
            position_after=account.balance(pair.base).total,
            wallet_after=account.balance(pair.quote).total,
        )

    # ── an end without a trade ──────────────────────────────────────────────────────────────────────────────────────
    def prevented(self, taker: SpotOrder, maker: SpotOrder, price: Decimal, lost: tuple[Decimal, Decimal]) -> None:
        floor, pair = self.floor, taker.listing
        match_id = pair.prevented_id
        pair.prevented_id += 1
        for order, other, (qty, other_qty) in ((maker, taker, lost[::-1]), (taker, maker, lost)):
            order_took = order is taker
            if not qty:
                continue
            order.prevented_qty += qty
            order.preventions.append(Prevention(match_id, price, qty, order_took, other.order_id, other_qty))
            if order.leaves:
                order.slice_left = min(order.slice_left, order.leaves)
                order.move(Step.LESSEN, floor.now_ms)
                relock(order.hold, floor)
                floor.log_order(Kind.AMEND, order, reason="self-trade prevention")
                floor.reports.order(order, "TRADE_PREVENTION")

    def ended(self, order: SpotOrder) -> None:
        floor = self.floor
        forget(order)
        relock(order.hold, floor)
        if order.status is Status.CANCELED:
            floor.log_order(Kind.CANCEL, order)
            floor.reports.order(order, "CANCELED", cancel_id=order.cancel_id)
        else:
            prevented = order.status is Status.EXPIRED_IN_MATCH
            reason = "self-trade prevention" if prevented else f"eR={order.expiry}"
            floor.log_order(Kind.EXPIRE, order, reason=reason)
            floor.reports.order(order, "TRADE_PREVENTION" if prevented else "EXPIRED")
        self.contingency.ended(order)

    def printed(self, listing: Pair, price: Decimal, qty: Decimal, taker: Side) -> None:
        listing.printed(price, qty, self.floor.now_ms)
        self.floor.moved[listing.symbol] = listing
        self.floor.reports.printed(listing, price, qty, taker)

    def expiry(self, step: Step, order: SpotOrder) -> str:
        if step is Step.PREVENT:
            return "0"
        if order.takes_any:
            return MARKET_REMAINDER
        return FOK_UNFILLED if order.tif is Tif.FOK else IOC_REMAINDER
