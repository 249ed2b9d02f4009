"""The ledger's rows read as what analysis needs of them: S4's ``orders`` and ``fills``, S3's ``signals``.

Only the fields that are read are named; a row that lacks one, or holds an amount that nothing can be reckoned with, is
counted in ``left_out``. It knows no store: the shell hands it documents.

An intent is analysed once it is done, as ENTRY or EXIT. Its trades are the rows of ``fills`` that name it, on its own
side; where they are less than it filled by its own row, it is left out. Stops, targets and closes belong to a position
and not to an intent, so they are not here; intents that were refused before anything of them began have no row.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec

from chimera.tca.worked import Traded, Worked
from chimera.trading.ids import AccountId, ClientOrderId, IntentId, StrategyId, Symbol, TradeId
from chimera.trading.market import Market, Side
from chimera.trading.money import TWO, ZERO, Millis, Price, Qty, sound
from chimera.trading.value import Value
from chimera.wire.registry import QUOTES

ANALYSED: Final = ("ENTRY", "EXIT")

T = TypeVar("T")


class _Level(msgspec.Struct):
    price: Decimal
    qty: Decimal


class _Book(msgspec.Struct):
    """``book_top3``: the best levels of each side, best first."""

    bids: list[_Level]
    asks: list[_Level]


class _ChildOf(msgspec.Struct):
    client_order_id: str
    book_top3: _Book | None = None


class _Parent(msgspec.Struct):
    intent_id: str
    client_order_id: str
    account_id: str
    strategy_id: str
    market: Market
    symbol: str
    side: Side
    qty: Decimal
    status: str
    done: bool
    accepted_ms: int
    filled_qty: Decimal
    intent_kind: str | None = None  # rows of versions before 0.4 do not carry it
    reduce_only: bool = False
    done_ms: int | None = None
    mid_at_send: Decimal | None = None
    children: list[_ChildOf] = []


class _Child(msgspec.Struct):
    client_order_id: str
    role: str
    status: str
    market: Market
    symbol: str
    side: Side
    qty: Decimal
    created_ms: int
    at_ms: int
    intent_id: str | None = None
    price: Decimal | None = None


class _Fill(msgspec.Struct):
    trade_id: str
    ref: str
    market: Market
    symbol: str
    side: Side
    price: Decimal
    qty: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    at_ms: int
    intent_id: str | None = None
    mid_at_send: Decimal | None = None
    book_top3: _Book | None = None


class _Touch(msgspec.Struct):
    bid: Decimal
    ask: Decimal


class _Case(msgspec.Struct):
    touches: dict[str, _Touch] = {}


class _Signal(msgspec.Struct):
    intent_id: str
    t0: int
    market: str
    case: _Case | None = None


class Rested(Value, tag=False):
    """A child order that waited in the book. Depth and spread are of the moment when it was sent."""

    ref: ClientOrderId
    intent_id: IntentId
    symbol: Symbol
    quote: str
    side: Side
    price: Price
    qty: Qty
    sent_ms: Millis
    ended_ms: Millis
    first_fill_ms: Millis | None  # of a fill as maker
    maker_qty: Qty  # filled as maker
    spread_bps: Decimal | None
    depth: Decimal | None  # quote asset at the touch that it joined
    mid: Price | None = None
    beats_touch: bool = False  # it was priced nearer to the market than anybody on its side


class Ledgered(Value, tag=False):
    """What the rows told of the intents asked for."""

    intents: tuple[Worked, ...]
    rests: tuple[Rested, ...]
    refused_posts: int  # children that were to rest and never did: post-only refused, not sent
    left_out: Mapping[str, int]  # why, how many


class Ledger:
    """Rows in, in any order; ``told`` joins them."""

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()
        self._parents: list[_Parent] = []
        self._children: list[_Child] = []
        self._fills: dict[str, list[_Fill]] = {}
        self._decided: dict[str, tuple[Millis, Price | None]] = {}

    def orders(self, documents: Iterable[Mapping[str, Any]]) -> None:
        for document in documents:
            match document.get("kind"):
                case "PARENT":
                    self._parents += self._read(document, _Parent)
                case "CHILD" if document.get("role") == "MAKER":
                    self._children += self._read(document, _Child)
                case _:  # stops, targets, takers: their trades are in ``fills``
                    continue

    def fills(self, documents: Iterable[Mapping[str, Any]]) -> None:
        for document in documents:
            for fill in self._read(document, _Fill):
                if fill.price <= 0 or fill.qty <= 0:
                    self.left_out["unreadable"] += 1
                elif fill.intent_id is not None:
                    self._fills.setdefault(fill.intent_id, []).append(fill)

    def signals(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Decisions that opened; of two with one intent the later row counts."""
        for document in documents:
            if document.get("intent_id") is None:
                continue
            for signal in self._read(document, _Signal):
                touch = None if signal.case is None else signal.case.touches.get(signal.market)
                mid = None if touch is None else Price((touch.bid + touch.ask) / TWO)
                self._decided[signal.intent_id] = (Millis(signal.t0), mid)

    def told(self, wanted: "Wanted") -> Ledgered:
        """What was asked for, intents in order of acceptance."""
        chosen = [row for row in self._parents if self._analysed(row, wanted)]
        chosen.sort(key=lambda row: (row.accepted_ms, row.intent_id))
        books = {child.client_order_id: child.book_top3 for row in chosen for child in row.children}
        ids = {row.intent_id for row in chosen}
        children = sorted(
            (row for row in self._children if row.intent_id in ids),
            key=lambda row: (row.created_ms, row.client_order_id),
        )
        over = [row for row in children if row.status in ("FILLED", "CANCELED", "EXPIRED")]
        return Ledgered(
            intents=tuple(self._worked(row) for row in chosen),
            rests=tuple(
                rest for row in over if (rest := self._rested(row, books.get(row.client_order_id))) is not None
            ),
            refused_posts=sum(row.status == "REJECTED" for row in children),
            left_out=dict(sorted(self.left_out.items())),
        )

    def _analysed(self, row: _Parent, wanted: "Wanted") -> bool:
        if not wanted.has(row.accepted_ms, row.symbol, row.strategy_id):
            return False
        if _kind(row) not in ANALYSED:
            self.left_out["not an entry or exit"] += 1
        elif not row.done:
            self.left_out["still working"] += 1
        elif sum((fill.qty for fill in self._trades(row)), ZERO) < row.filled_qty:
            self.left_out["filled by more than the trades that are known"] += 1
        else:
            return True
        return False

    def _worked(self, row: _Parent) -> Worked:
        decided_ms, decision_mid = self._decided.get(row.intent_id, (None, None))
        return Worked(
            intent_id=IntentId(row.intent_id),
            client_order_id=ClientOrderId(row.client_order_id),
            account_id=AccountId(row.account_id),
            strategy_id=StrategyId(row.strategy_id),
            market=row.market,
            symbol=Symbol(row.symbol),
            quote=quote_of(row.symbol),
            kind=_kind(row),
            side=row.side,
            status=row.status,
            qty=Qty(row.qty),
            accepted_ms=Millis(row.accepted_ms),
            done_ms=None if row.done_ms is None else Millis(row.done_ms),
            decided_ms=decided_ms,
            decision_mid=decision_mid,
            arrival_mid=None if row.mid_at_send is None else Price(row.mid_at_send),
            fills=tuple(_traded(fill) for fill in self._trades(row)),
        )

    def _trades(self, row: _Parent) -> list[_Fill]:
        """Its own, the oldest first."""
        mine = (fill for fill in self._fills.get(row.intent_id, ()) if fill.side is row.side)
        return sorted(mine, key=lambda fill: (fill.at_ms, fill.trade_id))

    def _rested(self, row: _Child, book: _Book | None) -> Rested | None:
        if row.price is None or row.qty <= 0:
            return None
        mine = [fill for fill in self._fills.get(row.intent_id or "", ()) if fill.ref == row.client_order_id]
        made = [fill for fill in mine if fill.maker]
        joined = None if book is None else _best(book, row.side)
        met = None if book is None else _best(book, row.side.opposite)
        return Rested(
            ref=ClientOrderId(row.client_order_id),
            intent_id=IntentId(row.intent_id or ""),
            symbol=Symbol(row.symbol),
            quote=quote_of(row.symbol),
            side=row.side,
            price=Price(row.price),
            qty=Qty(row.qty),
            sent_ms=Millis(row.created_ms),
            ended_ms=Millis(max(row.at_ms, row.created_ms)),
            first_fill_ms=Millis(min(fill.at_ms for fill in made)) if made else None,
            maker_qty=Qty(sum((fill.qty for fill in made), ZERO)),
            spread_bps=None if book is None else _spread_bps(book),
            depth=None if joined is None else joined.price * joined.qty,
            mid=None if joined is None or met is None else Price((joined.price + met.price) / TWO),
            beats_touch=joined is not None and (row.price - joined.price) * row.side.sign > 0,
        )

    def _read(self, document: Mapping[str, Any], kind: type[T]) -> Iterator[T]:
        try:
            row = msgspec.convert(document, kind, strict=False)
        except msgspec.ValidationError:
            self.left_out["unreadable"] += 1
            return
        if all(sound(amount) for amount in _amounts(row)):
            yield row
        else:
            self.left_out["unreadable"] += 1


class Wanted(Value, tag=False):
    """Accepted from ``since_ms`` and before ``until_ms``; None: every symbol, every strategy."""

    since_ms: Millis
    until_ms: Millis
    symbol: str | None = None
    strategy: str | None = None

    def has(self, at_ms: int, symbol: str, strategy: str) -> bool:
        return (
            self.since_ms <= at_ms < self.until_ms
            and self.symbol in (None, symbol)
            and self.strategy in (None, strategy)
        )


def quote_of(symbol: str) -> str:
    """Its quote asset by its name; empty where that does not tell."""
    return next((quote for quote in QUOTES if symbol.endswith(quote) and symbol != quote), "")


def _kind(row: _Parent) -> str:
    return row.intent_kind or ("EXIT" if row.reduce_only else "ENTRY")


def _traded(fill: _Fill) -> Traded:
    met = None if fill.book_top3 is None else _best(fill.book_top3, fill.side.opposite)
    return Traded(
        trade_id=TradeId(fill.trade_id),
        ref=ClientOrderId(fill.ref),
        price=Price(fill.price),
        qty=Qty(fill.qty),
        maker=fill.maker,
        at_ms=Millis(fill.at_ms),
        fee=fill.fee,
        fee_asset=fill.fee_asset,
        mid=None if fill.mid_at_send is None else Price(fill.mid_at_send),
        touch=None if met is None else Price(met.price),
    )


def _best(book: _Book, side: Side) -> _Level | None:
    """Of the side where such an order rests: bids of a BUY."""
    levels = book.bids if side is Side.BUY else book.asks
    return levels[0] if levels else None


def _spread_bps(book: _Book) -> Decimal | None:
    if not book.bids or not book.asks:
        return None
    bid, ask = book.bids[0].price, book.asks[0].price
    return (ask - bid) / ((ask + bid) / TWO) * 10_000


def _amounts(node: object) -> Iterator[Decimal]:
    """Every decimal in it."""
    match node:
        case Decimal():
            yield node
        case msgspec.Struct():
            for name in node.__struct_fields__:
                yield from _amounts(getattr(node, name))
        case list() | tuple():
            for inner in node:
                yield from _amounts(inner)
        case dict():
            for inner in node.values():
                yield from _amounts(inner)
        case _:
            return
