"""The inbox of doubt at work: what is in it now, and an alert for what stays there too long."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from chimera.ports.clock import Clock
from chimera.reconcile.doubts import Doubt, doubts, row
from chimera.services.router.owner import Owner
from chimera.trading.errors import Refused
from chimera.trading.events import Alert, Severity
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId, PositionKey
from chimera.trading.scene import Scene

LOOK_EVERY_S: Final = 5.0


class Inbox:
    """Everything of one account that is in doubt."""

    def __init__(
        self,
        owners: Mapping[PositionKey, Owner],
        *,
        scene: Callable[[Holding], Scene],
        clock: Clock,
        alert_ms: int,
        tell: Callable[[Alert], None],
    ) -> None:
        self._owners = owners
        self._scene = scene
        self._clock = clock
        self._alert_ms = alert_ms
        self._tell = tell
        self._told: set[ClientOrderId] = set()

    def now(self) -> tuple[Doubt, ...]:
        """Oldest first."""
        holdings = [owner.holding for owner in self._owners.values()]
        near = {holding.key.symbol: self._scene(holding).near for holding in holdings}
        return doubts(holdings, near)

    def rows(self) -> list[dict[str, object]]:
        """As ``GET /doubts`` answers. Raises ``Refused`` while nothing is loaded."""
        if not self._owners:
            raise Refused("NOT_READY", "positions are still being loaded; try again")
        return [row(doubt) for doubt in self.now()]

    async def run(self) -> None:
        """For ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Tell once of each doubt that has lasted too long."""
        now_ms = self._clock.now_ms()
        old = [doubt for doubt in self.now() if now_ms - doubt.since_ms >= self._alert_ms]
        for doubt in old:
            if doubt.ref not in self._told:
                lasts_s = (now_ms - doubt.since_ms) // 1000
                text = f"{doubt.symbol} {doubt.ref}: {doubt.about} unknown for {lasts_s} s; it takes {doubt.settles}"
                self._tell(Alert(severity=Severity.ERROR, code="DOUBT_OLD", text=text, subject=doubt.ref))
        self._told = {doubt.ref for doubt in old}
