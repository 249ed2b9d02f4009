"""S4 as it is served, with Redis and the simulated venue: an intent by the stream, by REST, and by both."""

import json
import time
from collections import deque
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from chimera.adapters.redis.bus import connect
from chimera.trading.market import Market
from chimera.wire import keys
from support.whole_house import SYMBOL, WholeHouse, whole_house

pytestmark = [pytest.mark.req("S3-PER-2", "S4-IDEM-1"), pytest.mark.slow]


def an_order(name: str, **changed: Any) -> dict[str, Any]:
    return {
        "intent_id": name,
        "client_order_id": f"s3-btc-{name}",
        "market": "FUT",
        "symbol": SYMBOL,
        "side": "BUY",
        "qty": "0.002",
        "exec_policy": {"type": "MARKET"},
        "sl": {"type": "STOP_MARKET", "price": "64000"},
    } | changed


async def publish(house: WholeHouse, *bodies: dict[str, Any]) -> None:
    bus = connect(house.redis.unix_address)
    try:
        for body in bodies:
            fields = {"intent_id": body["intent_id"], "body": json.dumps(body)}
            await bus.publish(keys.ORDERS_INTENT, f"{body['intent_id']}:{body['qty']}", fields)
    finally:
        await bus.close()


async def filled(house: WholeHouse, name: str) -> dict[str, Any]:
    found: dict[str, Any] = await house.until(
        lambda: house.order(f"s3-btc-{name}"), lambda row: row.get("status") == "FILLED"
    )
    return found


async def refusals(house: WholeHouse) -> list[tuple[str, str]]:
    events = await house.stream(keys.ROUTER_EVENTS)
    return [(event["intent_id"], event["code"]) for event in events if event["kind"] == "INTENT_REFUSED"]


async def alerts(house: WholeHouse) -> list[str]:
    bus = connect(house.redis.unix_address)
    try:
        return [entry.fields["code"] for entry in await bus.tail(keys.ALERTS, after="0-0", count=1_000, block_ms=10)]
    finally:
        await bus.close()


async def test_each_intent_is_one_order_by_whichever_track_it_came(tmp_path: Path) -> None:
    async with whole_house(tmp_path, {"S4_SPOT_SYMBOLS": "BTCUSDT"}) as house:
        await publish(house, an_order("streamed"))
        assert (await filled(house, "streamed"))["filled_qty"] == pytest.approx(0.002)
        first = await house.ask("POST", "/orders", an_order("posted"))
        assert first[0] == 200, first
        await publish(house, an_order("posted"), an_order("posted", qty="0.003"))
        again = await house.ask("POST", "/orders", an_order("streamed"))
        assert (again[0], again[1]["client_order_id"]) == (200, "s3-btc-streamed"), again
        late = an_order("late", created_ms=round(time.time() * 1000) - 8 * 3_600_000)
        spot = an_order("spot", market="SPOT", qty="0.001", sl={"type": "STOP_MARKET", "price": "64000.00"})
        await publish(house, late, an_order("eth", symbol="ETHUSDT"), spot)
        await filled(house, "spot")
        told = await house.until(lambda: refusals(house), lambda told: len(told) == 3)
        assert sorted(told) == [("eth", "UNKNOWN_SYMBOL"), ("late", "STALE_INTENT"), ("posted", "DUPLICATE_ID")]
        refused = await house.ask(
            "POST", "/orders", wrong := an_order("wrong", sl={"type": "STOP_MARKET", "price": "70000"})
        )
        assert refused[0] == 422, refused
        await publish(house, wrong, an_order("last"))
        await filled(house, "last")
        assert (await house.row(Market.FUT))["qty"] == pytest.approx(0.006)
        assert (await house.ask("GET", "/orders/s3-btc-wrong"))[0] == 404
        assert len(await refusals(house)) == 3, "what REST refused it has answered itself"
        assert "INTENTS_LATE" in await alerts(house)
    rows = await house.kept(keys.REFUSALS)
    assert {(row["intent_id"], row["track"]) for row in rows} == {
        ("eth", "stream"), ("late", "stream"), ("posted", "stream"), ("wrong", "rest"),
    }  # fmt: skip


HOUR_MS = 3_600_000


@pytest.mark.req("S3-IDEM-1")
async def test_the_stream_alone_from_decision_to_fill_and_the_hour_of_its_id(tmp_path: Path) -> None:
    """REST is not used at all. The id's record lives an hour; the ledger knows the id for ever."""
    async with whole_house(tmp_path, s3={"S3_TRACKS": "stream"}, rv_pctile_30d=Decimal("0.5")) as house:
        house.market.wobble = Decimal("20.0")  # an ATR needs a range
        trial, real = ({"symbol": SYMBOL, "dry_run": dry} for dry in (True, False))
        await house.until(
            lambda: house.ask("POST", "/decide", trial, at=house.s3), lambda told: told[1]["decision"] == "open"
        )
        house.market.wobble = Decimal("0.1")  # or the price may pass the near stop on the way: rightly refused
        reasons: deque[str] = deque(maxlen=40)

        def calm(told: Any) -> bool:
            reasons.append(told[1]["reason"])
            return len(reasons) == reasons.maxlen and not any(" 6582" in each for each in reasons)

        await house.until(lambda: house.ask("POST", "/decide", trial, at=house.s3), calm)
        _, decided = await house.ask("POST", "/decide", real, at=house.s3)
        intent, path = decided["intent"], f"/decisions/{decided['signal_id']}"
        key = keys.idempotency_key(intent["client_order_id"])
        with Redis(unix_socket_path=house.redis.unix_address.removeprefix("unix:")) as server:
            assert HOUR_MS - 30_000 < server.pttl(key) <= HOUR_MS
            told = await house.until(
                lambda: house.ask("GET", path, at=house.s3), lambda told: told[1]["dispatch"]["state"] == "DONE"
            )
            assert (told[1]["dispatch"]["rest"], told[1]["dispatch"]["stream"]) == ("OFF", "TAKEN")
            await filled_as(house, intent["client_order_id"])
            await house.until(lambda: _record(server, key), lambda record: record["state"] == "DONE")
            assert HOUR_MS - 30_000 < server.pttl(key) <= HOUR_MS
            held = (await house.row(Market.FUT))["qty"]
            server.pexpire(key, 1)  # the hour is over
            await house.until(lambda: _record(server, key), lambda record: record is None)
            again = await house.ask("POST", "/orders", intent)
            assert (again[0], again[1]["client_order_id"]) == (200, intent["client_order_id"])
            other = await house.ask("POST", "/orders", {**intent, "qty": "0.009"})
            assert (other[0], other[1]["code"]) == (422, "DUPLICATE_ID")
            assert (await house.row(Market.FUT))["qty"] == held


async def filled_as(house: WholeHouse, name: str) -> None:
    await house.until(lambda: house.order(name), lambda row: row.get("status") == "FILLED")


async def _record(server: Any, key: str) -> Any:
    found = server.get(key)
    return None if found is None else json.loads(found)
