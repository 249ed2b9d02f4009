"""What the futures market keeps across a restart, as one value and back; ``whole`` joins it with the rest of the venue.

Kept: accounts (wallet, rates, settings, positions), open orders with their place in the queue, the conditional orders
that wait, the newest ``HISTORY`` of what ended, of trades and of income, running countdowns, every counter, the last
seen prices. Not kept: listenKeys, and the book (the market's).

Invariant: an order that is a conditional order's child stands in that one's record, any other in the orders'.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from chimera.simulate.keeping.history import LEAP, History, Row, history_of, same
from chimera.simulate.usdm.accounts import Account, Position, Terms
from chimera.simulate.usdm.algos import Algo, AlgoStatus, AlgoTif, AlgoType
from chimera.simulate.usdm.exchange import FuturesExchange
from chimera.simulate.usdm.floor import FuturesFloor
from chimera.simulate.usdm.orders import Amendment, Forced, FuturesOrder, OrderType, PriceMatch
from chimera.simulate.usdm.perpetual import Perpetual, SymbolStatus
from chimera.simulate.usdm.streams import FuturesPublisher
from chimera.simulate.venue.orders import Status, Stp, Tif
from chimera.simulate.venue.past import Past
from chimera.trading.instrument import Instrument
from chimera.trading.intent import PositionSide, WorkingType
from chimera.trading.market import Side
from chimera.trading.value import Value

T = TypeVar("T")


class KeptListing(Value, tag=False):
    """A symbol: its rules, its last seen prices, its counters."""

    instrument: Instrument
    last: Decimal | None
    mark: Decimal | None
    index: Decimal | None
    funding_rate: Decimal
    next_funding_ms: int
    funding_due_ms: int
    trade_id: int
    update_id: int
    status: SymbolStatus = SymbolStatus.TRADING


class KeptTerms(Value, tag=False):
    """As ``Terms``."""

    symbol: str
    leverage: int
    isolated: bool


class KeptPosition(Value, tag=False):
    """As ``Position``, its terms by symbol."""

    symbol: str
    side: PositionSide
    qty: Decimal
    entry: Decimal
    paid: Decimal
    bids: Decimal
    asks: Decimal
    realized: Decimal
    set_aside: Decimal
    called: bool
    updated_ms: int


class KeptAccount(Value, tag=False):
    """As ``Account``, less listenKey and history."""

    name: str
    wallet: Decimal
    maker_rate: Decimal
    taker_rate: Decimal
    hedge: bool
    fee_burn: bool
    called: bool
    liquidated_ms: int
    terms: tuple[KeptTerms, ...]
    positions: tuple[KeptPosition, ...]


class KeptOrder(Value, tag=False):
    """As ``Order``, its account and listing by name."""

    order_id: int
    client_id: str
    account: str
    symbol: str
    side: Side
    type: OrderType
    tif: Tif
    price: Decimal
    qty: Decimal
    position_side: PositionSide
    reduce_only: bool
    close_position: bool
    stp: Stp
    created_ms: int
    updated_ms: int
    status: Status
    cum_qty: Decimal
    cum_quote: Decimal
    ahead: Decimal
    expiry: str
    forced: Forced | None
    price_match: PriceMatch
    good_till_ms: int
    amendments: tuple[Amendment, ...]


class KeptAlgo(Value, tag=False):
    """As ``Algo``, its account and listing by name, its child inside."""

    algo_id: int
    client_id: str
    account: str
    symbol: str
    side: Side
    type: AlgoType
    qty: Decimal
    trigger_price: Decimal
    working: WorkingType
    position_side: PositionSide
    reduce_only: bool
    close_position: bool
    price_protect: bool
    stp: Stp
    created_ms: int
    updated_ms: int
    status: AlgoStatus
    triggered_ms: int
    reason: str
    price: Decimal
    price_match: PriceMatch
    tif: AlgoTif
    good_till_ms: int
    activate_price: Decimal
    callback_rate: Decimal
    active: bool
    extreme: Decimal
    child: KeptOrder | None


class KeptCountdown(Value, tag=False):
    """A running ``countdownCancelAll``."""

    account: str
    symbol: str
    due_ms: int


class FuturesStanding(Value, tag=False):
    """What may still change."""

    order_id: int
    algo_id: int
    tran_id: int
    drawn: int
    agg_id: int
    listings: tuple[KeptListing, ...]
    accounts: tuple[KeptAccount, ...]
    open_orders: tuple[KeptOrder, ...]
    open_algos: tuple[KeptAlgo, ...]
    countdowns: tuple[KeptCountdown, ...]


class KeptFutures(Value, tag=False):
    """The market between two lives; history is oldest first."""

    standing: FuturesStanding
    ended_orders: tuple[KeptOrder, ...]
    ended_algos: tuple[KeptAlgo, ...]
    trades: dict[str, tuple[Row, ...]]  # by account
    income: dict[str, tuple[Row, ...]]
    margin_moves: dict[str, tuple[Row, ...]]


class WrittenFutures(Value, tag=False):
    """``KeptFutures`` on its way out: the same JSON, with the history already encoded."""

    standing: FuturesStanding
    ended_orders: msgspec.Raw
    ended_algos: msgspec.Raw
    trades: dict[str, msgspec.Raw]
    income: dict[str, msgspec.Raw]
    margin_moves: dict[str, msgspec.Raw]


class FuturesKeeping:
    """Turns one futures exchange into what is written of it, as often as asked; and once back."""

    def __init__(self, exchange: FuturesExchange, publisher: FuturesPublisher) -> None:
        self._exchange = exchange
        self._publisher = publisher
        self._orders = History(lambda order: None if order.algo is not None else _kept_order(order))
        self._algos = History(_kept_algo)
        self._trades: dict[str, History] = {}
        self._income: dict[str, History] = {}
        self._margin_moves: dict[str, History] = {}

    def write(self) -> WrittenFutures:
        """The market now; between two calls of its entry points only."""
        floor = self._exchange.floor
        accounts = floor.accounts.values()
        return WrittenFutures(
            standing=self._standing(),
            ended_orders=self._orders.array(floor.orders.ended),
            ended_algos=self._algos.array(floor.algos.ended),
            trades={each.name: history_of(self._trades, each.name).array(each.trades) for each in accounts},
            income={each.name: history_of(self._income, each.name).array(each.income) for each in accounts},
            margin_moves={
                each.name: history_of(self._margin_moves, each.name).array(each.margin_moves) for each in accounts
            },
        )

    def restore(self, kept: KeptFutures, *, clean: bool) -> None:
        """Put ``kept`` into the exchange, which has no account yet. Every listing is dark after it.

        Not ``clean``: counters leap ahead of what may have been given since. Rules of a symbol come from the exchange,
        which may know newer ones; a symbol it does not list is listed again. Raises ``KeyError`` where ``kept`` speaks
        of what it does not hold.
        """
        _restore_counters(kept.standing, self._exchange.floor, self._publisher, 0 if clean else LEAP)
        _restore_accounts(kept, self._exchange.floor)
        _restore_orders(kept, self._exchange)

    def _standing(self) -> FuturesStanding:
        floor = self._exchange.floor
        return FuturesStanding(
            order_id=floor.order_id,
            algo_id=floor.algo_id,
            tran_id=floor.tran_id,
            drawn=floor.drawn,
            agg_id=self._publisher.agg_id,
            listings=tuple(same(KeptListing, each, update_id=each.book.update_id) for each in floor.listings.values()),
            accounts=tuple(_kept_account(each) for each in floor.accounts.values()),
            open_orders=tuple(  # a child is kept inside its algo
                _kept_order(order)
                for shelf in floor.orders.open.values()
                for order in shelf.values()
                if order.algo is None
            ),
            open_algos=tuple(_kept_algo(algo) for algo in floor.algos.open.values()),
            countdowns=tuple(
                KeptCountdown(account=account, symbol=symbol, due_ms=due_ms)
                for (account, symbol), due_ms in self._exchange.countdowns.due_ms.items()
            ),
        )


def _kept_account(account: Account) -> KeptAccount:
    return same(
        KeptAccount,
        account,
        terms=tuple(same(KeptTerms, each) for each in account.terms.values()),
        positions=tuple(same(KeptPosition, held) for held in account.positions.values()),
    )


def _kept_order(order: FuturesOrder) -> KeptOrder:
    """The order as it stands."""
    return same(KeptOrder, order, account=order.account.name, symbol=order.listing.symbol)


def _kept_algo(algo: Algo) -> KeptAlgo:
    """The conditional order as it stands, with its child."""
    child = None if algo.child is None else _kept_order(algo.child)
    return same(KeptAlgo, algo, account=algo.account.name, symbol=algo.listing.symbol, child=child)


# ── and back ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _restore_counters(standing: FuturesStanding, floor: FuturesFloor, publisher: FuturesPublisher, leap: int) -> None:
    floor.order_id = standing.order_id + leap
    floor.algo_id = standing.algo_id + leap
    floor.tran_id = standing.tran_id + leap
    floor.drawn = standing.drawn + leap
    publisher.agg_id = standing.agg_id + leap
    for kept in standing.listings:
        symbol = kept.instrument.symbol
        listing = floor.listings.setdefault(symbol, Perpetual(kept.instrument))
        for name in ("last", "mark", "index", "funding_rate", "next_funding_ms", "funding_due_ms"):
            setattr(listing, name, getattr(kept, name))
        if kept.status is SymbolStatus.SETTLING:  # any other is the instrument's, or a fault's and ends with it
            listing.status = kept.status
        listing.trade_id = kept.trade_id + leap
        listing.book.update_id = kept.update_id + leap
        if kept.mark is not None:
            floor.marks[symbol] = kept.mark
    for listing in floor.listings.values():
        listing.go_dark()


def _restore_accounts(kept: KeptFutures, floor: FuturesFloor) -> None:
    for each in kept.standing.accounts:
        terms = {floor.listings[term.symbol].symbol: Terms(**msgspec.structs.asdict(term)) for term in each.terms}
        fields = msgspec.structs.asdict(each) | {
            "terms": terms,
            "positions": {(held.symbol, held.side): _position(held, terms) for held in each.positions},
            "trades": Past(kept.trades[each.name]),
            "income": Past(kept.income[each.name]),
            "margin_moves": Past(kept.margin_moves[each.name]),
        }
        floor.accounts[each.name] = Account(**fields)


def _position(kept: KeptPosition, terms: dict[str, Terms]) -> Position:
    fields = msgspec.structs.asdict(kept)
    return Position(terms=terms[fields.pop("symbol")], **fields)


def _restore_orders(kept: KeptFutures, exchange: FuturesExchange) -> None:
    floor = exchange.floor
    algos = [_algo(each, exchange) for each in (*kept.ended_algos, *kept.standing.open_algos)]
    orders = [_order(each, exchange) for each in (*kept.ended_orders, *kept.standing.open_orders)]
    children = [algo.child for algo in algos if algo.child is not None]
    for order in _by_id([*orders, *children], lambda order: order.order_id):
        floor.orders.add(order)
        if order.is_open:
            exchange.deadlines.add(order)
        else:
            del floor.orders.open[order.account.name, order.listing.symbol][order.order_id]
    for order in sorted((order for order in (*orders, *children) if order.is_open), key=_queued):
        order.resting = True
        order.listing.queues[order.side].add(order)
    for algo in _by_id(algos, lambda algo: algo.algo_id):
        floor.algos.add(algo)
        if algo.waits:
            exchange.desk.watch(algo)
            exchange.deadlines.add(algo)
        elif algo.status is AlgoStatus.TRIGGERING:
            exchange.desk.held[algo.algo_id] = algo
        elif not algo.is_open:
            del floor.algos.open[algo.algo_id]
    floor.orders.ended += [order for order in orders if not order.is_open]
    floor.algos.ended += [algo for algo in algos if not algo.is_open]
    for each in kept.standing.countdowns:
        exchange.countdowns.due_ms[each.account, each.symbol] = each.due_ms


def _queued(order: FuturesOrder) -> tuple[int, int]:
    """When it joined its queue: a change sent it to the back."""
    return (order.amendments[-1].at_ms if order.amendments else order.created_ms), order.order_id


def _by_id(items: Iterable[T], number: Callable[[T], int]) -> list[T]:
    """Ids ascend with time, at one price too: this is the order of arrival."""
    return sorted(items, key=number)


def _terms(kept: KeptOrder | KeptAlgo, exchange: FuturesExchange) -> dict[str, Any]:
    """The fields of an order or conditional order, its account and listing found again."""
    fields = msgspec.structs.asdict(kept)
    floor = exchange.floor
    return fields | {"account": floor.accounts[kept.account], "listing": floor.listings[fields.pop("symbol")]}


def _order(kept: KeptOrder, exchange: FuturesExchange) -> FuturesOrder:
    return FuturesOrder(**_terms(kept, exchange))


def _algo(kept: KeptAlgo, exchange: FuturesExchange) -> Algo:
    algo = Algo(**_terms(kept, exchange) | {"child": None})
    if kept.child is not None:
        algo.child = _order(kept.child, exchange)
        algo.child.algo = algo
    return algo
