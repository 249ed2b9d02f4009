"""The desk: hears the stream, keeps tickets on disk, tells the channels, and says what is wrong with itself.

A record is acknowledged on the stream once its ticket is saved, so a crash loses none and counts none twice. Each
channel has a task of its own: one that is down holds up no other. What a channel was told is saved with the ticket; a
crash between the two sends the same message with the same id once more.
"""

import asyncio
import random
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import structlog

from chimera.ports.clock import Clock
from chimera.ports.ledger import Rows
from chimera.ports.streams import Entry, Streams
from chimera.services.alerts.book import OLD_MS, Book
from chimera.services.alerts.channels import Channel, Undelivered
from chimera.services.alerts.telling import Kind, Message, Pace, Policy, due, untold
from chimera.services.alerts.ticket import State, Ticket, What, shown
from chimera.trading.errors import NewerSchema, RecordsGone, Refused, StoreUnavailable
from chimera.trading.events import Severity
from chimera.trading.money import Millis
from chimera.wire.alerts import OVER, AlertRecord, described, read_alert
from chimera.wire.codec import SCHEMA_VERSION, plain
from chimera.wire.keys import ALERTS, STRATEGY_EVENTS

SERVICE: Final = "alerts"
TICKETS: Final = "alert_tickets"
GROUP: Final = "alerts"
BATCH: Final = 200
BLOCK_MS: Final = 1_000
AGAIN_S: Final = 1.0
LOOK_S: Final = 1.0
DEAF_MS: Final = 10_000  # a Redis that fails over is away for less
DEAF_LONG_MS: Final = 60_000  # no word of S4's comes through, be it the worst: FATAL, at any hour
FIRST_PAUSE_MS: Final = 1_000  # before a message is sent again, then doubled
LONGEST_PAUSE_MS: Final = 60_000  # what is FATAL waits for it, too
GIVE_UP_MS: Final = 600_000  # then what is due is put together anew, with what came meanwhile
FAILS_TOLD: Final = 2  # attempts in a row, and it is an alert
RESOLVED_READ: Final = 500

UNDELIVERED: Final = "ALERTS_UNDELIVERED"
DEAF: Final = "ALERTS_DEAF"
GONE: Final = "ALERTS_GONE"

log = structlog.get_logger(__name__)


class Line:
    """One channel at work: what it was sent of late, and how it fails."""

    def __init__(self, channel: Channel, now_ms: int) -> None:
        self.channel = channel
        self.sent = 0
        self.failed = 0
        self.why = ""
        self.since_ms: int | None = None  # of the failing
        self.attempts = 0
        self.pending: Message | None = None
        self.sent_ms: deque[int] = deque(maxlen=1_000)
        self.digested_ms = now_ms

    @property
    def pace(self) -> Pace:
        return Pace(tuple(self.sent_ms), self.digested_ms)

    @property
    def state(self) -> str:
        if self.since_ms is not None:
            return "failing"
        return "ok" if self.sent else "idle"


class Desk:
    """``open`` first, then ``run``."""

    def __init__(
        self,
        *,
        rows: Rows,
        streams: Streams,
        clock: Clock,
        channels: Sequence[Channel],
        policy: Policy,
        account_id: str = "",
    ) -> None:
        self.book = Book()
        self.policy = policy
        self.lines = {channel.name: Line(channel, clock.now_ms()) for channel in channels}
        self.heard_ms: int | None = None  # monotonic: when the stream answered last
        self._deaf_why = ""
        self._unacknowledged = 0  # records in hand whose tickets are not on disk: they come first with every reading
        self.store_up = True
        self.unreadable = 0
        self._rows = rows
        self._streams = streams
        self._clock = clock
        self._account_id = account_id
        self._unsaved: dict[str, Ticket] = {}
        self._news = {name: asyncio.Event() for name in self.lines}
        self._began_ms = clock.monotonic_ms()

    async def open(self) -> None:
        """What was kept before; raises ``StoreUnavailable``."""
        found: list[Ticket] = []
        for state in (State.OPEN, State.ACKNOWLEDGED):
            found += [_ticket(row) for row in await self._rows.find(TICKETS, where={"state": state}, newest=10_000)]
        over = await self._rows.find(TICKETS, where={"state": State.RESOLVED}, newest=RESOLVED_READ)
        found += [ticket for ticket in map(_ticket, over) if _half_told(ticket, self._clock.now_ms())]
        self.book = Book(reversed(found))

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(), name="stream")
            tasks.create_task(self._tend(), name="tickets")
            for line in self.lines.values():
                tasks.create_task(self._tell(line), name=line.channel.name)

    # ── the stream ──

    async def _listen(self) -> None:
        while True:
            try:
                await self.hear()
            except RecordsGone as gone:
                self.notice(GONE, f"{gone}; what S4 told is in its ledger, {STRATEGY_EVENTS}")
            except StoreUnavailable as away:
                log.warning("alerts_unheard", why=str(away))
                await asyncio.sleep(AGAIN_S)

    async def hear(self, block_ms: int = BLOCK_MS) -> None:
        """Once: what has come. Raises ``RecordsGone``, ``StoreUnavailable``."""
        count = BATCH + self._unacknowledged
        try:
            entries = await self._streams.read(ALERTS, GROUP, SERVICE, count=count, block_ms=block_ms)
        except StoreUnavailable as away:
            self._deaf_why = f": {away}"
            raise
        self.heard_ms = self._clock.monotonic_ms()
        await self.take(entries)

    async def take(self, entries: Sequence[Entry]) -> None:
        """Counted, saved, then acknowledged; raises ``StoreUnavailable`` where either cannot be done now."""
        if not entries:
            return
        self._unacknowledged = len(entries)
        for entry in entries:
            try:
                record = read_alert(entry.fields)
            except (msgspec.MsgspecError, NewerSchema, ValueError) as wrong:
                self.unreadable += 1
                log.warning("alert_unreadable", entry=entry.id, why=str(wrong))
                continue
            self._changed(self.book.hear(record, entry.id, self._clock.now_ms()))
        await self.save()
        await self._streams.ack(ALERTS, GROUP, [entry.id for entry in entries])
        self._unacknowledged = 0

    # ── what is wrong with ourselves, and with those we watch ──

    def level(self, code: str, why: str | None, *, subject: str, severity: Severity = Severity.ERROR) -> None:
        """It stands while there is a ``why``; one that stands may grow worse."""
        now_ms = self._clock.now_ms()
        word = code if why is not None else code + OVER
        told = described(
            service=SERVICE, account_id=self._account_id, severity=severity, code=word, text=why or "over",
            at_ms=now_ms, subject=subject, lasts=why is not None,
        )  # fmt: skip
        known = next((each for each in self.book.standing if each.dedupe == told["dedupe"]), None)
        if (known is None and why is None) or (known is not None and why is not None and known.as_bad_as(severity)):
            return
        log.warning("alerts_level", code=word, subject=subject, why=why)
        self._changed(self.book.hear(msgspec.convert(told, AlertRecord), "", now_ms))

    def notice(self, code: str, why: str, *, severity: Severity = Severity.ERROR) -> None:
        """Once, and it is over."""
        now_ms = self._clock.now_ms()
        told = described(
            service=SERVICE, account_id=self._account_id, severity=severity, code=code, text=why, at_ms=now_ms
        )
        log.warning("alerts_happened", code=code, why=why)
        self._changed(self.book.hear(msgspec.convert(told, AlertRecord), "", now_ms))

    async def _tend(self) -> None:
        while True:
            self.look()
            try:
                await self.save()
            except StoreUnavailable as away:
                log.error("alerts_unsaved", waiting=len(self._unsaved), why=str(away))
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Once: what time alone has ended, and whether the stream is heard."""
        now_ms, mono_ms = self._clock.now_ms(), self._clock.monotonic_ms()
        silent_ms = mono_ms - (self._began_ms if self.heard_ms is None else self.heard_ms)
        deaf = f"the stream alerts has not answered for {silent_ms // 1000} s{self._deaf_why}"
        self.level(DEAF, deaf if silent_ms >= DEAF_MS else None, subject="redis", severity=_of_deafness(silent_ms))
        waiting = [ticket.dedupe for name in self.lines for ticket in untold(self.book.all, name, self.policy, now_ms)]
        self._changed(self.book.age(now_ms, waiting))
        for news in self._news.values():
            news.set()

    def mute(self) -> str | None:
        """Why nothing, be it FATAL, would come through just now."""
        if self.heard_ms is None or self._clock.monotonic_ms() - self.heard_ms >= DEAF_MS:
            return f"the stream alerts does not answer{self._deaf_why}"
        if self.lines and all(line.state == "failing" for line in self.lines.values()):
            return "no channel takes messages"
        return None

    # ── deeds ──

    async def acknowledge(self, name: str, by: str, note: str) -> Ticket:
        """Raises ``Refused``, ``StoreUnavailable``."""
        ticket = self.book.acknowledge(name, by, note, self._clock.now_ms())
        return await self._kept(ticket)

    async def resolve(self, name: str, by: str, note: str, *, force: bool) -> Ticket:
        """Raises ``Refused``, ``StoreUnavailable``."""
        ticket = self.book.resolve(name, by, note, self._clock.now_ms(), force=force)
        return await self._kept(ticket)

    async def test(self) -> list[dict[str, Any]]:
        """A message to each channel, now, whatever the hour; what came of it."""
        now_ms = self._clock.now_ms()
        message = Message(id=f"msg_test_{now_ms}", kind=Kind.TEST, at_ms=Millis(now_ms))
        return list(await asyncio.gather(*(self._test(line, message) for line in self.lines.values())))

    async def _test(self, line: Line, message: Message) -> dict[str, Any]:
        began_ms = self._clock.monotonic_ms()
        try:
            detail, good = await line.channel.send(message), True
        except Undelivered as why:
            detail, good = str(why), False
        took_ms = self._clock.monotonic_ms() - began_ms
        log.info("alerts_tested", channel=line.channel.name, ok=good, detail=detail)
        return {"channel": line.channel.name, "ok": good, "detail": detail, "ms": took_ms}

    async def find(self, state: str, newest: int) -> list[dict[str, Any]]:
        """As the API answers: worst first of what stands, newest first of what is over. Raises ``StoreUnavailable``."""
        standing = [ticket for ticket in self.book.standing if state in ("standing", "all", ticket.state.lower())]
        told = [shown(ticket) for ticket in standing[:newest]]
        if state in ("all", "resolved") and len(told) < newest:
            where = {"state": State.RESOLVED.value}
            rows = await self._rows.find(TICKETS, where=where, newest=max(RESOLVED_READ, newest))
            over = sorted((_ticket(row) for row in rows), key=lambda each: -each.last_ms)
            told += [shown(ticket) for ticket in over[: newest - len(told)]]
        return told

    async def one(self, name: str) -> dict[str, Any]:
        """Raises ``Refused`` NOT_FOUND, ``StoreUnavailable``."""
        try:
            return shown(self.book.by_id(name))
        except Refused:
            row = await self._rows.get(TICKETS, name)
            if row is None:
                raise
            return shown(_ticket(row))

    # ── the channels ──

    async def _tell(self, line: Line) -> None:
        """For ever; what is broken in one channel ends no other."""
        news = self._news[line.channel.name]
        while True:
            await news.wait()
            news.clear()
            try:
                pause_ms = await self.tell(line)
            except Exception as error:  # the last net: a bug here, that the log and the other channels have to tell
                log.exception("alerts_channel_broke", channel=line.channel.name)
                broke = f"it broke: {type(error).__name__}, see the log"
                pause_ms = self._missed(line, Undelivered(broke, hopeless=True))
            if pause_ms:
                await asyncio.sleep(pause_ms / 1000)
                news.set()

    async def tell(self, line: Line) -> int:
        """At most one message; how long to wait before the next attempt, 0 where nothing failed."""
        name, now_ms = line.channel.name, self._clock.now_ms()
        if line.pending is not None and now_ms - line.pending.at_ms >= GIVE_UP_MS:
            line.pending = None
        message = line.pending or due(self.book.all, name, self.policy, line.pace, now_ms)
        if message is None:
            return 0
        line.pending = message
        line.sent_ms.append(now_ms)  # an attempt counts: a receiver that answers late is not to be flooded either
        try:
            await line.channel.send(message)
        except Undelivered as failed:
            return self._missed(line, failed)
        self._delivered(line, message)
        return 0

    def _missed(self, line: Line, failed: Undelivered) -> int:
        line.failed += 1
        line.attempts += 1
        line.why = str(failed)
        line.since_ms = line.since_ms or self._clock.now_ms()
        log.warning("alerts_undelivered", channel=line.channel.name, why=line.why, attempts=line.attempts)
        if line.attempts >= FAILS_TOLD or failed.hopeless:
            self.level(UNDELIVERED, f"{line.channel.name}: {line.why}", subject=line.channel.name)
        if failed.hopeless:
            line.pending = None  # put together anew, when somebody may have mended what was wrong
            return LONGEST_PAUSE_MS
        pause_ms = min(FIRST_PAUSE_MS << min(line.attempts - 1, 16), LONGEST_PAUSE_MS)
        jittered = round(pause_ms * random.uniform(0.8, 1.2))  # noqa: S311 - spreads retries, guards nothing
        return max(jittered, failed.retry_ms or 0)

    def _delivered(self, line: Line, message: Message) -> None:
        now_ms = self._clock.now_ms()
        line.sent += 1
        line.attempts, line.since_ms, line.why, line.pending = 0, None, "", None
        if message.kind is Kind.DIGEST:
            line.digested_ms = now_ms
        for part in (*message.parts, *message.more):
            self._changed(self.book.told(part.ticket, line.channel.name, part.what, now_ms))
        log.info("alerts_delivered", channel=line.channel.name, message=message.id, alerts=len(message.parts))
        self.level(UNDELIVERED, None, subject=line.channel.name)

    # ── keeping ──

    def _changed(self, changed: Iterable[Ticket]) -> None:
        for ticket in changed:
            self._unsaved[ticket.id] = ticket
        for news in self._news.values():
            news.set()

    async def _kept(self, ticket: Ticket) -> Ticket:
        self._changed((ticket,))
        await self.save()
        return ticket

    async def save(self) -> None:
        """All that has changed; raises ``StoreUnavailable``, and what was not saved is kept for the next time."""
        while self._unsaved:
            name, ticket = next(iter(self._unsaved.items()))
            row = {"schema_version": SCHEMA_VERSION, "at_ms": ticket.last_ms, "state": ticket.state.value}
            try:
                await self._rows.put(TICKETS, name, row | {"ticket": plain(ticket)})
            except StoreUnavailable:
                self.store_up = False
                raise
            self.store_up = True
            if self._unsaved.get(name) is ticket:
                del self._unsaved[name]


def _of_deafness(silent_ms: int) -> Severity:
    return Severity.ERROR if silent_ms < DEAF_LONG_MS else Severity.FATAL


def _half_told(ticket: Ticket, now_ms: int) -> bool:
    """Somebody was told that it began, and not that it is over; or it was of the worst, and nobody has heard at all."""
    if ticket.told or ticket.severity is not Severity.FATAL or ticket.acknowledged is not None:
        return any(told.what is not What.RESOLVED for told in ticket.told.values())
    return ticket.resolved is not None and now_ms - ticket.resolved.at_ms <= OLD_MS


def _ticket(row: Mapping[str, object]) -> Ticket:
    return msgspec.convert(row["ticket"], Ticket, strict=False)
