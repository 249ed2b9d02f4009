"""S4's rows about orders over real HTTP: what is refused and how, one answer for all shapes, routes, protection, money.

The router as it is served, the exchange as it is served, and a market that moves by hand. One house per theme.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from chimera.adapters.redis.bus import connect
from chimera.simulate.venue.audit import Kind
from chimera.trading.market import Market
from chimera.wire.keys import ROUTE_CURVES
from support.whole_house import SYMBOL, WholeHouse, whole_house

pytestmark = pytest.mark.slow

D = Decimal
FUT: Final = {"market": "FUT", "symbol": SYMBOL, "side": "BUY", "qty": 0.002, "exec_policy": {"type": "MARKET"}}
SPOT: Final = FUT | {"market": "SPOT", "qty": 0.003}
REFUSED: Final = [  # what is asked otherwise; status, code, field
    ("VAL-1 step", FUT | {"qty": 0.0004}, 400, "BELOW_STEP", "qty"),
    ("VAL-1 tick", FUT | {"sl": {"price": "65000.05"}}, 400, "OFF_TICK", "sl.price"),
    ("VAL-2", SPOT | {"qty": 0.00005, "sl": {"price": 65000}}, 422, "MIN_NOTIONAL", "qty"),
    ("VAL-3", FUT | {"sl": {"type": "STOP_MARKET"}}, 400, "STOP_PRICE_MISSING", "sl.price"),
    ("VAL-4", FUT | {"side": "SELL", "reduce_only": True}, 422, "REDUCE_ONLY_OPENS", "reduce_only"),
    ("VAL-5 stop", FUT | {"sl": {"price": 66000}}, 422, "WRONG_SIDE_STOP", "sl.price"),
    ("VAL-5 target", FUT | {"sl": {"price": 65000}, "tp": {"price": 65500}}, 422, "WRONG_SIDE_TARGET", "tp.price"),
]


async def post(house: WholeHouse, body: dict[str, Any], name: str) -> tuple[int, Any]:
    return await house.ask("POST", "/orders", body | {"intent_id": name, "client_order_id": f"c-{name}"})


async def filled(house: WholeHouse, body: dict[str, Any], name: str) -> dict[str, Any]:
    await post(house, body, name)
    row: dict[str, Any] = await house.until(lambda: house.order(name), lambda told: told.get("status") == "FILLED")
    return row


async def flat(house: WholeHouse, market: Market) -> None:
    status, told = await house.ask("POST", f"/positions/{SYMBOL}/close", {"market": market.value})
    assert status in (200, 202), told
    await house.until(lambda: house.row(market), lambda row: not row["qty"] and row["exit"] is None)


@pytest.mark.req("S4-VAL-1", "S4-VAL-2", "S4-VAL-3", "S4-VAL-4", "S4-VAL-5", "S4-API-7")
async def test_what_is_refused_says_why_and_nothing_is_sent(tmp_path: Path) -> None:
    async with whole_house(tmp_path) as house:
        told = {name: await post(house, body, f"v-{at}") for at, (name, body, *_) in enumerate(REFUSED)}
        nobody = await house.ask("GET", "/orders/nobody")
        venue = await house.at_venue()

    answers = {name: (status, row["code"], row["field"]) for name, (status, row) in told.items()}
    assert answers == {name: (status, code, field) for name, _, status, code, field in REFUSED}
    assert all(row["result"] == "FAIL" and row["accepted"] for _, row in told.values())
    assert (nobody[0], nobody[1]["code"]) == (404, "NOT_FOUND")
    assert not venue["positions"]
    assert not venue["open_orders"]


@pytest.mark.req("S4-API-4", "S4-API-5", "S4-API-8", "S4-API-9", "S4-RULE-1", "S4-RULE-2", "S4-ROUTE-10", "S4-PER-1")
async def test_both_shapes_are_one_order_that_is_found_by_every_name(tmp_path: Path) -> None:
    inner = {"intent_id": "w-1", "kind": "ENTRY", "side": "BUY", "market": "FUT", "symbol": SYMBOL, "size": 0.0027}
    wrapped = {"intent": inner | {"exec_policy": {"order_type": "MARKET", "time_in_force": "IOC"}}}
    async with whole_house(tmp_path) as house:
        first = await house.ask("POST", "/orders", wrapped)
        again = await house.ask("POST", "/orders", wrapped)
        row = await house.until(lambda: house.order("w-1"), lambda told: told["status"] == "FILLED")
        names = (row["intent_id"], row["client_order_id"], row["order_id"])
        found = [await house.order(name) for name in names]
        await filled(house, FUT, "f-1")
        schemas = (await house.ask("GET", "/openapi.json"))[1]["components"]["schemas"]
        settings = [each for each in house.simulator.twin.audit if each.kind is Kind.SETTING and each.symbol == SYMBOL]

    assert {status for status, _ in (first, again)} == {200}
    assert first[1]["client_order_id"] == again[1]["client_order_id"] != ""
    assert row["qty"] == row["filled_qty"] == 0.002, "in whole steps"
    assert {(each["order_id"], len(each["fills"]), bool(each["timeline"])) for each in found} == {
        (row["order_id"], len(row["fills"]), True)
    }
    assert row["result"] == "OK"
    assert row["avg_price"] == row["filled_avg"] > 0
    assert all(fill["mid_at_send"] and fill["slip_bps"] > 0 and fill["timestamp"] for fill in row["fills"])
    wanted = {"HealthResponse", "OrderCmdRequest", "OrderResult", "CancelRequest", "CancelResponse"}
    assert wanted <= schemas.keys()
    assert len(settings) == 1, "isolated, once for all orders; the leverage is what it was"
    kept = await house.kept("orders", intent_id="w-1")
    assert {each["status"] for each in kept} == {"FILLED"}
    assert await house.kept("positions_snapshots")


@pytest.mark.req("S4-FUT-1", "S4-FUT-2", "S4-FUT-4", "S4-RULE-1", "LED-1", "LED-2", "DEL-3")
async def test_each_kind_of_target_stands_beside_its_stop_and_goes_with_it(tmp_path: Path) -> None:
    targets: dict[str, dict[str, Any]] = {
        "price": {"price": 66500},
        "profit": {"type": "TAKE_PROFIT_MARKET", "target": "net_profit_usdt", "value": 3},
        "atr": {"target": "atr", "value": 2, "atr": 150},
        "roe": {"target": "roe", "value": 0.1},
    }
    stood: dict[str, Decimal] = {}
    async with whole_house(tmp_path) as house:
        for name, target in targets.items():
            row = await filled(house, FUT | {"sl": {"price": 65000}, "tp": target}, name)
            row = await house.until(lambda name=name: house.order(name), lambda told: len(told["legs"]) == 2)
            legs = {leg["leg"]: leg for leg in row["legs"]}
            assert (legs["STOP"]["stop_price"], legs["STOP"]["working_type"]) == (65000, "MARK_PRICE")
            assert all(leg["reduce_only"] and leg["status"] == "NEW" for leg in legs.values())
            stood[name] = D(str(legs["TARGET"]["stop_price"]))
            if name == "price":
                await reduced_to_nothing(house)
            elif name != "roe":
                await flat(house, Market.FUT)
        house.quote(Market.FUT, D("64900.0"))  # through the stop
        await house.until(lambda: house.row(Market.FUT), lambda row: not row["qty"])
        await house.until(house.at_venue, lambda venue: not venue["open_algos"])
        armed = await house.until(lambda: house.stream("risk:sl_arm"), lambda told: len(told) >= len(targets))
        books = await house.until(lambda: house.ask("GET", "/pnl"), lambda told: told[1]["lines"][0]["trades"] == 9)
        balances = (await house.ask("GET", "/cash/balances"))[1]["balances"]
        venue = await house.at_venue()

    entry = D("65800.1")
    assert stood["price"] == 66500
    assert (
        D(3)
        <= (stood["profit"] - entry) * D("0.002") - D("0.0005") * D("0.002") * (entry + stood["profit"])
        < D("3.01")
    )
    assert all(price > entry for price in stood.values())
    assert armed
    assert sum((D(str(line["amount"])) for line in balances), D(0)) == 0
    line = books[1]["lines"][0]
    assert D(str(line["net"])) == D(str(line["realized"])) + D(str(line["fees"]))
    assert D(str(line["net"])) == D(venue["wallet"]) - 10_000


async def reduced_to_nothing(house: WholeHouse) -> None:
    """A reduce-only order takes a part of the position, and the stop covers the rest; it never opens the other way."""
    less = FUT | {"side": "SELL", "reduce_only": True}
    assert (await filled(house, less | {"qty": 0.001}, "less"))["reduce_only"] is True
    row = await house.until(lambda: house.row(Market.FUT), lambda row: row["qty"] == 0.001)
    assert row["covered_qty"] == 0.001
    await post(house, less | {"qty": 0.005}, "more")  # than there is
    more = await house.until(lambda: house.order("more"), lambda told: told.get("status") == "CANCELED")
    assert (more["filled_qty"], more["message"]) == (0.001, "NOTHING_TO_REDUCE")
    await house.until(lambda: house.row(Market.FUT), lambda row: not row["qty"] and row["exit"] is None)


@pytest.mark.req("S4-FUT-3")
async def test_a_position_whose_stop_nobody_takes_is_closed(tmp_path: Path) -> None:
    no = {"code": -4045, "msg": "Reach max stop order limit."}
    async with whole_house(tmp_path) as house:
        await house.fault("refused", params=no, match={"method": "POST", "path": "/fapi/v1/algoOrder"})
        await post(house, FUT, "n-1")
        row = await house.until(
            lambda: house.row(Market.FUT), lambda told: told["closed_count"] == 1 and not told["qty"]
        )
        venue = await house.at_venue()

    assert row["exit"] is None
    assert not venue["positions"]
    assert [fill["side"] for fill in await house.kept("fills")].count("SELL") == 1


@pytest.mark.req("S4-ROUTE-1", "S4-ROUTE-2")
async def test_the_table_and_its_curves_are_read_again_while_it_runs(tmp_path: Path) -> None:
    table = tmp_path / "route.json"
    rows = [{"notional_usdt_max": 500, "maker_wait_ms": 1000, "twap": {"slices": 1, "gap_ms": 0}}]
    table.write_text(json.dumps({"rev": 7, "rows": rows}))
    asked = {"market": "FUT", "symbol": SYMBOL, "side": "BUY", "qty": 0.002}

    async def why(house: WholeHouse, **policy: Any) -> list[str]:
        body = asked | {"intent_id": "p-1", "exec_policy": {"type": "MakerThenTaker", **policy}}
        told: list[str] = (await house.ask("POST", "/orders/preview", body))[1]["why"]
        return told

    async with whole_house(tmp_path, {"S4_ROUTE_TABLE_PATH": str(table)}) as house:
        first = await why(house)
        table.write_text(json.dumps({"rev": 8, "rows": rows}))
        bus = connect(house.redis.unix_address)
        curves = {"rev": 4, "by": {"notional_usdt": [[0, 2], [1000, 2]]}}
        await bus.put(ROUTE_CURVES, json.dumps(curves).encode(), ttl_ms=600_000)
        await bus.close()
        second = await house.until(lambda: why(house), lambda told: any("curves rev 4" in each for each in told))
        await house.until(lambda: house.ask("GET", "/health"), lambda told: told[1]["route_table_rev"] == 8)
        own = await why(house, maker_wait_ms=9000)

    assert any("route table rev 7" in each for each in first)
    assert any("1000 ms becomes 2000 ms" in each for each in second)
    assert any("9000 capped to 3000" in each for each in own)
    assert not any("curves rev" in each for each in own)


@pytest.mark.req("S4-ROUTE-4", "S4-ROUTE-5", "S4-ROUTE-6")
async def test_a_refused_post_only_is_no_error_and_slices_add_up(tmp_path: Path) -> None:
    crosses = {"code": -5022, "msg": "Due to the order could not be executed as maker, the order will be rejected."}
    sliced = {"type": "MakerThenTaker", "maker_wait_ms": 0, "twap": {"slices": 3, "gap_ms": 300}}
    async with whole_house(tmp_path) as house:
        where = {"method": "POST", "path": "/fapi/v1/order"}
        await house.fault("refused", params=crosses, match=where, count=1)
        row = await filled(house, FUT | {"exec_policy": {"type": "MakerThenTaker", "maker_wait_ms": 400}}, "m-1")
        twap = await filled(house, FUT | {"qty": 0.007, "exec_policy": sliced}, "t-1")

    assert (row["result"], row["filled_qty"]) == ("OK", 0.002)
    assert row["children"][0]["status"] == "REJECTED"
    qtys = [D(str(part["qty"])) for part in twap["slices"]]
    assert (len(qtys), sum(qtys)) == (3, D("0.007"))
    assert len({fill["client_order_id"] for fill in twap["fills"]}) == 3


@pytest.mark.req("ACC-3", "S4-ROUTE-7", "S4-ROUTE-8", "S4-ROUTE-9")
async def test_acc_3_in_an_extreme_market_it_delays_or_takes_smaller_pieces_by_itself(tmp_path: Path) -> None:
    sliced = {"type": "MakerThenTaker", "maker_wait_ms": 0, "twap": {"slices": 2, "gap_ms": 300}}
    async with whole_house(tmp_path) as house:
        house.market.spread[Market.FUT], house.market.size[Market.FUT] = D("500.0"), D("0.001")
        await house.until(lambda: house.row(Market.FUT), lambda row: row["mark_price"])
        body = FUT | {"qty": 0.006, "exec_policy": sliced}
        preview = await house.until(
            lambda: house.ask("POST", "/orders/preview", body | {"intent_id": "x-0"}),
            lambda told: any("spread 7" in each for each in told[1]["why"]),
        )
        status, taken = await post(house, body, "x-1")
        extreme = await house.until(lambda: house.order("x-1"), lambda told: len(told["timeline"]) > 1)
        house.market.spread[Market.FUT], house.market.size[Market.FUT] = D("0.1"), D(20)
        row = await house.until(lambda: house.order("x-1"), lambda told: told["status"] == "FILLED")

    assert preview[0] == 200
    assert (status, taken["status"]) == (202, "ACCEPTED")
    assert extreme["filled_qty"] == 0
    assert "postponed 5000 ms: spread 7" in extreme["timeline"][1]["what"]
    assert row["filled_qty"] == 0.006
    assert row["slippage_bps"] < 1


@pytest.mark.req("ACC-4", "S4-SPOT-4", "S4-SPOT-3")
async def test_acc_4_of_many_pairs_one_leg_fills_each_time_and_never_both(tmp_path: Path) -> None:
    ends = (D("66000.00"), D("65500.00")) * 2
    async with whole_house(tmp_path) as house:
        for number, bid in enumerate(ends):
            policy = {"type": "OCO", "tp_price": 65950, "sl_price": 65600}
            body = SPOT | {"exec_policy": policy}
            await house.until(
                lambda body=body, name=f"o-{number}": post(house, body, name), lambda told: told[0] == 200
            )
            await house.until(lambda: house.row(Market.SPOT), lambda row: row["stop"] and row["target"])
            house.quote(Market.SPOT, bid)
            await house.until(
                lambda: house.row(Market.SPOT), lambda row, number=number: row["closed_count"] == number + 1
            )
            house.quote(Market.SPOT, D("65790.00"))
        venue = await house.at_venue()

    resolved = await house.kept("strategy_events", kind="OCO_RESOLVE")
    sides = [fill["side"] for fill in await house.kept("fills", market="SPOT")]
    assert [event["both"] for event in resolved] == [False] * len(ends)
    assert sides.count("SELL") == len(ends)
    assert venue["open_orders"] == []


@pytest.mark.req("S4-SPOT-4", "S4-EVT-1")
async def test_a_guard_sells_on_spot_where_the_venue_holds_no_stop(tmp_path: Path) -> None:
    no = {"code": -2010, "msg": "This symbol is not permitted for this account."}
    async with whole_house(tmp_path, {"S4_GUARD": "60s"}) as house:
        await house.fault("refused", params=no, match={"method": "POST", "client_id": "c-g-1-s"})
        body = SPOT | {"sl": {"price": 65600}}
        await post(house, body, "g-1")
        held = await house.until(lambda: house.row(Market.SPOT), lambda row: row["guards"])
        house.quote(Market.SPOT, D("65500.00"))
        await house.until(lambda: house.row(Market.SPOT), lambda row: row["closed_count"] == 1)
        armed = await house.until(lambda: house.stream("guard:spot:arm"), bool)

    assert [guard["kind"] for guard in held["guards"]] == ["STOP"]
    assert armed[0]["symbol"] == SYMBOL


@pytest.mark.req("S4-XFER-1")
async def test_money_moves_within_its_ceiling_and_the_rest_stays(tmp_path: Path) -> None:
    settings = {"S4_TRANSFER_ENABLED": "true", "S4_TRANSFER_MAX": "100"}
    said = {"route": "SPOT_TO_FUT", "asset": "USDT", "by": "desk", "reason": "margin"}
    async with whole_house(tmp_path, settings) as house:
        good = await house.ask("POST", "/transfers", said | {"amount": "40"})
        shown = await house.until(lambda: house.ask("GET", "/transfers"), lambda told: told[1]["ended"])
        much = await house.ask("POST", "/transfers", said | {"amount": "101"})

    assert good[0] in (200, 202)
    assert D(str(shown[1]["ended"][0]["amount"])) == 40
    assert much[0] == 422
    assert [row["status"] for row in await house.kept("strategy_events", kind="TransferRequest")] == ["ASKED"]
    ends = [row["status"] for row in await house.kept("strategy_events", kind="TransferResponse")]
    assert sorted(ends) == ["DONE", "TAKEN"]
