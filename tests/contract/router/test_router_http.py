"""What the face does around the router: statuses, patience, bodies over a real socket, errors without a stack."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from router_fake import (
    FakeRouter,
    a_holding,
    a_working,
    an_order,
    good_order,
    raw,
)

from chimera.client import RouterClient
from chimera.services.router import http
from chimera.services.router.http import MAX_BODY_BYTES, Outcome
from chimera.trading.errors import NotSent, Refused, StaleWriter, StoreUnavailable
from chimera.trading.execution import Phase
from chimera.trading.intent import Intent, MakerThenTaker
from chimera.trading.order import Role, Status
from chimera.wire import shown
from chimera.wire.results import order_result

GOOD = raw(good_order())


async def say(address: tuple[str, int], *parts: bytes) -> tuple[int, dict[str, Any]]:
    """Send bytes as they are over a socket; (status, JSON body) of the answer."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        length = int(
            next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split()[1]
        )
        return int(head.split()[1]), json.loads(await reader.readexactly(length))
    finally:
        writer.close()


@pytest.mark.req("S4-API-2", "DEL-3")
async def test_the_specs_curl_call_works_over_a_socket(address: tuple[str, int], router: FakeRouter) -> None:
    body = (
        b'{"intent_id":"uuid-1","market":"FUT","symbol":"BTCUSDT","side":"BUY","qty":0.002,"exec_policy":'
        b'{"maker_wait_ms":2000,"twap":{"slices":2,"gap_ms":600}},"sl":{"type":"STOP_MARKET","price":64800},'
        b'"client_order_id":"s3-btc-16900001"}'
    )
    # curl -d without a header says it is a form
    head = (
        b"POST /orders HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n"
    )

    status, row = await say(address, head % len(body), body)

    assert (status, row["status"], row["client_order_id"]) == (200, "FILLED", "s3-btc-16900001")
    assert router.asked[0][0].policy == MakerThenTaker(wait_ms=2000, slices=2, gap_ms=600)


@pytest.mark.fault("F14")
async def test_a_megabyte_is_too_large_over_a_socket(address: tuple[str, int], router: FakeRouter) -> None:
    size = 1_000_000
    head = b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size

    status, told = await say(address, head, b" " * size)

    assert (status, told["code"], router.asked) == (413, "TOO_LARGE", [])


async def test_a_chunked_megabyte_is_too_large_without_saying_its_size(
    address: tuple[str, int], router: FakeRouter
) -> None:
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    head = b"POST /orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

    status, told = await say(address, head, *[chunk] * 16, b"0\r\n\r\n")

    assert (status, told["code"], router.asked) == (413, "TOO_LARGE", [])


async def test_a_chunked_order_is_an_order(address: tuple[str, int]) -> None:
    head = b"POST /orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    half = len(GOOD) // 2
    chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in (GOOD[:half], GOOD[half:])]

    status, row = await say(address, head, *chunks, b"0\r\n\r\n")

    assert (status, row["status"]) == (200, "FILLED")


@pytest.mark.fault("F14")
async def test_deep_nesting_is_refused_and_the_server_lives(address: tuple[str, int]) -> None:
    body = b'{"a":' * 10_000
    head = b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)

    assert (await say(address, head, body))[0] == 400
    assert (await say(address, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"))[0] == 200


async def test_the_largest_body_that_is_read(client: httpx2.AsyncClient) -> None:
    fits = GOOD + b" " * (MAX_BODY_BYTES - len(GOOD))

    assert (await client.post("/orders", content=fits)).status_code == 200
    assert (await client.post("/orders", content=fits + b" ")).status_code == 413


@pytest.mark.parametrize(
    ("prefer", "wait_ms", "applied"),
    [
        (None, None, None),
        ("respond-async", 0, "respond-async"),
        ("Respond-Async, wait=5", 5000, "wait=5"),
        ("wait=5", 5000, "wait=5"),
        ("wait=9999", 60_000, "wait=60"),
        ("handling=lenient", None, None),
        ("wait=soon", None, None),
    ],
)
async def test_patience(
    prefer: str | None, wait_ms: int | None, applied: str | None, client: httpx2.AsyncClient, router: FakeRouter
) -> None:
    answer = await client.post("/orders", content=GOOD, headers={"Prefer": prefer} if prefer else {})

    assert router.asked[0][2] == wait_ms
    assert answer.headers.get("preference-applied") == applied


@pytest.mark.req("S4-API-5")
async def test_still_working_is_202_and_doubt_is_no_failure(client: httpx2.AsyncClient, router: FakeRouter) -> None:
    def doubtful(intent: Intent) -> Outcome:
        order = an_order(Role.TAKER, Status.IN_DOUBT, intent_id=intent.intent_id)
        row = order_result(a_holding(a_working(intent), order), intent.intent_id)
        return Outcome(row=row, done=False, in_doubt=True)

    router.answer = doubtful
    answer = await client.post("/orders", content=GOOD)

    row = answer.json()
    assert (answer.status_code, row["result"], row["status"], row["in_doubt"]) == (202, "OK", "ACCEPTED", True)
    assert answer.headers["location"] == f"/orders/{row['order_id']}"


@pytest.mark.parametrize(
    ("code", "status"), [("VENUE_REFUSED", 422), ("", 422), ("LIMIT_DAILY_LOSS", 422), ("VENUE_DOWN", 503)]
)
@pytest.mark.req("S4-API-7")
async def test_an_order_that_ended_in_a_refusal_says_so_in_its_status(
    code: str, status: int, client: httpx2.AsyncClient, router: FakeRouter
) -> None:
    def refused(intent: Intent) -> Outcome:
        work = a_working(intent, phase=Phase.DONE, refused=True, refusal_code=code, reason="said no")
        return Outcome(row=order_result(a_holding(work), intent.intent_id), done=True, in_doubt=False)

    router.answer = refused
    answer = await client.post("/orders", content=GOOD)

    row = answer.json()
    assert (answer.status_code, row["result"], row["status"]) == (status, "FAIL", "REJECTED")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreUnavailable("disk"), 503, "STORE_DOWN"),
        (StaleWriter("rev"), 503, "STORE_DOWN"),
        (NotSent("banned"), 503, "VENUE_DOWN"),
        (Refused("BREAKER_OPEN", "too many errors"), 503, "BREAKER_OPEN"),
        (Refused("CLOCK", "off"), 503, "CLOCK"),
        (Refused("NO_MARKET_DATA", "none"), 503, "NO_MARKET_DATA"),
        (Refused("POSITION_OPPOSED", "short"), 409, "POSITION_OPPOSED"),
        (Refused("ALREADY_FILLED", "done"), 409, "ALREADY_FILLED"),
        (Refused("DUPLICATE_ID", "used"), 422, "DUPLICATE_ID"),
        (Refused("LIMIT_ORDER_NOTIONAL", "large"), 422, "LIMIT_ORDER_NOTIONAL"),
        (Refused("KILL_SWITCH", "on"), 422, "KILL_SWITCH"),
    ],
)
@pytest.mark.req("S4-API-7")
async def test_the_routers_refusals(
    error: Exception, status: int, code: str, client: httpx2.AsyncClient, router: FakeRouter
) -> None:
    def refuse(_: Intent) -> Outcome:
        raise error

    router.answer = refuse
    answer = await client.post("/orders", content=GOOD)

    assert (answer.status_code, answer.json()["code"], answer.json()["result"]) == (status, code, "FAIL")
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_an_unforeseen_error_shows_an_id_and_nothing_else(client: httpx2.AsyncClient, router: FakeRouter) -> None:
    def break_down(_: Intent) -> Outcome:
        raise RuntimeError("secret-in-the-stack")

    router.answer = break_down
    answer = await client.post("/orders", content=GOOD)

    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert "error id e1" in answer.json()["message"]
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


async def test_before_the_symbols_are_read_nothing_is_unknown(client: httpx2.AsyncClient, router: FakeRouter) -> None:
    router.is_ready, router.knows = False, lambda market, symbol: None

    answer = await client.post("/orders", content=GOOD)

    assert (answer.status_code, answer.json()["code"]) == (503, "NOT_READY")


@pytest.mark.req("S4-API-8")
@pytest.mark.fault("F5")
async def test_a_lost_answer_is_found_again(client: httpx2.AsyncClient) -> None:
    row = (await client.post("/orders", content=GOOD)).json()

    found = await client.get(f"/orders/{row['order_id']}")

    assert (found.status_code, found.json()) == (200, row)
    assert [entry["what"].split()[0] for entry in found.json()["timeline"]] == ["accepted", "order", "fill", "done"]


@pytest.mark.req("S4-API-6")
@pytest.mark.parametrize("reason", ["RISK_MANAGEMENT", "risk management", " Risk-Management "])
@pytest.mark.fault("F16")
async def test_cancel(reason: str, client: httpx2.AsyncClient, router: FakeRouter) -> None:
    name = (await client.post("/orders", content=GOOD)).json()["client_order_id"]

    answer = await client.post("/cancel", json={"client_order_id": name, "reason": reason, "escalate": "market"})

    assert (answer.status_code, set(answer.json())) == (200, {"order_id", "status", "message"})
    assert router.cancels == [
        {"name": name, "by": "client_order_id", "reason": "RISK_MANAGEMENT", "escalate": True, "cascade": True}
    ]


@pytest.mark.req("S4-VAL-1")
@pytest.mark.parametrize(
    ("target", "field"), [({"price": 70_000}, "price"), ({"target": "price", "value": 70_000}, "value")]
)
async def test_a_refusal_by_the_router_names_the_field_that_was_sent(
    client: httpx2.AsyncClient, router: FakeRouter, target: dict[str, Any], field: str
) -> None:
    """An off-side ``tp.price`` was refused as ``tp.value``, which nobody had sent."""

    def refuse(_: Intent) -> Outcome:
        raise Refused("WRONG_SIDE_TARGET", "off", field="tp.value", value="1")

    router.answer = refuse
    flat = json.loads(GOOD) | {"tp": target}
    for body, prefix in ((flat, ""), ({"intent": flat}, "intent.")):
        answer = await client.post("/orders", json=body)
        assert (answer.status_code, answer.json()["field"]) == (422, f"{prefix}tp.{field}"), answer.json()


@pytest.mark.req("S4-EXIT-1")
async def test_close(client: httpx2.AsyncClient, router: FakeRouter) -> None:
    all_of_it = await client.post("/positions/BTCUSDT/close")
    part = await client.post("/positions/BTCUSDT/close", content=b'{"qty": 0.001, "reason": "risk management"}')

    assert [all_of_it.status_code, part.status_code] == [202, 202]
    assert [(str(qty), reason) for _, _, qty, reason in router.closes] == [
        ("None", "UNSPECIFIED"),
        ("0.001", "RISK_MANAGEMENT"),
    ]


@pytest.mark.req("S4-REC-1")
async def test_a_survey_is_of_one_market_and_of_a_symbol_that_is_traded(
    client: httpx2.AsyncClient, router: FakeRouter
) -> None:
    told = await client.post("/positions/BTCUSDT/survey")
    wrong = await client.post("/positions/BTCUSDT/survey", json={"market": "MARS"})
    nowhere = await client.post("/positions/NOPEUSDT/survey")

    assert (told.status_code, told.json()["heard"], told.json()["position"]["qty"]) == (200, True, -0.002)
    assert [wrong.status_code, nowhere.status_code] == [400, 422]
    assert router.surveys == [("FUT", "BTCUSDT")]


@pytest.mark.req("S4-IDEM-1")
async def test_a_close_has_a_name_by_its_body_or_by_the_header(client: httpx2.AsyncClient, router: FakeRouter) -> None:
    url, key = "/positions/BTCUSDT/close", {"Idempotency-Key": '"p1"'}
    await client.post(url, content=b'{"qty": "0.001", "close_id": "p1"}')
    await client.post(url, content=b'{"qty": "0.0010"}', headers=key)
    await client.post(url, content=b'{"qty": "0.002", "close_id": "p1"}')
    other = await client.post(url, content=b'{"close_id": "p2"}', headers=key)
    unreadable = await client.post(url, content=b'{"close_id": "a b"}')

    first, second, third = router.close_names
    assert first is not None
    assert first.id == "p1"
    assert first == second, "however its number is written"
    assert third is not None
    assert (third.id, third.body_hash == first.body_hash) == ("p1", False)
    assert (other.status_code, other.json()["code"]) == (422, "KEY_MISMATCH")
    assert (unreadable.status_code, unreadable.json()["field"]) == (400, "close_id")


@pytest.mark.req("S4-API-1")
async def test_health_and_readiness(client: httpx2.AsyncClient, router: FakeRouter) -> None:
    health, ready = await client.get("/health"), await client.get("/ready")
    router.is_ready = False
    not_ready = await client.get("/ready")

    shown.HealthResponse.model_validate(health.json())
    assert (health.status_code, ready.status_code, not_ready.status_code) == (200, 200, 503)


@pytest.mark.req("S4-MET-1")
async def test_the_metrics_page_has_what_is_known_of_each_market(client: httpx2.AsyncClient) -> None:
    page = await client.get("/metrics")

    assert page.status_code == 200
    assert 'maker_fill_ratio{market="FUT"} 0.25' in page.text
    assert 'market="SPOT"' not in page.text
    assert 'barrier{code="MARKET_STALE",market="FUT"} 2.0' in page.text, "two symbols"
    assert 'breaker_state{market="FUT",state="HALF_OPEN"} 1.0' in page.text
    assert 'breaker_state{market="FUT",state="CLOSED"} 0.0' in page.text
    assert 'exchange_up{market="FUT"} 1.0\n' in page.text
    assert 'user_stream_up{market="FUT"} 0.0\n' in page.text
    assert 'unprotected_worst_seconds{market="FUT",symbol="BTCUSDT"} 0.08' in page.text
    assert 'in_doubt{about="OUTCOME"} 1.0' in page.text
    assert 'rate_used_share{counts="WEIGHT",market="FUT",span_s="60"} 0.25' in page.text
    assert 'rate_lane_room{counts="WEIGHT",lane="OPEN",market="FUT",span_s="60"} 0.0' in page.text, (
        "none left, not less"
    )
    assert 'sli_met{sli="user_stream"} 0.0' in page.text


@pytest.mark.req("S4-MET-1")
async def test_while_positions_are_loaded_the_metrics_page_says_nothing_of_them(
    client: httpx2.AsyncClient, router: FakeRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_yet() -> list[dict[str, object]]:
        raise Refused("NOT_READY", "positions are still being loaded; try again")

    monkeypatch.setattr(router, "doubts", not_yet)
    page = await client.get("/metrics")

    assert page.status_code == 200
    assert "protection_coverage{" in page.text
    assert "in_doubt" not in page.text.replace('sli="in_doubt"', "")


@pytest.mark.req("S4-API-5")
async def test_amounts_are_numbers_of_exact_digits_and_ids_are_not(
    client: httpx2.AsyncClient, router: FakeRouter
) -> None:
    """A caller who compares gets a number, one who reads decimals every digit; stored rows look like fresh ones."""
    posted = await client.post("/orders", content=GOOD)
    got = await client.get("/orders/s3-btc-16900001")

    row = posted.json()
    assert row["avg_price"] > 0
    assert b'"filled_qty":0.002,"avg_price":65800,"filled_avg":65800,' in posted.content
    assert posted.content == got.content
    assert (row["order_ids"], row["fills"][0]["fill_id"], row["children"][0]["order_id"]) == (["77"], "t1", "77")
    router.board = {"symbol": "BTCUSDT", "qty": "0.002"}
    assert (await client.get("/positions")).content == (
        b'{"positions":[{"symbol":"BTCUSDT","qty":0.002}],"external":[]}'
    )
    digits = "0.12345678901234567890"
    router.rows["old"] = {"order_id": "1234", "price": digits, "avg_price": "0.00000001", "fee": "-0.5", "qty": None}
    assert (await client.get("/orders/old")).content == (
        b'{"order_id":"1234","price":0.1234567890123456789,"avg_price":0.00000001,"fee":-0.5,"qty":null}'
    )
    router.closes.clear()
    assert b'"position_qty":-0.002' in (await client.post("/positions/BTCUSDT/close")).content


async def test_the_client_reads_every_digit(address: tuple[str, int], router: FakeRouter) -> None:
    router.rows["old"] = {"order_id": "1234", "price": "0.12345678901234567890", "qty": "2", "accepted_ms": 5}
    router.board = {"symbol": "BTCUSDT", "qty": "0.002"}
    async with RouterClient(f"http://{address[0]}:{address[1]}") as caller:
        answer = await caller.submit(json.loads(GOOD) | {"qty": Decimal("0.002")}, wait_s=None)
        old = await caller.order("old")
        positions = await caller.positions()

    assert (answer.filled_qty, answer.avg_price) == (Decimal("0.002"), Decimal(65800))
    assert old == {"order_id": "1234", "price": Decimal("0.12345678901234567890"), "qty": Decimal(2), "accepted_ms": 5}
    assert [type(old[name]) for name in ("price", "qty", "accepted_ms")] == [Decimal, Decimal, int]
    assert positions == [{"symbol": "BTCUSDT", "qty": Decimal("0.002")}]


@pytest.mark.req("S4-API-9")
def test_openapi_names() -> None:
    nobody: Any = object()  # a schema calls nothing
    schema = http.build_app(nobody, clock=nobody).openapi()

    names = set(schema["components"]["schemas"])
    assert {"HealthResponse", "OrderCmdRequest", "OrderResult", "CancelRequest", "CancelResponse"} <= names
    posted = schema["paths"]["/orders"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert posted == {"$ref": "#/components/schemas/OrderCmdRequest"}
    every_ref = [part.split('"')[0] for part in json.dumps(schema).split('"#/components/schemas/')[1:]]
    assert set(every_ref) <= names
    assert set(schema["paths"]) == {
        "/orders", "/orders/preview", "/orders/{name}", "/orders/{name}/pause",
        "/orders/{name}/resume", "/orders/{name}/finish", "/orders/{name}/replace", "/cancel",
        "/positions", "/positions/{symbol}/close", "/positions/{symbol}/survey", "/kill", "/killed", "/arm",
        "/routes", "/routes/approve", "/routes/rollback", "/breaker/retry",
        "/doubts", "/health", "/ready", "/cash/entries", "/cash/balances", "/cash.csv", "/pnl",
        "/transfers", "/transfers/settle",
    }  # fmt: skip


@pytest.mark.req("S4-KILL-1")
async def test_kill_and_arm_over_http(client: httpx2.AsyncClient, router: FakeRouter) -> None:
    said = {"by": "me", "reason": "fire"}
    killed = await client.post("/kill", json=said)
    assert (killed.status_code, router.kills[0].scope, router.kills[0].flatten) == (200, "GLOBAL", False)
    slow = await client.post("/kill", json=said | {"scope": "symbol", "name": "BTCUSDT", "flatten": True})
    assert slow.status_code == 202, "the venue does not show it yet"
    standing = (await client.get("/killed")).json()
    assert (standing["killed"], [kill["scope"] for kill in standing["kills"]]) == (True, ["GLOBAL", "SYMBOL"])
    first = await client.post("/arm", json=said)
    assert (first.status_code, first.json()["confirm"]) == (202, "w0rd")
    assert (await client.post("/arm", json=said | {"confirm": "w0rd"})).status_code == 200
    assert (await client.post("/arm", json=said | {"confirm": "x"})).status_code == 409


@pytest.mark.req("S4-KILL-1", "S4-API-7")
@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"scope": "MOON"}, "MALFORMED", "scope"),
        ({"name": "BTCUSDT"}, "OUT_OF_RANGE", "name"),
        ({"scope": "SYMBOL"}, "MISSING_FIELD", "name"),
        ({"scope": "MARKET", "name": "FUTURES"}, "OUT_OF_RANGE", "name"),
        ({"by": ""}, "MALFORMED", "by"),
        ({"flaten": True}, "UNKNOWN_FIELD", "flaten"),
    ],
)
async def test_a_wrong_kill_is_refused_by_name(
    client: httpx2.AsyncClient, changes: dict[str, object], code: str, field: str
) -> None:
    answer = await client.post("/kill", json={"by": "me", "reason": "fire"} | changes)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, code, field)
