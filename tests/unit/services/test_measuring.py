"""What S4's metrics are counted from: each number follows from the events that were told, once each."""

from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.admit.tallies import Shares
from chimera.services.exposition import Recent, Spread, percentile
from chimera.services.router.measuring import FORGET_MS, KEPT, Measures, Noted, _note
from chimera.trading.events import Alert, Event, FillRecorded, Happening, OrderChanged, Severity
from chimera.trading.fill import Fill
from chimera.trading.form import Form
from chimera.trading.ids import DEFAULT_STRATEGY, ClientOrderId, TradeId, VenueOrderId
from chimera.trading.market import Market, Side
from chimera.trading.money import HOUR_MS, Millis, Price, Qty, Quote
from chimera.trading.order import NewOrder, Order, OrderType, Role, Status
from support.desk import SYMBOL

pytestmark = pytest.mark.req("S4-MET-1")


class Hand:
    now = 0

    def monotonic_ms(self) -> Millis:
        return Millis(self.now)

    now_ms = monotonic_ms


class Counted:
    """Measures, and a hand that tells it what happens."""

    def __init__(self) -> None:
        self.clock = Hand()
        self.of = Measures(cast("Any", self.clock))

    def hear(self, body: Happening, at_ms: int = 0) -> None:
        self.of.heard(Event(seq=1, at_ms=Millis(at_ms), body=body))

    def shown(self) -> dict[tuple[str, ...], Any]:
        return {(sample.name, *sample.labels): sample.value for sample in self.of.samples()}


@pytest.fixture
def counted() -> Counted:
    return Counted()


def an_order(
    role: Role, status: Status, ref: str = "a-1", *, form: Form = Form.QTY, filled: bool = False
) -> OrderChanged:
    request = NewOrder(
        ref=ClientOrderId(ref), symbol=SYMBOL, side=Side.BUY, type=OrderType.LIMIT, qty=Qty(Decimal(2)), form=form
    )
    fills = {TradeId("1"): a_fill("1")} if filled else {}
    order = Order(request=request, role=role, intent_id=None, created_ms=Millis(0), status=status, fills=fills)
    return OrderChanged(order=order, strategy_id=DEFAULT_STRATEGY)


def a_fill(
    trade: str, price: str = "100", qty: str = "1", *, maker: bool = True, fee: str = "0", asset: str = "USDT"
) -> Fill:
    return Fill(
        trade_id=TradeId(trade), ref=ClientOrderId("a-1"), venue_id=VenueOrderId("7"), market=Market.FUT, symbol=SYMBOL,
        side=Side.BUY, price=Price(Decimal(price)), qty=Qty(Decimal(qty)), fee=Decimal(fee), fee_asset=asset,
        realized_pnl=Quote(Decimal(0)), maker=maker, at_ms=Millis(0),
    )  # fmt: skip


def traded(fill: Fill, slippage: str | None = None) -> FillRecorded:
    bps = None if slippage is None else Decimal(slippage)
    return FillRecorded(fill=fill, intent_id=None, strategy_id=DEFAULT_STRATEGY, mid_at_send=None, slippage_bps=bps)


def a_row(name: str, status: str = "FILLED", **more: Any) -> dict[str, Any]:
    return {"intent_id": name, "status": status, "order_ids": ["7"], "accepted_ms": 100, "first_ack_ms": 140} | more


# ── orders ──


def test_a_submission_lasts_from_acceptance_to_the_venues_first_word_and_counts_once(counted: Counted) -> None:
    assert counted.shown() == {("maker_timeouts",): 0, ("fee_usdt",): 0, ("rebate_usdt",): 0}, "nothing is known yet"
    counted.of.ended(a_row("i1"), failed=False)
    counted.of.ended(a_row("i1"), failed=False)  # told again, as after a late trade
    counted.of.ended(a_row("i2", accepted_ms=0, first_ack_ms=700), failed=False)
    counted.of.ended(a_row("i3", "REJECTED", order_ids=[], first_ack_ms=None), failed=False)

    shown = counted.shown()
    assert shown["router_submit_latency_ms_recent", "0.5"] == 40
    assert shown["router_submit_latency_ms_recent", "0.95"] == 700
    spread = shown["router_submit_latency_ms",]
    assert isinstance(spread, Spread)
    assert (sum(spread.counts), spread.total) == (2, 740)
    assert dict(spread.cumulative())["50"] == 1
    assert (shown["orders_ended", "filled"], shown["orders_ended", "refused"]) == (2, 1)


@pytest.mark.parametrize(
    ("began_ms", "took_ms"),
    [(100, 40), (130, 10), (None, 40), (141, 40), (99, 40)],
    ids=["at once", "postponed", "-", "replaced", "odd"],
)
def test_a_wait_for_a_better_market_is_no_latency(counted: Counted, began_ms: int | None, took_ms: int) -> None:
    counted.of.ended(a_row("i1", slices=[{"began_ms": began_ms}, {"began_ms": 5_000}]), failed=False)
    assert counted.shown()["router_submit_latency_ms_recent", "0.95"] == took_ms


def test_what_the_venue_failed_counts_against_it_and_what_a_rule_refused_does_not(counted: Counted) -> None:
    counted.of.ended(a_row("i1", "REJECTED", order_ids=[]), failed=True)
    counted.of.ended(a_row("i2", "REJECTED", order_ids=[]), failed=False)
    counted.of.ended(a_row("i3", "CANCELED", filled_qty="1"), failed=False)
    counted.of.ended(a_row("i4", "CANCELED", filled_qty="0"), failed=False)
    assert counted.shown()["order_success_rate",] == Decimal(2) / 3
    counted.of.failed()  # an answer of the 5xx kind

    shown = counted.shown()
    assert shown["order_success_rate",] == Decimal("0.5")
    outcomes = {labels[1]: value for labels, value in shown.items() if labels[0] == "orders_ended"}
    assert outcomes == {"failed": 2, "refused": 1, "part": 1, "unfilled": 1}


def test_a_cancel_succeeds_fails_or_is_overtaken_by_the_fill(counted: Counted) -> None:
    for ref, *ends in (("a", Status.CANCELED), ("b", Status.FILLED), ("c", Status.IN_DOUBT), ("d", Status.EXPIRED)):
        counted.hear(an_order(Role.MAKER, Status.PENDING_CANCEL, ref))
        for status in ends:
            counted.hear(an_order(Role.MAKER, status, ref))
    counted.hear(an_order(Role.MAKER, Status.CANCELED, "e"))  # nobody asked

    shown = counted.shown()
    assert [shown["cancels", outcome] for outcome in ("canceled", "filled", "failed")] == [2, 1, 1]
    assert shown["cancel_success_rate",] == Decimal(2) / 3


# ── execution ──


def test_the_taker_rate_is_by_notional_and_of_the_last_hour(counted: Counted) -> None:
    counted.hear(traded(a_fill("1", "100", "3", maker=False)))
    counted.clock.now = HOUR_MS - 1
    counted.hear(traded(a_fill("2", "100", "9")))
    assert counted.shown()["taker_rate",] == Decimal("0.25")
    counted.clock.now = HOUR_MS
    assert counted.shown()["taker_rate",] == 0
    counted.clock.now = 3 * HOUR_MS
    assert ("taker_rate",) not in counted.shown()


def test_fees_in_usdt_rebates_and_fees_in_other_coins_are_told_apart(counted: Counted) -> None:
    for trade, fee, asset in (
        ("1", "0.5", "USDT"),
        ("2", "-0.125", "USDT"),
        ("3", "0.01", "BNB"),
        ("4", "0.02", "BNB"),
    ):
        counted.hear(traded(a_fill(trade, fee=fee, asset=asset)))
    shown = counted.shown()
    assert (shown["fee_usdt",], shown["rebate_usdt",]) == (Decimal("0.5"), Decimal("0.125"))
    assert shown["fee_other", "BNB"] == Decimal("0.03")


@given(slips=st.lists(st.decimals(-500, 500, places=2), min_size=1, max_size=60))
def test_slippage_is_percentiles_of_the_fills_by_the_values_themselves(slips: list[Decimal]) -> None:
    counted = Counted()
    for number, slip in enumerate(slips):
        counted.hear(traded(a_fill(str(number)), str(slip)))
    ordered = sorted(map(float, slips))
    shown = counted.shown()
    assert shown["slippage_bps", "0.5"] == percentile(ordered, 0.5)
    assert shown["slippage_bps", "0.95"] == percentile(ordered, 0.95)


@pytest.mark.parametrize(("side", "expected"), [("BUY", Decimal(101) / 102), ("SELL", Decimal(102) / 101)])
def test_a_twap_is_measured_by_the_mean_of_its_markets(counted: Counted, side: str, expected: Decimal) -> None:
    children = [
        {"mid_at_send": "100", "filled_qty": "1"}, {"mid_at_send": "102", "filled_qty": "3"},
        {"mid_at_send": "900", "filled_qty": "0"}, {"mid_at_send": None, "filled_qty": "1"},
    ]  # fmt: skip
    row = a_row("i1", side=side, avg_price="102", children=children, slices=[{"began_ms": 1}, {"began_ms": 2}])
    counted.of.ended(row, failed=False)
    counted.of.ended(row | {"intent_id": "i2", "slices": [{"began_ms": 1}]}, failed=False)  # no schedule
    counted.of.ended(row | {"intent_id": "i3", "avg_price": None}, failed=False)
    assert counted.shown()["twap_efficiency",] == expected


def test_makers_whose_time_was_up_are_counted(counted: Counted) -> None:
    counted.hear(Alert(severity=Severity.WARN, code="MAKER_TIMEOUT", text="…"))
    counted.hear(Alert(severity=Severity.WARN, code="ANOTHER", text="…"))
    assert counted.shown()["maker_timeouts",] == 1


# ── protection ──


def stops(counted: Counted) -> Iterator[float]:
    spread = counted.shown().get(("stop_latency_ms",))
    yield from () if spread is None else (sum(spread.counts), spread.total)


def test_the_time_from_fill_to_stop_begins_with_the_first_fill(counted: Counted) -> None:
    counted.hear(an_order(Role.STOP, Status.NEW, "s0"), 5)  # of what stood before
    assert list(stops(counted)) == []
    counted.hear(an_order(Role.MAKER, Status.PARTIALLY_FILLED, filled=True), 1_000)
    counted.hear(an_order(Role.MAKER, Status.FILLED, filled=True), 1_030)
    counted.hear(an_order(Role.STOP, Status.PENDING_NEW, "s1"), 1_031)
    counted.hear(an_order(Role.STOP, Status.NEW, "s1"), 1_080)
    counted.hear(an_order(Role.STOP, Status.NEW, "s2"), 9_000)  # moved, nothing filled
    assert list(stops(counted)) == [1, 80]


def test_a_fill_begins_with_the_venues_word_and_its_trade_begins_no_second(counted: Counted) -> None:
    known = an_order(Role.TAKER, Status.FILLED)
    counted.hear(known.but(order=known.order.but(venue_cum_qty=Qty(Decimal(1)))), 1_000)
    counted.hear(an_order(Role.STOP, Status.NEW, "s1"), 1_020)
    told = an_order(Role.TAKER, Status.FILLED, filled=True)
    counted.hear(told.but(order=told.order.but(venue_cum_qty=Qty(Decimal(1)))), 1_030)
    counted.hear(an_order(Role.STOP, Status.NEW, "s2"), 9_000)  # moved
    assert list(stops(counted)) == [1, 20]


def test_a_stop_for_all_that_is_held_covers_the_next_fill_at_once(counted: Counted) -> None:
    counted.hear(an_order(Role.STOP, Status.NEW, "s1", form=Form.WHOLE))
    counted.hear(an_order(Role.TAKER, Status.FILLED, filled=True), 1_000)
    counted.hear(an_order(Role.STOP, Status.NEW, "s2"), 1_500)
    assert list(stops(counted)) == []
    counted.hear(an_order(Role.STOP, Status.CANCELED, "s1", form=Form.WHOLE))
    counted.hear(an_order(Role.TAKER, Status.FILLED, "a-2", filled=True), 2_000)
    counted.hear(an_order(Role.STOP, Status.NEW, "s3"), 2_040)
    assert list(stops(counted)) == [1, 40]


def test_an_entry_that_was_closed_before_it_had_a_stop_lends_its_moment_to_no_later_one(counted: Counted) -> None:
    counted.hear(an_order(Role.TAKER, Status.FILLED, filled=True), 1_000)
    counted.hear(an_order(Role.EXIT, Status.FILLED, "x", filled=True), 1_100)
    counted.hear(an_order(Role.STOP, Status.NEW, "s1"), 8_000)
    counted.hear(an_order(Role.TAKER, Status.FILLED, "a-2", filled=True), 10_000)
    counted.hear(an_order(Role.STOP, Status.NEW, "s2"), 10_000 + FORGET_MS)
    assert list(stops(counted)) == []


# ── memory ──


def test_memory_is_bounded(counted: Counted) -> None:
    for number in range(KEPT + 50):
        counted.of.ended(a_row(f"i{number}"), failed=False)
        counted.hear(an_order(Role.MAKER, Status.PENDING_CANCEL, f"m{number}"))
        counted.hear(traded(a_fill(str(number)), "1"))
    kept = (counted.of._known, counted.of._asked, counted.of._traded, counted.of._slippage.values)
    assert [len(each) for each in kept] == [KEPT] * 4


def test_nothing_is_kept_for_longer_than_an_hour_though_nobody_looks() -> None:
    """Found by a day of virtual time: what a look alone would have forgotten grew until it was full."""
    recent, shares = Recent(HOUR_MS, 1_000), Shares(1_000)
    names: Noted[str, None] = OrderedDict()
    for minute in range(600):
        now_ms = Millis(minute * 60_000)
        recent.took(1.0, now_ms)
        shares.ended(f"i{minute}", Decimal(1), now_ms)
        _note(names, f"i{minute}", None, now_ms)
    assert max(len(recent.values), len(shares._ended), len(names)) <= 61
