"""What S3's risk gate may still promise: positions, intents in flight, margin, notional and loss left (wire.budget).

Published twice a second, which also shows whether the bus is there. Best effort: an old budget makes S3 skip.
"""

import asyncio
from collections import OrderedDict
from contextlib import suppress
from typing import Final

import structlog

from chimera.admit.limits import LimitBook
from chimera.ports.streams import Bus
from chimera.services.claimed import NotClaimed
from chimera.services.router.exposing import Exposing
from chimera.services.router.ground import Ground
from chimera.services.router.patience import Looks
from chimera.services.router.standing_in import StandingIn
from chimera.services.router.watchdogs import Watchdogs
from chimera.services.router.watching import Watch
from chimera.trading.budget import MarketBudget, RiskBudget
from chimera.trading.errors import StoreUnavailable
from chimera.trading.events import Event, IntentChanged
from chimera.trading.execution import Phase
from chimera.trading.ids import IntentId, Symbol
from chimera.trading.market import Market
from chimera.trading.money import ZERO, Quote
from chimera.wire.budget import budget_document
from chimera.wire.keys import risk_budget_key

log = structlog.get_logger()

EVERY_S: Final = 0.5
ENDED_MS: Final = 5_000  # so long an end is told: S3 looks four times a second while it waits for one
ENDED_MOST: Final = 100  # and of no more of them: of the others S3 waits until it must have been told


class Budgeting:
    """Of one account on one market."""

    def __init__(
        self,
        ground: Ground,
        bus: Bus,
        limits: LimitBook,
        watch: Watch,
        watchdogs: Watchdogs,
        standing_in: StandingIn,
        shared: dict[Market, MarketBudget],
        exposing: Exposing,
    ) -> None:
        """``shared``: what each market of the account has left, under one key on the bus."""
        self._shared = shared
        self._exposing = exposing
        self.bus_up = False
        self._ground = ground
        self._bus = bus
        self._limits = limits
        self._watch = watch
        self._watchdogs = watchdogs
        self._standing_in = standing_in
        self._ended: OrderedDict[IntentId, int] = OrderedDict()  # since when, monotonic, in that order

    @property
    def looks(self) -> Looks:
        """What goes on for ever, by name; none of it needs memory of ours."""
        return {"budget": self.run}

    async def run(self) -> None:
        """For ever."""
        while True:
            self.bus_up = await self.publish()
            if self.bus_up:
                self._watchdogs.bus_heard()
            await asyncio.sleep(EVERY_S)

    def heard(self, events: tuple[Event, ...]) -> None:
        """What an owner tells: which intents are done."""
        for event in events:
            if isinstance(event.body, IntentChanged) and event.body.done:
                self._ended[event.body.intent_id] = self._ground.clock.monotonic_ms()
                self._ended.move_to_end(event.body.intent_id)
        self._forget()

    def _forget(self) -> None:
        oldest_ms = self._ground.clock.monotonic_ms() - ENDED_MS
        while self._ended and (next(iter(self._ended.values())) < oldest_ms or len(self._ended) > ENDED_MOST):
            self._ended.popitem(last=False)

    async def publish(self) -> bool:
        """Whether the bus took it; or answered, where there is none yet, or another account's stands there."""
        budget = self._now()
        try:
            if budget is not None:
                with suppress(NotClaimed):
                    await self._bus.put(risk_budget_key(self._ground.account_id), budget_document(budget))
                    return True
            await self._bus.ping()
        except StoreUnavailable as error:
            log.info("budget_unpublished", error=str(error))
            self._watchdogs.bus_missed(str(error))
            return False
        return True

    def _now(self) -> RiskBudget | None:
        """None while funds and fees are not told, or nobody remembers what is in flight: S3 then skips, and says so."""
        funds, owners = self._watch.funds, self._ground.owners.values()
        if funds is None or not owners or self._standing_in.on:
            self._shared.pop(self._ground.market, None)
            return None
        inflight: dict[IntentId, Symbol] = {}
        open_symbols: list[Symbol] = []
        for owner in owners:
            holding = owner.holding
            if holding.exposure:
                open_symbols.append(holding.key.symbol)
            for intent_id, working in holding.intents.items():
                if working.phase is Phase.WORKING and not working.intent.reduce_only:
                    inflight[intent_id] = holding.key.symbol
        fees, gross = self._watch.fees, self._exposing.gross()
        exposures = (exposure for _, exposure in self._exposing.each() if exposure is not None)
        self._forget()
        market = MarketBudget(
            fees=max(fees.values(), key=lambda rates: (rates.taker, rates.maker)),
            fees_of=dict(fees),
            remaining_margin_usdt=Quote(max(funds.available, ZERO)),
            remaining_notional_usdt=Quote(ZERO) if gross is None else self._limits.notional_left(exposures, gross),
            open_symbols=tuple(open_symbols),
            inflight=inflight,
            ended=tuple(self._ended),
        )
        self._shared[self._ground.market] = market
        left = max(self._limits.limits.max_daily_loss - self._limits.loss_today(), ZERO)
        return RiskBudget(
            account_id=self._ground.account_id,
            at_ms=self._ground.clock.now_ms(),
            remaining_loss_usdt=Quote(left),
            markets=dict(self._shared),
        )
