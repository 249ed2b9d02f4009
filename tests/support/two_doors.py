"""Both tracks into a desk that claims as S4 does: who came first, what was traded, and a process that dies anywhere."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from desk import BTC, SYMBOL

from chimera.ports.ledger import Rows
from chimera.ports.streams import Bus
from chimera.services.router.api import Outcome
from chimera.services.router.intake import other_body
from chimera.services.router.refused import Refusals
from chimera.services.router.stream_track import StreamTrack, Terms
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.trading.events import Alert
from chimera.trading.ids import IntentId
from chimera.trading.instrument import Instrument
from chimera.trading.intent import Intent
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.wire import keys, request_json, requests
from chimera.wire.intents import intent_record
from chimera.wire.order_claim import CLAIMED_MS


class MovedClock:
    """A store's own clock, set forward by hand."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self.ahead_ms = 0

    def now_ms(self) -> Millis:
        return Millis(self._clock.now_ms() + self.ahead_ms)

    def monotonic_ms(self) -> Millis:
        return Millis(self._clock.monotonic_ms() + self.ahead_ms)


class Apart:
    """A bus whose streams lie under names of this test's own."""

    def __init__(self, bus: Bus, name: str) -> None:
        self._bus = bus
        self._name = name

    def __getattr__(self, operation: str) -> Any:
        ask = getattr(self._bus, operation)
        return lambda stream, *words, **terms: ask(f"{stream}:{self._name}", *words, **terms)


class Book:
    """What is on disk: claims, and what was traded under them. It outlives a process."""

    def __init__(self) -> None:
        self.claims: dict[IntentId, str] = {}
        self.traded: list[IntentId] = []
        self.told: list[tuple[str, str]] = []  # answers of POST /orders, as (id, code)


class Doors:
    """One process of S4, as far as the tracks see it."""

    def __init__(self, book: Book, bus: Any, rows: Rows, clock: MovedClock, terms: Terms | None = None) -> None:
        self.markets: tuple[Market, ...] = (Market.FUT,)
        self.objection: Callable[[], Exception | None] = lambda: None
        self.is_ready = True
        self.dies: str | None = None  # where: "claimed" or "traded"
        self.asked: list[IntentId] = []
        self.alerts: list[Alert] = []
        self.unsaved = False
        self.book = book
        self.gate = asyncio.Event()
        self.gate.set()
        self._bus = bus
        self.track = StreamTrack(terms or Terms("r1"), Refusals(rows, bus, clock), bus, clock, self.alerts.append)
        self._running: asyncio.Task[None] | None = None

    def ready(self) -> bool:
        return self.is_ready

    def instrument(self, market: Market, symbol: str) -> Instrument | None:
        return BTC if self.is_ready and symbol == SYMBOL and market is Market.FUT else None

    async def order(self, name: str) -> Mapping[str, Any] | None:
        return {"intent_id": name} if name in self.book.traded else None

    async def take(self, intent: Intent, body_hash: str, *, wait_ms: int | None) -> Outcome:
        self.asked.append(intent.intent_id)
        await self.gate.wait()
        before = self.book.claims.get(intent.intent_id)
        if before not in (None, body_hash):
            raise other_body(intent)
        if intent.intent_id not in self.book.traded:
            no = self.objection()
            if no is not None:
                raise no
            self.book.claims[intent.intent_id] = body_hash
            await self._die_at("claimed")
            self.book.traded.append(intent.intent_id)
            await self._die_at("traded")
        record = {"schema_version": 1, "state": "IN_PROGRESS", "body_hash": body_hash}  # the relay brings it, later too
        key = keys.idempotency_key(intent.client_order_id)
        await self._bus.put(key, json.dumps(record).encode(), ttl_ms=CLAIMED_MS)
        return Outcome(row={"status": "ACCEPTED"}, done=not self.unsaved, in_doubt=self.unsaved)

    async def _die_at(self, where: str) -> None:
        if self.dies == where and self._running is not None:
            self._running.cancel()
            await asyncio.Event().wait()

    async def post(self, intent: Intent) -> str:
        """``POST /orders`` of the same intent: OK or the refusal's code."""
        try:
            async with self.track.asking(intent, requests.body_hash(intent)):
                await self.take(intent, requests.body_hash(intent), wait_ms=0)
        except Refused as no:
            self.book.told.append((intent.intent_id, no.code))
            return no.code
        except StoreUnavailable:
            return "STORE_DOWN"
        self.book.told.append((intent.intent_id, "OK"))
        return "OK"

    def start(self) -> "asyncio.Task[None]":
        self._running = asyncio.create_task(self.track.run(self))
        return self._running

    async def kill(self) -> None:
        assert self._running is not None
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)


def as_read(intent: Intent) -> Intent:
    """As it comes out of its own body: hashed as both tracks hash it."""
    document = request_json.read_object(intent_record(intent)["body"].encode())
    return requests.order_intent(document, instruments=lambda *_: BTC, now_ms=intent.created_ms)


async def publish(bus: Any, intent: Intent, **changed: str) -> None:
    await bus.publish(keys.ORDERS_INTENT, changed.pop("event", intent.intent_id), intent_record(intent) | changed)


def body_of(intent: Intent, **changed: object) -> str:
    return json.dumps(json.loads(intent_record(intent)["body"]) | changed)


async def until(true: Callable[[], Any]) -> None:
    """Raises ``TimeoutError`` where it never is."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - another task's state
            await asyncio.sleep(0.01)
