"""Spot filters: each one's name in the refusal, at its edge; precision before all of them."""

from typing import Any

import pytest
from spot_desk import D, SpotDesk

from chimera.simulate.spot.pair import PairRules


@pytest.fixture
def desk() -> SpotDesk:
    """Last trade, and so the average price, at 60,000."""
    desk = SpotDesk()
    desk.top("59999.99", "60000.01")
    desk.trade("60000")
    return desk


def _filter(name: str) -> tuple[int, str]:
    return -1013, f"Filter failure: {name}"


@pytest.mark.parametrize(
    ("qty", "more", "parameter"),
    [
        ("0.000000001", {"price": "50000"}, "quantity"),
        ("0.01", {"price": "50000.000000001"}, "price"),
        ("0.01", {"price": "50000", "iceberg_qty": "0.000000001"}, "icebergQty"),
    ],
)
def test_precision_comes_before_filters(desk: SpotDesk, qty: str, more: dict[str, Any], parameter: str) -> None:
    assert desk.refused("BUY", "LIMIT", qty, **more) == (-1111, f"Parameter '{parameter}' has too much precision.")


@pytest.mark.parametrize(
    ("qty", "price", "name"),
    [
        ("0.01", "50000.001", "PRICE_FILTER"),
        ("0.01", "1000000.01", "PRICE_FILTER"),
        ("0.000001", "50000", "LOT_SIZE"),
        ("0.010001", "50000", "LOT_SIZE"),
        ("9000.00001", "50000", "LOT_SIZE"),
        ("0.00009", "50000", "NOTIONAL"),
        ("200", "50000", "NOTIONAL"),
        ("0.01", "300000.01", "PERCENT_PRICE_BY_SIDE"),
        ("0.01", "11999.99", "PERCENT_PRICE_BY_SIDE"),
    ],
)
def test_limit_orders_meet_each_filter(desk: SpotDesk, qty: str, price: str, name: str) -> None:
    assert desk.refused("BUY", "LIMIT", qty, price=price) == _filter(name)


@pytest.mark.parametrize(("qty", "price"), [("0.01", "50000.01"), ("0.0001", "50000"), ("0.01", "12000")])
def test_the_edge_of_each_filter_passes(desk: SpotDesk, qty: str, price: str) -> None:
    assert desk.limit("BUY", qty, price).is_open


@pytest.mark.parametrize(("field", "text"), [("price", "Invalid price."), ("qty", "Invalid quantity.")])
def test_zero_is_invalid(desk: SpotDesk, field: str, text: str) -> None:
    terms = {"qty": "0.01", "price": "50000"} | {field: "0"}
    assert desk.refused("BUY", "LIMIT", **terms) == (-1013, text)


def test_stop_prices_are_on_ticks_too(desk: SpotDesk) -> None:
    assert desk.refused("SELL", "STOP_LOSS", "0.01", stop_price="59000.001") == _filter("PRICE_FILTER")


def test_market_orders_are_measured_by_the_average_price(desk: SpotDesk) -> None:
    """0.00008 BTC is worth 4.80 at the average and 5.60 at the last price."""
    desk.trade("60000", "1000")
    desk.trade("70000", "0.001")
    assert desk.refused("SELL", "MARKET", "0.00008") == _filter("NOTIONAL")
    desk.floor.now_ms += 5 * 60_000 + 1_000
    assert desk.place("SELL", "MARKET", "0.00008").cum_qty == D("0.00008")  # no trade in the window: the last price


def test_the_largest_market_order_is_smaller(desk: SpotDesk) -> None:
    assert desk.refused("SELL", "MARKET", "100.00001") == _filter("MARKET_LOT_SIZE")
    assert desk.refused("SELL", "MARKET", "100")[0] == -2010


def test_market_by_quote_below_the_least_notional(desk: SpotDesk) -> None:
    assert desk.refused("BUY", "MARKET", quote_qty="4.99") == _filter("NOTIONAL")


@pytest.mark.parametrize(
    ("side", "type_", "delta"), [("SELL", "STOP_LOSS", 9), ("SELL", "STOP_LOSS", 2_001), ("BUY", "STOP_LOSS", 9)]
)
def test_trailing_deltas_have_bounds(desk: SpotDesk, side: str, type_: str, delta: int) -> None:
    assert desk.refused(side, type_, "0.01", trailing_delta=delta) == _filter("TRAILING_DELTA")


def test_iceberg_parts(desk: SpotDesk) -> None:
    assert desk.refused("BUY", "LIMIT", "0.01001", price="50000", iceberg_qty="0.0001") == _filter("ICEBERG_PARTS")
    assert desk.limit("BUY", "0.01", "50000", iceberg_qty="0.0001").is_open


def test_iceberg_shape(desk: SpotDesk) -> None:
    exceeds = desk.refused("BUY", "LIMIT", "0.01", price="50000", iceberg_qty="0.02")
    assert exceeds == (-2010, "IcebergQty exceeds QTY.")
    ioc = desk.refused("BUY", "LIMIT", "0.01", price="50000", iceberg_qty="0.001", tif="IOC")
    assert ioc == (-2010, "Unsupported order combination")


def _rules(desk: SpotDesk, **rules: Any) -> None:
    desk.pair.rules = PairRules().but(**rules)


def test_open_orders_are_counted_pending_and_waiting_ones_too(desk: SpotDesk) -> None:
    _rules(desk, max_orders=3)
    desk.limit("BUY", "0.01", "50000")
    desk.place("SELL", "STOP_LOSS", "0.01", stop_price="50000")
    assert desk.refused_list(
        "OTO", desk.ticket("BUY", "LIMIT", "0.01", price="50000"), desk.ticket("SELL", "MARKET", "0.01")
    ) == _filter("MAX_NUM_ORDERS")
    desk.limit("BUY", "0.01", "50000")
    assert desk.refused("BUY", "MARKET", "0.01") == _filter("MAX_NUM_ORDERS")


def test_five_conditional_orders_at_most(desk: SpotDesk) -> None:
    orders = [desk.place("SELL", "STOP_LOSS", "0.01", stop_price="50000") for _ in range(5)]
    assert desk.refused("SELL", "TAKE_PROFIT", "0.01", stop_price="70000") == _filter("MAX_NUM_ALGO_ORDERS")
    assert desk.limit("SELL", "0.01", "70000").is_open
    desk.exchange.cancel(orders[0])
    assert desk.place("SELL", "TAKE_PROFIT", "0.01", stop_price="70000").waits


def test_icebergs_and_lists_are_counted(desk: SpotDesk) -> None:
    _rules(desk, max_iceberg_orders=1, max_order_lists=1)
    desk.limit("BUY", "0.01", "50000", iceberg_qty="0.001")
    iceberg = desk.refused("BUY", "LIMIT", "0.01", price="50000", iceberg_qty="0.001")
    assert iceberg == _filter("MAX_NUM_ICEBERG_ORDERS")
    desk.oco("0.1")
    legs = (
        desk.ticket("SELL", "LIMIT_MAKER", "0.1", price="70000"),
        desk.ticket("SELL", "STOP_LOSS", "0.1", stop_price="50000"),
    )
    assert desk.refused_list("OCO", *legs, client_id="second") == _filter("MAX_NUM_ORDER_LISTS")


def test_max_position_counts_what_is_held_and_what_is_bid_for(desk: SpotDesk) -> None:
    _rules(desk, max_position=D("1.15"))
    desk.limit("BUY", "0.1", "50000")
    assert desk.refused("BUY", "LIMIT", "0.06", price="50000") == _filter("MAX_POSITION")
    assert desk.limit("BUY", "0.05", "50000").is_open
    assert desk.limit("SELL", "0.5", "70000").is_open


def test_max_asset_limits_quantity_and_notional(desk: SpotDesk) -> None:
    desk.floor.asset_limits = {"BTC": D("0.1"), "USDT": D(5_000)}
    assert desk.refused("SELL", "LIMIT", "0.11", price="20000") == _filter("MAX_ASSET")
    assert desk.refused("SELL", "LIMIT", "0.1", price="60000") == _filter("MAX_ASSET")
    assert desk.limit("SELL", "0.08", "60500").is_open


def test_a_test_order_changes_nothing(desk: SpotDesk) -> None:
    before = len(desk.audit.records), len(desk.heard.said)
    desk.exchange.check(desk.ticket("BUY", "LIMIT", "9", price="60000"))  # more than there is: not asked here
    assert (len(desk.audit.records), len(desk.heard.said)) == before
    assert desk.floor.orders.open_of(desk.me) == []
