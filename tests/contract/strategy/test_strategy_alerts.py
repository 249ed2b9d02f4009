"""S3's alerts: each of the three that must be heard, while the bus is away too, in order, once."""

import asyncio

import pytest
import structlog
from strategy_world import HandClock, Stage, a_rule, activate, ask, until

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.faults import NoFaults
from chimera.services.strategy.alerts import KEPT_MAX, REPEAT_MS, Alerts
from chimera.services.strategy.config import DIFFERS_POLLS
from chimera.trading.errors import NotSent, StoreUnavailable
from chimera.trading.events import Severity
from chimera.wire.keys import ALERTS

THREE = ("PUBLISH_FAILED", "NO_USABLE_RULE", "CONFIG_REV_DIFFERS")
pytestmark = pytest.mark.req("S3-ALR-1")


class Away(NoFaults):
    """A bus on which nothing can be published; ``after``: it is, and its answer is lost."""

    def __init__(self, *, after: bool = False) -> None:
        self._late = after

    async def before(self, operation: str, key: str) -> None:
        if operation == "publish" and not self._late:
            raise StoreUnavailable("away")

    async def after(self, operation: str, key: str) -> None:
        if operation == "publish" and self._late:
            raise StoreUnavailable("answer lost")


async def told(bus: MemoryBus) -> list[tuple[str, str]]:
    entries = await bus.tail(ALERTS, after="0", count=1_000, block_ms=0)
    return [(entry.fields["code"], entry.fields["subject"]) for entry in entries]


@pytest.mark.parametrize("after", [False, True])
async def test_what_cannot_be_told_is_told_when_it_can_in_order_and_once(after: bool) -> None:
    clock = HandClock()
    bus = MemoryBus(clock)
    alerts = Alerts(bus, clock, "main")
    bus.faults = Away(after=after)
    for number in range(3):
        await alerts.say(Severity.WARN, "PUBLISH_FAILED", f"s{number}", "x")
    assert await told(bus) == ([("PUBLISH_FAILED", "s0")] if after else [])
    bus.faults = NoFaults()
    await alerts.flush()
    await alerts.flush()
    assert await told(bus) == [("PUBLISH_FAILED", f"s{number}") for number in range(3)]


async def test_the_same_waits_a_minute_and_another_does_not() -> None:
    clock = HandClock()
    bus = MemoryBus(clock)
    alerts = Alerts(bus, clock, "main")
    for _ in range(2):
        await alerts.say(Severity.WARN, "NO_USABLE_RULE", "BTCUSDT", "x")
    await alerts.say(Severity.WARN, "NO_USABLE_RULE", "ETHUSDT", "x")
    clock.ms += REPEAT_MS - 1
    await alerts.say(Severity.WARN, "NO_USABLE_RULE", "BTCUSDT", "x")
    assert len(await told(bus)) == 2
    clock.ms += 1
    await alerts.say(Severity.WARN, "NO_USABLE_RULE", "BTCUSDT", "x")
    assert len(await told(bus)) == 3


async def test_memory_is_bounded_and_what_it_loses_is_in_the_log() -> None:
    clock = HandClock()
    bus = MemoryBus(clock)
    bus.faults = Away()
    alerts = Alerts(bus, clock, "main")
    with structlog.testing.capture_logs() as lines:
        for number in range(KEPT_MAX + 2):
            await alerts.say(Severity.WARN, "X", f"s{number}", "x")
    dropped = [line["event_id"] for line in lines if line["event"] == "alert_dropped"]
    assert [name.split(":")[2] for name in dropped] == ["s0", "s1"]
    bus.faults = NoFaults()
    await alerts.flush()
    assert len(await told(bus)) == KEPT_MAX


async def test_each_of_the_three_is_heard_though_redis_was_away_meanwhile() -> None:
    """Decided and not published; no usable rule; another revision active than ours."""
    stage = Stage(S3_CONCURRENT_ENTRIES_PER_MARKET="9")
    await stage.show()
    async with stage.process() as strategy:
        stage.bus.faults = Away()
        stage.router.script = [NotSent("refused connection")]
        assert (await strategy.decide(ask())).decision == "open"
        await until(lambda: asyncio.sleep(0, stage.router.got))
        await activate(stage, 2)
        await strategy.config.refresh()
        assert (await strategy.decide(ask())).decision == "skip"
        await activate(stage, 3, a_rule("R", [{"no_such": 1}]))
        for _ in range(DIFFERS_POLLS):
            await strategy.config.refresh()
        assert await told(stage.bus) == []
        stage.bus.faults = NoFaults()
        await strategy.alerts.flush()
        codes = [code for code, _ in await told(stage.bus)]
    assert [code for code in codes if code in THREE] == ["PUBLISH_FAILED", "PUBLISH_FAILED", *THREE[1:]]
