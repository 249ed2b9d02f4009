"""Does the ledger know what the venue knows of us? Asked once after each start, before anything may enter.

Where it does not (``reconcile.lost``), the kill switch is thrown over everything, without a flatten: positions are
protected by the venue's word, exits go on, and entries wait until somebody looked and armed. What was found is noted
beside the kill, so that the same traces kill once and not at every start; an intent made before that is refused for
ever, since nobody here knows any more whether it was traded. Until the question is answered entries wait.

A single holding that is stored and cannot be read (a newer version wrote it) is left as it is, and its symbol is
killed: its position is protected by the venue's word, from memory, for a router that does not start protects nothing.
"""

import asyncio
from typing import Final

from chimera.ports.ledger import Holdings, Ledger, Stored
from chimera.ports.venue import Records
from chimera.reconcile import lost
from chimera.services.router.controls import UNREADABLE, Controls
from chimera.services.router.ground import Ground
from chimera.services.router.patience import until_answered
from chimera.services.router.restoring import Restoring
from chimera.services.router.rules import NOT_TRADING
from chimera.trading.errors import NewerSchema, Refused, StoreUnavailable
from chimera.trading.events import OrderChanged, Severity
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId, PositionKey, Symbol
from chimera.trading.intent import Intent
from chimera.trading.market import Market
from chimera.trading.money import ZERO, Millis, text
from chimera.trading.standstill import Kill, Scope
from chimera.trading.venue import VenueOrder
from chimera.wire import keys

CODE: Final = "LEDGER_UNCHECKED"
SAVED_POLL_S: Final = 0.1
UNREADABLE_SAVE_S: Final = 10.0


class Unkept:
    """``Holdings`` in place of the ledger for what could not be read: nothing is ever written over it."""

    def __init__(self, ledger: Holdings, why: str) -> None:
        self.fence, self.load, self.keys = ledger.fence, ledger.load, ledger.keys
        self._why = why

    async def save(self, holding: Holding, *, rev: int, fence: int) -> int:
        """Never: so no entry and no part of a close leaves, and stops and whole closes do."""
        await asyncio.sleep(UNREADABLE_SAVE_S)
        raise StoreUnavailable(self._why)


class Remembering:
    """The question and what follows from it."""

    def __init__(
        self, ground: Ground, *, records: Records, ledger: Ledger, controls: Controls, restoring: Restoring
    ) -> None:
        """``restoring``: the other question, in place of this one where the ledger was put back."""
        self.checked = asyncio.Event()
        self.empty = False  # the ledger held no position key when it was loaded
        self._unreadable: set[Symbol] = set()  # on record, and not to be read: killed already, and no proof of a loss
        self._ground = ground
        self._records = records
        self._ledger = ledger
        self._controls = controls
        self._restoring = restoring
        self._lost_at_ms = Millis(0)  # UTC; an intent made before it may have been traded, and been forgotten
        of = "" if ground.market is Market.FUT else f":{ground.market}"
        self._row = f"{ground.account_id}{of}:ledger"

    def hold(self) -> None:
        """Entries wait from here on."""
        why = "the venue has not been asked yet whether the ledger knows all"
        self._ground.barriers.level(CODE, why, severity=Severity.INFO)

    async def load(self, key: PositionKey) -> tuple[Stored | None, Holdings]:
        """What is stored, and where to keep what follows."""
        try:
            return await self._ledger.load(key), self._ledger
        except NewerSchema as error:
            now_ms, name = self._ground.clock.now_ms(), str(key.symbol)
            kill = Kill(scope=Scope.SYMBOL, name=name, by=UNREADABLE, reason=str(error), at_ms=now_ms)
            self._controls.kill(kill)
            self._unreadable.add(key.symbol)
            return None, Unkept(self._ledger, str(error))

    async def rest(self, key: PositionKey) -> None:
        """The venue lists it no more, so nobody can work it. Where something is held by the ledger, somebody must look:
        the venue has settled it, or will, and no trade of that is booked here.
        """
        found, _ = await self.load(key)
        held = ZERO if found is None else found.holding.exposure
        if held:
            why = f"the venue does not list {key.symbol} any more; the ledger has {text(held)} of it open"
            self._ground.barriers.level(NOT_TRADING, why, symbol=key.symbol, severity=Severity.FATAL)

    def refuse_old(self, intent: Intent) -> None:
        """Raises ``Refused`` for what may have been traded before the ledger was lost, or put back."""
        self._restoring.refuse(intent)
        if not intent.reduce_only and intent.created_ms <= self._lost_at_ms:
            why = f"made before the ledger was lost at {self._lost_at_ms}: nobody here knows whether it was traded"
            accepted = "a new intent"
            raise Refused("STALE_INTENT", why, field="created_ms", value=intent.created_ms, accepted=accepted)

    async def run(self) -> None:
        """For ever, as whoever keeps looking does; asked until it is answered, and then no more in this process."""
        if not self.checked.is_set():
            await self._check()
        await asyncio.Event().wait()

    async def _check(self) -> None:
        noted = await until_answered(lambda: self._ledger.get(keys.CONTROLS, self._row))
        since_ms = Millis(int(str(noted["since_ms"])) if noted else 0)
        self._lost_at_ms = Millis(int(str(noted["lost_at_ms"])) if noted else 0)
        if not self._restoring.pending:  # its question is the wider one
            await self._ask(Millis(max(since_ms, self._restoring.looked_ms)), new=noted is None)
        self.checked.set()
        self._ground.barriers.level(CODE, None)

    async def _ask(self, since_ms: Millis, *, new: bool) -> None:
        """``new``: nothing was ever noted of this ledger."""
        traces = await self._traces(since_ms)
        if not traces and self.empty and new:
            traces = lost.ours((await until_answered(self._records.whole)).orders)
        if traces:
            await self._latch(traces)

    async def _traces(self, since_ms: Millis) -> tuple[VenueOrder, ...]:
        """The newest entry of each symbol that could be read, where the ledger does not know it."""
        found = []
        for symbol in sorted({key.symbol for key in self._ground.owners} - self._unreadable):
            newest = await self._newest(symbol, since_ms)
            if newest is not None and not await self._knows(newest.ref):
                found.append(newest)
        return tuple(found)

    async def _newest(self, symbol: Symbol, since_ms: Millis) -> VenueOrder | None:
        return lost.newest_entry(await until_answered(lambda: self._records.placed_lately(symbol)), since_ms)

    async def _knows(self, ref: ClientOrderId) -> bool:
        """In a holding, on its way to its row, or there."""
        for owner in self._ground.owners.values():
            untold = (event.body for event in owner.holding.outbox)
            if ref in owner.holding.orders or any(isinstance(b, OrderChanged) and b.order.ref == ref for b in untold):
                return True
        return await until_answered(lambda: self._ledger.get(keys.ORDERS, ref)) is not None

    async def _latch(self, traces: tuple[VenueOrder, ...]) -> None:
        """The kill first; the note only once the kill is on disk, or a crash between them would lose both."""
        now_ms = self._ground.clock.now_ms()
        reason = lost.why(traces, empty=self.empty)
        self._lost_at_ms = now_ms
        self._controls.kill(Kill(scope=Scope.GLOBAL, by=lost.BY, reason=reason, at_ms=now_ms))
        while not self._controls.saved:  # noqa: ASYNC110 - it is saved until it is saved
            await asyncio.sleep(SAVED_POLL_S)
        note = {"since_ms": max(order.updated_ms for order in traces) + 1, "lost_at_ms": now_ms, "why": reason}
        await until_answered(lambda: self._ledger.put(keys.CONTROLS, self._row, note))
