"""The cash ledger in the world: after trades, fees, funding, transfers, a liquidation and deaths it is the wallet."""

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from chimera.adapters.memory.faults import NoFaults
from chimera.reconcile.balances import added
from chimera.reconcile.cash import of_fill
from chimera.reconcile.pnl import By, Fold
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.trading.cash import Account, Entry, Kind
from chimera.trading.intent import PositionSide
from chimera.trading.market import Side
from chimera.trading.money import ZERO, Millis
from chimera.wire import keys
from chimera.wire.cash import read_entry
from chimera.wire.paging import FOREVER
from support.incident_stage import SYMBOL, Stage, Story, Told, a_wish, play, policy_of, steps, without
from world.plan import KillAt

pytestmark = pytest.mark.req("LED-1")


def account_of(stage: Stage) -> Any:
    return stage.world.twin.usdm.floor.accounts[READY_ACCOUNT.name]


def of_hand(amount: str) -> Any:
    """Money comes into the futures wallet, or leaves it."""

    async def move(stage: Stage) -> None:
        stage.world.twin.usdm.cash.transfer(account_of(stage), Decimal(amount), "DEPOSIT")

    return move


def funding(amount: str) -> Any:
    """As the venue charges it."""

    async def pay(stage: Stage) -> None:
        exchange, account = stage.world.twin.usdm, account_of(stage)
        held = account.position(SYMBOL, PositionSide.BOTH)
        exchange.cash.fund(account, held, Decimal(amount), stage.world.clock.now_ms())

    return pay


async def bare(stage: Stage) -> None:
    stage.cancel_all_algos()


def entries_of(told: Told) -> list[Entry]:
    """By time."""
    ledger = told.stage.world.ledger
    ledger.faults = NoFaults()
    span = ledger.span(keys.CASH, since_ms=Millis(0), until_ms=FOREVER, limit=100_000)
    return [read_entry(row.document) for row in asyncio.run(span)]


def balances_of(entries: list[Entry]) -> dict[str, Decimal]:
    """By account, of USDT."""
    sums: Counter[str] = Counter()
    for place, amount in added({}, entries).items():
        assert place.asset == "USDT"
        sums[place.account] += amount  # type: ignore[assignment]  # decimals count, too
    return dict(sums)  # type: ignore[arg-type]


CAMPAIGN = Story(
    wishes=(
        a_wish(0, 3.0, hold_s=20, policy=policy_of()),
        a_wish(1, 12.0, side=Side.BUY, qty=steps(7), hold_s=9),
        a_wish(2, 70.0, hold_s=300),
    ),
    moves=((8.0, 8), (26.0, -5), (84.0, -700), (90.0, -690)),
    hands=((15.0, funding("-1.23456789")), (30.0, of_hand("250.5")), (75.0, funding("0.00000001")), (81.0, bare)),
    blows=(KillAt(at_s=18.0), KillAt(at_s=80.5)),
    down_ms=6_000,
    rough_s=110.0,
    calm_s=420.0,
    bare_s=60.0,
)


@pytest.fixture(scope="module")
def campaign() -> Told:
    return play(CAMPAIGN)


def test_the_books_are_the_venues_wallet_to_the_last_digit(campaign: Told) -> None:
    entries = entries_of(campaign)
    sums = balances_of(entries)

    assert {entry.of for entry in entries if entry.kind is Kind.INCOME} == {
        "COMMISSION", "REALIZED_PNL", "FUNDING_FEE", "TRANSFER", "INSURANCE_CLEAR",
    }  # fmt: skip
    assert sums[Account.WALLET] == account_of(campaign.stage).wallet
    assert sums[Account.TRADES] == 0  # what trades tell is what the venue lists
    assert sums.get(Account.AVERAGING, ZERO) == 0
    assert sum(sums.values(), ZERO) == 0
    assert [entry for entry in entries if entry.kind is Kind.ADJUSTMENT] == []
    assert [alert for alert in campaign.stage.alerts if alert["code"] in ("MONEY_DRIFT", "CASH_RECOUNT")] == []


def test_each_account_is_what_the_venue_lists(campaign: Told) -> None:
    sums = balances_of(entries_of(campaign))
    listed: Counter[str] = Counter()
    for row in account_of(campaign.stage).income:
        listed[row["incomeType"]] += Decimal(row["income"])  # type: ignore[assignment]  # decimals count, too

    assert -sums[Account.FUNDING] == listed["FUNDING_FEE"]
    assert -sums[Account.FEES] == listed["COMMISSION"]
    assert -sums[Account.LIQUIDATION] == listed["INSURANCE_CLEAR"] != 0
    assert -(sums[Account.REALIZED] + sums.get(Account.AVERAGING, ZERO)) == listed["REALIZED_PNL"]
    assert -sums[Account.TRANSFERS] == Decimal("250.5")


@pytest.mark.req("LED-2")
def test_profit_and_loss_by_day_strategy_and_position_is_the_same_money(campaign: Told) -> None:
    entries = entries_of(campaign)
    changed = account_of(campaign.stage).wallet - READY_ACCOUNT.balance - Decimal("250.5")
    for by in By:
        fold = Fold(by)
        for entry in entries:
            fold.take(entry)
        lines = fold.lines()
        net = sum((line.venue_realized + line.net - line.realized for line in lines), ZERO)
        assert net == changed, by
        assert all(line.key for line in lines), by
    fold = Fold(By.POSITION)
    for entry in entries:
        fold.take(entry)
    *_, last = sorted(fold.lines(), key=lambda line: line.last_ms)
    assert last.liquidation != 0
    assert last.funding == Decimal("0.00000001")


def test_a_trade_told_by_nobody_but_the_list_is_put_aside_once_and_told() -> None:
    def of_nothing(account: Any, told: Any) -> Entry:
        return of_fill(account, told).but(postings=())

    seams: tuple[Any, ...] = (
        ("chimera.services.router.relay", "of_fill", of_nothing),
        ("chimera.services.router.cash_book", "YOUNG_MS", 0),
    )
    with without(*seams):
        told = play(Story(wishes=(a_wish(),), calm_s=500.0))

    drifts = [str(alert["text"]) for alert in told.stage.alerts if alert["code"] == "MONEY_DRIFT"]
    assert len(drifts) == 1
    assert "by our books, the venue's income lists" in drifts[0]
    sums = balances_of(entries_of(told))
    assert sums[Account.TRADES] == 0
    assert sums[Account.WALLET] == account_of(told.stage).wallet
