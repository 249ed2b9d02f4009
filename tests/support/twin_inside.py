"""The twin without a wire, whatever the market: its clock, its requests, and who listens to an account of it."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from decimal import Decimal

from chimera.adapters.binance.transport import Reply
from chimera.ports.venue import Report
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.twin import Twin
from chimera.trading.errors import OutcomeUnknown
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


class TwinInside(ABC):
    """Requests go to the twin itself; what it has to say is handed out by ``pump``."""

    def __init__(self, twin: Twin, clock: HandClock) -> None:
        self._twin = twin
        self._clock = clock

    async def request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes = b"", timeout_ms: int
    ) -> Reply:
        path, _, query = target.partition("?")
        request = WireRequest(method=method, path=path, query=query, headers=dict(headers), body=body.decode())
        answer = self._twin.handle(request, self._clock.now_ms())
        self.pump()
        if answer.dropped:
            raise OutcomeUnknown("dropped")
        found = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(status=answer.status, headers=found, body=answer.body)

    @abstractmethod
    def pump(self) -> None: ...


class Listener:
    """What a stream said, in order."""

    def __init__(self) -> None:
        self.heard: list[Report] = []

    async def until(self, enough: Callable[[list[Report]], bool]) -> None:
        async with asyncio.timeout(5):
            while not enough(self.heard):  # noqa: ASYNC110  # frames of a real socket tell no event
                await asyncio.sleep(0.001)
