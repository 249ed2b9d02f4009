"""The acceptance scenarios by their names: S3, S4, feed and exchange as they are served, over real HTTP."""

import asyncio
from collections import deque
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from chimera.trading.market import Market
from support.whole_house import SYMBOL, whole_house

pytestmark = pytest.mark.slow

D = Decimal
OCO: Final = {"market": "SPOT", "symbol": SYMBOL, "side": "BUY", "qty": 0.003}
STANDING: Final = {"STOP": "NEW", "TARGET": "NEW"}
UP, DOWN = D("66000.00"), D("65500.00")
NO_LISTS: Final = {"code": -1013, "msg": "OCO orders are not supported for this symbol."}


def an_oco(name: str) -> dict[str, Any]:
    policy = {"type": "OCO", "tp_price": 65950, "sl_price": 65600}
    return OCO | {"intent_id": name, "client_order_id": name, "exec_policy": policy}


def legs(row: dict[str, Any]) -> dict[str, str]:
    return {leg["leg"]: leg["status"] for leg in row["legs"]}


def legs_live(row: dict[str, Any]) -> bool:
    return row.get("status") == "FILLED" and legs(row) == STANDING


@pytest.mark.req("ACC-5", "S4-EVT-1", "S3-PER-2", "S4-ROUTE-10", "S4-PER-1")
async def test_acc_5_futures_from_decision_to_live_stop_and_target(tmp_path: Path) -> None:
    async with whole_house(tmp_path, rv_pctile_30d=D("0.5")) as house:  # R-023 does not fire: the size stays as it is
        house.market.wobble = D("20.0")  # an ATR needs a range
        trial = {"symbol": SYMBOL, "dry_run": True}
        await house.until(
            lambda: house.ask("POST", "/decide", trial, at=house.s3), lambda told: told[1]["decision"] == "open"
        )
        house.market.wobble = D(
            "0.1"
        )  # else the price may pass the near stop between decision and order: rightly refused
        reasons: deque[str] = deque(maxlen=40)

        def calm(told: Any) -> bool:
            reasons.append(told[1]["reason"])
            return len(reasons) == reasons.maxlen and not any(" 6582" in each for each in reasons)

        await house.until(lambda: house.ask("POST", "/decide", trial, at=house.s3), calm)
        _, decided = await house.ask("POST", "/decide", {"symbol": SYMBOL}, at=house.s3)
        name = decided["intent"]["client_order_id"]
        row = await house.until(lambda: house.order(name), legs_live)
        executed = await house.until(lambda: house.stream("orders:executed"), bool)

    orders = {each["client_order_id"]: each for each in await house.kept("orders")}
    fills = await house.kept("fills", intent_id=row["intent_id"])
    assert (decided["intent"]["side"], decided["explanation"]["sizing"]["size_mult"]) == ("BUY", 1)
    assert decided["rules_fired"]
    assert (row["status"], row["filled_qty"], row["reduce_only"]) == ("FILLED", decided["intent"]["qty"], False)
    assert row["first_ack_ms"] - row["accepted_ms"] <= 500
    assert 0 <= row["slippage_bps"] <= 5
    assert orders[name]["status"] == "FILLED"
    assert sum(D(str(fill["qty"])) for fill in fills) == D(str(row["filled_qty"]))
    assert [(each["client_order_id"], D(each["filled"])) for each in executed] == [(name, D(str(row["filled_qty"])))]
    assert all(D(each["mid_at_send"]) > 0 and len(each["book_top3"]["asks"]) in (1, 2, 3) for each in fills)
    assert {each["fill_id"]: D(str(each["slip_bps"])) for each in row["fills"]} == {
        each["trade_id"]: D(each["slippage_bps"]) for each in fills
    }
    assert all(
        D(str(child["book_top3"]["asks"][0]["qty"])) == house.market.size[Market.FUT] for child in row["children"]
    )
    assert (await house.kept("positions_snapshots"))[-1]["why"] == "CHANGE"


@pytest.mark.req("ACC-7", "S4-SPOT-1", "S4-SPOT-3", "S4-EVT-1")
@pytest.mark.parametrize(("goes", "sold"), [("up", "TARGET"), ("down", "STOP")])
async def test_acc_7_spot_oco_one_leg_fills_and_the_other_is_cancelled(goes: str, sold: str, tmp_path: Path) -> None:
    async with whole_house(tmp_path) as house:
        said = {"symbol": SYMBOL, "market": "SPOT", "sideHint": "BUY"}
        _, decided = await house.until(
            lambda: house.ask("POST", "/decide", said, at=house.s3), lambda told: told[1]["decision"] == "open"
        )
        name = decided["intent"]["client_order_id"]
        armed = await house.until(
            lambda: house.order(name), lambda row: row.get("result") == "OK" and legs(row) == STANDING
        )
        prices = decided["intent"]["exec_policy"]
        house.quote(Market.SPOT, D(str(prices["tp_price"])) + 20 if goes == "up" else D(str(prices["sl_price"])) - 5)
        ended = await house.until(lambda: house.order(name), lambda row: row["status"] == "FILLED")
        [told] = await house.until(lambda: house.stream("spot:oco:armed"), bool)
        await house.until(
            lambda: house.stream("router:events"), lambda all_: "OCO_RESOLVE" in {e["kind"] for e in all_}
        )

    [resolved] = await house.kept("strategy_events", kind="OCO_RESOLVE")
    fills = await house.kept("fills", market="SPOT")
    assert (armed["status"], all(leg["order_id"] for leg in armed["legs"])) == ("ACCEPTED", True)
    assert ended["legs"] == []
    by_leg = {leg["leg"]: leg["client_order_id"] for leg in armed["legs"]}
    by_name = dict(by_leg)
    assert (resolved["filled_ref"], resolved["both"]) == (by_leg.pop(sold), False)
    assert resolved["ended_ref"] == next(iter(by_leg.values()))
    assert sorted(fill["side"] for fill in fills) == ["BUY", "SELL"]
    assert {fill["side"]: fill["book_top3"] is None for fill in fills} == {"BUY": False, "SELL": True}
    assert (told["stop_ref"], told["target_ref"], told["market"]) == (by_name["STOP"], by_name["TARGET"], "SPOT")


@pytest.mark.req("ACC-8", "S4-SPOT-2", "S4-SPOT-3", "S4-EVT-1")
@pytest.mark.parametrize(("bid", "sold"), [(UP, "up"), (DOWN, "down")])
async def test_acc_8_no_native_oco_and_the_stream_is_down_yet_one_leg_ends_the_other(
    bid: Decimal, sold: str, tmp_path: Path
) -> None:
    """The target is S4's own guard, the stop rests; what the stream does not tell is asked for."""
    async with whole_house(tmp_path) as house:
        await house.fault("refused", params=NO_LISTS, match={"method": "POST", "path": "/api/v3/orderList/oco"})
        await house.fault("stream_silent", match={"route": "spot_private"})
        await house.ask("POST", "/orders", an_oco("a-1"))
        await house.until(lambda: house.row(Market.SPOT), lambda row: row["stop"] is not None)
        held = await house.row(Market.SPOT)
        house.quote(Market.SPOT, bid)
        flat = await house.until(lambda: house.row(Market.SPOT), lambda row: not row["qty"] and row["exit"] is None)
        await house.until(lambda: house.order("a-1"), lambda row: row["status"] == "FILLED")
        armed = await house.until(lambda: house.stream("guard:spot:arm"), bool)

    sales = [fill for fill in await house.kept("fills", market="SPOT") if fill["side"] == "SELL"]
    assert held["target"] is None
    assert [guard["kind"] for guard in held["guards"]] == ["TARGET"]
    assert ("GUARD_ARMED", "SPOT", "TARGET") in {(each["kind"], each["market"], each["role"]) for each in armed}
    assert flat["closed_count"] == 1
    assert sum(D(str(fill["qty"])) for fill in sales) == D("0.00299"), "never both"
    assert not [
        order for order in await house.kept("orders", kind="CHILD") if order["status"] in ("NEW", "PENDING_NEW")
    ]


@pytest.mark.req("ACC-8", "S4-SPOT-3")
async def test_acc_8_with_the_stream_down_polling_hears_of_the_leg_that_filled(tmp_path: Path) -> None:
    async with whole_house(tmp_path) as house:
        await house.ask("POST", "/orders", an_oco("a-1"))
        await house.until(lambda: house.order("a-1"), lambda row: legs(row) == STANDING)
        await house.fault("stream_silent", match={"route": "spot_private"})
        house.quote(Market.SPOT, UP)
        await house.until(lambda: house.order("a-1"), lambda row: row["status"] == "FILLED")
        flat = await house.row(Market.SPOT)

    assert (flat["qty"], flat["closed_count"]) == (0, 1)
    assert [event["both"] for event in await house.kept("strategy_events", kind="OCO_RESOLVE")] == [False]


@pytest.mark.req("ACC-10", "S4-ROUTE-3")
async def test_acc_10_a_maker_fills_in_time_and_a_thin_market_falls_back_to_taking(tmp_path: Path) -> None:
    order = {"market": "FUT", "symbol": SYMBOL, "side": "BUY", "qty": 0.002}
    async with whole_house(tmp_path) as house:
        waiting = {"intent_id": "m-1", "client_order_id": "m-1", "exec_policy": {"maker_wait_ms": 3000}}
        asking = house.ask("POST", "/orders", order | waiting)
        answer = asyncio.create_task(asking)
        await house.until(lambda: house.order("m-1"), lambda row: row.get("status") == "NEW")
        house.quote(Market.FUT, D("65790.0"))  # the market comes to the maker
        status, maker = await answer
        house.market.size[Market.FUT] = D("0.010")
        house.market.spread[Market.FUT] = D("6.0")
        await house.until(lambda: house.row(Market.FUT), lambda row: row["stop"] and row["mark_price"] < 65795)
        hasty = {"intent_id": "m-2", "client_order_id": "m-2", "exec_policy": {"maker_wait_ms": 300}}
        _, thin = await house.ask("POST", "/orders", order | hasty)

    assert (status, maker["status"], maker["reduce_only"]) == (200, "FILLED", False)
    assert maker["done_ms"] - maker["accepted_ms"] <= 3_000
    assert [fill["maker"] for fill in maker["fills"]] == [True] * len(maker["fills"])
    worth = sum(D(str(fill["price"])) * D(str(fill["qty"])) for fill in maker["fills"])
    assert abs(D(str(maker["avg_price"])) - worth / D("0.002")) < D("0.00000001")
    assert (thin["status"], thin["filled_qty"]) == ("FILLED", 0.002)
    assert thin["children"][-1]["leg"] == "TAKER"
    assert thin["slippage_bps"] > 0


@pytest.mark.req("ACC-11", "S4-API-10", "S4-SPOT-1")
async def test_acc_11_a_stop_on_its_own_and_both_legs_of_an_oco_are_accepted(tmp_path: Path) -> None:
    entry = {"market": "FUT", "symbol": SYMBOL, "side": "BUY", "qty": 0.002, "exec_policy": {"type": "MARKET"}}
    stop = {"order_type": "STOP_MARKET", "stop_price": 65300, "working_type": "MARK_PRICE"}
    alone = {"market": "FUT", "symbol": SYMBOL, "side": "SELL", "reduce_only": True, "exec_policy": stop}
    async with whole_house(tmp_path) as house:
        early = await house.ask("POST", "/orders", {"intent": alone | {"intent_id": "s-0", "size": 0.002}})
        await house.ask("POST", "/orders", entry | {"intent_id": "e-1"})
        status, told = await house.ask("POST", "/orders", alone | {"intent_id": "s-1", "qty": 0.002})
        again = await house.ask("POST", "/orders", alone | {"intent_id": "s-1", "qty": 0.002})
        shown = await house.row(Market.FUT)
        off, canceled = await house.ask("POST", "/cancel", {"order_id": told["order_id"], "reason": "user request"})
        own = await house.until(
            lambda: house.row(Market.FUT), lambda row: row["stop"] and row["stop"]["price"] != 65300
        )
        _, pair = await house.ask("POST", "/orders", an_oco("a-1"))

    assert (early[0], early[1]["code"]) == (422, "REDUCE_ONLY_OPENS")
    assert (status, told["status"], told["reduce_only"], told["working_type"]) == (200, "ACCEPTED", True, "MARK_PRICE")
    assert [(leg["leg"], leg["status"], bool(leg["order_id"])) for leg in told["legs"]] == [("STOP", "NEW", True)]
    assert (again[0], again[1]["legs"]) == (200, told["legs"])
    assert (shown["stop"]["price"], shown["coverage"]) == (65300, 1)
    assert (off, canceled["status"]) == (200, "CANCELED")
    assert own["coverage"] == 1
    assert pair["status"] == "ACCEPTED"
    assert {leg["leg"]: bool(leg["order_id"]) for leg in pair["legs"]} == {"STOP": True, "TARGET": True}


@pytest.mark.req("S4-API-11", "S4-API-6")
async def test_a_resting_order_is_replaced_and_an_oco_is_cancelled_with_its_list(tmp_path: Path) -> None:
    order = {
        "market": "FUT",
        "symbol": SYMBOL,
        "side": "BUY",
        "qty": 0.002,
        "intent_id": "r-1",
        "client_order_id": "r-1",
    }
    async with whole_house(tmp_path) as house:
        answer = asyncio.create_task(house.ask("POST", "/orders", order | {"exec_policy": {"maker_wait_ms": 3000}}))
        await house.until(lambda: house.order("r-1"), lambda row: row.get("status") == "NEW")
        change = {"qty": 0.003, "exec_policy": {"type": "MARKET"}, "sl": {"price": 65000}}
        status, _ = await house.ask("POST", "/orders/r-1/replace", change)
        row = await house.until(lambda: house.order("r-1"), lambda row: row["status"] == "FILLED")
        _, first = await answer
        too_late = await house.ask("POST", "/orders/r-1/replace", {"qty": 0.004})
        await house.ask("POST", "/orders", an_oco("a-1"))
        off, canceled = await house.ask("POST", "/cancel", {"client_order_id": "a-1", "cascade_oco": True})
        kept = await house.until(
            lambda: house.row(Market.SPOT),
            lambda row: row["target"] is None and row["stop"] and row["stop"]["form"] == "ALONE",
        )

    assert status in (200, 202)
    assert (row["filled_qty"], first["status"]) == (0.003, "FILLED")
    assert [child["status"] for child in row["children"]] == ["CANCELED", "FILLED"]
    assert any(step["what"].startswith("changed: 0 filled before, 0.003 left") for step in row["timeline"])
    assert (too_late[0], too_late[1]["code"]) == (409, "ALREADY_FILLED")
    assert (off, canceled["status"]) == (200, "CANCELED")
    assert kept["stop"]["price"] == 65600
    assert kept["coverage"] == 1
