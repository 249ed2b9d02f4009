"""Wallet, income and our trades: what adds up says nothing, what does not is told once it has stayed."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.reconcile.money import (
    AGREED_MS,
    MARGIN_MS,
    Cash,
    Drift,
    Reading,
    look,
    midnight_ms,
    since_ms,
    untold,
    untraded_today,
)
from chimera.trading.fill import Fill
from chimera.trading.ids import ClientOrderId, Symbol, TradeId, VenueOrderId
from chimera.trading.market import Market, Side
from chimera.trading.money import DAY_MS, ZERO, Millis, Price, Qty, Quote
from chimera.trading.venue import Income

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
MINUTE = 60_000


def row(amount: str, at_ms: int, kind: str = "TRANSFER", **more: object) -> Income:
    base = Income(id=f"{kind}:{at_ms}:{amount}", kind=kind, amount=Decimal(amount), asset="USDT", at_ms=Millis(at_ms))
    return base.but(**more)


def a_fill(trade: str, at_ms: int, *, fee: str = "0.3", realized: str = "0") -> Fill:
    return Fill(
        trade_id=TradeId(trade), ref=ClientOrderId("a-t1"), venue_id=VenueOrderId("1"), market=Market.FUT, symbol=BTC,
        side=Side.BUY, price=Price(Decimal(100)), qty=Qty(Decimal(1)), fee=Decimal(fee), fee_asset="USDT",
        realized_pnl=Quote(Decimal(realized)), maker=False, at_ms=Millis(at_ms),
    )  # fmt: skip


def of_trade(trade: str, at_ms: int, *, fee: str = "0.3", realized: str = "0") -> list[Income]:
    named = {"symbol": BTC, "trade_id": TradeId(trade)}
    rows = [row(f"-{fee}", at_ms, "COMMISSION", **named)]
    return rows + ([row(realized, at_ms, "REALIZED_PNL", **named)] if realized != "0" else [])


def looks(wallets: list[str], rows: list[Income]) -> tuple[Cash, list[Drift]]:
    """One look a minute, each told every row that is dated before it."""
    cash, drifts = Cash(), []
    for number, wallet in enumerate(wallets):
        now = number * MINUTE
        known = [each for each in rows if each.at_ms <= now]
        cash, drift = look(cash, Reading(wallet=Decimal(wallet), at_ms=Millis(now)), known, "USDT")
        drifts += [] if drift is None else [drift]
    return cash, drifts


# ── the wallet ──


@pytest.mark.req("I7")
def test_a_wallet_whose_changes_are_listed_adds_up() -> None:
    rows = [row("-0.3", 90_000, "COMMISSION"), row("5", 90_001, "REALIZED_PNL"), row("-0.8", 150_000, "FUNDING_FEE")]
    cash, drifts = looks(["1000", "1000", "1004.7", "1003.9", "1003.9"], rows)
    assert drifts == []
    assert cash.agreed == Reading(wallet=Decimal("1003.9"), at_ms=Millis(3 * MINUTE))


@pytest.mark.req("I7")
def test_what_stays_unexplained_is_told_once_with_its_numbers() -> None:
    _, drifts = looks(["1000", "1000", "993", "993", "993", "993", "993"], [])
    assert [drift.amount for drift in drifts] == [Decimal(-7)]
    assert "from 1000 to 993 USDT (-7) while the venue lists 0: -7 is unexplained" in drifts[0].text


@pytest.mark.req("I7")
def test_a_row_without_money_is_as_strange_as_money_without_a_row() -> None:
    _, drifts = looks(["1000"] * 7, [row("12", 90_000)])
    assert [drift.amount for drift in drifts] == [Decimal(-12)]


def test_a_row_that_is_listed_late_is_no_drift() -> None:
    """The list lags by more than a look: the difference has gone before it is told."""
    cash, drifts = Cash(), []
    for number, wallet in enumerate(["1000", "1000", "1005", "1005", "1005", "1005"]):
        rows = [row("5", 90_000)] if number >= 4 else []
        cash, drift = look(cash, Reading(wallet=Decimal(wallet), at_ms=Millis(number * MINUTE)), rows, "USDT")
        drifts += [] if drift is None else [drift]
    assert drifts == []


def test_another_assets_rows_move_another_wallet() -> None:
    _, drifts = looks(["1000"] * 7, [row("-0.001", 90_000, "COMMISSION", asset="BNB")])
    assert drifts == []


@given(st.integers(-MARGIN_MS, MARGIN_MS), st.booleans())
def test_a_trade_around_a_reading_is_never_taken_for_a_drift(apart_ms: int, seen: bool) -> None:
    """Whether the reading of the wallet had it or not: that moment is not judged."""
    moved_ms = 2 * MINUTE + apart_ms
    wallets = ["1000", "1000", "1005" if seen else "1000", "1005", "1005", "1005", "1005"]
    _, drifts = looks(wallets, [row("5", moved_ms)])
    assert drifts == []


def test_an_account_that_is_never_still_begins_anew() -> None:
    cash = Cash(agreed=Reading(wallet=ZERO, at_ms=Millis(0)), latest=Reading(wallet=ZERO, at_ms=Millis(AGREED_MS + 1)))
    busy = [row("1", AGREED_MS)]
    after, drift = look(cash, Reading(wallet=ZERO, at_ms=Millis(AGREED_MS + MINUTE)), busy, "USDT")
    assert (after.agreed, drift) == (None, None)


def test_what_is_asked_for_reaches_back_to_all_that_is_to_be_judged() -> None:
    agreed, latest = Reading(wallet=ZERO, at_ms=Millis(50_000)), Reading(wallet=ZERO, at_ms=Millis(110_000))
    assert since_ms(Cash(agreed=agreed, latest=latest), Millis(90_000)) == 50_000 - MARGIN_MS
    assert since_ms(Cash(latest=latest), Millis(90_000)) == 90_000 - MARGIN_MS


# ── trades ──


def compare(rows: list[Income], *fills: Fill, after_ms: int = 0, to_ms: int = 10_000) -> list[str]:
    counted = {(fill.symbol, fill.trade_id): fill for fill in fills}
    found = untold(rows, counted, [BTC], after_ms=Millis(after_ms), to_ms=Millis(to_ms))
    return [drift.text for drift in found]


@pytest.mark.req("I7")
def test_trades_that_both_sides_tell_alike_say_nothing() -> None:
    rows = of_trade("1", 5_000) + of_trade("2", 6_000, realized="-4.5")
    assert compare(rows, a_fill("1", 5_000), a_fill("2", 6_000, realized="-4.5")) == []


@pytest.mark.req("I7")
def test_a_trade_that_we_never_counted_is_told() -> None:
    assert compare(of_trade("1", 5_000)) == ["trade 1 of BTCUSDT is in the income (-0.3) and was never counted"]


@pytest.mark.req("I7")
def test_a_trade_that_the_income_never_had_is_told_unless_it_moved_nothing() -> None:
    assert compare([], a_fill("1", 5_000)) == ["trade 1 of BTCUSDT was counted and is not in the income"]
    assert compare([], a_fill("1", 5_000, fee="0")) == []


@pytest.mark.req("I7")
@pytest.mark.parametrize(("fee", "realized", "kind"), [("0.5", "1", "COMMISSION"), ("0.3", "2", "REALIZED_PNL")])
def test_another_fee_or_result_is_told(fee: str, realized: str, kind: str) -> None:
    (told,) = compare(of_trade("1", 5_000, realized="1"), a_fill("1", 5_000, fee=fee, realized=realized))
    assert kind in told


def test_only_settled_trades_of_our_symbols_are_compared() -> None:
    foreign = [each.but(symbol=ETH) for each in of_trade("1", 5_000)]
    assert compare(foreign) == []
    assert compare(of_trade("1", 10_001) + of_trade("2", 100), after_ms=100) == []
    assert compare([], a_fill("1", 10_001), a_fill("2", 100), after_ms=100) == []


# ── funding ──


@pytest.mark.req("S4-LIM-1")
def test_funding_counts_by_symbol_once_and_only_today() -> None:
    noon = Millis(20_000 * DAY_MS + DAY_MS // 2)
    midnight = midnight_ms(noon)
    rows = [
        row("-1.5", midnight, "FUNDING_FEE", symbol=BTC),
        row("-1.5", midnight, "FUNDING_FEE", symbol=BTC),  # the same row, told twice
        row("0.25", midnight + 100, "SPECIAL_FUNDING_FEE", symbol=BTC),
        row("-2", midnight + 100, "FUNDING_FEE", symbol=ETH),
        row("-9", midnight - 1, "FUNDING_FEE", symbol=BTC),
        row("-7", midnight + 5, "COMMISSION", symbol=BTC),
        row("-3", midnight + 5, "FUNDING_FEE", asset="BNB"),
        row("-4", midnight + 6, "FUNDING_FEE"),
    ]
    assert untraded_today(rows, noon) == {BTC: Decimal("-1.25"), ETH: Decimal(-2), None: Decimal(-4)}
    assert midnight % DAY_MS == 0
    assert midnight <= noon < midnight + DAY_MS


@pytest.mark.req("S4-LIM-1")
def test_what_a_liquidation_costs_and_funding_in_another_dollar_count_into_the_loss_of_the_day() -> None:
    noon = Millis(20_000 * DAY_MS + DAY_MS // 2)
    usdc = Symbol("BTCUSDC")
    rows = [
        row("-12.5", noon, "INSURANCE_CLEAR", symbol=BTC),
        row("-6", noon, "FUNDING_FEE", asset="USDC", symbol=usdc),
    ]
    assert untraded_today(rows, noon) == {BTC: Decimal("-12.5"), usdc: Decimal(-6)}
