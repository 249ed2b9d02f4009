"""What a preview says of the ceilings is what the last hop would reckon."""

from decimal import Decimal as D

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
from chimera.trading.money import Millis, Price, Quote

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


def used(desk: Desk, intent: Intent) -> dict[str, str]:
    def exposure(holding: Holding, near: Price) -> Exposure:
        return Exposure.of(holding, near, others, Quote(D(3_000)))

    plan = Plan(slices=(Slice(qty=intent.qty, after_ms=0),), deadline_ms=Millis(desk.now + 10_000))
    told = preview(intent, plan, None, desk.holding, desk.scene, UNSEEN, LastHop(LimitBook(LIMITS), exposure))
    return {row["limit"]: row["used"] for row in told["limits"]}


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
