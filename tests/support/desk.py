"""A desk for tests of the router's reducer: a holding, a scene, and facts in the words of the venue.

``Desk.hear`` folds a fact in and remembers the commands; the helpers answer the last command as a venue would.
"""

from decimal import Decimal

from chimera.execute.advance import advance
from chimera.trading.commands import Cancel, Command, Place
from chimera.trading.execution import Maker, Plan, Slice
from chimera.trading.facts import Fact, Found, Reported, Submitted, Surveyed
from chimera.trading.fill import Fill
from chimera.trading.form import FORMS, Form
from chimera.trading.holding import Holding
from chimera.trading.ids import DEFAULT_ACCOUNT, ClientOrderId, IntentId, PositionKey, Symbol, TradeId, VenueOrderId
from chimera.trading.instrument import Instrument
from chimera.trading.intent import ExecPolicy, Intent, MarketNow, StopSpec, TargetSpec
from chimera.trading.liquidity import Book
from chimera.trading.market import Market, Side, Touch
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.order import NewOrder, Role, Status
from chimera.trading.scene import Scene
from chimera.trading.standstill import Standstill
from chimera.trading.venue import FeeRates, VenueOrder, VenuePosition, VenueSnapshot

SYMBOL = Symbol("BTCUSDT")
KEY = PositionKey(venue="binance", account=DEFAULT_ACCOUNT, market=Market.FUT, symbol=SYMBOL)
T0 = Millis(1_800_000_000_000)

BTC = Instrument(
    symbol=SYMBOL,
    market=Market.FUT,
    base="BTC",
    quote="USDT",
    tick=Decimal("0.1"),
    step=Decimal("0.001"),
    min_price=Price(Decimal("0.1")),
    max_price=Price(Decimal(1_000_000)),
    min_qty=Qty(Decimal("0.001")),
    max_qty=Qty(Decimal(1000)),
    market_max_qty=Qty(Decimal(100)),
    min_notional=Decimal(5),
)


DEFAULT_STOP = StopSpec()


def an_intent(  # a builder names what a test varies
    name: str = "i1",
    *,
    side: Side = Side.BUY,
    qty: str = "0.01",
    policy: ExecPolicy | None = None,
    stop: StopSpec | None = DEFAULT_STOP,
    target: TargetSpec | None = None,
    reduce_only: bool = False,
    max_hold_s: int | None = None,
) -> Intent:
    return Intent(
        intent_id=IntentId(name),
        client_order_id=ClientOrderId(f"s3-btc-{name}"),
        market=Market.FUT,
        symbol=SYMBOL,
        side=side,
        qty=Qty(Decimal(qty)),
        policy=policy or MarketNow(),
        created_ms=T0,
        stop=stop,
        target=target,
        reduce_only=reduce_only,
        max_hold_s=max_hold_s,
    )


class Desk:
    """State, time and the story so far."""

    def __init__(self) -> None:
        self.holding = Holding(key=KEY, survey_due_ms=Millis(T0 + 10**9))
        self.now = T0
        self.bid, self.ask = Decimal("65000.0"), Decimal("65000.1")
        self.depth = Decimal(5)  # at either touch
        self.told: list[Command] = []
        self.last: tuple[Command, ...] = ()
        self._trades = 0
        self.standstill = Standstill()
        self.forms, self.rules = FORMS, BTC
        self.available: Quote | None = None
        self.book: Book | None = None

    @property
    def scene(self) -> Scene:
        touch = Touch(
            bid=Price(self.bid), bid_qty=Qty(self.depth), ask=Price(self.ask), ask_qty=Qty(self.depth), at_ms=self.now
        )
        return Scene(
            now_ms=self.now,
            venue_now_ms=self.now,
            instrument=self.rules,
            fees=FeeRates(maker=Decimal("0.0002"), taker=Decimal("0.0005")),
            touch=touch,
            mark=Price(self.bid),
            standstill=self.standstill,
            available=self.available,
            forms=self.forms,
            book=self.book,
        )

    def hear(self, fact: Fact) -> tuple[Command, ...]:
        self.holding, self.last = advance(self.holding, fact, self.scene)
        self.told += self.last
        return self.last

    def submit(self, intent: Intent, *slices: str, wait_ms: int = 0, gap_ms: int = 0) -> tuple[Command, ...]:
        parts = tuple(Qty(Decimal(part)) for part in slices) or (intent.qty,)
        plan = Plan(
            slices=tuple(Slice(qty=part, after_ms=number * gap_ms) for number, part in enumerate(parts)),
            maker=Maker(wait_ms=wait_ms),
            deadline_ms=Millis(self.now + gap_ms * len(parts) + wait_ms + 10_000),
        )
        return self.work(intent, plan)

    def work(self, intent: Intent, plan: Plan) -> tuple[Command, ...]:
        return self.hear(Submitted(intent=intent, plan=plan, body_hash="h"))

    def later(self, ms: int) -> "Desk":
        self.now = Millis(self.now + ms)
        return self

    # ── what was asked of the venue ──

    def placed(self, role: Role) -> NewOrder:
        """The newest order placed in this role."""
        return next(c.order for c in reversed(self.told) if isinstance(c, Place) and c.role is role)

    def count(self, role: Role) -> int:
        return sum(isinstance(command, Place) and command.role is role for command in self.told)

    def canceled(self) -> list[str]:
        return [command.order.ref for command in self.told if isinstance(command, Cancel)]

    # ── what the venue says ──

    def word(self, order: NewOrder, status: Status, cum: str = "0") -> VenueOrder:
        return VenueOrder(
            symbol=order.symbol,
            ref=order.ref,
            conditional=order.conditional,
            venue_id=VenueOrderId(f"v-{order.ref}"),
            side=order.side,
            type=order.type,
            status=status,
            qty=order.qty,
            cum_qty=Qty(Decimal(cum)),
            price=order.price,
            trigger_price=order.trigger_price,
            reduce_only=order.reduce_only,
            close_position=order.form is Form.WHOLE,
            updated_ms=self.now,
        )

    def ack(self, order: NewOrder) -> tuple[Command, ...]:
        return self.hear(Found(order=self.word(order, Status.NEW)))

    def fill(self, order: NewOrder, qty: str, price: str = "65000.1") -> tuple[Command, ...]:
        known = self.holding.orders[order.ref].cum_qty if order.ref in self.holding.orders else Decimal(0)
        cum = known + Decimal(qty)
        status = Status.FILLED if cum >= order.qty else Status.PARTIALLY_FILLED
        self._trades += 1
        fill = self.a_fill(order, qty, price, f"{self._trades}")
        return self.hear(Reported(order=self.word(order, status, str(cum)), fill=fill))

    def a_fill(self, order: NewOrder, qty: str, price: str, trade: str) -> Fill:
        return Fill(
            trade_id=TradeId(trade),
            ref=order.ref,
            venue_id=VenueOrderId(f"v-{order.ref}"),
            market=Market.FUT,
            symbol=SYMBOL,
            side=order.side,
            price=Price(Decimal(price)),
            qty=Qty(Decimal(qty)),
            fee=Decimal(qty) * Decimal(price) * Decimal("0.0005"),
            fee_asset="USDT",
            realized_pnl=Quote(Decimal(0)),
            maker=False,
            at_ms=self.now,
        )

    def survey(self, *orders: VenueOrder, qty: str = "0", trades: tuple[Fill, ...] = ()) -> tuple[Command, ...]:
        position = VenuePosition(
            symbol=SYMBOL,
            qty=Decimal(qty),
            entry_px=Price(self.bid) if Decimal(qty) else None,
            mark_px=Price(self.bid),
            liquidation_px=None,
            updated_ms=self.now,
        )
        snapshot = VenueSnapshot(
            symbol=SYMBOL,
            asked_ms=self.now,
            orders=orders,
            position=position,
            trades=trades,
            trades_since_ms=Millis(0),
        )
        return self.hear(Surveyed(snapshot=snapshot))


def a_long(qty: str = "0.01", **wishes: object) -> Desk:
    """A desk with a filled entry, its stop (and target) live."""
    desk = Desk()
    desk.submit(an_intent(qty=qty, **wishes))  # type: ignore[arg-type]  # forwarded to the builder
    entry = desk.placed(Role.TAKER)
    desk.ack(entry)
    desk.fill(entry, qty)
    desk.ack(desk.placed(Role.STOP))
    if desk.count(Role.TARGET):
        desk.ack(desk.placed(Role.TARGET))
    return desk
