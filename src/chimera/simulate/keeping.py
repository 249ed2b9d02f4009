"""What a venue keeps across its own restart: everything an account's owner could notice, as one value and back.

Kept: keys, limits, accounts (wallet, rates, settings, positions), open orders with their place in the queue, the
conditional orders that wait, the newest ``HISTORY`` of what ended, of trades and of income, every counter, the last
seen prices. Not kept: listenKeys and stream readers (clients reconnect), faults (their schedule is the caller's), and
the book: the market is another's and starts anew, so a restored venue is dark until its first quotes and then goes on
as after a gap.

Invariants: no id is given twice, not even after a crash (what was kept in passing is up to a moment old, so the
counters leap ahead of it); ended orders, trades and income never change, so each is turned into JSON once in its
life, and writing costs what is open, not what ever was.
Deliberately unaware of files and schema versions: ``services.simulator.state_file`` has both.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

import msgspec

from chimera.simulate.door.keyring import Key, Keyring
from chimera.simulate.door.limits import Counted, Limits
from chimera.simulate.history import LEAP, History, Row, history_of, same
from chimera.simulate.keeping_spot import KeptSpot, SpotKeeping, WrittenSpot
from chimera.simulate.usdm.accounts import Account, Position, Terms
from chimera.simulate.usdm.algos import Algo, AlgoStatus, AlgoTif, AlgoType
from chimera.simulate.usdm.exchange import Exchange
from chimera.simulate.usdm.orders import Amendment, Forced, FuturesOrder, OrderType, PriceMatch
from chimera.simulate.usdm.perpetual import Perpetual, SymbolStatus
from chimera.simulate.usdm.streams import Publisher
from chimera.simulate.venue.orders import Status, Stp, Tif
from chimera.simulate.wallet.transfers import Transfer, Transfers
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


class Standing(Value, tag=False):
    """What may still change. ``clean``: kept at rest, nothing happened after it. ``limits``: by market."""

    clean: bool
    audit_seq: int
    order_id: int
    algo_id: int
    tran_id: int
    drawn: int
    agg_id: int
    keys: tuple[Key, ...]
    limits: dict[str, Counted]
    listings: tuple[KeptListing, ...]
    accounts: tuple[KeptAccount, ...]
    open_orders: tuple[KeptOrder, ...]
    open_algos: tuple[KeptAlgo, ...]
    countdowns: tuple[KeptCountdown, ...]


class Kept(Value, tag=False):
    """A venue between two lives. History is oldest first; orders that were a conditional order's child stand in it."""

    standing: Standing
    ended_orders: tuple[KeptOrder, ...]
    ended_algos: tuple[KeptAlgo, ...]
    trades: dict[str, tuple[Row, ...]]  # by account
    income: dict[str, tuple[Row, ...]]
    margin_moves: dict[str, tuple[Row, ...]]
    spot: KeptSpot | None = None  # what was written before there was a spot market has none
    transfers: tuple[Transfer, ...] = ()


class Written(Value, tag=False):
    """``Kept`` on its way out: field by field the same JSON, with the history already encoded."""

    standing: Standing
    ended_orders: msgspec.Raw
    ended_algos: msgspec.Raw
    trades: dict[str, msgspec.Raw]
    income: dict[str, msgspec.Raw]
    margin_moves: dict[str, msgspec.Raw]
    spot: WrittenSpot
    transfers: tuple[Transfer, ...]


class Door(NamedTuple):
    """What is of no market: the keys, by face what is used of its limits, and money on its way between the markets."""

    keyring: Keyring
    limits: dict[str, Limits]
    transfers: Transfers


class Keeping:
    """Turns one venue into what is written of it, as often as asked."""

    def __init__(self, exchange: Exchange, publisher: Publisher, door: Door, spot: SpotKeeping) -> None:
        self._spot = spot
        self._exchange = exchange
        self._publisher = publisher
        self._door = door
        self._orders = History(lambda order: None if order.algo is not None else kept_order(order))
        self._algos = History(kept_algo)
        self._trades: dict[str, History] = {}
        self._income: dict[str, History] = {}
        self._margin_moves: dict[str, History] = {}

    def write(self, clean: bool) -> Written:
        """The venue now; between two calls of its entry points only."""
        floor = self._exchange.floor
        accounts = floor.accounts.values()
        return Written(
            standing=self._standing(clean),
            ended_orders=self._orders.array(floor.orders.ended),
            ended_algos=self._algos.array(floor.algos.ended),
            trades={each.name: history_of(self._trades, each.name).array(each.trades) for each in accounts},
            income={each.name: history_of(self._income, each.name).array(each.income) for each in accounts},
            margin_moves={
                each.name: history_of(self._margin_moves, each.name).array(each.margin_moves) for each in accounts
            },
            spot=self._spot.write(),
            transfers=tuple(self._door.transfers.book),
        )

    def _standing(self, clean: bool) -> Standing:
        floor = self._exchange.floor
        return Standing(
            clean=clean,
            audit_seq=floor.audit.seq,
            order_id=floor.order_id,
            algo_id=floor.algo_id,
            tran_id=floor.tran_id,
            drawn=floor.drawn,
            agg_id=self._publisher.agg_id,
            keys=tuple(self._door.keyring),
            limits={name: limits.kept() for name, limits in self._door.limits.items()},
            listings=tuple(same(KeptListing, each, update_id=each.book.update_id) for each in floor.listings.values()),
            accounts=tuple(_kept_account(each) for each in floor.accounts.values()),
            open_orders=tuple(  # a child is kept inside its algo
                kept_order(order)
                for shelf in floor.orders.open.values()
                for order in shelf.values()
                if order.algo is None
            ),
            open_algos=tuple(kept_algo(algo) for algo in floor.algos.open.values()),
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


def kept_order(order: FuturesOrder) -> KeptOrder:
    """The order as it stands."""
    return same(KeptOrder, order, account=order.account.name, symbol=order.listing.symbol)


def kept_algo(algo: Algo) -> KeptAlgo:
    """The conditional order as it stands, with its child."""
    child = None if algo.child is None else kept_order(algo.child)
    return same(KeptAlgo, algo, account=algo.account.name, symbol=algo.listing.symbol, child=child)


# ── and back ────────────────────────────────────────────────────────────────────────────────────────────────────────
def restore(kept: Kept, exchange: Exchange, publisher: Publisher, door: Door, spot: SpotKeeping) -> None:
    """Put ``kept`` into an exchange that has no account yet. Every listing is dark after it.

    Rules of a symbol come from the exchange, which may know newer ones; a symbol it does not list is listed again.
    Raises ``ValueError`` where ``kept`` contradicts itself.
    """
    try:
        _restore_door(kept.standing, door)
        _restore_counters(kept.standing, exchange, publisher)
        _restore_accounts(kept, exchange)
        _restore_orders(kept, exchange)
        if kept.spot is not None:
            spot.restore(kept.spot, clean=kept.standing.clean)
        door.transfers.restore(kept.transfers, 0 if kept.standing.clean else LEAP)
    except KeyError as missing:
        raise ValueError(f"it speaks of {missing} and does not hold it") from missing


def _restore_door(standing: Standing, door: Door) -> None:
    for key in standing.keys:
        door.keyring.add(key)
    for name, counted in standing.limits.items():
        if name in door.limits:
            door.limits[name].restore(counted)


def _restore_counters(standing: Standing, exchange: Exchange, publisher: Publisher) -> None:
    floor, leap = exchange.floor, 0 if standing.clean else LEAP
    floor.audit.seq = max(floor.audit.seq, standing.audit_seq)
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


def _restore_accounts(kept: Kept, exchange: Exchange) -> None:
    floor = exchange.floor
    for each in kept.standing.accounts:
        terms = {floor.listings[term.symbol].symbol: Terms(**msgspec.structs.asdict(term)) for term in each.terms}
        fields = msgspec.structs.asdict(each) | {
            "terms": terms,
            "positions": {(held.symbol, held.side): _position(held, terms) for held in each.positions},
            "trades": list(kept.trades[each.name]),
            "income": list(kept.income[each.name]),
            "margin_moves": list(kept.margin_moves[each.name]),
        }
        floor.accounts[each.name] = Account(**fields)


def _position(kept: KeptPosition, terms: dict[str, Terms]) -> Position:
    fields = msgspec.structs.asdict(kept)
    return Position(terms=terms[fields.pop("symbol")], **fields)


def _restore_orders(kept: Kept, exchange: Exchange) -> None:
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


def _terms(kept: KeptOrder | KeptAlgo, exchange: Exchange) -> dict[str, Any]:
    """The fields of an order or conditional order, its account and listing found again."""
    fields = msgspec.structs.asdict(kept)
    floor = exchange.floor
    return fields | {"account": floor.accounts[kept.account], "listing": floor.listings[fields.pop("symbol")]}


def _order(kept: KeptOrder, exchange: Exchange) -> FuturesOrder:
    return FuturesOrder(**_terms(kept, exchange))


def _algo(kept: KeptAlgo, exchange: Exchange) -> Algo:
    algo = Algo(**_terms(kept, exchange) | {"child": None})
    if kept.child is not None:
        algo.child = _order(kept.child, exchange)
        algo.child.algo = algo
    return algo
