"""The sweep at work: who is sent to look, what is taken over, what keeps entries away, and what is told once."""

import asyncio
from decimal import Decimal
from typing import Any, cast

import pytest

from chimera.admit.breaker import BreakerPolicy
from chimera.admit.limits import Exposure, LimitBook, Limits
from chimera.ports.venue import OrderReport
from chimera.reconcile.external import ExternalOrders
from chimera.reconcile.sweep import SweepPolicy
from chimera.services.router.barriers import Barriers
from chimera.services.router.breaking import Breaking
from chimera.services.router.sender import Gates, Sender
from chimera.services.router.sweeping import Sweeping
from chimera.trading.commands import Place
from chimera.trading.errors import ChimeraError, OutcomeUnknown
from chimera.trading.events import Alert, Severity
from chimera.trading.facts import Found, Gapped, PlaceRefused
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId, Symbol
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.order import NewOrder, OrderType, Role, Status
from chimera.trading.standstill import Standstill
from chimera.trading.venue import AccountSnapshot, VenueOrder, VenuePosition
from support.desk import BTC, KEY, SYMBOL, T0, Desk, a_long, an_intent
from support.grounds import a_ground
from support.standing import StubOwner

ETH = Symbol("ETHUSDT")


class Clock:
    at_ms = T0

    def now_ms(self) -> Millis:
        return Millis(self.at_ms)

    monotonic_ms = now_ms


class Account:
    """Owners of some positions, and a venue that says what it is told to."""

    def __init__(self, *holdings: Holding, external: ExternalOrders = ExternalOrders.ADOPT) -> None:
        self.owners: Any = {holding.key: StubOwner(holding) for holding in holdings}
        self.clock = Clock()
        self.told: list[Alert] = []
        self.taken: list[Symbol] = []
        self.looks = 0
        self.ground = ground = a_ground(self.owners, clock=self.clock, tell=self.told.append)
        self.barriers = ground.barriers
        self.answer: AccountSnapshot | ChimeraError = AccountSnapshot(asked_ms=T0, orders=(), positions=())
        policy = SweepPolicy(external=external)
        self.sweeping = Sweeping(ground, policy, records=cast("Any", self), take_over=self.take_over)

    async def whole(self) -> AccountSnapshot:
        self.looks += 1
        if isinstance(self.answer, ChimeraError):
            raise self.answer
        return self.answer

    async def take_over(self, symbol: Symbol) -> None:
        self.taken.append(symbol)

    async def look(self, *orders: VenueOrder, positions: tuple[VenuePosition, ...] = ()) -> None:
        self.clock.at_ms = Millis(self.clock.at_ms + 60_000)
        self.answer = AccountSnapshot(asked_ms=Millis(self.clock.at_ms), orders=orders, positions=positions)
        await self.sweeping.look()

    @property
    def codes(self) -> list[str]:
        return [alert.code for alert in self.told]


def held(symbol: Symbol, qty: str) -> VenuePosition:
    price = Price(Decimal(3000))
    return VenuePosition(
        symbol=symbol, qty=Decimal(qty), entry_px=price, mark_px=price, liquidation_px=None, updated_ms=T0
    )


def an_order(ref: str, symbol: Symbol = SYMBOL, **more: Any) -> VenueOrder:
    order = VenueOrder(
        symbol=symbol, ref=ClientOrderId(ref), conditional=False, venue_id=None, side=Side.BUY, type=OrderType.LIMIT,
        status=Status.NEW, qty=Qty(Decimal("0.5")), updated_ms=T0, price=Price(Decimal(60000)),
    )  # fmt: skip
    return order.but(**more)


@pytest.mark.req("S4-REC-2", "I14")
async def test_an_orphan_sends_its_owner_to_ask_and_nobody_else() -> None:
    """The sweep cancels nothing itself: only the owner knows which stop is a position's only one."""
    other = Desk().holding.but(key=KEY.but(symbol=ETH))
    account = Account(a_long().holding, other)
    stop = a_long().placed(Role.STOP)
    await account.look(a_long().word(stop, Status.NEW), an_order("s3-lost-m1"), positions=(held(SYMBOL, "0.01"),))
    assert [[type(fact) for fact in owner.heard] for owner in account.owners.values()] == [[Gapped], []]


@pytest.mark.req("S4-REC-2")
async def test_a_difference_is_shown_from_its_alert_until_a_look_finds_it_gone() -> None:
    account = Account(a_long("0.01").holding)
    stray = an_order("s3-btc-lost-s1")
    shown = []
    for orders in ([stray], [stray], [stray], []):
        await account.look(*orders)
        shown.append([row for row in account.sweeping.shown() if row["code"] == "ORPHAN_ORDER"])
    row = {"code": "ORPHAN_ORDER", "about": f"{SYMBOL} {stray.ref}"}
    assert shown == [[], [row], [row], []]
    assert account.codes.count("ORPHAN_ORDER") == 1


@pytest.mark.req("S4-REC-2", "I14")
async def test_what_the_account_has_on_a_symbol_without_an_owner_is_taken_over() -> None:
    """A position is protected under either policy; an order of ours there is adopted, and cancelled if it may be."""
    account = Account(Desk().holding, external=ExternalOrders.ISOLATE)
    await account.look(an_order("s3-lost-s1", Symbol("SOLUSDT")), positions=(held(ETH, "2"),))
    assert account.taken == [ETH, "SOLUSDT"]
    assert "POSITION_WITHOUT_OWNER" in account.codes


@pytest.mark.req("S4-REC-2")
async def test_what_is_not_ours_is_told_at_once_and_once_and_counts_until_it_is_gone() -> None:
    """SEC22: the stream tells of it as it appears, long before the next look."""
    account = Account(Desk().holding)
    account.sweeping.heard(OrderReport(order=an_order("web_1")))
    assert [(alert.code, alert.text) for alert in account.told] == [
        ("EXTERNAL_ORDER", "BTCUSDT BUY 0.5 at 60000: web_1 (not ours)")
    ]
    assert account.sweeping.external_qty(SYMBOL, Side.BUY) == Decimal("0.5")
    await account.look(an_order("web_1"))
    assert account.codes == ["EXTERNAL_ORDER"]
    assert account.barriers.before(SYMBOL) is None
    assert account.owners[KEY].heard == []
    account.sweeping.heard(OrderReport(order=an_order("web_1", status=Status.CANCELED)))
    assert account.sweeping.external_qty(SYMBOL, Side.BUY) == 0


@pytest.mark.req("S4-REC-2")
async def test_isolated_they_keep_entries_away_from_that_symbol_while_they_stand() -> None:
    account = Account(Desk().holding, external=ExternalOrders.ISOLATE)
    account.sweeping.heard(OrderReport(order=an_order("web_1")))
    refused = account.barriers.before(SYMBOL)
    assert refused is not None
    assert refused.code == "SYMBOL_ISOLATED"
    assert account.barriers.before(ETH) is None
    await account.look()
    assert account.barriers.before(SYMBOL) is None
    assert account.codes == ["EXTERNAL_ORDER", "SYMBOL_ISOLATED", "SYMBOL_ISOLATED_OVER"]


@pytest.mark.req("S4-REC-2")
async def test_isolated_a_position_that_no_intent_opened_keeps_entries_away_too() -> None:
    desk = Desk()
    for _ in range(3):
        desk.later(200).survey(qty="0.01")
    assert desk.holding.position.qty == Decimal("0.01")
    account = Account(desk.holding, external=ExternalOrders.ISOLATE)
    await account.look(positions=(held(SYMBOL, "0.01"),))
    assert account.barriers.before(SYMBOL) is not None


async def test_a_liquidation_on_a_symbol_that_nobody_owns_is_fatal() -> None:
    """B30; where somebody owns it, its own owner tells (``execute.telling``)."""
    account = Account(Desk().holding)
    desk = Desk()
    for symbol in (ETH, SYMBOL):
        order = an_order("autoclose-123", symbol, status=Status.FILLED, price=None)
        fill = desk.a_fill(desk_order(order), "0.5", "3000", "9").but(symbol=symbol)
        account.sweeping.heard(OrderReport(order=order, fill=fill))
    assert [(alert.severity, alert.code) for alert in account.told] == [(Severity.FATAL, "LIQUIDATION")]


def desk_order(order: VenueOrder) -> Any:
    return NewOrder(ref=order.ref, symbol=order.symbol, side=order.side, type=OrderType.MARKET, qty=order.qty)


async def test_looks_without_an_answer_are_told_after_the_third(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(Desk().holding)
    account.answer = OutcomeUnknown("no answer")
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 4:
            account.answer = AccountSnapshot(asked_ms=T0, orders=(), positions=())
        if len(slept) == 5:
            raise asyncio.CancelledError

    monkeypatch.setattr("chimera.services.router.sweeping.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await account.sweeping.run()
    assert account.codes == ["SWEEP_UNANSWERED"]
    assert slept == [5] * 5


@pytest.mark.req("S4-REC-2", "I14")
async def test_a_storm_of_trades_where_nobody_owns_the_symbol_is_one_look_in_five_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = Account(Desk().holding)
    account.ground.instruments[ETH] = BTC.but(symbol=ETH)
    order = an_order("web_1", ETH, status=Status.FILLED)
    report = OrderReport(order=order, fill=Desk().a_fill(desk_order(order), "0.5", "3000", "9").but(symbol=ETH))
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError
        for _ in range(100):
            account.sweeping.heard(report)

    monkeypatch.setattr("chimera.services.router.sweeping.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):  # else the next look is a minute away
            await account.sweeping.run()
    assert (slept, account.looks) == ([5] * 3, 3)


@pytest.mark.req("S4-REC-2", "S4-LIM-1", "I22")
@pytest.mark.parametrize(("others", "leaves"), [("0", True), ("0.02", False)])
async def test_at_the_last_hop_what_others_may_still_buy_counts_against_the_limits(others: str, leaves: bool) -> None:
    """B32. 0.01 of our own, at 65,000; the limit is 1,000 USDT."""
    desk = Desk()
    desk.submit(an_intent())
    sent: list[Any] = []

    async def place(order: Any, *, timeout_ms: int) -> VenueOrder:
        sent.append(order)
        return desk.word(order, Status.NEW)

    def by_others(symbol: Symbol, side: Side) -> Decimal:
        return Decimal(others) if (symbol, side) == (SYMBOL, Side.BUY) else Decimal(0)

    limits = Limits(
        max_order_notional=Quote(Decimal(1000)), max_position_notional=Quote(Decimal(1000)),
        max_gross_notional=Quote(Decimal(1000)),
        max_daily_loss=Quote(Decimal(100)), price_collar_bps=Decimal(100), max_orders_per_10s=100,
    )  # fmt: skip
    venue: Any = type("Venue", (), {"place": staticmethod(place)})()
    clock: Any = Clock()
    gates = Gates(
        Breaking(BreakerPolicy(), clock, lambda alert: None), Barriers(clock, lambda alert: None), Standstill,
        lambda holding, near: Exposure.of(holding, near, by_others),
    )  # fmt: skip
    sender = Sender(venue, cast("Any", None), LimitBook(limits), gates, clock, clock.now_ms)
    command = Place(order=desk.placed(Role.TAKER), role=Role.TAKER)
    fact = await sender.carry_out(command, lambda: desk.holding, lambda: Price(Decimal(65000)))
    assert bool(sent) is leaves
    assert isinstance(fact, Found if leaves else PlaceRefused)
