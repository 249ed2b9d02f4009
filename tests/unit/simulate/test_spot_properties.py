"""Whatever is asked in whatever order: money is neither made nor lost, and what is locked is what open orders need."""

import contextlib
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spot_desk import START_MS, D, SpotDesk

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.spot.admission import SpotTicket
from chimera.simulate.spot.exchange import ReplaceMode
from chimera.simulate.spot.holds import need
from chimera.simulate.spot.lists import ListOrderStatus
from chimera.simulate.spot.orders import Peg, PegOffset, PegPrice, SpotOrder
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.simulate.venue.orders import Status, Stp
from chimera.trading.market import Side

SIDES = st.sampled_from(["BUY", "SELL"])
QTYS = st.sampled_from(["0.01", "0.07", "0.3", "0.9"])
OFFSETS = st.sampled_from([-1_500, -300, -20, 0, 20, 300, 1_500])
PRICES = st.integers(57_000, 63_000).map(str)
STEPS = st.one_of(
    st.tuples(st.just("limit"), SIDES, QTYS, OFFSETS, st.sampled_from(["GTC", "IOC", "FOK"])),
    st.tuples(st.just("market"), SIDES, QTYS),
    st.tuples(st.just("quote"), SIDES, st.sampled_from(["50", "700", "4000"])),
    st.tuples(st.just("stop"), SIDES, QTYS, st.sampled_from([150, 900]), st.booleans()),
    st.tuples(st.just("trail"), SIDES, QTYS),
    st.tuples(st.just("oco"), SIDES, QTYS),
    st.tuples(st.just("list"), st.sampled_from(["OTO", "OTOCO", "OPO", "OPOCO"]), QTYS, OFFSETS),
    st.tuples(st.just("mirror"), st.booleans(), QTYS, OFFSETS),
    st.tuples(st.just("target"), SIDES, QTYS, st.sampled_from([200, 800]), st.sampled_from([0, 40])),
    st.tuples(st.just("peg"), SIDES, QTYS, st.booleans(), st.integers(0, 2)),
    st.tuples(st.just("both_wait"), SIDES, QTYS),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.tuples(st.just("amend"), st.integers(0, 9)),
    st.tuples(st.just("replace"), st.integers(0, 9), QTYS, OFFSETS),
    st.tuples(st.just("trade"), PRICES, st.sampled_from(["0.02", "0.5", "9"]), SIDES),
    st.tuples(st.just("top"), PRICES, st.sampled_from(["0.05", "1", "5"])),
)
OWNERS = st.booleans()
STPS = st.sampled_from(["NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "DECREMENT"])


class Walk:
    """Takes steps at a desk; refusals are answers."""

    def __init__(self) -> None:
        self.desk = SpotDesk()
        self.desk.top("59999.99", "60000.01")
        self.desk.trade("600", symbol="BNBUSDT")
        self.desk.other.bnb_discount = True
        self.lists = 0

    def step(self, step: tuple[object, ...], mine: bool, stp: str) -> None:
        kind, *terms = step
        self.account = self.desk.me if mine else self.desk.other
        self.stp = stp
        with contextlib.suppress(Refusal):
            getattr(self, str(kind))(*terms)

    def near(self, offset: int) -> str:
        return str((self.desk.pair.last or D(60_000)).quantize(D("0.01")) + offset)

    def place(self, side: str, type_: str, qty: str = "0", **more: object) -> None:
        self.desk.place(side, type_, qty, account=self.account, stp=self.stp, **more)

    def limit(self, side: str, qty: str, offset: int, tif: str) -> None:
        self.place(side, "LIMIT", qty, price=self.near(offset), tif=tif, **self.iceberg(qty, tif))

    def iceberg(self, qty: str, tif: str) -> dict[str, str]:
        return {"iceberg_qty": "0.1"} if qty == "0.3" and tif == "GTC" else {}

    def market(self, side: str, qty: str) -> None:
        self.place(side, "MARKET", qty)

    def quote(self, side: str, amount: str) -> None:
        self.place(side, "MARKET", quote_qty=amount)

    def stop(self, side: str, qty: str, away: int, limited: bool) -> None:
        stop = self.near(away if side == "BUY" else -away)
        more = {"price": self.near(0)} if limited else {}
        self.place(side, "STOP_LOSS_LIMIT" if limited else "STOP_LOSS", qty, stop_price=stop, **more)

    def trail(self, side: str, qty: str) -> None:
        self.place(side, "STOP_LOSS", qty, trailing_delta=50)

    def oco(self, side: str, qty: str) -> None:
        stop = self.desk.ticket(side, "STOP_LOSS", qty, stop_price=self.near(400 if side == "BUY" else -400))
        target = self.desk.ticket(side, "LIMIT_MAKER", qty, price=self.near(-400 if side == "BUY" else 400))
        self.list_of("OCO", *((stop, target) if side == "BUY" else (target, stop)))

    def list(self, kind: str, qty: str, offset: int) -> None:
        pending = "0" if kind.startswith("OP") else qty
        working = self.desk.ticket("BUY", "LIMIT", qty, price=self.near(offset))
        target = self.desk.ticket("SELL", "LIMIT_MAKER", pending, price=self.near(600))
        stop = self.desk.ticket("SELL", "STOP_LOSS", pending, stop_price=self.near(-600))
        self.list_of(kind, working, *((target, stop) if "OCO" in kind else (stop,)))

    def mirror(self, pair: bool, qty: str, offset: int) -> None:
        """A list that sells first: bought back below, or above; or at once."""
        working = self.desk.ticket("SELL", "LIMIT", qty, price=self.near(offset))
        stop = self.desk.ticket("BUY", "STOP_LOSS_LIMIT", qty, stop_price=self.near(600), price=self.near(700))
        target = self.desk.ticket("BUY", "LIMIT_MAKER", qty, price=self.near(-600))
        if pair:
            self.list_of("OTOCO", working, stop, target)
        else:
            self.list_of("OTO", working, self.desk.ticket("BUY", "MARKET", qty))

    def target(self, side: str, qty: str, away: int, trailing: int) -> None:
        stop = self.near(-away if side == "BUY" else away)
        self.place(side, "TAKE_PROFIT", qty, stop_price=stop, trailing_delta=trailing)

    def peg(self, side: str, qty: str, primary: bool, depth: int) -> None:
        peg = Peg(PegPrice.PRIMARY_PEG if primary else PegPrice.MARKET_PEG, PegOffset.PRICE_LEVEL, depth)
        if depth == 1:
            stop = self.near(300 if side == "BUY" else -300)
            self.place(side, "STOP_LOSS_LIMIT", qty, peg=replace(peg, offset_value=0), stop_price=stop)
        else:
            self.place(side, "LIMIT", qty, peg=peg)

    def both_wait(self, side: str, qty: str) -> None:
        """An OCO of two conditional legs, one of which trails."""
        away = 300 if side == "BUY" else -300
        stop = self.desk.ticket(side, "STOP_LOSS", qty, trailing_delta=60)
        target = self.desk.ticket(side, "TAKE_PROFIT_LIMIT", qty, stop_price=self.near(-away), price=self.near(-away))
        self.list_of("OCO", *((stop, target) if side == "BUY" else (target, stop)))

    def list_of(self, kind: str, *tickets: SpotTicket) -> None:
        self.lists += 1
        orders = [replace(ticket, account=self.account, stp=Stp(self.stp)) for ticket in tickets]
        self.desk.place_list(kind, *orders, client_id=f"l{self.lists}")

    def open_one(self, at: int) -> SpotOrder | None:
        found = self.desk.floor.orders.open_of(self.account)
        return found[at % len(found)] if found else None

    def cancel(self, at: int) -> None:
        order = self.open_one(at)
        if order is not None:
            self.desk.exchange.cancel(order)

    def amend(self, at: int) -> None:
        order = self.open_one(at)
        if order is not None:
            self.desk.exchange.amend(order, order.qty - D("0.005"))

    def replace(self, at: int, qty: str, offset: int) -> None:
        order = self.open_one(at)
        if order is not None:
            ticket = self.desk.ticket("BUY", "LIMIT", qty, price=self.near(offset), account=self.account)
            self.desk.exchange.replace(lambda: order, ticket, ReplaceMode.ALLOW_FAILURE)

    def trade(self, price: str, qty: str, taker: str) -> None:
        self.desk.trade(price, qty, Side(taker))

    def top(self, bid: str, size: str) -> None:
        self.desk.top(bid, str(D(bid) + D("0.02")), size)


def checked(desk: SpotDesk) -> None:
    floor = desk.floor
    for account in floor.accounts.values():
        held: dict[str, Decimal] = {}
        holds = {id(order.hold): order.hold for order in floor.orders.open_of(account)}
        for hold in holds.values():
            held[hold.asset] = held.get(hold.asset, D(0)) + hold.amount
            if not any(order.pending for order in hold.orders):
                assert hold.amount == max(need(order) for order in hold.orders)
        for asset, balance in account.balances.items():
            assert balance.free >= 0, (account.name, asset)
            assert balance.locked == held.get(asset, 0), (account.name, asset)
    for order in floor.orders.by_id.values():
        assert order.cum_qty + order.prevented_qty <= order.qty or order.status is Status.PENDING_NEW
        assert not (order.waits and order.resting)
        assert order.is_open or not (order.waits or order.resting)
        if order.status is Status.NEW:
            assert order.waits is not order.resting
    for held_list in floor.lists.by_id.values():
        any_open = any(order.is_open for order in held_list.orders)
        assert held_list.is_open is any_open
        assert (held_list.order_status is ListOrderStatus.ALL_DONE) is not any_open
        if held_list.kind.pairs:
            assert sum(leg.cum_qty > 0 for leg in held_list.legs) <= 1
        for leg in held_list.legs:
            if held_list.working is not None and leg.cum_qty:
                assert held_list.working.status is Status.FILLED
    assert not floor.touched
    assert not floor.filled


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(STEPS, OWNERS, STPS), min_size=5, max_size=60))
def test_money_is_kept_whatever_is_asked(steps: list[tuple[tuple[object, ...], bool, str]]) -> None:
    walk = Walk()
    for step, mine, stp in steps:
        walk.desk.floor.now_ms += 700
        walk.step(step, mine, stp)
        checked(walk.desk)
    assert _recomputed(list(walk.desk.audit.records)) == _standing(walk.desk)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(STEPS, OWNERS, STPS), min_size=5, max_size=40))
def test_the_same_calls_give_the_same_records_and_reports(
    steps: list[tuple[tuple[object, ...], bool, str]],
) -> None:
    walks = Walk(), Walk()
    for walk in walks:
        for step, mine, stp in steps:
            walk.step(step, mine, stp)
    assert walks[0].desk.audit.records == walks[1].desk.audit.records
    assert walks[0].desk.heard.said == walks[1].desk.heard.said


def _standing(desk: SpotDesk) -> dict[tuple[str, str], Decimal]:
    return {
        (account.name, asset): balance.total
        for account in desk.floor.accounts.values()
        for asset, balance in account.balances.items()
    }


def _recomputed(records: list[AuditRecord]) -> dict[tuple[str, str], Decimal]:
    """Balances from the audit alone."""
    totals: dict[tuple[str, str], Decimal] = {}

    def add(account: str, asset: str, amount: Decimal) -> None:
        totals[account, asset] = totals.get((account, asset), D(0)) + amount

    for record in records:
        assert record.market == "SPOT"
        if record.kind is Kind.OPEN_ACCOUNT:
            add(record.account, record.asset, record.wallet_after or D(0))
        if record.kind is Kind.TRANSFER:
            add(record.account, record.asset, record.qty or D(0))
        if record.kind is Kind.FILL:
            assert record.qty is not None
            assert record.price is not None
            sign = 1 if record.side == "BUY" else -1
            add(record.account, "BTC", record.qty * sign)
            add(record.account, "USDT", -record.qty * record.price * sign)
            add(record.account, record.fee_asset, -(record.fee or D(0)))
            if record.fee_asset == "BNB":
                assert totals[record.account, "BTC"] == record.position_after
            assert totals[record.account, "USDT"] == record.wallet_after
    return totals


def test_an_average_forgets_what_is_older_than_its_window() -> None:
    desk = SpotDesk()
    desk.trade("50000", "1")
    desk.floor.now_ms = START_MS + 60_000
    desk.trade("60000", "1")
    assert desk.pair.average(desk.floor.now_ms) == D(55_000)
    assert desk.pair.average(START_MS + 5 * 60_000 + 1_000) == D(60_000)


@pytest.mark.parametrize("first", ["target", "stop"])
def test_a_jump_over_both_legs_fills_one(first: str) -> None:
    """The market trades through the target and then the stop within one event each."""
    desk = SpotDesk()
    desk.top("59999.99", "60000.01")
    desk.trade("60000")
    held = desk.oco("0.1")
    for price in ("65000", "55000") if first == "target" else ("55000", "65000"):
        desk.trade(price, "9", Side.BUY if price == "65000" else Side.SELL)
    assert sorted(str(leg.status) for leg in held.legs) == ["EXPIRED", "FILLED"]
    assert desk.money("BTC") == (D("0.9"), D(0))
