"""When an entry whose outcome is open is dead, and what its caller hears then."""

import pytest

from chimera.trading.market import Side
from chimera.trading.money import Qty
from support.incident_stage import Decimal, Story, a_wish, play, policy_of, steps

ORDER = {"path": "/fapi/v1/order", "method": "POST"}
LISTS = ("/fapi/v1/userTrades", "/fapi/v1/openOrders", "/fapi/v3/positionRisk")


@pytest.mark.req("S4-RETRY-2", "I4")
def test_an_entry_is_not_dead_while_trades_orders_and_position_have_not_been_heard() -> None:
    """It filled; its answer and its events are lost, the query lags, and no list answers: one silence of four."""
    rough = {"from_ms": 2_900, "to_ms": 30_000}
    faults = (
        {"name": "timeout_after", "match": ORDER, "count": 1},
        {"name": "read_lag", "params": {"ms": 60_000}, "match": {"path": "/fapi/v1/order"}, "count": 1},
        {"name": "frame_drop", "when": rough},
        *({"name": "timeout_before", "match": {"path": path, "method": "GET"}, "when": rough} for path in LISTS),
    )
    wish = a_wish(qty=steps(40), hold_s=60, policy=policy_of(wait_ms=20_000))
    trades = ((4.0, Side.BUY, Qty(Decimal(30))),)
    told = play(Story(wishes=(wish,), faults=faults, trades=trades, rough_s=45, calm_s=60, bare_s=40))

    assert [each.client_order_id for each in told.entries] == ["s3-w0-m1"]  # no s3-w0-t2
    assert told.bought == steps(40)


@pytest.mark.req("ACC-6", "S4-RETRY-2")
def test_an_entry_that_a_5xx_left_open_and_that_is_proved_dead_failed() -> None:
    fault = {"name": "internal_503", "match": ORDER, "when": {"from_ms": 2_000, "to_ms": 20_000}}
    told = play(Story(wishes=(a_wish(),), faults=(fault,), rough_s=30.0))
    (row,) = (row for row in told.stage.orders if row["kind"] == "PARENT")

    assert told.bought == 0
    assert (row["result"], row["status"]) == ("FAIL", "REJECTED")
    assert row["code"]


@pytest.mark.req("S4-ALR-1")
def test_a_taker_that_never_left_is_no_further_maker_that_timed_out() -> None:
    fault = {"name": "throttled_503", "match": ORDER, "when": {"from_ms": 2_000, "to_ms": 25_000}}
    told = play(Story(wishes=(a_wish(policy=policy_of()),), faults=(fault,), rough_s=30.0))

    assert told.alerts.count("MAKER_TIMEOUT") <= 1
