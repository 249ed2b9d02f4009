"""Alerts of the router itself, which belong to no position: told in order, as soon as the stores can hear them."""

import asyncio
from collections import deque
from typing import Final

import structlog

from chimera.ports.clock import Clock
from chimera.ports.ledger import Rows
from chimera.ports.streams import Bus
from chimera.services.router.patience import ALERT_AGAIN_S
from chimera.trading.errors import StoreUnavailable
from chimera.trading.events import Alert
from chimera.trading.ids import AccountId
from chimera.wire import keys
from chimera.wire.codec import SCHEMA_VERSION, plain

log = structlog.get_logger()

MOST_WAITING: Final = 1_000  # the oldest is dropped, and that is logged


class Alarms:
    """A queue in front of two stores; telling never waits."""

    def __init__(self, account_id: AccountId, owner: str, *, rows: Rows, bus: Bus, clock: Clock) -> None:
        self._account_id = account_id
        self._owner = owner
        self._rows = rows
        self._bus = bus
        self._clock = clock
        self._waiting: deque[tuple[str, dict[str, object]]] = deque()
        self._news = asyncio.Event()
        self._number = 0

    def tell(self, alert: Alert) -> None:
        """Remember it for the stores."""
        self._number += 1
        at_ms = self._clock.now_ms()
        name = f"router:{self._account_id}:{self._owner}:{at_ms}:{self._number}"
        row = {"schema_version": SCHEMA_VERSION, "event_id": name, "account_id": self._account_id, "at_ms": at_ms}
        if len(self._waiting) == MOST_WAITING:
            log.error("alert_dropped", event_id=self._waiting.popleft()[0])
        self._waiting.append((name, row | plain(alert) | {"kind": "ALERT"}))
        self._news.set()

    @property
    def waiting(self) -> int:
        """Alerts that the stores have not heard."""
        return len(self._waiting)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                name, row = self._waiting[0]
                try:
                    await self._rows.insert(keys.STRATEGY_EVENTS, name, row)
                    await self._bus.publish(keys.ALERTS, name, {field: str(value) for field, value in row.items()})
                except StoreUnavailable as error:
                    log.warning("alert_waits", event_id=name, error=str(error))
                    await asyncio.sleep(ALERT_AGAIN_S)
                    continue
                except Exception:  # one that cannot be told must hold up neither the next nor what protects
                    log.exception("alert_untold", event_id=name, alert=row)
                if self._waiting and self._waiting[0][0] == name:  # it may have been dropped meanwhile
                    self._waiting.popleft()
