"""Two accounts against one moving market and each other, from a seed: both books must balance after every run."""

from collections import defaultdict
from decimal import Decimal
from random import Random

import pytest
from trading_desk import RICH, START_MS, Desk

from chimera.simulate.twin import Twin
from chimera.simulate.venue.account_spec import AccountSpec
from chimera.simulate.venue.audit import Kind
from chimera.trading.market import Side

D = Decimal
SECOND = AccountSpec(name="second", api_key="second-key", secret="second-secret", balance=D(100_000))
STEPS = 150


def price(ticks: int) -> str:
    return str(D(ticks) / 10)


class Run:
    """One seeded history."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        twin = Twin(seed=seed, now_ms=START_MS, accounts=(RICH, SECOND))
        self.desks = (Desk(twin, RICH), Desk(twin, SECOND))
        self.mid = 658_000
        self.move()
        for _ in range(STEPS):
            self.rng.choices((self.take, self.rest, self.guard, self.move, self.print), (4, 5, 3, 3, 2))[0]()

    def desk(self) -> Desk:
        now = max(desk.now for desk in self.desks) + self.rng.randint(0, 400)
        for desk in self.desks:
            desk.now = now
        return self.rng.choice(self.desks)

    def terms(self) -> tuple[str, str, str]:
        qty = str(D(self.rng.randint(1, 60)) / 1000)
        return self.rng.choice(("BUY", "SELL")), qty, price(self.mid + self.rng.randint(-30, 30))

    def take(self) -> None:
        desk, (side, qty, _) = self.desk(), self.terms()
        more = {"selfTradePreventionMode": self.rng.choice(("NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH"))}
        desk.call("POST", "v1/order", **desk.market_terms(side, qty) | more)

    def rest(self) -> None:
        desk, (side, qty, at) = self.desk(), self.terms()
        more = {"reduceOnly": self.rng.choice(("true", "false")), "newClientOrderId": f"c{self.rng.randint(0, 20)}"}
        desk.call("POST", "v1/order", **desk.limit_terms(side, qty, at) | more)

    def guard(self) -> None:
        desk, (_, qty, at) = self.desk(), self.terms()
        side = "SELL" if desk.position > 0 else "BUY"
        how = self.rng.choice(({"closePosition": "true"}, {"quantity": qty, "reduceOnly": "true"}, {"quantity": qty}))
        desk.call("POST", "v1/algoOrder", **desk.stop_terms(side, at, **how))

    def move(self) -> None:
        self.mid += self.rng.randint(-15, 15)
        sizes = [str(D(self.rng.randint(1, 40)) / 1000) for _ in range(2)]
        self.desk().top(price(self.mid - 1), price(self.mid + self.rng.randint(0, 5)), *sizes)

    def print(self) -> None:
        desk, (side, qty, _) = self.desk(), self.terms()
        desk.trade(price(self.mid + self.rng.randint(-5, 5)), qty, side)


@pytest.mark.parametrize("seed", range(20))
def test_both_books_balance(seed):
    run = Run(seed)
    floor = run.desks[0].twin.usdm.floor
    positions: dict[str, D] = defaultdict(D)
    wallets: dict[str, D] = defaultdict(lambda: D(100_000))
    fills = run.desks[0].log(Kind.FILL)
    assert fills
    for fill in fills:
        positions[fill.account] += fill.qty * Side(fill.side).sign
        wallets[fill.account] += fill.realized_pnl - fill.fee
        assert (fill.position_after, fill.wallet_after) == (positions[fill.account], wallets[fill.account])

    for account in floor.accounts.values():
        held = account.position("BTCUSDT")
        reserved: dict[str, D] = defaultdict(D)
        reducing: dict[Side, D] = defaultdict(D)
        for order in floor.orders.open_of(account):
            assert order.resting
            if order.reduce_only:
                reducing[order.side] += order.leaves
            else:
                reserved[order.side] += order.leaves * order.price
        assert (held.bids, held.asks) == (reserved["BUY"], reserved["SELL"])
        assert all(size <= held.room_to_reduce(side) for side, size in reducing.items())
        for algo in floor.algos.waiting_of(account):
            assert not algo.close_position or held.room_to_reduce(algo.side) > 0
    assert all(algo.waits for algo in floor.algos.open.values())


@pytest.mark.parametrize("seed", range(20))
def test_trades_between_accounts_have_two_sides(seed):
    """One trade id on two lines: same price and size, opposite sides, one maker."""
    by_trade = defaultdict(list)
    for fill in Run(seed).desks[0].log(Kind.FILL):
        by_trade[fill.trade_id].append(fill)
    for sides in by_trade.values():
        assert len(sides) in (1, 2)
        if len(sides) == 2:
            maker, taker = sides
            assert (maker.maker, taker.maker) == (True, False)
            assert (maker.price, maker.qty, maker.side) == (taker.price, taker.qty, Side(taker.side).opposite)
