"""The second track: intents from the stream ``orders:intent``, taken exactly as ``POST /orders`` takes them.

Invariants (docs/adr/0037): the same reading, the same claim, the same barriers; a record is acknowledged only once its
intent is on disk, or its refusal is, so after a crash anywhere it comes again and changes nothing. What ``POST`` would
answer with "try again" waits here, beside the others, until it is too old; what is too old is refused, never traded
late. A refusal on one track is the other's: what ``POST`` refused the stream does not trade a moment later. What cannot
be read goes to ``orders:intent:dead`` and holds up nothing.

Beyond an intent's age it judges nothing itself, and it knows nothing of the market.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple, Protocol

import structlog

from chimera.ports.clock import Clock
from chimera.ports.streams import Entry, Streams
from chimera.services.router.api import Listed, Outcome, instruments_of
from chimera.services.router.refused import REST, STREAM, Refusals, is_final
from chimera.services.tracing import called_by
from chimera.trading.errors import ChimeraError, RecordsGone, Refused, StoreUnavailable
from chimera.trading.events import Alert, Severity
from chimera.trading.ids import IntentId
from chimera.trading.intent import Intent
from chimera.trading.money import Millis
from chimera.trading.trace import trace_of
from chimera.wire import failures, intents, keys, naming, requests, traceparent
from chimera.wire.codec import SCHEMA_VERSION

log = structlog.get_logger()

ALONE: Final = "s4"  # the group of a router that has no others beside it
AT_ONCE: Final = 256  # records in work; more wait on the stream
BLOCK_MS: Final = 1_000  # for the first record of an idle stream
PACE_S: Final = 0.1  # a look at the stream while something is in work
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0
AWAY_S: Final = 0.5
IDLE_MS: Final = 5_000  # a consumer that left a record for so long is dead; if it is only slow, claims keep it one
TAKE_OVER_EVERY_MS: Final = 2_000
MOST_FAULTS: Final = 5  # mistakes of ours with one record, after which it is put aside


_NOT_TRADED: Final = "what was in them is not traded by this track: S3 says so of its own, others must look"


class Terms(NamedTuple):
    """How the stream is read. ``group`` other than ``ALONE``: others read it, too, and trade what we do not."""

    consumer: str
    group: str = ALONE
    max_age_ms: int = 30_000
    allow_unprotected: bool = False


class Taking(Listed, Protocol):
    """What the track needs of the routers behind it."""

    async def take(self, intent: Intent, body_hash: str, *, wait_ms: int | None) -> Outcome:
        """Raises ``Refused`` or ``StoreUnavailable``."""
        ...

    async def order(self, name: str) -> Mapping[str, Any] | None: ...


class StreamTrack:
    """Reads for one process; ``asking`` lets it know of what comes by the other track."""

    def __init__(
        self, terms: Terms, refusals: Refusals, bus: Streams, clock: Clock, tell: Callable[[Alert], None]
    ) -> None:
        self._terms = terms
        self._refusals = refusals
        self._bus = bus
        self._clock = clock
        self._tell = tell
        self._by_rest: Counter[IntentId] = Counter()
        self._by_stream: dict[IntentId, asyncio.Event] = {}  # being taken; set when that is over
        self._in_work: dict[str, asyncio.Task[None]] = {}
        self._dead: list[tuple[str, Refused]] = []  # since the last alert
        self._late: list[str] = []
        self._taken_over_ms: Millis | None = None  # monotonic

    @asynccontextmanager
    async def asking(self, intent: Intent, body_hash: str) -> AsyncIterator[None]:
        """Around ``POST /orders``: the stream's copy waits meanwhile, and hears the same refusal.

        Where that came first its end is waited for: it may be traded, and then the caller hears of it.
        """
        self._by_rest[intent.intent_id] += 1
        try:
            if (taken := self._by_stream.get(intent.intent_id)) is not None:
                await taken.wait()
            yield
        except Refused as no:
            if is_final(no):
                await self._note(intent, body_hash, no)
            raise
        finally:
            self._by_rest[intent.intent_id] -= 1
            if not self._by_rest[intent.intent_id]:
                del self._by_rest[intent.intent_id]

    async def _note(self, intent: Intent, body_hash: str, no: Refused) -> None:
        try:
            await self._refusals.keep(_names(intent), body_hash, no, track=REST)
        except StoreUnavailable as away:  # the caller gets his answer all the same
            log.warning("refusal_not_kept", intent_id=intent.intent_id, code=no.code, error=str(away))

    # ── the stream ──

    async def run(self, routers: Taking) -> None:
        """Until cancelled."""
        away = False
        self._in_work = {}  # what a run before this one left will come again
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    for entry in await self._read():
                        if entry.id not in self._in_work:
                            self._in_work[entry.id] = group.create_task(self._carry(routers, entry))
                    await self._acknowledge()
                    away = False
                except RecordsGone as gone:
                    self._tell(Alert(severity=Severity.ERROR, code="INTENTS_GONE", text=f"{gone}; {_NOT_TRADED}"))
                except StoreUnavailable as error:
                    if not away:
                        log.warning("intents_unread", error=str(error), why="intents still come by POST /orders")
                    away = True
                    await asyncio.sleep(AWAY_S)

    async def _read(self) -> Sequence[Entry]:
        terms, block_ms = self._terms, 0 if self._in_work else BLOCK_MS
        entries = await self._bus.read(
            keys.ORDERS_INTENT, terms.group, terms.consumer, count=AT_ONCE, block_ms=block_ms
        )
        now_ms = self._clock.monotonic_ms()
        if self._taken_over_ms is not None and now_ms - self._taken_over_ms < TAKE_OVER_EVERY_MS:
            return entries
        left = await self._bus.reclaim(keys.ORDERS_INTENT, terms.group, terms.consumer, idle_ms=IDLE_MS, count=AT_ONCE)
        self._taken_over_ms = now_ms
        if left:
            log.info("intents_taken_over", records=len(left))
        return [*entries, *left]

    async def _acknowledge(self) -> None:
        """What is over, before the stream is read again: no record is in work twice."""
        if not self._in_work:
            return
        await asyncio.wait(self._in_work.values(), timeout=PACE_S, return_when=asyncio.FIRST_COMPLETED)
        over = [name for name, task in self._in_work.items() if task.done() and not task.cancelled()]
        await self._bus.ack(keys.ORDERS_INTENT, self._terms.group, over)
        for name in over:
            del self._in_work[name]
        self._tell_of_refused()

    def _tell_of_refused(self) -> None:
        """One alert for all of a moment: a night's worth of them must not be a night's worth of alerts."""
        if self._dead:
            record, no = self._dead[-1]
            words = f"{len(self._dead)} records of {keys.ORDERS_INTENT} could not be read"
            text = f"{words} and are in {keys.ORDERS_INTENT_DEAD}; the last, {record}: {no.code}: {no.message}"
            self._tell(Alert(severity=Severity.ERROR, code="INTENT_UNREADABLE", text=text))
        if self._late:
            text = f"{len(self._late)} intents of {keys.ORDERS_INTENT} came too late and were refused; {self._late[-1]}"
            self._tell(Alert(severity=Severity.WARN, code="INTENTS_LATE", text=text))
        self._dead, self._late = [], []

    # ── one record ──

    async def _carry(self, routers: Taking, entry: Entry) -> None:
        """Until it may be acknowledged."""
        pause_s, faults, why = FIRST_PAUSE_S, 0, ""
        while True:
            try:
                if faults == MOST_FAULTS:
                    return await self._give_up(routers, entry)
                held_by = await self._try(routers, entry, why)
                if held_by is None:
                    return None
                why = held_by
            except ChimeraError as later:  # a store is away, another process owns the position
                why = str(later)
            except Exception:  # the last net of one record: logged, tried again, and given up after ``MOST_FAULTS``
                log.exception("intent_fault", record=entry.id)
                faults = min(faults + 1, MOST_FAULTS)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _give_up(self, routers: Taking, entry: Entry) -> None:
        """After mistakes of ours; an order that came of it nevertheless is no refusal."""
        name = intents.names_in(entry.fields, None).get("intent_id", "")
        no = Refused("INTERNAL", f"{MOST_FAULTS} mistakes of ours with this record; the log has them")
        await self._put_aside(entry, no)
        if not await _is_known(routers, name):
            await self._refuse_unread(intents.names_in(entry.fields, None), no, entry)

    async def _try(self, routers: Taking, entry: Entry, why: str) -> str | None:
        """None: it is over. Else what it waits for."""
        document: dict[str, object] | None = None
        try:
            document = intents.read_record(entry.fields)
            intent = requests.order_intent(
                document,
                instruments=instruments_of(routers),
                now_ms=_written_ms(entry),
                allow_unprotected=self._terms.allow_unprotected,
            )
        except Refused as no:
            return await self._unread(routers, entry, document, no)
        caller = traceparent.read(entry.fields.get(traceparent.TRACEPARENT))
        with naming.by_caller(document), called_by(caller):
            return await self._ask(routers, entry, requests.traced(intent, caller), why)

    async def _ask(self, routers: Taking, entry: Entry, intent: Intent, why: str) -> str | None:
        body_hash, name = requests.body_hash(intent), intent.intent_id
        if name in self._by_rest:
            return "the same intent is being answered by POST /orders"
        said = await self._refusals.known(name, body_hash) or await self._refusals.known(name, _raw_hash(entry))
        if said is not None:
            return await self._again(said)
        if name in self._by_rest or name in self._by_stream or self._refusals.said(name, body_hash):
            return "the other track, which came between"  # while that was read
        self._by_stream[name] = over = asyncio.Event()
        try:
            return await self._take(routers, entry, intent, why)
        finally:
            del self._by_stream[name]
            over.set()

    async def _take(self, routers: Taking, entry: Entry, intent: Intent, why: str) -> str | None:
        """While no other call is about it."""
        body_hash, name = requests.body_hash(intent), intent.intent_id
        try:
            late = self._late_by(intent, _written_ms(entry), why)
            if late is not None and not await _is_known(routers, name):
                raise late
            outcome = await routers.take(intent, body_hash, wait_ms=0)
        except Refused as no:
            if not is_final(no):
                return f"{no.code}: {no.message}"
            if self._leaves(no):
                return None
            if name in self._by_rest or (no.code != "DUPLICATE_ID" and await _is_known(routers, name)):
                return "the other track, which came between"
            return await self._refuse(_names(intent), body_hash, no, entry)
        return "the ledger" if outcome.in_doubt else None

    async def _unread(
        self, routers: Taking, entry: Entry, document: Mapping[str, object] | None, no: Refused
    ) -> str | None:
        """A body that makes no intent here: refused, and put aside where it is none at all."""
        names = intents.names_in(entry.fields, document)
        if not is_final(no):  # asked too early
            held_by = f"{no.code}: {no.message}"
            late = self._late_by(None, _written_ms(entry), held_by)
            if late is None or await _is_known(routers, names.get("intent_id", "")):
                return held_by
            no = late
        elif self._leaves(no):
            return None
        if failures.status_of(no.code) in _UNREADABLE:
            await self._put_aside(entry, no)
        return await self._refuse_unread(names, no, entry)

    def _leaves(self, no: Refused) -> bool:
        """Whether another router of the stream may trade it."""
        elsewhere = no.code == "UNKNOWN_SYMBOL" or (no.code == "NOT_ENABLED" and no.field in ("market", "account_id"))
        return elsewhere and self._terms.group != ALONE

    def _late_by(self, intent: Intent | None, written_ms: Millis, why: str) -> Refused | None:
        """The refusal of what is too old, by its own word or by ours."""
        now_ms, held = self._clock.now_ms(), f"; it waited for {why}" if why else ""
        until_ms = intent.valid_until_ms if intent is not None and not intent.reduce_only else None
        if until_ms is not None and now_ms >= until_ms:
            told, accepted = f"the intent expired on the stream{held}", f"> {now_ms}"
            return Refused("STALE_INTENT", told, field="valid_until_ms", value=until_ms, accepted=accepted)
        since_ms, most_ms = written_ms if intent is None else min(intent.created_ms, written_ms), self._terms.max_age_ms
        if now_ms - since_ms <= most_ms:
            return None
        told, accepted = f"{now_ms - since_ms} ms old where the stream takes {most_ms}{held}", f">= {now_ms - most_ms}"
        return Refused("STALE_INTENT", told, field="created_ms", value=since_ms, accepted=accepted)

    async def _again(self, said: Mapping[str, Any]) -> str | None:
        """Refused before: on this track, and perhaps not told; or on the other, which answered itself."""
        if said["track"] == STREAM:
            await self._refusals.tell(said)
        return None

    async def _refuse(self, names: Mapping[str, str], body_hash: str, no: Refused, entry: Entry) -> str | None:
        row = await self._refusals.keep(names, body_hash, no, track=STREAM, record=entry.id)
        if no.code == "STALE_INTENT":
            self._late.append(f"{names['intent_id']}: {no.message}")
        log.info("intent_refused", intent_id=names["intent_id"], code=no.code, why=no.message, record=entry.id)
        return await self._again(row)

    async def _refuse_unread(self, names: Mapping[str, str], no: Refused, entry: Entry) -> str | None:
        """Where it has a name: nobody waits for the answer to one that has none."""
        name = names.get("intent_id") or names.get("client_order_id")
        return None if name is None else await self._refuse({**names, "intent_id": name}, _raw_hash(entry), no, entry)

    async def _put_aside(self, entry: Entry, no: Refused) -> None:
        """Under the record's own id, so that it stands there once; shortened, and always text."""
        kept = {name[:64]: value[: intents.MAX_BODY_BYTES] for name, value in list(entry.fields.items())[:64]}
        why = {"record": entry.id, "code": no.code, "message": no.message, "at_ms": str(self._clock.now_ms())}
        fields = {**kept, "schema_version": str(SCHEMA_VERSION), **why}
        await self._bus.publish(
            keys.ORDERS_INTENT_DEAD, entry.id, {intents.readable(k): intents.readable(v) for k, v in fields.items()}
        )
        self._dead.append((entry.id, no))


_UNREADABLE: Final = (400, 413)  # what no caller of ours sends


async def _is_known(routers: Taking, name: str) -> bool:
    """Whether an order came of it, by whichever track."""
    row = await routers.order(name) if name else None
    return row is not None and row.get("intent_id") == name


def _names(intent: Intent) -> dict[str, str]:
    return {
        "intent_id": intent.intent_id,
        "client_order_id": intent.client_order_id,
        "account_id": intent.account_id,
        "market": intent.market.value,
        "symbol": intent.symbol,
        "trace_id": trace_of(intent),
    }


def _raw_hash(entry: Entry) -> str:
    """Of the body as it came: the name of a refusal that was not read as an intent."""
    return hashlib.sha256(entry.fields.get("body", "").encode("utf-8", "surrogateescape")).hexdigest()


def _written_ms(entry: Entry) -> Millis:
    """When the stream took the record, by Redis's clock."""
    return Millis(int(entry.id.partition("-")[0]))
