"""The matching engine: takes orders in, walks the book, fills what rests, keeps reduce-only orders inside the position.

How a resting order fills (documented assumptions, conservative): it joins behind the size displayed at its price;
trades at its price and a shrinking level consume that queue first; the market trading or quoting *through* its price
fills all of it; a quote that meets its price fills at most the size quoted. A taker walks the displayed levels of the
book and other accounts' orders resting among them, displayed size first at equal price.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import filters
from chimera.simulate.usdm.accounts import ASSET, Account, money
from chimera.simulate.usdm.algos import Algo, AlgoStatus
from chimera.simulate.venue.audit import Kind
from chimera.simulate.venue.floor import Fill, Floor
from chimera.simulate.venue.listing import Listing
from chimera.simulate.venue.orders import Order, OrderType, Status, Step, Stp, Tif
from chimera.trading.market import Side, Traded
from chimera.trading.money import ZERO

MAX_OPEN_ORDERS = 200  # MAX_NUM_ORDERS, per symbol
IOC_REMAINDER, REDUCE_ONLY_KNOCKED_OUT, MARKET_REMAINDER, SELF_TRADE = "2", "4", "9", "1"  # Binance ``er``


@dataclass(slots=True, frozen=True)
class Ticket:
    """An order as asked for. ``price`` is zero for MARKET."""

    account: Account
    listing: Listing
    side: Side
    type: OrderType
    tif: Tif
    price: Decimal
    qty: Decimal
    reduce_only: bool
    client_id: str
    stp: Stp = Stp.EXPIRE_MAKER
    close_position: bool = False
    algo: Algo | None = None


class Matcher:
    """Places, fills, cancels, and reports each. Positions that moved are settled by the caller."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor

    # ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────
    def place(self, ticket: Ticket) -> Order:
        """Take an order in, or raise ``Refusal`` with nothing changed. It has met the market when this returns."""
        qty = self._admitted_qty(ticket)
        floor, listing = self.floor, ticket.listing
        order = Order(
            order_id=floor.next_order_id(),
            client_id=ticket.client_id,
            account=ticket.account,
            listing=listing,
            side=ticket.side,
            type=ticket.type,
            tif=ticket.tif,
            price=ticket.price,
            qty=qty,
            reduce_only=ticket.reduce_only,
            close_position=ticket.close_position,
            stp=ticket.stp,
            created_ms=floor.now_ms,
            updated_ms=floor.now_ms,
            algo=ticket.algo,
        )
        floor.orders.add(order)
        floor.log_order(Kind.ACCEPT, order)
        if ticket.algo is not None:
            self._adopt(ticket.algo, order)
        floor.reports.order(order, "NEW")
        self._meet(order)
        return order

    def _adopt(self, algo: Algo, order: Order) -> None:
        algo.child = order
        algo.move(AlgoStatus.TRIGGERED, self.floor.now_ms)
        self.floor.reports.algo(algo)

    def _admitted_qty(self, ticket: Ticket) -> Decimal:
        """The quantity the venue takes (a reduce-only one is clipped to the position), or the refusal."""
        listing, account, side = ticket.listing, ticket.account, ticket.side
        market = ticket.type is OrderType.MARKET
        if ticket.algo is None:
            filters.check_qty(listing, ticket.qty, market)
            if not market:
                filters.check_price(listing, ticket.price, side)
            reference = (listing.mark or ZERO) if market else ticket.price
            filters.check_notional(listing, reference, ticket.qty, ticket.reduce_only)
            if self.floor.orders.has_open(account.name, listing.symbol, ticket.client_id):
                raise Refusal(-4116)
        if not market and self.floor.orders.count_open(account, listing.symbol) >= MAX_OPEN_ORDERS:
            raise Refusal(-2025)
        best = self._best_against(ticket)
        if market:
            self._check_counterparty(listing, side, best)
        qty = self._clipped(ticket) if ticket.reduce_only else ticket.qty
        crosses = best is not None and (market or (best - ticket.price) * side.sign <= 0)
        if ticket.tif is Tif.GTX and crosses:
            raise Refusal(-5022)
        if ticket.tif is Tif.FOK and self._within(ticket, qty) < qty:
            raise Refusal(-5021)
        if not ticket.reduce_only:
            self._check_margin(ticket, best if market and best is not None else ticket.price)
        return qty

    def _check_counterparty(self, listing: Listing, side: Side, best: Decimal | None) -> None:
        if best is None:
            raise Refusal(-1112)
        if listing.mark is not None and (best - listing.band(side)) * side.sign > 0:
            raise Refusal(-4131)

    def _clipped(self, ticket: Ticket) -> Decimal:
        """Reduce-only: what is left to reduce beside the reduce-only orders already resting."""
        room = ticket.account.position(ticket.listing.symbol).room_to_reduce(ticket.side)
        if room <= ZERO:
            raise Refusal(-2022)
        if ticket.close_position:
            return room
        rivals = self._reducing(ticket.account, ticket.listing, ticket.side)
        room -= sum((order.leaves for order in rivals), ZERO)
        if room <= ZERO:
            raise Refusal(-4118)
        return min(ticket.qty, room)

    def _reducing(self, account: Account, listing: Listing, side: Side) -> list[Order]:
        return [order for order in listing.queues[side].in_order() if order.reduce_only and order.account is account]

    def _check_margin(self, ticket: Ticket, price: Decimal) -> None:
        held = ticket.account.position(ticket.listing.symbol)
        mark = ticket.listing.mark if ticket.listing.mark is not None else price
        more = ticket.qty * price
        bids, asks = (more, ZERO) if ticket.side is Side.BUY else (ZERO, more)
        needed = held.margin(mark, bids, asks) - held.margin(mark)
        if needed > ZERO and needed > ticket.account.available(self.floor.marks):
            raise Refusal(-2019)

    # ── the market on the other side ────────────────────────────────────────────────────────────────────────────────
    def _best_against(self, ticket: Ticket) -> Decimal | None:
        offer = ticket.listing.book.best_offer(ticket.side, self.floor.now_ms)
        resting = ticket.listing.queues[ticket.side.opposite].best
        if offer is None or resting is None:
            return offer if resting is None else resting
        return min(offer, resting) if ticket.side is Side.BUY else max(offer, resting)

    def _against(self, listing: Listing, side: Side) -> Iterator[tuple[Decimal, Decimal, Order | None]]:
        """What a taker meets, best first: price, size, and whose order it is (``None``: the market's)."""
        resting = [(order.price, order.leaves, order) for order in listing.queues[side.opposite].in_order()]
        position = 0
        for price, size in listing.book.offers(side, self.floor.now_ms):
            while position < len(resting) and (resting[position][0] - price) * side.sign < 0:
                yield resting[position]
                position += 1
            yield price, size, None
        yield from resting[position:]

    def _limit(self, type_: OrderType, listing: Listing, side: Side, price: Decimal) -> Decimal | None:
        if type_ is OrderType.LIMIT:
            return price
        return listing.band(side) if listing.mark is not None else None

    def _within(self, ticket: Ticket, qty: Decimal) -> Decimal:
        """How much of ``qty`` could fill at once, own orders aside."""
        limit, found = self._limit(ticket.type, ticket.listing, ticket.side, ticket.price), ZERO
        for price, size, order in self._against(ticket.listing, ticket.side):
            if found >= qty or (limit is not None and (price - limit) * ticket.side.sign > 0):
                break
            if order is None or order.account is not ticket.account:
                found += size
        return found

    def _meet(self, order: Order) -> None:
        """Walk the book, then rest or expire the remainder."""
        listing, side = order.listing, order.side
        limit = self._limit(order.type, listing, side, order.price)
        for price, size, facing in self._against(listing, side):
            if not order.is_open or (limit is not None and (price - limit) * side.sign > 0):
                break
            if facing is not None and facing.account is order.account and order.stp is not Stp.NONE:
                self._prevent(order, facing)
                continue
            self._trade(order, facing, price, min(size, order.leaves))
        if not order.is_open:
            return
        if order.type is OrderType.MARKET:
            self.end(order, Step.EXPIRE, MARKET_REMAINDER)
        elif order.tif in (Tif.IOC, Tif.FOK):
            self.end(order, Step.EXPIRE, IOC_REMAINDER)
        else:
            self._rest(order)

    def _trade(self, taker: Order, maker: Order | None, price: Decimal, qty: Decimal) -> None:
        listing = taker.listing
        qty = min(qty, self._allowed(taker), qty if maker is None else self._allowed(maker))
        if qty <= ZERO:
            return
        listing.trade_id += 1
        if maker is None:
            listing.book.take(taker.side, price, qty, self.floor.now_ms)
        else:
            self.fill(maker, qty, price, True, listing.trade_id)
        self.fill(taker, qty, price, False, listing.trade_id)
        listing.last = price
        self.floor.reports.printed(listing, price, qty, taker.side)

    def _prevent(self, taker: Order, maker: Order) -> None:
        if taker.stp in (Stp.EXPIRE_MAKER, Stp.EXPIRE_BOTH):
            self.end(maker, Step.PREVENT, SELF_TRADE)
        if taker.stp in (Stp.EXPIRE_TAKER, Stp.EXPIRE_BOTH):
            self.end(taker, Step.PREVENT, SELF_TRADE)

    def _rest(self, order: Order) -> None:
        order.ahead = order.listing.book.queue_at(order.side, order.price)
        order.resting = True
        order.listing.queues[order.side].add(order)
        self._reserve(order, order.leaves)

    def _reserve(self, order: Order, qty: Decimal) -> None:
        """Open-order margin follows what rests; below zero releases."""
        if order.reduce_only:
            return
        held = order.account.position(order.listing.symbol)
        if order.side is Side.BUY:
            held.bids += qty * order.price
        else:
            held.asks += qty * order.price

    # ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _allowed(self, order: Order) -> Decimal:
        """What may still fill: a reduce-only order never passes the position."""
        if not order.reduce_only:
            return order.leaves
        return min(order.leaves, order.account.position(order.listing.symbol).room_to_reduce(order.side))

    def fill(self, order: Order, qty: Decimal, price: Decimal, maker: bool, trade_id: int) -> None:
        """Execute ``qty`` of ``order`` at ``price``."""
        floor, account, symbol = self.floor, order.account, order.listing.symbol
        fee = money(qty * price * (account.maker_rate if maker else account.taker_rate))
        held = account.position(symbol)
        realized = held.apply(order.side, qty, price, fee)
        held.updated_ms = floor.now_ms
        account.wallet += realized - fee
        order.cum_qty += qty
        order.cum_quote += qty * price
        if order.resting:
            self._reserve(order, -qty)
        order.move(Step.PART if order.leaves else Step.FILL, floor.now_ms)
        if not order.is_open:
            self._shelve(order)
        fill = Fill(trade_id, price, qty, maker, fee, realized)
        self._log_fill(order, fill)
        floor.moved[account.name, symbol] = None
        floor.reports.order(order, "TRADE", fill)
        if not order.is_open:
            self._finish(order)

    def _log_fill(self, order: Order, fill: Fill) -> None:
        account, held = order.account, order.account.position(order.listing.symbol)
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

    def end(self, order: Order, step: Step, expiry: str = "0") -> None:
        """Close a live order without a fill: canceled, expired, or prevented."""
        leaves = order.leaves
        order.expiry = expiry
        if order.resting:
            self._reserve(order, -leaves)
        order.move(step, self.floor.now_ms)
        self._shelve(order)
        canceled = order.status is Status.CANCELED
        self.floor.log_order(Kind.CANCEL if canceled else Kind.EXPIRE, order, reason="" if canceled else f"er={expiry}")
        self.floor.reports.order(order, "CANCELED" if canceled else "EXPIRED")
        self._finish(order)

    def _shelve(self, order: Order) -> None:
        if order.resting:
            order.listing.queues[order.side].remove(order)
            order.resting = False
        self.floor.orders.close(order)

    def _finish(self, order: Order) -> None:
        if order.algo is None:
            return
        order.algo.move(AlgoStatus.FINISHED, self.floor.now_ms)
        self.floor.algos.close(order.algo)
        self.floor.log_algo(Kind.FINISH, order.algo, order_id=order.order_id, cum_qty=order.cum_qty)
        self.floor.reports.algo(order.algo)

    # ── the market moves ────────────────────────────────────────────────────────────────────────────────────────────
    def quoted(self, listing: Listing) -> None:
        """After the displayed book changed: queues shorten, orders the market reached fill."""
        for side in (Side.BUY, Side.SELL):
            queue = listing.queues[side]
            if queue.prices:
                self._shorten(listing, side)
                self._reached(listing, side)

    def _shorten(self, listing: Listing, side: Side) -> None:
        queue, ladder = listing.queues[side], listing.book.side(side)
        for price in ladder.changed:
            shown = ladder.shown.get(price)
            if shown is None and not listing.book.deep:
                continue  # a touch that moved away says nothing about the size behind it
            for order in queue.at.get(price, ()):
                order.ahead = min(order.ahead, shown or ZERO)
        if ladder.best is not None:
            for order in queue.through(ladder.best):
                order.ahead = ZERO  # alone before the market's own best

    def _reached(self, listing: Listing, side: Side) -> None:
        queue = listing.queues[side]
        best = listing.book.best_offer(side, self.floor.now_ms)
        if best is None:
            return
        for order in queue.through(best):
            self._passive(order, order.leaves)
        size = next((size for price, size in listing.book.offers(side, self.floor.now_ms) if price == best), ZERO)
        for order in tuple(queue.at.get(best, ())):
            qty = min(order.leaves, size)
            if qty > ZERO:
                listing.book.take(side, best, qty, self.floor.now_ms)
                self._passive(order, qty)
                size -= qty

    def traded(self, event: Traded, listing: Listing) -> None:
        """A public trade: through our price fills us, at our price eats the queue before us."""
        side = event.taker.opposite
        queue = listing.queues[side]
        if not queue.prices:
            return
        for order in queue.through(event.price):
            self._passive(order, order.leaves)
        ours = ZERO
        for order in tuple(queue.at.get(event.price, ())):
            excess = event.qty - order.ahead - ours
            order.ahead = max(ZERO, order.ahead - event.qty)
            if excess > ZERO:
                qty = min(excess, order.leaves)
                ours += qty
                self._passive(order, qty)

    def _passive(self, order: Order, qty: Decimal) -> None:
        qty = min(qty, self._allowed(order))
        if qty > ZERO:
            order.listing.trade_id += 1
            self.fill(order, qty, order.price, True, order.listing.trade_id)

    # ── the position moved ──────────────────────────────────────────────────────────────────────────────────────────
    def keep_within(self, account: Account, listing: Listing) -> None:
        """Cut resting reduce-only orders to the position, best price first; the rest expire with ``er`` 4."""
        held = account.position(listing.symbol)
        for side in (Side.BUY, Side.SELL):
            room = held.room_to_reduce(side)
            for order in self._reducing(account, listing, side):
                if room <= ZERO:
                    self.end(order, Step.EXPIRE, REDUCE_ONLY_KNOCKED_OUT)
                elif order.leaves > room:
                    order.qty = order.cum_qty + room
                    self.floor.log_order(Kind.SHRINK, order)
                room -= order.leaves
