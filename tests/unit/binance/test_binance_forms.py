"""Each form of a stop in Binance's words; what the order endpoint says of one that waits and of one that has fired."""

import json
from decimal import Decimal
from typing import Any

import pytest

from chimera.adapters.binance import payloads, translate
from chimera.adapters.binance.futures import algo_params, order_params
from chimera.adapters.binance.payloads import decoded
from chimera.trading.form import Form
from chimera.trading.ids import ClientOrderId, Symbol
from chimera.trading.intent import WorkingType
from chimera.trading.market import Side
from chimera.trading.money import ZERO, Price, Qty
from chimera.trading.order import NewOrder, OrderType, Status


def a_stop(form: Form) -> NewOrder:
    return NewOrder(
        ref=ClientOrderId("s3-btc-i1-s1"),
        symbol=Symbol("BTCUSDT"),
        side=Side.SELL,
        type=OrderType.STOP_MARKET,
        qty=Qty(ZERO if form is Form.WHOLE else Decimal("0.01")),
        trigger_price=Price(Decimal(64000)),
        working_type=WorkingType.MARK_PRICE,
        reduce_only=True,
        form=form,
    )


@pytest.mark.req("S4-FUT-3")
def test_a_whole_stop_carries_neither_quantity_nor_reduce_only() -> None:
    """Parameter rule of closePosition: -4137, and -1106 or -4138 (reference 4.5)."""
    params = algo_params(a_stop(Form.WHOLE))

    assert params["closePosition"] == "true"
    assert not {"quantity", "reduceOnly", "stopPrice"} & set(params)
    assert (params["triggerPrice"], params["workingType"]) == ("64000", "MARK_PRICE")


def test_a_stop_with_a_quantity_never_closes_the_position_by_name() -> None:
    params = algo_params(a_stop(Form.QTY))

    assert (params["quantity"], params["reduceOnly"]) == ("0.01", "true")
    assert "closePosition" not in params


def test_a_regular_stop_speaks_as_before_the_algo_service() -> None:
    order = a_stop(Form.REGULAR)
    params = order_params(order)

    assert not order.conditional
    assert (params["type"], params["stopPrice"], params["quantity"]) == ("STOP_MARKET", "64000", "0.01")
    assert (params["reduceOnly"], params["newClientOrderId"]) == ("true", order.ref)
    assert "triggerPrice" not in params


@pytest.mark.parametrize(
    ("kind", "conditional", "status"),
    [("STOP_MARKET", False, Status.NEW), ("MARKET", True, Status.TRIGGERING)],
)
def test_one_that_waits_in_the_order_endpoint_guards_and_a_child_does_not(
    kind: str, conditional: bool, status: Status
) -> None:
    row: dict[str, Any] = {
        "symbol": "BTCUSDT", "clientOrderId": "s3-btc-i1-s1", "orderId": 7, "side": "SELL", "type": kind,
        "origType": "STOP_MARKET", "status": "NEW", "origQty": "0.01", "executedQty": "0", "stopPrice": "64000",
        "reduceOnly": True,
    }  # fmt: skip
    order = translate.order(decoded(json.dumps(row).encode(), payloads.OrderRow))

    assert (order.conditional, order.status) == (conditional, status)
    assert order.type is OrderType.STOP_MARKET
    assert order.trigger_price == Decimal(64000)


def test_brackets_come_ascending() -> None:
    rows = [
        {"bracket": 2, "initialLeverage": 50, "notionalCap": 250000, "maintMarginRatio": 0.01, "cum": 250.0},
        {"bracket": 1, "initialLeverage": 75, "notionalCap": 50000, "maintMarginRatio": 0.005, "cum": 0.0},
    ]  # fmt: skip
    steps = translate.margin_steps(
        decoded(json.dumps({"symbol": "ETHUSDT", "brackets": rows}).encode(), payloads.Brackets)
    )

    assert [(step.max_leverage, step.cap) for step in steps] == [(75, Decimal(50000)), (50, Decimal(250000))]
    assert steps[1].amount == Decimal(250)
