"""From the outbox to rows, streams and snapshots, in order; the caller repeats what failed, and repeating is safe."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeAlias

from chimera.ports.ledger import Rows
from chimera.ports.streams import Bus, Latest, Record
from chimera.reconcile.cash import of_dust, of_fill
from chimera.trading.cash import Entry
from chimera.trading.events import DustLeft, Event, FillRecorded
from chimera.trading.ids import PositionKey
from chimera.trading.trace import TraceId
from chimera.wire import keys
from chimera.wire.cash import entry_document
from chimera.wire.events import InsertRow, Publish, PutRow, PutSnapshot, Write, writes

News: TypeAlias = Record | Latest


class Relay:
    """Two steps of each event, so that whoever hears of it finds its rows; the rows of many may be kept at once."""

    def __init__(self, rows: Rows, bus: Bus) -> None:
        self._rows = rows
        self._bus = bus

    async def keep(self, key: PositionKey, event: Event, trace: TraceId | None = None) -> tuple[News, ...]:
        """Its rows in the ledger; what is to be spread then. Raises ``StoreUnavailable`` with some of them done."""
        told = writes(key, event, trace)
        entry = _entry(key, event)
        rows: list[Coroutine[Any, Any, object]] = []
        if entry is not None:
            rows.append(self._rows.insert(keys.CASH, entry.id, entry_document(entry)))
        rows += [self.put(write) for write in told if isinstance(write, PutRow | InsertRow)]
        for outcome in await asyncio.gather(*rows, return_exceptions=True):  # handed in together: one commit
            if isinstance(outcome, BaseException):
                raise outcome
        return tuple(news for write in told if (news := _news(write)) is not None)

    async def spread(self, news: Sequence[News]) -> None:
        """To streams and snapshots, all at once; raises ``StoreUnavailable`` with some of it done."""
        if news:
            await self._bus.tell(news)

    async def ahead(self, key: PositionKey, event: Event) -> None:
        """An alert of a state that no disk has, to the stream alone. Raises ``StoreUnavailable``.

        By a name of its own: after a crash another event may get its number, and would be taken for told.
        """
        for write in writes(key, event):
            if isinstance(write, Publish):
                name = f"{write.event_id}:{event.at_ms}"
                await self._bus.publish(write.stream, name, {**write.fields, "event_id": name})

    async def put(self, write: Write) -> None:
        """One write; safe to repeat. Raises ``StoreUnavailable``."""
        match write:
            case PutRow(collection=collection, key=key, document=document, seq=seq):
                await self._rows.put_newer(collection, key, document, seq)
            case InsertRow(collection=collection, key=key, document=document):
                await self._rows.insert(collection, key, document)
            case Publish(stream=stream, event_id=event_id, fields=fields):
                await self._bus.publish(stream, event_id, fields)
            case PutSnapshot(key=key, document=document, ttl_ms=ttl_ms):
                await self._bus.put(key, document, ttl_ms=ttl_ms)


def _news(write: Write) -> News | None:
    """What of it goes to the bus."""
    match write:
        case Publish(stream=stream, event_id=event_id, fields=fields):
            return Record(stream=stream, event_id=event_id, fields=fields)
        case PutSnapshot(key=key, document=document, ttl_ms=ttl_ms):
            return Latest(key=key, document=document, ttl_ms=ttl_ms)
        case _:  # a row
            return None


def _entry(key: PositionKey, event: Event) -> Entry | None:
    """What it is in the cash ledger."""
    match event.body:
        case FillRecorded() as told:
            return of_fill(key.account, told)
        case DustLeft() as dust:
            return of_dust(key.account, key.market, key.symbol, dust, event.at_ms)
        case _:  # moves no money
            return None
