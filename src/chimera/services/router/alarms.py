"""Alerts of the router itself, which belong to no position: told in order, as soon as the stores can hear them.

They have an outbox, as a position's events have: each is a row of it before anything else is done with it, and how far
the outbox has been told is a row as well. So what the ledger took is told sooner or later, at least once, also where
the bus is away and the process is killed meanwhile. In memory waits only what the ledger has not taken yet; and the bus
hears of that at once, for a ledger that is away all night is the very thing to be woken for.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import structlog

from chimera.ports.clock import Clock
from chimera.ports.ledger import Row, Rows
from chimera.ports.streams import Bus
from chimera.services.router.patience import ALERT_AGAIN_S
from chimera.trading.errors import StoreUnavailable
from chimera.trading.events import Alert, Severity
from chimera.trading.ids import AccountId
from chimera.trading.market import Market
from chimera.wire import keys
from chimera.wire.alerts import S4, described
from chimera.wire.events import fields_of

log = structlog.get_logger()

MOST_WAITING: Final = 1_000  # for the ledger; the oldest is dropped, and that is logged
PAGE: Final = 100
_IN_LOG: Final = ("event_id", "severity", "code", "subject", "text")
_LOUD: Final = {
    Severity.INFO: logging.INFO,
    Severity.WARN: logging.WARNING,
    Severity.ERROR: logging.ERROR,
    Severity.FATAL: logging.CRITICAL,
}


class Alarms:
    """A queue in front of the outbox, and the outbox in front of two stores; telling never waits."""

    def __init__(self, account_id: AccountId, owner: str, *, rows: Rows, bus: Bus, clock: Clock) -> None:
        self._account_id = account_id
        self._owner = owner
        self._rows = rows
        self._bus = bus
        self._clock = clock
        self._life_ms = clock.now_ms()
        self._outbox = keys.alerts_outbox(account_id)
        self._waiting: deque[tuple[str, dict[str, object]]] = deque()
        self._news = asyncio.Event()
        self._kept = asyncio.Event()
        self._number = 0
        self._told: int | None = None  # the outbox's rows up to this number; None: not read yet
        self._untold: set[str] = set()  # names, of this process: from the moment it spoke until both stores have heard
        self._ahead: set[str] = set()  # of those, what the bus has heard before the ledger

    def of(self, market: Market) -> Callable[[Alert], None]:
        """The voice of one market's router: two routers of an account raise the same codes."""
        return partial(self.tell, market=str(market))

    def tell(self, alert: Alert, market: str = "") -> None:
        """Remember it for the stores."""
        self._number += 1
        at_ms = self._clock.now_ms()
        name = f"router:{self._account_id}:{self._owner}:{at_ms}:{self._number}"
        row = {"event_id": name, "kind": "ALERT"} | described(
            service=S4,
            account_id=self._account_id,
            severity=alert.severity,
            code=alert.code,
            text=alert.text,
            at_ms=at_ms,
            market=market,
            subject=alert.subject,
            since_ms=alert.since_ms,
            lasts=alert.lasts,
            life_ms=self._life_ms,
        )
        log.log(_LOUD[alert.severity], "alert", **{field: row[field] for field in _IN_LOG})
        if len(self._waiting) == MOST_WAITING:
            oldest = self._waiting.popleft()[0]
            self._forget(oldest)
            log.error("alert_dropped", event_id=oldest)
        self._untold.add(name)
        self._waiting.append((name, row))
        self._news.set()

    @property
    def waiting(self) -> int:
        """Alerts that the stores have not heard."""
        return len(self._untold)

    async def run(self) -> None:
        """Until cancelled."""
        self._kept.set()  # what a life before this one has left
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep(), name="alerts kept")
            group.create_task(self._spread(), name="alerts told")

    async def _keep(self) -> None:
        """From memory to the outbox."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                name, row = self._waiting[0]
                try:
                    await self._rows.insert(self._outbox, name, row)
                    self._kept.set()
                except StoreUnavailable as error:
                    log.warning("alert_waits", event_id=name, error=str(error))
                    await self._tell_ahead()
                    await asyncio.sleep(ALERT_AGAIN_S)
                    continue
                except Exception:  # one that cannot be kept must hold up neither the next nor what protects
                    self._forget(name)
                    log.exception("alert_untold", event_id=name, alert=row)
                if self._waiting and self._waiting[0][0] == name:  # it may have been dropped meanwhile
                    self._waiting.popleft()

    async def _tell_ahead(self) -> None:
        """All that waits for the ledger, to the stream alone. Not again from the outbox: its end may come first."""
        for name, row in tuple(self._waiting):
            if name in self._ahead:
                continue
            try:
                await self._bus.publish(keys.ALERTS, name, fields_of(row))
            except StoreUnavailable as error:
                log.warning("alerts_wait", error=str(error))
                return
            except Exception:  # as below: the ledger may be back before anybody can tell it
                log.exception("alert_untold", event_id=name, alert=row)
            self._ahead.add(name)

    async def _spread(self) -> None:
        """From the outbox to the rows that people read, and to the stream."""
        while True:
            await self._kept.wait()
            self._kept.clear()
            try:
                if self._told is None:
                    self._told = await self._told_before()
                while page := await self._rows.page(self._outbox, after=self._told, limit=PAGE):
                    for row in page:
                        await self._tell(row)
            except StoreUnavailable as error:
                log.warning("alerts_wait", error=str(error))
                self._kept.set()
                await asyncio.sleep(ALERT_AGAIN_S)

    async def _tell(self, row: Row) -> None:
        """One of them; raises ``StoreUnavailable`` with some of it done."""
        name = str(row.document.get("event_id"))
        try:
            await self._rows.insert(keys.STRATEGY_EVENTS, name, row.document)
            if name not in self._ahead:
                await self._bus.publish(keys.ALERTS, name, fields_of(row.document))
        except StoreUnavailable:
            raise
        except Exception:  # one that cannot be told is logged and left: the next are told
            log.exception("alert_untold", event_id=name, alert=row.document)
        await self._rows.put(keys.ALERTS_TOLD, self._account_id, {"through": row.number})
        self._told = row.number
        self._forget(name)

    def _forget(self, name: str) -> None:
        self._untold.discard(name)
        self._ahead.discard(name)

    async def _told_before(self) -> int:
        found: Mapping[str, Any] | None = await self._rows.get(keys.ALERTS_TOLD, self._account_id)
        return 0 if found is None else int(found["through"])
