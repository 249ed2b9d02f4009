"""Controls of the kill switch over owners and a venue that only stand there, for tests of what they hold and tell."""

import asyncio
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any, cast

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.ports.clock import Clock
from chimera.services.router.controls import Controls
from chimera.services.router.receipts import Witness
from chimera.services.router.seal import seal_of
from chimera.trading.errors import ChimeraError, OutcomeUnknown
from chimera.trading.facts import CloseAsked, Fact
from chimera.trading.holding import Holding
from chimera.trading.ids import DEFAULT_ACCOUNT, Symbol, TradeId
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.trading.standstill import Kill, Scope
from chimera.trading.venue import AccountSnapshot, VenuePosition, VenueSnapshot

GLOBAL = Kill(scope=Scope.GLOBAL, by="me", reason="fire", at_ms=Millis(1))


class _StoppedClock:
    def now_ms(self) -> Millis:
        return Millis(5_000)

    def monotonic_ms(self) -> Millis:
        return Millis(5_000)


CLOCK = cast("Clock", _StoppedClock())


class StubOwner:
    """Remembers what it heard, and does nothing about it."""

    def __init__(self, holding: Holding) -> None:
        self.holding = holding
        self.heard: list[Fact] = []
        self.recovered = asyncio.Event()
        self.recovered.set()

    def hear(self, fact: Fact) -> None:
        self.heard.append(fact)

    @property
    def closes(self) -> int:
        return sum(isinstance(fact, CloseAsked) for fact in self.heard)


class Venue:
    """What the venue would say of any symbol: ``qty`` held, nothing resting; or ``says``."""

    def __init__(self, qty: str = "0", *, silent: bool = False, says: ChimeraError | None = None) -> None:
        self.qty = qty
        self.says = OutcomeUnknown("no answer") if silent else says

    async def survey(self, symbol: Symbol, since: Millis, *, booked: Collection[TradeId] = ()) -> VenueSnapshot:
        if self.says is not None:
            raise self.says
        position = VenuePosition(
            symbol=symbol, qty=Decimal(self.qty), entry_px=None, mark_px=None,
            liquidation_px=None, updated_ms=since,
        )  # fmt: skip
        return VenueSnapshot(
            symbol=symbol, asked_ms=since, orders=(), position=position, trades=(), trades_since_ms=since
        )

    async def whole(self) -> AccountSnapshot:
        """Of symbols that are owned it was asked one by one."""
        if self.says is not None:
            raise self.says
        return AccountSnapshot(asked_ms=CLOCK.now_ms(), orders=(), positions=())


class Desks:
    """Controls over stub owners; ``complete`` may change, and is asked again each time."""

    def __init__(
        self,
        ledger: MemoryLedger,
        holdings: Sequence[Holding] = (),
        *,
        venue: Venue | None = None,
        bus: MemoryBus | None = None,
        complete: bool = True,
    ) -> None:
        self.complete = complete
        self.owners = {holding.key: StubOwner(holding) for holding in holdings}
        owners, records = cast("Any", self.owners), {market: cast("Any", venue or Venue()) for market in Market}
        known = lambda: self.complete  # noqa: E731 - asked again each time
        witness = Witness(
            DEFAULT_ACCOUNT, owners, rows=ledger, bus=bus or MemoryBus(CLOCK), records=records, clock=CLOCK,
            seal=seal_of(b"7" * 32), complete=known,
        )  # fmt: skip
        self.controls = Controls(DEFAULT_ACCOUNT, owners, rows=ledger, clock=CLOCK, witness=witness, complete=known)
