"""S4 as a process of its own: the same answer over its deaths, one owner of a ledger, an orderly end."""

import asyncio
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import ClientError

from chimera.cli.codes import Exit
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.wire.codec import SCHEMA_VERSION
from proofs.real import Service, Stage, stage
from world import oracle

pytestmark = pytest.mark.slow

LIVE: Final = ("legs",)  # the stops that stand now: true of the moment, and no part of what became of the order
SHUT_S: Final = 10.0


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        await begun(made, made.s4)
        yield made


async def begun(house: Stage, service: Service) -> None:
    await service.start()
    await house.until_ready(house.s4_url)
    async with asyncio.timeout(30):  # ready, and nothing keeps entries back
        while (await house.ask("GET", f"{house.s4_url}/health"))[1]["barriers"]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def reborn(house: Stage) -> None:
    await house.s4.kill()
    await begun(house, house.s4)


def an_order(name: str, **changes: Any) -> dict[str, Any]:
    body = {"intent_id": f"i-{name}", "client_order_id": name, "market": "FUT", "symbol": "BTCUSDT", "side": "BUY"}
    return body | {"qty": "0.003", "exec_policy": {"type": "MARKET"}} | changes


def resting(name: str, wait_ms: int = 60_000) -> dict[str, Any]:
    return an_order(name, exec_policy={"type": "MakerThenTaker", "maker_wait_ms": wait_ms})


async def post(house: Stage, body: dict[str, Any], path: str = "/orders", **headers: str) -> tuple[int, Any]:
    return await house.ask("POST", house.s4_url + path, body, headers=headers)


async def taken(house: Stage, body: dict[str, Any], **headers: str) -> tuple[int, Any]:
    """Posted until nothing keeps entries back any more."""
    async with asyncio.timeout(30):
        while (told := await post(house, body, **headers))[1].get("accepted") == "exits; or later":  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    return told


async def cancel(house: Stage, name: str) -> tuple[int, Any]:
    return await post(house, {"client_order_id": name}, "/cancel")


def settled(row: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in row.items() if field not in LIVE}


def of_kind(audit: list[AuditRecord], kind: Kind, order_type: str) -> list[AuditRecord]:
    return [each for each in audit if (each.kind, each.type) == (kind, order_type)]


def sent(audit: list[AuditRecord], name: str) -> list[AuditRecord]:
    return [each for each in audit if each.kind is Kind.ACCEPT and each.client_order_id.startswith(f"{name}-")]


@pytest.mark.req("S4-IDEM-1", "ACC-9", "I3")
async def test_a_finished_intent_answers_the_same_in_this_life_and_the_next(house: Stage) -> None:
    first = await taken(house, an_order("a"))
    again = await post(house, an_order("a"), **{"idempotency-key": "i-a"})
    await reborn(house)
    later = await post(house, an_order("a"))
    await post(house, {}, "/positions/BTCUSDT/close")
    await reborn(house)
    closed = await post(house, an_order("a"))
    other = await post(house, an_order("a", qty="0.004"))
    stranger = await post(house, an_order("a"), **{"idempotency-key": "i-b"})

    assert (first[0], first[1]["status"]) == (200, "FILLED")
    assert [(status, settled(row)) for status, row in (again, later, closed)] == [(200, settled(first[1]))] * 3
    assert (other[0], other[1]["code"]) == (422, "DUPLICATE_ID")
    assert (stranger[0], stranger[1]["code"]) == (422, "KEY_MISMATCH")
    assert len([each for each in sent(house.audit(), "a") if oracle.is_entry(each)]) == 1


@pytest.mark.req("S4-IDEM-1", "ACC-9")
async def test_the_header_alone_names_an_intent(house: Stage) -> None:
    body = {name: value for name, value in an_order("a").items() if name not in ("intent_id", "client_order_id")}
    first = await taken(house, body, **{"idempotency-key": "key-1"})
    await reborn(house)
    again = await post(house, body, **{"idempotency-key": "key-1"})

    assert first[1]["intent_id"] == "key-1"
    assert settled(again[1]) == settled(first[1])


@pytest.mark.req("S4-IDEM-1", "ACC-9", "I3")
async def test_an_intent_in_flight_is_one_order_whoever_dies(house: Stage) -> None:
    first = await taken(house, resting("a", 4_000), prefer="respond-async")
    second = await post(house, resting("a", 4_000), prefer="respond-async")
    other = await post(house, resting("a", 5_000), prefer="respond-async")
    await reborn(house)
    status, row = 202, {}
    async with asyncio.timeout(30):
        while status == 202:
            status, row = await post(house, resting("a", 4_000), prefer="wait=2")

    assert (first[0], second[0]) == (202, 202)
    assert first[1]["order_id"] == second[1]["order_id"] == row["order_id"]
    assert (other[0], other[1]["code"]) == (422, "DUPLICATE_ID")
    assert (status, row["status"], row["filled_qty"]) == (200, "FILLED", 0.003)
    assert oracle.entered_once(house.audit()) == []


@pytest.mark.req("S4-API-5", "S4-IDEM-1", "S4-REC-1")
async def test_an_order_in_doubt_is_answered_alike_after_a_kill_and_never_as_rejected(house: Stage) -> None:
    """Its request was lost on the way in, which nobody can know before its window is over."""
    lost = {"name": "timeout_before", "match": {"path": "/fapi/v1/order", "method": "POST"}, "count": 1}
    await house.ask("POST", f"{house.venue_url}/sim/faults", lost)
    first = await taken(house, an_order("a"), prefer="wait=1")
    before = await house.ask("GET", f"{house.s4_url}/orders/a")
    await house.s4.kill()
    await house.s4.start()
    heard: list[tuple[int, dict[str, Any]]] = []
    async with asyncio.timeout(60):
        while not heard or heard[-1][0] in (202, 503):
            with suppress(ClientError, TimeoutError):
                heard.append(await post(house, an_order("a"), prefer="wait=0"))
            await asyncio.sleep(0.1)
    meanwhile = [row for status, row in heard if status == 202]

    assert (first[0], first[1]["result"], first[1]["status"], first[1]["in_doubt"]) == (202, "OK", "ACCEPTED", True)
    assert meanwhile
    assert {row["code"] for status, row in heard if status == 503} <= {"NOT_READY"}
    assert [settled(row) for row in meanwhile] == [settled(before[1])] * len(meanwhile)  # field by field
    assert (heard[-1][0], heard[-1][1]["code"]) == (422, "VENUE_UNAVAILABLE")  # once it is proved, and its time is over
    assert sent(house.audit(), "a") == []


@pytest.mark.req("S4-IDEM-2")
async def test_a_cancel_means_the_same_in_flight_after_the_end_and_after_a_restart(house: Stage) -> None:
    await taken(house, resting("a"), prefer="respond-async")
    together = await asyncio.gather(cancel(house, "a"), cancel(house, "a"))
    after = await cancel(house, "a")
    await reborn(house)
    reborn_ = await cancel(house, "a")
    filled = await taken(house, an_order("b"))
    twice = [await cancel(house, "b"), await cancel(house, "b")]
    await reborn(house)
    twice.append(await cancel(house, "b"))
    nobody = await cancel(house, "nobody")

    assert {row["status"] for _, row in (*together, after, reborn_)} == {"CANCELED"}
    assert {status for status, _ in (*together, after, reborn_)} == {200}
    assert filled[1]["status"] == "FILLED"
    assert {(status, row["code"]) for status, row in twice} == {(409, "ALREADY_FILLED")}
    assert nobody[0] == 404


@pytest.mark.req("I19")
@pytest.mark.fault("A13")
async def test_a_second_router_on_the_ledger_refuses_and_the_first_trades_on(house: Stage) -> None:
    """A13: started by mistake. Also while the first is stopped in its tracks, where nobody hears it."""
    for paused in (False, True):
        if paused:
            house.s4.signal(signal.SIGSTOP)
        second = house.router(PORT="0")
        code = await (await second.start()).wait(30)
        house.s4.signal(signal.SIGCONT)

        assert code == Exit.CANNOT_START
        assert f"in use by process {house.s4.pid}" in second.last_words()

    assert (await taken(house, an_order("a")))[1]["status"] == "FILLED"
    assert oracle.entered_once(house.audit()) == []


@pytest.mark.req("I19")
@pytest.mark.fault("A13")
async def test_a_router_that_was_deposed_ends_and_sends_nothing_more(house: Stage) -> None:
    """A13 where no lock reaches: another owner took a newer fence. The stop stays at the venue."""
    _, marked = await house.ask("GET", f"{house.venue_url}/fapi/v1/premiumIndex?symbol=BTCUSDT")
    stop = {"price": round(Decimal(str(marked["markPrice"])) * Decimal("0.985"))}  # one of S4's own would be moved yet
    await taken(house, an_order("a", sl=stop))
    with sqlite3.connect(house.ledger_path("s4"), timeout=10) as ledger:
        ledger.execute("UPDATE holdings SET fence = fence + 1")
    ledger.close()
    before = house.audit()
    taken_b = False
    with suppress(ValueError, ClientError):  # it may be gone before it can say so
        taken_b = (await post(house, an_order("b")))[0] == 200
    code = await house.s4.wait(30)
    audit = house.audit()
    after = audit[len(before) :]
    bare = oracle.uncovered_spans(audit, time.time_ns() // 1000)

    assert not taken_b
    assert code == Exit.DEPOSED
    assert [each for each in after if each.kind is Kind.ACCEPT and oracle.is_entry(each)] == []
    assert [each for each in after if each.kind is Kind.CANCEL and each.algo_id is not None] == []
    assert [span for span in bare if span.to_us > before[-1].at_us] == []


@pytest.mark.req("I26")
@pytest.mark.fault("A9", "G19")
async def test_told_to_stop_with_orders_in_flight_it_ends_well_and_the_stops_stay(house: Stage) -> None:
    """A9."""
    await taken(house, an_order("a"))
    flying = [asyncio.create_task(taken(house, resting(f"f{number}", 30_000))) for number in range(8)]
    async with asyncio.timeout(60):
        while len(of_kind(house.audit(), Kind.ACCEPT, "LIMIT")) < 3:  # noqa: ASYNC110  # another process
            await asyncio.sleep(0.05)
    told = time.monotonic()
    code = await house.s4.stop()
    took_s = time.monotonic() - told
    await asyncio.gather(*flying, return_exceptions=True)
    _, state = await house.ask("GET", f"{house.venue_url}/sim/state")
    spans = oracle.uncovered_spans(house.audit(), time.time_ns() // 1000)

    assert (code, took_s <= SHUT_S) == (0, True)
    assert state["accounts"]["main"]["open_algos"]
    assert oracle.longest_us(spans) < 1_500_000
    (house.folder / "s4.log").unlink()
    (house.folder / "s4.log").symlink_to("/dev/full")  # and its log takes nothing more
    await begun(house, house.s4)
    assert oracle.entered_once(house.audit()) == []


@pytest.mark.req("S4-ROUTE-1")
@pytest.mark.fault("G21")
async def test_neither_a_spoiled_route_table_nor_a_closed_terminal_leaves_positions_to_nobody(house: Stage) -> None:
    """A slip of the pen at noon changes nothing until S4 is started again at night: then it kept it from starting."""
    await taken(house, an_order("a"))
    await house.s4.kill()
    path = house.folder / "route.json"
    path.write_text("{rows:")
    spoiled = {"S4_ROUTE_TABLE_PATH": str(path)}
    house.s4 = house.router("again", **spoiled)
    await house.s4.start()
    await house.until_ready(house.s4_url)
    house.s4.signal(signal.SIGHUP)  # its terminal is closed
    _, refused = await post(house, an_order("b"))
    _, closing = await post(house, {}, "/positions/BTCUSDT/close")
    path.write_text('{"rev":2,"rows":[{"notional_usdt_max":9000,"maker_wait_ms":7,"twap":{"slices":1,"gap_ms":0}}]}')
    later = await taken(house, an_order("c"))

    path.write_text("{rows:")
    first = house.router("first", **spoiled, S4_LEDGER_PATH=str(house.folder / "new.sqlite"), PORT="0")
    assert (refused["code"], refused["accepted"]) == ("ROUTE_TABLE_UNREADABLE", "exits; or later")
    assert (closing["result"], later[1]["status"]) == ("OK", "FILLED")
    assert oracle.entered_once(house.audit()) == []
    assert await (await first.start()).wait(30) == Exit.CANNOT_START, "there is nothing to protect"
    assert f"S4_ROUTE_TABLE_PATH: {path}: " in first.last_words()


@pytest.mark.req("LED-3")
@pytest.mark.fault("A20")
async def test_a_ledger_laid_out_by_a_newer_version_is_refused_whole(house: Stage) -> None:
    """A20."""
    await house.s4.stop()
    before = house.ledger_path("s4").read_bytes()
    with sqlite3.connect(house.ledger_path("s4")) as ledger:
        version = ledger.execute("PRAGMA user_version").fetchone()[0]
        ledger.execute(f"PRAGMA user_version = {version + 1}")
    ledger.close()
    asked = len(house.audit())
    code = await (await house.s4.start()).wait(30)

    assert code == Exit.CANNOT_START
    assert "newer" in house.s4.last_words()
    assert house.audit()[asked:] == []
    assert len(house.ledger_path("s4").read_bytes()) == len(before)


@pytest.mark.req("LED-3")
@pytest.mark.fault("A20")
async def test_a_holding_of_a_newer_version_stands_still_and_stays_protected(house: Stage) -> None:
    """A20: nothing of it is half read, nothing is written over it; its stop stays, and no entry joins it."""
    await taken(house, an_order("a"))
    await house.s4.stop()
    here, ahead = (f'"schema_version":{version}' for version in (SCHEMA_VERSION, SCHEMA_VERSION + 1))
    newer = f"UPDATE holdings SET body = replace(body, '{here}', '{ahead}')"  # noqa: S608 - two constants of ours
    with sqlite3.connect(house.ledger_path("s4")) as ledger:
        ledger.execute(newer)
    ledger.close()
    await begun(house, house.s4)
    _, refused = await post(house, an_order("b"))
    await house.s4.stop()
    with sqlite3.connect(house.ledger_path("s4")) as ledger:
        body = ledger.execute("SELECT body FROM holdings").fetchone()[0]
    ledger.close()

    assert refused["code"] == "KILL_SWITCH"
    assert body.startswith("{" + ahead)
    assert oracle.longest_us(oracle.uncovered_spans(house.audit(), time.time_ns() // 1000)) < 1_500_000
