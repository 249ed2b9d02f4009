"""``POST /orders/{id}/replace`` and what it may say; targets by a range; a stop on its own in both shapes."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from router_fake import BTC, NOW, FakeRouter, an_intent, instruments

from chimera.trading.errors import Refused
from chimera.trading.intent import (
    Intent,
    IntentKind,
    MakerThenTaker,
    MarketNow,
    OrderList,
    StopAlone,
    StopSpec,
    TargetKind,
    TargetSpec,
    WorkingType,
)
from chimera.trading.market import Market, Side
from chimera.trading.money import Price
from chimera.wire.changes import changed
from chimera.wire.intents import order_body
from chimera.wire.request_json import read_object
from chimera.wire.requests import body_hash, order_intent

STOP = {"order_type": "STOP_MARKET", "stop_price": "64800", "working_type": "MARK_PRICE"}
FLAT = {
    "intent_id": "p-1",
    "market": "FUT",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "exec_policy": STOP,
    "reduce_only": True,
}


def read(document: dict[str, Any]) -> Intent:
    return order_intent(said(document), instruments=instruments, now_ms=NOW)


def change(document: dict[str, Any], intent: Intent) -> Intent:
    return changed(said(document), intent, BTC)


def said(document: dict[str, Any]) -> Mapping[str, object]:
    """As it comes over the wire."""
    return read_object(json.dumps(document).encode())


@pytest.mark.req("S4-API-10", "ACC-11")
@pytest.mark.parametrize("more", [{}, {"kind": "PROTECT"}, {"kind": "EXIT"}, {"qty": "0.002"}])
def test_a_stop_on_its_own_is_one_in_both_shapes(more: dict[str, Any]) -> None:
    flat, wrapped = read(FLAT | more), read({"intent": FLAT | more})

    assert flat == wrapped
    assert (flat.kind, flat.reduce_only, flat.policy) == (IntentKind.PROTECT, True, StopAlone())
    assert flat.stop == StopSpec(price=Price(Decimal(64800)), working_type=WorkingType.MARK_PRICE)
    assert body_hash(read(order_body(flat))) == body_hash(flat), "a client sends it as it was read"


@pytest.mark.req("S4-FUT-2")
@pytest.mark.parametrize("named", [{"m": "1.5"}, {"value": "1.5"}, {"m": "1.5", "value": "1.5"}])
def test_a_target_by_range_is_m_times_the_range_away(named: dict[str, str]) -> None:
    order = {"intent_id": "a", "market": "FUT", "symbol": "BTCUSDT", "side": "BUY", "qty": "0.002"}
    intent = read(order | {"tp": {"target": "atr", "atr": "120.4", **named}})

    assert intent.target == TargetSpec(kind=TargetKind.ATR, value=Decimal("180.60"))
    assert body_hash(read(order_body(intent))) == body_hash(intent)


@pytest.mark.req("S4-FUT-2")
@pytest.mark.parametrize(
    ("tp", "field"),
    [
        ({"target": "atr", "m": "2"}, "tp.atr"),
        ({"target": "atr", "atr": "2"}, "tp.m"),
        ({"target": "atr", "atr": "2", "m": "1", "value": "2"}, "tp.m"),
        ({"target": "roe", "value": "1", "atr": "2"}, "tp.atr"),
    ],
)
def test_half_a_target_by_range_is_refused(tp: dict[str, str], field: str) -> None:
    order = {"intent_id": "a", "market": "FUT", "symbol": "BTCUSDT", "side": "BUY", "qty": "0.002", "tp": tp}
    with pytest.raises(Refused) as no:
        read(order)

    assert no.value.field == field


@pytest.mark.req("S4-API-11")
def test_what_is_not_named_stays() -> None:
    before = an_intent(policy=MakerThenTaker(wait_ms=5), target=TargetSpec(kind=TargetKind.PRICE, value=Decimal(67000)))

    more = change({"qty": "0.0039"}, before)
    now = change({"exec_policy": {"type": "MARKET"}}, before)
    moved = change({"sl": {"price": 64900}}, before)
    bare = change({"tp": None}, before)

    assert more == before.but(qty=Decimal("0.003"))
    assert now == before.but(policy=MarketNow())
    assert moved == before.but(stop=StopSpec(price=Price(Decimal(64900))))
    assert bare == before.but(target=None)


OCO = an_intent(
    market=Market.SPOT, policy=OrderList(), target=TargetSpec(kind=TargetKind.PRICE, value=Decimal(67000)), leverage=1
)
ALONE = an_intent(policy=StopAlone(), kind=IntentKind.PROTECT, reduce_only=True, side=Side.SELL)


@pytest.mark.req("S4-API-11")
@pytest.mark.parametrize(
    ("intent", "body", "code", "field"),
    [
        (an_intent(), {}, "MISSING_FIELD", None),
        (an_intent(), {"side": "SELL"}, "UNKNOWN_FIELD", "side"),
        (an_intent(), {"qty": "0.0001"}, "BELOW_STEP", "qty"),
        (an_intent(), {"sl": None}, "UNPROTECTED", "sl"),
        (an_intent(), {"sl": {"price": "64800.05"}}, "OFF_TICK", "sl.price"),
        (an_intent(), {"tp": {"price": "64000"}}, "WRONG_SIDE_STOP", "sl.price"),
        (an_intent(), {"exec_policy": STOP}, "MALFORMED", "exec_policy.type"),
        (an_intent(reduce_only=True, kind=IntentKind.EXIT, stop=None), {"sl": {"price": 1}}, "NOT_ENABLED", "sl"),
        (OCO, {"exec_policy": {"type": "MARKET"}}, "MALFORMED", "exec_policy.type"),
        (OCO, {"tp": None}, "MALFORMED", "tp"),
        (OCO, {"tp": {"price": 64000}}, "WRONG_SIDE_STOP", "exec_policy.sl_price"),
        (ALONE, {"qty": "0.003"}, "NOT_ENABLED", "qty"),
    ],
)
def test_a_change_is_refused_as_an_order_is(intent: Intent, body: dict[str, Any], code: str, field: str | None) -> None:
    with pytest.raises(Refused) as no:
        change(body, intent)

    assert (no.value.code, no.value.field) == (code, field)


@pytest.mark.req("S4-API-11")
def test_both_prices_of_an_oco_move_together_or_apart() -> None:
    both = change({"exec_policy": {"type": "OCO", "tp_price": 67500, "sl_price": 64900}}, OCO)
    one = change({"sl": {"price": 64900}}, OCO)

    assert (both.stop, both.target) == (
        StopSpec(price=Price(Decimal(64900))),
        TargetSpec(kind=TargetKind.PRICE, value=Decimal(67500)),
    )
    assert (one.stop, one.target) == (both.stop, OCO.target)


@pytest.mark.req("S4-API-11")
async def test_a_change_goes_to_the_order_it_names(client: httpx2.AsyncClient, router: FakeRouter) -> None:
    order = {
        "intent_id": "a",
        "market": "FUT",
        "symbol": "BTCUSDT",
        "side": "BUY",
        "qty": 0.002,
        "client_order_id": "a",
    }
    await client.post("/orders", json=order)

    answer = await client.post("/orders/a/replace", json={"qty": 0.003})
    unknown = await client.post("/orders/nobody/replace", json={"qty": 0.003})

    assert (answer.status_code, answer.json()["client_order_id"]) == (202, "a")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "NOT_FOUND")
    assert [name for name, _ in router.replaced] == ["a"]
