"""The cash ledger's entries sum to zero, are the venue's money, and the same in any order and however often told."""

import asyncio
import random
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.cli.report import together
from chimera.ports.streams import Bus
from chimera.reconcile.balances import Place, Unmatched, added, books, match_difference, unmatched, wallet_difference
from chimera.reconcile.cash import of_dust, of_fill, of_income, unknown
from chimera.reconcile.money import Reading
from chimera.reconcile.pnl import By, Fold, Line
from chimera.services.router.cash_book import CashBook
from chimera.services.router.cash_desk import line_row
from chimera.services.router.relay import Relay
from chimera.simulate.usdm.accounts import Position as VenuePosition
from chimera.simulate.usdm.accounts import Terms
from chimera.trading.booking import Booking, effects_of, shares_of
from chimera.trading.cash import Account, Entry, Kind, Posting, by_asset, shared
from chimera.trading.events import Alert, DustLeft, Event, FillRecorded
from chimera.trading.fill import Fill
from chimera.trading.ids import (
    DEFAULT_ACCOUNT,
    ClientOrderId,
    IntentId,
    PositionKey,
    StrategyId,
    Symbol,
    TradeId,
    VenueOrderId,
)
from chimera.trading.intent import PositionSide
from chimera.trading.market import Market, Side
from chimera.trading.money import DAY_MS, ZERO, Millis, Price, Qty, Quote
from chimera.trading.position import Position, adopted_lot
from chimera.trading.venue import Income
from chimera.wire.answers import exact
from support.grounds import a_ground

pytestmark = pytest.mark.req("LED-1")

BTC = Symbol("BTCUSDT")
KEY = PositionKey(venue="binance", account=DEFAULT_ACCOUNT, market=Market.FUT, symbol=BTC)
T0 = 1_795_000_000_000

trades = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.integers(1, 9),  # thousandths
        st.integers(600, 700),
        st.sampled_from(["USDT", "BNB"]),
        st.sampled_from(["a", "b", "c"]),  # intents
    ),
    min_size=1,
    max_size=14,
)


def a_fill(number: int, side: Side, qty: str, price: str, *, market: Market = Market.FUT, **more: Any) -> Fill:
    base = Fill(
        trade_id=TradeId(str(number)), ref=ClientOrderId("a-t1"), venue_id=VenueOrderId("1"), market=market, symbol=BTC,
        side=side, price=Price(Decimal(price)), qty=Qty(Decimal(qty)), fee=Decimal("0.03"), fee_asset="USDT",
        realized_pnl=Quote(ZERO), maker=False, at_ms=Millis(T0 + number * 3_600_000),
    )  # fmt: skip
    return base.but(**more)


class Story:
    """Trades of several strategies in one symbol, as we tell them and as the venue lists them."""

    def __init__(self, market: Market = Market.FUT) -> None:
        self.position = Position()
        self.venue = VenuePosition(Terms(BTC), PositionSide.BOTH)
        self.told: list[FillRecorded] = []
        self.rows: list[Income] = []
        self.market = market
        self.openings = 0

    def trade(self, side: Side, qty: str, price: str, intent: str = "a", **more: Any) -> FillRecorded:
        number = len(self.told) + 1
        realized = self.venue.apply(side, Decimal(qty), Decimal(price), ZERO)
        fill = a_fill(number, side, qty, price, market=self.market, realized_pnl=realized, **more)
        lot = adopted_lot(fill).but(intent_id=IntentId(intent), strategy_id=StrategyId(f"s-{intent}"))
        before, self.position = self.position, self.position.apply(fill, lot)
        self.openings += not before.lots
        booking = Booking(
            position=f"p{self.openings}",
            base="BTC",
            quote="USDT",
            effects=effects_of(before, self.position, fill),
            held=shares_of(self.position),
        )
        told = FillRecorded(
            fill=fill, intent_id=IntentId(intent), strategy_id=lot.strategy_id, mid_at_send=None, slippage_bps=None,
            booking=booking,
        )  # fmt: skip
        self.told.append(told)
        named = {"symbol": BTC, "trade_id": fill.trade_id, "at_ms": fill.at_ms}
        if realized:
            self.rows.append(a_row("REALIZED_PNL", realized, number, **named))
        if fill.fee:
            self.rows.append(a_row("COMMISSION", -fill.fee, number, asset=fill.fee_asset, **named))
        return told

    @property
    def entries(self) -> list[Entry]:
        return [*(of_fill(DEFAULT_ACCOUNT, told) for told in self.told), *map(of_row, self.rows)]


def a_row(kind: str, amount: Decimal, number: int, **more: Any) -> Income:
    base = Income(id=f"{kind}:{number}", kind=kind, amount=amount, asset="USDT", at_ms=Millis(T0 + number * 3_600_000))
    return base.but(**more)


def of_row(row: Income) -> Entry:
    return of_income(DEFAULT_ACCOUNT, Market.FUT, row)


def told_story(drawn: Any, market: Market = Market.FUT) -> Story:
    story = Story(market)
    for side, qty, price, fee_asset, intent in drawn:
        story.trade(side, str(Decimal(qty) / 1000), str(price * 100), intent, fee_asset=fee_asset)
        if len(story.told) % 3 == 0:
            story.rows.append(a_row("FUNDING_FEE", Decimal("-0.12345678"), len(story.told), symbol=BTC))
    return story


def sums(entries: Any) -> dict[tuple[str, str], Decimal]:
    found: dict[tuple[str, str], Decimal] = {}
    for place, amount in added({}, entries).items():
        key = (str(place.account), place.asset)
        found[key] = found.get(key, ZERO) + amount
    return found


@given(trades)
def test_every_entry_sums_to_zero_and_the_wallet_moves_as_the_list_says(drawn: Any) -> None:
    story = told_story(drawn)
    entries = story.entries
    assert all(not any(by_asset(entry.postings).values()) for entry in entries)
    held = sums(entries)
    for asset in ("USDT", "BNB"):
        assert held.get(("wallet", asset), ZERO) == sum((row.amount for row in story.rows if row.asset == asset), ZERO)
        assert held.get(("trades", asset), ZERO) == 0
    assert -held.get(("realised", "USDT"), ZERO) == story.position.realized
    if not story.position.lots:  # the mean entry and the lots agree again, but for the venue's rounding
        assert abs(held.get(("averaging", "USDT"), ZERO)) < Decimal("0.000001")


@given(trades, st.randoms(use_true_random=False), st.data())
def test_any_order_and_any_repetition_are_the_same_books(drawn: Any, rng: random.Random, data: Any) -> None:
    entries = told_story(drawn).entries
    again = [*entries, *data.draw(st.lists(st.sampled_from(entries), max_size=9))]
    rng.shuffle(again)
    once = list({entry.id: entry for entry in again}.values())
    assert added({}, once) == added({}, entries)


@settings(max_examples=25, deadline=None)
@given(trades, st.randoms(use_true_random=False))
def test_the_stored_books_are_the_same_whatever_comes_first_or_twice(drawn: Any, rng: random.Random) -> None:
    """Through the relay and the book, with a restart between any two of them."""
    story = told_story(drawn)
    news: list[Any] = [*story.told, *story.rows, *story.told[:3], *story.rows[:3]]
    rng.shuffle(news)

    async def tell() -> Any:
        ledger = MemoryLedger()
        relay = Relay(ledger, cast("Bus", _Deaf()))
        book = CashBook(a_ground(), ledger, "USDT")
        await book.load()
        for number, each in enumerate(news):
            if isinstance(each, Income):
                await book.book([each])
            else:
                await relay.keep(KEY, Event(seq=number + 1, at_ms=Millis(T0), body=each))
            if rng.random() < 0.2:
                await book.settle(Millis(0), Millis(0), None, (), quiet=True)
                book = CashBook(a_ground(), ledger, "USDT")
                await book.load()
        kept = await book.now()
        await book.recount()
        return kept, await book.now()

    kept, counted = asyncio.run(tell())
    assert kept == counted == added({}, story.entries)


class _Deaf:
    """Hears nothing and takes everything."""

    async def publish(self, stream: str, event_id: str, fields: Any) -> bool:
        return True


@given(trades)
def test_spot_moves_the_wallet_by_what_was_bought_and_paid(drawn: Any) -> None:
    story = told_story(drawn, Market.SPOT)
    held = sums(of_fill(DEFAULT_ACCOUNT, told) for told in story.told)
    fills = [told.fill for told in story.told]
    for asset, moved in (
        ("BTC", sum((fill.qty * fill.side.sign for fill in fills), ZERO)),
        ("USDT", -sum((fill.qty * fill.price * fill.side.sign for fill in fills), ZERO)),
        ("BNB", ZERO),
    ):
        fees = sum((fill.fee for fill in fills if fill.fee_asset == asset), ZERO)
        assert held.get(("wallet", asset), ZERO) == moved - fees
        assert held.get(("fees", asset), ZERO) == fees
    cost = sum((lot.cost * lot.side.sign for lot in story.position.lots), ZERO)
    assert held[("exchange", "USDT")] == cost  # what is held stands at what it cost


def test_a_spot_fee_in_the_coin_itself_and_dust_leave_nothing_in_the_books_of_trading() -> None:
    bought = a_fill(1, Side.BUY, "0.010", "65000", market=Market.SPOT, fee=Decimal("0.00001"), fee_asset="BTC")
    booking = Booking(position="p1", base="BTC", quote="USDT")
    lot = adopted_lot(bought).but(qty=Qty(Decimal("0.00999")), cost=Quote(Decimal("650")))
    first = booking.but(effects=effects_of(Position(), Position(lots=(lot,)), bought))
    rest = lot.without(Decimal("0.009"))
    sold = a_fill(2, Side.SELL, "0.009", "66000", market=Market.SPOT, fee=ZERO)
    second = booking.but(effects=effects_of(Position(lots=(lot,)), Position(lots=(rest,)), sold))
    told = [
        FillRecorded(fill=fill, intent_id=None, strategy_id=StrategyId("s"), mid_at_send=None, slippage_bps=None,
                     booking=of)
        for fill, of in ((bought, first), (sold, second))
    ]  # fmt: skip
    left = DustLeft(qty=rest.qty, cost=rest.cost, position="p1", base="BTC", quote="USDT")
    dust = of_dust(DEFAULT_ACCOUNT, Market.SPOT, BTC, left, Millis(T0))
    held = sums([*(of_fill(DEFAULT_ACCOUNT, each) for each in told), dust])
    assert held[("wallet", "BTC")] == Decimal("0.00099")
    assert held[("exchange", "USDT")] == 0
    assert held[("dust", "USDT")] == rest.cost
    assert -held[("realised", "USDT")] == Decimal("594") - (Decimal(650) - rest.cost)


@pytest.mark.parametrize(
    ("kind", "account"),
    [
        ("FUNDING_FEE", "funding"), ("SPECIAL_FUNDING_FEE", "funding"), ("TRANSFER", "transfers"),
        ("INSURANCE_CLEAR", "liquidation"), ("COMMISSION_REBATE", "fees"), ("COMMISSION", "fees"),
        ("REALIZED_PNL", "realised"), ("WELCOME_BONUS", "external"), ("WHATEVER", "external"),
    ],
)  # fmt: skip
def test_each_kind_of_movement_has_its_account(kind: str, account: str) -> None:
    row = a_row(kind, Decimal("-1.5"), 1)
    held = sums([of_row(row)])
    assert held == {("wallet", "USDT"): Decimal("-1.5"), (account, "USDT"): Decimal("1.5")}
    assert unknown(row) is (account == "external")


def test_a_trade_told_by_a_version_without_lots_is_its_orders_strategys() -> None:
    fill = a_fill(1, Side.SELL, "0.1", "100", realized_pnl=Quote(Decimal(5)))
    told = FillRecorded(fill=fill, intent_id=None, strategy_id=StrategyId("s"), mid_at_send=None, slippage_bps=None)
    entry = of_fill(DEFAULT_ACCOUNT, told)
    assert {part.strategy_id for part in entry.postings if part.account is Account.REALIZED} == {"s"}
    assert sums([entry])[("averaging", "USDT")] == 0 if ("averaging", "USDT") in sums([entry]) else True


def test_no_product_is_too_long_for_the_books() -> None:
    story = Story(Market.SPOT)
    told = story.trade(Side.BUY, "1234567890123.12345679", "123456.12345679")
    held = sums([of_fill(DEFAULT_ACCOUNT, told)])
    assert held[("wallet", "USDT")] + held[("exchange", "USDT")] + held[("fees", "USDT")] == 0


def test_an_entry_that_does_not_sum_to_zero_cannot_be() -> None:
    one = Posting(account=Account.WALLET, asset="USDT", amount=Decimal(1))
    with pytest.raises(ValueError, match="does not sum to zero"):
        Entry(id="x", kind=Kind.FILL, account_id=DEFAULT_ACCOUNT, market=Market.FUT, at_ms=Millis(1), postings=(one,))


@given(st.decimals(-1000, 1000, places=8), st.lists(st.integers(1, 9).map(Decimal), min_size=1, max_size=5))
def test_shares_lose_nothing(amount: Decimal, weights: list[Decimal]) -> None:
    assert sum(shared(amount, weights)) == amount


# ── what the venue says of it ──


def the_books(**amounts: str) -> Any:
    totals = {
        Place(DEFAULT_ACCOUNT, Market.FUT, Account(name), "USDT", "" if name == "wallet" else "BTCUSDT"): Decimal(
            amount
        )
        for name, amount in amounts.items()
    }
    return books(totals, DEFAULT_ACCOUNT, Market.FUT)


def test_books_begin_with_what_stands_there_and_a_difference_is_told_with_both_numbers() -> None:
    seen = Reading(wallet=Decimal("100.5"), at_ms=Millis(T0))
    opening, silent = wallet_difference(the_books(wallet="-3"), seen, "USDT", opened=False)
    assert opening is not None
    assert (sums([opening])[("wallet", "USDT")], silent) == (Decimal("103.5"), "")
    drift, told = wallet_difference(the_books(wallet="98"), seen, "USDT", opened=True)
    assert drift is not None
    assert sums([drift])[("external", "USDT")] == Decimal("-2.5")
    assert told == "the wallet is 100.5 USDT at the venue and 98 in the books"
    assert wallet_difference(the_books(wallet="100.5"), seen, "USDT", opened=True) == (None, "")
    last_digit, silent = wallet_difference(the_books(wallet="100.50000001"), seen, "USDT", opened=True)
    assert last_digit is not None
    assert silent == ""


def test_what_trades_and_the_list_tell_differently_must_stay_and_is_told_with_both_numbers() -> None:
    kept = the_books(trades="-2", realised="-10", fees="1")
    first = unmatched(kept, (), "USDT")
    assert first == (Unmatched(symbol=BTC, amount=Decimal(-2)),)
    (stood,) = unmatched(kept, first, "USDT")
    assert stood.looks == 2
    assert unmatched(the_books(trades="-3"), first, "USDT")[0].looks == 1
    entry, told = match_difference(kept, stood, "USDT", Millis(T0), ours={BTC}, told=ZERO)
    assert sums([entry])[("trades", "USDT")] == 2
    assert told == "trades of BTCUSDT brought 9 USDT by our books, the venue's income lists 11"
    assert match_difference(kept, stood, "USDT", Millis(T0), ours=(), told=ZERO)[1] == ""
    assert match_difference(kept, stood, "USDT", Millis(T0), ours={BTC}, told=Decimal(2))[1] == ""


def test_sums_that_a_recount_contradicts_are_told_and_replaced() -> None:
    alerts: list[Alert] = []

    async def count() -> Any:
        ledger = MemoryLedger()
        book = CashBook(a_ground(tell=alerts.append), ledger, "USDT")
        await book.load()
        await book.book([a_row("TRANSFER", Decimal(5), 1), a_row("ODD", Decimal(1), 2), a_row("ODD", Decimal(1), 3)])
        await book.now()
        book.totals = {place: amount + 1 for place, amount in book.totals.items()}
        await book.recount()
        return await book.now()

    totals = asyncio.run(count())
    assert totals[Place(DEFAULT_ACCOUNT, Market.FUT, Account.WALLET, "USDT", "")] == 7
    assert [alert.code for alert in alerts] == ["CASH_UNKNOWN", *["CASH_RECOUNT"] * 3]
    assert "kept as 8, its entries sum to 7" in " ".join(alert.text for alert in alerts)


# ── profit and loss ──


def lines_of(entries: list[Entry], by: By) -> tuple[Line, ...]:
    fold = Fold(by)
    for entry in sorted(entries, key=lambda entry: entry.at_ms):
        fold.take(entry)
    return fold.lines()


def told_in_parts(entries: list[Entry], by: By, cut: int) -> list[dict[str, Any]]:
    """In two answers, added up as the command line does; the second knows the last trade before it as the desk does."""
    ordered = sorted(entries, key=lambda entry: entry.at_ms)
    rows: list[dict[str, Any]] = []
    for part in (ordered[:cut], ordered[cut:]):
        fold = Fold(by)
        for entry in part:
            if (where := fold.lacks(entry)) is not None:
                before = [one for one in ordered[: ordered.index(entry)] if one.kind is Kind.FILL]
                fold.knows(where, before[-1] if before else None)
            fold.take(entry)
        rows += [exact(line_row(by, line)) for line in fold.lines()]
    return together(rows, by.value)


@pytest.mark.req("LED-2")
@given(trades, st.sampled_from(By), st.integers(0, 20))
def test_profit_and_loss_is_the_same_money_by_whatever_and_in_parts(drawn: Any, by: By, cut: int) -> None:
    story = told_story(drawn)
    entries = story.entries
    whole = lines_of(entries, by)
    moved = sum((row.amount for row in story.rows if row.asset == "USDT"), ZERO)
    usdt = [line for line in whole if line.asset == "USDT"]
    assert sum((line.net - line.realized + line.venue_realized for line in usdt), ZERO) == moved
    assert sum((line.realized for line in usdt), ZERO) == story.position.realized
    in_parts = told_in_parts(entries, by, cut)
    assert sum((row["net"] for row in in_parts), ZERO) == sum((line.net for line in whole), ZERO)
    if by is By.DAY:
        assert all(int(line.key) % DAY_MS == 0 for line in whole)
        assert in_parts == [exact(line_row(by, line)) for line in whole]


@pytest.mark.req("LED-2")
def test_two_strategies_share_one_position_and_its_funding() -> None:
    story = Story()
    story.trade(Side.BUY, "0.3", "100", "a")
    story.trade(Side.BUY, "0.1", "120", "b")
    story.rows.append(a_row("FUNDING_FEE", Decimal("-0.4"), 2, symbol=BTC, at_ms=Millis(T0 + 8_000_000)))
    story.trade(Side.SELL, "0.4", "130", "x")

    by_strategy = {line.key: line for line in lines_of(story.entries, By.STRATEGY)}
    assert by_strategy["s-a"].realized == 9  # 30 x 0.3, by lot
    assert by_strategy["s-b"].realized == 1  # 10 x 0.1
    assert (by_strategy["s-a"].funding, by_strategy["s-b"].funding) == (Decimal("-0.3"), Decimal("-0.1"))
    assert by_strategy["s-a"].fees == Decimal("-0.03") - Decimal("0.0225")
    assert "s-x" not in by_strategy
    [position] = lines_of(story.entries, By.POSITION)
    assert (position.key, position.symbol, position.trades) == ("p1", "BTCUSDT", 3)
    assert position.realized == position.venue_realized == 10
    assert position.net == 10 - Decimal("0.09") - Decimal("0.4")
