"""The look at the account as a whole, every ``S4_SWEEP_EVERY_S``: ask, compare, send the owners to look; tell.
At once where the user stream tells of a trade in a symbol that nobody here owns: what it opened is bare. And again,
until it is owned or a reading must be newer than the trade: what the venue says of positions may lag behind its stream.

``reconcile.sweep`` compares, owners decide and act. Orders that are not ours are kept track of here, for the last hop,
the barriers and whoever looks: the user stream tells of them at once, and the sweep finds those of which it did not.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from typing import Final

import structlog

from chimera.ports.venue import OrderReport, Records
from chimera.reconcile.external import ExternalOrders, Externals, told
from chimera.reconcile.sweep import Seen, Sweep, SweepPolicy, compare
from chimera.services.router.ground import Ground
from chimera.trading.errors import ChimeraError, OutcomeUnknown
from chimera.trading.events import Alert, Severity
from chimera.trading.facts import Gapped, Ticked
from chimera.trading.fill import Fill
from chimera.trading.holding import Holding
from chimera.trading.ids import Symbol, forced_by
from chimera.trading.market import Side
from chimera.trading.money import Millis
from chimera.trading.position import ADOPTED
from chimera.trading.venue import VenueOrder

log = structlog.get_logger()

APART_S: Final = 5.0  # from one look to the next at the least, and to the next try where one was not answered
SETTLED_MS: Final = 15_000  # after a trade: then a reading without a position means that there is none
UNANSWERED: Final = 3  # looks in a row: then somebody should know
CODE: Final = "SYMBOL_ISOLATED"


class Sweeping:
    """The sweep of one account."""

    def __init__(
        self,
        ground: Ground,
        policy: SweepPolicy,
        *,
        records: Records,
        take_over: Callable[[Symbol], Awaitable[None]],
    ) -> None:
        """``take_over``: own a symbol in which something of ours was found."""
        self.externals = Externals()
        self.last: Sweep | None = None
        self._ground = ground
        self._policy = policy
        self._records = records
        self._take_over = take_over
        self._seen = Seen()
        self._unanswered = 0
        self._isolated: set[Symbol] = set()
        self._turn = asyncio.Lock()  # one look at a time
        self._sooner = asyncio.Event()  # the next look is due
        self._unseen: dict[Symbol, Millis] = {}  # where something filled and nobody is: when we heard of it

    async def run(self) -> None:
        """For ever; the first look at once: a position that nobody owns has no other way to be found."""
        while True:
            self._sooner.clear()
            try:
                await self.look()
                self._unanswered = 0
            except ChimeraError as error:
                self._missed(error)
            await asyncio.sleep(APART_S)
            if not (self._unanswered or self._unseen):
                await self._due()

    async def _due(self) -> None:
        """The rest of the way to the next look, unless it is wanted sooner."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._policy.every_ms / 1000 - APART_S):
                await self._sooner.wait()

    async def look(self) -> None:
        """Once. Raises what the venue or, where a symbol has to be taken over, the ledger raises."""
        async with self._turn:
            await self._look()

    async def find(self) -> None:
        """Once, for whoever must have seen everything: raises also while a trade may be younger than what was seen."""
        await self.look()
        if self._unseen:
            raise OutcomeUnknown(f"no position shows yet what was traded in {', '.join(self._unseen)}")

    async def _look(self) -> None:
        before = self._holdings()
        snapshot = await self._records.whole()
        found = compare(before, self._holdings(), snapshot, self._policy)
        self.last = found
        self._seen, alerts = self._seen.after(found)
        for alert in alerts:
            self._ground.tell(alert)
        self._now(self.externals.looked(snapshot))
        for key, owner in tuple(self._ground.owners.items()):
            if key.symbol in found.ask:
                log.info("sweep_asks", symbol=key.symbol, jaccard=str(found.jaccard))
                owner.hear(Gapped())
            elif key.symbol in found.tick:
                owner.hear(Ticked())
        strays = [order.symbol for order in found.orphans if order.symbol not in before]
        for symbol in dict.fromkeys([*(held.symbol for held in found.ownerless), *strays]):
            await self._take_over(symbol)
        self._unseen = {
            symbol: at_ms
            for symbol, at_ms in self._unseen.items()
            if self._ground.owner_of(symbol) is None and snapshot.asked_ms < at_ms + SETTLED_MS
        }

    def shown(self) -> list[dict[str, str]]:
        """For ``GET /health``: what differs from the venue, as of the last look."""
        return [{"code": code, "about": about} for code, about in self._seen.told]

    def external_qty(self, symbol: Symbol, side: Side) -> Decimal:
        """Base asset that orders which are not ours may still add."""
        return self.externals.open_qty(symbol, side)

    def heard(self, report: OrderReport) -> None:
        """The user stream told of an order; one of ours is its owner's alone."""
        order = report.order
        if report.fill is not None and self._ground.owner_of(order.symbol) is None:
            self._filled_where_nobody_is(order, report.fill)
        self._now(self.externals.heard(order, self._ground.clock.now_ms()))

    def _filled_where_nobody_is(self, order: VenueOrder, fill: Fill) -> None:
        forced = forced_by(order.ref)
        if forced is not None:
            text = f"{forced}: {told(order)} filled {fill.qty}, on a symbol that nobody here owns"
            self._ground.tell(Alert(severity=Severity.FATAL, code=forced, text=text))
        if self._ground.market.reduces_only and order.symbol in self._ground.instruments:
            self._unseen[order.symbol] = self._ground.clock.now_ms()  # on spot it is the wallet's owner's
            self._sooner.set()

    def _now(self, externals: Externals) -> None:
        """What is not ours is this now: tell what is new of it, and keep our entries away where that is the policy."""
        fresh, self.externals = externals.since(self.externals), externals
        for order in fresh:
            self._ground.tell(Alert(severity=Severity.ERROR, code="EXTERNAL_ORDER", text=told(order)))
        if self._policy.external is ExternalOrders.ISOLATE:
            self._isolate()

    def _isolate(self) -> None:
        holdings = self._holdings()
        standing = {symbol for symbol, _ in self.externals.orders} | {s for s in holdings if _adopted(holdings[s])}
        for symbol in sorted(standing | self._isolated):
            self._ground.barriers.level(CODE, self._why(symbol) if symbol in standing else None, symbol=symbol)
        self._isolated = standing

    def _why(self, symbol: Symbol) -> str:
        orders = self.externals.of(symbol)
        position = "" if orders else "; a position that no intent of ours opened"
        return f"{len(orders)} orders that are not ours{position} (S4_EXTERNAL_ORDERS=isolate)"

    def _missed(self, error: ChimeraError) -> None:
        self._unanswered += 1
        log.info("sweep_unanswered", error=str(error), times=self._unanswered)
        if self._unanswered == UNANSWERED:
            text = f"{UNANSWERED} looks at the whole account in a row had no answer: {error}"
            self._ground.tell(Alert(severity=Severity.ERROR, code="SWEEP_UNANSWERED", text=text))

    def _holdings(self) -> dict[Symbol, Holding]:
        return {key.symbol: owner.holding for key, owner in self._ground.owners.items()}


def _adopted(holding: Holding) -> bool:
    return any(lot.intent_id == ADOPTED for lot in holding.position.lots)
