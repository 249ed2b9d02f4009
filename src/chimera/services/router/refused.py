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
        self._answered: OrderedDict[str, dict[str, Any]] = OrderedDict()  # said to a caller, and not on disk yet

    async def known(self, intent_id: str, body_hash: str) -> dict[str, Any] | None:
        """The row of this body under this id, on disk; raises ``StoreUnavailable``."""
        name = _name(intent_id, body_hash)
        if (answered := self._answered.get(name)) is not None:
            await self._put(name, answered)
        return self._recent.get(name) or await self._rows.get(keys.REFUSALS, name)

    def said(self, intent_id: str, body_hash: str) -> bool:
        """Whether somebody has heard it from this process, lately; asked without a wait."""
        name = _name(intent_id, body_hash)
        return name in self._recent or name in self._answered

    async def keep(
        self, names: Mapping[str, str], body_hash: str, no: Refused, *, track: str, record: str = ""
    ) -> dict[str, Any]:
        """On disk when it returns, once: the first refusal of a body stays. Raises ``StoreUnavailable``; the caller of
        ``POST /orders`` hears it all the same, so then it is kept as soon as anybody asks for it."""
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
        if track == REST:
            _remember(self._answered, name, row)
        return await self._put(name, row)

    async def _put(self, name: str, row: dict[str, Any]) -> dict[str, Any]:
        if not await self._rows.insert(keys.REFUSALS, name, row):
            row = await self._rows.get(keys.REFUSALS, name) or row
        _remember(self._recent, name, row)
        self._answered.pop(name, None)
        return row

    async def tell(self, row: Mapping[str, Any]) -> None:
        """As an event, once for each row; raises ``StoreUnavailable``."""
        await self._bus.publish(keys.ROUTER_EVENTS, str(row["event_id"]), fields_of(dict(row)))


def is_final(no: Refused) -> bool:
    """Whether trying again with the same ids is of no use: what HTTP answers below 500."""
    return failures.status_of(no.code) < 500


def _remember(rows: OrderedDict[str, dict[str, Any]], name: str, row: dict[str, Any]) -> None:
    rows[name] = row
    while len(rows) > RECENT:
        rows.popitem(last=False)


def _name(intent_id: str, body_hash: str) -> str:
    return f"{intent_id}:{body_hash}"
