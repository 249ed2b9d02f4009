"""S3's face over a real server: the requirement's calls as written, every refusal, and the client."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from strategy_world import D, Served, until

from chimera.adapters.memory.faults import NoFaults
from chimera.client import StrategyClient
from chimera.services import metrics, objectives
from chimera.services.service import Service
from chimera.trading.errors import NotSent, Refused, StoreUnavailable
from chimera.trading.market import Side
from chimera.wire.codec import plain

pytestmark = pytest.mark.slow

TABLE = yaml.safe_load((Path(__file__).parent.parent / "errors_strategy.yaml").read_text(encoding="utf-8"))


def named(section: str) -> Any:
    return [pytest.param(row, id=row["name"]) for row in TABLE[section]]


async def post(url: str, body: bytes) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.post(url, data=body) as answer:
        return answer.status, await answer.json()


def check(status: int, body: dict[str, Any], row: dict[str, Any]) -> None:
    assert (status, body["code"], body["field"]) == (row["status"], row["code"], row["field"])
    assert set(body) == {"result", "code", "message", "field", "value", "accepted"}
    assert body["result"] == "FAIL"


@pytest.mark.req("S3-API-2", "DEL-3")
@pytest.mark.parametrize("row", named("decide"))
async def test_every_refusal_of_decide(served: Served, row: dict[str, Any]) -> None:
    body = b" " * row["pad"] if "pad" in row else row["body"].encode() * row.get("deep", 1)

    status, answer = await post(f"{served.url}/decide", body)

    check(status, answer, row)
    assert await served.stage.rows() == []


@pytest.mark.req("S3-API-3")
@pytest.mark.parametrize("row", named("batch"))
async def test_every_refusal_of_a_batch(served: Served, row: dict[str, Any]) -> None:
    status, answer = await post(f"{served.url}/decide/batch", row["body"].encode())

    check(status, answer, row)
    assert await served.stage.rows() == []


@pytest.mark.parametrize("row", named("paths"))
async def test_paths(served: Served, row: dict[str, Any]) -> None:
    check(*await post(served.url + row["path"], b"{}"), row)


@pytest.mark.req("S3-API-2", "S3-API-4", "DEL-6")
async def test_the_requirement_s_call_works_as_written(served: Served) -> None:
    """curl -d sends form data by its header; the body is JSON all the same."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{served.url}/decide",
            data=b'{"symbol":"BTCUSDT","dry_run":true}',
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        ) as answer,
    ):
        body = await answer.json()

    assert answer.status == 200
    assert body["decision"] == "open"
    assert body["rules_fired"] == ["D-020", "R-023"]
    assert body["intent"]["side"] == "BUY"
    assert body["config_rev"] == 1
    assert body["intent"]["qty"] > 0
    assert body["explanation"]["levels"]["entry_price"] > body["intent"]["sl"]["price"] > 0
    assert body["intent"]["tp"]["value"] == body["explanation"]["levels"]["profit_wanted"] > 0


@pytest.mark.req("S3-API-1")
async def test_health_and_ready(served: Served) -> None:
    async with StrategyClient(served.url) as client:
        health = await client.health()
        assert health["status"] == "ok"
        assert {name: check["status"] for name, check in health["checks"].items()} == {
            "redis": "ok", "document_store": "ok", "config": "ok", "score": "ok",
        }  # fmt: skip
        assert (health["config_rev"], health["rules_loaded"]) == (1, 4)
        assert await client.ready()
        served.stage.ledger.faults = Away()
        assert (await client.health())["checks"]["document_store"]["status"] == "down"
        assert not await client.ready()
        with pytest.raises(NotSent, match="STORE_DOWN"):
            await client.decide("BTCUSDT", side_hint=Side.BUY)


class Away(NoFaults):
    async def before(self, operation: str, key: str) -> None:
        raise StoreUnavailable("away")


async def test_the_client_decides(served: Served) -> None:
    async with StrategyClient(served.url) as client:
        dry = await client.decide("BTCUSDT", side_hint=Side.SELL, dry_run=True, context={"atr": D(40)})
        real = await client.decide("BTCUSDT", side_hint=Side.BUY)
        with pytest.raises(Refused) as no:
            await client.decide("NOPE")
        batch = await client.decide_batch(["BTCUSDT", "NOPE"], dry_run=True)

    assert dry.intent is not None
    assert (dry.decision, dry.intent["side"], dry.signal_id) == ("open", "SELL", None)
    assert (real.decision, bool(real.signal_id)) == ("open", True)
    assert (no.value.code, no.value.field, no.value.accepted) == ("UNKNOWN_SYMBOL", "symbol", "BTCUSDT")
    assert [item.get("code") for item in batch] == [None, "UNKNOWN_SYMBOL"]


@pytest.mark.req("S3-API-2", "S3-API-3")
async def test_amounts_are_exact_numbers_in_every_answer(served: Served) -> None:
    """As the row in the ledger has them, digit by digit; the caller's own words stay words."""
    body = b'{"requests":[{"symbol":"BTCUSDT","sideHint":"BUY","dry_run":true},{"symbol":"123"}]}'
    status, batch = await post(f"{served.url}/decide/batch", body)
    async with StrategyClient(served.url) as client:
        atr = {"atr": D("60.000000000000000001")}
        supposed = await client.decide("BTCUSDT", dry_run=True, side_hint=Side.BUY, context=atr)
        real = await client.decide("BTCUSDT", side_hint=Side.BUY)
        [listed] = await client.decisions()

    [row] = await served.stage.rows()
    assert (status, batch["results"][1]["value"]) == (200, "123")
    assert batch["results"][0]["explanation"]["sizing"]["notional_usdt"] > 0
    assert real.intent is not None
    assert (type(real.intent["qty"]), type(real.intent["created_ms"])) == (D, int)
    assert plain(real.explanation) == plain(listed["explanation"]) == row["explanation"]
    assert supposed.explanation["levels"]["d_wanted"] == D("90.0000000000000000015")


async def test_a_web_page_does_not_trade(served: Served) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{served.url}/decide", data=b"{}", headers={"Origin": "http://localhost"}) as answer,
    ):
        assert (answer.status, (await answer.json())["code"]) == (403, "CROSS_ORIGIN")


@pytest.mark.req("S3-MET-1", "DEL-3")
async def test_metrics_and_schema(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objectives, "ENOUGH", 1)
    async with StrategyClient(served.url) as client:
        await client.decide("BTCUSDT", side_hint=Side.BUY)
        await client.decide("BTCUSDT", side_hint=Side.BUY)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{served.url}/metrics") as answer:
            page = await answer.text()
        async with session.get(f"{served.url}/openapi.json") as answer:
            schema = await answer.json()

    assert 'gate_skip_count_total{gate="CONCURRENT_ENTRIES"} 1.0' in page
    assert 'rules_fired_count_total{rule_id="R-023"} 1.0' in page
    assert 'strategy_decide_latency_ms_count{decision="open"} 1.0' in page
    shown = {(family.name, family.type) for family in text_string_to_metric_families(page)}
    assert shown == {(each.name, each.kind) for each in metrics.of(Service.S3)}, "the list, no more and no less"
    assert 'sli_met{sli="decide_latency"}' in page
    assert {"DecideRequest", "BatchRequest", "DecisionAnswer", "ErrorBody", "HealthResponse"} <= set(
        schema["components"]["schemas"]
    )
    refs = {part.split('"')[0] for part in json.dumps(schema).split("#/components/schemas/")[1:]}
    assert refs <= set(schema["components"]["schemas"])


async def test_what_was_decided_reaches_the_router(served: Served) -> None:
    async with StrategyClient(served.url) as client:
        decided = await client.decide("BTCUSDT", side_hint=Side.BUY)

    async def there() -> bool:
        return len(served.stage.router.got) == 1

    await until(there)
    assert decided.intent is not None
    assert served.stage.router.got[0].intent_id == decided.intent["intent_id"]
