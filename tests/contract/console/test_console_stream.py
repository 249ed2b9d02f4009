"""The event stream over a real socket: whole at first, then what changed, numbered, and over when the server stops."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from console_stage import Stage, a_position, served

from chimera.services.clock import SystemClock
from chimera.services.console.seen import Seen
from chimera.trading.errors import NotSent
from chimera.wire.keys import ALERTS, ORDER_RESULTS, ROUTER_EVENTS

pytestmark = pytest.mark.slow


@asynccontextmanager
async def listening(url: str, asked: str = "") -> AsyncIterator[asyncio.StreamReader]:
    """A page's stream, past its head."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(f"GET /events{asked} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"text/event-stream" in head
        SHOWN[reader] = {}
        yield reader
    finally:
        SHOWN.pop(reader, None)
        writer.close()


SHOWN: dict[asyncio.StreamReader, dict[str, str]] = {}


async def update(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    """The next update: its id and what it says."""
    number = -1
    while True:
        line = (await asyncio.wait_for(reader.readline(), 5)).decode().strip()
        if line.startswith("id: "):
            number = int(line[4:])
        if line.startswith("data: "):
            said = json.loads(line[6:])
            SHOWN[reader] |= said["html"]
            return number, said


async def until(reader: asyncio.StreamReader, section: str, told: str) -> tuple[int, dict[str, Any]]:
    """Read on until the section says it, at once where it does already; the update that brought it."""
    number, said = -1, dict[str, Any]()
    async with asyncio.timeout(5):
        while told not in SHOWN[reader].get(section, ""):
            number, said = await update(reader)
    return number, said


@pytest.fixture
def stage() -> Stage:
    return Stage(SystemClock())


async def test_first_all_then_what_changed(stage: Stage) -> None:
    await stage.show_tick()
    async with served(stage) as url, listening(url) as reader:
        first, said = await update(reader)
        assert set(said["html"]) == {
            "bar", "deeds", "market", "positions", "decisions", "fills", "alerts",
        }  # fmt: skip

        stage.s4.rows = [a_position(qty="0.05")]
        number, said = await until(reader, "positions", "0.05")

        assert number > first
        assert number == said["seq"]
        assert "decisions" not in said["html"]
        assert set(said["ages"]) == {"market", "s4", "s4_health", "s3", "alerts", "streams"}


async def test_records_of_the_streams_arrive(stage: Stage) -> None:
    await stage.tell_order("s3-btc-1-s1", "STOP", "NEW", trigger_price="65742.1")  # before the console was there
    async with served(stage) as url, listening(url) as reader, listening(url, "?at=/orders") as at_orders:
        await until(at_orders, "orders", "s3-btc-1-s1")
        await stage.tell_fill("901")
        await until(reader, "fills", "65,800.1")
        await stage.tell_fill("902", market="SPOT", fee="0.000003", fee_asset="BTC")
        await until(reader, "fills", "0.000003<br><small>BTC</small>")
        await stage.tell_alert("STREAM_DOWN", "the user stream broke off")
        await until(reader, "alerts", "the user stream broke off")
        await stage.tell_alert("PROBING", "which stops are taken is being asked", market="SPOT")
        await until(reader, "alerts", "SPOT BTCUSDT")


async def test_an_unreadable_record_is_an_alert_and_no_end(stage: Stage) -> None:
    async with served(stage) as url, listening(url) as reader:
        for number, fields in enumerate(({"data": "{"}, {"data": "[]"}, {"schema_version": "99"}, {"kind": "FILL"})):
            for stream in (ROUTER_EVENTS, ORDER_RESULTS, ALERTS):
                await stage.bus.publish(stream, f"bad:{number}", {"kind": "CHILD"} | fields)
        await until(reader, "alerts", "UNREADABLE_RECORD")
        await stage.tell_alert("AFTER", "still reading")
        await until(reader, "alerts", "still reading")


async def test_who_comes_back_is_given_what_it_missed_and_no_more(stage: Stage) -> None:
    """By the number of the state it shows; a number from nowhere, or of a console before this one, gets all of it."""
    await stage.tell_fill("901")
    async with served(stage) as url:
        async with listening(url) as reader:
            await until(reader, "positions", "LONG")
            await until(reader, "fills", "65,800.1")
            number, _ = await update(reader)
        stage.s4.rows = [a_position(qty="0.07")]
        async with listening(url, f"?at=/&since={number}") as reader:
            _, said = await until(reader, "positions", "0.07")
            assert "fills" not in SHOWN[reader]
            assert "market" not in said["html"]
        for since in ("&since=1", "&since=x", ""):
            async with listening(url, f"?at=/{since}") as reader:
                assert "fills" in (await update(reader))[1]["html"]


async def test_a_stream_of_no_page_is_refused(stage: Stage) -> None:
    async with served(stage) as url, aiohttp.ClientSession() as session:
        assert (await session.get(f"{url}/events?at=/nowhere")).status == 404


async def test_a_reconnect_is_given_everything(stage: Stage) -> None:
    async with served(stage) as url:
        async with listening(url) as reader:
            await until(reader, "positions", "LONG")
        stage.s4.rows = [a_position(qty="0.07")]
        async with asyncio.timeout(3):
            while {str(row.qty) for row in stage.console.seen.positions} != {"0.07"}:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)
        async with listening(url) as reader:
            _, said = await update(reader)
            assert "0.07" in said["html"]["positions"]


@pytest.mark.slow
async def test_at_most_ten_updates_a_second(stage: Stage) -> None:
    """However fast the market is: updates are counted against the changes that they carry."""
    async with served(stage) as url, listening(url) as reader:
        await until(reader, "positions", "LONG")
        numbers = []
        began = time.monotonic()
        for _ in range(12):
            for _ in range(20):
                await stage.tell_alert("BUSY", "again")
            numbers.append((await update(reader))[0])
        took_s = time.monotonic() - began

        assert len(numbers) / took_s < 12
        assert numbers[-1] - numbers[0] > 5 * len(numbers)  # many changes went together


@pytest.mark.slow
async def test_silence_of_s4_is_pushed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chimera.services.console.verdicts.STALE_MS", 1_200)
    async with served(stage) as url, listening(url) as reader:
        await until(reader, "positions", "LONG")
        stage.s4.error = NotSent("connection refused")
        await until(reader, "bar", "S4 is silent: connection refused")
        stage.s4.error = None
        await until(reader, "bar", "Yes, 1 of 1")


async def test_a_server_that_stops_ends_its_streams_itself(stage: Stage) -> None:
    """Whole, to the last chunk: not broken off when uvicorn's patience with open connections is over."""
    serving = served(stage)
    async with listening(await serving.__aenter__()) as reader:
        await update(reader)
        rest = asyncio.create_task(reader.read())
        await serving.__aexit__(None, None, None)

        assert (await rest).endswith(b"0\r\n\r\n")
    assert stage.console.streams.open == 0


async def test_a_page_that_leaves_is_forgotten(stage: Stage) -> None:
    async with served(stage) as url:
        async with listening(url) as reader:
            await update(reader)
            assert stage.console.streams.open == 1
        async with asyncio.timeout(3):
            while stage.console.streams.open:  # noqa: ASYNC110 - the console tells nobody that a page has gone
                await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_a_watch_that_breaks_is_shown_and_begun_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    told, take = [], Seen.take_health

    def breaks_once(seen: Seen, health: dict[str, Any]) -> None:
        if not told:
            told.append(1)
            raise KeyError("a mistake of ours")
        take(seen, health)

    monkeypatch.setattr(Seen, "take_health", breaks_once)
    async with served(stage) as url, listening(url) as reader:
        await until(reader, "bar", "the console stopped looking")
        await until(reader, "bar", "nothing killed")
