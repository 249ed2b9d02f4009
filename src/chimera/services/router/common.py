"""What the routers of one account share, one to a market: who stands still, who is told, what the day has brought.

A kill reaches every market, and its receipt speaks of all of them; the loss of the day is one number; S3 reads one risk
budget. Everything else a router has to itself.
"""

import asyncio
from collections import ChainMap, Counter
from collections.abc import Mapping

from chimera.ports.clock import Clock
from chimera.ports.ledger import Ledger, Rows
from chimera.ports.streams import Bus
from chimera.ports.venue import Records
from chimera.services.router.alarms import Alarms
from chimera.services.router.controls import Controls
from chimera.services.router.exposing import Exposing
from chimera.services.router.owner import Owner
from chimera.services.router.patience import going_on
from chimera.services.router.receipts import Seal, Witness
from chimera.services.router.waking import Waking
from chimera.services.tracing import Tracing
from chimera.trading.budget import MarketBudget
from chimera.trading.ids import AccountId, PositionKey, Symbol
from chimera.trading.market import Market
from chimera.trading.money import Quote


class Common:
    """Of one account."""

    def __init__(
        self,
        account_id: AccountId,
        owner_name: str,
        records: Mapping[Market, Records],
        *,
        ledger: Ledger,
        bus: Bus,
        clock: Clock,
        seal: Seal,
        tracing: Tracing | None = None,
        voice: Bus | None = None,
    ) -> None:
        """``records``: of each market that is traded. ``voice``: where alerts go, if not by ``bus``."""
        self.tracing = tracing
        self.rows: Rows = ledger
        self.owners: dict[Market, dict[PositionKey, Owner]] = {market: {} for market in records}
        self.loaded = {market: asyncio.Event() for market in records}
        self.budgets: dict[Market, MarketBudget] = {}
        self.exposing: dict[Market, Exposing] = {}
        self.day_pnl: dict[tuple[Market, Symbol], Quote] = {}
        self.claiming: Counter[str] = Counter()  # by whichever market: an order is named without one
        self.alarms = Alarms(account_id, owner_name, rows=ledger, bus=voice or bus, clock=clock)
        everyone = ChainMap(*self.owners.values())
        witness = Witness(
            account_id, everyone, rows=ledger, bus=bus, records=records, clock=clock, seal=seal, complete=self.complete
        )
        self.controls = Controls(
            account_id, everyone, rows=ledger, clock=clock, witness=witness, complete=self.complete
        )
        self.waking = Waking(owner_name, everyone, bus, clock, complete=self.complete)

    def complete(self) -> bool:
        """Whether every position of every market is known."""
        return all(loaded.is_set() for loaded in self.loaded.values())

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.controls.run(), name="controls")
            group.create_task(self.controls.flatten(), name="flatten")
            group.create_task(self.alarms.run(), name="alarms")
            group.create_task(going_on("waking", self.waking.run), name="waking")
