"""Where an account's money comes from and goes to, after any history, one-way and hedged, cross and isolated."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from trading_desk import Desk

from chimera.simulate.usdm import margin
from chimera.simulate.usdm.accounts import Account
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.simulate.venue.audit import Kind
from chimera.trading.market import next_funding_ms

D = Decimal
BTC = "BTCUSDT"
MONEY = {Kind.FUNDING, Kind.INSURANCE, Kind.TRANSFER}

lots = st.integers(1, 240).map(lambda n: f"{D(n) / 100}")
sides = st.sampled_from(["BUY", "SELL"])
holds = st.sampled_from(["LONG", "SHORT"])
actions = st.one_of(
    st.tuples(st.just("market"), sides, holds, lots),
    st.tuples(st.just("limit"), sides, holds, lots, st.integers(-300, 300)),
    st.tuples(st.just("stop"), sides, holds, lots, st.integers(-300, 300)),
    st.tuples(st.just("jump"), st.integers(-400, 400)),
    st.tuples(st.just("jump"), st.integers(-60, 60)),
    st.tuples(st.just("fund")),
    st.tuples(st.just("move"), st.integers(-3_000, 3_000)),
    st.tuples(st.just("margin"), holds, st.integers(1, 400), st.sampled_from([1, 2])),
    st.tuples(st.just("leverage"), st.integers(20, 125)),
    st.tuples(st.just("adl"), holds),
)
scripts = st.lists(actions, min_size=10, max_size=40)


class Life:
    """One account through a script."""

    def __init__(self, hedge: bool, isolated: bool) -> None:
        self.desk = Desk(account=READY_ACCOUNT.but(balance=D(5_000)))
        self.hedge, self.mid = hedge, D(65_800)
        if hedge:
            self.desk.ok("POST", "v1/positionSide/dual", dualSidePosition="true")
        if isolated:
            self.desk.ok("POST", "v1/marginType", symbol=BTC, marginType="ISOLATED")
        self.desk.ok("POST", "v1/leverage", symbol=BTC, leverage=75)
        self.quote()

    @property
    def account(self) -> Account:
        return self.desk.twin.usdm.floor.accounts["main"]

    def quote(self) -> None:
        self.desk.top(str(self.mid), str(self.mid + D("0.1")), "0.5", "0.5")
        self.desk.mark(str(self.mid))

    def side(self, held: str) -> dict[str, str]:
        return {"positionSide": held if self.hedge else "BOTH"}

    def act(self, action: tuple[Any, ...]) -> None:
        desk, exchange = self.desk, self.desk.twin.usdm
        desk.now += 300
        match action:
            case ("market", side, held, qty):
                desk.call("POST", "v1/order", **desk.market_terms(side, qty) | self.side(held))
            case ("limit", side, held, qty, offset):
                terms = desk.limit_terms(side, qty, str(self.mid + D(offset) / 10))
                desk.call("POST", "v1/order", **terms | self.side(held))
            case ("stop", side, held, qty, offset):
                terms = desk.stop_terms(side, str(self.mid + D(offset) / 10), quantity=qty)
                desk.call("POST", "v1/algoOrder", **terms | self.side(held))
            case ("jump", tenths):
                self.mid = (self.mid * (1 + D(tenths) / 10_000)).quantize(D("0.1"))
                self.quote()
            case ("fund",):
                desk.now = next_funding_ms(desk.now)
                desk.twin.tick(desk.now)
                self.quote()
            case ("move", amount):
                if -amount <= margin.withdrawable(exchange.floor, self.account):
                    exchange.floor.now_ms = desk.now
                    exchange.cash.transfer(self.account, D(amount), "DEPOSIT" if amount > 0 else "WITHDRAW")
            case ("margin", held, amount, kind):
                desk.call("POST", "v1/positionMargin", symbol=BTC, amount=amount, type=kind, **self.side(held))
            case ("leverage", leverage):
                desk.call("POST", "v1/leverage", symbol=BTC, leverage=leverage)
            case ("adl", held):
                position = self.account.position(
                    BTC, self.account.sides[-1] if held == "SHORT" else self.account.sides[0]
                )
                if position.qty:
                    exchange.deleverage(self.account, BTC, position.side)


def check(life: Life) -> None:
    """What holds at every moment."""
    account, floor = life.account, life.desk.twin.usdm.floor
    rows = sum((D(row["income"]) for row in account.income), D(0))
    assert account.wallet == 5_000 + rows
    held = [position for position in account.positions.values() if position.qty]
    assert all(position.set_aside >= 0 for position in account.positions.values())
    assert all(not position.set_aside for position in account.positions.values() if not position.qty)
    assert all(not (position.isolated and margin.isolated(floor, position).lost) for position in held)
    assert not margin.cross(floor, account).lost
    if not held:
        assert account.wallet >= 0
    assert margin.withdrawable(floor, account) >= 0
    for position in account.positions.values():
        opening = [
            order.leaves * order.price
            for order in floor.orders.open_of(account, BTC)
            if order.position_side is position.side and not order.reduces
        ]
        assert position.bids + position.asks == sum(opening, D(0))


@settings(max_examples=120, deadline=None)
@given(scripts, st.booleans(), st.booleans())
def test_the_wallet_is_what_came_in_and_what_the_income_tells(script, hedge, isolated):
    life = Life(hedge, isolated)
    for action in script:
        life.act(action)
        check(life)
    wallet = D(5_000)
    for record in life.desk.log():
        if record.kind is Kind.FILL:
            wallet += record.realized_pnl - record.fee
        elif record.kind in MONEY:
            wallet += record.qty
        else:
            continue
        assert record.wallet_after == wallet
    assert wallet == life.desk.wallet


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 30), st.integers(-40, 40)), min_size=1, max_size=30),
    st.sampled_from([("LONG", "BUY", "SELL"), ("SHORT", "SELL", "BUY")]),
    st.booleans(),
)
def test_one_way_and_hedge_give_the_same_cash_for_the_same_fills(script, direction, isolated):
    """Open and close one direction; what closes is never more than is held."""
    side, opens, closes = direction
    lives = [Life(hedge, isolated) for hedge in (False, True)]
    for opening, hundredths, tenths in script:
        qty = D(hundredths) / 200
        for life in lives:
            life.act(("jump", tenths))  # may liquidate
        if not opening and qty > abs(lives[0].account.position(BTC).qty):
            continue
        for life in lives:
            life.act(("market", opens if opening else closes, side, str(qty)))
        one, two = (life.account for life in lives)
        assert one.wallet == two.wallet
        assert [row["income"] for row in one.income] == [row["income"] for row in two.income]
        assert one.cross_wallet == two.cross_wallet


@settings(max_examples=80, deadline=None)
@given(scripts, st.booleans(), st.integers(-2_500, 2_500))
def test_an_isolated_liquidation_costs_what_was_set_aside_at_most(script, hedge, gap):
    life = Life(hedge, True)
    for action in script:
        life.act(action)
    account = life.account
    aside = sum((held.set_aside for held in account.positions.values()), D(0))
    life.desk.ok("DELETE", "v1/allOpenOrders", symbol=BTC)
    before, cross = account.wallet, account.cross_wallet
    algos = life.desk.ok("GET", "v1/openAlgoOrders")
    for algo in algos:
        life.desk.ok("DELETE", "v1/algoOrder", algoId=algo["algoId"])
    life.mid = (life.mid * (1 + D(gap) / 10_000)).quantize(D("0.1"))
    life.quote()
    assert account.wallet >= before - aside
    assert account.cross_wallet >= cross
    check(life)
