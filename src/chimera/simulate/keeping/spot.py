"""What the spot market keeps across a restart, as one value and back; ``whole`` joins it with the rest of the venue.

Kept: balances, rates, the BNB switch, open orders with their place in the queue and what is locked for them, order
lists with all their orders, the newest ``HISTORY`` of what ended and of trades, every counter, a pair's status and last
price. Not kept: the book and the average price (the market's), filters (the exchange's), the fills of a placement's
reply (``trades`` has them).

Invariant: an order of a list stands in its list's record, any other in the orders'; so neither outlives the other.
"""

from decimal import Decimal
from typing import Any

import msgspec

from chimera.simulate.keeping.history import LEAP, History, Row, history_of, same
from chimera.simulate.spot import conditional
from chimera.simulate.spot.accounts import Balance, Hold, SpotAccount
from chimera.simulate.spot.exchange import SpotExchange
from chimera.simulate.spot.floor import SpotFloor
from chimera.simulate.spot.lists import ListKind, ListOrderStatus, ListStatus, OrderList
from chimera.simulate.spot.orders import Amendment, OrderType, Peg, Prevention, SpotOrder
from chimera.simulate.spot.pair import Pair, PairStatus
from chimera.simulate.spot.streams import SpotPublisher
from chimera.simulate.venue.orders import Status, Stp, Tif
from chimera.simulate.venue.past import Past
from chimera.trading.instrument import Instrument
from chimera.trading.market import Side
from chimera.trading.value import Value


class KeptPair(Value, tag=False):
    """A pair: its rules, its status, its last price, its counters."""

    instrument: Instrument
    status: PairStatus
    last: Decimal | None
    trade_id: int
    update_id: int
    prevented_id: int


class KeptSpotAccount(Value, tag=False):
    """As ``SpotAccount``, less its trades. ``balances``: free and locked by asset."""

    name: str
    balances: dict[str, tuple[Decimal, Decimal]]
    maker_rate: Decimal
    taker_rate: Decimal
    bnb_discount: bool
    updated_ms: int


class KeptSpotOrder(Value, tag=False):
    """As ``SpotOrder``, account and pair by name. ``held``: what its hold has; ``queued``: its place, -1 for none."""

    order_id: int
    client_id: str
    account: str
    symbol: str
    side: Side
    type: OrderType
    tif: Tif
    price: Decimal
    qty: Decimal
    stp: Stp
    created_ms: int
    updated_ms: int
    status: Status
    cum_qty: Decimal
    cum_quote: Decimal
    ahead: Decimal
    expiry: str
    given_price: Decimal
    lock_price: Decimal
    quote_qty: Decimal
    stop_price: Decimal
    trailing_delta: int
    trailing_ms: int
    extreme: Decimal
    iceberg_qty: Decimal
    slice_left: Decimal
    peg: Peg | None
    strategy_id: int | None
    strategy_type: int | None
    working: bool
    working_ms: int
    waits: bool
    prevented_qty: Decimal
    cancel_id: str
    preventions: tuple[Prevention, ...]
    amendments: tuple[Amendment, ...]
    held: Decimal
    queued: int


class KeptList(Value, tag=False):
    """As ``OrderList``, with its orders inside."""

    list_id: int
    client_id: str
    account: str
    symbol: str
    kind: ListKind
    working: KeptSpotOrder | None
    legs: tuple[KeptSpotOrder, ...]
    created_ms: int
    updated_ms: int
    status_type: ListStatus
    order_status: ListOrderStatus
    released: bool


class SpotStanding(Value, tag=False):
    """What may still change."""

    order_id: int
    list_id: int
    execution_id: int
    drawn: int
    agg_id: int
    pairs: tuple[KeptPair, ...]
    accounts: tuple[KeptSpotAccount, ...]
    open_orders: tuple[KeptSpotOrder, ...]
    open_lists: tuple[KeptList, ...]


class KeptSpot(Value, tag=False):
    """The spot market between two lives; history is oldest first."""

    standing: SpotStanding
    ended_orders: tuple[KeptSpotOrder, ...]
    ended_lists: tuple[KeptList, ...]
    trades: dict[str, tuple[Row, ...]]  # by account


class WrittenSpot(Value, tag=False):
    """``KeptSpot`` on its way out: the same JSON, with the history already encoded."""

    standing: SpotStanding
    ended_orders: msgspec.Raw
    ended_lists: msgspec.Raw
    trades: dict[str, msgspec.Raw]


class SpotKeeping:
    """Turns one spot exchange into what is written of it, as often as asked; and once back."""

    def __init__(self, exchange: SpotExchange, publisher: SpotPublisher) -> None:
        self._floor = exchange.floor
        self._publisher = publisher
        self._orders = History(lambda order: None if order.order_list is not None else _kept_order(order))
        self._lists = History(_kept_list)
        self._trades: dict[str, History] = {}

    def write(self) -> WrittenSpot:
        """The market now; between two calls of its entry points only."""
        floor = self._floor
        accounts = floor.accounts.values()
        return WrittenSpot(
            standing=self._standing(),
            ended_orders=self._orders.array(floor.orders.ended),
            ended_lists=self._lists.array(floor.lists.ended),
            trades={each.name: history_of(self._trades, each.name).array(each.trades) for each in accounts},
        )

    def restore(self, kept: KeptSpot, *, clean: bool) -> None:
        """Put ``kept`` into the exchange, which has no account yet. Every pair is dark after it.

        Not ``clean``: counters leap ahead of what may have been given since. Filters come from the exchange; a pair it
        does not list is listed again. Raises ``KeyError`` where ``kept`` speaks of what it does not hold.
        """
        floor = self._floor
        _restore_counters(kept.standing, floor, self._publisher, 0 if clean else LEAP)
        _restore_accounts(kept, floor)
        orders = [_order(each, floor) for each in (*kept.ended_orders, *kept.standing.open_orders)]
        for kept_one in (*kept.ended_lists, *kept.standing.open_lists):
            orders += _restore_list(kept_one, floor)
        _shelve(orders, floor)
        rest = (order for each in kept.standing.open_lists for order in _all(each))
        _queue([*kept.standing.open_orders, *rest], floor)

    def _standing(self) -> SpotStanding:
        floor = self._floor
        shelves = floor.orders.open.values()
        alone = [order for shelf in shelves for order in shelf.values() if order.order_list is None]
        return SpotStanding(
            order_id=floor.order_id,
            list_id=floor.list_id,
            execution_id=floor.execution_id,
            drawn=floor.drawn,
            agg_id=self._publisher.agg_id,
            pairs=tuple(same(KeptPair, each, update_id=each.book.update_id) for each in floor.listings.values()),
            accounts=tuple(_kept_account(each) for each in floor.accounts.values()),
            open_orders=tuple(_kept_order(order) for order in alone),
            open_lists=tuple(_kept_list(each) for each in floor.lists.open.values()),
        )


def _kept_account(account: SpotAccount) -> KeptSpotAccount:
    balances = {asset: (balance.free, balance.locked) for asset, balance in account.balances.items()}
    return same(KeptSpotAccount, account, balances=balances)


def _kept_order(order: SpotOrder) -> KeptSpotOrder:
    """The order as it stands."""
    return same(
        KeptSpotOrder,
        order,
        account=order.account.name,
        symbol=order.listing.symbol,
        preventions=tuple(order.preventions),
        amendments=tuple(order.amendments),
        held=order.hold.amount,
        queued=order.listing.queues[order.side].at[order.price].index(order) if order.resting else -1,
    )


def _kept_list(held: OrderList) -> KeptList:
    """The list as it stands, with its orders."""
    return same(
        KeptList,
        held,
        account=held.account.name,
        symbol=held.listing.symbol,
        working=None if held.working is None else _kept_order(held.working),
        legs=tuple(_kept_order(leg) for leg in held.legs),
    )


# ── and back ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _restore_counters(standing: SpotStanding, floor: SpotFloor, publisher: SpotPublisher, leap: int) -> None:
    floor.order_id = standing.order_id + leap
    floor.list_id = standing.list_id + leap
    floor.execution_id = standing.execution_id + leap
    floor.drawn = standing.drawn + leap
    publisher.agg_id = standing.agg_id + leap
    for each in standing.pairs:
        pair = floor.listings.setdefault(each.instrument.symbol, Pair(each.instrument))
        if each.status is not PairStatus.CANCEL_ONLY:  # which is a fault's, and ends with it
            pair.status = each.status
        pair.last = each.last
        pair.trade_id = each.trade_id + leap
        pair.prevented_id = each.prevented_id + leap
        pair.book.update_id = each.update_id + leap
    for pair in floor.listings.values():
        pair.go_dark()


def _restore_accounts(kept: KeptSpot, floor: SpotFloor) -> None:
    for each in kept.standing.accounts:
        fields = msgspec.structs.asdict(each) | {
            "balances": {asset: Balance(free, locked) for asset, (free, locked) in each.balances.items()},
            "trades": Past(kept.trades[each.name]),
        }
        floor.accounts[each.name] = SpotAccount(**fields)


def _order(kept: KeptSpotOrder, floor: SpotFloor) -> SpotOrder:
    fields = msgspec.structs.asdict(kept)
    pair = floor.listings[fields.pop("symbol")]
    hold = Hold(pair.pays(kept.side), fields.pop("held"))
    del fields["queued"]
    fields |= {"waits": False, "preventions": list(kept.preventions), "amendments": list(kept.amendments)}
    order = SpotOrder(**fields | {"account": floor.accounts[kept.account], "listing": pair, "hold": hold})
    hold.orders.append(order)
    return order


def _restore_list(kept: KeptList, floor: SpotFloor) -> list[SpotOrder]:
    """Its orders, joined as they were."""
    legs = tuple(_order(each, floor) for each in kept.legs)
    working = None if kept.working is None else _order(kept.working, floor)
    if kept.kind.pairs:
        for leg in legs[1:]:
            leg.hold = legs[0].hold
            leg.hold.orders.append(leg)
    if working is not None and kept.kind.pays:
        working.earmark = legs[0].hold
    fields: dict[str, Any] = msgspec.structs.asdict(kept)
    listing = floor.listings[fields.pop("symbol")]
    joined = {"account": floor.accounts[kept.account], "listing": listing, "working": working, "legs": legs}
    held = OrderList(**fields | joined)
    for order in held.orders:
        order.order_list = held
    floor.lists.add(held)
    if not held.is_open:
        floor.lists.close(held)
    return list(held.orders)


def _shelve(orders: list[SpotOrder], floor: SpotFloor) -> None:
    """Known again in the order in which they came; those that had ended in the order they are given."""
    for order in sorted(orders, key=lambda order: order.order_id):
        floor.orders.add(order)
    for order in orders:
        if not order.is_open:
            floor.orders.close(order)


def _all(kept: KeptList) -> tuple[KeptSpotOrder, ...]:
    return kept.legs if kept.working is None else (kept.working, *kept.legs)


def _queue(kept: list[KeptSpotOrder], floor: SpotFloor) -> None:
    """Those that rested rest again in their places, those that waited wait again."""
    for each in sorted(kept, key=lambda each: each.queued):
        order = floor.orders.by_id[each.order_id]
        if each.queued >= 0:
            order.resting = True
            order.listing.queues[order.side].add(order)
    for each in sorted(kept, key=lambda each: each.order_id):
        if each.waits:
            conditional.wait(floor.orders.by_id[each.order_id], floor.now_ms)
