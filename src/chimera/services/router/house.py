"""All markets of one account behind one face: each call goes to the router of its market, or to all of them.

The routers share what ``Common`` holds; here is only who is asked. An id is looked for in every market, since callers
name orders without one.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final, Literal

from chimera.services.router import surveying
from chimera.services.router.api import Outcome
from chimera.services.router.breaking import Breaking
from chimera.services.router.cash_desk import CashDesk
from chimera.services.router.common import Common
from chimera.services.router.patience import going_on
from chimera.services.router.router import Router
from chimera.services.router.routing import Routing
from chimera.services.router.stream_track import StreamTrack
from chimera.services.router.tallying import Tallying
from chimera.trading.events import Severity
from chimera.trading.execution import CloseName
from chimera.trading.instrument import Instrument
from chimera.trading.intent import Intent
from chimera.trading.market import Market
from chimera.trading.standstill import Kill, Scope
from chimera.wire.policies import not_enabled

WORST: Final = ("degraded", "ok")
SUCCEEDING: Final = "SUCCEEDING"
REDIS_SHARED: Final = "REDIS_SHARED"


class House:
    """``RouterApi`` over several routers; ``first`` is asked where any would do.

    ``track``: where intents come by the stream as well.
    """

    def __init__(
        self,
        routers: Mapping[Market, Router],
        common: Common,
        track: StreamTrack | None = None,
        *,
        in_flight: Callable[[], bool] = lambda: False,
    ) -> None:
        """``in_flight``: whether the venue may yet do something that was asked of it."""
        self._in_flight = in_flight
        self._track = track
        self._routers = routers
        self._common = common
        self._first = next(iter(routers.values()))
        self.tell = common.alarms.tell
        self.transferring = self._first.transferring
        self.cash = CashDesk(common.rows, tuple(router.books.book for router in routers.values()))
        self._beside: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {}
        self._claim: str | None = None

    def beside(self, name: str, look: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Goes on for as long as the house does; call before ``run``."""
        self._beside[name] = look

    async def run(self) -> None:
        """Until cancelled; raises when another process has taken over any of it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._common.run(), name="common")
            for market, router in self._routers.items():
                group.create_task(router.run(), name=f"router {market}")
            if self._track is not None:
                group.create_task(going_on("intents", partial(self._track.run, self)), name="intents")
            for name, look in self._beside.items():
                group.create_task(going_on(name, look), name=name)

    def hold_entries(self, why: str | None) -> None:
        """A router that acted before us may still be heard at the venue: entries wait, in every market."""
        for router in self._routers.values():
            router.barriers.level(SUCCEEDING, why, severity=Severity.INFO)

    def redis_shared(self, why: str | None) -> None:
        """Another account is found on our streams: nothing enters, in any market. None: it is gone."""
        for router in self._routers.values():
            router.barriers.level(REDIS_SHARED, why)

    def claims_by(self, claim: str) -> None:
        """What its Redis database is claimed by: ``GET /health`` tells it."""
        self._claim = claim

    def asks_nothing(self) -> bool:
        """Whether the venue has said what became of all that it was asked to change: orders, settings, transfers."""
        return not self._in_flight()

    def retire(self) -> None:
        """It has ended: whatever timer or caller still reaches an owner of it, he hears and sends nothing more."""
        for owners in self._common.owners.values():
            for owner in owners.values():
                owner.deposed = True

    # ── by market ──

    async def submit(self, intent: Intent, body_hash: str, *, wait_ms: int | None) -> Outcome:
        if self._track is None:
            return await self.take(intent, body_hash, wait_ms=wait_ms)
        async with self._track.asking(intent, body_hash):
            return await self.take(intent, body_hash, wait_ms=wait_ms)

    async def take(self, intent: Intent, body_hash: str, *, wait_ms: int | None) -> Outcome:
        """By whichever track it came."""
        return await self._of(intent.market).submit(intent, body_hash, wait_ms=wait_ms)

    async def preview(self, intent: Intent) -> dict[str, object]:
        return await self._of(intent.market).preview(intent)

    async def close(
        self, market: Market, symbol: str, qty: Decimal | None, reason: str, name: CloseName | None = None
    ) -> dict[str, object]:
        return await self._of(market).close(market, symbol, qty, reason, name)

    async def survey(self, market: Market, symbol: str) -> dict[str, object]:
        return await surveying.survey(self._of(market).ground, market, symbol)

    @property
    def markets(self) -> tuple[Market, ...]:
        return tuple(self._routers)

    @property
    def routings(self) -> tuple[Routing, ...]:
        return tuple(router.routing for router in self._routers.values())

    @property
    def breakers(self) -> dict[Market, Breaking]:
        return {market: router.breaker for market, router in self._routers.items()}

    def instrument(self, market: Market, symbol: str) -> Instrument | None:
        router = self._routers.get(market)
        return None if router is None else router.instrument(market, symbol)

    def _of(self, market: Market) -> Router:
        router = self._routers.get(market)
        if router is None:
            raise not_enabled("market", market)
        return router

    # ── by name ──

    async def order(self, name: str) -> dict[str, object] | None:
        """As its own market's router tells it: another one knows only what is on disk."""
        return await (await self._knowing(name)).order(name)

    async def steer(self, name: str, ask: Literal["pause", "resume", "finish"]) -> dict[str, object]:
        return await (await self._knowing(name)).steer(name, ask)

    async def replace(self, name: str, document: Mapping[str, object]) -> Outcome:
        return await (await self._knowing(name)).replace(name, document)

    async def cancel(
        self, name: str, *, by: Literal["order_id", "client_order_id"], reason: str, escalate: bool, cascade: bool
    ) -> dict[str, object]:
        router = await self._knowing(name)
        return await router.cancel(name, by=by, reason=reason, escalate=escalate, cascade=cascade)

    async def _knowing(self, name: str) -> Router:
        for router in self._routers.values():
            row = await router.order(name)
            if row is not None:
                return self._routers.get(Market(str(row["market"])), router)
        return self._first

    # ── all of it ──

    async def positions(self) -> list[dict[str, object]]:
        return [row for router in self._routers.values() for row in await router.positions()]

    def external(self) -> list[dict[str, object]]:
        return [row for router in self._routers.values() for row in router.external()]

    def doubts(self) -> list[dict[str, object]]:
        return [row for router in self._routers.values() for row in router.doubts()]

    async def kill(self, kill: Kill, *, wait_ms: int | None) -> dict[str, object]:
        return await self._first.kill(kill, wait_ms=wait_ms)

    async def arm(self, scope: Scope, name: str, *, by: str, reason: str, confirm: str | None) -> dict[str, object]:
        return await self._first.arm(scope, name, by=by, reason=reason, confirm=confirm)

    def killed(self) -> dict[str, object]:
        return self._first.killed()

    def health(self) -> dict[str, object]:
        """The first market's, ``status`` the worst of all, and each by its name under ``markets``."""
        each: dict[str, Any] = {str(market): router.health() for market, router in self._routers.items()}
        status = min((told["status"] for told in each.values()), key=WORST.index)
        return self._first.health() | {"status": status, "account": self._claim, "markets": each}

    def tallied(self) -> dict[Market, Tallying]:
        return {market: router.tallies for market, router in self._routers.items()}

    def ready(self) -> bool:
        return all(router.ready() for router in self._routers.values())
