"""S3, S4 and the feed as they are started: their metrics, S4's two keys in Redis, and the look at their levels."""

import json
from pathlib import Path

import pytest
from whole_house import WholeHouse, whole_house

from chimera.adapters.redis.bus import connect
from chimera.services import objectives
from chimera.services.router import observing
from chimera.services.strategy import telemetry
from chimera.wire import keys

pytestmark = pytest.mark.slow

ORDER = {
    "intent_id": "uuid-1", "client_order_id": "one", "market": "FUT", "symbol": "BTCUSDT", "side": "BUY", "qty": 0.003,
    "exec_policy": {"type": "MARKET"},
}  # fmt: skip


async def page(house: WholeHouse, url: str) -> str:
    async with house.http.get(f"{url}/metrics") as answer:
        assert answer.status == 200
        return await answer.text()


@pytest.mark.req("S4-MET-1", "S3-MET-1", "DEL-4")
async def test_each_service_shows_what_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "LOOK_S", 0.1)
    monkeypatch.setattr(telemetry, "LOOK_S", 0.1)
    hard = tuple(each._replace(bound=0) if each.sli == "decide_latency" else each for each in objectives.OBJECTIVES)
    monkeypatch.setattr(objectives, "OBJECTIVES", hard)  # no decision takes no time
    monkeypatch.setattr(objectives, "ENOUGH", 1)
    async with whole_house(tmp_path) as house:
        assert (await house.ask("POST", "/orders", ORDER))[0] == 200
        await house.ask("POST", "/decide", {"symbol": "BTCUSDT", "dry_run": True}, at=house.s3)
        s4 = await house.until(
            lambda: page(house, house.s4),
            lambda text: "ledger_save_latency_ms_recent" in text and "stop_latency_ms_count" in text,
        )
        s3, feed = await page(house, house.s3), await page(house, house.feed)
        bus = connect(house.redis.unix_address)
        try:
            p95 = json.loads(await bus.get(keys.METRIC_ROUTER_P95) or b"{}")
            timeouts = json.loads(await bus.get(keys.METRIC_MAKER_TIMEOUTS) or b"{}")

            async def told() -> list[str]:
                entries = await bus.tail(keys.ALERTS, after="0-0", count=1_000, block_ms=10)
                return [entry.fields["code"] for entry in entries]

            codes = await house.until(told, lambda codes: "SLI_DECIDE_LATENCY" in codes)
        finally:
            await bus.close()

    assert 'orders_ended_total{market="FUT",outcome="filled"} 1.0' in s4
    assert 'exchange_up{market="SPOT"} 1.0' in s4
    assert 'stop_latency_ms_count{market="FUT"} 1.0' in s4
    assert 'sli_met{sli="ledger_save"}' in s4
    assert "strategy_decide_latency_ms_count" in s3
    assert 'sli_objective{sli="decide_latency"} 0.0' in s3
    assert codes.count("SLI_DECIDE_LATENCY") == 1
    assert 'feed_events_total{market="SPOT"}' in feed
    assert 'feed_event_age_ms{market="FUT"}' in feed
    assert (p95["unit"], timeouts["value"]) == ("ms", 0)
