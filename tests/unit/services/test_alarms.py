"""Alerts of the router itself: none that the ledger took is lost, whoever is away and whoever is killed meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
import structlog

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.services.router import alarms as alarms_module
from chimera.services.router.alarms import Alarms
from chimera.trading.errors import StoreUnavailable
from chimera.trading.events import Alert, Severity
from chimera.trading.ids import DEFAULT_ACCOUNT
from chimera.trading.market import Market
from chimera.wire import keys
from support.standing import CLOCK

pytestmark = pytest.mark.req("S4-EVT-1")


class Bus(MemoryBus):
    """Away, or there; and what it was told."""

    def __init__(self) -> None:
        super().__init__(CLOCK)
        self.away = False
        self.told: list[str] = []

    async def publish(self, stream: str, event_id: str, fields: Mapping[str, str]) -> None:
        if self.away:
            raise StoreUnavailable("away")
        assert stream == keys.ALERTS
        self.told.append(fields["code"])


@asynccontextmanager
async def living(ledger: MemoryLedger, bus: Bus, owner: str = "r1") -> AsyncIterator[Alarms]:
    """A router until it is killed: nothing of its memory outlives it."""
    alarms = Alarms(DEFAULT_ACCOUNT, owner, rows=ledger, bus=bus, clock=CLOCK)
    task = asyncio.create_task(alarms.run())
    yield alarms
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def tell(alarms: Alarms, *codes: str) -> None:
    for code in codes:
        alarms.tell(Alert(severity=Severity.WARN, code=code, text=""))


async def turns(number: int = 200) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms_module, "ALERT_AGAIN_S", 0)


async def test_what_waits_for_the_bus_is_told_by_the_next_life() -> None:
    """They waited in memory: a kill -9 while Redis was away took them from the stream for ever."""
    ledger, bus = MemoryLedger(), Bus()
    bus.away = True
    async with living(ledger, bus) as alarms:
        tell(alarms, "A", "B", "C")
        await turns()
        assert alarms.waiting == 3
    bus.away = False
    async with living(ledger, bus, "r2") as alarms:
        tell(alarms, "D")
        await turns()
        assert alarms.waiting == 0
    assert bus.told == ["A", "B", "C", "D"]
    assert sorted(str(row["code"]) for row in await ledger.find(keys.STRATEGY_EVENTS)) == ["A", "B", "C", "D"]


async def test_what_was_told_is_not_told_by_the_next_life() -> None:
    ledger, bus = MemoryLedger(), Bus()
    for owner in ("r1", "r2", "r3"):
        async with living(ledger, bus, owner) as alarms:
            tell(alarms, owner)
            await turns()
    assert bus.told == ["r1", "r2", "r3"]


async def test_more_than_memory_holds_wait_for_the_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms_module, "MOST_WAITING", 3)
    ledger, bus = MemoryLedger(), Bus()
    bus.away = True
    codes = [str(number) for number in range(12)]
    async with living(ledger, bus) as alarms:
        for code in codes:
            tell(alarms, code)
            await turns(20)
        bus.away = False
        await turns()
    assert bus.told == codes


class Away(MemoryLedger):
    """Takes nothing until it is back."""

    away = True

    async def insert(self, collection: str, key: str, document: Mapping[str, object]) -> bool:
        if self.away:
            raise StoreUnavailable("away")
        return await super().insert(collection, key, document)


async def test_while_the_ledger_is_away_the_bus_hears_of_it_at_once_and_the_ledger_later() -> None:
    """Of all nights the one to be woken in: the alert that said so waited for the ledger itself."""
    ledger, bus = Away(), Bus()
    async with living(ledger, bus) as alarms:
        tell(alarms, "LEDGER_AWAY", "KEY_REFUSED")
        await turns()
        assert (alarms.waiting, bus.told) == (2, ["LEDGER_AWAY", "KEY_REFUSED"])
        ledger.away = False
        tell(alarms, "LEDGER_AWAY_OVER")
        await turns()
        assert alarms.waiting == 0
    assert bus.told == ["LEDGER_AWAY", "KEY_REFUSED", "LEDGER_AWAY_OVER"], "a beginning told after its end would stand"
    rows = await ledger.find(keys.STRATEGY_EVENTS)
    assert {str(row["code"]) for row in rows} == {"LEDGER_AWAY", "KEY_REFUSED", "LEDGER_AWAY_OVER"}


async def test_while_both_stores_are_away_it_waits_for_the_first_that_is_back() -> None:
    ledger, bus = Away(), Bus()
    bus.away = True
    async with living(ledger, bus) as alarms:
        tell(alarms, "A", "B")
        await turns()
        assert (alarms.waiting, bus.told) == (2, [])
        bus.away = False
        await turns()
        assert (alarms.waiting, bus.told) == (2, ["A", "B"])


@pytest.mark.parametrize(("before", "after"), [(10, 0), (0, 10), (7, 7)])
async def test_one_that_is_kept_while_another_is_told_leaves_none_waiting(before: int, after: int) -> None:
    """The count was read before the wait for the ledger; one told meanwhile stayed counted as waiting for ever."""

    class Slow(MemoryLedger):
        async def insert(self, collection: str, key: str, document: Mapping[str, object]) -> bool:
            mine = collection.startswith("alerts_outbox")
            await turns(before if mine else 0)
            new = await super().insert(collection, key, document)
            await turns(after if mine else 0)
            return new

    ledger, bus = Slow(), Bus()
    async with living(ledger, bus) as alarms:
        for code in range(12):
            tell(alarms, str(code))
        await turns(1000)
        assert alarms.waiting == 0
    assert len(bus.told) == 12


async def test_what_is_told_is_in_the_log_and_says_what_it_is_about() -> None:
    bus = MemoryBus(CLOCK)
    with structlog.testing.capture_logs() as lines:
        async with living(MemoryLedger(), bus) as alarms:  # type: ignore[arg-type]  # any bus
            alarms.of(Market.SPOT)(Alert(severity=Severity.FATAL, code="CLOCK", text="2 s", subject="x", lasts=True))
            await turns()

    [line] = [line for line in lines if line["event"] == "alert"]
    assert (line["log_level"], line["code"], line["text"]) == ("critical", "CLOCK", "2 s")
    [record] = await bus.tail(keys.ALERTS, after="0", count=9, block_ms=0)
    assert record.fields["dedupe"] == f"s4-router:{DEFAULT_ACCOUNT}:SPOT:CLOCK:x"
    assert (record.fields["lasts"], record.fields["life_ms"]) == ("true", str(CLOCK.now_ms()))
