"""Delivering what was decided: from the durable signal to the router, by REST and by stream.

Invariants: only what stands in the ledger is sent; an intent always goes under the same ids and body, so that the
router makes it one order however often and by whichever track it arrives; nothing is sent past ``valid_until_ms``;
after a restart what was left is carried on. What REST leaves open the stream's reader answers (``hearing``). What its
intents may use is told to ``promises`` before they are durable. At most ``UNDELIVERED_MOST`` are on their way: beyond
that there are no new ones, and what is on its way goes on.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog

from chimera.ports.clock import Clock
from chimera.ports.intents import IntentSink
from chimera.ports.ledger import Rows
from chimera.ports.streams import Streams
from chimera.services.strategy import settings as configured
from chimera.services.strategy import spans
from chimera.services.strategy.alerts import Alerts
from chimera.services.strategy.hearing import Hearing, Refusal
from chimera.services.strategy.promises import Promises
from chimera.services.strategy.signals import (
    Delivery,
    Heard,
    Said,
    Track,
    Tracks,
    Undelivered,
    read_undelivered,
    with_tracks,
)
from chimera.services.tracing import Tracing
from chimera.trading.budget import Reserve
from chimera.trading.errors import NewerSchema, NotSent, OutcomeUnknown, Refused, StoreUnavailable
from chimera.trading.events import Severity
from chimera.trading.intent import Intent
from chimera.trading.trace import INTENT, trace_of
from chimera.wire import requests
from chimera.wire.intents import intent_record
from chimera.wire.keys import ORDERS_INTENT, SIGNALS

RETRY_FIRST_MS: Final = 100
RETRY_MAX_MS: Final = 2_000
AT_ONCE_MAX: Final = 16  # intents being sent at the same time
RESTORE_AT_ONCE: Final = 1_000  # unsettled signals; more are asked for where there are more
UNHEARD_MS: Final = 5_000  # past an intent's time, for the router's word on what was published in it
UNDELIVERED_MOST: Final = 1_000  # of one process; with all of it waiting for S4 the next would be late anyway
RECENT_MAX: Final = 1_000  # entries looked at for what they may still use, after a restart

log = structlog.get_logger(__name__)


@dataclass
class Item:
    """One intent on its way."""

    signal_id: str
    row: dict[str, Any]
    intent: Intent
    tracks: Tracks
    reserve: Reserve
    saved: bool = True
    started: bool = False  # False: decided, not durable yet
    began_ns: int = 0  # of its delivery, where traces are told

    def valid(self, now_ms: int) -> bool:
        return self.intent.valid_until_ms is None or now_ms < self.intent.valid_until_ms


class Dispatcher:
    def __init__(
        self,
        ledger: Rows,
        streams: Streams,
        sink: IntentSink,
        alerts: Alerts,
        clock: Clock,
        tracks: configured.Track,
        *,
        promises: Promises,
        settled: Callable[[Item], None] = lambda _: None,
        hearing: Hearing | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """``settled`` is told of each intent whose delivery is over. ``hearing`` None: only REST tells."""
        self._hearing = hearing
        self._tracing = tracing
        self.promises = promises
        self._settled = settled
        self._ledger = ledger
        self._streams = streams
        self._sink = sink
        self._alerts = alerts
        self._clock = clock
        self._mode = tracks
        self._items: dict[str, Item] = {}
        self._queue: asyncio.Queue[Item] = asyncio.Queue()
        self._voided: dict[str, dict[str, Any]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE_MAX)
        self.restored = False

    # ── what S3's decisions ask ──

    def fresh_tracks(self) -> Tracks:
        rest = Track.OFF if self._mode is configured.Track.STREAM else Track.WAITING
        stream = Track.OFF if self._mode is configured.Track.REST else Track.WAITING
        return Tracks(rest=rest, stream=stream)

    def reserve(self, item: Item) -> None:
        """Count it from now on, before it is announced or durable: no decision may come between. Raises ``Refused``."""
        if len(self._items) + len(self._voided) >= UNDELIVERED_MOST:
            words = f"{UNDELIVERED_MOST} intents are not delivered yet: nothing new is opened until S4 answers"
            raise Refused("QUEUE_FULL", words)
        self._items[item.signal_id] = item
        self.promises.keep(item.reserve, item.intent)

    def start(self, item: Item) -> None:
        """It is durable: send it."""
        item.started = True
        self._queue.put_nowait(item)

    def forget(self, item: Item) -> None:
        """It was never written."""
        self._items.pop(item.signal_id, None)
        self.promises.drop(item.intent.intent_id)

    def void(self, item: Item) -> None:
        """Whether it is durable is not known and nobody relies on it: never send it, and mark the row when we can."""
        self._items.pop(item.signal_id, None)
        self.promises.drop(item.intent.intent_id)
        self._voided[item.signal_id] = {**item.row, "delivery": Delivery.VOID.value}

    @property
    def pending(self) -> int:
        return sum(1 for item in self._items.values() if not item.tracks.settled)

    # ── the work ──

    async def run(self) -> None:
        await self._restore()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_voiding())
            tasks.create_task(self.promises.run())
            if self._hearing is not None:
                tasks.create_task(self._hearing.run(self._refused))
            while True:
                tasks.create_task(self._carry(await self._queue.get()))

    async def _restore(self) -> None:
        """Find what was durable and not delivered, and what the router's figures may not show yet."""
        while not self.restored:
            try:
                left = await self._left()
                recent = await self._ledger.find(SIGNALS, where={"decision": "open"}, newest=RECENT_MAX)
            except StoreUnavailable:
                await asyncio.sleep(RETRY_MAX_MS / 1000)
                continue
            found = {str(document.get("signal_id")): document for document in reversed([*left, *recent])}
            for signal_id, document in found.items():
                self._take_up(signal_id, document)
            self.restored = True

    async def _left(self) -> Sequence[dict[str, Any]]:
        """Every signal whose delivery is not over, newest first."""
        newest = RESTORE_AT_ONCE
        while True:
            left = await self._ledger.find(SIGNALS, where={"delivery": Delivery.PENDING.value}, newest=newest)
            if len(left) < newest:
                return left
            newest *= 10

    def _take_up(self, signal_id: str, document: dict[str, Any]) -> None:
        if signal_id in self._items or signal_id in self._voided or document.get("delivery") == Delivery.VOID.value:
            return
        try:
            found: Undelivered = read_undelivered(document)
        except (NewerSchema, msgspec.ValidationError) as wrong:
            log.error("signal_unreadable", signal_id=signal_id, why=str(wrong))
            return
        tracks = found.tracks
        if not _is_refused(tracks):
            self.promises.recall(found.reserve, found.intent, is_answered=tracks.taken)
        if tracks.settled:
            return
        item = Item(signal_id, document, found.intent, tracks, found.reserve, started=True)
        self._items[signal_id] = item
        log.info("delivery_carried_on", signal_id=signal_id, intent_id=item.intent.intent_id)
        self._queue.put_nowait(item)

    async def _carry(self, item: Item) -> None:
        """Until both tracks are settled and the row says so."""
        pause_ms = RETRY_FIRST_MS
        if self._tracing is not None:
            item.began_ns = self._tracing.now_ns()
        while True:
            before = item.tracks
            async with self._turns:
                await self._try(item)
            self._tell_promises(item)
            if item.tracks != before:
                item.saved = False
            if not item.saved:
                await self._save(item)
            if item.tracks.settled and item.saved:
                self._tell_delivered(item)
                self._settled(item)
                self._items.pop(item.signal_id, None)
                return
            await asyncio.sleep(pause_ms / 1000)
            pause_ms = min(pause_ms * 2, RETRY_MAX_MS)

    def _tell_promises(self, item: Item) -> None:
        if _is_refused(item.tracks):
            self.promises.drop(item.intent.intent_id)
        elif item.tracks.taken:
            self.promises.answered(item.intent.intent_id)

    async def _try(self, item: Item) -> None:
        if item.tracks.settled:
            return
        if not item.valid(self._clock.now_ms()):
            await self._expire(item)
            return
        if item.tracks.rest is Track.WAITING or item.tracks.stream is Track.WAITING:
            item.tracks = item.tracks.but(tries=item.tracks.tries + 1)
        sends = []
        if item.tracks.rest is Track.WAITING:
            sends.append(self._rest(item))
        if item.tracks.stream is Track.WAITING:
            sends.append(self._stream(item))
        await asyncio.gather(*sends)
        await self._hear(item)

    async def _hear(self, item: Item) -> None:
        """What the router shows of what was published; once it has answered by REST nobody needs to look."""
        tracks = item.tracks
        if self._hearing is None or tracks.rest in (Track.ANSWERED, Track.REFUSED):
            item.tracks = tracks.sent_is_over()
        elif tracks.stream is Track.SENT and await self._hearing.taken(item.intent):
            item.tracks = item.tracks.but(stream=Track.TAKEN, answered_ms=self._clock.now_ms(), status="ACCEPTED")

    async def _refused(self, no: Refusal) -> None:
        """By the stream; what REST answers counts more. Raises ``StoreUnavailable``."""
        item = await self._named(no.intent_id)
        if item is None or item.tracks.taken or item.tracks.stream is Track.REFUSED:
            return
        if requests.body_hash(item.intent) != no.body_hash:
            return
        said = self._said(Heard.REFUSED, no.code, no.message, no.field)
        tracks = item.tracks.saying(said).but(stream=Track.REFUSED)
        if tracks.rest is not Track.REFUSED:
            tracks = tracks.but(answered_ms=said.at_ms, code=no.code, message=no.message)
        if not item.tracks.settled:  # whoever carries it saves it
            item.tracks, item.saved = tracks, False
            return
        document = with_tracks(item.row, tracks)
        await self._ledger.put(SIGNALS, item.signal_id, document)
        item.row, item.tracks = document, tracks
        self._tell_promises(item)

    async def _named(self, intent_id: str) -> Item | None:
        """On its way or lately so, else as the ledger has it. Raises ``StoreUnavailable``."""
        for item in self._items.values():
            if item.intent.intent_id == intent_id:
                return item
        for document in await self._ledger.find(SIGNALS, where={"intent_id": intent_id}, newest=1):
            if document.get("delivery") == Delivery.VOID.value:
                continue
            with suppress(NewerSchema, msgspec.ValidationError):
                found = read_undelivered(document)
                return Item(str(document["signal_id"]), document, found.intent, found.tracks, found.reserve)
        return None

    async def _rest(self, item: Item) -> None:
        try:
            answer = await self._sink.submit(item.intent)
        except Refused as no:
            said = self._said(Heard.REFUSED, no.code, no.message, no.field)
            item.tracks = item.tracks.saying(said).but(
                rest=Track.REFUSED, answered_ms=said.at_ms, code=no.code, message=no.message
            )
        except (NotSent, OutcomeUnknown, StoreUnavailable) as trouble:
            heard = Heard.UNKNOWN if isinstance(trouble, OutcomeUnknown) else Heard.NOT_SENT
            code = trouble.code if isinstance(trouble, NotSent) else ""
            item.tracks = item.tracks.saying(self._said(heard, code, str(trouble))).but(code=code, message=str(trouble))
            await self._publishing_failed(item, "REST", trouble)
        else:
            said = self._said(Heard.ANSWERED, answer.code or "", answer.message or "")
            item.tracks = item.tracks.saying(said).but(
                rest=Track.ANSWERED,
                answered_ms=said.at_ms,
                status=answer.status,
                code=said.code,
                message=said.message,
            )

    def _said(self, heard: Heard, code: str, message: str, field: str | None = None) -> Said:
        now_ms = self._clock.now_ms()
        return Said(heard=heard, at_ms=now_ms, last_ms=now_ms, code=code, message=message, field=field or "")

    async def _stream(self, item: Item) -> None:
        try:
            await self._streams.publish(ORDERS_INTENT, item.intent.intent_id, intent_record(item.intent))
        except StoreUnavailable as away:
            await self._publishing_failed(item, "stream", away)
        else:
            if item.tracks.stream is Track.WAITING:  # a word on it may have come meanwhile: it was there before
                item.tracks = item.tracks.but(stream=Track.SENT if self._hearing else Track.PUBLISHED)

    async def _publishing_failed(self, item: Item, track: str, why: Exception) -> None:
        words = f"intent {item.intent.intent_id} not delivered by {track}: {why}; trying again"
        await self._alerts.say(Severity.WARN, "PUBLISH_FAILED", f"{item.intent.symbol} {track}", words)

    async def _expire(self, item: Item) -> None:
        tracks = item.tracks
        item.tracks = tracks.but(
            rest=Track.EXPIRED if tracks.rest is Track.WAITING else tracks.rest,
            stream=Track.EXPIRED if tracks.stream is Track.WAITING else tracks.stream,
        )
        await self._hear(item)
        if not item.valid(self._clock.now_ms() - UNHEARD_MS):
            item.tracks = item.tracks.sent_is_over()
        if item.tracks.delivery is Delivery.FAILED:
            told = tracks.message or "no answer"  # whether it arrived is not known: a time-out is no failure
            words = f"intent {item.intent.intent_id} was answered by nobody before it expired: {told}"
            await self._alerts.say(Severity.ERROR, "INTENT_EXPIRED", item.intent.intent_id, words)

    async def _save(self, item: Item) -> None:
        tracks = item.tracks
        document = with_tracks(item.row, tracks)
        try:
            await self._ledger.put(SIGNALS, item.signal_id, document)
        except StoreUnavailable as away:
            log.warning("delivery_not_saved", signal_id=item.signal_id, why=str(away))
        else:
            item.row, item.saved = document, item.tracks is tracks

    def _tell_delivered(self, item: Item) -> None:
        _log_delivered(item)
        if self._tracing is not None:
            with self._tracing.apart(INTENT):
                spans.delivered(self._tracing, item.intent, item.tracks, item.began_ns)

    async def _keep_voiding(self) -> None:
        while True:
            for signal_id, document in list(self._voided.items()):
                try:
                    await self._ledger.put(SIGNALS, signal_id, document)
                except StoreUnavailable:
                    break
                self._voided.pop(signal_id, None)
            await self._alerts.flush()
            await asyncio.sleep(RETRY_MAX_MS / 1000)


def _is_refused(tracks: Tracks) -> bool:
    """For good, whatever the other track may still say; not where that has said that it was taken."""
    return not tracks.taken and (tracks.rest is Track.REFUSED or (tracks.settled and tracks.refused))


def _log_delivered(item: Item) -> None:
    tracks = item.tracks
    log.info(
        "delivered",
        signal_id=item.signal_id,
        intent_id=item.intent.intent_id,
        trace_id=trace_of(item.intent),
        delivery=tracks.delivery.value,
        status=tracks.status,
        code=tracks.code,
        message=tracks.message,
        tries=tracks.tries,
    )
