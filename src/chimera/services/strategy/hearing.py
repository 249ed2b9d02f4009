"""What S4 says of an intent that reached it by the stream: taken, or refused and why.

That it was taken shows in ``idem:order:{client_order_id}``, which S4 moves on from RESERVED once the intent is on disk;
a refusal comes as an ``INTENT_REFUSED`` of ``router:events``. Both are about one body: what somebody else did under our
id says nothing of ours. Events are read in a group of this process's own, so that a restart misses none, and of several
S3 each hears of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from chimera.ports.streams import Bus
from chimera.services.strategy.alerts import Alerts
from chimera.trading.errors import RecordsGone, StoreUnavailable
from chimera.trading.events import Severity
from chimera.trading.intent import Intent
from chimera.trading.value import Value
from chimera.wire import requests
from chimera.wire.intents import REFUSED
from chimera.wire.keys import ROUTER_EVENTS, idempotency_key
from chimera.wire.order_claim import shows_taken

CONSUMER: Final = "s3"
AT_ONCE: Final = 200
BLOCK_MS: Final = 1_000
AWAY_S: Final = 1.0

log = structlog.get_logger(__name__)


class Refusal(Value):
    """Of one body under one intent's id."""

    intent_id: str
    body_hash: str
    code: str
    message: str
    field: str


class Hearing:
    """Of one strategy on one account. ``name``: of its process, where others trade the same strategy."""

    def __init__(self, bus: Bus, account_id: str, strategy_id: str, alerts: Alerts, *, name: str = "") -> None:
        self._bus = bus
        self._alerts = alerts
        self._group = ":".join(filter(None, ("s3", account_id, strategy_id, name)))

    async def taken(self, intent: Intent) -> bool:
        """Whether S4 has it on disk; False where that is not known."""
        try:
            found = await self._bus.get(idempotency_key(intent.client_order_id))
        except StoreUnavailable:
            return False
        return shows_taken(found, requests.body_hash(intent))

    async def run(self, refused: Callable[[Refusal], Awaitable[None]]) -> None:
        """Until cancelled; ``refused`` may raise ``StoreUnavailable``, and is told again."""
        while True:
            try:
                await self._hear(refused)
            except RecordsGone as gone:
                text = f"{gone}; an intent that was refused there is open until it is too old"
                await self._alerts.say(Severity.WARN, "REFUSALS_GONE", gone.group, text)
            except StoreUnavailable as away:
                log.warning("router_unheard", why=str(away))
                await asyncio.sleep(AWAY_S)

    async def _hear(self, refused: Callable[[Refusal], Awaitable[None]]) -> None:
        entries = await self._bus.read(ROUTER_EVENTS, self._group, CONSUMER, count=AT_ONCE, block_ms=BLOCK_MS)
        for entry in entries:
            fields = entry.fields
            if fields.get("kind") == REFUSED:
                names = ("intent_id", "body_hash", "code", "message", "field")
                await refused(Refusal(**{name: fields.get(name, "") for name in names}))
        await self._bus.ack(ROUTER_EVENTS, self._group, [entry.id for entry in entries])
