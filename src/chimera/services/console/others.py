"""Whom the console asks: S4, S3 and the bus, as narrow protocols that the clients of users have, too."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from chimera.ports.clock import Clock
from chimera.ports.streams import Entry
from chimera.trading.market import Market


class RouterSource(Protocol):
    """What the console asks of S4; ``client.RouterClient`` has it. Each raises ``ChimeraError``."""

    async def positions(self) -> list[dict[str, Any]]: ...

    async def health(self) -> dict[str, Any]: ...

    async def order(self, name: str) -> dict[str, Any] | None: ...

    async def close(
        self, symbol: str, qty: Decimal | None = None, *, market: Market = Market.FUT, close_id: str | None = None
    ) -> dict[str, Any]:
        """Reduce the position to flat, or by ``qty``."""
        ...


class StrategySource(Protocol):
    """What the console asks of S3; ``client.StrategyClient`` has it. Each raises ``ChimeraError``."""

    async def decisions(self, newest: int = 50) -> list[dict[str, Any]]: ...

    async def health(self) -> dict[str, Any]: ...


class BusSource(Protocol):
    """What the console reads of the bus; every ``ports.streams.Bus`` has it."""

    async def tail(self, stream: str, *, after: str, count: int, block_ms: int) -> Sequence[Entry]: ...

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]: ...


@dataclass(frozen=True)
class Others:
    """All of them, and the time."""

    router: RouterSource
    strategy: StrategySource
    bus: BusSource
    clock: Clock
