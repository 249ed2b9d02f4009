"""Every metric of S4's list is shown by a router that trades, none that is not in it; levels that break are told."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from router_fake import FakeRouter, FixedClock

from chimera.cli.up.on_stage import StageHouse
from chimera.cli.up.session import Session, SessionPlan
from chimera.services import metrics, serving
from chimera.services.exposition import page
from chimera.services.objectives import ENOUGH, OBJECTIVES, with_levels
from chimera.services.router import settings as router_settings
from chimera.services.router import telemetry
from chimera.services.router.observing import LOOK_S, Observing
from chimera.services.service import Service
from chimera.services.simulator.market import open_market
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.stage import Stage
from chimera.services.strategy import settings as strategy_settings
from chimera.trading.errors import StoreUnavailable
from chimera.trading.events import Alert, Event, FillRecorded
from chimera.trading.fill import Fill
from chimera.trading.ids import (
    DEFAULT_ACCOUNT,
    DEFAULT_STRATEGY,
    ClientOrderId,
    IntentId,
    Symbol,
    TradeId,
    VenueOrderId,
)
from chimera.trading.intent import Intent, MakerThenTaker, StopSpec
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.standstill import Kill, Scope
from chimera.wire import keys

pytestmark = [pytest.mark.req("S4-MET-1"), pytest.mark.xdist_group("metrics_on_stage")]  # one run for all of it

SEED = 5


class Played:
    """What was scraped at the end, what Redis had, and which alerts were told by the look at itself."""

    def __init__(self) -> None:
        loop = DetLoop(SEED, fifo=True)
        market = open_market(None, seed=SEED)
        s3 = strategy_settings.read_settings({"S3_SYMBOLS": market.symbol, "S3_MAX_HOLD_S": "8"})
        s4 = router_settings.load({"S4_FUT_URL": "http://127.0.0.1:9020", "S4_SYMBOLS": market.symbol})
        self.stage = Stage(loop, market, s3, s4, seed=SEED)
        self.symbol = Symbol(market.symbol)
        self.told: list[Alert] = []
        self.early = ""
        self.redis: dict[str, Any] = {}
        self.text = loop.run_until_complete(self._play())
        loop.close()

    @property
    def router(self) -> Any:
        return self.stage.router

    async def _play(self) -> str:
        stage = self.stage
        running = asyncio.create_task(stage.run())
        await stage.ready.wait()
        self.observing = Observing(
            stage.router, DEFAULT_ACCOUNT, rows=stage.ledger, bus=stage.bus, clock=stage.clock, tell=self.told.append,
            seconds=asyncio.get_running_loop().time,
        )  # fmt: skip
        self.early = await self.scrape()
        looking = asyncio.create_task(self.observing.run())
        try:
            plan = SessionPlan(symbols=(self.symbol,), every_s=2, sides=(Side.BUY, Side.SELL), exit_after=2)
            await Session(StageHouse(stage), plan, lambda event: None).run()
            await self._in_slices()
            return await self._in_trouble()
        finally:
            await serving.end(looking)
            await serving.end(running)

    async def _in_slices(self) -> None:
        intent = Intent(
            intent_id=IntentId("twap"), client_order_id=ClientOrderId("twap"), market=Market.FUT, symbol=self.symbol,
            side=Side.BUY, qty=Qty(Decimal("0.02")), policy=MakerThenTaker(wait_ms=1, slices=2, gap_ms=500),
            created_ms=Millis(self.stage.clock.now_ms()), stop=StopSpec(),
        )  # fmt: skip
        await self.router.submit(intent, "body", wait_ms=0)
        for _ in range(600):
            row = await self.router.order("twap")
            if row is not None and row["done_ms"]:
                break
            await asyncio.sleep(0.1)

    async def _in_trouble(self) -> str:
        """What a calm market does not bring."""
        self.router.tallies.heard((_fee_in("BNB"),))
        for number in range(ENOUGH):
            self.router.tallies.measures.failed()
            self.router.tallies._failures.bad(f"number {number}")
        self.router.tallies.look()
        await self.router.kill(_kill(self.stage.clock.now_ms()), wait_ms=0)
        await asyncio.sleep(LOOK_S + 1)
        for key in (keys.METRIC_ROUTER_P95, keys.METRIC_MAKER_TIMEOUTS):
            self.redis[key] = json.loads(await self.stage.bus.get(key) or b"null")
        self.router.barriers.level("MARKET_STALE", "for the test", symbol=self.symbol)
        return await self.scrape()

    async def scrape(self) -> str:
        samples = await telemetry.samples(self.router, self.stage.clock.now_ms())
        return page(Service.S4, with_levels(Service.S4, [*samples, *self.observing.samples()])).decode()


def _kill(at_ms: int) -> Kill:
    return Kill(scope=Scope.SYMBOL, name="ETHUSDT", by="test", reason="test", at_ms=Millis(at_ms))


def _fee_in(asset: str) -> Event:
    fill = Fill(
        trade_id=TradeId("bnb"), ref=ClientOrderId("bnb"), venue_id=VenueOrderId("1"), market=Market.FUT,
        symbol=Symbol("BTCUSDT"), side=Side.BUY, price=Price(Decimal(1)), qty=Qty(Decimal("0.001")),
        fee=Decimal("0.001"), fee_asset=asset, realized_pnl=Quote(Decimal(0)), maker=True, at_ms=Millis(1),
    )  # fmt: skip
    body = FillRecorded(fill=fill, intent_id=None, strategy_id=DEFAULT_STRATEGY, mid_at_send=None, slippage_bps=None)
    return Event(seq=1, at_ms=Millis(1), body=body)


@pytest.fixture(scope="module")
def played() -> Played:
    return Played()


def families(text: str) -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(played: Played, name: str, **labels: str) -> float:
    found = [
        sample.value
        for family in families(played.text).values()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(found) == 1, (name, labels, found)
    return float(found[0])


def test_what_is_listed_is_shown_and_what_is_shown_is_listed(played: Played) -> None:
    listed = {metric.name: metric for metric in metrics.of(Service.S4)}
    shown = families(played.text)

    assert sorted(listed.keys() - shown.keys()) == [], "listed, and never shown"
    assert sorted(shown.keys() - listed.keys()) == [], "shown, and not listed"
    for name, family in shown.items():
        assert family.type == listed[name].kind
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(listed[name].labels)


def test_what_is_shown_is_what_was_traded(played: Played) -> None:
    text = played.text
    assert value(played, "router_submit_latency_ms_count") >= 3
    assert value(played, "orders_ended_total", outcome="filled") >= 3
    assert 0 < value(played, "taker_rate") <= 1
    assert value(played, "fee_usdt_total") > 0
    assert value(played, "fee_other_total", asset="BNB") == 0.001
    assert value(played, "maker_timeouts_total") >= 1
    assert 0.9 < value(played, "twap_efficiency") < 1.1
    assert value(played, "protection_coverage", symbol=played.symbol) == 1
    assert value(played, "stop_latency_ms_count") >= 2
    assert value(played, "breaker_state", state="CLOSED") == 1
    assert value(played, "barrier", code="MARKET_STALE") == 1
    assert value(played, "kills", scope="SYMBOL") == value(played, "kill_active") == 1
    assert value(played, "ledger_save_latency_ms_count") >= 2
    assert 0 < value(played, "rate_used_share", counts="WEIGHT", span_s="60") < 1
    for each in OBJECTIVES:
        assert (f'sli_objective{{sli="{each.sli}"}}' in text) is (each.service is Service.S4)


def test_before_anything_was_traded_nothing_is_made_up(played: Played) -> None:
    early = families(played.early)
    assert {"exchange_up", "breaker_state", "sli_objective", "queue_depth"} <= early.keys()
    assert not {"taker_rate", "order_success_rate", "slippage_bps", "router_submit_latency_ms"} & early.keys()


def test_the_two_keys_of_the_requirements_are_in_redis(played: Played) -> None:
    latency, timeouts = (
        played.redis["metrics:events:s4.router_p95"],
        played.redis["metrics:events:s4.maker_timeout_count"],
    )
    assert latency["value"] == value(played, "router_submit_latency_ms_recent", quantile="0.95")
    assert latency["unit"] == "ms"
    assert timeouts["value"] == value(played, "maker_timeouts_total")


@pytest.mark.req("DEL-4")
def test_a_level_that_breaks_is_told_once_and_its_value_is_shown(played: Played) -> None:
    assert [alert.code for alert in played.told] == ["SLI_ORDER_SUCCESS"]
    assert "promised at least 0.99 share" in played.told[0].text
    assert value(played, "sli_met", sli="order_success") == 0
    assert value(played, "sli_met", sli="exchange") == 1
    assert value(played, "sli_value", sli="order_success") == value(played, "order_success_rate")


class Away:
    """Both stores, out of reach."""

    async def put(self, *_: object, **__: object) -> None:
        raise StoreUnavailable("away")


async def test_stores_that_are_away_end_nothing_and_are_no_sample() -> None:
    told: list[Alert] = []
    away: Any = Away()
    observing = Observing(FakeRouter(), DEFAULT_ACCOUNT, rows=away, bus=away, clock=FixedClock(), tell=told.append)
    await observing.look()
    await observing.look()

    assert list(observing.samples()) == []
    assert [(alert.code, alert.severity) for alert in told] == [("SLI_USER_STREAM", "ERROR")], "down, and told once"


async def test_a_second_bare_position_is_told_though_the_first_still_stands() -> None:
    """Somebody has acknowledged the first: the second must not be lost behind it, and each has an end of its own."""
    told: list[Alert] = []
    router, away = FakeRouter(), Away()
    bare: dict[str, int] = {}

    async def positions() -> list[dict[str, object]]:
        return [router.board | {"symbol": symbol, "unprotected_ms": ms} for symbol, ms in bare.items()]

    router.positions = positions  # type: ignore[method-assign]  # one board, and here there are several
    observing = Observing(router, DEFAULT_ACCOUNT, rows=away, bus=away, clock=FixedClock(), tell=told.append)  # type: ignore[arg-type]
    for seen in ({"BTCUSDT": 9_000, "ETHUSDT": 0}, {"BTCUSDT": 14_000, "ETHUSDT": 3_000}, {"BTCUSDT": 19_000}, {}):
        bare.clear()
        bare.update(seen)
        await observing.look()

    of_positions = [(alert.code, alert.subject) for alert in told if alert.code.startswith("SLI_UNPROTECTED")]
    assert of_positions == [
        ("SLI_UNPROTECTED", "FUT BTCUSDT"),
        ("SLI_UNPROTECTED", "FUT ETHUSDT"),
        ("SLI_UNPROTECTED_OVER", "FUT ETHUSDT"),
        ("SLI_UNPROTECTED_OVER", "FUT BTCUSDT"),
    ]
    assert told[0].text.startswith("FUT BTCUSDT: no position is without a live stop")
