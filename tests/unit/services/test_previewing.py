"""What a preview says of the ceilings is what the last hop would reckon."""

from collections.abc import Callable
from decimal import Decimal as D
from typing import Any

import pytest
from desk import Desk, a_long, an_intent

from chimera.admit.limits import Exposure, LimitBook, Limits
from chimera.route.plan import UNSEEN
from chimera.services.router.previewing import LastHop, preview
from chimera.trading.execution import Plan, Slice
from chimera.trading.holding import Holding
from chimera.trading.ids import Symbol
from chimera.trading.intent import Intent
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty, Quote

LIMITS = Limits(
    max_order_notional=Quote(D(1_000)),
    max_position_notional=Quote(D(5_000)),
    max_gross_notional=Quote(D(9_000)),
    max_daily_loss=Quote(D(50)),
    price_collar_bps=D(100),
    max_orders_per_10s=8,
)


def others(symbol: Symbol, side: Side) -> D:
    return D("0.5") if side is Side.BUY else D(0)


def alone(symbol: Symbol, side: Side) -> D:
    return D(0)


def previewed(
    desk: Desk, intent: Intent, *slices: str, of_others: Callable[[Symbol, Side], D] = alone, elsewhere: int = 3_000
) -> dict[str, Any]:
    def exposure(holding: Holding, near: Price) -> Exposure:
        return Exposure.of(holding, near, of_others, Quote(D(elsewhere)))

    parts = tuple(Slice(qty=Qty(D(qty)), after_ms=Millis(0)) for qty in slices or (str(intent.qty),))
    plan = Plan(slices=parts, deadline_ms=Millis(desk.now + 10_000))
    return preview(intent, plan, None, desk.holding, desk.scene, UNSEEN, LastHop(LimitBook(LIMITS), exposure))


def used(desk: Desk, intent: Intent) -> dict[str, str]:
    return {row["limit"]: row["used"] for row in previewed(desk, intent, of_others=others)["limits"]}


@pytest.mark.req("S4-PREV-1", "S4-LIM-1")
def test_a_preview_counts_what_is_held_and_what_others_may_still_add() -> None:
    desk = a_long("0.01")
    told = used(desk, an_intent("i2", qty="0.004"))

    assert desk.scene.near is not None
    assert D(told["S4_MAX_POSITION_NOTIONAL_USDT"]) == round(D("0.514") * desk.scene.near, 2)
    assert D(told["S4_MAX_GROSS_NOTIONAL_USDT"]) == D(told["S4_MAX_POSITION_NOTIONAL_USDT"]) + 3_000
    assert D(told["S4_MAX_ORDER_NOTIONAL_USDT"]) == round(D("0.004") * desk.scene.near, 2)


@pytest.mark.req("S4-PREV-1")
def test_what_only_reduces_uses_no_ceiling() -> None:
    assert used(a_long("0.01"), an_intent("i2", side=Side.SELL, qty="0.004", reduce_only=True)) == {}


@pytest.mark.req("S4-PREV-1", "S4-LIM-1")
@pytest.mark.parametrize(
    ("slices", "elsewhere", "code"),
    [
        (["0.02"], 0, "LIMIT_ORDER_NOTIONAL"),
        (["0.014", "0.006"], 0, None),
        (["0.01"] * 8, 0, "LIMIT_POSITION_NOTIONAL"),
        (["0.014"], 8_000, None),
        (["0.014"], 8_500, "LIMIT_GROSS_NOTIONAL"),
    ],
)
def test_what_the_last_hop_would_refuse_is_refused_in_its_words(
    slices: list[str], elsewhere: int, code: str | None
) -> None:
    """An order in slices is held to the largest of them, its position to all."""
    qty = str(sum(map(D, slices)))
    told = previewed(Desk(), an_intent("i2", qty=qty), *slices, elsewhere=elsewhere)

    assert told["would"] == ("ACCEPT" if code is None else "REFUSE")
    if code is not None:
        refusal = told["refusal"]
        assert (refusal["code"], refusal["field"], refusal["value"]) == (code, "qty", qty)
        assert f"> S4_MAX_{code.removeprefix('LIMIT_')}_USDT" in refusal["message"]


@pytest.mark.req("S4-PREV-1", "S4-LIM-1")
def test_what_only_reduces_passes_whatever_stands_elsewhere() -> None:
    closing = an_intent("i2", side=Side.SELL, qty="0.004", reduce_only=True)

    assert previewed(a_long("0.01"), closing, elsewhere=9_000)["would"] == "ACCEPT"
