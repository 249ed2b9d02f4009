"""What operators change of a running router, beside orders and kills: the route table, and an open breaker's pause."""

from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from chimera.services.router.breaking import Breaking
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.wire.policies import not_enabled

log = structlog.get_logger()


class RoutesApi(Protocol):
    """The route table's revisions; ``route_desk.RouteDesk`` is it."""

    async def shown(self) -> dict[str, Any]: ...

    async def approve(self, proposed_ms: Millis, by: str) -> dict[str, Any]:
        """Raises ``Refused``."""
        ...

    async def roll_back(self, rev: int, by: str) -> dict[str, Any]:
        """Raises ``Refused``."""
        ...


class Operating:
    """Of one account's routers."""

    def __init__(self, routes: RoutesApi, breakers: Mapping[Market, Breaking]) -> None:
        self.routes = routes
        self._breakers = breakers

    def retry(self, market: Market, by: str, reason: str) -> dict[str, Any]:
        """One entry may try at once whether the venue works. Raises ``Refused`` (``BREAKER_NOT_OPEN``)."""
        breaking = self._breakers.get(market)
        if breaking is None:
            raise not_enabled("market", market)
        breaking.retry()
        log.warning("breaker_retried", market=market, by=by, reason=reason)
        return {"market": str(market), **breaking.shown()}
