"""Admission: every reason against an intent, with field, value and what would be accepted."""

from decimal import Decimal
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.admit.admission import objections
from chimera.trading.errors import Refused
from chimera.trading.execution import Exit
from chimera.trading.facts import CancelAsked, Found
from chimera.trading.ids import IntentId
from chimera.trading.instrument import MarginStep
from chimera.trading.intent import Intent, StopSpec, TargetKind, TargetSpec
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price
from chimera.trading.order import Role, Status
from chimera.wire.failures import status_of
from support.desk import BTC, Desk, a_long, an_intent


def refusals(intent: Intent, desk: Desk | None = None) -> dict[str, Refused]:
    desk = desk or Desk()
    return {refusal.code: refusal for refusal in objections(intent, desk.holding, desk.scene)}


def test_a_sound_intent_meets_no_objection() -> None:
    assert not refusals(an_intent())


def test_an_exit_in_a_symbol_that_does_not_trade_is_refused_as_its_barrier_refuses_entries() -> None:
    desk, out = a_long(), an_intent(side=Side.SELL, reduce_only=True, stop=None)
    halted = desk.scene.but(instrument=BTC.but(trading=False))
    codes = [refusal.code for refusal in objections(out, desk.holding, halted)]
    assert codes == ["SYMBOL_NOT_TRADING"]
    assert status_of(codes[0]) == HTTPStatus.SERVICE_UNAVAILABLE


def test_a_change_of_what_is_over_and_flat_is_judged_all_the_same() -> None:
    """`POST /orders/{id}/replace` of stop and target: nothing is left to trade, and nothing is held."""
    assert "BELOW_STEP" in refusals(an_intent(qty="0"))


@pytest.mark.parametrize(
    ("intent", "code", "field"),
    [
        pytest.param(an_intent(qty="0.0004"), "BELOW_STEP", "qty", marks=pytest.mark.req("S4-VAL-1")),
        pytest.param(an_intent(qty="100000"), "OUT_OF_RANGE", "qty"),
        pytest.param(
            an_intent(stop=StopSpec(price=Price(Decimal("64000.05")))), "OFF_TICK", "sl.price",
            marks=pytest.mark.req("S4-VAL-1"),
        ),
        pytest.param(an_intent(stop=None), "UNPROTECTED", "sl"),
        pytest.param(
            an_intent(stop=StopSpec(price=Price(Decimal(65100)))), "WRONG_SIDE_STOP", "sl.price",
            marks=pytest.mark.req("S4-VAL-5"),
        ),
        pytest.param(
            an_intent(side=Side.SELL, stop=StopSpec(price=Price(Decimal(64000)))), "WRONG_SIDE_STOP", "sl.price",
            marks=pytest.mark.req("S4-VAL-5"),
        ),
        pytest.param(
            an_intent(target=TargetSpec(kind=TargetKind.PRICE, value=Decimal(64000))), "WRONG_SIDE_TARGET", "tp.value",
            marks=pytest.mark.req("S4-VAL-5"),
        ),
        pytest.param(
            an_intent(reduce_only=True), "REDUCE_ONLY_OPENS", "reduce_only", marks=pytest.mark.req("S4-VAL-4")
        ),
    ],
)  # fmt: skip
@pytest.mark.fault("F2", "F10")
def test_each_fault_names_its_field(intent: Intent, code: str, field: str) -> None:
    refusal = refusals(intent)[code]
    assert refusal.field == field
    assert refusal.message


@pytest.mark.req("S4-LIM-2")
@pytest.mark.parametrize(
    ("side", "stop", "leverage", "code"),
    [
        (Side.BUY, "61998", 20, None),  # 65000 x 0.95 / 0.996 = 61997.99
        (Side.BUY, "61997.9", 20, "STOP_BEYOND_LIQUIDATION"),
        (Side.SELL, "67978", 20, None),  # 65000 x 1.05 / 1.004 = 67978.09
        (Side.SELL, "67978.1", 20, "STOP_BEYOND_LIQUIDATION"),
        (Side.BUY, "61760", 2, None),  # the band: 5 %
        (Side.BUY, "61740", 2, "STOP_OUT_OF_BAND"),
    ],
)
def test_a_stop_must_come_before_liquidation_and_within_the_band(
    side: Side, stop: str, leverage: int, code: str | None
) -> None:
    intent = an_intent(side=side, stop=StopSpec(price=Price(Decimal(stop)))).but(leverage=leverage)
    assert set(refusals(intent)) == ({code} if code else set())


@pytest.mark.req("S4-LIM-2")
def test_the_default_stop_is_judged_too() -> None:
    """1.5 % away, and at leverage 125 the position is gone after 0.4 %."""
    assert "STOP_BEYOND_LIQUIDATION" in refusals(an_intent().but(leverage=125))


STEPS = (
    MarginStep(cap=Decimal(50_000), max_leverage=75, rate=Decimal("0.005")),
    MarginStep(cap=Decimal(250_000), max_leverage=50, rate=Decimal("0.01"), amount=Decimal(250)),
    MarginStep(cap=Decimal(2_000_000), max_leverage=25, rate=Decimal("0.02"), amount=Decimal(2_750)),
)


@pytest.mark.req("S4-LIM-2")
def test_leverage_is_judged_by_the_position_it_would_make() -> None:
    """0.7 held and 0.1 more come to 52,000: the second step, whatever the first order was allowed."""
    desk = a_long("0.7")
    desk.rules = BTC.but(steps=STEPS)
    wish = an_intent("i2", qty="0.1").but(leverage=51)
    refusal = refusals(wish, desk)["LEVERAGE_TOO_HIGH"]

    assert (refusal.field, refusal.value, refusal.accepted) == ("leverage", 51, "<= 50")
    assert "52000" in refusal.message
    assert "LEVERAGE_TOO_HIGH" not in refusals(wish.but(leverage=50), desk)
    fresh = Desk()
    fresh.rules = desk.rules
    assert "LEVERAGE_TOO_HIGH" not in refusals(wish, fresh)


@pytest.mark.req("S4-LIM-2")
def test_a_larger_position_is_liquidated_sooner() -> None:
    """The same stop and leverage, the first step and the third."""
    stop = StopSpec(price=Price(Decimal("62800")))
    small, large = Desk(), Desk()
    small.rules = large.rules = BTC.but(steps=STEPS)
    assert not refusals(an_intent(stop=stop).but(leverage=25), small)

    assert "STOP_BEYOND_LIQUIDATION" in refusals(an_intent(stop=stop, qty="20").but(leverage=25), large)


@pytest.mark.req("S4-LIM-2")
@given(
    st.sampled_from(Side), st.decimals("0.001", "30", places=3), st.decimals("30000", "90000", places=1),
    st.integers(1, 75),
)  # fmt: skip
def test_where_it_is_liquidated_margin_is_just_maintenance(
    side: Side, qty: Decimal, entry: Decimal, leverage: int
) -> None:
    """By its definition: what is left of the margin there is what the largest of the steps asks for."""
    price = BTC.but(steps=STEPS).liquidation_px(side, qty, entry, leverage)
    left = qty * entry / leverage + side.sign * qty * (price - entry)
    if price > 0:
        asked = max(price * qty * step.rate - step.amount for step in STEPS)
        assert abs(left - asked) < Decimal("1e-15") * qty * entry


@pytest.mark.req("S4-VAL-2")
def test_min_notional() -> None:
    desk = Desk()
    desk.bid, desk.ask = Decimal("1000.0"), Decimal("1000.1")
    refusal = refusals(an_intent(qty="0.004"), desk)["MIN_NOTIONAL"]
    assert (refusal.field, refusal.accepted) == ("qty", "notional >= 5")


@pytest.mark.req("S4-POS-1")
@pytest.mark.fault("F19")
def test_an_entry_against_the_position_is_opposed_and_with_it_is_not() -> None:
    desk = a_long()
    assert "POSITION_OPPOSED" in refusals(an_intent("i2", side=Side.SELL), desk)
    assert not refusals(an_intent("i2"), desk)


@pytest.mark.req("S4-POS-1")
def test_an_entry_against_one_that_is_on_its_way_is_opposed_until_that_is_over() -> None:
    """Both taken while the symbol was flat, the two netted each other at the venue."""
    desk, sell = Desk(), an_intent("i2", side=Side.SELL)
    assert "POSITION_OPPOSED" not in refusals(sell, desk)
    desk.submit(an_intent(), wait_ms=2_000)
    assert refusals(sell, desk)["POSITION_OPPOSED"].field == "side", "from the moment on that it is taken"
    assert "POSITION_OPPOSED" not in refusals(an_intent("i2"), desk), "its own side may enter"
    desk.hear(CancelAsked(intent_id=IntentId("i1"), reason="USER_REQUEST"))
    assert "POSITION_OPPOSED" in refusals(sell, desk), "it may still fill"
    maker = desk.placed(Role.MAKER)
    desk.hear(Found(order=desk.word(maker, Status.CANCELED)))
    assert "POSITION_OPPOSED" not in refusals(sell, desk)


@pytest.mark.req("S4-POS-1")
def test_an_exit_is_not_on_its_way_in() -> None:
    desk = a_long("0.02")
    desk.submit(an_intent("out", side=Side.SELL, qty="0.01", reduce_only=True, stop=None))
    assert "POSITION_OPPOSED" not in refusals(an_intent("i2"), desk)


@pytest.mark.fault("F9")
def test_nothing_enters_while_closing_or_after_its_time() -> None:
    desk = a_long()
    desk.holding = desk.holding.but(exit=Exit(reason="OPERATOR", asked_ms=desk.now))
    assert "CLOSING" in refusals(an_intent("i2"), desk)
    assert "STALE_INTENT" in refusals(an_intent("i3").but(valid_until_ms=Millis(Desk().now - 1)))


def test_without_a_price_nothing_can_be_judged() -> None:
    desk = Desk()
    scene = desk.scene.but(touch=None, mark=None)
    assert [refusal.code for refusal in objections(an_intent(), desk.holding, scene)] == ["NO_MARKET_DATA"]


@pytest.mark.req("I18")
def test_what_only_reduces_is_not_kept_back_for_want_of_a_price() -> None:
    desk = a_long()
    scene = desk.scene.but(touch=None, mark=None)
    assert objections(an_intent("i2", side=Side.SELL, stop=None, reduce_only=True), desk.holding, scene) == ()
