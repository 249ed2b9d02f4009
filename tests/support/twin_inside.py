"""What stands around a twin without a wire, whatever the market: its clock, and who listens to an account of it."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

from chimera.ports.venue import Report
from chimera.trading.ids import Symbol
from chimera.trading.money import Millis

D = Decimal
KEY, SECRET = "chimera-sim-key", "chimera-sim-secret"
BTC = Symbol("BTCUSDT")
START = 1_763_635_200_000


class HandClock:
    """Moves when told."""

    def __init__(self) -> None:
        self.at_ms = START

    def now_ms(self) -> Millis:
        return Millis(self.at_ms)

    def monotonic_ms(self) -> Millis:
        return Millis(self.at_ms - START)


class Listener:
    """What a stream said, in order."""

    def __init__(self) -> None:
        self.heard: list[Report] = []

    async def until(self, enough: Callable[[list[Report]], bool]) -> None:
        async with asyncio.timeout(5):
            while not enough(self.heard):  # noqa: ASYNC110  # frames of a real socket tell no event
                await asyncio.sleep(0.001)
