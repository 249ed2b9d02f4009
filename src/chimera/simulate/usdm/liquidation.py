"""What the venue does to a position on its own: margin call, liquidation, auto-deleveraging, settlement of a symbol.

Liquidation is due when the margin balance has come down to the maintenance margin: for an isolated position its own,
for cross positions the account's. Its open orders expire (``er`` 5), then a forced order takes the book down to the
bankruptcy price, where the margin is gone, and the insurance fund takes over what is left at that price and pays what
fees still make missing; of margin that remains, and that no other position needs, it takes its fee. So an isolated loss
never exceeds what was set aside, and an account left without cross positions has no cross wallet below zero.

Chosen where Binance documents nothing: cross positions go one at a time, the greatest maintenance margin first, until
the rest can stand; all happens at once, and for ``margin.GRACE_MS`` after it new orders meet -2023; a margin call is
sent once when maintenance reaches ``CALL`` of the balance; deleveraging and settlement trade at the mark, free of
commission.
"""

from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Final

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import margin
from chimera.simulate.usdm.accounts import CENT, Account, Position, money
from chimera.simulate.usdm.cash import CashDesk
from chimera.simulate.usdm.floor import FuturesFloor
from chimera.simulate.usdm.orders import Forced, FuturesOrder, OrderType
from chimera.simulate.usdm.perpetual import LIQUIDATION_FEE, Perpetual
from chimera.simulate.venue.audit import Kind
from chimera.simulate.venue.floor import Execution
from chimera.simulate.venue.matching import Matcher
from chimera.simulate.venue.orders import Step, Stp, Tif
from chimera.trading.intent import PositionSide
from chimera.trading.market import Side
from chimera.trading.money import ZERO

LIQUIDATED: Final = "5"  # Binance ``er``
CALL: Final = Decimal("0.8")


class LiquidationDesk:
    """Closes what its owner does not."""

    def __init__(self, floor: FuturesFloor, matcher: Matcher[FuturesOrder], cash: CashDesk) -> None:
        self.floor = floor
        self.matcher = matcher
        self.cash = cash

    def review_all(self, symbol: str) -> None:
        """The mark of ``symbol`` changed."""
        for account in self.floor.accounts.values():
            if account.held_now(symbol):
                self.review(account, symbol)

    def review(self, account: Account, symbol: str) -> None:
        """Liquidate, or call for margin, what the symbol's mark or a fill in it has brought into danger."""
        if self.floor.listings[symbol].dark:
            return  # there is no market to be judged by
        for held in account.held_now(symbol):
            if held.isolated:
                self._review_isolated(account, held)
        self._review_cross(account, symbol)

    def _review_isolated(self, account: Account, held: Position) -> None:
        standing = margin.isolated(self.floor, held)
        if standing.lost:
            self._expire_orders(account, held.symbol, held.side)
            before = account.wallet - held.set_aside
            order = self._close(account, held, standing)
            self._insure(account, held, order, account.wallet - before)
        else:
            near = standing.maintenance >= standing.balance * CALL
            if near and not held.called:
                self._call(account, [held])
            held.called = near

    def _review_cross(self, account: Account, symbol: str) -> None:
        held = margin.crossed(account)
        if not held:
            account.called = False
            if account.cross_wallet < ZERO:  # a close in a thin market lost more than there was
                self.cash.insure(account, account.position(symbol, account.sides[0]), -account.cross_wallet)
            return
        standing = margin.cross(self.floor, account)
        if standing.lost:
            self._liquidate_cross(account)
            return
        near = standing.maintenance >= standing.balance * CALL
        if near and not account.called:
            self._call(account, held)
        account.called = near

    def _call(self, account: Account, positions: list[Position]) -> None:
        floor = self.floor
        rows = [(held, margin.mark_of(floor, held), margin.maintenance(floor, held)) for held in positions]
        floor.reports.margin_call(account, rows)

    def _liquidate_cross(self, account: Account) -> None:
        for terms in account.terms.values():
            if not terms.isolated:
                for side in account.sides:
                    self._expire_orders(account, terms.symbol, side)
        while positions := margin.crossed(account):
            standing = margin.cross(self.floor, account)
            if not standing.lost:
                break
            worst = max(positions, key=lambda held: margin.maintenance(self.floor, held))
            order = self._close(account, worst, standing)
            rest = margin.cross(self.floor, account)
            needed = rest.maintenance + CENT if rest.maintenance else ZERO
            self._insure(account, worst, order, rest.balance, needed)
        account.called = False

    def _expire_orders(self, account: Account, symbol: str, side: PositionSide) -> None:
        for order in self.floor.orders.open_of(account, symbol):
            if order.position_side is side and order.is_open:
                self.matcher.end(order, Step.EXPIRE, LIQUIDATED)

    def _close(self, account: Account, held: Position, standing: margin.Standing) -> FuturesOrder:
        """Take the whole position off the account, for no worse than what is behind it."""
        floor, listing = self.floor, self.floor.listings[held.symbol]
        account.liquidated_ms = floor.now_ms
        bankrupt = margin.mark_of(floor, held) - standing.balance / held.qty
        rules = listing.instrument
        price = rules.price_at_or_above(bankrupt) if held.qty > ZERO else rules.price_at_or_below(bankrupt)
        reason = f"balance={money(standing.balance):f} maintenance={money(standing.maintenance):f}"
        order = self._forced(account, listing, held, abs(held.qty), max(price, rules.tick), Forced.LIQUIDATION, reason)
        self.matcher.walk(order)
        if order.is_open:
            self._take_over(order, order.leaves)
        held.called = False
        return order

    def _insure(
        self, account: Account, held: Position, order: FuturesOrder, left: Decimal, needed: Decimal = ZERO
    ) -> None:
        """``left`` of the margin: the fund pays what is missing, or takes its fee of what the rest does not need."""
        if left < ZERO:
            self.cash.insure(account, held, (-left).quantize(CENT, rounding=ROUND_UP))
            return
        fee = min(left - needed, order.cum_quote * LIQUIDATION_FEE).quantize(CENT, rounding=ROUND_DOWN)
        if fee > ZERO:
            self.cash.insure(account, held, -fee)

    # ── by a deed from outside ──────────────────────────────────────────────────────────────────────────────────────
    def deleverage(
        self, account: Account, symbol: str, side: PositionSide = PositionSide.BOTH, qty: Decimal | None = None
    ) -> FuturesOrder:
        """Auto-deleveraging takes ``qty`` of the position (all by default) at the mark. -2024: there is not so much."""
        held, listing = account.position(symbol, side), self.floor.listing(symbol)
        size = abs(held.qty) if qty is None else qty
        if not ZERO < size <= abs(held.qty):
            raise Refusal(-2024)
        return self._at_mark(account, listing, held, size, Forced.ADL)

    def settle_symbol(self, symbol: str) -> None:
        """Close every position in the symbol at its mark, as a delisting does."""
        listing = self.floor.listing(symbol)
        for account in self.floor.accounts.values():
            for held in account.held_now(symbol):
                self._at_mark(account, listing, held, abs(held.qty), Forced.SETTLEMENT)

    def _at_mark(
        self, account: Account, listing: Perpetual, held: Position, qty: Decimal, forced: Forced
    ) -> FuturesOrder:
        rules, mark = listing.instrument, margin.mark_of(self.floor, held)
        price = rules.price_at_or_above(mark) if held.qty > ZERO else rules.price_at_or_below(mark)
        order = self._forced(account, listing, held, qty, price, forced, forced.value.lower())
        self._take_over(order, qty)
        return order

    def _take_over(self, order: FuturesOrder, qty: Decimal) -> None:
        """A fill without a market: the insurance fund's, a deleveraged counterpart's, the settlement's."""
        order.listing.trade_id += 1
        self.matcher.fill(order, Execution(order.listing.trade_id, order.price, qty, False))

    def _forced(
        self,
        account: Account,
        listing: Perpetual,
        held: Position,
        qty: Decimal,
        price: Decimal,
        forced: Forced,
        reason: str,
    ) -> FuturesOrder:
        floor = self.floor
        side = Side.SELL if held.qty > ZERO else Side.BUY
        order = FuturesOrder(
            order_id=floor.next_order_id(),
            client_id=forced.client_id(floor.now_ms, floor.order_id),
            account=account,
            listing=listing,
            side=side,
            type=OrderType.LIMIT,
            tif=Tif.IOC,
            price=price,
            qty=qty,
            reduce_only=False,
            close_position=False,
            position_side=held.side,
            stp=Stp.NONE,
            created_ms=floor.now_ms,
            updated_ms=floor.now_ms,
            forced=forced,
        )
        floor.log_order(Kind.LIQUIDATE, order, reason=reason)
        floor.orders.add(order)
        self.matcher.clearing.accepted(order)
        return order
