"""Intents that were refused before any claim, kept so that both tracks say the same, and told so that S3 hears.

Invariants: a refusal is a row before anybody acts on it; asked again by the other track, it is the same refusal, also
after a restart. It is about one body under one id: another body is another question. A refusal that says "try again"
(5xx) is none and is not kept. Callers of ``POST /orders`` are judged anew each time, as ever; an order that came of
that counts more than any row here.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from chimera.ports.clock import Clock
from chimera.ports.ledger import Rows
from chimera.ports.streams import Streams
from chimera.trading.errors import Refused
from chimera.wire import failures, keys
from chimera.wire.codec import SCHEMA_VERSION
from chimera.wire.events import fields_of
from chimera.wire.intents import REFUSED

RECENT: Final = 10_000  # rows kept in memory; the ledger has them all
REST: Final = "rest"
STREAM: Final = "stream"


class Refusals:
    """Of one account."""

    def __init__(self, rows: Rows, bus: Streams, clock: Clock) -> None:
        self._rows = rows
        self._bus = bus
        self._clock = clock
        self._recent: OrderedDict[str, dict[str, Any]] = OrderedDict()

    async def known(self, intent_id: str, body_hash: str) -> dict[str, Any] | None:
        """The row of this body under this id; raises ``StoreUnavailable``."""
        name = _name(intent_id, body_hash)
        return self._recent.get(name) or await self._rows.get(keys.REFUSALS, name)

    async def keep(
        self, names: Mapping[str, str], body_hash: str, no: Refused, *, track: str, record: str = ""
    ) -> dict[str, Any]:
        """On disk when it returns, once: the first refusal of a body stays. Raises ``StoreUnavailable``."""
        name = _name(names["intent_id"], body_hash)
        told = failures.error_body(no)
        row: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "event_id": f"refused:{name}",
            "kind": REFUSED,
            **names,
            "at_ms": self._clock.now_ms(),
            "track": track,
            "body_hash": body_hash,
            **{part: told[part] for part in ("code", "message", "field", "accepted") if told[part] is not None},
        }
        if record:
            row["record"] = record
        if not await self._rows.insert(keys.REFUSALS, name, row):
            row = await self._rows.get(keys.REFUSALS, name) or row
        self._recent[name] = row
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        return row

    async def tell(self, row: Mapping[str, Any]) -> None:
        """As an event, once for each row; raises ``StoreUnavailable``."""
        await self._bus.publish(keys.ROUTER_EVENTS, str(row["event_id"]), fields_of(dict(row)))


def is_final(no: Refused) -> bool:
    """Whether trying again with the same ids is of no use: what HTTP answers below 500."""
    return failures.status_of(no.code) < 500


def _name(intent_id: str, body_hash: str) -> str:
    return f"{intent_id}:{body_hash}"
