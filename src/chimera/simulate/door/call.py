"""One call in hand, and how an endpoint is described. Shared by the routing table and the handlers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chimera.simulate.door.auth import Security
from chimera.simulate.door.params import Params
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm.accounts import Account
from chimera.simulate.usdm.exchange import Exchange
from chimera.simulate.usdm.floor import FuturesFloor
from chimera.simulate.usdm.perpetual import Perpetual
from chimera.simulate.usdm.reports import Wire

_ALWAYS = frozenset({"timestamp", "recvWindow", "signature"})


@dataclass(slots=True)
class Call:
    """An authenticated request on its way through a handler."""

    exchange: Exchange
    wire: Wire
    params: Params
    now_ms: int
    caller: Account | None

    @property
    def floor(self) -> FuturesFloor:
        return self.exchange.floor

    @property
    def account(self) -> Account:
        """The caller; only endpoints that require a key ask."""
        if self.caller is None:
            raise Refusal(-2015)
        return self.caller

    @property
    def listing(self) -> Perpetual:
        """The mandatory symbol's listing."""
        return self.floor.listing(self.params.need("symbol"))

    @property
    def maybe_symbol(self) -> str | None:
        """The optional symbol, which must be listed if given."""
        return self.floor.listing(self.params.text("symbol")).symbol if self.params.has("symbol") else None

    def chosen(self) -> list[Perpetual]:
        """The optional symbol's listing, or all."""
        symbol = self.maybe_symbol
        return [each for each in self.floor.listings.values() if symbol in (None, each.symbol)]

    def window(self, rows: list[dict[str, Any]], default_limit: int = 500) -> list[dict[str, Any]]:
        """Rows inside startTime..endTime, oldest first, the newest ``limit`` of them (at most 1000)."""
        start = self.params.integer_or("startTime", 0)
        end = self.params.integer_or("endTime", self.now_ms + 1)
        limit = min(self.params.integer_or("limit", default_limit), 1000)
        found = [row for row in rows if start <= row["time"] <= end]
        return found[:limit] if self.params.has("startTime") else found[-limit:]


Handler = Callable[[Call], Any]


@dataclass(slots=True, frozen=True)
class Endpoint:
    """A path and method the venue knows. ``weight`` may depend on the parameters."""

    handler: Handler
    security: Security
    weight: int
    mandatory: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    unwanted: frozenset[str] = frozenset()  # once parameters here; sending them is refused by name
    weight_without_symbol: int | None = None
    counts_order: bool = False

    def weigh(self, params: Params) -> int:
        """Request weight of this call."""
        heavier = self.weight_without_symbol
        return self.weight if heavier is None or params.has("symbol") else heavier


def endpoint(
    handler: Handler,
    security: Security,
    weight: int,
    mandatory: str = "",
    optional: str = "",
    *,
    unwanted: str = "",
    without_symbol: int | None = None,
    counts_order: bool = False,
) -> Endpoint:
    """An ``Endpoint`` from space-separated parameter names."""
    timing = frozenset[str]() if security is Security.NONE else _ALWAYS  # harmless where only the key counts
    return Endpoint(
        handler=handler,
        security=security,
        weight=weight,
        mandatory=frozenset(mandatory.split()),
        optional=frozenset(optional.split()) | timing,
        unwanted=frozenset(unwanted.split()),
        weight_without_symbol=without_symbol,
        counts_order=counts_order,
    )
