"""Watching the others: S4 and S3 over HTTP, the market and the streams on the bus, each in a loop of its own.

Invariants: one that does not answer holds up no other; every silence keeps what was seen last, with its age and the
reason; a record that cannot be read is shown as an alert and skipped. It changes nothing: acting is ``acts``'s.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec
import structlog

from chimera.ports.streams import Entry
from chimera.services.console.others import AlertsSource, Others
from chimera.services.console.rows import (
    DecisionRow,
    FillRow,
    OrderRow,
    PositionRow,
    TicketRow,
    read_record,
    read_row,
)
from chimera.services.console.seen import Record, Seen, Source
from chimera.trading.errors import ChimeraError
from chimera.trading.events import Severity
from chimera.trading.money import Millis
from chimera.wire.alerts import AlertRecord, read_alert
from chimera.wire.board import TickBoard
from chimera.wire.codec import decode
from chimera.wire.keys import ALERTS, ORDER_RESULTS, ROUTER_EVENTS, tick_key

POSITIONS_S: Final = 0.5  # at most this long between two looks; an event of S4's makes it sooner
NUDGED_S: Final = 0.05  # events come in bursts: one look for all of them
HEALTH_S: Final = 1.0
DECISIONS_S: Final = 1.0
TICKETS_S: Final = 1.0
TICK_S: Final = 0.2
BACK_MS: Final = 1_800_000  # how much of the streams is read at the start
BATCH: Final = 500
BLOCK_MS: Final = 1_000
DECISIONS: Final = 60

log = structlog.get_logger(__name__)


class Watch:
    """Fills ``seen``; ``run`` until cancelled."""

    def __init__(self, seen: Seen, others: Others) -> None:
        self.seen = seen
        self._router = others.router
        self._strategy = others.strategy
        self._bus = others.bus
        self._alerts = others.alerts
        self._clock = others.clock
        self._nudge = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep(self.seen.s4, self.look_at_positions, self._until_nudged))
            tasks.create_task(self._keep(self.seen.s4_health, self.look_at_health, _pause(HEALTH_S)))
            tasks.create_task(self._keep(self.seen.s3, self.look_at_decisions, _pause(DECISIONS_S)))
            tasks.create_task(self._keep(self.seen.market, self.look_at_market, _pause(TICK_S)))
            if self._alerts is not None:
                look = partial(self.look_at_tickets, self._alerts)
                tasks.create_task(self._keep(self.seen.keeper, look, _pause(TICKETS_S)))
            takers = {ROUTER_EVENTS: self._take_event, ORDER_RESULTS: self._take_result, ALERTS: self._take_alert}
            for stream, source in self.seen.streams.items():
                tasks.create_task(self._follow(stream, source, takers[stream]))

    # ── one look each; raises ChimeraError ──

    async def look_at_positions(self) -> None:
        rows = tuple(read_row(row, PositionRow) for row in await self._router.positions())
        self.seen.take_positions(rows, self._clock.now_ms())

    async def look_at_health(self) -> None:
        health = await self._router.health()
        kills = (await self._router.killed())["kills"] if health.get("kill_switch") else ()
        self.seen.take_killed(tuple(f"{kill['scope']} {kill['name']}".rstrip() for kill in kills))
        self.seen.take_health(health)

    async def look_at_decisions(self) -> None:
        self.seen.take_s3_health(await self._strategy.health())
        rows = await self._strategy.decisions(DECISIONS)
        self.seen.take_decisions(tuple(read_row(row, DecisionRow) for row in rows))

    async def look_at_market(self) -> None:
        for document in await self._bus.get_many([tick_key(symbol) for symbol in self.seen.symbols]):
            if document is not None:
                self.seen.take_tick(decode(document, TickBoard))

    async def look_at_tickets(self, alerts: AlertsSource) -> None:
        told = await alerts.alerts()
        self.seen.take_tickets(tuple(read_row(row, TicketRow) for row in told["alerts"]))

    # ── loops ──

    async def _keep(
        self, source: Source, look: Callable[[], Awaitable[None]], wait: Callable[[], Awaitable[None]]
    ) -> None:
        while True:
            try:
                await look()
                self.seen.heard(source, self._clock.monotonic_ms())
            except (ChimeraError, msgspec.MsgspecError) as error:
                self.seen.missed(source, str(error))
            await wait()

    async def _until_nudged(self) -> None:
        try:
            async with asyncio.timeout(POSITIONS_S):
                await self._nudge.wait()
        except TimeoutError:
            return
        await asyncio.sleep(NUDGED_S)
        self._nudge.clear()

    async def _follow(self, stream: str, source: Source, take: Callable[[Mapping[str, str]], None]) -> None:
        after = f"{self._clock.now_ms() - BACK_MS}-0"
        while True:
            try:
                entries = await self._bus.tail(stream, after=after, count=BATCH, block_ms=BLOCK_MS)
            except ChimeraError as error:
                self.seen.missed(source, str(error))
                await asyncio.sleep(HEALTH_S)
                continue
            self.seen.heard(source, self._clock.monotonic_ms())
            for entry in entries:
                after = entry.id
                self._keep_raw(stream, entry)
                try:
                    take(entry.fields)
                except (ChimeraError, msgspec.MsgspecError, ValueError) as error:
                    self._complain(stream, entry.id, error)

    # ── records ──

    def _take_event(self, fields: Mapping[str, str]) -> None:
        self._nudge.set()
        if fields.get("kind") == "CHILD":
            self.seen.take_order(read_record(fields, OrderRow))

    def _take_result(self, fields: Mapping[str, str]) -> None:
        match fields.get("kind"):
            case "FILL":
                self.seen.take_fill(read_record(fields, FillRow))
            case "CHILD":
                self.seen.take_order(read_record(fields, OrderRow))

    def _take_alert(self, fields: Mapping[str, str]) -> None:
        self.seen.take_alert(read_alert(fields))

    def _keep_raw(self, stream: str, entry: Entry) -> None:
        """As it came, where it can be read at all."""
        try:
            data = msgspec.json.decode(entry.fields.get("data") or b"null", type=dict[str, Any] | None)
        except msgspec.MsgspecError:
            return  # whoever takes it complains
        at_ms = int(entry.id.partition("-")[0])
        self.seen.take_record(Record(stream=stream, at_ms=at_ms, data=entry.fields if data is None else data))

    def _complain(self, stream: str, entry_id: str, error: Exception) -> None:
        log.warning("unreadable_record", stream=stream, entry_id=entry_id, error=str(error))
        self.seen.take_alert(
            AlertRecord(
                severity=Severity.WARN,
                code="UNREADABLE_RECORD",
                at_ms=Millis(self._clock.now_ms()),
                text=f"{stream} {entry_id}: {error}",
                service="console",
            )
        )


def _pause(seconds: float) -> Callable[[], Awaitable[None]]:
    async def pause() -> None:
        await asyncio.sleep(seconds)

    return pause
