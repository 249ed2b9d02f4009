"""A ledger that was put back (``chimera restore``): exits only, until it has the venue's trades since then, and agrees.

Invariants: no intent is taken before every name that our orders used meanwhile is claimed, so that none is given out
again; no entry before each position agrees, or a person has looked: what still differs after many looks is a kill.
Protection, stops and closes never wait for any of it.

It mends nothing: owners hear ``Restored`` and then what they hear at every start, and the venue's trades come by their
surveys. It only asks on its own whether all of that has come to an end.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeVar

import structlog

from chimera.ports.ledger import Claim, Ledger
from chimera.ports.venue import Records
from chimera.reconcile import restored
from chimera.services.router.controls import Controls
from chimera.services.router.ground import Ground
from chimera.services.router.owner import Owner
from chimera.services.router.patience import until_kept
from chimera.trading.errors import ChimeraError, Refused
from chimera.trading.facts import Restored
from chimera.trading.fill import Fill
from chimera.trading.ids import ClientOrderId, IntentId, TradeId
from chimera.trading.intent import Intent
from chimera.trading.money import Millis
from chimera.trading.standstill import Kill, Scope
from chimera.wire import keys

log = structlog.get_logger()

T = TypeVar("T")

CODE: Final = "LEDGER_RESTORED"
USED: Final = "used before the ledger was put back"  # in place of a body's hash: no body has it
MARGIN_MS: Final = 60_000  # how far the clock of whoever made the copy may have been ahead of the venue's
LOOK_S: Final = 2.0
LOOKS: Final = 30  # that differ, each answered, before a person has to look
NEWEST: Final = 200  # rows of one position: what this life has booked is among them
ONCE: Final = 50  # claims under way together
SAVED_POLL_S: Final = 0.1


class Restoring:
    """Of one account on one market. ``read`` it before any position is loaded."""

    def __init__(self, ground: Ground, *, records: Records, ledger: Ledger, controls: Controls) -> None:
        self.pending = False  # it was put back, and does not agree yet
        self.at_ms = Millis(0)  # when, our clock; 0: never
        self.backup_ms = Millis(0)  # of when it is, our clock
        self.looked_ms = Millis(0)  # venue clock: what was placed before then has been compared; 0: nothing has
        self._named = asyncio.Event()  # the names that are spent are claimed
        self._ground = ground
        self._records = records
        self._ledger = ledger
        self._controls = controls
        self._settled_row = f"{keys.restored_row(ground.account_id)}:{ground.market}"

    async def read(self) -> None:
        """Whether it was put back; entries wait from here on."""
        row = await until_kept(partial(self._ledger.get, keys.CONTROLS, keys.restored_row(self._ground.account_id)))
        if row is None:
            return
        self.at_ms, self.backup_ms = Millis(int(str(row["at_ms"]))), Millis(int(str(row["backup_ms"])))
        settled = await until_kept(partial(self._ledger.get, keys.CONTROLS, self._settled_row))
        self.looked_ms = Millis(int(str(settled["looked_ms"])) if settled else 0)
        self.pending = settled is None or int(str(settled["at_ms"])) < self.at_ms
        if self.pending:
            self._bar("the ledger was put back to an earlier state, and the venue has not been heard since")
        else:
            self._named.set()

    def tell(self, owner: Owner) -> None:
        """Before he hears that he has just started."""
        if self.at_ms:
            owner.hear(Restored(at_ms=self.at_ms))

    def unknown_since(self, start_ms: Millis) -> Millis:
        """From when on a position of which nothing is stored has to know its trades: the start, but for a restore."""
        return Millis(self.backup_ms - MARGIN_MS) if self.pending else start_ms

    def refuse(self, intent: Intent) -> None:
        """Raises ``Refused`` for an intent that may have been traded by a life that is forgotten; exits as well."""
        if self.at_ms and intent.created_ms <= self.at_ms:
            why = f"made before the ledger was put back at {self.at_ms}: nobody here knows whether it was traded"
            raise Refused(
                "STALE_INTENT", why, field="created_ms", value=intent.created_ms, accepted="a new intent, or a close"
            )
        if self.pending and not self._named.is_set():
            raise Refused("RECOVERING", "the names that were used since the backup are not known yet; try again")

    async def run(self) -> None:
        """For ever, as whoever keeps looking does; until they agree, and then no more."""
        if self.pending:
            await self._settle()
        await asyncio.Event().wait()

    async def _settle(self) -> None:
        await self._everybody_heard()
        looked_ms = self._ground.venue_now_ms
        for owner in tuple(self._ground.owners.values()):
            await self._claim_spent(owner)
        self._named.set()
        why, looks = await self._look(), 1
        while why is not None and looks < LOOKS:
            self._bar(why)
            await asyncio.sleep(LOOK_S)
            why, looks = await self._look(), looks + 1
        if why is not None:
            await self._latch(why)
        await self._done(looked_ms, why)

    async def _everybody_heard(self) -> None:
        """Each owner has asked the venue once since the start."""
        for owner in tuple(self._ground.owners.values()):
            await owner.recovered.wait()

    async def _claim_spent(self, owner: Owner) -> None:
        """For ever: whoever asks for one of these again is refused, whatever he says of its age."""
        since_ms = Millis(self.backup_ms - MARGIN_MS)
        placed = await _answered(lambda: self._records.placed_since(owner.holding.key.symbol, since_ms))
        stems = restored.spent(placed)
        for first in range(0, len(stems), ONCE):
            await asyncio.gather(*(self._claim(stem) for stem in stems[first : first + ONCE]))

    async def _claim(self, stem: ClientOrderId) -> None:
        claim = Claim(id=keys.order_claim(stem), intent_id=IntentId(""), body_hash=USED, at_ms=self.at_ms)
        await until_kept(lambda: self._ledger.claim(claim, synced=True))

    async def _until_asked(self) -> None:
        """However long the venue takes: that it has not answered is no difference."""
        owners = self._ground.owners
        while (
            why := next(filter(None, (restored.unheard(each.holding) for each in owners.values())), None)
        ) is not None:
            self._bar(why)
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> str | None:
        """The first difference of any position."""
        await self._until_asked()
        for owner in tuple(self._ground.owners.values()):
            if (why := await self._compared(owner)) is not None:
                return why
        return None

    async def _compared(self, owner: Owner) -> str | None:
        key = owner.holding.key
        where = {"symbol": str(key.symbol), "market": str(key.market)}
        newest = await until_kept(partial(self._ledger.find, keys.FILLS, where=where, newest=NEWEST))
        since_ms = restored.first_known_ms(newest, self.backup_ms)
        snapshot = await _answered(lambda: self._records.survey(key.symbol, since_ms))
        recorded: dict[TradeId, Any] = {}
        for trade in restored.ours(snapshot.trades, key.market):
            recorded[trade.trade_id] = await until_kept(partial(self._row, trade))
        return restored.disagreement(owner.holding, snapshot, recorded, newest, self.backup_ms)

    async def _row(self, trade: Fill) -> dict[str, object] | None:
        return await self._ledger.get(keys.FILLS, keys.fill_key(trade.market, trade.symbol, trade.trade_id))

    async def _latch(self, why: str) -> None:
        """It does not agree by itself: from here on it is a kill, which a person ends."""
        told = f"the ledger was put back and does not agree with the venue: {why}; protecting and closing only"
        self._controls.kill(Kill(scope=Scope.GLOBAL, by=restored.BY, reason=told, at_ms=self._ground.clock.now_ms()))
        while not self._controls.saved:  # noqa: ASYNC110 - it is saved until it is saved
            await asyncio.sleep(SAVED_POLL_S)

    async def _done(self, looked_ms: Millis, why: str | None) -> None:
        """On disk first. Entries of ours from before ``looked_ms`` are told of above, and prove no loss any more."""
        settled = {"at_ms": self.at_ms, "looked_ms": looked_ms, "differs": why or ""}
        await until_kept(partial(self._ledger.put, keys.CONTROLS, self._settled_row, settled))
        log.warning("ledger_agrees" if why is None else "ledger_differs", restored_ms=self.at_ms, why=why)
        self.pending = False
        self._ground.barriers.level(CODE, None)

    def _bar(self, why: str) -> None:
        self._ground.barriers.level(CODE, f"{why}; exits only until the venue's trades since the backup agree")


async def _answered(question: Callable[[], Awaitable[T]]) -> T:
    """Many trades take many answers, so it has patience; a refusal is asked again like silence."""
    while True:
        try:
            return await question()
        except ChimeraError as error:
            log.warning("restored_unanswered", error=str(error))
        await asyncio.sleep(LOOK_S)
