"""Payloads of the documents, as domain values; and what garbage becomes."""

import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.adapters.binance import payloads, translate
from chimera.adapters.binance.futures import algo_params, order_params
from chimera.adapters.binance.payloads import Unreadable, amount, decoded
from chimera.adapters.binance.spot.venue import order_params as spot_order_params
from chimera.adapters.binance.user_stream import read_frame
from chimera.ports.venue import OrderReport
from chimera.trading.ids import ClientOrderId, Symbol, VenueOrderId
from chimera.trading.intent import WorkingType
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import NewOrder, OrderType, Status, TimeInForce
from chimera.trading.venue import VenueOrder

PLACED = b"""{"clientOrderId":"rt-91c-1","cumQty":"0","executedQty":"0","orderId":22542179,"origQty":"0.010",
 "price":"90000.00","reduceOnly":false,"side":"BUY","positionSide":"BOTH","status":"NEW","stopPrice":"0.00",
 "closePosition":false,"symbol":"BTCUSDT","timeInForce":"GTX","type":"LIMIT","origType":"LIMIT",
 "updateTime":1763635200123,"workingType":"CONTRACT_PRICE","priceProtect":false,"priceMatch":"NONE",
 "selfTradePreventionMode":"EXPIRE_MAKER","goodTillDate":0,"newSinceYesterday":{"x":[1]}}"""
ALGO_UPDATE = b"""{"e":"ALGO_UPDATE","T":1763635200100,"E":1763635200101,"o":{"caid":"rt-sl-1","aid":1000000033225453,
 "at":"CONDITIONAL","o":"STOP_MARKET","s":"BTCUSDT","S":"SELL","ps":"BOTH","f":"GTC","q":"0.010","X":"TRIGGERED",
 "ai":"88937381063","ap":"0","aq":"0","act":"MARKET","tp":"89000","p":"0","V":"EXPIRE_MAKER","wt":"MARK_PRICE",
 "pm":"NONE","cp":false,"pP":false,"R":true,"tt":1763635200099,"gtd":0,"rm":""}}"""
TRADE: dict[str, Any] = {
    "e": "ORDER_TRADE_UPDATE",
    "E": 1763635200200,
    "T": 1763635200199,
    "st": 1,
    "o": {
        "s": "BTCUSDT", "c": "rt-91c-t1", "S": "SELL", "o": "MARKET", "f": "GTC", "q": "0.010", "p": "0", "ap": "89990",
        "sp": "0", "x": "TRADE", "X": "PARTIALLY_FILLED", "i": 88937381063, "l": "0.004", "z": "0.004", "L": "89990.10",
        "n": "0.17998020", "N": "USDT", "T": 1763635200198, "t": 987, "b": "0", "a": "0", "m": False, "R": True,
        "wt": "CONTRACT_PRICE", "ot": "MARKET", "ps": "BOTH", "cp": False, "rp": "-0.04", "pP": False, "si": 0, "ss": 0,
        "V": "EXPIRE_MAKER", "pm": "NONE", "gtd": 0, "er": "0",
    },
}  # fmt: skip


def a_trade(**changes: Any) -> bytes:
    return msgspec.json.encode(TRADE | {"o": TRADE["o"] | changes})


def an_algo(**changes: Any) -> bytes:
    event = msgspec.json.decode(ALGO_UPDATE)
    return msgspec.json.encode(event | {"o": event["o"] | changes})


def heard(frame: bytes) -> OrderReport:
    found, *_ = read_frame(frame)
    assert isinstance(found, OrderReport)
    return found


def test_a_placed_order_without_average_price() -> None:
    order = translate.order(decoded(PLACED, payloads.OrderRow))

    assert order == VenueOrder(
        symbol=Symbol("BTCUSDT"),
        ref=ClientOrderId("rt-91c-1"),
        conditional=False,
        venue_id=VenueOrderId("22542179"),
        side=Side.BUY,
        type=OrderType.LIMIT,
        status=Status.NEW,
        qty=Qty(Decimal("0.010")),
        updated_ms=Millis(1763635200123),
        price=Price(Decimal(90000)),
    )


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("NEW", Status.NEW),
        ("PARTIALLY_FILLED", Status.PARTIALLY_FILLED),
        ("FILLED", Status.FILLED),
        ("CANCELED", Status.CANCELED),
        ("REJECTED", Status.REJECTED),
        ("EXPIRED", Status.EXPIRED),
        ("EXPIRED_IN_MATCH", Status.EXPIRED),
        ("NEW_INSURANCE", Status.IN_DOUBT),
        ("", Status.IN_DOUBT),
    ],
)
def test_order_statuses(word: str, status: Status) -> None:
    order = translate.order(decoded(PLACED.replace(b'"NEW"', b'"' + word.encode() + b'"'), payloads.OrderRow))

    assert order.status is status
    assert bool(order.reason) is (status is Status.IN_DOUBT)


def test_a_trade_is_reported_with_its_order() -> None:
    report = heard(a_trade())

    assert report.order.status is Status.PARTIALLY_FILLED
    assert report.order.cum_qty == Decimal("0.004")
    fill = report.fill
    assert fill is not None
    assert (fill.trade_id, fill.ref, fill.market, fill.side) == ("987", "rt-91c-t1", Market.FUT, Side.SELL)
    assert (fill.price, fill.qty, fill.fee, fill.fee_asset) == (
        Decimal("89990.10"),
        Decimal("0.004"),
        Decimal("0.17998020"),
        "USDT",
    )
    assert (fill.realized_pnl, fill.maker, fill.at_ms) == (Decimal("-0.04"), False, 1763635200198)


def test_a_trade_without_commission_costs_nothing() -> None:
    event = msgspec.json.decode(a_trade())
    del event["o"]["n"], event["o"]["N"]

    fill = heard(msgspec.json.encode(event)).fill

    assert fill is not None
    assert fill.fee == 0


def test_an_event_that_is_no_trade_has_no_fill() -> None:
    report = heard(a_trade(x="CANCELED", X="CANCELED", l="0", L="0", t=0, er="0"))

    assert report.fill is None
    assert report.order.status is Status.CANCELED
    assert report.order.cum_qty == Decimal("0.004")


def test_an_expiry_says_why() -> None:
    assert "reduce-only" in heard(a_trade(x="EXPIRED", X="EXPIRED", l="0", t=0, er="4")).order.reason


@pytest.mark.parametrize("ref", ["autoclose-1763", "adl_autoclose", "settlement_autoclose-9", "web_abc", "ios_1"])
def test_foreign_orders_pass_through(ref: str) -> None:
    report = heard(a_trade(c=ref, x="CALCULATED" if ref.startswith("auto") else "TRADE"))

    assert report.order.ref == ref
    assert report.fill is not None
    assert report.fill.ref == ref


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("NEW", Status.NEW),
        ("TRIGGERING", Status.TRIGGERING),
        ("TRIGGERED", Status.TRIGGERING),
        ("FINISHED", Status.TRIGGERING),  # never FILLED without the child's word
        ("CANCELED", Status.CANCELED),
        ("EXPIRED", Status.EXPIRED),
        ("REJECTED", Status.REJECTED),
        ("PAUSED", Status.IN_DOUBT),
    ],
)
def test_algo_statuses(word: str, status: Status) -> None:
    report = heard(an_algo(X=word, aq="0.010"))

    assert report.order.status is status
    assert report.order.cum_qty == 0
    assert report.fill is None


def test_an_algo_event_before_and_after_its_trigger() -> None:
    before, after = heard(an_algo(X="NEW", ai="")).order, heard(ALGO_UPDATE).order

    assert before.venue_id == "1000000033225453"
    assert after.venue_id == "88937381063"
    assert (after.ref, after.conditional, after.type) == ("rt-sl-1", True, OrderType.STOP_MARKET)
    assert (after.trigger_price, after.qty, after.reduce_only) == (Decimal(89000), Decimal("0.010"), True)


def test_a_refused_child_says_why() -> None:
    order = heard(an_algo(X="REJECTED", ai="", rm="Margin is insufficient.")).order

    assert (order.status, order.reason) == (Status.REJECTED, "Margin is insufficient.")


def test_what_a_kind_of_order_has_not_may_be_null() -> None:
    """A trailing stop by hand has no trigger price: the list it stands in, and with it each survey, stays readable."""
    nothing = ("quantity", "triggerPrice", "reduceOnly", "closePosition", "updateTime", "actualOrderId")
    row = {
        "symbol": "BTCUSDT", "clientAlgoId": "web_1", "algoId": 7, "side": "SELL",
        "orderType": "TRAILING_STOP_MARKET", "algoStatus": "NEW",
    }  # fmt: skip
    [listed] = decoded(msgspec.json.encode([row | dict.fromkeys(nothing)]), list[payloads.AlgoRow])
    seen = heard(an_algo(X="NEW", o="TRAILING_STOP_MARKET", **dict.fromkeys(("q", "tp", "R", "cp", "rm", "ai")))).order
    for order in (translate.algo(listed), seen):
        assert (order.trigger_price, order.qty, order.close_position, order.reduce_only) == (None, 0, False, False)


@pytest.mark.incident(4)
def test_a_close_position_algo_covers_all() -> None:
    order = heard(an_algo(X="NEW", ai="", q="0", cp=True, f="GTE_GTC")).order

    assert (order.qty, order.close_position, order.reduce_only) == (Decimal(0), True, True)


@pytest.mark.parametrize(
    ("execution", "word", "status"),
    [
        ("NEW", "NEW", Status.TRIGGERING),  # the child stands in the engine: the stop guards nothing any more
        ("TRADE", "PARTIALLY_FILLED", Status.PARTIALLY_FILLED),
        ("TRADE", "FILLED", Status.FILLED),
        ("CANCELED", "CANCELED", Status.CANCELED),
        ("EXPIRED", "EXPIRED", Status.EXPIRED),
    ],
)
def test_a_child_speaks_for_its_conditional_order(execution: str, word: str, status: Status) -> None:
    order = heard(a_trade(c="rt-sl-1", ot="STOP_MARKET", sp="89000", x=execution, X=word)).order

    assert (order.status, order.conditional, order.type) == (status, True, OrderType.STOP_MARKET)
    assert order.trigger_price == Decimal(89000)


def test_a_parent_and_its_child_are_one() -> None:
    parent = heard(an_algo(X="FINISHED")).order
    child = heard(a_trade(c="rt-sl-1", ot="STOP_MARKET", X="EXPIRED", x="EXPIRED", z="0.004")).order

    merged = translate.triggered(parent, child)

    assert (merged.status, merged.cum_qty, merged.conditional) == (Status.EXPIRED, Decimal("0.004"), True)
    assert (merged.trigger_price, merged.ref, merged.venue_id) == (Decimal(89000), "rt-sl-1", "88937381063")


@pytest.mark.parametrize("kind", ["TRADE_LITE", "ACCOUNT_UPDATE", "MARGIN_CALL", "ACCOUNT_CONFIG_UPDATE", "NEWS"])
def test_other_events_are_not_read(kind: str) -> None:
    assert read_frame(msgspec.json.encode({"e": kind, "a": 1})) == ()


def test_an_expired_key_is_named() -> None:
    (found,) = read_frame(b'{"e":"listenKeyExpired","E":1,"listenKey":"abc"}')

    assert isinstance(found, payloads.KeyExpired)
    assert found.listen_key == "abc"


def test_positions_absent_means_flat_and_zero_is_none() -> None:
    rows = decoded(
        b"""[{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"-0.010","entryPrice":"90000","markPrice":"89000",
        "liquidationPrice":"0","updateTime":5,"leverage":"20"},
        {"symbol":"ETHUSDT","positionAmt":"0.000","entryPrice":"0.0"}]""",
        list[payloads.PositionRow],
    )

    (position,) = translate.positions(rows)

    assert (position.symbol, position.qty, position.entry_px) == ("BTCUSDT", Decimal("-0.010"), Decimal(90000))
    assert (position.mark_px, position.liquidation_px) == (Decimal(89000), None)


SYMBOL: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "contractType": "PERPETUAL",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "pricePrecision": 2,
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "261.10", "maxPrice": "809484", "tickSize": "0.10"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "50"},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500", "multiplierDecimal": "4"},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
    ],
}


@pytest.mark.req("S4-RULE-1")
def test_filters_become_an_instrument() -> None:
    found = translate.instrument(msgspec.json.encode(SYMBOL))

    assert found is not None
    assert (found.tick, found.step, found.min_price) == (Decimal("0.1"), Decimal("0.001"), Decimal("261.10"))
    assert (found.max_qty, found.market_max_qty, found.min_notional) == (Decimal(1000), Decimal(120), Decimal(50))
    assert (found.price_up, found.price_down, found.trading) == (Decimal("1.05"), Decimal("0.95"), True)


@pytest.mark.parametrize("status", ["PENDING_TRADING", "SETTLING", "TRADING_HALT", "TRADING_CANCEL_ONLY", "NEW_WORD"])
def test_only_trading_trades(status: str) -> None:
    found = translate.instrument(msgspec.json.encode(SYMBOL | {"status": status}))

    assert found is not None
    assert not found.trading


@pytest.mark.fault("B29")
def test_a_perpetual_that_is_being_delisted_keeps_its_rules() -> None:
    """Without them a start left its position to nobody: no stop, and a close was answered UNKNOWN_SYMBOL."""
    leaving = SYMBOL | {"contractType": "PERPETUAL_DELIVERING", "status": "DELIVERING"}
    found = translate.instrument(msgspec.json.encode(leaving))

    assert found is not None
    assert not found.trading


@pytest.mark.fault("B32")
@pytest.mark.parametrize(
    ("kind", "dated"),
    [("PERPETUAL", False), ("TRADIFI_PERPETUAL", False), ("PERPETUAL_DELIVERING", False),
     ("CURRENT_QUARTER", True), ("NEXT_QUARTER", True), ("CURRENT_QUARTER_DELIVERING", True)],
)  # fmt: skip
def test_a_dated_contract_has_rules_and_says_that_it_is_one(kind: str, dated: bool) -> None:
    """Without them a position that somebody opened there was nobody's: no stop, and a flatten left it."""
    found = translate.instrument(msgspec.json.encode(SYMBOL | {"contractType": kind}))

    assert found is not None
    assert found.dated is dated


def test_a_symbol_of_no_contract_is_no_instrument() -> None:
    assert translate.instrument(msgspec.json.encode(SYMBOL | {"contractType": ""})) is None


def an_order(**changes: Any) -> NewOrder:
    plain = NewOrder(
        ref=ClientOrderId("s3-btc-1-m1"),
        symbol=Symbol("BTCUSDT"),
        side=Side.BUY,
        type=OrderType.LIMIT,
        qty=Qty(Decimal("0.0100")),
        price=Price(Decimal("9E+4")),
        time_in_force=TimeInForce.GTX,
    )
    return plain.but(**changes)


def test_a_limit_order_in_binances_words() -> None:
    assert order_params(an_order()) == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": "0.01",
        "newClientOrderId": "s3-btc-1-m1",
        "newOrderRespType": "RESULT",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "price": "90000",
        "timeInForce": "GTX",
    }


@pytest.mark.req("I9")
@pytest.mark.parametrize("worded", [order_params, algo_params, spot_order_params])
@given(digits=st.tuples(*[st.integers(1, 10**18)] * 3), places=st.integers(-18, 6))
def test_an_amount_goes_out_in_plain_digits_and_exactly(worded: Any, digits: tuple[int, ...], places: int) -> None:
    """No exponent, no sign, no zeros that say nothing: whatever its size."""
    qty, price, trigger = (Decimal(each).scaleb(places) for each in digits)
    order = an_order(qty=Qty(qty), price=Price(price), trigger_price=Price(trigger))
    if worded is algo_params:
        order = order.but(type=OrderType.STOP_MARKET, working_type=WorkingType.MARK_PRICE)
    params = worded(order)
    told = {name: params[name] for name in ("quantity", "price", "triggerPrice", "stopPrice") if name in params}

    assert "quantity" in told
    assert all(re.fullmatch(r"(0|[1-9]\d*)(\.\d*[1-9])?", amount, re.ASCII) for amount in told.values()), told
    assert {Decimal(amount) for amount in told.values()} <= {qty, price, trigger}


def test_a_market_exit_has_no_price_and_says_reduce_only() -> None:
    params = order_params(an_order(type=OrderType.MARKET, price=None, time_in_force=None, reduce_only=True))

    assert params["reduceOnly"] == "true"
    assert not {"price", "timeInForce"} & params.keys()


def test_a_stop_in_binances_words() -> None:
    stop = an_order(
        type=OrderType.STOP_MARKET,
        side=Side.SELL,
        price=None,
        time_in_force=None,
        trigger_price=Price(Decimal("89000.10")),
        working_type=WorkingType.MARK_PRICE,
        reduce_only=True,
    )

    assert algo_params(stop) == {
        "algoType": "CONDITIONAL",
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "STOP_MARKET",
        "quantity": "0.01",
        "triggerPrice": "89000.1",
        "workingType": "MARK_PRICE",
        "reduceOnly": "true",
        "clientAlgoId": "s3-btc-1-m1",
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1E+999999", "1E-400", "0E-400", "x", " ", "1,0"])
@pytest.mark.fault("B34")
def test_numbers_out_of_all_proportion_are_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        amount(text)
    with pytest.raises(Unreadable):
        read_frame(a_trade(z=text))


@pytest.mark.parametrize("missing", ["s", "c", "S", "o", "q", "x", "X", "i", "z", "T"])
@pytest.mark.fault("B35")
def test_what_we_cannot_do_without_is_required(missing: str) -> None:
    event = msgspec.json.decode(a_trade())
    del event["o"][missing]

    with pytest.raises(Unreadable):
        read_frame(msgspec.json.encode(event))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["NaN", "0.01", "BUY", "NEW"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=6,
)


@settings(max_examples=200)
@given(field=st.sampled_from(sorted(TRADE["o"])), value=JSON)
@pytest.mark.fault("B35")
def test_a_twisted_order_event_is_read_or_unreadable(field: str, value: Any) -> None:
    try:
        frame = a_trade(**{field: value})
    except (msgspec.MsgspecError, OverflowError):
        return  # our own test could not write it
    try:
        heard(frame)
    except Unreadable:
        return


@settings(max_examples=200)
@given(field=st.sampled_from(sorted(msgspec.json.decode(ALGO_UPDATE)["o"])), value=JSON)
def test_a_twisted_algo_event_is_read_or_unreadable(field: str, value: Any) -> None:
    try:
        frame = an_algo(**{field: value})
    except (msgspec.MsgspecError, OverflowError):
        return  # our own test could not write it
    try:
        heard(frame)
    except Unreadable:
        return


@settings(max_examples=200)
@given(frame=st.binary(max_size=60) | st.integers(0, len(ALGO_UPDATE)).map(lambda cut: ALGO_UPDATE[:cut]))
@pytest.mark.fault("B34")
def test_a_torn_frame_is_read_or_unreadable(frame: bytes) -> None:
    try:
        read_frame(frame)
    except Unreadable:
        return


def test_a_very_deep_frame_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        read_frame(b'{"e":"ORDER_TRADE_UPDATE","o":' + b"[" * 100_000)
