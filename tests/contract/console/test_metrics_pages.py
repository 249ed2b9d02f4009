"""The pages of the smaller services as they are served: what is listed is shown, what is shown is listed."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from console_stage import Stage
from prometheus_client.parser import text_string_to_metric_families

from chimera.adapters.memory.bus import MemoryBus
from chimera.services import metrics
from chimera.services.clock import SystemClock
from chimera.services.feed.face import build_app
from chimera.services.feed.feed import Feed
from chimera.services.feed.settings import SERVED
from chimera.services.service import Service
from chimera.services.serving import address_of, listen, serve_app
from chimera.trading.errors import StoreUnavailable
from chimera.trading.market import Market, TopOfBook
from chimera.trading.money import Price, Qty

pytestmark = pytest.mark.req("S4-MET-1")


def differs(service: Service, text: str) -> list[str]:
    """Names, kinds and labels that list and page do not have in common."""
    listed = {(each.name, str(each.kind), each.labels) for each in metrics.of(service)}
    shown = {
        (family.name, family.type, _labels(family.samples[0].labels)) for family in text_string_to_metric_families(text)
    }
    ordered = {(name, kind, tuple(sorted(labels))) for name, kind, labels in listed}
    return sorted(map(str, ordered ^ shown))


def _labels(labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(labels.keys() - {"le"}))


async def test_the_consoles_page(stage: Stage, client: httpx2.AsyncClient) -> None:
    console: Any = stage.app.state.console
    console.seen.heard(console.seen.s4, stage.clock.monotonic_ms() - 40)
    console.streams.open = 2
    page = await client.get("/metrics")

    assert page.headers["content-type"].startswith("text/plain")
    assert differs(Service.CONSOLE, page.text) == []
    assert "console_pages 2.0" in page.text
    assert "console_fault 0.0" in page.text
    assert 'console_source_age_ms{source="s4"} 40.0' in page.text


async def test_the_console_that_has_stopped_looking_says_so(stage: Stage, client: httpx2.AsyncClient) -> None:
    console: Any = stage.app.state.console
    console.seen.fault = "it broke"
    assert "console_fault 1.0" in (await client.get("/metrics")).text


class Deaf(MemoryBus):
    """A board that takes nothing."""

    async def put(self, key: str, document: bytes, *, ttl_ms: int | None = None) -> None:
        raise StoreUnavailable("away")


def a_touch(symbol: str = "BTCUSDT") -> TopOfBook:
    clock = SystemClock()
    return TopOfBook(
        symbol=symbol, at_us=(clock.now_ms() - 5_000) * 1_000, bid=Price(Decimal(100)), bid_qty=Qty(Decimal(1)),
        ask=Price(Decimal(101)), ask_qty=Qty(Decimal(1)),
    )  # fmt: skip


@pytest.fixture
async def feed_url() -> AsyncIterator[str]:
    """The feed's face on a socket, over one market that is heard and one whose board is away."""
    feeds = {market: Feed(Deaf(SystemClock()), SystemClock(), SERVED, market=market) for market in Market}
    feeds[Market.FUT].take(a_touch())
    await feeds[Market.FUT].flush()
    stop, bound = asyncio.Event(), listen("feed", "127.0.0.1", 0)
    serving = asyncio.create_task(serve_app(build_app(feeds), bound, stop.wait(), stop=stop))  # type: ignore[arg-type]  # ends with it
    yield address_of(bound)
    stop.set()
    await serving


async def test_the_feeds_page(feed_url: str) -> None:
    async with httpx2.AsyncClient(base_url=feed_url) as client:
        page, health = await client.get("/metrics"), await client.get("/health")

    assert differs(Service.FEED, page.text) == []
    assert 'feed_events_total{market="FUT"} 1.0' in page.text
    assert 'feed_events_total{market="SPOT"} 0.0' in page.text
    assert 'feed_failed_writes_total{market="FUT"} 1.0' in page.text
    assert 'feed_event_age_ms{market="SPOT"}' not in page.text
    assert 'sli_met{sli="feed_age"} 0.0' in page.text, "five seconds old"
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
