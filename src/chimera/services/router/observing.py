"""S4 looks at itself every few seconds: how long a save and a word to Redis take, its service levels, its metric keys.

It runs beside the router and only in a real process: a row of its own in the ledger waits in the same queue, and is
synced like, a position's state, so what it waited is what a state would have waited. What goes wrong here ends nothing:
a store that is away is no sample, and the router's own watchdogs raise what must be raised.

A level that is broken is told as its code begins and ends (``Levels``); nothing is kept back because of it.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import structlog

from chimera.ports.clock import Clock
from chimera.ports.ledger import Rows
from chimera.ports.streams import Snapshots
from chimera.services.exposition import Recent, Sample, Spread
from chimera.services.objectives import alerted
from chimera.services.router import telemetry
from chimera.services.router.api import RouterApi
from chimera.services.router.levels import Levels
from chimera.services.service import Service
from chimera.trading.errors import StoreUnavailable
from chimera.trading.events import Alert
from chimera.trading.ids import AccountId, Symbol
from chimera.trading.money import HOUR_MS
from chimera.wire import keys
from chimera.wire.codec import SCHEMA_VERSION

log = structlog.get_logger()

LOOK_S: Final = 5.0
TTL_MS: Final = 60_000  # of the keys in Redis: what a dead S4 has said must not look alive
SHARES: Final = (0.5, 0.95)


class Observing:
    """Of one process, whatever markets it trades. ``seconds``: a fine clock; a save is done in less than a ms."""

    def __init__(
        self,
        router: RouterApi,
        account_id: AccountId,
        *,
        rows: Rows,
        bus: Snapshots,
        clock: Clock,
        tell: Callable[[Alert], None],
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._router = router
        self._account_id = account_id
        self._rows = rows
        self._bus = bus
        self._clock = clock
        self._seconds = seconds
        self._levels = Levels(clock, tell)
        self._saves = Spread("ledger_save_latency_ms")
        self._saves_of_late = Recent(HOUR_MS, 1_000)
        self._puts = Spread("redis_put_latency_ms")

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Once."""
        seen = await telemetry.samples(self._router, self._clock.now_ms())
        await self._save()
        await self._publish(seen)
        self._judge([*seen, *self.samples()])

    def _judge(self, seen: Iterable[Sample]) -> None:
        """Each level that is broken begins or stands; that of a position which is shown no more is over."""
        gone = {(level.code, level.symbol) for level in self._levels.standing}
        for verdict in alerted(Service.S4, seen):
            code, where = verdict.objective.code, Symbol(verdict.where) if verdict.where else None
            self._levels.level(code, verdict.broken, symbol=where, severity=verdict.objective.severity)
            gone.discard((code, where))
        for code, where in gone:
            self._levels.level(code, None, symbol=where)

    def samples(self) -> Iterator[Sample]:
        """For ``/metrics``, beside what ``telemetry`` draws."""
        if sum(self._saves.counts):
            yield Sample("ledger_save_latency_ms", (), self._saves)
        for share, value in self._saves_of_late.percentiles(SHARES, self._clock.monotonic_ms())[1].items():
            yield Sample("ledger_save_latency_ms_recent", (share,), value)
        if sum(self._puts.counts):
            yield Sample("redis_put_latency_ms", (), self._puts)

    async def _save(self) -> None:
        began_s = self._seconds()
        row = {"schema_version": SCHEMA_VERSION, "account_id": self._account_id, "at_ms": self._clock.now_ms()}
        try:
            await self._rows.put(keys.PROBES, self._account_id, row)
        except StoreUnavailable as away:
            log.info("probe_unsaved", error=str(away))
            return
        took_ms = (self._seconds() - began_s) * 1000
        self._saves.took(took_ms)
        self._saves_of_late.took(took_ms, self._clock.monotonic_ms())

    async def _publish(self, seen: Iterable[Sample]) -> None:
        """The two keys that the requirements name; where no order has ended yet, the percentile is null."""
        named = list(seen)
        p95 = [
            each.value for each in named if each.name == "router_submit_latency_ms_recent" and each.labels[-1] == "0.95"
        ]
        timeouts = [each.value for each in named if each.name == "maker_timeouts"]
        told = {
            keys.METRIC_ROUTER_P95: (max(map(_figure, p95), default=None), "ms"),
            keys.METRIC_MAKER_TIMEOUTS: (sum(map(_figure, timeouts)), "slices"),
        }
        began_s = self._seconds()
        try:
            for key, (value, unit) in told.items():
                about = {"schema_version": SCHEMA_VERSION, "value": value, "unit": unit, "at_ms": self._clock.now_ms()}
                await self._bus.put(key, json.dumps(about).encode(), ttl_ms=TTL_MS)
        except StoreUnavailable as away:
            log.info("metrics_untold", error=str(away))
            return
        self._puts.took((self._seconds() - began_s) * 1000 / len(told))


def _figure(value: object) -> float:
    assert isinstance(value, float | int)
    return float(value)
