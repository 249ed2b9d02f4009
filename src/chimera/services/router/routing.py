"""Where plans come from: the route table, its curves, and what is seen of the market; looked at again while we run.

The table's file and the curves' key are read every ``LOOK_MS``. What cannot be read, or is wrong, changes nothing: the
last good one stays in force, and somebody is told why, once. A new revision is told, too, and stands in every plan.
Where there is no last good one, for S4 began again with a file that somebody had spoiled meanwhile, the built-in one
stands in, since whoever is not started protects nothing; nothing enters by it.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from chimera.ports.clock import Clock
from chimera.ports.streams import Snapshots
from chimera.route.plan import RoutePolicy, Sight, plan_for
from chimera.services.router.barriers import Barriers
from chimera.services.router.levels import Levels
from chimera.services.router.market import MarketView
from chimera.services.router.patience import Looks
from chimera.services.setting_kinds import SettingsFault
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.trading.events import Alert, Severity
from chimera.trading.execution import Plan
from chimera.trading.ids import Symbol
from chimera.trading.intent import Intent
from chimera.trading.money import Price
from chimera.trading.routes import Curves, RouteTable
from chimera.trading.scene import Scene
from chimera.wire.keys import ROUTE_CURVES
from chimera.wire.route_table import DEFAULT, read_curves

LOOK_MS: Final = 5_000
WITHIN_S: Final = 0.5


class Routing:
    """Of one account on one market. ``read_table`` reads the file again, and raises as ``policies.table_of`` does.

    ``table`` None: it could not be read at the start.
    """

    def __init__(
        self,
        table: RouteTable | None,
        policy: RoutePolicy,
        market: MarketView,
        snapshots: Snapshots,
        clock: Clock,
        tell: Callable[[Alert], None],
        barriers: Barriers,
        read_table: Callable[[], RouteTable] | None = None,
    ) -> None:
        self.table = DEFAULT if table is None else table
        self.curves: Curves | None = None
        self.policy = policy
        self._market = market
        self._snapshots = snapshots
        self._tell = tell
        self._notices = Levels(clock, tell)
        self._barriers = barriers
        self._read_table = read_table
        self._stands_in = table is None
        if self._stands_in:
            self.look_at_table()

    @property
    def looks(self) -> Looks:
        return {"routes": self.run}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.look_at_table()
            await self.look_at_curves()
            await asyncio.sleep(LOOK_MS / 1000)

    def plan(self, intent: Intent, scene: Scene, held_at: Price | None = None) -> Plan:
        """The plan for an admitted intent, as things are seen now.

        What only reduces is admitted without a price, too: then its size is reckoned by the price that the position
        was opened at (``held_at``), and where nobody knows that one either, as small.
        """
        near = scene.near or held_at or Price(max(scene.instrument.min_price, scene.instrument.tick))
        return plan_for(
            intent,
            self.table,
            scene.instrument,
            near,
            self.policy,
            scene.fees,
            scene.now_ms,
            sight=self.sight(intent.symbol, scene),
            curves=self.curves,
        )

    def sight(self, symbol: Symbol, scene: Scene) -> Sight:
        return Sight(touch=scene.touch, book=scene.book, hour=self._market.hour(symbol))

    def look_at_table(self) -> None:
        """Once. A local file of some hundred bytes: it is read without leaving the loop."""
        if self._read_table is None:
            return
        try:
            table = self._read_table()
        except (Refused, SettingsFault, OSError) as error:
            if self._stands_in:
                why = f"the built-in table stands in, and nothing enters by it: {error}"
                self._barriers.level("ROUTE_TABLE_UNREADABLE", why)
            else:
                self._notices.level("ROUTE_TABLE_UNREADABLE", f"rev {self.table.rev} stays: {error}")
            return
        self._stands_in = False
        self._barriers.level("ROUTE_TABLE_UNREADABLE", None)
        self._notices.level("ROUTE_TABLE_UNREADABLE", None)
        if table != self.table:
            told = f"rev {table.rev} with {len(table.rows)} rows takes over from rev {self.table.rev}"
            self.table = table
            self._tell(Alert(severity=Severity.INFO, code="ROUTE_TABLE", text=told))

    async def look_at_curves(self) -> None:
        """Once. A board that is away leaves them as they are; a key that is gone ends them."""
        try:
            async with asyncio.timeout(WITHIN_S):
                document = await self._snapshots.get(ROUTE_CURVES)
        except (TimeoutError, StoreUnavailable):
            return
        try:
            curves = None if document is None else read_curves(document)
        except Refused as error:
            kept = "none are in force" if self.curves is None else f"rev {self.curves.rev} stays"
            self._notices.level("ROUTE_CURVES_UNREADABLE", f"{kept}: {error.message}")
            return
        self._notices.level("ROUTE_CURVES_UNREADABLE", None)
        if curves != self.curves:
            told = "none are in force" if curves is None else f"rev {curves.rev} is in force"
            self.curves = curves
            self._tell(Alert(severity=Severity.INFO, code="ROUTE_CURVES", text=told))
