"""Every row of ``errors.yaml`` gets its status, code and field, and no refused request reaches the router."""

from decimal import Decimal
from typing import Any

import httpx2
import pytest
import yaml
from router_fake import BTC, ERRORS, FakeRouter, raw

from chimera.trading.market import Market
from chimera.trading.money import Qty
from chimera.wire.failures import status_of

TABLE = yaml.safe_load(ERRORS.read_text(encoding="utf-8"))
ROWS = [{"method": "POST", "path": "/orders", **row} for row in TABLE["orders"]] + TABLE["other"]
ROWS = [row for row in ROWS if row.get("by") != "core"]
OF_SPOT = [row for row in TABLE["spot"] if row.get("by") != "core"]


def body_of(row: dict[str, Any]) -> bytes:
    if "pad" in row:
        return b'{"intent_id":"' + b"x" * (row["pad"] - 16) + b'"}'
    if "body" in row:
        return str(row["body"]).encode()
    if row["method"] != "POST":
        return b""
    members = {**TABLE["good"], **row.get("with", {})}
    return raw({name: value for name, value in members.items() if name not in row.get("without", ())})


@pytest.mark.req("S4-API-7", "S4-VAL-1", "S4-VAL-3", "S4-VAL-5", "DEL-3")
@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
@pytest.mark.fault("F1", "F2", "F3", "F4", "F8", "F10", "F11")
async def test_refusal(row: dict[str, Any], client: httpx2.AsyncClient, router: FakeRouter) -> None:
    answer = await client.request(row["method"], row["path"], content=body_of(row), headers=row.get("headers"))

    told = answer.json()
    assert (answer.status_code, told["code"], told["field"]) == (row["status"], row["code"], row["field"])
    assert set(told) == {"result", "code", "message", "field", "value", "accepted"}
    assert told["result"] == "FAIL"
    assert router.asked == []


@pytest.mark.req("S4-API-7", "S4-API-3", "S4-VAL-1", "S4-VAL-5")
@pytest.mark.parametrize("row", OF_SPOT, ids=[row["name"] for row in OF_SPOT])
async def test_refusal_on_spot(row: dict[str, Any], client: httpx2.AsyncClient, router: FakeRouter) -> None:
    spot = BTC.but(market=Market.SPOT, tick=Decimal("0.01"), step=Decimal("0.00001"), min_qty=Qty(Decimal("0.00001")))
    router.markets = (Market.FUT, Market.SPOT)
    router.knows = lambda market, symbol: spot if (market, symbol) == (Market.SPOT, "BTCUSDT") else None
    members = {**TABLE["good_on_spot"], **row["with"]}

    answer = await client.post("/orders", content=raw(members))

    told = answer.json()
    assert (answer.status_code, told["code"], told["field"]) == (row["status"], row["code"], row["field"])
    assert router.asked == []


async def test_spot_is_refused_where_it_is_not_traded(client: httpx2.AsyncClient) -> None:
    told = (await client.post("/orders", content=raw(TABLE["good_on_spot"]))).json()

    assert (told["code"], told["field"], told["value"]) == ("NOT_ENABLED", "market", "SPOT")


async def test_the_good_order_of_the_table_is_good(client: httpx2.AsyncClient) -> None:
    """Else every row above could be refused for one and the same reason."""
    answer = await client.post("/orders", content=raw(TABLE["good"]))

    assert (answer.status_code, answer.json()["status"]) == (200, "FILLED")


@pytest.mark.parametrize(
    ("sent", "hint"), [("quantity", "qty"), ("exec_polcy", "exec_policy"), ("clientOrderId", "client_order_id")]
)
async def test_a_typing_error_is_answered_with_what_was_meant(sent: str, hint: str, client: httpx2.AsyncClient) -> None:
    told = (await client.post("/orders", content=raw({**TABLE["good"], sent: "1"}))).json()

    assert (f"did you mean {hint}?" in told["message"]) or hint in told["accepted"]
    assert told["field"] == sent


@pytest.mark.req("S4-API-7")
@pytest.mark.parametrize("code", ["NOT_READY", "RECOVERING", "NO_MARKET_DATA", "CLOCK"])
def test_what_asks_to_try_again_is_503_so_that_callers_do(code: str) -> None:
    """A 422 is final to a client: an intent that came while S4 recovered would be lost."""
    assert status_of(code) == 503
